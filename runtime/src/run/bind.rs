//! From a recipe to tables: its passed columns are bound to the inputs of today.
//!
//! A passed column whose rows lie in one partition of the input stays a selection of that: a filter moves
//! nothing that nobody reads. One whose rows come from several, as after a sort or a join of large tables,
//! is moved here and stored, since reading it later would touch every file of the input for every part of
//! it. Either way its digest is needed at once, and both are remembered.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::ArrayRef;
use arrow_schema::{Field, FieldRef};
use serde::{Deserialize, Serialize};

use super::obtain::Output;
use crate::arrow::chunk;
use crate::arrow::rows::Rows;
use crate::arrow::values::{self, Values};
use crate::digest::{Digest, StructuredHasher};
use crate::expression::{self, Source};
use crate::plan::Tools;
use crate::promise::{BrokenPromise, Promise};
use crate::record::BytesMoved;
use crate::store::StoreError;
use crate::table::{Chunk, Partition, Place, Selection, Table};
use crate::unit::{OutputRecipe, PartitionRecipe, Recipe, ShapeContent, Unit};

/// Under which name the store remembers what became of passed columns.
pub(crate) const MEMO: &str = "binding";

/// Why a recipe does not fit today's inputs.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unfit {
    #[error("{0}")]
    Shape(String),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Promise(#[from] BrokenPromise),
    #[error(transparent)]
    Expression(#[from] crate::expression::BadExpression),
    #[error(transparent)]
    Array(#[from] crate::arrow::node::BadArray),
    #[error(transparent)]
    Chunk(#[from] chunk::BadChunk),
    #[error(transparent)]
    Rows(#[from] crate::arrow::rows::BadRows),
}

/// Makes a recipe's outputs of the inputs of today.
pub(super) fn bind(
    unit: &Unit,
    recipe: &Recipe,
    key: &Digest,
    tools: Tools<'_>,
    bytes: &mut BytesMoved,
) -> Result<Vec<Output>, Unfit> {
    if recipe.outputs.len() != unit.outputs.len() && !recipe.outputs.is_empty() {
        return Err(Unfit::Shape("the recipe has other ports".to_owned()));
    }
    let mut binder = Binder::open(unit, recipe, key, tools);
    let outputs = unit
        .outputs
        .iter()
        .zip(&recipe.outputs)
        .map(|(shape, output)| match (&shape.content, output) {
            (ShapeContent::Table(fields), OutputRecipe::Table(partitions)) => {
                if let Some(promise) = &shape.promise {
                    hold(unit, promise, partitions)?;
                }
                let partitions = partitions
                    .iter()
                    .map(|partition| binder.partition(fields, partition).map(Arc::new));
                Ok(Output::Table(partitions.collect::<Result<_, _>>()?))
            }
            (ShapeContent::Blob(_), OutputRecipe::Blob(blob)) => Ok(Output::Blob(blob.clone())),
            _ => Err(Unfit::Shape(
                "the recipe has another kind of output".to_owned(),
            )),
        })
        .collect::<Result<Vec<_>, Unfit>>()?;
    binder.close(bytes);
    Ok(outputs)
}

/// Holds a recipe to what its port promises today. With other columns at hand, a step may promise otherwise than when
/// the recipe was made, and not have asked for anything that differs.
fn hold(unit: &Unit, promise: &Promise, partitions: &[PartitionRecipe]) -> Result<(), Unfit> {
    let rows = promise.promised.rows();
    let table = rows.and_then(|port| unit.table(port));
    if table.is_some_and(|table| table.partitions.len() != partitions.len()) {
        return Err(Unfit::Shape("it promises other partitions".to_owned()));
    }
    let mut start = 0;
    for (at, partition) in partitions.iter().enumerate() {
        let promised = table.map(|table| table.partitions[at].rows);
        if promised.is_some_and(|rows| rows != partition.rows) {
            return Err(Unfit::Shape("it promises other rows".to_owned()));
        }
        if let Some(expression) = &partition.expression {
            let columns = expression.columns(&|port| unit.fields(port))?;
            promise.check_columns(&columns)?;
            let is_same = |column: &expression::Column| match &column.source {
                Source::Made(_) => true,
                Source::Passed { input, port, .. } => {
                    let all = table.map_or(0, |table| table.rows());
                    let same = match partition.selections.get(*input) {
                        Some(Selection::All) => start == 0 && partition.rows == all,
                        Some(Selection::Range { start: first, len }) => {
                            *first == start && *len == partition.rows
                        }
                        Some(Selection::Indices { .. }) | None => false,
                    };
                    same && rows == Some(port)
                }
            };
            let mut columns = columns.iter().enumerate();
            if rows.is_some()
                && columns.any(|(at, column)| !promise.is_looked_up(at) && !is_same(column))
            {
                return Err(Unfit::Shape("it promises other rows".to_owned()));
            }
        }
        start += partition.rows;
    }
    Ok(())
}

/// What became of a passed column under a selection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Bound {
    /// The values of the column and the rows selected, as one digest.
    of: Digest,
    /// Of the selected values.
    digest: Digest,
    /// Where they were stored, if they were moved.
    stored: Option<(Digest, u32)>,
}

/// Binds the passed columns of one unit.
struct Binder<'a> {
    unit: &'a Unit,
    tools: Tools<'a>,
    key: Digest,
    /// What the units of this key have found out before, by [`Bound::of`].
    remembered: BTreeMap<Digest, Bound>,
    used: BTreeMap<Digest, Bound>,
    columns: BTreeMap<(String, usize), Column>,
    bytes: BytesMoved,
}

/// A column of an input.
struct Column {
    digest: Digest,
    field: FieldRef,
    /// Values of each partition, once they were looked at.
    pieces: Vec<Option<Values>>,
    /// Row numbers at which partitions start, and their end.
    starts: Arc<[u64]>,
}

/// Columns of one output partition that are moved, up to so many bytes before they are written.
#[derive(Default)]
struct Moved {
    /// With their positions in the partition.
    columns: Vec<(usize, Bound, Field, ArrayRef)>,
    bytes: u64,
}

/// Bytes of moved columns that are held at once.
const MOVED_BYTES: u64 = 32 << 20;

impl<'a> Binder<'a> {
    fn open(unit: &'a Unit, recipe: &Recipe, key: &Digest, tools: Tools<'a>) -> Self {
        let selects = recipe.outputs.iter().any(|output| match output {
            OutputRecipe::Table(partitions) => partitions.iter().any(|partition| {
                let mut selections = partition.selections.iter();
                selections.any(|rows| *rows != Selection::All)
            }),
            OutputRecipe::Blob(_) => false,
        });
        let remembered = match selects {
            true => tools.store.memo(MEMO, key).ok().flatten(),
            false => None,
        };
        let remembered: Option<Vec<Bound>> =
            remembered.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let remembered = remembered.unwrap_or_default().into_iter();
        Self {
            unit,
            tools,
            key: *key,
            remembered: remembered.map(|bound| (bound.of, bound)).collect(),
            used: BTreeMap::new(),
            columns: BTreeMap::new(),
            bytes: BytesMoved::default(),
        }
    }

    fn close(self, bytes: &mut BytesMoved) {
        *bytes = bytes.and(self.bytes);
        if self.used == self.remembered {
            return;
        }
        let used: Vec<&Bound> = self.used.values().collect();
        if let Ok(memo) = serde_json::to_vec(&used) {
            // A memo that cannot be kept costs time at the next run and nothing else.
            drop(self.tools.store.put_memo(MEMO, &self.key, &memo));
        }
    }

    fn partition(
        &mut self,
        fields: &[FieldRef],
        recipe: &PartitionRecipe,
    ) -> Result<Partition, Unfit> {
        let Some(expression) = &recipe.expression else {
            let columns = fields.iter().map(|field| {
                let digest = chunk::digest(&arrow_array::new_empty_array(field.data_type()))?;
                Ok(Chunk {
                    digest,
                    place: Place::Empty,
                })
            });
            return Ok(Partition {
                rows: 0,
                columns: columns.collect::<Result<_, Unfit>>()?,
            });
        };
        let bound = expression.columns(&|port| self.unit.fields(port))?;
        let fits = |field: &FieldRef, column: &expression::Column| {
            field.name() == column.field.name() && field.data_type() == column.field.data_type()
        };
        if bound.len() != fields.len()
            || !fields
                .iter()
                .zip(&bound)
                .all(|(field, column)| fits(field, column))
        {
            return Err(Unfit::Shape(
                "the recipe gives other columns than those checked".to_owned(),
            ));
        }
        let mut columns = Vec::with_capacity(fields.len());
        let mut moved = Moved::default();
        for (at, (field, column)) in fields.iter().zip(&bound).enumerate() {
            columns.push(match &column.source {
                Source::Made(number) => {
                    let made = recipe.made.get(*number).and_then(Option::as_ref);
                    let made = made
                        .ok_or_else(|| Unfit::Shape("the recipe lacks a made column".to_owned()))?;
                    let place = match made.file {
                        Some(file) => Place::Stored {
                            file,
                            column: made.column,
                        },
                        None => Place::Empty,
                    };
                    Chunk {
                        digest: made.digest,
                        place,
                    }
                }
                Source::Passed { input, port, name } => {
                    let rows = recipe.selections.get(*input);
                    let rows = rows
                        .ok_or_else(|| Unfit::Shape("the recipe lacks a selection".to_owned()))?;
                    self.passed(at, field, port, name, rows, &mut moved)?
                }
            });
            if moved.bytes >= MOVED_BYTES {
                self.store(std::mem::take(&mut moved), &mut columns)?;
            }
        }
        self.store(moved, &mut columns)?;
        Ok(Partition {
            rows: recipe.rows,
            columns,
        })
    }

    /// A passed column. One that has to be moved is put into `moved`, and its place is not right yet.
    fn passed(
        &mut self,
        at: usize,
        field: &FieldRef,
        port: &str,
        name: &str,
        rows: &Selection,
        moved: &mut Moved,
    ) -> Result<Chunk, Unfit> {
        let unit = self.unit;
        let table = unit
            .table(port)
            .ok_or_else(|| Unfit::Shape(format!("there is no table at port `{port}`")))?;
        let position = table
            .position(name)
            .ok_or_else(|| Unfit::Shape(format!("there is no column `{name}`")))?;
        if let Some(partition) = whole_partition(table, rows) {
            return Ok(partition.columns[position].clone());
        }
        let column = self.column(port, table, position);
        let of = selected_digest(&column.digest, rows);
        let lazy = match table.partitions.as_slice() {
            [only] => Some(Place::Selected {
                of: Arc::new(vec![only.columns[position].clone()]),
                rows: rows.clone(),
            }),
            _ => None,
        };
        if let Some(bound) = self.remembered.get(&of).copied() {
            let place = match (bound.stored, lazy.clone()) {
                (_, Some(lazy)) => Some(lazy),
                (Some((file, column)), None) if self.tools.store.has_chunks(&file) => {
                    Some(Place::Stored { file, column })
                }
                _ => None,
            };
            if let Some(place) = place {
                self.used.insert(of, bound);
                let digest = bound.digest;
                return Ok(Chunk { digest, place });
            }
        }
        let taken = self.selected(port, position, table, rows)?;
        let taken = chunk::canonical(field, &[taken])?;
        self.bytes.hashed += values::byte_size(&taken);
        let digest = chunk::digest(&*taken)?;
        let bound = Bound {
            of,
            digest,
            stored: None,
        };
        let place = match lazy {
            Some(place) => {
                self.used.insert(of, bound);
                place
            }
            None => {
                moved.bytes += values::byte_size(&taken);
                let field = field.as_ref().clone();
                moved.columns.push((at, bound, field, taken));
                Place::Empty
            }
        };
        Ok(Chunk { digest, place })
    }

    /// What is known of a column of an input.
    fn column(&mut self, port: &str, table: &Table, position: usize) -> &mut Column {
        let open = || Column {
            digest: table.column_digest(position),
            field: Arc::clone(&table.fields[position]),
            pieces: vec![None; table.partitions.len()],
            starts: values::starts(table.partitions.iter().map(|partition| partition.rows)).into(),
        };
        self.columns
            .entry((port.to_owned(), position))
            .or_insert_with(open)
    }

    /// Rows of a column of an input, moved.
    fn selected(
        &mut self,
        port: &str,
        position: usize,
        table: &Table,
        rows: &Selection,
    ) -> Result<ArrayRef, Unfit> {
        let store = self.tools.store;
        let rows: Rows = store.load_selection(rows, table.rows())?;
        let column = self.column(port, table, position);
        let (span, rows) = values::narrow(&column.starts, &rows)?;
        let mut pieces = Vec::with_capacity(span.len());
        for at in span {
            pieces.push(match &column.pieces[at] {
                Some(piece) => piece.clone(),
                None => {
                    let chunk = &table.partitions[at].columns[position];
                    let piece = store.values(&column.field, chunk)?;
                    column.pieces[at] = Some(piece.clone());
                    piece
                }
            });
        }
        if pieces.is_empty() {
            let none = arrow_array::new_empty_array(column.field.data_type());
            pieces.push(Values::Array(none));
        }
        Ok(values::take(&pieces, &rows)?)
    }

    /// Stores columns that were moved, and says in `columns` where they are.
    fn store(&mut self, moved: Moved, columns: &mut [Chunk]) -> Result<(), Unfit> {
        if moved.columns.is_empty() {
            return Ok(());
        }
        let (mut fields, mut arrays, mut bounds) = (Vec::new(), Vec::new(), Vec::new());
        for (at, bound, field, array) in moved.columns {
            fields.push(field);
            arrays.push(array);
            bounds.push((at, bound));
        }
        let stored = self.tools.store.put_chunks(&fields, &arrays)?;
        self.bytes.stored += stored.bytes_stored;
        for (column, (at, bound)) in (0..).zip(bounds) {
            let file = stored.file;
            columns[at].place = Place::Stored { file, column };
            let stored = Some((file, column));
            self.used.insert(bound.of, Bound { stored, ..bound });
        }
        Ok(())
    }
}

/// What selected values follow from.
fn selected_digest(column: &Digest, rows: &Selection) -> Digest {
    let mut hasher = StructuredHasher::new("pinion selected v1");
    hasher.digest(column);
    match rows {
        Selection::All => hasher.text("all"),
        Selection::Range { start, len } => hasher.text("range").u64(*start).u64(*len),
        Selection::Indices { file, len } => hasher.text("indices").digest(file).u64(*len),
    };
    hasher.finish()
}

/// The partition of `table` that `rows` are exactly, if they are one.
fn whole_partition<'a>(table: &'a Table, rows: &Selection) -> Option<&'a Partition> {
    let (start, len) = match rows {
        Selection::All => (0, table.rows()),
        Selection::Range { start, len } => (*start, *len),
        Selection::Indices { .. } => return None,
    };
    let mut first = 0;
    for partition in &table.partitions {
        if first == start && partition.rows == len && len > 0 {
            return Some(partition);
        }
        first += partition.rows;
    }
    None
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_schema::DataType;

    use super::*;
    use crate::digest::ComponentDigest;
    use crate::expression::Expression;
    use crate::promise::{PassedColumn, Promised};
    use crate::unit::{Call, Input, InputContent, Limits};

    /// Two partitions of three and two rows, with the columns `a` and `b`.
    fn unit() -> Unit {
        let field = |name: &str| Arc::new(Field::new(name, DataType::Int64, true));
        let partition = |rows| {
            let columns = Vec::new();
            Arc::new(Partition { rows, columns })
        };
        let table = Table {
            fields: vec![field("a"), field("b")],
            partitions: vec![partition(3), partition(2)],
        };
        Unit {
            component: ComponentDigest::of(b"component"),
            call: Call::Run,
            params: "{}".into(),
            seed: 0,
            position: None,
            batch_rows: 8,
            partition_batches: 1,
            inputs: vec![Input {
                port: "rows".into(),
                main: false,
                content: InputContent::Table(Arc::new(table)),
            }],
            outputs: Vec::new(),
            limits: Limits::default(),
        }
    }

    /// A partition that passes one column on.
    fn passes(column: &str, rows: u64, selection: Selection) -> PartitionRecipe {
        let input = Arc::new(Expression::Input("rows".to_owned()));
        PartitionRecipe {
            rows,
            expression: Some(Expression::Select(input, vec![column.to_owned()])),
            selections: vec![selection],
            made: Vec::new(),
        }
    }

    fn range(start: u64, len: u64) -> Selection {
        Selection::Range { start, len }
    }

    /// What a unit left behind when its step promised something else is no hit.
    #[test]
    fn what_is_known_is_held_to_what_is_promised_today() {
        let unit = unit();
        let promise = |promised| Promise {
            promised,
            passed: vec![Some(PassedColumn {
                port: "rows".into(),
                column: "a".into(),
                looked_up: false,
            })],
        };
        let rows = promise(Promised::Rows("rows".into()));
        let kept = [passes("a", 3, range(0, 3)), passes("a", 2, range(3, 2))];
        hold(&unit, &rows, &kept).unwrap();
        for broken in [
            vec![passes("a", 5, Selection::All)],
            vec![passes("a", 2, range(0, 2)), passes("a", 3, range(2, 3))],
            vec![passes("a", 3, range(1, 3)), passes("a", 2, range(3, 2))],
            vec![passes("a", 3, range(0, 3)), passes("a", 2, range(0, 2))],
            vec![passes("b", 3, range(0, 3)), passes("b", 2, range(3, 2))],
        ] {
            assert!(hold(&unit, &rows, &broken).is_err(), "{broken:?}");
        }

        // Columns alone may come with any rows.
        let columns = promise(Promised::Columns);
        hold(&unit, &columns, &[passes("a", 1, range(4, 1))]).unwrap();
        assert!(hold(&unit, &columns, &[passes("b", 1, range(4, 1))]).is_err());
    }
}
