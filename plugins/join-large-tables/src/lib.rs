//! Joins two tables of any size: an inner, left, semi or anti equi-join.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `left` | table | `(n_left, n_columns)`, any types; keys as below |
//! | in `right` | table | `(n_right, m_columns)`, any types; keys as below |
//! | out `rows` | table | the columns of `left`, then those that are added; as many rows as `how` says |
//!
//! ```toml
//! params = { on = { dest = "faa" }, how = "left", columns = ["lat", "lon"] }
//! ```
//!
//! Keys are booleans, integers, decimals, text, dates or timestamps; both sides must hold the same, in
//! whatever width or unit. Nulls match nothing, as in SQL. A left row with several matches comes out once for
//! each; rows are in the order of `left`, then of `right`. In a left join a row without a match stays, with nulls.
//! Semi and anti joins add nothing: rows of `left` with a match come out once each, or those without one, in their
//! order. A row whose key is null has no match, so an anti join keeps it, as `NOT EXISTS` does and `NOT IN` does not.
//!
//! Reads the keys only. Those of `right` are held in memory if they fit. If not, both sides are cut by the
//! hashes of their keys into parts in scratch, which are joined one by one, and the matches are merged.
//! For a small `right`, `join-tables` does the same partition by partition. Deterministic; asks for no
//! capabilities.

mod index;
mod params;
mod side;

use arrow_array::{BinaryArray, UInt64Array};
use pinion_sdk::{
    Descriptor, Error, Inputs, Outputs, Result, Shape, Shapes, Table, TableWriter, WholeTable,
    context,
};
use pinion_tables::join::{How, Names};
use pinion_tables::key::{KeyValues, Keys};
use pinion_tables::{MEMORY_BYTES, RunColumn, RunWriter, Runs};

use index::{Index, Ready};
use params::Params;
use side::Side;

/// Stands for no row of the right side.
const NONE: u64 = u64::MAX;

/// Parts that each side is cut into at most.
const MAX_PARTS: usize = 64;

struct JoinLargeTables;

impl WholeTable for JoinLargeTables {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Joins two tables of any size by the values of their keys.")
            .side_table("left", "The rows to add columns to, or to choose from.")
            .side_table("right", "The columns to add, or the keys to choose by.")
            .output(
                "rows",
                "The columns of `left`, then those that are added; a row for every match, or as `how` says.",
            )
            .same_columns()
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let (left, right) = (inputs.table("left")?, inputs.table("right")?);
        let names = params.names()?;
        Ok(vec![names.shape("rows", left, right)?])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        // There is nothing else to hold while the index grows.
        Join::new(params, inputs, 2 * MEMORY_BYTES, outputs.table("rows")?)?.run()
    }
}

/// A join of two tables.
struct Join<'a> {
    left: &'a Table,
    right: &'a Table,
    left_side: Side,
    right_side: Side,
    how: How,
    memory: usize,
    output: Output<'a>,
}

impl<'a> Join<'a> {
    fn new(
        params: &Params,
        inputs: &'a Inputs,
        memory: usize,
        to: &'a mut TableWriter,
    ) -> Result<Self> {
        let names = params.names()?;
        let (left, right) = (inputs.table("left")?, inputs.table("right")?);
        let (left_side, right_side) = Side::both(left, right, &names.keys)?;
        let columns = names.columns(|| right.schema())?;
        Ok(Self {
            left,
            right,
            left_side,
            right_side,
            how: params.how,
            memory,
            output: Output {
                left,
                right,
                names,
                columns,
                left_rows: Vec::new(),
                right_rows: Vec::new(),
                batch_rows: context::batch_rows() as usize,
                to,
            },
        })
    }

    fn run(mut self) -> Result<()> {
        let mut index = self.index();
        let (mut start, mut fits) = (0, true);
        for batch in self.right.batches() {
            index.push(&self.right_side.keys(&batch)?, start..);
            start += batch.rows();
            if index.bytes() > self.memory {
                fits = false;
                break;
            }
        }
        if fits {
            self.in_memory(&index.finish())?;
        } else {
            // Twice as many parts as are needed if keys are spread as they should be.
            let share = self.right.rows().div_ceil(start.max(1));
            drop(index);
            let parts = (2 * share as usize).next_power_of_two().min(MAX_PARTS);
            match self.right_side.makes_words() {
                true => self.in_parts::<UInt64Array>(parts)?,
                false => self.in_parts::<BinaryArray>(parts)?,
            }
        }
        self.output.flush()
    }

    /// An index of rows of the right side, without those that can change nothing.
    fn index(&self) -> Index {
        Index::new(self.right_side.makes_words(), !self.how.adds_columns())
    }

    /// Looks every left row up. Matches are found in the order in which they come out.
    fn in_memory(&mut self, index: &Ready) -> Result<()> {
        let mut start = 0;
        for batch in self.left.batches() {
            let keys = self.left_side.keys(&batch)?;
            index.find(&keys, |at, rows| {
                let left = start + at as u64;
                match (rows, self.how) {
                    ([], How::Left | How::Anti) | ([_, ..], How::Semi) => {
                        self.output.push(left, NONE)
                    }
                    (_, How::Semi | How::Anti) => Ok(()),
                    (rows, How::Inner | How::Left) => rows
                        .iter()
                        .try_for_each(|right| self.output.push(left, *right)),
                }
            })?;
            start += batch.rows();
        }
        Ok(())
    }

    /// Joins parts of both sides, which have no key in common with other parts.
    fn in_parts<K: PartColumn>(&mut self, parts: usize) -> Result<()> {
        let mut matches = Runs::default();
        let mut unmatched = RunWriter::default();
        let rights = cut::<K>(self.right, &self.right_side, parts, |_| Ok(()))?;
        let lefts = cut::<K>(self.left, &self.left_side, parts, |row| {
            unmatched.push(row, NONE)
        })?;
        if self.how.keeps_unmatched() {
            matches.add(unmatched)?;
        }
        for (left, right) in lefts.iter().zip(&rights) {
            self.part(left, right, &mut matches)?;
        }
        matches.merge(|left, right| self.output.push(left, right))
    }

    /// Joins two parts. If the right one does not fit into memory, either because hashes were unlucky or
    /// because a key is on many rows, it is taken in pieces, and the left one is read for each of them.
    fn part(&self, left: &Table, right: &Table, matches: &mut Runs<UInt64Array>) -> Result<()> {
        let mut is_matched = vec![false; left.rows() as usize];
        let mut index = self.index();
        let mut blocks = right.batches().peekable();
        while let Some(block) = blocks.next() {
            let rows: UInt64Array = block.column("row")?;
            let keys = Keys::from_array(&block.array("key")?)?;
            index.push(&keys, rows.values().iter().copied());
            if blocks.peek().is_some() && index.bytes() <= self.memory {
                continue;
            }
            let next = self.index();
            let ready = std::mem::replace(&mut index, next).finish();
            let mut run = RunWriter::default();
            each_block(left, |start, keys, lefts| {
                ready.find(keys, |at, rights| {
                    is_matched[start + at] |= !rights.is_empty();
                    if !self.how.adds_columns() {
                        return Ok(());
                    }
                    let left = lefts.values()[at];
                    rights.iter().try_for_each(|right| run.push(left, *right))
                })
            })?;
            if self.how.adds_columns() {
                matches.add(run)?;
            }
        }
        // What is known of a left row only after all pieces.
        if self.how != How::Inner {
            let mut run = RunWriter::default();
            let comes_out = self.how == How::Semi;
            each_block(left, |start, _, lefts| {
                let rows = lefts.values().iter().zip(&is_matched[start..]);
                let mut rows = rows.filter(|(_, is_matched)| **is_matched == comes_out);
                rows.try_for_each(|(left, _)| run.push(*left, NONE))
            })?;
            matches.add(run)?;
        }
        Ok(())
    }
}

/// Calls `each` with every block of a part: the number of rows before it, its keys and its row numbers.
fn each_block(
    part: &Table,
    mut each: impl FnMut(usize, &Keys, &UInt64Array) -> Result<()>,
) -> Result<()> {
    let mut start = 0;
    for block in part.batches() {
        let rows: UInt64Array = block.column("row")?;
        each(start, &Keys::from_array(&block.array("key")?)?, &rows)?;
        start += rows.len();
    }
    Ok(())
}

/// A column of keys in a part.
trait PartColumn: RunColumn {
    /// The keys as such a column.
    fn of(keys: Keys) -> Result<Self>;
}

impl PartColumn for UInt64Array {
    fn of(keys: Keys) -> Result<Self> {
        match keys.values {
            KeyValues::Words(words) => Ok(Self::new(words, None)),
            KeyValues::Bytes(_) => Err(Error::bad_data("a key is no word")),
        }
    }
}

impl PartColumn for BinaryArray {
    fn of(keys: Keys) -> Result<Self> {
        match keys.values {
            KeyValues::Bytes(bytes) => Ok(bytes),
            KeyValues::Words(_) => Err(Error::bad_data("a key is a word")),
        }
    }
}

/// Keys and row numbers of a table, cut into parts by the hashes of the keys; rows whose key is null go to
/// `each_null`.
fn cut<K: PartColumn>(
    table: &Table,
    side: &Side,
    parts: usize,
    mut each_null: impl FnMut(u64) -> Result<()>,
) -> Result<Vec<Table>> {
    let mut writers: Vec<RunWriter<K>> = (0..parts).map(|_| RunWriter::default()).collect();
    let mut row = 0;
    for batch in table.batches() {
        let keys = side.keys(&batch)?;
        let column = K::of(keys.clone())?;
        for at in 0..keys.len() {
            if keys.is_null(at) {
                each_null(row)?;
            } else {
                // Bits that the table of an index hardly looks at.
                let part = (keys.hash(at) >> 40) as usize % parts;
                writers[part].push(column.key(at), row)?;
            }
            row += 1;
        }
    }
    writers.into_iter().map(RunWriter::finish).collect()
}

/// Takes the rows of both sides that match and writes them.
struct Output<'a> {
    left: &'a Table,
    right: &'a Table,
    names: Names,
    columns: Vec<String>,
    left_rows: Vec<u64>,
    right_rows: Vec<Option<u64>>,
    /// Asked once: a call for every row takes longer than the row.
    batch_rows: usize,
    to: &'a mut TableWriter,
}

impl Output<'_> {
    fn push(&mut self, left: u64, right: u64) -> Result<()> {
        self.left_rows.push(left);
        self.right_rows.push((right != NONE).then_some(right));
        if self.left_rows.len() >= self.batch_rows {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.left_rows.is_empty() {
            return Ok(());
        }
        let left = UInt64Array::from(std::mem::take(&mut self.left_rows));
        let right = UInt64Array::from(std::mem::take(&mut self.right_rows));
        let mut rows = self.left.take(&left)?;
        if !self.columns.is_empty() {
            let right = self.right.take(&right)?;
            rows = self.names.zip(&rows, &right, &self.columns)?;
        }
        self.to.write(&rows)
    }
}

pinion_sdk::export!(JoinLargeTables: WholeTable);

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
