//! What came out, beside what was expected.

use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, Schema};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use pinion_runtime::arrow::chunk::canonical_type;
use pinion_runtime::arrow::type_name;
use serde::Serialize;

use crate::failure::Failure;
use crate::file;
use crate::rows::in_utc;

/// One difference.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Difference {
    /// The output port; none if it is about the step as a whole.
    pub(super) port: Option<String>,
    /// `columns`, `types`, `rows`, `value`, `bytes`, `error`, `outcome`.
    pub(super) what: &'static str,
    /// The column.
    pub(super) column: Option<String>,
    /// The row, counted from 0 as everywhere; of a blob that is text the line, counted from 1.
    pub(super) row: Option<usize>,
    pub(super) expected: String,
    pub(super) found: String,
}

impl Difference {
    /// One that is about the step as a whole.
    pub(super) fn of_step(what: &'static str, expected: &str, found: &str) -> Self {
        Self {
            port: None,
            what,
            column: None,
            row: None,
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }
}

/// A table as text: what a person reads of it, and what is compared.
pub(super) struct Cells {
    rows: usize,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    /// None if the file does not say.
    data_type: Option<DataType>,
    /// None for null.
    values: Vec<Option<String>>,
}

impl Cells {
    /// The rows of batches.
    pub(super) fn of(schema: &Schema, batches: &[RecordBatch]) -> Result<Self, ArrowError> {
        let batches: Vec<RecordBatch> = batches.iter().map(in_utc).collect::<Result<_, _>>()?;
        let column = |(at, field): (usize, &Arc<Field>)| -> Result<Column, ArrowError> {
            let mut values = Vec::new();
            for batch in &batches {
                values.extend(texts(batch.column(at))?);
            }
            Ok(Column {
                name: field.name().clone(),
                data_type: Some(canonical_type(field.data_type())),
                values,
            })
        };
        let columns = schema.fields().iter().enumerate().map(column);
        Ok(Self {
            rows: batches.iter().map(RecordBatch::num_rows).sum(),
            columns: columns.collect::<Result<_, _>>()?,
        })
    }

    /// The table in a file: `.csv`, `.parquet` or `.arrow`.
    pub(super) fn read(path: &Path) -> Result<Self, Failure> {
        let open = || {
            let opened = file::open(path).map(cap_std::fs::File::into_std);
            opened.map_err(|error| Failure::on_path("read", path.display(), error))
        };
        let bad = |error: &dyn std::fmt::Display| {
            Failure::wrong(format!("`{}` holds no table: {error}", path.display()))
        };
        let extension = path.extension().unwrap_or_default().to_string_lossy();
        let (schema, batches) = match extension.as_ref() {
            "csv" => return Self::read_csv(path),
            "parquet" => {
                let reader = ParquetRecordBatchReaderBuilder::try_new(open()?)
                    .and_then(ParquetRecordBatchReaderBuilder::build)
                    .map_err(|error| bad(&error))?;
                (
                    arrow_array::RecordBatchReader::schema(&reader),
                    reader.collect::<Result<Vec<_>, _>>(),
                )
            }
            "arrow" => {
                let reader = arrow_ipc::reader::FileReader::try_new(open()?, None)
                    .map_err(|error| bad(&error))?;
                (reader.schema(), reader.collect::<Result<Vec<_>, _>>())
            }
            _ => {
                return Err(Failure::wrong(format!(
                    "`{}` is expected of a table\n  expected `.csv`, `.parquet` or `.arrow`",
                    path.display()
                )));
            }
        };
        let batches = batches.map_err(|error| bad(&error))?;
        Self::of(&schema, &batches).map_err(|error| bad(&error))
    }

    /// A CSV file with a header. It does not tell null from an empty text, nor say of which types its columns
    /// are.
    fn read_csv(path: &Path) -> Result<Self, Failure> {
        let bytes = file::read(path, file::MOST_FIXTURE_BYTES)
            .map_err(|error| Failure::on_path("read", path.display(), error))?;
        let bad = |error: ArrowError| {
            Failure::wrong(format!("`{}` holds no table: {error}", path.display()))
        };
        let format = arrow_csv::reader::Format::default().with_header(true);
        let (inferred, _) = format.infer_schema(&bytes[..], Some(0)).map_err(bad)?;
        let text = |field: &Arc<Field>| Field::new(field.name(), DataType::Utf8, true);
        let schema = Arc::new(Schema::new(
            inferred.fields().iter().map(text).collect::<Vec<_>>(),
        ));
        let reader = arrow_csv::ReaderBuilder::new(Arc::clone(&schema))
            .with_format(format)
            .build(&bytes[..])
            .map_err(bad)?;
        let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().map_err(bad)?;
        let mut cells = Self::of(&schema, &batches).map_err(bad)?;
        for column in &mut cells.columns {
            column.data_type = None;
        }
        Ok(cells)
    }

    /// What differs from what is expected, at most `most` values of it, and how many values do.
    pub(super) fn differences(
        &self,
        port: &str,
        expected: &Self,
        most: usize,
    ) -> (Vec<Difference>, usize) {
        let difference =
            |what, column: Option<&Column>, row, expected: String, found: String| Difference {
                port: Some(port.to_owned()),
                what,
                column: column.map(|column| column.name.clone()),
                row,
                expected,
                found,
            };
        let names = |cells: &Self| {
            let names = cells.columns.iter().map(|column| column.name.as_str());
            names.collect::<Vec<_>>().join(", ")
        };
        if names(self) != names(expected) {
            let of = difference("columns", None, None, names(expected), names(self));
            return (vec![of], 1);
        }
        let mut differences = Vec::new();
        let mut count = 0;
        if self.rows != expected.rows {
            let (wanted, found) = (expected.rows.to_string(), self.rows.to_string());
            differences.push(difference("rows", None, None, wanted, found));
            count += 1;
        }
        for (found, wanted) in self.columns.iter().zip(&expected.columns) {
            if let (Some(data_type), Some(other)) = (&found.data_type, &wanted.data_type)
                && data_type != other
            {
                let names = (type_name(other), type_name(data_type));
                differences.push(difference("types", Some(found), None, names.0, names.1));
                count += 1;
            }
        }
        // Row by row, as people read.
        let alike: Vec<Vec<bool>> = self
            .columns
            .iter()
            .zip(&expected.columns)
            .map(|(found, wanted)| found.alike(wanted))
            .collect();
        for row in 0..self.rows.min(expected.rows) {
            for (at, column) in self.columns.iter().enumerate() {
                if alike[at].get(row) == Some(&true) {
                    continue;
                }
                count += 1;
                if differences.len() < most {
                    let shown = |column: &Column| shown(column.values.get(row));
                    let (wanted, found) = (shown(&expected.columns[at]), shown(column));
                    let row = Some(row);
                    differences.push(difference("value", Some(column), row, wanted, found));
                }
            }
        }
        (differences, count)
    }
}

impl Column {
    /// For each value, whether it is what `expected` says. Text that was written otherwise by hand, as `1`
    /// for `1.0`, is the same value.
    fn alike(&self, expected: &Self) -> Vec<bool> {
        let typed = expected.data_type.is_some();
        let read = match (&self.data_type, typed) {
            (Some(data_type), false) => read_as(&expected.values, data_type),
            _ => None,
        };
        let pairs = self.values.iter().zip(&expected.values).enumerate();
        let alike = |(at, (found, wanted)): (usize, (&Option<String>, &Option<String>))| {
            let read = || {
                read.as_ref()
                    .and_then(|read| read.get(at))
                    .cloned()
                    .flatten()
            };
            match (found, wanted) {
                (found, wanted) if found == wanted => true,
                (Some(found), None) => !typed && found.is_empty(),
                (Some(found), Some(_)) => read().as_ref() == Some(found),
                (None, _) => false,
            }
        };
        pairs.map(alike).collect()
    }
}

/// Text as values of a type and back, with nulls for what is no value.
fn read_as(values: &[Option<String>], data_type: &DataType) -> Option<Vec<Option<String>>> {
    let text: ArrayRef = Arc::new(values.iter().map(Option::as_deref).collect::<StringArray>());
    let options = CastOptions {
        safe: true,
        ..CastOptions::default()
    };
    let read = cast_with_options(&text, data_type, &options).ok()?;
    texts(&read).ok()
}

fn texts(array: &dyn Array) -> Result<Vec<Option<String>>, ArrowError> {
    let options = FormatOptions::default();
    let formatter = ArrayFormatter::try_new(array, &options)?;
    let text = |row| match array.is_null(row) {
        true => Ok(None),
        false => formatter.value(row).try_to_string().map(Some),
    };
    (0..array.len()).map(text).collect()
}

fn shown(value: Option<&Option<String>>) -> String {
    match value {
        Some(Some(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Some(text)) => text.clone(),
        _ => "null".to_owned(),
    }
}

/// Where two blobs differ first: in text at a line, else at a byte.
pub(super) fn bytes(port: &str, expected: &[u8], found: &[u8]) -> Option<Difference> {
    if expected == found {
        return None;
    }
    let difference = |row, expected, found| Difference {
        port: Some(port.to_owned()),
        what: "bytes",
        column: None,
        row,
        expected,
        found,
    };
    if let (Ok(wanted), Ok(text)) = (std::str::from_utf8(expected), std::str::from_utf8(found)) {
        let lines = |text: &str| text.split('\n').map(str::to_owned).collect::<Vec<_>>();
        let (wanted, text) = (lines(wanted), lines(text));
        let at = wanted
            .iter()
            .zip(&text)
            .position(|(left, right)| left != right);
        let at = at.unwrap_or_else(|| wanted.len().min(text.len()));
        let line = |lines: &[String]| {
            lines
                .get(at)
                .cloned()
                .unwrap_or_else(|| "the end".to_owned())
        };
        return Some(difference(Some(at + 1), line(&wanted), line(&text)));
    }
    let at = expected
        .iter()
        .zip(found)
        .position(|(left, right)| left != right);
    let at = at.unwrap_or_else(|| expected.len().min(found.len()));
    let tell = |bytes: &[u8]| match bytes.get(at) {
        Some(byte) => format!("{byte:#04x} at byte {at} of {}", bytes.len()),
        None => format!("the end at byte {at}"),
    };
    Some(difference(None, tell(expected), tell(found)))
}
