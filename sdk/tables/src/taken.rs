//! Rows of a table by their numbers, written a batch at a time.

use arrow_array::{ArrayRef, UInt64Array};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Result, Table, TableWriter, context};
use std::sync::Arc;

use crate::key::Order;
use crate::sort::Sorter;

/// Takes rows of a table and writes them. The host moves them, and their identity follows.
pub struct TakenRows<'a> {
    of: &'a Table,
    to: &'a mut TableWriter,
    rows: Vec<u64>,
    most: usize,
}

impl<'a> TakenRows<'a> {
    /// Rows of `of`, written to `to`.
    pub fn new(of: &'a Table, to: &'a mut TableWriter) -> Self {
        Self {
            of,
            to,
            rows: Vec::new(),
            most: batch_rows(),
        }
    }

    /// Adds the row of this number.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn push(&mut self, row: u64) -> Result<()> {
        self.rows.push(row);
        if self.rows.len() >= self.most {
            self.flush()?;
        }
        Ok(())
    }

    /// Writes what is left.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn finish(mut self) -> Result<()> {
        match self.rows.is_empty() {
            true => Ok(()),
            false => self.flush(),
        }
    }

    fn flush(&mut self) -> Result<()> {
        let rows = UInt64Array::from(std::mem::take(&mut self.rows));
        self.to.write(&self.of.take(&rows)?)
    }
}

/// Row numbers that come in any order and leave in ascending order, however many there are.
pub struct RowNumbers {
    sorter: Sorter,
    pending: Vec<u64>,
    most: usize,
}

impl RowNumbers {
    /// None yet. About `memory` bytes of them are held.
    ///
    /// # Errors
    /// None that a step could cause.
    pub fn new(memory: usize) -> Result<Self> {
        let field = Field::new("row", DataType::UInt64, false);
        Ok(Self {
            sorter: Sorter::new(&[(&field, Order::default())], memory)?,
            pending: Vec::new(),
            most: batch_rows(),
        })
    }

    /// Adds a number.
    ///
    /// # Errors
    /// What the host refuses.
    pub fn push(&mut self, row: u64) -> Result<()> {
        self.pending.push(row);
        if self.pending.len() >= self.most {
            self.flush()?;
        }
        Ok(())
    }

    /// Hands over all numbers in ascending order.
    ///
    /// # Errors
    /// What the host or `each` refuses.
    pub fn finish(mut self, mut each: impl FnMut(u64) -> Result<()>) -> Result<()> {
        self.flush()?;
        self.sorter
            .finish(|key, _| key.word().map_or(Ok(()), &mut each))
    }

    fn flush(&mut self) -> Result<()> {
        let rows: ArrayRef = Arc::new(UInt64Array::from(std::mem::take(&mut self.pending)));
        self.sorter.push(&[rows])
    }
}

/// Rows of a batch.
fn batch_rows() -> usize {
    context::batch_rows().max(1) as usize
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn numbers_leave_in_order() {
        for memory in [1, 1 << 20] {
            let mut numbers = RowNumbers::new(memory).unwrap();
            // Every number below 50,000 once: 7 and 50,000 have no common factor.
            (0..50_000).for_each(|at| numbers.push(at * 7 % 50_000).unwrap());
            let mut next = 0;
            let check = |row| {
                assert_eq!(row, next);
                next += 1;
                Ok(())
            };
            numbers.finish(check).unwrap();
            assert_eq!(next, 50_000);
        }
    }
}
