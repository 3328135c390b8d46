//! Tables as files that other tools read.

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::atomic::Ordering;

use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

use super::file::{Out, unwritable};
use crate::failure::{Failure, INTERRUPTED};
use crate::project::cancelled;
use crate::rows::{StoredTable, in_utc};
use crate::ui;

/// Who wrote a Parquet file, in the form that readers parse.
const CREATED_BY: &str = concat!("pinion version ", env!("CARGO_PKG_VERSION"));

/// How a table is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Parquet,
    Csv,
    Arrow,
}

impl Format {
    /// What the extension of a file says.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let extension = path.extension()?.to_str()?.to_ascii_lowercase();
        [Self::Parquet, Self::Csv, Self::Arrow]
            .into_iter()
            .find(|format| format.name() == extension)
    }

    /// The extension.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Arrow => "arrow",
        }
    }

    /// As people call it.
    pub(super) fn title(self) -> &'static str {
        match self {
            Self::Parquet => "Parquet",
            Self::Csv => "CSV",
            Self::Arrow => "Arrow",
        }
    }
}

/// Writes a table, one partition after the other.
///
/// Equal tables give equal bytes: nothing of the machine and no time is in them.
pub(super) fn write(
    stored: &StoredTable<'_>,
    format: Format,
    (path, out): (&Path, &mut Out<'_>),
    label: &str,
    quiet: bool,
) -> Result<(), Failure> {
    let nested = stored
        .schema
        .fields()
        .iter()
        .find(|field| field.data_type().is_nested());
    if let (Format::Csv, Some(field)) = (format, nested) {
        let message = format!(
            "`{label}` cannot be written as CSV\n  found column `{}` as `{}`",
            ui::harmless(field.name()),
            field.data_type()
        );
        return Err(Failure::wrong(message)
            .hint("CSV holds no nested values; write a `.parquet` or an `.arrow` file"));
    }
    let failed = |error| unwritable(path, error);
    let mut writer = Writer::begin(stored, format, out).map_err(failed)?;
    let bar = ui::bar(
        &format!("writing {label}"),
        Some(stored.table.partitions.len() as u64),
        quiet,
    );
    for batch in stored.batches() {
        if cancelled().load(Ordering::Relaxed) {
            bar.finish_and_clear();
            return Err(Failure {
                code: INTERRUPTED,
                ..Failure::wrong("stopped before the file was written")
            });
        }
        writer.write(&batch?).map_err(failed)?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    writer.finish().map_err(failed)
}

/// A file that is being written.
enum Writer<'a, 'b> {
    Parquet(Box<ArrowWriter<&'a mut Out<'b>>>),
    Csv(Box<arrow_csv::Writer<&'a mut Out<'b>>>),
    Arrow(Box<FileWriter<&'a mut Out<'b>>>),
}

impl<'a, 'b> Writer<'a, 'b> {
    fn begin(stored: &StoredTable<'_>, format: Format, out: &'a mut Out<'b>) -> io::Result<Self> {
        Ok(match format {
            Format::Parquet => {
                let properties = WriterProperties::builder()
                    .set_created_by(CREATED_BY.to_owned())
                    .set_compression(Compression::SNAPPY)
                    .build();
                let writer = ArrowWriter::try_new(out, stored.schema.clone(), Some(properties))
                    .map_err(other)?;
                Self::Parquet(Box::new(writer))
            }
            Format::Csv => {
                let mut writer = arrow_csv::Writer::new(out);
                // A table without partitions has a header all the same.
                let empty = in_utc(&RecordBatch::new_empty(stored.schema.clone()));
                empty
                    .and_then(|empty| writer.write(&empty))
                    .map_err(other)?;
                Self::Csv(Box::new(writer))
            }
            Format::Arrow => Self::Arrow(Box::new(
                FileWriter::try_new(out, &stored.schema).map_err(other)?,
            )),
        })
    }

    fn write(&mut self, batch: &RecordBatch) -> io::Result<()> {
        match self {
            Self::Parquet(writer) => writer.write(batch).map_err(other),
            Self::Csv(writer) => in_utc(batch)
                .and_then(|batch| writer.write(&batch))
                .map_err(other),
            Self::Arrow(writer) => writer.write(batch).map_err(other),
        }
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Parquet(writer) => writer.close().map(drop).map_err(other),
            // Every batch was flushed.
            Self::Csv(_) => Ok(()),
            Self::Arrow(mut writer) => writer.finish().map_err(other),
        }
    }
}

fn other(error: impl Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}
