//! Writes a table as a Parquet file.
//!
//! | port | kind | shape | type |
//! |---|---|---|---|
//! | in `rows` | table | `(n_rows, n_columns)`, at least one column | any but those below |
//! | out `file` | blob | a Parquet file | `application/vnd.apache.parquet` |
//!
//! To have the file outside of Pinion: `pinion export STEP -o rows.parquet`.
//!
//! **Equal tables are equal bytes**, however they are cut into batches and partitions: row groups have
//! `row_group_rows` rows, pages and dictionaries end at multiples of 1024 rows of a group, and no time, host or random
//! number is in the file. Columns are dictionary-encoded where that is shorter, and have statistics and a page
//! index.
//!
//! The Arrow schema is kept beside Parquet's own, so that what reads it gives back each type as it was; only Arrow's
//! dictionaries become the values they stand for. Parquet has no times in seconds, no `date64`, no intervals and no
//! structs without fields: columns of these are refused, and have to be cast or left out.
//!
//! Reads all columns of the rows, once, and holds one row group as it is encoded. Deterministic; asks for no
//! capabilities.

mod sink;

use std::sync::Arc;

use arrow_array::{RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, FieldRef, Schema, SchemaRef, TimeUnit};
use parquet::arrow::arrow_writer::ArrowWriterOptions;
use parquet::arrow::{
    ARROW_SCHEMA_META_KEY, ArrowSchemaConverter, ArrowWriter, encode_arrow_schema,
};
use parquet::basic;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use pinion_sdk::{
    Batch, BlobWriter, Descriptor, Error, Inputs, Outputs, Result, Shape, Shapes, Table, WholeTable,
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::sink::Sink;

/// What the bytes are.
const MEDIA_TYPE: &str = "application/vnd.apache.parquet";

/// Who wrote the file, in the form that readers parse.
const CREATED_BY: &str = concat!("pinion version ", env!("CARGO_PKG_VERSION"));

/// Rows that are encoded at once, whatever batches they came in: the encoder looks whether a page or a dictionary is
/// full after every 1024 rows of what it is given, and at its end.
const PIECE_ROWS: u64 = 8192;

/// Writes a table as a Parquet file.
#[derive(Debug)]
pub struct WriteParquet;

/// How to write it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// How pages are compressed: `snappy` or `none`. Snappy unless given.
    compression: Compression,
    /// Rows of a row group, of which the last may have fewer. 131,072 unless given. Readers skip and share out
    /// whole groups; the step holds one in memory.
    row_group_rows: u32,
}

/// How pages are compressed.
#[derive(Clone, Copy, Debug, Default, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Compression {
    /// Quickly, to perhaps half.
    #[default]
    Snappy,
    /// Not at all.
    None,
}

impl Default for Params {
    fn default() -> Self {
        Params {
            compression: Compression::default(),
            row_group_rows: 131_072,
        }
    }
}

impl WholeTable for WriteParquet {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Writes a table as a Parquet file.")
            .input("rows", "The rows to write, with all columns.")
            .output_blob("file", MEDIA_TYPE, "The Parquet file.")
    }

    fn check(params: Params, inputs: &Shapes) -> Result<Vec<Shape>> {
        if params.row_group_rows == 0 {
            return Err(Error::bad_params("`row_group_rows` must be above 0"));
        }
        let fields = inputs.table("rows")?.fields();
        if fields.is_empty() {
            return Err(Error::bad_data(
                "a table without columns cannot be written as Parquet",
            ));
        }
        fields.iter().try_for_each(check)?;
        Ok(vec![Shape::blob("file", MEDIA_TYPE)])
    }

    fn run(params: &Params, inputs: &Inputs, outputs: &mut Outputs) -> Result<()> {
        write(params, inputs.table("rows")?, outputs.blob("file")?)
    }
}

pinion_sdk::export!(WriteParquet: WholeTable);

/// Refuses a column that Parquet has no type for, or none that gives it back as it was.
fn check(field: &FieldRef) -> Result<()> {
    let reason = unwritable(field.data_type()).or_else(|| {
        let alone = Schema::new(vec![Arc::clone(field)]);
        let converted = ArrowSchemaConverter::new().convert(&alone);
        converted.err().map(|error| error.to_string())
    });
    let Some(reason) = reason else { return Ok(()) };
    let name = field.name();
    let message = format!("column `{name}` cannot be written as Parquet: {reason}");
    Err(Error::new("wrong-type", message)
        .with("column", name)
        .with("found", field.data_type())
        .with(
            "hint",
            "cast the column with `std:cast-columns`, or leave it out with `std:select-columns`",
        ))
}

/// What is in the type that would come back as something else.
fn unwritable(data_type: &DataType) -> Option<String> {
    let what = match data_type {
        DataType::Interval(_) => "intervals",
        DataType::Date64 => "`date64`",
        DataType::Time32(TimeUnit::Second) | DataType::Timestamp(TimeUnit::Second, _) => {
            "times in seconds"
        }
        DataType::Struct(fields) if fields.is_empty() => "structs without fields",
        DataType::Struct(fields) => {
            let fields = fields.iter().map(|field| field.data_type());
            return fields.into_iter().find_map(unwritable);
        }
        DataType::List(item)
        | DataType::LargeList(item)
        | DataType::FixedSizeList(item, _)
        | DataType::Map(item, _) => return unwritable(item.data_type()),
        DataType::Dictionary(_, values) => return unwritable(values),
        _ => return None,
    };
    Some(format!("it has no type for {what}"))
}

/// The field with every dictionary replaced by what it holds.
fn plain(field: &FieldRef) -> FieldRef {
    let data_type = match field.data_type() {
        DataType::Dictionary(_, values) => {
            let values = Field::new("", values.as_ref().clone(), true);
            plain(&Arc::new(values)).data_type().clone()
        }
        DataType::List(item) => DataType::List(plain(item)),
        DataType::LargeList(item) => DataType::LargeList(plain(item)),
        DataType::FixedSizeList(item, length) => DataType::FixedSizeList(plain(item), *length),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(plain).collect()),
        DataType::Map(entries, sorted) => DataType::Map(plain(entries), *sorted),
        _ => return Arc::clone(field),
    };
    Arc::new(field.as_ref().clone().with_data_type(data_type))
}

fn write(params: &Params, rows: &Table, to: &mut BlobWriter) -> Result<()> {
    let schema: SchemaRef = Arc::new(Schema::new(rows.schema()?));
    let compression = match params.compression {
        Compression::Snappy => basic::Compression::SNAPPY,
        Compression::None => basic::Compression::UNCOMPRESSED,
    };
    let plain = schema.fields().iter().map(plain).collect::<Vec<_>>();
    let arrow_schema = encode_arrow_schema(&Schema::new(plain));
    let properties = WriterProperties::builder()
        .set_created_by(CREATED_BY.to_owned())
        .set_compression(compression)
        .set_max_row_group_row_count(Some(params.row_group_rows as usize))
        .set_key_value_metadata(Some(vec![KeyValue::new(
            ARROW_SCHEMA_META_KEY.to_owned(),
            arrow_schema,
        )]))
        .build();
    let options = ArrowWriterOptions::new()
        .with_properties(properties)
        .with_skip_arrow_metadata(true);
    let mut writer = ArrowWriter::try_new_with_options(Sink::new(to), Arc::clone(&schema), options)
        .map_err(refusal)?;
    pieces(rows, |piece| {
        let piece = record_batch(&schema, &piece)?;
        let written = writer.write(&piece);
        written.map_err(|error| writer.inner().refused().unwrap_or_else(|| refusal(error)))
    })?;
    let finished = writer.finish();
    finished.map_err(|error| writer.inner().refused().unwrap_or_else(|| refusal(error)))?;
    Ok(())
}

/// Hands over the rows, [`PIECE_ROWS`] at a time.
fn pieces(rows: &Table, mut each: impl FnMut(Batch) -> Result<()>) -> Result<()> {
    let mut held: Vec<Batch> = Vec::new();
    let mut missing = PIECE_ROWS;
    let mut hand_over = |held: &mut Vec<Batch>| match held.pop() {
        Some(only) if held.is_empty() => each(only),
        Some(last) => {
            held.push(last);
            let piece = Batch::concat(held)?;
            held.clear();
            each(piece)
        }
        None => Ok(()),
    };
    for batch in rows.batches() {
        let mut start = 0;
        while start < batch.rows() {
            let length = missing.min(batch.rows() - start);
            held.push(batch.slice(start, length)?);
            start += length;
            missing -= length;
            if missing == 0 {
                hand_over(&mut held)?;
                missing = PIECE_ROWS;
            }
        }
    }
    hand_over(&mut held)
}

/// Every column of a batch.
fn record_batch(schema: &SchemaRef, batch: &Batch) -> Result<RecordBatch> {
    let columns = schema
        .fields()
        .iter()
        .map(|field| batch.array(field.name()));
    let columns = columns.collect::<Result<Vec<_>>>()?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.rows() as usize));
    Ok(RecordBatch::try_new_with_options(
        Arc::clone(schema),
        columns,
        &options,
    )?)
}

fn refusal(error: ParquetError) -> Error {
    Error::bad_data(format!("the table cannot be written as Parquet: {error}"))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
