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
//! Reads the keys only, and holds those of `right` in memory. Deterministic; asks for no capabilities.

mod index;
mod params;

use arrow_array::UInt64Array;
use arrow_schema::{Field, FieldRef};
use pinion_sdk::{
    Batch, Descriptor, Error, Inputs, Output, Result, RowMap, Shape, Shapes, Table, context,
};
use pinion_values::{Column, Kind, kind, write_key};

use index::Index;
use params::{Added, How, Params};

struct JoinTables {
    params: Params,
    /// Names of key columns, left and right.
    keys: Vec<(String, String)>,
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
        let keys = params.keys()?;
        let (left, right) = (inputs.table("left")?, inputs.table("right")?);
        for (left_name, right_name) in &keys {
            check_key(left.field(left_name)?, right.field(right_name)?)?;
        }
        let columns = params.columns(&keys, || Ok(right.fields().to_vec()))?;
        let mut fields = left.fields().to_vec();
        let added = params.added(&columns, |name| Ok(left.find(name).is_some()))?;
        for Added { from, to } in &added {
            let field = right.field(from)?;
            let taken = fields.iter().any(|field| field.name() == to)
                || (from != to && columns.contains(to));
            if taken {
                return Err(Error::new(
                    "duplicate-column",
                    format!("there would be two columns `{to}`"),
                )
                .with("column", to)
                .with("in", format!("port `left`, and port `right` as `{from}`"))
                .with(
                    "param",
                    "`suffix` or `prefix` renames such columns, and `columns` lists what to add",
                ));
            }
            let nullable = field.is_nullable() || params.how == How::Left;
            fields.push(field.clone().with_name(to).with_nullable(nullable).into());
        }
        Ok(vec![Shape::table("rows", fields)])
    }

    fn open(params: Params, mut side: Inputs) -> Result<Self> {
        let keys = params.keys()?;
        let right = side.take_table("right")?;
        let names: Vec<&str> = keys.iter().map(|(_, right)| right.as_str()).collect();
        let right_keys = names
            .iter()
            .map(|name| right.field(name))
            .collect::<Result<_>>()?;
        let columns = params.columns(&keys, || right.schema())?;
        let index = Index::new(&right, &names, params.unique)?;
        Ok(Self {
            params,
            keys,
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
        let added = self
            .params
            .added(&self.columns, |name| Ok(rows.find(name)?.is_some()))?;
        let mut right = take(&self.right, &right)?
            .select(&self.columns.iter().map(String::as_str).collect::<Vec<_>>())?;
        for Added { from, to } in added.iter().filter(|added| added.from != added.to) {
            right = right.rename(from, to)?;
        }
        Ok(vec![Output::new("rows", left.zip(&right)?)])
    }
}

impl JoinTables {
    /// Row numbers in `rows` and in the right table, none where a left join finds no match.
    fn matches(&self, rows: &Batch) -> Result<(Vec<u64>, Vec<Option<u64>>)> {
        for ((left_name, _), right) in self.keys.iter().zip(&self.right_keys) {
            check_key(rows.field(left_name)?.as_ref(), right)?;
        }
        let arrays = self
            .keys
            .iter()
            .map(|(name, _)| rows.array(name))
            .collect::<Result<Vec<_>>>()?;
        let keys = self.keys.iter().zip(&arrays);
        let columns = keys
            .map(|((name, _), array)| Column::new(name, array))
            .collect::<Result<Vec<_>>>()?;
        let (mut left, mut right) = (Vec::new(), Vec::new());
        let mut key = Vec::new();
        for row in 0..rows.rows() {
            let before = left.len();
            if write_key(&columns, row as usize, &mut key) {
                right.extend(self.index.rows(&key).map(Some));
                left.resize(right.len(), row);
            }
            if left.len() == before && self.params.how == How::Left {
                left.push(row);
                right.push(None);
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

/// Refuses keys that never match because they hold different things, and floats, which rarely do.
fn check_key(left: &Field, right: &Field) -> Result<()> {
    let kind = |field: &Field| match kind(field.name(), field.data_type())? {
        Kind::Float => Err(Error::wrong_type(
            field.name(),
            "anything but floats as a key",
            field.data_type(),
        )),
        kind => Ok(kind),
    };
    if kind(left)? != kind(right)? {
        let side = |field: &Field| format!("`{}` as {}", field.name(), field.data_type());
        return Err(Error::new(
            "wrong-type",
            format!(
                "keys `{}` and `{}` hold different things",
                left.name(),
                right.name()
            ),
        )
        .with("left", side(left))
        .with("right", side(right))
        .with(
            "step",
            "`std:cast-columns` gives one of them the other's type",
        ));
    }
    Ok(())
}

pinion_sdk::export!(JoinTables: RowMap);

#[cfg(test)]
mod tests;
