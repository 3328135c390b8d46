//! Fuzz bodies of stored files. See [`crate::fuzz`].

#![expect(
    clippy::unwrap_used,
    reason = "a body that fails is what is looked for"
)]

use std::error::Error;

use arrow_schema::Field;

use super::{Fault, Key, Standing, chunks, tables, units};
use crate::arrow::file;
use crate::digest::Digest;
use crate::fuzz::{column, told};
use crate::table::{Manifest, Table};
use crate::unit::Recipe;

/// The manifest of a table: sealed as it is, and without its seal, with the one that belongs to it.
pub fn manifest(bytes: &[u8]) -> bool {
    let (key, body) = (key(), body(bytes));
    let parsed = serde_json::from_slice(body).ok();
    let Some(table) = parsed.and_then(|manifest: Manifest| Table::try_from(manifest).ok()) else {
        // What it is stored under does not matter.
        let none = Digest::of(b"");
        refused(tables::parse(bytes, &key, &none));
        let sealed = tables::table_seal(&none).close(&key, &Standing::Made, body);
        refused(tables::parse(&sealed, &key, &none));
        return false;
    };
    let digest = table.digest();
    let other = Digest::of(b"another");
    let mut seen = false;
    for standing in [Standing::Foreign, Standing::Made] {
        let sealed = tables::table_seal(&digest).close(&key, &standing, body);
        seen |= bytes == sealed;
        assert_eq!(
            tables::parse(&sealed, &key, &digest).unwrap(),
            (table.clone(), standing.clone())
        );
        assert!(matches!(
            tables::parse(&sealed, &key, &other),
            Err(Fault::Seal)
        ));
        let elsewhere = tables::table_seal(&other).close(&key, &standing, body);
        refused(tables::parse(&elsewhere, &key, &other));
    }
    if let Ok((_, standing)) = tables::parse(bytes, &key, &digest) {
        assert!(seen || standing == Standing::Foreign, "{standing:?}");
    }

    let again = Table::try_from(Manifest::from(&table)).unwrap();
    assert_eq!(again, table);
    table.files();
    for position in 0..table.fields.len() {
        table.column_digest(position);
    }
    true
}

/// The recipe of a unit, in the same way.
pub fn recipe(bytes: &[u8]) -> bool {
    let (first, key, by) = (Digest::of(b"first"), Digest::of(b"key"), self::key());
    let raw = units::parse_recipe(bytes, &by, &first, &key);
    let body = body(bytes);
    let sealed = units::recipe_seal(&first, &key).close(&by, &Standing::Made, body);
    match units::parse_recipe(&sealed, &by, &first, &key) {
        Ok((recipe, standing)) => {
            assert_eq!(standing, Standing::Made);
            if let Ok((_, standing)) = raw {
                assert!(bytes == sealed || standing == Standing::Foreign);
            }
            let written = serde_json::to_vec(&recipe).unwrap();
            assert_eq!(serde_json::from_slice::<Recipe>(&written).unwrap(), recipe);
            units::needs(&first, &recipe);
            true
        }
        Err(fault) => {
            told(&fault);
            refused(raw);
            false
        }
    }
}

/// A chunk file under the name that belongs to it. What can be opened is loaded, digested and used.
pub fn chunk_file(bytes: &[u8]) -> bool {
    let owned = || bytes.to_vec().into();
    let columns = match file::read(owned()) {
        Ok(columns) => columns,
        Err(error) => {
            told(&error);
            return false;
        }
    };
    let digests = chunks::digests(&columns).unwrap();
    let name = crate::table::file_digest(&digests);
    let parsed = chunks::parse(owned(), &name).unwrap();
    assert_eq!(*parsed.digests, *digests);
    let other = chunks::parse(owned(), &Digest::of(b"another"));
    assert!(matches!(other, Err(Fault::Digest { .. })));
    for array in &columns {
        column(
            &Field::new("column", array.data_type().clone(), true),
            array,
        );
    }
    true
}

fn key() -> Key {
    Key::new(&[7; 32], &[7; 32])
}

/// What follows the first line, where the seal is; everything, if there is no line like that.
fn body(bytes: &[u8]) -> &[u8] {
    let newline = bytes.iter().position(|byte| *byte == b'\n');
    match newline {
        Some(newline) if bytes.starts_with(b"\"") || bytes.starts_with(b"[") => {
            &bytes[newline + 1..]
        }
        _ => bytes,
    }
}

fn refused<T, E: Error>(result: Result<T, E>) {
    match result {
        Ok(_) => panic!("accepted under a name that is not its own"),
        Err(error) => {
            told(&error);
        }
    }
}

/// Stored texts for the corpus.
#[cfg(test)]
pub(crate) mod samples {
    use std::sync::Arc;

    use super::super::tests::units;
    use super::*;
    use crate::arrow::samples::{Random, random_field};
    use crate::record::samples::{digest, number};
    use crate::table::{Chunk, Partition, Place};

    /// The manifest of a table, sealed.
    pub(crate) fn manifest(random: &mut Random) -> Vec<u8> {
        let fields: Vec<_> = (0..1 + random.below(3))
            .map(|number| Arc::new(random_field(&format!("column {number}"), 2, random)))
            .collect();
        let chunk = |random: &mut Random| Chunk {
            digest: digest(random),
            place: place(2, random),
        };
        let partition = |random: &mut Random| Partition {
            rows: number(random) >> 2,
            columns: fields.iter().map(|_| chunk(random)).collect(),
        };
        let partitions = (0..random.below(3)).map(|_| Arc::new(partition(random)));
        let table = Table {
            partitions: partitions.collect(),
            fields: fields.clone(),
        };
        let body = serde_json::to_vec(&Manifest::from(&table)).unwrap();
        tables::table_seal(&table.digest()).close(&super::key(), &Standing::Foreign, &body)
    }

    fn place(depth: usize, random: &mut Random) -> Place {
        match random.below(3) {
            0 => Place::Empty,
            1 if depth > 0 => {
                let of = |random: &mut Random| Chunk {
                    digest: digest(random),
                    place: place(depth - 1, random),
                };
                Place::Selected {
                    of: Arc::new((0..random.below(3)).map(|_| of(random)).collect()),
                    rows: units::selection(random),
                }
            }
            _ => Place::Stored {
                file: digest(random),
                column: random.below(3) as u32,
            },
        }
    }

    /// The recipe of a unit, sealed.
    pub(crate) fn recipe(random: &mut Random) -> Vec<u8> {
        let body = serde_json::to_vec(&units::recipe(random)).unwrap();
        let seal = super::units::recipe_seal(&Digest::of(b"first"), &Digest::of(b"key"));
        seal.close(&super::key(), &Standing::Foreign, &body)
    }
}
