//! Adds the columns of a second table to the rows that have the same key: an inner or left equi-join.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `left` | table | `(n_left, n_columns)`, any types; keys as below |
//! | in `right` | side table | `(n_right, m_columns)`, any types; keys as below |
//! | out `rows` | table | the columns of `left`, then those of `right`; a row for every match |
//!
//! Keys are booleans, integers, decimals, text, dates or timestamps; both sides must hold the same, in
//! whatever width or unit. Nulls match nothing, as in SQL. A left row with several matches comes out once for
//! each; rows are in the order of `left`, then of `right`. In a left join a row without a match stays, with nulls.
//! Semi and anti joins add nothing: rows of `left` with a match come out once each, or those without one, in their
//! order. A row whose key is null has no match, so an anti join keeps it, as `NOT EXISTS` does and `NOT IN` does not.
//!
//! Reads the keys only, and holds those of `right` in memory. Deterministic; asks for no capabilities.

mod index;
mod params;

use arrow_array::UInt64Array;
use arrow_schema::FieldRef;
use pinion_sdk::{
    Batch, Descriptor, Inputs, Output, Result, RowMap, Shape, Shapes, Table, context,
};
use pinion_tables::join::{How, Names, check_key};
use pinion_values::{Column, write_key};

use index::Index;
use params::Params;

struct JoinTables {
    names: Names,
    how: How,
    /// The key columns of `right`.
    right_keys: Vec<FieldRef>,
    /// The columns of `right` to add, by the names that they have there.
    columns: Vec<String>,
    right: Table,
    index: Index,
}

impl RowMap for JoinTables {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Adds the columns of a second table to the rows that have the same key.")
            .input("left", "The rows to add columns to.")
            .side_table("right", "The columns to add. Its keys are held in memory.")
            .output(
                "rows",
                "The columns of `left`, then those of `right`; a row for every match.",
            )
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let (left, right) = (inputs.table("left")?, inputs.table("right")?);
        let fields = params.names()?.fields(left, right)?;
        Ok(vec![Shape::table("rows", fields)])
    }

    fn open(params: Params, mut side: Inputs) -> Result<Self> {
        let names = params.names()?;
        let right = side.take_table("right")?;
        let keys: Vec<&str> = names.keys.iter().map(|(_, right)| right.as_str()).collect();
        let right_keys = keys
            .iter()
            .map(|name| right.field(name))
            .collect::<Result<_>>()?;
        let columns = names.columns(|| right.schema())?;
        let index = Index::new(&right, &keys, params.unique)?;
        Ok(Self {
            names,
            how: params.how,
            right_keys,
            columns,
            right,
            index,
        })
    }

    fn apply(&mut self, rows: &Batch) -> Result<Vec<Output>> {
        let (left, right) = self.matches(rows)?;
        let is_every_row = left.len() as u64 == rows.rows()
            && left.iter().zip(0..).all(|(row, number)| *row == number);
        let left = if is_every_row {
            rows.duplicate()?
        } else {
            rows.take(&left.into())?
        };
        if self.columns.is_empty() {
            return Ok(vec![Output::new("rows", left)]);
        }
        let right = take(&self.right, &right)?;
        let rows = self.names.zip(&left, &right, &self.columns)?;
        Ok(vec![Output::new("rows", rows)])
    }
}

impl JoinTables {
    /// Row numbers in `rows` and, of rows that get columns, in the right table; none where a left join finds
    /// no match.
    fn matches(&self, rows: &Batch) -> Result<(Vec<u64>, Vec<Option<u64>>)> {
        for ((left_name, _), right) in self.names.keys.iter().zip(&self.right_keys) {
            check_key(rows.field(left_name)?.as_ref(), right)?;
        }
        let arrays = self
            .names
            .keys
            .iter()
            .map(|(name, _)| rows.array(name))
            .collect::<Result<Vec<_>>>()?;
        let keys = self.names.keys.iter().zip(&arrays);
        let columns = keys
            .map(|((name, _), array)| Column::new(name, array))
            .collect::<Result<Vec<_>>>()?;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut key = Vec::new();
        for row in 0..rows.rows() {
            let is_key = write_key(&columns, row as usize, &mut key);
            let mut found = is_key.then(|| self.index.rows(&key)).into_iter().flatten();
            match (found.next(), self.how) {
                (Some(first), How::Inner | How::Left) => {
                    right.push(Some(first));
                    right.extend(found.map(Some));
                    left.resize(right.len(), row);
                }
                (None, How::Left) => {
                    left.push(row);
                    right.push(None);
                }
                (Some(_), How::Semi) | (None, How::Anti) => left.push(row),
                (Some(_), How::Anti) | (None, How::Inner | How::Semi) => {}
            }
        }
        Ok((left, right))
    }
}

/// Rows of `table`, as many at a time as the host gives.
fn take(table: &Table, rows: &[Option<u64>]) -> Result<Batch> {
    let most = context::batch_rows().max(1) as usize;
    if rows.len() <= most {
        return table.take(&UInt64Array::from(rows.to_vec()));
    }
    let parts = rows
        .chunks(most)
        .map(|rows| table.take(&UInt64Array::from(rows.to_vec())))
        .collect::<Result<Vec<_>>>()?;
    Batch::concat(&parts)
}

pinion_sdk::export!(JoinTables: RowMap);

#[cfg(test)]
mod tests;
