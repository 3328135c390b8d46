//! Finds out what is wrong with records that could not be read, and on which line.
//!
//! The decoder counts records, not lines, and names columns by number. So when it refuses, the range is read
//! again, record by record, until one is found that does not hold; only a file that is damaged pays for that.

use std::sync::Arc;

use arrow_csv::ReaderBuilder;
use arrow_schema::{Field, Schema};
use csv_core::ReadRecordResult;
use pinion_sdk::Blob;

use crate::Error;
use crate::dialect::Dialect;
use crate::splitter::Splitter;
use crate::types;
use crate::window::Window;

/// Where to look, and for what.
pub(crate) struct Suspect<'a> {
    pub(crate) bytes: &'a Blob,
    pub(crate) dialect: &'a Dialect,
    /// First byte, and the line it is on.
    pub(crate) start: u64,
    pub(crate) line: u64,
    /// First byte that is not looked at.
    pub(crate) end: u64,
    /// Fields that a record must have.
    pub(crate) columns: usize,
    /// Columns whose values are checked: position in the record, name and type.
    pub(crate) wanted: &'a [(usize, Field)],
}

impl Suspect<'_> {
    /// The first thing that is wrong, or [`Error::Decode`] with `message` if it is nothing that is known.
    pub(crate) fn explain(&self, message: String) -> Error {
        let mut window = Window::new(self.bytes, self.start, self.end);
        let mut splitter = Splitter::new(self.dialect, self.line);
        // Bytes of the record that has started and not ended, and the line it started on.
        let mut record = Vec::new();
        let mut line = None;
        while let Some(piece) = window.next_piece() {
            let mut starts = Vec::new();
            splitter.feed(&piece, |at, line| starts.push((at, line)));
            let mut from = 0;
            for (at, next_line) in starts {
                record.extend_from_slice(&piece[from..at]);
                from = at;
                if let Some(error) = line.and_then(|line| self.check(&record, line)) {
                    return error;
                }
                record.clear();
                line = Some(next_line);
            }
            record.extend_from_slice(&piece[from..]);
        }
        line.and_then(|line| self.check(&record, line))
            .unwrap_or(Error::Decode { message })
    }

    fn check(&self, record: &[u8], line: u64) -> Option<Error> {
        if let Err(error) = std::str::from_utf8(record) {
            let before = &record[..error.valid_up_to()];
            let line = line + memchr::memchr_iter(b'\n', before).count() as u64;
            let found = record[error.valid_up_to()..]
                .iter()
                .take(4)
                .copied()
                .collect::<Vec<_>>();
            return Some(Error::Encoding {
                line,
                found: found.escape_ascii().to_string(),
            });
        }
        let fields = fields(self.dialect, record)?;
        if fields.len() != self.columns {
            return Some(Error::Ragged {
                line,
                expected: self.columns,
                found: fields.len(),
            });
        }
        self.wanted
            .iter()
            .find(|(position, field)| !self.decodes(record, *position, field))
            .map(|(position, field)| Error::Value {
                line,
                column: field.name().clone(),
                value: fields.get(*position).cloned().unwrap_or_default(),
                expected: types::name(field.data_type()),
            })
    }

    /// Whether the decoder takes the field at `position`.
    fn decodes(&self, record: &[u8], position: usize, field: &Field) -> bool {
        let data_type = types::decoded(field.data_type());
        let fields: Vec<_> = (0..self.columns)
            .map(|n| Field::new(n.to_string(), data_type.clone(), true))
            .collect();
        let mut decoder = ReaderBuilder::new(Arc::new(Schema::new(fields)))
            .with_format(self.dialect.format())
            .with_projection(vec![position])
            .with_batch_size(1)
            .build_decoder();
        decoder
            .decode(record)
            .and_then(|_| decoder.decode(&[]))
            .and_then(|_| decoder.flush())
            .is_ok()
    }
}

/// The fields of the first record in `bytes`, which are UTF-8. None if there is no record.
pub(crate) fn fields(dialect: &Dialect, bytes: &[u8]) -> Option<Vec<String>> {
    let mut parser = dialect.parser();
    // Fields are never longer than what they are read from, and there is at most one more than bytes.
    let (mut text, mut ends) = (vec![0; bytes.len() + 1], vec![0; bytes.len() + 2]);
    let (mut read, mut written, mut ended) = (0, 0, 0);
    loop {
        let (result, more_read, more_written, more_ended) =
            parser.read_record(&bytes[read..], &mut text[written..], &mut ends[ended..]);
        read += more_read;
        written += more_written;
        ended += more_ended;
        match result {
            ReadRecordResult::Record => break,
            ReadRecordResult::End => return None,
            // The next call, with nothing left, says that the record ends here.
            ReadRecordResult::InputEmpty => {}
            ReadRecordResult::OutputFull | ReadRecordResult::OutputEndsFull => return None,
        }
    }
    let starts = std::iter::once(&0).chain(&ends);
    let spans = starts.zip(&ends[..ended]);
    Some(
        spans
            .map(|(start, end)| String::from_utf8_lossy(&text[*start..*end]).into_owned())
            .collect(),
    )
}
