//! What came out of a port: the first rows of a table, or the text of a blob.

use arrow_array::RecordBatch;
use arrow_cast::display::FormatOptions;
use arrow_cast::pretty::pretty_format_batches_with_options;
use arrow_json::writer::{LineDelimited, WriterBuilder};
use arrow_schema::ArrowError;
use pinion_runtime::arrow::type_name;
use pinion_runtime::record::{Artifact, OutputRecord, RunRecord, StepRecord, TableSummary};
use pinion_runtime::store::Store;
use pinion_runtime::unit::Blob;
use serde::Serialize;
use serde_json::value::RawValue;

use super::page::{facts, section, text_section};
use crate::args::Show;
use crate::failure::Failure;
use crate::lookup::gone;
use crate::rows::{StoredTable, in_utc};
use crate::ui;

/// Most bytes of a text that are shown.
const SHOWN_BYTES: usize = 4096;

/// What `pinion show STEP.PORT --json` prints for a table.
#[derive(Serialize)]
struct TableView {
    run: String,
    step: String,
    port: String,
    kind: &'static str,
    digest: String,
    rows: u64,
    partitions: u64,
    schema: Vec<FieldView>,
    /// One object for each row, its members in the order of the schema.
    first_rows: Vec<Box<RawValue>>,
}

#[derive(Serialize)]
struct FieldView {
    name: String,
    #[serde(rename = "type")]
    data_type: String,
    nullable: bool,
}

/// What `pinion show STEP.PORT --json` prints for a blob.
#[derive(Serialize)]
struct BlobView {
    run: String,
    step: String,
    port: String,
    kind: &'static str,
    digest: String,
    media_type: String,
    bytes: u64,
    /// The beginning, if it is text.
    text: Option<String>,
    /// Whether `text` is less than all of it.
    cut: bool,
}

/// Shows what came out of a port.
pub(super) fn show(
    store: &Store,
    run: &RunRecord,
    step: &StepRecord,
    output: &OutputRecord,
    args: &Show,
) -> Result<(), Failure> {
    match &output.artifact {
        Artifact::Table(table) => show_table(store, run, (step, &output.port), table, args),
        Artifact::Blob(blob) => show_blob(store, run, (step, &output.port), blob, args.place.json),
    }
}

fn show_table(
    store: &Store,
    run: &RunRecord,
    of: (&StepRecord, &str),
    table: &TableSummary,
    args: &Show,
) -> Result<(), Failure> {
    let (step, port) = of;
    let stored = StoredTable::open(store, &table.digest)?;
    if args.place.json {
        let first: Result<Vec<_>, _> = stored.first(args.rows)?.iter().map(in_utc).collect();
        let first = first.map_err(|error| unreadable(&error))?;
        let field = |field: &arrow_schema::FieldRef| FieldView {
            name: field.name().clone(),
            data_type: type_name(field.data_type()),
            nullable: field.is_nullable(),
        };
        return ui::json(&TableView {
            run: run.start.id.to_string(),
            step: step.name.to_string(),
            port: port.to_owned(),
            kind: "table",
            digest: table.digest.to_string(),
            rows: table.rows,
            partitions: table.partitions,
            schema: stored.schema.fields().iter().map(field).collect(),
            first_rows: objects(&first).map_err(|error| unreadable(&error))?,
        });
    }
    facts(&[
        ("table", format!("{}.{port}", step.name)),
        ("run", run.start.id.to_string()),
        ("digest", table.digest.to_string()),
        ("rows", table.rows.to_string()),
        ("partitions", table.partitions.to_string()),
    ]);
    show_rows(&stored, args.rows)
}

/// Shows the schema and the first rows of a table.
pub(crate) fn show_rows(stored: &StoredTable<'_>, rows: usize) -> Result<(), Failure> {
    let field = |field: &arrow_schema::FieldRef| {
        let nullable = if field.is_nullable() { "nullable" } else { "" };
        vec![
            field.name().clone(),
            type_name(field.data_type()),
            nullable.to_owned(),
        ]
    };
    section("schema", stored.schema.fields().iter().map(field).collect());
    if rows == 0 {
        return Ok(());
    }
    let first: Result<Vec<_>, _> = stored.first(rows)?.iter().map(in_utc).collect();
    let mut first = first.map_err(|error| unreadable(&error))?;
    let shown: usize = first.iter().map(RecordBatch::num_rows).sum();
    if first.is_empty() {
        first.push(RecordBatch::new_empty(stored.schema.clone()));
    }
    let options = FormatOptions::default()
        .with_display_error(true)
        .with_null("null");
    let text =
        pretty_format_batches_with_options(&first, &options).map_err(|error| unreadable(&error))?;
    let title = if shown as u64 == stored.table.rows() {
        "rows".to_owned()
    } else {
        format!("first {shown} of {} rows", stored.table.rows())
    };
    text_section(&title, &text.to_string());
    Ok(())
}

fn show_blob(
    store: &Store,
    run: &RunRecord,
    of: (&StepRecord, &str),
    blob: &Blob,
    json: bool,
) -> Result<(), Failure> {
    let (step, port) = of;
    let text = match is_text(&blob.media_type) {
        true => Some(beginning(&store.blob(&blob.digest).map_err(gone)?)),
        false => None,
    };
    let cut = text.is_some() && blob.len > SHOWN_BYTES as u64;
    if json {
        return ui::json(&BlobView {
            run: run.start.id.to_string(),
            step: step.name.to_string(),
            port: port.to_owned(),
            kind: "blob",
            digest: blob.digest.to_string(),
            media_type: blob.media_type.clone(),
            bytes: blob.len,
            text,
            cut,
        });
    }
    facts(&[
        ("blob", format!("{}.{port}", step.name)),
        ("run", run.start.id.to_string()),
        ("media type", blob.media_type.clone()),
        ("digest", blob.digest.to_string()),
        ("bytes", blob.len.to_string()),
    ]);
    if let Some(text) = text {
        let title = if cut {
            format!("first {SHOWN_BYTES} of {} bytes", blob.len)
        } else {
            "text".to_owned()
        };
        text_section(&title, &text);
    }
    Ok(())
}

fn unreadable(error: &ArrowError) -> Failure {
    Failure::wrong(format!("the rows cannot be shown: {error}"))
}

/// Each row as a JSON object, nulls included.
fn objects(batches: &[RecordBatch]) -> Result<Vec<Box<RawValue>>, ArrowError> {
    let mut writer = WriterBuilder::new()
        .with_explicit_nulls(true)
        .build::<_, LineDelimited>(Vec::new());
    for batch in batches {
        writer.write(batch)?;
    }
    writer.finish()?;
    let lines = String::from_utf8_lossy(writer.get_ref()).into_owned();
    let object = |line: &str| {
        RawValue::from_string(line.to_owned())
            .map_err(|error| ArrowError::JsonError(error.to_string()))
    };
    lines.lines().map(object).collect()
}

/// Whether bytes of this media type are for reading: `text/…`, JSON, and what is built on it.
fn is_text(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    essence.starts_with("text/") || essence == "application/json" || essence.ends_with("+json")
}

/// The beginning of a text, cut between characters.
fn beginning(bytes: &[u8]) -> String {
    let head = bytes.get(..SHOWN_BYTES).unwrap_or(bytes);
    let whole = match std::str::from_utf8(head) {
        Err(error) if error.error_len().is_none() && head.len() < bytes.len() => {
            error.valid_up_to()
        }
        _ => head.len(),
    };
    String::from_utf8_lossy(head.get(..whole).unwrap_or_default()).into_owned()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Float64Array, StringArray};

    use super::*;

    #[test]
    fn text_is_known_by_its_media_type() {
        for text in [
            "text/plain",
            "text/html; charset=utf-8",
            "application/json",
            "application/vnd.pinion.model+json",
        ] {
            assert!(is_text(text), "{text}");
        }
        for binary in [
            "",
            "application/octet-stream",
            "image/png",
            "application/jsonp",
        ] {
            assert!(!is_text(binary), "{binary}");
        }
    }

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!(beginning(b"short"), "short");
        let long = "é".repeat(SHOWN_BYTES);
        assert_eq!(beginning(long.as_bytes()), "é".repeat(SHOWN_BYTES / 2));
        let odd = format!("x{long}");
        assert_eq!(
            beginning(odd.as_bytes()),
            format!("x{}", "é".repeat(SHOWN_BYTES / 2 - 1))
        );
        assert_eq!(beginning(b"bad \xff byte"), "bad \u{fffd} byte");
    }

    #[test]
    fn rows_become_objects_in_the_order_of_the_schema() {
        let names: ArrayRef = Arc::new(StringArray::from(vec![Some("line\nbreak"), None]));
        let values: ArrayRef = Arc::new(Float64Array::from(vec![0.1, f64::NAN]));
        let batch =
            RecordBatch::try_from_iter_with_nullable([("z", names, true), ("a", values, false)])
                .unwrap();
        let objects = objects(&[batch]).unwrap();
        let texts: Vec<&str> = objects.iter().map(|object| object.get()).collect();
        assert_eq!(
            texts,
            [r#"{"z":"line\nbreak","a":0.1}"#, r#"{"z":null,"a":null}"#]
        );
    }
}
