//! Where what a run made differs from what was made of the same before.

use arrow_schema::FieldRef;

use crate::arrow::compare::{RowDifference, first_row};
use crate::arrow::type_name;
use crate::store::{Store, StoreError};
use crate::table::Table;

/// The first place at which two tables differ.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// Their columns.
    Schema {
        /// What one has: `name type` for each column, or for the first that differs.
        expected: String,
        /// What the other has.
        found: String,
    },
    /// How rows are cut into partitions.
    Rows {
        /// The partition, from 0.
        partition: u64,
        /// Its rows; none if there is no such partition.
        expected: Option<u64>,
        /// As above.
        found: Option<u64>,
    },
    /// A value.
    Value {
        /// The partition, from 0.
        partition: u64,
        /// The column.
        column: String,
        /// The row of the whole table, from 0, and both values.
        difference: RowDifference,
    },
}

/// The first place at which two tables differ: the lowest partition, in it the first column, in that the first
/// row. None if they are equal, or if a digest is another though all values are the same.
///
/// # Errors
/// [`StoreError`] if values that differ cannot be read.
pub fn first_place(
    (expected_store, expected): (&Store, &Table),
    (found_store, found): (&Store, &Table),
) -> Result<Option<Place>, StoreError> {
    if let Some(place) = schema(&expected.fields, &found.fields) {
        return Ok(Some(place));
    }
    let mut first_row_number = 0;
    let partitions = expected.partitions.len().max(found.partitions.len());
    for (number, partition) in (0..partitions).zip(0u64..) {
        let (one, other) = (
            expected.partitions.get(number),
            found.partitions.get(number),
        );
        let rows = (
            one.map(|partition| partition.rows),
            other.map(|partition| partition.rows),
        );
        let (Some(one), Some(other)) = (one, other) else {
            return Ok(Some(Place::Rows {
                partition,
                expected: rows.0,
                found: rows.1,
            }));
        };
        if rows.0 != rows.1 {
            return Ok(Some(Place::Rows {
                partition,
                expected: rows.0,
                found: rows.1,
            }));
        }
        let chunks = one.columns.iter().zip(&other.columns);
        for (field, (one, other)) in expected.fields.iter().zip(chunks) {
            if one.digest == other.digest {
                continue;
            }
            let one = expected_store.load(field, one)?;
            let other = found_store.load(field, other)?;
            if let Some(difference) = first_row(&one, &other) {
                return Ok(Some(Place::Value {
                    partition,
                    column: field.name().clone(),
                    difference: RowDifference {
                        row: first_row_number + difference.row,
                        ..difference
                    },
                }));
            }
        }
        first_row_number += other.rows;
    }
    Ok(None)
}

fn schema(expected: &[FieldRef], found: &[FieldRef]) -> Option<Place> {
    let shown = |field: Option<&FieldRef>| match field {
        Some(field) if field.is_nullable() => {
            format!(
                "{} {}, nullable",
                field.name(),
                type_name(field.data_type())
            )
        }
        Some(field) => format!("{} {}", field.name(), type_name(field.data_type())),
        None => "no more columns".to_owned(),
    };
    let columns = expected.len().max(found.len());
    (0..columns)
        .map(|at| (expected.get(at), found.get(at)))
        .find(|(one, other)| one != other)
        .map(|(one, other)| Place::Schema {
            expected: shown(one),
            found: shown(other),
        })
}
