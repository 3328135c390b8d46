//! `pinion export`.

mod table;

use std::io::Write as _;
use std::path::Path;

use pinion_runtime::record::Artifact;
use pinion_runtime::source::media_type;
use pinion_runtime::unit::Blob;
use serde::Serialize;

use self::table::Format;
use crate::args::Export;
use crate::failure::{DONE, Failure};
use crate::file;
use crate::lookup;
use crate::project::{Project, end_in_good_order};
use crate::rows::StoredTable;
use crate::standing;
use crate::ui;

/// What `pinion export --json` prints.
#[derive(Serialize)]
struct Summary {
    run: String,
    step: String,
    port: String,
    digest: String,
    file: String,
    /// `parquet`, `csv`, `arrow`, or the media type of a blob.
    format: String,
    /// Null for a blob.
    rows: Option<u64>,
    /// Of the file.
    bytes: u64,
}

/// Writes a table or a blob to a file.
pub(crate) fn export(args: &Export) -> Result<u8, Failure> {
    let project = Project::open_to_read(&args.place)?;
    let named = lookup::arguments(&project, &args.what)?;
    let run = &named.run;
    let Some(name) = named.step else {
        return Err(Failure::wrong(format!(
            "no step of run `{}` is named\n  expected STEP or STEP.PORT",
            run.start.id
        ))
        .hint("to see its steps, run `pinion show`"));
    };
    let step = name.find(run)?;
    let output = lookup::output(step, name.port)?;
    standing::tell(&project.store, run)?;
    let label = format!("{}.{}", step.name, output.port);
    let (digest, format, rows, bytes) = match &output.artifact {
        Artifact::Table(table) => {
            let format = table_format(&args.output)?;
            let stored = StoredTable::open(&project.store, &table.digest)?;
            // A file that is half written is taken away again.
            end_in_good_order();
            let write = |out: &mut file::Out<'_>| {
                table::write(
                    &stored,
                    format,
                    (&args.output, out),
                    &label,
                    args.place.json,
                )
            };
            (
                table.digest,
                format.name().to_owned(),
                Some(table.rows),
                file::replace(&args.output, write)?,
            )
        }
        Artifact::Blob(blob) => {
            check_blob(blob, &args.output, &label)?;
            let bytes = project.store.blob(&blob.digest).map_err(lookup::gone)?;
            let write = |out: &mut file::Out<'_>| {
                out.write_all(&bytes)
                    .map_err(|error| file::unwritable(&args.output, error))
            };
            (
                blob.digest,
                blob.media_type.clone(),
                None,
                file::replace(&args.output, write)?,
            )
        }
    };
    let summary = Summary {
        run: run.start.id.to_string(),
        step: step.name.to_string(),
        port: output.port.clone(),
        digest: digest.to_string(),
        file: args.output.display().to_string(),
        format,
        rows,
        bytes,
    };
    if args.place.json {
        ui::json(&summary)?;
    } else {
        let rows = summary
            .rows
            .map(|rows| format!("{}, ", ui::counted(rows, "row")))
            .unwrap_or_default();
        ui::note(&format!(
            "wrote `{label}`: {rows}{} to {}",
            ui::bytes(bytes),
            summary.file
        ));
    }
    Ok(DONE)
}

/// Writes a table to a file whose extension says how, and gives its length in bytes.
pub(crate) fn write_table(
    stored: &StoredTable<'_>,
    path: &Path,
    label: &str,
) -> Result<u64, Failure> {
    let format = table_format(path)?;
    file::replace(path, |out| {
        table::write(stored, format, (path, out), label, true)
    })
}

fn table_format(path: &Path) -> Result<Format, Failure> {
    Format::of(path).ok_or_else(|| {
        let found = path.extension().map_or_else(|| "none".to_owned(), |found| format!("`.{}`", found.display()));
        Failure::wrong(format!(
            "the extension of the file does not say how to write a table\n  expected `.parquet`, `.csv` or `.arrow`\n  found    {found}"
        ))
    })
}

/// Refuses a name that promises a table, unless that is what the bytes are.
fn check_blob(blob: &Blob, path: &Path, label: &str) -> Result<(), Failure> {
    match Format::of(path) {
        Some(format) if media_type(&format!("x.{}", format.name())) != blob.media_type => {
            Err(Failure::wrong(format!(
                "`{label}` is a blob and cannot be written as {}\n  found {}",
                format.title(),
                ui::harmless(&blob.media_type)
            ))
            .hint("to write its bytes as they are, give the file another extension"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use pinion_runtime::digest::Digest;

    use super::*;

    #[test]
    fn extensions_say_how_tables_are_written() {
        assert_eq!(
            table_format(Path::new("a/b.Parquet")).unwrap(),
            Format::Parquet
        );
        assert_eq!(table_format(Path::new("b.x.csv")).unwrap(), Format::Csv);
        assert_eq!(table_format(Path::new("b.arrow")).unwrap(), Format::Arrow);
        let message = |path: &str| table_format(Path::new(path)).unwrap_err().error.to_string();
        assert!(
            message("b.xlsx").ends_with("found    `.xlsx`"),
            "{}",
            message("b.xlsx")
        );
        assert!(
            message("parquet").ends_with("found    none"),
            "{}",
            message("parquet")
        );
    }

    #[test]
    fn blobs_are_not_called_tables() {
        let blob = |media_type: &str| Blob {
            digest: Digest::of(b""),
            len: 0,
            media_type: media_type.to_owned(),
        };
        let allowed =
            |blob: &Blob, path: &str| check_blob(blob, Path::new(path), "fit.model").is_ok();
        assert!(allowed(&blob("application/json"), "model.json"));
        assert!(allowed(&blob("application/json"), "model"));
        assert!(!allowed(&blob("application/json"), "model.parquet"));
        assert!(!allowed(&blob("application/json"), "model.CSV"));
        assert!(allowed(&blob("text/csv"), "report.csv"));
    }
}
