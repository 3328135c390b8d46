//! The model of `fit-encoder`: the sorted categories of each column.

use std::borrow::Borrow;
use std::collections::{BTreeMap, BTreeSet};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, Int32Array, new_empty_array};
use arrow_schema::{DataType, Field};
use pinion_sdk::{Error, Result, Table};
use serde::{Deserialize, Serialize};

use crate::columns::{integers, is_text, texts};
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
    /// The distinct values of a column of text, integers or booleans.
    ///
    /// # Errors
    /// - `wrong-type` if the column has another type.
    /// - `bad-data` if an integer does not fit `int64`.
    pub fn of(name: &str, column: &ArrayRef) -> Result<Self> {
        Ok(match column.data_type() {
            DataType::Boolean => {
                Categories::Boolean(distinct(column.as_boolean().iter().flatten()))
            }
            other if other.is_integer() => {
                Categories::Integer(distinct(integers(name, column)?.into_iter().flatten()))
            }
            other if is_text(other) => {
                let values = distinct(texts(name, column)?.into_iter().flatten());
                Categories::Text(values.into_iter().map(str::to_owned).collect())
            }
            other => return Err(Error::wrong_type(name, CATEGORY, other)),
        })
    }

    /// The distinct values of a column over all batches of a table or partition.
    ///
    /// # Errors
    /// `missing-column`, and as [`Categories::of`].
    pub fn of_rows(name: &str, rows: &Table) -> Result<Self> {
        let nothing = new_empty_array(rows.field(name)?.data_type());
        rows.batches()
            .try_fold(Categories::of(name, &nothing)?, |known, batch| {
                known.union(Categories::of(name, &batch.array(name)?)?)
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
    /// # Errors
    /// `wrong-type` if the two are of different types.
    pub fn union(self, other: Self) -> Result<Self> {
        fn merged<T: Ord>(left: Vec<T>, right: Vec<T>) -> Vec<T> {
            distinct(left.into_iter().chain(right))
        }
        Ok(match (self, other) {
            (Categories::Boolean(left), Categories::Boolean(right)) => {
                Categories::Boolean(merged(left, right))
            }
            (Categories::Integer(left), Categories::Integer(right)) => {
                Categories::Integer(merged(left, right))
            }
            (Categories::Text(left), Categories::Text(right)) => {
                Categories::Text(merged(left, right))
            }
            (left, right) => {
                return Err(Error::new(
                    "wrong-type",
                    "the categories of a column are of two types",
                )
                .with("expected", left.type_name())
                .with("found", right.type_name()));
            }
        })
    }

    /// The code of each value. Null for null and for a value that is no category.
    ///
    /// # Errors
    /// - `wrong-type` if the column is not of the type of the categories.
    /// - `bad-data` if an integer does not fit `int64`.
    pub fn encode(&self, name: &str, column: &ArrayRef) -> Result<Int32Array> {
        fn code<T: Ord + ?Sized, S: Borrow<T>>(sorted: &[S], value: &T) -> Option<i32> {
            let position = sorted
                .binary_search_by(|category| category.borrow().cmp(value))
                .ok()?;
            i32::try_from(position).ok()
        }
        Ok(match (self, column.data_type()) {
            (Categories::Boolean(sorted), DataType::Boolean) => column
                .as_boolean()
                .iter()
                .map(|value| code(sorted, &value?))
                .collect(),
            (Categories::Integer(sorted), data_type) if data_type.is_integer() => {
                integers(name, column)?
                    .into_iter()
                    .map(|value| code(sorted, &value?))
                    .collect()
            }
            (Categories::Text(sorted), data_type) if is_text(data_type) => texts(name, column)?
                .into_iter()
                .map(|value| code(sorted, value?))
                .collect(),
            (_, other) => return Err(Error::wrong_type(name, self.type_name(), other)),
        })
    }

    /// Refuses a field that has no categories: text, integers and booleans have.
    ///
    /// # Errors
    /// `wrong-type`.
    pub fn check(field: &Field) -> Result<()> {
        let data_type = field.data_type();
        if data_type.is_integer() || *data_type == DataType::Boolean || is_text(data_type) {
            Ok(())
        } else {
            Err(Error::wrong_type(field.name(), CATEGORY, data_type))
        }
    }

    fn type_name(&self) -> &'static str {
        match self {
            Categories::Boolean(_) => "boolean",
            Categories::Integer(_) => "an integer",
            Categories::Text(_) => "text",
        }
    }
}

const CATEGORY: &str = "text, an integer or boolean";

fn distinct<T: Ord>(values: impl Iterator<Item = T>) -> Vec<T> {
    values.collect::<BTreeSet<T>>().into_iter().collect()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{BooleanArray, Int16Array, StringArray};

    use super::*;

    #[test]
    fn codes_are_positions_in_sorted_categories() {
        let column: ArrayRef = Arc::new(StringArray::from(vec![
            Some("b"),
            None,
            Some("a"),
            Some("b"),
        ]));
        let categories = Categories::of("c", &column).unwrap();
        assert_eq!(categories, Categories::Text(vec!["a".into(), "b".into()]));
        let seen: ArrayRef = Arc::new(StringArray::from(vec![
            Some("b"),
            None,
            Some("z"),
            Some("a"),
        ]));
        assert_eq!(
            categories.encode("c", &seen).unwrap(),
            Int32Array::from(vec![Some(1), None, None, Some(0)])
        );
    }

    #[test]
    fn integers_are_one_type_and_others_are_not() {
        let column: ArrayRef = Arc::new(Int16Array::from(vec![7, -2, 7]));
        let categories = Categories::of("c", &column).unwrap();
        assert_eq!(categories, Categories::Integer(vec![-2, 7]));
        let wrong: ArrayRef = Arc::new(BooleanArray::from(vec![true]));
        assert_eq!(
            categories.encode("c", &wrong).unwrap_err().code,
            "wrong-type"
        );
        assert_eq!(
            categories
                .union(Categories::Boolean(vec![]))
                .unwrap_err()
                .code,
            "wrong-type"
        );
    }
}
