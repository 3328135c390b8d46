//! Reads a Parquet file.
//!
//! | port | kind | shape | type |
//! |---|---|---|---|
//! | in `source` | blob | a Parquet file | `application/vnd.apache.parquet` |
//! | out `table` | table | `(n_rows, n_columns)` | as arrow-rs maps Parquet's types |
//!
//! Views, list views, dictionaries and run-end encodings that a file's own Arrow schema asks for are read as
//! the values they stand for. `INT96` is read as a timestamp in nanoseconds. Pages may be uncompressed or compressed
//! with snappy, gzip, brotli, lz4 (either form) or zstd. Encrypted files and LZO are refused.
//!
//! A range is a run of rows. A row group of more rows than asked for is cut, small neighbours are joined, so that row
//! groups appended to a file leave all ranges but the last as they are. Reading a range fetches the footer, then only
//! pages of the columns asked for that hold its rows.
//!
//! Deterministic; asks for no capabilities.

mod codec;
mod error;
mod footer;
mod guard;
mod header;
mod maps;
mod pages;
mod range;
mod window;

use std::collections::BTreeMap;

use arrow_schema::FieldRef;
use parquet::arrow::arrow_reader::ParquetRecordBatchReader;
use parquet::arrow::{ProjectionMask, parquet_to_arrow_field_levels};
use parquet::file::metadata::RowGroupMetaData;
use pinion_sdk::{Batch, Blob, Descriptor, Range, Result, Source, TableWriter};

pub use error::Error;
use footer::Footer;
use pages::{Chunk, Chunks};
use range::Rows;

/// Most rows that are decoded at once.
const BATCH_ROWS: usize = 16_384;
/// Most values that are decoded at once, of all columns together: for so many, decoders take memory beforehand.
const BATCH_VALUES: usize = 4 << 20;

/// Reads a Parquet file.
#[derive(Debug)]
pub struct ReadParquet;

/// How to read it.
#[derive(Debug, Default, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Columns to read, in the order of the file, whatever the order here. All unless given.
    #[serde(default)]
    pub columns: Option<Vec<String>>,
}

impl Source for ReadParquet {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Reads a Parquet file.").output("table", "The file's columns.")
    }

    fn probe(params: &Params, bytes: &Blob) -> Result<Vec<FieldRef>> {
        let footer = Footer::read(bytes)?;
        let mut fields = footer.fields();
        if let Some(columns) = &params.columns {
            let kept = footer.positions(columns)?.into_iter();
            fields = kept
                .filter_map(|position| fields.get(position).cloned())
                .collect();
        }
        Ok(fields)
    }

    fn partition(_params: &Params, bytes: &Blob, rows: u64) -> Result<Vec<Range>> {
        Ok(range::cut(&Footer::read(bytes)?, rows)?)
    }

    fn read(
        _params: &Params,
        bytes: &Blob,
        range: &Range,
        columns: &[String],
        rows: &mut TableWriter,
    ) -> Result<()> {
        let footer = Footer::read(bytes)?;
        // The decoder gives columns in the order of the file.
        let roots: Vec<usize> = footer.positions(columns)?.into_iter().collect();
        let fields = footer.fields();
        let fields: Vec<&FieldRef> = roots.iter().filter_map(|root| fields.get(*root)).collect();
        for wanted in Rows::find(range, &footer)? {
            read_group(bytes, &footer, &wanted, &roots, &fields, rows)?;
        }
        Ok(())
    }
}

/// Reads rows of one group: the columns at the positions `roots` of the schema, which are these `fields`.
fn read_group(
    bytes: &Blob,
    footer: &Footer,
    wanted: &Rows,
    roots: &[usize],
    fields: &[&FieldRef],
    rows: &mut TableWriter,
) -> Result<()> {
    let group = footer.metadata.row_group(wanted.group);
    let failed = |source| Error::Group {
        group: wanted.group,
        source,
    };
    let (mut decoder, mut chunks) = decode(bytes, footer, wanted, group, roots)?;
    let batch_rows = batch_rows(chunks.len()) as u64;
    let mut found = 0;
    while found < wanted.take {
        let end = wanted.skip + wanted.take.min(found + batch_rows);
        for (position, chunk) in &mut chunks {
            chunk.load(end).map_err(|source| Error::Column {
                column: group.column(*position).column_path().string(),
                group: wanted.group,
                source,
            })?;
        }
        let Some(batch) = decoder.next() else {
            break;
        };
        let batch = batch.map_err(|error| failed(error.into()))?;
        found += batch.num_rows() as u64;
        let columns = fields.iter().zip(batch.columns());
        let columns = columns.map(|(field, values)| {
            let values =
                maps::restored(values, field.data_type()).map_err(|error| failed(error.into()))?;
            Ok((field.as_ref().clone(), values))
        });
        let columns = columns.collect::<Result<_, Error>>()?;
        rows.write(&Batch::new(batch.num_rows(), columns)?)?;
    }
    match found == wanted.take {
        true => Ok(()),
        false => Err(Error::Short {
            group: wanted.group,
            expected: wanted.take,
            found,
        }
        .into()),
    }
}

pinion_sdk::export!(ReadParquet: Source);

/// Rows that are decoded at once of so many columns.
fn batch_rows(columns: usize) -> usize {
    (BATCH_VALUES / columns.max(1)).clamp(1, BATCH_ROWS)
}

/// What decodes the rows `wanted` of `group`, the columns at the positions `roots` of the schema, in order, and
/// where it gets their pages from, by position in the group.
fn decode<'a>(
    bytes: &'a Blob,
    footer: &'a Footer,
    wanted: &Rows,
    group: &'a RowGroupMetaData,
    roots: &[usize],
) -> Result<(ParquetRecordBatchReader, BTreeMap<usize, Chunk<'a>>), Error> {
    let metadata = footer.metadata.as_ref();
    let descriptor = metadata.file_metadata().schema_descr();
    let mut chunks = BTreeMap::new();
    for (position, chunk) in group.columns().iter().enumerate() {
        let root = descriptor.get_column_root_idx(position);
        if roots.binary_search(&root).is_err() {
            continue;
        }
        let column = || chunk.column_path().string();
        if !codec::supported(chunk.compression()) {
            return Err(Error::Codec {
                column: column(),
                codec: chunk.compression().to_string(),
            });
        }
        let rows = wanted.skip..wanted.skip + wanted.take;
        let chunk = Chunk::new(bytes, chunk, rows).map_err(|source| Error::Column {
            column: column(),
            group: wanted.group,
            source,
        })?;
        chunks.insert(position, chunk);
    }
    let failed = |source| Error::Group {
        group: wanted.group,
        source,
    };
    let schema = maps::schema_without_maps(descriptor).map_err(failed)?;
    let mask = ProjectionMask::roots(&schema, roots.iter().copied());
    let hint = maps::fields_without_maps(&footer.decoded);
    let levels = parquet_to_arrow_field_levels(&schema, mask, Some(&hint)).map_err(failed)?;
    let chunks = Chunks {
        metadata,
        group,
        chunks,
    };
    let selection = Some(wanted.selection());
    let rows = batch_rows(chunks.chunks.len());
    let decoder =
        ParquetRecordBatchReader::try_new_with_row_groups(&levels, &chunks, rows, selection);
    Ok((decoder.map_err(failed)?, chunks.chunks))
}
