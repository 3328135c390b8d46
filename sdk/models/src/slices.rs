//! The slices that an evaluation looks at, and which rows belong to which value of one.

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, Int32Array, StringArray};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Error, Result, Table, TableShape};
use serde::{Deserialize, Serialize};

use crate::columns::gather;
use crate::encoder::Categories;

/// What rows are sliced by: a column, or several together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, schemars::JsonSchema)]
#[serde(
    untagged,
    expecting = "expected a column name or a list of column names"
)]
pub enum Slice {
    /// One column.
    Column(String),
    /// Several columns, by the combination of their values.
    Columns(Vec<String>),
}

/// One row of an evaluation. Sorts as the table does: all rows, then the slices in the order of the
/// params, each by value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SliceKey {
    /// None for all rows; it comes first.
    slice: Option<u32>,
    values: Vec<Value>,
}

/// The value of one column in a slice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
enum Value {
    Boolean(bool),
    Integer(i64),
    Text(String),
    /// Comes last.
    Null,
}

impl Slice {
    /// Refuses slices of columns that are not there, or neither text nor integer nor boolean.
    ///
    /// # Errors
    /// `bad-params` for a slice of no column, `missing-column`, `wrong-type`.
    pub fn check(slices: &[Self], rows: TableShape<'_>) -> Result<()> {
        for slice in slices {
            if slice.columns().is_empty() {
                return Err(Error::bad_params("a slice in `by` names no column"));
            }
            for column in slice.columns() {
                Categories::check(rows.field(column)?)?;
            }
        }
        Ok(())
    }

    /// The row numbers, ascending, of each combination of values that occurs in this slice, which stands at
    /// `position` in the params.
    ///
    /// # Errors
    /// `missing-column`, or `bad-data` for an integer that does not fit `int64`.
    pub fn groups(&self, position: usize, rows: &Table) -> Result<Vec<(SliceKey, Vec<usize>)>> {
        let columns = self.columns();
        let mut encoded: Vec<(Categories, Int32Array)> = Vec::with_capacity(columns.len());
        for name in columns {
            let categories = Categories::of_rows(name, rows)?;
            let codes = gather(rows, name, |name, column| categories.encode(name, column))?;
            encoded.push((categories, codes));
        }
        let mut groups: BTreeMap<Vec<Option<i32>>, Vec<usize>> = BTreeMap::new();
        let mut key = Vec::with_capacity(columns.len());
        for row in 0..encoded
            .iter()
            .map(|(_, codes)| codes.len())
            .min()
            .unwrap_or(0)
        {
            key.clear();
            key.extend(
                encoded
                    .iter()
                    .map(|(_, codes)| codes.is_valid(row).then(|| codes.value(row))),
            );
            // A combination that is known costs no allocation.
            match groups.get_mut(&key) {
                Some(members) => members.push(row),
                None => drop(groups.insert(key.clone(), vec![row])),
            }
        }
        let key = |key: Vec<Option<i32>>| {
            let values = key.into_iter().zip(&encoded);
            SliceKey {
                slice: u32::try_from(position).ok(),
                values: values
                    .map(|(code, (categories, _))| Value::of(categories, code))
                    .collect(),
            }
        };
        Ok(groups
            .into_iter()
            .map(|(codes, members)| (key(codes), members))
            .collect())
    }

    fn columns(&self) -> &[String] {
        match self {
            Slice::Column(column) => std::slice::from_ref(column),
            Slice::Columns(columns) => columns,
        }
    }
}

impl SliceKey {
    /// All rows.
    #[must_use]
    pub fn overall() -> Self {
        SliceKey {
            slice: None,
            values: Vec::new(),
        }
    }

    /// The first two columns of an evaluation's table, `slice` and `value`.
    #[must_use]
    pub fn fields() -> [Field; 2] {
        [
            Field::new("slice", DataType::Utf8, false),
            Field::new("value", DataType::Utf8, true),
        ]
    }

    /// The columns of [`SliceKey::fields`], one value for each of `keys`, where `slices` are those of the
    /// params: `overall`, or the columns of the slice joined by `, `, and then null, or their values joined likewise.
    pub fn arrays<'a>(
        keys: impl Iterator<Item = &'a Self> + Clone,
        slices: &[Slice],
    ) -> [ArrayRef; 2] {
        let names: Vec<String> = slices
            .iter()
            .map(|slice| slice.columns().join(", "))
            .collect();
        let name = |key: &Self| {
            let name = key.slice.and_then(|position| names.get(position as usize));
            Some(name.map_or("overall", String::as_str).to_owned())
        };
        let slices: StringArray = keys.clone().map(name).collect();
        let values: StringArray = keys.map(Self::value).collect();
        [Arc::new(slices), Arc::new(values)]
    }

    fn value(&self) -> Option<String> {
        self.slice.map(|_| {
            self.values
                .iter()
                .map(Value::text)
                .collect::<Vec<_>>()
                .join(", ")
        })
    }
}

impl Value {
    fn text(&self) -> String {
        match self {
            Value::Boolean(value) => value.to_string(),
            Value::Integer(value) => value.to_string(),
            Value::Text(value) => value.clone(),
            Value::Null => "null".to_owned(),
        }
    }

    fn of(categories: &Categories, code: Option<i32>) -> Self {
        let Some(code) = code.and_then(|code| usize::try_from(code).ok()) else {
            return Value::Null;
        };
        let value = match categories {
            Categories::Boolean(values) => values.get(code).copied().map(Value::Boolean),
            Categories::Integer(values) => values.get(code).copied().map(Value::Integer),
            Categories::Text(values) => values.get(code).cloned().map(Value::Text),
        };
        value.unwrap_or(Value::Null)
    }
}
