//! The model of `fit-encoder`: the sorted categories of each column.

use std::collections::BTreeMap;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Int32Array};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::columns::{cast, field};
use crate::file::Model;

/// The categories that the rows it was fitted on have.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encoder {
    /// By column name.
    pub columns: BTreeMap<String, ColumnCategories>,
}

/// The categories of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ColumnCategories {
    /// A category's code is its position here.
    pub categories: Categories,
    /// Null values when fitted; null is no category.
    pub missing: u64,
    /// All rows when fitted, missing ones included.
    pub rows: u64,
}

/// Distinct values in ascending order; text is ordered by its UTF-8 bytes, false comes before true.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Categories {
    /// Of a boolean column.
    Boolean(Vec<bool>),
    /// Of any integer column.
    Integer(Vec<i64>),
    /// Of a text column.
    Text(Vec<String>),
}

impl Model for Encoder {
    const KIND: &'static str = "encoder";
    const MEDIA_TYPE: &'static str = "application/vnd.pinion.encoder+json";
}

impl Encoder {
    /// The categories of one column.
    ///
    /// # Errors
    /// `column-not-in-model` if the encoder was not fitted on it.
    pub fn column(&self, name: &str) -> Result<&ColumnCategories> {
        crate::file::column(Self::KIND, &self.columns, name)
    }
}

impl Categories {
    /// The distinct values of a column of text, integers or booleans, dictionary-encoded or not.
    ///
    /// # Errors
    /// - `wrong-type` if the column has another type.
    /// - `bad-data` if an integer does not fit `int64`.
    pub fn of(name: &str, column: &ArrayRef) -> Result<Self> {
        let column = canonical(name, column)?;
        Ok(if let Some(values) = column.as_boolean_opt() {
            Categories::Boolean(distinct(values.iter().flatten()))
        } else if let Some(values) = column.as_primitive_opt::<Int64Type>() {
            Categories::Integer(distinct(values.iter().flatten()))
        } else {
            let values = distinct(column.as_string::<i32>().iter().flatten());
            Categories::Text(values.into_iter().map(str::to_owned).collect())
        })
    }

    /// The number of categories.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Categories::Boolean(values) => values.len(),
            Categories::Integer(values) => values.len(),
            Categories::Text(values) => values.len(),
        }
    }

    /// Whether there are none: every value it was fitted on was null.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The categories that either side has.
    ///
    /// `None` if the two are of different types.
    #[must_use]
    pub fn union(self, other: Self) -> Option<Self> {
        fn merged<T: Ord>(left: Vec<T>, right: Vec<T>) -> Vec<T> {
            distinct(left.into_iter().chain(right))
        }
        match (self, other) {
            (Categories::Boolean(left), Categories::Boolean(right)) => Some(Categories::Boolean(merged(left, right))),
            (Categories::Integer(left), Categories::Integer(right)) => Some(Categories::Integer(merged(left, right))),
            (Categories::Text(left), Categories::Text(right)) => Some(Categories::Text(merged(left, right))),
            _ => None,
        }
    }

    /// The code of each value. Null for null and for a value that is no category.
    ///
    /// # Errors
    /// - `wrong-type` if the column is not of the type of the categories.
    /// - `bad-data` if an integer does not fit `int64`.
    pub fn encode(&self, name: &str, column: &ArrayRef) -> Result<Int32Array> {
        fn code<T: Ord + ?Sized, S: std::borrow::Borrow<T>>(sorted: &[S], value: &T) -> Option<i32> {
            let position = sorted.binary_search_by(|category| category.borrow().cmp(value)).ok()?;
            i32::try_from(position).ok()
        }
        let canonical = canonical(name, column)?;
        let expected = match self {
            Categories::Boolean(categories) => match canonical.as_boolean_opt() {
                Some(values) => return Ok(values.iter().map(|value| code(categories, &value?)).collect()),
                None => "boolean, as when the encoder was fitted",
            },
            Categories::Integer(categories) => match canonical.as_primitive_opt::<Int64Type>() {
                Some(values) => return Ok(values.iter().map(|value| code(categories, &value?)).collect()),
                None => "an integer, as when the encoder was fitted",
            },
            Categories::Text(categories) => match canonical.as_string_opt::<i32>() {
                Some(values) => return Ok(values.iter().map(|value| code(categories, value?)).collect()),
                None => "text, as when the encoder was fitted",
            },
        };
        Err(Error::wrong_type(name, expected, column.data_type()))
    }

    /// Refuses a field that has no categories: text, integers and booleans have, and dictionaries of these.
    ///
    /// # Errors
    /// `wrong-type`.
    pub fn check(field: &Field) -> Result<()> {
        fn fits(data_type: &DataType) -> bool {
            match data_type {
                DataType::Dictionary(_, values) => fits(values),
                DataType::Boolean | DataType::Utf8 | DataType::LargeUtf8 | DataType::Utf8View => true,
                other => other.is_integer(),
            }
        }
        if fits(field.data_type()) {
            Ok(())
        } else {
            Err(Error::wrong_type(field.name(), "text, an integer or boolean", field.data_type()))
        }
    }
}

/// The column as `boolean`, `int64` or `utf8`.
fn canonical(name: &str, column: &ArrayRef) -> Result<ArrayRef> {
    fn target(data_type: &DataType) -> DataType {
        match data_type {
            DataType::Dictionary(_, values) => target(values),
            DataType::Boolean => DataType::Boolean,
            other if other.is_integer() => DataType::Int64,
            _ => DataType::Utf8,
        }
    }
    Categories::check(&field(name, column))?;
    cast(name, column, &target(column.data_type()))
}

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.collect::<std::collections::BTreeSet<T>>().into_iter().collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Int16Array, StringArray};

    use super::*;

    #[test]
    fn codes_are_positions_in_sorted_categories() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("a"), Some("b")]));
        let categories = Categories::of("c", &column).unwrap();
        assert_eq!(categories, Categories::Text(vec!["a".into(), "b".into()]));
        let seen: ArrayRef = Arc::new(StringArray::from(vec![Some("b"), None, Some("z"), Some("a")]));
        assert_eq!(categories.encode("c", &seen).unwrap(), Int32Array::from(vec![Some(1), None, None, Some(0)]));
    }

    #[test]
    fn integers_are_one_type_and_others_are_not() {
        let column: ArrayRef = Arc::new(Int16Array::from(vec![7, -2, 7]));
        let categories = Categories::of("c", &column).unwrap();
        assert_eq!(categories, Categories::Integer(vec![-2, 7]));
        let wrong: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        assert_eq!(categories.encode("c", &wrong).unwrap_err().code, "wrong-type");
        assert!(categories.union(Categories::Boolean(vec![])).is_none());
    }
}
