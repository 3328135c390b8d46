//! Reads a text file line by line.
//!
//! | port | kind | shape |
//! |---|---|---|
//! | in `source` | blob | UTF-8 text |
//! | out `lines` | table | `(n_lines, 1)`: `line` as `utf8`, without its end |
//!
//! A range ends after a line, and every range but the last has as many lines as were asked for: text
//! that is appended to the file leaves the ranges before the last as they are.

use std::sync::Arc;

use arrow_array::StringArray;
use arrow_schema::{DataType, Field, FieldRef};
use pinion_sdk::{Batch, Blob, Descriptor, Error, Range, Result, Source, TableWriter};

/// What the pipeline file gives under `params`.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Params {
    /// Lines that start with this are passed over.
    comment: Option<String>,
}

/// The step.
pub struct ReadLines;

impl Source for ReadLines {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Reads a text file line by line.")
            .output("lines", "The lines, without their ends.")
    }

    fn probe(_params: &Params, _bytes: &Blob) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(field())])
    }

    fn partition(_params: &Params, bytes: &Blob, rows: u64) -> Result<Vec<Range>> {
        let (mut ranges, mut start, mut end) = (Vec::new(), 0, 0);
        let mut lines = 0;
        for line in bytes.read_all().split_inclusive(|byte| *byte == b'\n') {
            end += line.len() as u64;
            lines += 1;
            if lines == rows.max(1) || end == bytes.len() {
                ranges.push(Range {
                    offset: start,
                    len: end - start,
                    hint: String::new(),
                });
                (start, lines) = (end, 0);
            }
        }
        Ok(ranges)
    }

    fn read(
        params: &Params,
        bytes: &Blob,
        range: &Range,
        columns: &[String],
        rows: &mut TableWriter,
    ) -> Result<()> {
        let text = String::from_utf8(bytes.read(range.offset, range.len))
            .map_err(|error| Error::new("bad-file", format!("the text is not UTF-8: {error}")))?;
        let is_comment = |line: &str| {
            params
                .comment
                .as_ref()
                .is_some_and(|comment| line.starts_with(comment))
        };
        let lines: Vec<&str> = text.lines().filter(|line| !is_comment(line)).collect();
        let wanted = columns
            .iter()
            .map(|_| (field(), Arc::new(StringArray::from(lines.clone())) as _));
        rows.write(&Batch::new(lines.len(), wanted.collect())?)
    }
}

/// The one column there is.
fn field() -> Field {
    Field::new("line", DataType::Utf8, false)
}

pinion_sdk::export!(ReadLines: Source);

#[cfg(test)]
mod tests {
    use arrow_array::Array;
    use pinion_sdk::testing;

    use super::*;

    fn lines(text: &str) -> Vec<Vec<String>> {
        let bytes = Blob::local("text/plain", text.into());
        let (_, ranges) =
            testing::source::<ReadLines>(r##"{ "comment": "#" }"##, &bytes, 2).unwrap();
        let texts = |column: &dyn Array| -> Vec<String> {
            let column = column.as_any().downcast_ref::<StringArray>().unwrap();
            column.iter().flatten().map(str::to_owned).collect()
        };
        ranges
            .iter()
            .map(|batches| {
                batches
                    .iter()
                    .flat_map(|batch| texts(&batch["line"]))
                    .collect()
            })
            .collect()
    }

    #[test]
    fn cuts_after_lines_and_passes_over_comments() {
        assert_eq!(lines(""), Vec::<Vec<String>>::new());
        assert_eq!(lines("a\r\n# b\nc\n"), [vec!["a"], vec!["c"]]);
        assert_eq!(lines("a\nb\nc"), [vec!["a", "b"], vec!["c"]]);
    }
}
