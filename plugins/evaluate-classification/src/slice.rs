//! Which rows belong to which value of a slice.

use std::collections::BTreeMap;

use arrow_array::{Array, Int32Array};
use pinion_models::{Categories, gather};
use pinion_sdk::{Result, Table};
use serde::{Deserialize, Serialize};

/// One row of the metrics. Sorts as the table does: all rows, then the slices in the order of the
/// params, each by value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SliceKey {
    /// None for all rows; it comes first.
    slice: Option<u32>,
    values: Vec<Value>,
}

/// The value of one column in a slice.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Value {
    Boolean(bool),
    Integer(i64),
    Text(String),
    /// Comes last.
    Null,
}

impl SliceKey {
    /// All rows.
    pub(crate) fn overall() -> Self {
        SliceKey {
            slice: None,
            values: Vec::new(),
        }
    }

    /// Rows with these values in the slice at `position` in the params.
    pub(crate) fn new(position: usize, values: Vec<Value>) -> Self {
        SliceKey {
            slice: u32::try_from(position).ok(),
            values,
        }
    }

    /// The name of the slice.
    pub(crate) fn slice<'a>(&self, names: &'a [String]) -> &'a str {
        self.slice
            .and_then(|position| names.get(position as usize))
            .map_or("overall", String::as_str)
    }

    /// The values, joined. None for all rows.
    pub(crate) fn value(&self) -> Option<String> {
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

/// The row numbers, ascending, of each combination of values that occurs in `columns`.
pub(crate) fn groups(columns: &[String], rows: &Table) -> Result<Vec<(Vec<Value>, Vec<usize>)>> {
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
    let values = |key: Vec<Option<i32>>| {
        key.into_iter()
            .zip(&encoded)
            .map(|(code, (categories, _))| Value::of(categories, code))
            .collect()
    };
    Ok(groups
        .into_iter()
        .map(|(key, members)| (values(key), members))
        .collect())
}
