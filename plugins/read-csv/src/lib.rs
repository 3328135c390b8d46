//! Reads a CSV file.
//!
//! | port | kind | shape | type |
//! |---|---|---|---|
//! | in `source` | blob | a CSV file | `text/csv`, UTF-8 |
//! | out `table` | table | `(n_rows, n_columns)` | inferred, or as `types` say; all may be null |
//!
//! **Types** are inferred from the first `infer_rows` records, column by column: `boolean` (`true`, `false`, in
//! any case), `int64`, `float64`, `date32` (`2024-02-29`), `timestamp` (`2024-02-29 12:30:15.5`, with `T` or a
//! space, in the coarsest unit that holds every fraction seen), else `utf8`. Integers among floats are
//! `float64`, dates among timestamps timestamps, any other mixture `utf8`. Values that mean null say
//! nothing, and a column of nothing else is `utf8`. A value further down that is not of the inferred
//! type is an error, never a null: `types` settles it.
//!
//! **Records** end with `\n`, `\r\n` or `\r`, also inside the file in any mixture. Blank lines are passed over. A
//! byte order mark at the start is ignored. Whether a field was quoted makes no difference to its value.
//! A record of more or fewer fields than there are columns is an error.
//!
//! **Ranges** are cut after every `rows` records from the start of the file, so bytes appended to it leave
//! all ranges but the last as they are.
//!
//! Deterministic; asks for no capabilities.

mod check;
mod dialect;
mod error;
mod schema;
mod splitter;
mod types;
mod window;

use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_csv::ReaderBuilder;
use arrow_csv::reader::Decoder;
use arrow_schema::{ArrowError, Field, FieldRef, Schema};
use pinion_sdk::{Batch, Blob, Descriptor, Range, Result, Source, TableWriter};

use check::Suspect;
use dialect::Dialect;
pub use error::{Error, Place};
use schema::{Header, Hint};
use splitter::Splitter;
use window::Window;

/// Most rows that are decoded at once.
const BATCH_ROWS: usize = 16_384;
/// Most fields that are decoded at once, of all columns together: for so many, the decoder takes memory beforehand.
const BATCH_FIELDS: usize = 4 << 20;

/// Reads a CSV file.
#[derive(Debug)]
pub struct ReadCsv;

/// How the file is written, and what its columns hold.
#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Params {
    /// Whether the first record names the columns. A column without a name is `column_<n>`, from 1.
    pub header: bool,
    /// Names of all columns, instead of those in the header. Without either they are `column_<n>`.
    pub names: Option<Vec<String>>,
    /// What separates fields.
    pub delimiter: String,
    /// What stands around fields that hold delimiters or line ends. Two of them inside stand for one.
    pub quote: String,
    /// What makes a quote after it ordinary, inside quotes.
    pub escape: Option<String>,
    /// Lines that start with it are passed over.
    pub comment: Option<String>,
    /// Values that mean null, whole and as they are.
    pub nulls: Vec<String>,
    /// Types of columns by name, for those not to be inferred: `boolean`, `int8` to `int64`, `uint8` to
    /// `uint64`, `float32`, `float64`, `utf8`, `date32`, `date64`, `time32[s|ms]`, `time64[us|ns]`,
    /// `timestamp[s|ms|us|ns]`, `timestamp[<unit>, UTC]` or with an offset such as `+01:00`,
    /// `decimal128(<precision>, <scale>)`.
    pub types: BTreeMap<String, String>,
    /// Records from which types are inferred.
    pub infer_rows: u64,
}

impl Default for Params {
    fn default() -> Self {
        Self {
            header: true,
            names: None,
            delimiter: ",".to_owned(),
            quote: "\"".to_owned(),
            escape: None,
            comment: None,
            nulls: vec![String::new()],
            types: BTreeMap::new(),
            infer_rows: 10_000,
        }
    }
}

impl Source for ReadCsv {
    type Params = Params;

    fn describe() -> Descriptor {
        Descriptor::new("Reads a CSV file.").output("table", "The file's columns.")
    }

    fn probe(params: &Params, bytes: &Blob) -> Result<Vec<FieldRef>> {
        let dialect = Dialect::new(params)?;
        let header = Header::read(params, &dialect, bytes)?;
        let fields = header.infer(params, &dialect, bytes)?;
        Ok(fields.into_iter().map(Arc::new).collect())
    }

    fn partition(params: &Params, bytes: &Blob, rows: u64) -> Result<Vec<Range>> {
        let dialect = Dialect::new(params)?;
        let header = Header::read(params, &dialect, bytes)?;
        let fields = header.infer(params, &dialect, bytes)?;
        let mut splitter = Splitter::new(&dialect, header.line);
        let mut window = Window::new(bytes, header.end, bytes.len());
        let (mut cuts, mut seen, mut offset) = (Vec::new(), 0_u64, header.end);
        while let Some(piece) = window.next_piece() {
            splitter.feed(&piece, |at, line| {
                if seen % rows.max(1) == 0 {
                    cuts.push((offset + at as u64, seen + 1, line));
                }
                seen += 1;
            });
            offset += piece.len() as u64;
        }
        if let Some(line) = splitter.unclosed() {
            return Err(Error::Unclosed { line }.into());
        }
        let ends = cuts.iter().skip(1).map(|(start, ..)| *start);
        let ends = ends.chain([offset]);
        let ranges = cuts
            .iter()
            .zip(ends)
            .map(|((start, row, line), end)| Range {
                offset: *start,
                len: end - start,
                hint: Hint::new(*row, *line, &fields).to_string(),
            });
        Ok(ranges.collect())
    }

    fn read(
        params: &Params,
        bytes: &Blob,
        range: &Range,
        columns: &[String],
        rows: &mut TableWriter,
    ) -> Result<()> {
        let dialect = Dialect::new(params)?;
        let header = Header::read(params, &dialect, bytes)?;
        let (row, line, fields) =
            Hint::parse(&range.hint, &header).ok_or_else(|| Error::Range {
                hint: range.hint.clone(),
            })?;
        let wanted = header.positions(columns)?.into_iter();
        let wanted: Vec<(usize, Field)> = wanted
            .map(|position| (position, fields[position].clone()))
            .collect();
        let end = range.offset.saturating_add(range.len);
        let suspect = Suspect {
            bytes,
            dialect: &dialect,
            start: range.offset,
            row,
            line,
            end,
            names: &header.names,
            wanted: &wanted,
        };
        let mut decoder = decoder(&dialect, &fields, &wanted);
        let mut window = Window::new(bytes, range.offset, end).with_last_line_ended();
        let mut text = Utf8::default();
        loop {
            let piece = window.next_piece().unwrap_or_default();
            if !text.feed(&piece) {
                return Err(suspect.explain("it is not UTF-8".to_owned()).into());
            }
            // Decoding nothing ends the last record, so that is done at the end and nowhere else.
            let at_end = piece.is_empty();
            let mut rest = piece.as_slice();
            while at_end || !rest.is_empty() {
                let explain = |error: ArrowError| suspect.explain(error.to_string());
                let used = decoder.decode(rest).map_err(explain)?;
                rest = &rest[used..];
                if at_end || decoder.capacity() == 0 {
                    let Some(batch) = decoder.flush().map_err(explain)? else {
                        return Ok(());
                    };
                    let columns = wanted.iter().zip(batch.columns());
                    let columns = columns.map(|((_, field), values)| {
                        Ok((field.clone(), schema::relabel(values, field)?))
                    });
                    let columns = columns.collect::<Result<_>>()?;
                    rows.write(&Batch::new(batch.num_rows(), columns)?)?;
                }
            }
        }
    }
}

pinion_sdk::export!(ReadCsv: Source);

fn decoder(dialect: &Dialect, fields: &[Field], wanted: &[(usize, Field)]) -> Decoder {
    let decoded = |field: &Field| {
        field
            .clone()
            .with_data_type(types::decoded(field.data_type()))
    };
    ReaderBuilder::new(Arc::new(Schema::new(
        fields.iter().map(decoded).collect::<Vec<_>>(),
    )))
    .with_format(dialect.format())
    .with_projection(wanted.iter().map(|(position, _)| *position).collect())
    .with_batch_size((BATCH_FIELDS / fields.len().max(1)).clamp(1, BATCH_ROWS))
    .build_decoder()
}

/// Checks that bytes are UTF-8, piece by piece.
///
/// The decoder checks too, but only after it has taken the delimiters out: the halves of a character could
/// stand at the end of one field and the start of the next and be taken for whole.
#[derive(Default)]
struct Utf8 {
    /// The start of a character that the last piece ended in.
    partial: Vec<u8>,
}

impl Utf8 {
    /// Whether the text so far can be UTF-8. An empty piece is the end.
    fn feed(&mut self, piece: &[u8]) -> bool {
        let mut rest = piece;
        while !self.partial.is_empty() {
            let Some((first, more)) = rest.split_first() else {
                return !piece.is_empty();
            };
            self.partial.push(*first);
            rest = more;
            match std::str::from_utf8(&self.partial) {
                Ok(_) => self.partial.clear(),
                Err(error) if error.error_len().is_some() => return false,
                Err(_) => {}
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => true,
            Err(error) => {
                self.partial.extend_from_slice(&rest[error.valid_up_to()..]);
                error.error_len().is_none()
            }
        }
    }
}
