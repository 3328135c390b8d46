//! Finds out what is wrong with records that could not be read, and on which line.
//!
//! The decoder counts records, not lines, and names columns by number. So when it refuses, the range is read
//! again, record by record, until one is found that does not hold; only a file that is damaged pays for that.

use std::sync::Arc;

use arrow_csv::ReaderBuilder;
use arrow_schema::{DataType, Field, Schema};
use csv_core::ReadRecordResult;
use pinion_sdk::Blob;

use crate::Error;
use crate::dialect::Dialect;
use crate::error::Place;
use crate::splitter::Splitter;
use crate::types;
use crate::window::Window;

/// Where to look, and for what.
pub(crate) struct Suspect<'a> {
    pub(crate) bytes: &'a Blob,
    pub(crate) dialect: &'a Dialect,
    /// First byte, and the row and the line that start there.
    pub(crate) start: u64,
    pub(crate) row: u64,
    pub(crate) line: u64,
    /// First byte that is not looked at.
    pub(crate) end: u64,
    /// Names of the fields that a record must have.
    pub(crate) names: &'a [String],
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
        let mut place = None;
        let mut rows = self.row..;
        while let Some(piece) = window.next_piece() {
            let mut starts = Vec::new();
            splitter.feed(&piece, |at, line| starts.push((at, line)));
            let mut from = 0;
            for (at, line) in starts {
                record.extend_from_slice(&piece[from..at]);
                from = at;
                if let Some(error) = place.and_then(|place| self.check(&record, place)) {
                    return error;
                }
                record.clear();
                place = Some(Place {
                    row: rows.next(),
                    line,
                });
            }
            record.extend_from_slice(&piece[from..]);
        }
        place
            .and_then(|place| self.check(&record, place))
            .unwrap_or(Error::Decode { message })
    }

    fn check(&self, record: &[u8], place: Place) -> Option<Error> {
        if let Some(error) = encoding(self.dialect, record, place, self.names) {
            return Some(error);
        }
        let fields = fields(self.dialect, record)?;
        if fields.len() != self.names.len() {
            return Some(Error::Ragged {
                place,
                expected: self.names.len(),
                found: fields.len(),
            });
        }
        // A decoder is made for all fields of the record, so it is not asked column by column.
        let (mut sound, mut suspects) = (0, self.wanted.len());
        if suspects == 0 || self.decodes(record, suspects) {
            return None;
        }
        while suspects - sound > 1 {
            let half = sound + (suspects - sound) / 2;
            match self.decodes(record, half) {
                true => sound = half,
                false => suspects = half,
            }
        }
        let (position, field) = self.wanted.get(sound)?;
        Some(Error::Value {
            place,
            column: field.name().clone(),
            value: fields.get(*position).cloned().unwrap_or_default(),
            expected: types::name(field.data_type()),
        })
    }

    /// Whether the decoder takes the first `count` of the columns that are wanted.
    fn decodes(&self, record: &[u8], count: usize) -> bool {
        let wanted = self.wanted.iter().take(count);
        let mut fields: Vec<_> = (0..self.names.len())
            .map(|n| Field::new(n.to_string(), DataType::Utf8, true))
            .collect();
        for (position, field) in wanted.clone() {
            let data_type = types::decoded(field.data_type());
            fields[*position] = Field::new(position.to_string(), data_type, true);
        }
        let mut decoder = ReaderBuilder::new(Arc::new(Schema::new(fields)))
            .with_format(self.dialect.format())
            .with_projection(wanted.map(|(position, _)| *position).collect())
            .with_batch_size(1)
            .build_decoder();
        decoder
            .decode(record)
            .and_then(|_| decoder.decode(&[]))
            .and_then(|_| decoder.flush())
            .is_ok()
    }
}

/// What is wrong with a record that is not UTF-8. `place` is where it starts, `names` are its columns', if known.
pub(crate) fn encoding(
    dialect: &Dialect,
    record: &[u8],
    place: Place,
    names: &[String],
) -> Option<Error> {
    let valid = std::str::from_utf8(record).err()?.valid_up_to();
    let (before, bad) = record.split_at(valid);
    let position =
        fields(dialect, &record[..=valid]).map_or(0, |fields| fields.len().saturating_sub(1));
    let line = place.line + memchr::memchr_iter(b'\n', before).count() as u64;
    Some(Error::Encoding {
        place: Place { line, ..place },
        column: names
            .get(position)
            .cloned()
            .unwrap_or_else(|| format!("column_{}", position + 1)),
        found: bad[..bad.len().min(4)].escape_ascii().to_string(),
    })
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
