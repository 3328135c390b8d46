//! Writes groups: the keys as they stand in a row of theirs, then the aggregates.

use arrow_array::UInt64Array;
use pinion_sdk::{Result, Table, TableWriter};

use crate::state::{Column, State};

/// Where groups are written to.
pub(crate) struct Output<'a> {
    /// The rows that were grouped.
    pub(crate) rows: &'a Table,
    /// The key columns.
    pub(crate) by: Vec<&'a str>,
    pub(crate) to: &'a mut TableWriter,
}

impl Output<'_> {
    /// Writes the groups `ids`, at most as many as a batch has rows; `firsts` has a row of each group.
    ///
    /// # Errors
    /// `overflow`, or what the host refuses.
    pub(crate) fn write(&mut self, firsts: &[u64], states: &[State], ids: &[u32]) -> Result<()> {
        let rows: UInt64Array = ids.iter().map(|id| Some(firsts[*id as usize])).collect();
        let mut groups = self.rows.take(&rows)?.select(&self.by)?;
        for state in states {
            let field = state.output();
            groups = match (state.column(ids)?, &state.column) {
                (Column::Rows(rows), Some(column)) => {
                    let mut values = self.rows.take(&rows)?.select(&[column])?;
                    if column != field.name() {
                        values = values.rename(column, field.name())?;
                    }
                    groups.zip(&values)?
                }
                (Column::Made(values), _) => groups.with_columns(vec![(field.clone(), values)])?,
                (Column::Rows(_), None) => groups,
            };
        }
        self.to.write(&groups)
    }
}
