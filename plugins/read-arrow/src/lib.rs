//! Reads an Arrow IPC file, also known as Feather version 2, or an Arrow IPC stream.
//!
//! | port | kind | shape | type |
//! |---|---|---|---|
//! | in `source` | blob | an Arrow IPC file or stream | `application/vnd.apache.arrow.file` |
//! | out `table` | table | `(n_rows, n_columns)` | as in the file |
//!
//! Views are read as the strings or bytes they stand for, dictionaries stay dictionaries. Buffers may be
//! uncompressed or compressed with lz4 or zstd. Refused: unions, run-end encodings, list views, nested
//! dictionaries, and files that were written big-endian.
//!
//! A range is a run of rows. A record batch of more rows than asked for is cut, small neighbours are joined, so
//! that batches appended to a file leave all ranges but the last as they are. Reading a range fetches the footer,
//! the dictionaries and the buffers of the columns asked for; of buffers that are not compressed, only the
//! bytes that its rows need. Small record batches are fetched whole and written several at a time. A stream has no footer: its messages are looked up one by one.
//!
//! Format: <https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc>.
//! Deterministic; asks for no capabilities.

mod array;
mod codec;
mod dictionary;
mod error;
mod gather;
mod index;
mod message;
mod range;
mod schema;
mod views;
mod window;

use std::collections::{BTreeMap, BTreeSet};
use std::ops;

use arrow_data::ArrayData;
use arrow_schema::{Field, FieldRef};
use pinion_sdk::{Blob, Descriptor, Range, Result, Source, TableWriter};

use array::Arrays;
use dictionary::Dictionaries;
pub use error::{Damage, Error};
use gather::Gathered;
use index::{Block, Index};
use message::Message;
use range::Rows;
use window::Window;

/// Rows that are read at once, unless buffers are compressed: those are decompressed once.
const PIECE_ROWS: u64 = 65_536;

/// Reads an Arrow IPC file or stream.
#[derive(Debug)]
pub struct ReadArrow;

/// How to read it.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Columns to read, in the order of the file, whatever the order here. All unless given.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
}

impl Source for ReadArrow {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Reads an Arrow IPC file (Feather version 2) or stream.")
            .output("table", "The file's columns.")
    }

    fn probe(params: &Params, bytes: &Blob) -> Result<Vec<FieldRef>> {
        let index = Index::read(bytes)?;
        let positions: BTreeSet<usize> = match &params.columns {
            None => (0..index.columns.len()).collect(),
            Some(columns) => index.positions(columns)?,
        };
        let columns = positions
            .iter()
            .filter_map(|position| index.columns.get(*position));
        Ok(columns.map(|column| column.field.clone()).collect())
    }

    fn partition(_params: &Params, bytes: &Blob, rows: u64) -> Result<Vec<Range>> {
        Ok(range::cut(&Window::new(bytes), &Index::read(bytes)?, rows)?)
    }

    fn read(
        _params: &Params,
        bytes: &Blob,
        range: &Range,
        columns: &[String],
        rows: &mut TableWriter,
    ) -> Result<()> {
        let index = Index::read(bytes)?;
        let wanted = index.positions(columns)?;
        let bytes = Window::new(bytes);
        let mut dictionaries = Dictionaries::new(&bytes, &index, &wanted);
        let mut gathered = Gathered::default();
        Rows::parse(range)?.visit(&bytes, &index, |position, message, slice| {
            dictionaries.before(position)?;
            let size = index.batches.get(position).map_or(0, Block::len);
            let step = match message.codec {
                Some(_) => slice.end - slice.start,
                None => PIECE_ROWS,
            };
            let mut start = slice.start;
            while start < slice.end {
                let end = slice.end.min(start + step);
                let values = dictionaries.values();
                let columns = batch(&bytes, &index, message, &wanted, values, start..end).map_err(
                    |(column, source)| Error::Column {
                        column,
                        batch: position,
                        source,
                    },
                )?;
                let part = ((end - start) as usize, size);
                gathered.add(columns, part, dictionaries.read(), rows)?;
                start = end;
            }
            Ok(())
        })?;
        gathered.flush(rows)
    }
}

/// The columns at the positions `wanted`, of some rows of one record batch. An error comes with its column.
fn batch(
    bytes: &Window<'_>,
    index: &Index,
    message: &Message,
    wanted: &BTreeSet<usize>,
    dictionaries: &BTreeMap<i64, ArrayData>,
    rows: ops::Range<u64>,
) -> Result<Vec<(Field, ArrayData)>, (String, Damage)> {
    let mut arrays = Arrays::new(bytes, message, dictionaries);
    let mut columns = Vec::with_capacity(wanted.len());
    let end = wanted.last().map_or(0, |last| last + 1);
    for (position, column) in index.columns.iter().enumerate().take(end) {
        let failed = |source| (column.field.name().clone(), source);
        if !wanted.contains(&position) {
            arrays.skip(column).map_err(failed)?;
            continue;
        }
        let values = arrays
            .read(column, &rows, Some(message.rows))
            .map_err(failed)?;
        if !column.field.is_nullable() && values.null_count() > 0 {
            return Err(failed(Damage::Nulls));
        }
        columns.push((column.field.as_ref().clone(), values));
    }
    Ok(columns)
}

pinion_sdk::export!(ReadArrow: Source);
