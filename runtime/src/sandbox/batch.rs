//! Batches as the host keeps them: columns that were made, and columns that only stand for rows of an
//! input.
//!
//! A passed column holds no values. Filters and the like move row numbers, once for every input, and
//! values are fetched only for a column that the guest asks for.

use std::collections::BTreeSet;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, ArrayRef, BooleanArray, UInt64Array};
use arrow_schema::{DataType, Field};

use super::columns::Columns;
use super::ledger::Held;
use super::spill::Spillable;
use super::state::expression_bytes;
use crate::arrow::format::{self, BadFields, WireField};
use crate::arrow::rows::{self, BadRows, Chosen, Rows};
use crate::arrow::values;
use crate::digest::{Digest, StructuredHasher};
use crate::expression::{self, BadExpression, Column, Expression, Source};
use crate::unit::Question;

/// Rows of a table with one schema.
#[derive(Clone, Debug)]
pub(super) struct Batch {
    /// How the columns came together.
    pub(super) expression: Arc<Expression>,
    /// Of equal expressions the same, so that they are told apart without a walk.
    identity: Digest,
    /// Of what the expression adds columns to, if it does.
    added_to: Option<Digest>,
    /// The columns, over today's inputs.
    pub(super) columns: Columns,
    /// Rows of each input in the expression, in reading order.
    pub(super) inputs: Vec<Arc<Rows>>,
    /// Values of each made column in the expression, in reading order.
    pub(super) made: Vec<ArrayRef>,
    /// Number of rows.
    pub(super) rows: u64,
    /// What the values of made columns and the row numbers take, or those that they are a part of. Empty
    /// once they count as something else.
    pub(super) held: Vec<Held>,
    /// What it takes besides these, if somebody has a handle to it or keeps it.
    pub(super) handle: Option<Held>,
    /// Whether the values and row numbers were moved out of memory.
    pub(super) spilled: bool,
    /// Number of operations and operands in the expression, shared ones counted each time.
    size: usize,
}

/// Operations and operands that an expression may have: zipping doubles them, and every look at an
/// expression walks them all.
const MAX_SIZE: usize = 4096;

/// Bytes of a batch besides its columns, of an observation of it, and of an entry in a list of what is kept.
const BATCH_BYTES: u64 = 512;

/// Bytes of a column's place, and of an input's.
const COLUMN_BYTES: u64 = 64;

/// Bytes of a row number, its validity included.
const ROW_NUMBER_BYTES: u64 = 9;

/// Bytes of an array besides its values.
const ARRAY_BYTES: u64 = 256;

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
            identity: StructuredHasher::new("input").text(port).finish(),
            added_to: None,
            columns: Columns::new(expression::input_columns(fields, port, 0)),
            rows: rows.len(),
            inputs: vec![Arc::new(rows)],
            made: Vec::new(),
            held: Vec::new(),
            handle: None,
            spilled: false,
            size: 1,
        }
    }

    /// Other rows of the input that this batch has rows of.
    pub(super) fn with_rows(&self, rows: Rows) -> Self {
        Self {
            rows: rows.len(),
            inputs: vec![Arc::new(rows)],
            ..self.clone()
        }
    }

    /// Rows of nothing but made columns.
    pub(super) fn made(rows: u64, fields: Vec<Field>, made: Vec<ArrayRef>) -> Self {
        let wire = fields.iter().flat_map(format::to_wire).collect();
        let expression = Expression::Made(wire);
        let mut hasher = StructuredHasher::new("made");
        expression.feed(&mut hasher);
        Self {
            expression: Arc::new(expression),
            identity: hasher.finish(),
            added_to: None,
            columns: Columns::new(expression::number(fields, &mut 0)),
            inputs: Vec::new(),
            made,
            held: Vec::new(),
            handle: None,
            spilled: false,
            rows,
            size: 1,
        }
    }

    /// One column.
    pub(super) fn find(&self, name: &str) -> Option<&Column> {
        self.columns.find(name)
    }

    /// Tells what `operation` would make of the columns from all else.
    pub(super) fn operation(&self, operation: &str) -> StructuredHasher {
        let mut hasher = StructuredHasher::new(operation);
        hasher.digest(&self.identity);
        hasher
    }

    /// Whether columns of these names can be taken of what is there: what asking for them observes.
    pub(super) fn have(&self, names: Vec<String>) -> Question {
        let expression = Expression::Select(Arc::clone(&self.expression), names);
        Question::Valid { expression }
    }

    pub(super) fn select(&self, names: Vec<String>) -> Result<Self, BadBatch> {
        let columns = expression::select(&self.columns, &names)?;
        let mut hasher = self.operation("select");
        hasher.list(names.len());
        names.iter().for_each(|name| {
            hasher.text(name);
        });
        self.with_expression(
            Expression::Select(Arc::clone(&self.expression), names),
            hasher.finish(),
            columns,
            self.size + 1,
        )
    }

    pub(super) fn rename(&self, name: String, to: String) -> Result<Self, BadBatch> {
        format::check_name(&to)?;
        let columns = expression::rename(self.columns.to_vec(), &name, &to)?;
        let identity = self.operation("rename").text(&name).text(&to).finish();
        self.with_expression(
            Expression::Rename(Arc::clone(&self.expression), name, to),
            identity,
            columns,
            self.size + 1,
        )
    }

    fn with_expression(
        &self,
        expression: Expression,
        identity: Digest,
        columns: Vec<Column>,
        size: usize,
    ) -> Result<Self, BadBatch> {
        if size > MAX_SIZE || expression.depth() > expression::MAX_DEPTH - 2 {
            return Err(BadBatch::Depth);
        }
        // However they come together, there are no more than one guest could send.
        if columns.len() > format::MAX_FIELDS {
            let found = columns.len();
            return Err(BadFields::TooMany { found }.into());
        }
        Ok(Self {
            expression: Arc::new(expression),
            identity,
            added_to: None,
            columns: Columns::new(columns),
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
        let names: BTreeSet<&str> = fields.iter().map(|field| field.name().as_str()).collect();
        // A run of additions is one addition, so that a step may add a hundred columns one by one.
        let (expression, added_to) = match (&*self.expression, self.added_to) {
            (Expression::With(of, before), Some(added_to))
                if !format_names(before).iter().any(|name| names.contains(name)) =>
            {
                let wire = before.iter().cloned().chain(wire).collect();
                (Expression::With(Arc::clone(of), wire), added_to)
            }
            _ => {
                let of = Arc::clone(&self.expression);
                (Expression::With(of, wire), self.identity)
            }
        };
        let mut hasher = StructuredHasher::new("with");
        hasher.digest(&added_to);
        if let Expression::With(_, wire) = &expression {
            expression::hash_fields(&mut hasher, wire);
        }
        let mut next = self.made.len();
        let columns = expression::number(fields, &mut next);
        let columns = expression::with(self.columns.to_vec(), columns);
        let identity = hasher.finish();
        let mut batch = self.with_expression(expression, identity, columns, self.size + 1)?;
        batch.added_to = Some(added_to);
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
        let columns = expression::zip(self.columns.to_vec(), moved.collect())?;
        let expression =
            Expression::Zip(Arc::clone(&self.expression), Arc::clone(&right.expression));
        let identity = self.operation("zip").digest(&right.identity).finish();
        let size = self.size + right.size + 1;
        let mut batch = self.with_expression(expression, identity, columns, size)?;
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
        let rows = mask.true_count() as u64;
        if rows == self.rows {
            return Ok(self.clone());
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
        Ok(Self {
            inputs,
            made,
            held: Vec::new(),
            rows,
            ..self.clone()
        })
    }

    /// Bytes that [`Self::filter`] allocates at most.
    pub(super) fn filtered_bytes(&self, mask: &BooleanArray) -> u64 {
        let chosen = || {
            let runs = match mask.nulls() {
                Some(nulls) => mask.values() & nulls.inner(),
                None => mask.values().clone(),
            };
            Chosen::of(runs.set_slices().map(|(from, to)| from..to).collect(), 0)
        };
        self.chosen_bytes(mask.true_count() as u64, chosen)
    }

    /// Bytes that [`Self::take`] allocates at most: one long text, named often, is much, and so is a null of a wide
    /// type.
    pub(super) fn taken_bytes(&self, indices: &UInt64Array) -> u64 {
        let chosen = || Chosen::rows(&Rows::Indices(indices.clone()), self.rows);
        self.chosen_bytes(indices.len() as u64, chosen)
    }

    fn chosen_bytes(&self, rows: u64, chosen: impl FnOnce() -> Chosen) -> u64 {
        let numbers = rows.saturating_mul(ROW_NUMBER_BYTES * (self.inputs.len() as u64 + 3));
        if self.made.is_empty() {
            return numbers;
        }
        let chosen = chosen();
        let made = self.made.iter();
        let made = made.map(|array| rows::taken_bytes(array, &chosen));
        made.fold(numbers, u64::saturating_add)
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
        let Some(first) = batches.first() else {
            return 0;
        };
        let rows = Rows::Indices(indices.clone());
        let made = (0..first.made.len()).map(|made| {
            let pieces: Vec<ArrayRef> = batches
                .iter()
                .filter_map(|batch| batch.made.get(made).cloned())
                .collect();
            rows::taken_bytes_of(&pieces, &rows)
        });
        let numbers = ROW_NUMBER_BYTES * (first.inputs.len() as u64 + 3);
        let numbers = rows.len().saturating_mul(numbers);
        made.fold(numbers, u64::saturating_add)
    }

    /// Rows of `batches`, which came together in the same way, laid end to end.
    pub(super) fn take_of(batches: &[Self], indices: &UInt64Array) -> Result<Self, BadBatch> {
        let Some(first) = batches.first() else {
            return Err(BadBatch::None);
        };
        if batches.iter().any(|batch| !batch.is_like(first)) {
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
        let places = COLUMN_BYTES * (self.columns.len() + self.inputs.len()) as u64;
        let arrays = self.made.iter().map(|array| nodes(array.data_type()));
        BATCH_BYTES
            + places
            + ARRAY_BYTES * arrays.sum::<u64>()
            + expression_bytes(&self.expression)
    }

    /// Bytes that an operation on columns needs of what was there before.
    pub(super) fn columns_bytes(&self) -> u64 {
        2 * COLUMN_BYTES * self.columns.len() as u64 + expression_bytes(&self.expression)
    }

    /// Bytes of the values and row numbers.
    pub(super) fn content_bytes(&self) -> u64 {
        let made = self.made.iter().map(|array| rows::own_bytes(array));
        let numbers = self.inputs.iter().filter_map(|rows| row_numbers(rows));
        let numbers = numbers.map(|numbers| rows::own_bytes(&numbers));
        made.chain(numbers).fold(0, u64::saturating_add)
    }

    /// Bytes that [`Self::compact`] copies.
    pub(super) fn loose_bytes(&self) -> u64 {
        let numbers = self.inputs.iter().filter_map(|rows| row_numbers(rows));
        let arrays = self.made.iter().cloned().chain(numbers);
        let loose = arrays.filter(rows::is_loose);
        let bytes = loose.map(|array| rows::taken_bytes(&array, &Chosen::all(array.len())));
        bytes.fold(0, u64::saturating_add)
    }

    /// Moves values and row numbers to where they keep nothing else in memory, as a slice of a large batch would.
    pub(super) fn compact(&mut self) -> Result<(), BadBatch> {
        for array in &mut self.made {
            *array = rows::compact(array)?;
        }
        for rows in &mut self.inputs {
            if let Some(numbers) = row_numbers(rows).filter(rows::is_loose) {
                let numbers = rows::compact(&numbers)?;
                *rows = Arc::new(spilled_rows(rows, &mut std::iter::once(numbers)));
            }
        }
        Ok(())
    }

    /// Bytes that [`Self::concat`] allocates at most.
    pub(super) fn joined_bytes(batches: &[&Self]) -> u64 {
        let [first, _, ..] = batches else {
            return 0;
        };
        let rows = batches.iter().map(|batch| batch.rows);
        let rows = rows.fold(0, u64::saturating_add);
        let numbers = ROW_NUMBER_BYTES * (first.inputs.len() as u64);
        let arrays = batches.iter().flat_map(|batch| &batch.made);
        let arrays = arrays.map(|array| rows::taken_bytes(array, &Chosen::all(array.len())));
        arrays.fold(rows.saturating_mul(numbers), u64::saturating_add)
    }

    /// The rows of `batches`, which came together in the same way, in order.
    pub(super) fn concat(batches: &[&Self]) -> Result<Self, BadBatch> {
        let Some(first) = batches.first() else {
            return Err(BadBatch::None);
        };
        if batches.iter().any(|batch| !batch.is_like(first)) {
            return Err(BadBatch::Schema);
        }
        if let [only] = batches {
            return Ok((*only).clone());
        }
        let inputs = (0..first.inputs.len()).map(|input| {
            let parts: Vec<Rows> = batches
                .iter()
                .map(|batch| (*batch.inputs[input]).clone())
                .collect();
            Arc::new(Rows::concat(&parts))
        });
        let rows = batches.iter().map(|batch| batch.rows).sum();
        let made = (0..first.made.len()).map(|made| {
            let parts: Vec<ArrayRef> = batches
                .iter()
                .map(|batch| Arc::clone(&batch.made[made]))
                .collect();
            rows::take(&parts, &Rows::All(rows))
        });
        Ok(Self {
            inputs: inputs.collect(),
            made: made.collect::<Result<_, _>>()?,
            held: Vec::new(),
            rows,
            ..(*first).clone()
        })
    }

    /// Whether the columns came together in the same way.
    pub(super) fn is_like(&self, other: &Self) -> bool {
        self.identity == other.identity
    }
}

impl Spillable for Batch {
    fn arrays(&self) -> Vec<ArrayRef> {
        let rows = self.inputs.iter().filter_map(|rows| row_numbers(rows));
        rows.chain(self.made.iter().cloned()).collect()
    }

    fn replace(&mut self, arrays: &mut dyn Iterator<Item = ArrayRef>) {
        self.spilled = true;
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

/// Arrays that one of this type is made of.
pub(super) fn nodes(data_type: &DataType) -> u64 {
    let children = format::children(data_type).into_iter();
    let nodes = children.map(|(_, data_type, ..)| nodes(data_type));
    1 + nodes.sum::<u64>()
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
