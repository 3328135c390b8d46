//! A source: lines of text with their lengths, one range for about as many lines as asked for.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray, UInt64Array};
use arrow_schema::{DataType, Field, FieldRef};
use pinion_sdk::{Batch, Blob, Descriptor, Error, Range, Result, Source, TableWriter};

#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Params {}

struct CountLines;

impl Source for CountLines {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Reads lines of text.").output("lines", "`line` and its `length` in bytes.")
    }

    fn probe(_params: &Params, _bytes: &Blob) -> Result<Vec<FieldRef>> {
        let line = Field::new("line", DataType::Utf8, false);
        Ok(vec![
            line.into(),
            Field::new("length", DataType::UInt64, false).into(),
        ])
    }

    fn partition(_params: &Params, bytes: &Blob, rows: u64) -> Result<Vec<Range>> {
        let text = bytes.read_all();
        let (mut ranges, mut start, mut lines) = (Vec::new(), 0, 0);
        for (at, byte) in text.iter().enumerate() {
            lines += u64::from(*byte == b'\n');
            if lines == rows || at + 1 == text.len() {
                let end = at as u64 + 1;
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
        _params: &Params,
        bytes: &Blob,
        range: &Range,
        columns: &[String],
        rows: &mut TableWriter,
    ) -> Result<()> {
        let text = String::from_utf8(bytes.read(range.offset, range.len));
        let text = text.map_err(|_| Error::new("bad-file", "the text is not UTF-8"))?;
        let lines: Vec<&str> = text.lines().collect();
        let made = columns.iter().map(|column| {
            let values: ArrayRef = match column.as_str() {
                "line" => Arc::new(StringArray::from(lines.clone())),
                _ => Arc::new(
                    lines
                        .iter()
                        .map(|line| Some(line.len() as u64))
                        .collect::<UInt64Array>(),
                ),
            };
            (
                Field::new(column, values.data_type().clone(), false),
                values,
            )
        });
        rows.write(&Batch::new(lines.len(), made.collect())?)
    }
}

pinion_sdk::export!(CountLines: Source);
