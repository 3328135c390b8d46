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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array};
    use arrow_schema::{DataType, Field};
    use cap_std::ambient_authority;
    use cap_std::fs::Dir;

    use super::*;
    use crate::store::Key;
    use crate::table::{Chunk, Partition, Place as ChunkPlace};

    fn store() -> (tempfile::TempDir, Store) {
        let directory = tempfile::tempdir().unwrap();
        let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
        (directory, Store::open(dir, Key::of_nobody()).unwrap())
    }

    /// A table of `columns`, each with the same partitions of rows.
    fn table(store: &Store, columns: &[&str], partitions: &[&[i64]]) -> Table {
        let fields: Vec<Field> = columns
            .iter()
            .map(|name| Field::new(*name, DataType::Int64, false))
            .collect();
        let partition = |rows: &&[i64]| {
            let array: ArrayRef = Arc::new(Int64Array::from(rows.to_vec()));
            let stored = store
                .put_chunks(&fields, &vec![array; fields.len()])
                .unwrap();
            let chunk = |(column, digest)| Chunk {
                digest,
                place: ChunkPlace::Stored {
                    file: stored.file,
                    column,
                },
            };
            Arc::new(Partition {
                rows: rows.len() as u64,
                columns: (0..).zip(stored.chunks).map(chunk).collect(),
            })
        };
        Table {
            partitions: partitions.iter().map(partition).collect(),
            fields: fields.into_iter().map(Arc::new).collect(),
        }
    }

    #[test]
    fn the_first_place_is_told_by_columns_then_cuts_then_values() {
        let ((_one, one), (_other, other)) = (store(), store());
        let differs = |expected: (&[&str], &[&[i64]]), found: (&[&str], &[&[i64]])| {
            let expected = table(&one, expected.0, expected.1);
            let found = table(&other, found.0, found.1);
            first_place((&one, &expected), (&other, &found)).unwrap()
        };
        let rows: &[&[i64]] = &[&[1, 2], &[3]];
        assert_eq!(differs((&["a"], rows), (&["a"], rows)), None);
        let schema = |expected: &str, found: &str| {
            Some(Place::Schema {
                expected: expected.to_owned(),
                found: found.to_owned(),
            })
        };
        assert_eq!(
            differs((&["a", "b"], rows), (&["a", "c"], rows)),
            schema("b int64", "c int64")
        );
        assert_eq!(
            differs((&["a", "b"], rows), (&["a"], rows)),
            schema("b int64", "no more columns")
        );
        let cut = |partition, expected, found| {
            Some(Place::Rows {
                partition,
                expected,
                found,
            })
        };
        assert_eq!(
            differs((&["a"], rows), (&["a"], &[&[1], &[2, 3]])),
            cut(0, Some(2), Some(1))
        );
        assert_eq!(
            differs((&["a"], rows), (&["a"], &[&[1, 2]])),
            cut(1, Some(1), None)
        );
        // The row is counted over the whole table.
        assert_eq!(
            differs((&["a"], rows), (&["a"], &[&[1, 2], &[4]])),
            Some(Place::Value {
                partition: 1,
                column: "a".to_owned(),
                difference: RowDifference {
                    row: 2,
                    expected: "3".to_owned(),
                    found: "4".to_owned(),
                },
            })
        );
    }
}
