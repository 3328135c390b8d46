//! Joins a small second table by equal keys or by the nearest time: an inner, left, semi or anti join.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `left` | table | `(n_left, n_columns)`, any types; keys and times as below |
//! | in `right` | side table | `(n_right, m_columns)`, any types; keys and times as below |
//! | out `rows` | table | the columns of `left`, then those that are added; as many rows as `how` says |
//!
//! ```toml
//! params = { on = { dest = "faa" }, how = "left", columns = ["lat", "lon"] }
//! params = { on = ["origin"], nearest = { left = "time", right = "measured_at", tolerance = "2 h" }, how = "left" }
//! ```
//!
//! Keys are booleans, integers, decimals, text, dates or timestamps; both sides must hold the same, in
//! whatever width or unit. Nulls match nothing, as in SQL. A left row with several matches comes out once for
//! each; rows are in the order of `left`, then of `right`. In a left join a row without a match stays, with nulls.
//! Semi and anti joins add nothing: rows of `left` with a match come out once each, or those without one, in their
//! order. A row whose key is null has no match, so an anti join keeps it, as `NOT EXISTS` does and `NOT IN` does not.
//!
//! With `nearest` a left row has at most one match: of the rows of `right` with an equal key, or of all if there is
//! no key, the nearest in time (an as-of join; `merge_asof` in pandas). Times are dates, timestamps or integers, the
//! same on both sides and compared exactly, whatever their units; both have a zone or neither has. A null time
//! matches nothing.
//!
//! | `direction` | match | of several rows of its time |
//! |---|---|---|
//! | `backward` | the last row of `right` that is not later | the last in the table |
//! | `forward` | the first row that is not earlier | the first in the table |
//! | `nearest` | the nearer of these two; if they are as near, the one that `backward` finds | as there |
//!
//! `allow_exact = false` leaves rows of exactly the same time out, and a match further away than `tolerance` is none.
//! The direction is `backward` unless told, so that no row of `right` is matched before its time: a feature made of
//! what was measured later works in training and has nothing to work with in use. So the time of `right` should be
//! when its row was *known*.
//!
//! Reads the keys and times only, and holds those of `right` in memory. Deterministic; asks for no capabilities.

mod index;
mod params;
mod side;

use arrow_array::UInt64Array;
use arrow_schema::FieldRef;
use pinion_sdk::{
    Batch, Descriptor, Inputs, Output, Result, RowMap, Shape, Shapes, Table, context,
};
use pinion_tables::join::{How, Names, check_key, check_time};

use index::Index;
use params::Params;
use side::Side;

struct JoinTables {
    names: Names,
    how: How,
    /// What rows of `left` are compared by.
    left: Side,
    /// The key columns of `right`.
    right_keys: Vec<FieldRef>,
    /// The column of `right` with the times, if they are compared.
    right_time: Option<FieldRef>,
    /// The columns of `right` to add, by the names that they have there.
    columns: Vec<String>,
    right: Table,
    index: Index,
}

impl RowMap for JoinTables {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Joins a small second table by the values of keys, or by the nearest time.")
        .input("left", "The rows to add columns to, or to choose from.")
        .side_table(
            "right",
            "The columns to add, or the keys to choose by. Its keys and times are held in memory.",
        )
        .output(
            "rows",
            "The columns of `left`, then those that are added; a row for every match, or as `how` says.",
        )
        .same_columns()
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        let (left, right) = (inputs.table("left")?, inputs.table("right")?);
        let names = params.names()?;
        if let Some(nearest) = &params.nearest {
            nearest.tolerance(right.field(&nearest.right)?)?;
        }
        Ok(vec![names.shape("rows", left, right)?])
    }

    fn open(params: Params, mut side: Inputs) -> Result<Self> {
        let names = params.names()?;
        let right = side.take_table("right")?;
        let right_keys = names.keys.iter().map(|(_, name)| right.field(name));
        let right_keys = right_keys.collect::<Result<_>>()?;
        let right_time = names.times.as_ref().map(|(_, name)| right.field(name));
        let right_time = right_time.transpose()?;
        let columns = names.columns(|| right.schema())?;
        let (left_side, right_side) = Side::both(&names);
        let index = Index::new(&right, &right_side, params.nearest.as_ref(), params.unique)?;
        Ok(Self {
            names,
            how: params.how,
            left: left_side,
            right_keys,
            right_time,
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
        if let (Some((left_name, _)), Some(right)) = (&self.names.times, &self.right_time) {
            check_time(rows.field(left_name)?.as_ref(), right)?;
        }
        let (mut left, mut right) = (Vec::new(), Vec::new());
        self.left.each(rows, |row, place| {
            let mut found = self.index.rows(place);
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
            Ok(())
        })?;
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
