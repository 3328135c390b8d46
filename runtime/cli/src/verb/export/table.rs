//! Tables as files that other tools read.

mod dictionaries;
mod parquet;

use std::error::Error;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use ::parquet::arrow::ArrowWriter;
use ::parquet::basic::Compression;
use ::parquet::file::properties::WriterProperties;
use arrow_array::RecordBatch;
use arrow_ipc::writer::FileWriter;
use arrow_schema::SchemaRef;
use pinion_runtime::arrow::type_name;

use self::dictionaries::Dictionaries;
use crate::failure::{Failure, INTERRUPTED};
use crate::file::{Out, unwritable};
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
            type_name(field.data_type())
        );
        return Err(Failure::wrong(message)
            .hint("CSV holds no nested values; write a `.parquet` or an `.arrow` file"));
    }
    let failed = |error| unwritable(path, error);
    let mut writer = Writer::begin(stored, format, out, (path, label))?;
    let bar = ui::bar(
        &format!("writing {label}"),
        Some(stored.table.partitions.len() as u64),
        quiet,
    );
    for (position, batch) in stored.batches().enumerate() {
        if cancelled().load(Ordering::Relaxed) {
            bar.finish_and_clear();
            return Err(Failure {
                code: INTERRUPTED,
                ..Failure::wrong("stopped before the file was written")
            });
        }
        writer.write(&batch?, position, (path, label))?;
        bar.inc(1);
    }
    bar.finish_and_clear();
    writer.finish().map_err(failed)
}

/// A file that is being written.
enum Writer<'a, 'b> {
    Parquet(Box<ArrowWriter<&'a mut Out<'b>>>, SchemaRef),
    Csv(Box<arrow_csv::Writer<&'a mut Out<'b>>>),
    Arrow(Box<FileWriter<&'a mut Out<'b>>>, Dictionaries),
}

impl<'a, 'b> Writer<'a, 'b> {
    fn begin(
        stored: &StoredTable<'_>,
        format: Format,
        out: &'a mut Out<'b>,
        (path, label): (&Path, &str),
    ) -> Result<Self, Failure> {
        let failed = |error| unwritable(path, error);
        Ok(match format {
            Format::Parquet => {
                let schema = parquet::file_schema(&stored.schema, label)?;
                let properties = WriterProperties::builder()
                    .set_created_by(CREATED_BY.to_owned())
                    .set_compression(Compression::SNAPPY)
                    .build();
                let writer = ArrowWriter::try_new(out, Arc::clone(&schema), Some(properties));
                Self::Parquet(Box::new(writer.map_err(other).map_err(failed)?), schema)
            }
            Format::Csv => {
                let mut writer = arrow_csv::Writer::new(out);
                // A table without partitions has a header all the same.
                let empty = in_utc(&RecordBatch::new_empty(stored.schema.clone()));
                empty
                    .and_then(|empty| writer.write(&empty))
                    .map_err(other)
                    .map_err(failed)?;
                Self::Csv(Box::new(writer))
            }
            Format::Arrow => {
                let dictionaries = Dictionaries::of(stored)?;
                let writer = FileWriter::try_new(out, &dictionaries.schema);
                Self::Arrow(
                    Box::new(writer.map_err(other).map_err(failed)?),
                    dictionaries,
                )
            }
        })
    }

    /// Writes the partition at `position`.
    fn write(
        &mut self,
        batch: &RecordBatch,
        position: usize,
        (path, label): (&Path, &str),
    ) -> Result<(), Failure> {
        let written = match self {
            Self::Parquet(writer, schema) => {
                let rows = parquet::file_rows(batch, schema, label)?;
                writer.write(&rows).map_err(other)
            }
            Self::Csv(writer) => in_utc(batch)
                .and_then(|batch| writer.write(&batch))
                .map_err(other),
            Self::Arrow(writer, dictionaries) => dictionaries
                .apply(batch, position)
                .and_then(|batch| writer.write(&batch))
                .map_err(other),
        };
        written.map_err(|error| unwritable(path, error))
    }

    fn finish(self) -> io::Result<()> {
        match self {
            Self::Parquet(writer, _) => writer.close().map(drop).map_err(other),
            // Every batch was flushed.
            Self::Csv(_) => Ok(()),
            Self::Arrow(mut writer, _) => writer.finish().map_err(other),
        }
    }
}

fn other(error: impl Error + Send + Sync + 'static) -> io::Error {
    io::Error::other(error)
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use arrow_array::{Array as _, ArrayRef, StringArray, TimestampSecondArray};
    use arrow_schema::{DataType, Field, TimeUnit};
    use cap_std::ambient_authority;
    use cap_std::fs::Dir;
    use pinion_runtime::arrow::chunk::canonical;
    use pinion_runtime::store::Store;
    use pinion_runtime::table::{Chunk, Partition, Place, Table};

    use super::*;

    /// A table of these partitions.
    pub(super) fn stored<'a>(
        store: &'a Store,
        fields: &[Field],
        partitions: &[Vec<ArrayRef>],
    ) -> StoredTable<'a> {
        let partition = |arrays: &Vec<ArrayRef>| {
            let columns = fields.iter().zip(arrays);
            let columns: Vec<_> = columns
                .map(|(field, array)| canonical(field, &[Arc::clone(array)]).unwrap())
                .collect();
            let file = store.put_chunks(fields, &columns).unwrap();
            let chunk = |(column, digest)| Chunk {
                digest,
                place: Place::Stored {
                    file: file.file,
                    column,
                },
            };
            Arc::new(Partition {
                rows: columns[0].len() as u64,
                columns: (0..).zip(file.chunks.iter().copied()).map(chunk).collect(),
            })
        };
        let table = Table {
            fields: fields.iter().cloned().map(Arc::new).collect(),
            partitions: partitions.iter().map(partition).collect(),
        };
        StoredTable::open(store, &store.put_table(&table).unwrap()).unwrap()
    }

    /// The file that a table of these partitions is written to.
    pub(super) fn exported(
        fields: &[Field],
        partitions: &[Vec<ArrayRef>],
        format: Format,
    ) -> Vec<u8> {
        let directory = tempfile::tempdir().unwrap();
        let open = |path: &Path| Dir::open_ambient_dir(path, ambient_authority()).unwrap();
        std::fs::create_dir(directory.path().join("store")).unwrap();
        let store = Store::open(
            open(&directory.path().join("store")),
            crate::key::for_once().unwrap(),
        )
        .unwrap();
        let stored = stored(&store, fields, partitions);
        let path = directory.path().join("out");
        let bytes = crate::file::replace(&path, |out| {
            write(&stored, format, (&path, out), "a.rows", true)
        });
        let written = std::fs::read(&path).unwrap();
        assert_eq!(bytes.unwrap(), written.len() as u64);
        written
    }

    /// A table of text and of points in time in a named zone.
    fn text_and_time(partitions: usize, format: Format) -> Vec<u8> {
        let time = DataType::Timestamp(TimeUnit::Second, Some("America/New_York".into()));
        let fields = [
            Field::new("na\"me", DataType::Utf8, true),
            Field::new("time", time, true),
        ];
        let names = StringArray::from(vec![Some("a,b"), None]);
        let times = TimestampSecondArray::from(vec![Some(0), None]);
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(names),
            Arc::new(times.with_timezone("America/New_York")),
        ];
        exported(&fields, &vec![arrays; partitions], format)
    }

    #[test]
    fn csv_has_a_header_quotes_and_points_in_time_in_utc() {
        let text = |partitions| String::from_utf8(text_and_time(partitions, Format::Csv)).unwrap();
        assert_eq!(text(0), "\"na\"\"me\",time\n");
        let rows = "\"a,b\",1970-01-01T00:00:00Z\n,\n";
        assert_eq!(text(2), format!("\"na\"\"me\",time\n{rows}{rows}"));
    }

    #[test]
    fn equal_tables_give_equal_bytes() {
        for format in [Format::Parquet, Format::Csv, Format::Arrow] {
            for partitions in [0, 1, 3] {
                let twice = [(); 2].map(|()| text_and_time(partitions, format));
                assert_eq!(twice[0], twice[1]);
            }
        }
    }
}
