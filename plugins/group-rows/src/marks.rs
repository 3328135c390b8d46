//! Which rows are the first of their group with their value: what is counted where the different values of a
//! group may be too many to be held.

use std::sync::Arc;

use arrow_array::{ArrayRef, BooleanArray, UInt64Array};
use arrow_schema::{DataType, Field, FieldRef};
use pinion_sdk::{Batch, Result, Scratch, Table};
use pinion_tables::key::Order;
use pinion_tables::{RowNumbers, Sorter};

/// Rows of a block of marks.
const BLOCK_ROWS: usize = 1 << 16;

/// A mark for every row of a table. They lie in scratch.
pub(crate) struct Marks(Table);

impl Marks {
    /// Marks the rows of `rows` that come first with their values of `keys` and `column`, within about
    /// `memory` bytes. Null is a value like any other.
    ///
    /// # Errors
    /// `wrong-type` for a column without an order, or what the host refuses.
    pub(crate) fn new(
        rows: &Table,
        keys: &[FieldRef],
        column: &Field,
        memory: usize,
    ) -> Result<Self> {
        let mut fields: Vec<&Field> = keys.iter().map(AsRef::as_ref).collect();
        fields.push(column);
        let by: Vec<_> = fields
            .iter()
            .map(|field| (*field, Order::default()))
            .collect();
        let mut sorter = Sorter::new(&by, memory)?;
        for batch in rows.batches() {
            let columns = fields
                .iter()
                .map(|field| batch.array(field.name()))
                .collect::<Result<Vec<_>>>()?;
            sorter.push(&columns)?;
        }
        let mut firsts = RowNumbers::new(memory)?;
        sorter.finish_groups(|is_new, row| match is_new {
            true => firsts.push(row),
            false => Ok(()),
        })?;
        let mut writer = Writer {
            scratch: Scratch::new(),
            block: Vec::new(),
            rows: 0,
        };
        firsts.finish(|row| {
            writer.fill(row)?;
            writer.push(true)
        })?;
        writer.fill(rows.rows())?;
        writer.flush()?;
        Ok(Self(writer.scratch.seal()))
    }

    /// The marks of these rows, at most as many as a batch has.
    ///
    /// # Errors
    /// What the host refuses.
    pub(crate) fn of(&self, rows: &[u64]) -> Result<BooleanArray> {
        self.0
            .take(&UInt64Array::from(rows.to_vec()))?
            .column("mark")
    }
}

/// Writes one mark after the other.
struct Writer {
    scratch: Scratch,
    block: Vec<bool>,
    /// Marks written so far.
    rows: u64,
}

impl Writer {
    /// Leaves rows before `row` without a mark.
    fn fill(&mut self, row: u64) -> Result<()> {
        while self.rows < row {
            self.push(false)?;
        }
        Ok(())
    }

    fn push(&mut self, mark: bool) -> Result<()> {
        self.block.push(mark);
        self.rows += 1;
        if self.block.len() >= BLOCK_ROWS {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes the block, even if it has no marks: a table of none still has its column.
    fn flush(&mut self) -> Result<()> {
        let marks: ArrayRef = Arc::new(BooleanArray::from(std::mem::take(&mut self.block)));
        let field = Field::new("mark", DataType::Boolean, false);
        self.scratch
            .write(&Batch::new(marks.len(), vec![(field, marks)])?)
    }
}
