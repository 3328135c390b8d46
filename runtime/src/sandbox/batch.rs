//! Batches as the host keeps them: columns that were made, and columns that only stand for rows of an
//! input.
//!
//! A passed column holds no values. Filters and the like move row numbers, once for every input, and
//! values are fetched only for a column that the guest asks for.

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef, BooleanArray, UInt64Array};
use arrow_schema::Field;

use super::held::Held;
use super::spill::Spillable;
use crate::arrow::format::{self, BadFields, WireField};
use crate::arrow::rows::{self, BadRows, Rows};
use crate::arrow::values;
use crate::expression::{self, BadExpression, Column, Expression, Source};
use crate::unit::Question;

/// Rows of a table with one schema.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// How the columns came together.
    pub(super) expression: Arc<Expression>,
    /// The columns, over today's inputs.
    pub(super) columns: Vec<Column>,
    /// Rows of each input in the expression, in reading order.
    pub(super) inputs: Vec<Arc<Rows>>,
    /// Values of each made column in the expression, in reading order.
    pub(super) made: Vec<ArrayRef>,
    /// Number of rows.
    pub(super) rows: u64,
    /// What the values of made columns and the row numbers take, or those that they are a part of. Empty
    /// once they count as something else.
    pub(super) held: Vec<Held>,
    /// Number of operations and operands in the expression, shared ones counted each time.
    size: usize,
}

/// Operations and operands that an expression may have: zipping doubles them, and every look at an
/// expression walks them all.
const MAX_SIZE: usize = 4096;

/// Why an operation on a batch is refused.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadBatch {
    #[error(transparent)]
    Columns(#[from] BadExpression),
    #[error(transparent)]
    Fields(#[from] BadFields),
    #[error(transparent)]
    Rows(#[from] BadRows),
    #[error("the batches differ in length\n  expected {expected} rows\n  found    {found} rows")]
    Length { expected: u64, found: u64 },
    #[error("the batches differ in schema")]
    Schema,
    #[error("there is no batch to concatenate")]
    None,
    #[error("{fields} fields are given for {columns} columns")]
    Count { fields: usize, columns: usize },
    #[error(
        "too many operations make one batch\n  expected at most {} on top of each other, and {MAX_SIZE} in all",
        expression::MAX_DEPTH
    )]
    Depth,
    #[error(transparent)]
    Kernel(#[from] arrow_schema::ArrowError),
}

impl BadBatch {
    /// The code that a guest is given; part of the contract.
    pub(super) fn code(&self) -> &'static str {
        match self {
            Self::Columns(BadExpression::Missing { .. }) => "missing-column",
            Self::Columns(BadExpression::Duplicate { .. })
            | Self::Fields(BadFields::DuplicateName { .. }) => "duplicate-column",
            _ => "bad-batch",
        }
    }
}

impl Batch {
    /// Rows of an input.
    pub(super) fn input(fields: &[arrow_schema::FieldRef], port: &str, rows: Rows) -> Self {
        Self {
            expression: Arc::new(Expression::Input(port.to_owned())),
            columns: expression::input_columns(fields, port, 0),
            rows: rows.len(),
            inputs: vec![Arc::new(rows)],
            made: Vec::new(),
            held: Vec::new(),
            size: 1,
        }
    }

    /// Rows of nothing but made columns.
    pub(super) fn made(rows: u64, fields: Vec<Field>, made: Vec<ArrayRef>) -> Self {
        let wire = fields.iter().flat_map(format::to_wire).collect();
        Self {
            expression: Arc::new(Expression::Made(wire)),
            columns: expression::number(fields, &mut 0),
            inputs: Vec::new(),
            made,
            held: Vec::new(),
            rows,
            size: 1,
        }
    }

    /// One column.
    pub(super) fn find(&self, name: &str) -> Option<&Column> {
        self.columns
            .iter()
            .find(|column| column.field.name() == name)
    }

    /// Whether a column of this name can be taken of what is there: what asking for it observes when it
    /// is not there.
    pub(super) fn has(&self, name: &str) -> Question {
        let expression = Expression::Select(Arc::clone(&self.expression), vec![name.to_owned()]);
        Question::Valid { expression }
    }

    pub(super) fn select(&self, names: Vec<String>) -> Result<Self, BadBatch> {
        let columns = expression::select(&self.columns, &names)?;
        self.with_expression(
            Expression::Select(Arc::clone(&self.expression), names),
            columns,
            self.size + 1,
        )
    }

    pub(super) fn rename(&self, name: String, to: String) -> Result<Self, BadBatch> {
        let columns = expression::rename(self.columns.clone(), &name, &to)?;
        self.with_expression(
            Expression::Rename(Arc::clone(&self.expression), name, to),
            columns,
            self.size + 1,
        )
    }

    fn with_expression(
        &self,
        expression: Expression,
        columns: Vec<Column>,
        size: usize,
    ) -> Result<Self, BadBatch> {
        if size > MAX_SIZE || expression.depth() > expression::MAX_DEPTH - 2 {
            return Err(BadBatch::Depth);
        }
        Ok(Self {
            expression: Arc::new(expression),
            columns,
            size,
            ..self.clone()
        })
    }

    pub(super) fn with_columns(
        &self,
        fields: Vec<Field>,
        made: Vec<ArrayRef>,
    ) -> Result<Self, BadBatch> {
        let wire: Vec<WireField> = fields.iter().flat_map(format::to_wire).collect();
        let names: Vec<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        // A run of additions is one addition, so that a step may add a hundred columns one by one.
        let expression = match &*self.expression {
            Expression::With(of, before)
                if !format_names(before).iter().any(|name| names.contains(name)) =>
            {
                Expression::With(Arc::clone(of), before.iter().cloned().chain(wire).collect())
            }
            _ => Expression::With(Arc::clone(&self.expression), wire),
        };
        let mut next = self.made.len();
        let columns = expression::with(self.columns.clone(), expression::number(fields, &mut next));
        let mut batch = self.with_expression(expression, columns, self.size + 1)?;
        batch.made.extend(made);
        Ok(batch)
    }

    pub(super) fn zip(&self, right: &Self) -> Result<Self, BadBatch> {
        if self.rows != right.rows {
            return Err(BadBatch::Length {
                expected: self.rows,
                found: right.rows,
            });
        }
        let moved = right.columns.iter().cloned().map(|mut column| {
            match &mut column.source {
                Source::Made(made) => *made += self.made.len(),
                Source::Passed { input, .. } => *input += self.inputs.len(),
            }
            column
        });
        let columns = expression::zip(self.columns.clone(), moved.collect())?;
        let expression =
            Expression::Zip(Arc::clone(&self.expression), Arc::clone(&right.expression));
        let mut batch = self.with_expression(expression, columns, self.size + right.size + 1)?;
        batch.inputs.extend(right.inputs.iter().cloned());
        batch.made.extend(right.made.iter().cloned());
        batch.held.extend(right.held.iter().cloned());
        Ok(batch)
    }

    pub(super) fn filter(&self, mask: &BooleanArray) -> Result<Self, BadBatch> {
        if mask.len() as u64 != self.rows {
            return Err(BadBatch::Length {
                expected: self.rows,
                found: mask.len() as u64,
            });
        }
        let inputs = self
            .inputs
            .iter()
            .map(|rows| Ok(Arc::new(rows.filter(mask)?)))
            .collect::<Result<_, BadRows>>()?;
        let made = self
            .made
            .iter()
            .map(|array| arrow_select::filter::filter(array, mask))
            .collect::<Result<_, _>>()?;
        let rows = mask.iter().filter(|keep| *keep == Some(true)).count() as u64;
        Ok(Self {
            inputs,
            made,
            held: Vec::new(),
            rows,
            ..self.clone()
        })
    }

    /// Bytes of the values that [`Self::take`] would copy: one long text, named often, is much.
    pub(super) fn taken_bytes(&self, indices: &UInt64Array) -> u64 {
        let rows = indices.iter().flatten().filter(|row| *row < self.rows);
        let ranges: Vec<_> = rows
            .filter_map(|row| usize::try_from(row).ok())
            .map(|row| row..row + 1)
            .collect();
        let made = self.made.iter();
        made.map(|array| rows::copied_bytes(array, ranges.clone()))
            .sum()
    }

    pub(super) fn take(&self, indices: UInt64Array) -> Result<Self, BadBatch> {
        let mut taken = self.choose(&Rows::Indices(indices))?;
        taken.held = Vec::new();
        Ok(taken)
    }

    pub(super) fn slice(&self, start: u64, len: u64) -> Result<Self, BadBatch> {
        self.choose(&Rows::Range { start, len })
    }

    fn choose(&self, chosen: &Rows) -> Result<Self, BadBatch> {
        chosen.check(self.rows)?;
        let inputs = self
            .inputs
            .iter()
            .map(|rows| Ok(Arc::new(rows.select(chosen)?)))
            .collect::<Result<_, BadRows>>()?;
        let made = self
            .made
            .iter()
            .map(|array| rows::take(std::slice::from_ref(array), chosen))
            .collect::<Result<_, BadRows>>()?;
        Ok(Self {
            inputs,
            made,
            rows: chosen.len(),
            ..self.clone()
        })
    }

    /// The same of [`Self::take_of`].
    pub(super) fn taken_bytes_of(batches: &[Self], indices: &UInt64Array) -> u64 {
        let starts = values::starts(batches.iter().map(|batch| batch.rows));
        let mut rows: Vec<Vec<u64>> = vec![Vec::new(); batches.len()];
        for index in indices.iter().flatten() {
            let at = starts.partition_point(|start| *start <= index);
            let place = at.checked_sub(1).map(|at| (rows.get_mut(at), starts[at]));
            if let Some((Some(rows), start)) = place {
                rows.push(index - start);
            }
        }
        let taken = batches.iter().zip(rows);
        taken
            .map(|(batch, rows)| batch.taken_bytes(&rows.into()))
            .sum()
    }

    /// Rows of `batches`, which came together in the same way, laid end to end.
    pub(super) fn take_of(batches: &[Self], indices: &UInt64Array) -> Result<Self, BadBatch> {
        let Some(first) = batches.first() else {
            return Err(BadBatch::None);
        };
        if batches
            .iter()
            .any(|batch| batch.expression != first.expression)
        {
            return Err(BadBatch::Schema);
        }
        let inputs = (0..first.inputs.len()).map(|input| {
            let lists: Vec<&Rows> = batches.iter().map(|batch| &*batch.inputs[input]).collect();
            Ok(Arc::new(values::take_rows(&lists, indices)?))
        });
        let chosen = Rows::Indices(indices.clone());
        let made = (0..first.made.len()).map(|made| {
            let pieces: Vec<ArrayRef> = batches
                .iter()
                .map(|batch| Arc::clone(&batch.made[made]))
                .collect();
            rows::take(&pieces, &chosen)
        });
        let batch = Self {
            inputs: inputs.collect::<Result<_, BadRows>>()?,
            made: made.collect::<Result<_, BadRows>>()?,
            held: Vec::new(),
            rows: indices.len() as u64,
            ..first.clone()
        };
        chosen.check(batches.iter().map(|batch| batch.rows).sum())?;
        Ok(batch)
    }

    /// Bytes of what the host keeps for a handle, without values and row numbers, which may be shared.
    pub(super) fn handle_bytes(&self) -> u64 {
        64 * (1 + self.columns.len() + self.inputs.len() + self.made.len()) as u64
    }

    /// Bytes of the values and row numbers.
    pub(super) fn content_bytes(&self) -> u64 {
        let made = self.made.iter().map(|array| values::byte_size(array));
        let inputs = self.inputs.iter().map(|rows| match &**rows {
            Rows::Indices(indices) => 8 * indices.len() as u64,
            _ => 0,
        });
        made.sum::<u64>() + inputs.sum::<u64>()
    }

    /// The rows of `batches`, which came together in the same way, in order.
    pub(super) fn concat(batches: &[&Self]) -> Result<Self, BadBatch> {
        let Some(first) = batches.first() else {
            return Err(BadBatch::None);
        };
        if batches
            .iter()
            .any(|batch| batch.expression != first.expression)
        {
            return Err(BadBatch::Schema);
        }
        let inputs = (0..first.inputs.len()).map(|input| {
            let parts: Vec<Rows> = batches
                .iter()
                .map(|batch| (*batch.inputs[input]).clone())
                .collect();
            Arc::new(Rows::concat(&parts))
        });
        let made = (0..first.made.len()).map(|made| {
            let parts: Vec<&dyn Array> = batches.iter().map(|batch| &*batch.made[made]).collect();
            arrow_select::concat::concat(&parts)
        });
        Ok(Self {
            expression: Arc::clone(&first.expression),
            columns: first.columns.clone(),
            inputs: inputs.collect(),
            made: made.collect::<Result<_, _>>()?,
            held: Vec::new(),
            rows: batches.iter().map(|batch| batch.rows).sum(),
            size: first.size,
        })
    }
}

impl Spillable for Batch {
    fn arrays(&self) -> Vec<ArrayRef> {
        let rows = self.inputs.iter().filter_map(|rows| row_numbers(rows));
        rows.chain(self.made.iter().cloned()).collect()
    }

    fn replace(&mut self, arrays: &mut dyn Iterator<Item = ArrayRef>) {
        for rows in &mut self.inputs {
            if let Rows::Indices(_) = &**rows {
                *rows = Arc::new(spilled_rows(rows, arrays));
            }
        }
        for made in &mut self.made {
            if let Some(array) = arrays.next() {
                *made = array;
            }
        }
    }
}

/// Row numbers that take memory.
pub(super) fn row_numbers(rows: &Rows) -> Option<ArrayRef> {
    match rows {
        Rows::Indices(indices) => Some(Arc::new(indices.clone())),
        Rows::All(_) | Rows::Range { .. } => None,
    }
}

/// The same rows with the next array as row numbers.
pub(super) fn spilled_rows(rows: &Rows, arrays: &mut dyn Iterator<Item = ArrayRef>) -> Rows {
    let next = arrays.next();
    match next.as_ref().and_then(|next| next.as_primitive_opt()) {
        Some(indices) => Rows::Indices(indices.clone()),
        None => rows.clone(),
    }
}

fn format_names(wire: &[WireField]) -> Vec<&str> {
    let mut names = Vec::new();
    let mut skip = 0u64;
    for field in wire {
        if skip == 0 {
            names.push(field.name.as_str());
            skip = 1;
        }
        skip = skip - 1 + u64::from(field.children);
    }
    names
}

/// Fields from a guest, checked. Views are still views.
pub(super) fn fields(wire: Vec<super::wire::Field>) -> Result<Vec<Field>, BadFields> {
    let wire: Vec<WireField> = wire.into_iter().map(WireField::from).collect();
    let fields = format::from_wire(&wire)?;
    format::check_names(&fields)?;
    Ok(fields)
}
