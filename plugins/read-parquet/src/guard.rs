//! Checks what the `parquet` and `arrow-ipc` decoders take for granted.
//!
//! They slice, index and unwrap on a few numbers that come straight from the file. A damaged file must be an
//! error, so those numbers are looked at first. Everything else they check themselves, but for one thing, which
//! can still end in a trap: lengths of `DELTA_BYTE_ARRAY` strings are added up unchecked.

mod deltas;
mod parts;
mod runs;
mod schema;

use bytes::Bytes;
use parquet::basic::{Encoding, Type as PhysicalType};
use parquet::column::page::Page;
use parquet::errors::Result;
use parquet::schema::types::ColumnDescriptor;

use deltas::{deltas, lengths};
use parts::{damaged, little_endian, split};
use runs::{index_runs, run_lengths, v1_levels};
pub(crate) use schema::embedded_schema;

/// What is known of a column before its next page.
#[derive(Clone, Copy)]
pub(crate) struct PageGuard {
    max_rep_level: i16,
    max_def_level: i16,
    physical_type: PhysicalType,
    type_length: i32,
    /// Bytes of the dictionary, once there is one.
    dictionary: Option<u64>,
}

impl PageGuard {
    pub(crate) fn new(column: &ColumnDescriptor) -> Self {
        Self {
            max_rep_level: column.max_rep_level(),
            max_def_level: column.max_def_level(),
            physical_type: column.physical_type(),
            type_length: column.type_length(),
            dictionary: None,
        }
    }

    /// Checks a decompressed page before it is decoded.
    ///
    /// # Errors
    /// If levels, dictionary indices or values do not fit their page.
    pub(crate) fn check(&mut self, page: &mut Page) -> Result<()> {
        let values = u64::from(page.num_values());
        let (buf, levels, encoding, nulls, present) = match page {
            Page::DictionaryPage { buf, .. } => {
                if self.physical_type == PhysicalType::BYTE_ARRAY {
                    buf.truncate(plain_byte_arrays(buf, values)?);
                }
                self.dictionary = Some(buf.len() as u64);
                return Ok(());
            }
            Page::DataPage {
                buf,
                rep_level_encoding,
                def_level_encoding,
                encoding,
                ..
            } => {
                let count = counted(*encoding);
                let (rest, _) =
                    v1_levels(buf, *rep_level_encoding, self.max_rep_level, values, false)?;
                let (rest, present) =
                    v1_levels(rest, *def_level_encoding, self.max_def_level, values, count)?;
                let levels = buf.len() - rest.len();
                (buf, levels, *encoding, 0, present)
            }
            Page::DataPageV2 {
                buf,
                num_nulls,
                rep_levels_byte_len,
                def_levels_byte_len,
                encoding,
                ..
            } => {
                let (rep, rest) = split(buf, u64::from(*rep_levels_byte_len))?;
                let (def, rest) = split(rest, u64::from(*def_levels_byte_len))?;
                let count = counted(*encoding);
                run_lengths(rep, self.max_rep_level, values, false)?;
                let present = run_lengths(def, self.max_def_level, values, count)?;
                let levels = buf.len() - rest.len();
                (buf, levels, *encoding, u64::from(*num_nulls), present)
            }
        };
        let Some(stored) = values.checked_sub(nulls) else {
            return Err(damaged("a page has more nulls than values"));
        };
        if encoding == Encoding::PLAIN && self.physical_type == PhysicalType::BYTE_ARRAY {
            let length = plain_byte_arrays(buf.get(levels..).unwrap_or_default(), stored)?;
            buf.truncate(levels + length);
        }
        self.check_values(buf, levels, encoding, values, present)
    }

    /// Checks the values of a page, which start at `levels`. There are at most `most`; `present` of them
    /// are not null, if counted.
    fn check_values(
        &self,
        buf: &mut Bytes,
        levels: usize,
        encoding: Encoding,
        most: u64,
        present: u64,
    ) -> Result<()> {
        let values = buf.get(levels..).unwrap_or_default();
        match encoding {
            Encoding::PLAIN_DICTIONARY | Encoding::RLE_DICTIONARY => {
                let Some(dictionary) = self.dictionary else {
                    return Err(damaged("a page wants a dictionary and there is none"));
                };
                // For values of any other type, the decoder looks.
                let entries = (self.physical_type == PhysicalType::FIXED_LEN_BYTE_ARRAY)
                    .then(|| dictionary / self.type_length.max(1) as u64);
                match values {
                    // All null. The decoder wants the width of its indices even so.
                    [] => *buf = Bytes::from([buf.as_ref(), &[0]].concat()),
                    [width @ 0..=32, indices @ ..] => index_runs(indices, *width, entries)?,
                    _ => return Err(damaged("the indices of a page are too wide")),
                }
            }
            Encoding::RLE if self.physical_type == PhysicalType::BOOLEAN => {
                index_runs(values.get(4..).unwrap_or_default(), 1, None)?;
            }
            Encoding::BYTE_STREAM_SPLIT => {
                let width = match self.physical_type {
                    PhysicalType::INT32 | PhysicalType::FLOAT => 4,
                    PhysicalType::INT64 | PhysicalType::DOUBLE => 8,
                    _ => u64::try_from(self.type_length).unwrap_or(0).max(1),
                };
                if values.len() as u64 != present * width {
                    return Err(damaged(
                        "a page has more or fewer bytes than its values take",
                    ));
                }
            }
            Encoding::DELTA_BINARY_PACKED => {
                let mut none = true;
                deltas(values, most, |block| {
                    none &= block.count == 0;
                    Ok(())
                })?;
                if none && present > 0 {
                    return Err(damaged("a page has values and no deltas"));
                }
            }
            Encoding::DELTA_LENGTH_BYTE_ARRAY => {
                let (lengths, bytes) = lengths(values, most)?;
                split(bytes, lengths)?;
            }
            Encoding::DELTA_BYTE_ARRAY => {
                let (_, suffixes) = lengths(values, most)?;
                let (lengths, bytes) = lengths(suffixes, most)?;
                split(bytes, lengths)?;
            }
            _ => {}
        }
        Ok(())
    }
}

/// Whether it matters for an encoding how many values of a page are not null.
fn counted(encoding: Encoding) -> bool {
    matches!(
        encoding,
        Encoding::BYTE_STREAM_SPLIT | Encoding::DELTA_BINARY_PACKED
    )
}

/// Checks that byte arrays lie in their page. Gives the bytes that the first `most` take: what is behind
/// them the decoder would divide among values that are no longer there.
fn plain_byte_arrays(bytes: &[u8], most: u64) -> Result<usize> {
    let mut rest = bytes;
    for _ in 0..most {
        if rest.is_empty() {
            break;
        }
        let (length, after) = split(rest, 4)?;
        rest = split(after, little_endian(length))?.1;
    }
    Ok(bytes.len() - rest.len())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn byte_arrays_end_in_their_page() {
        let page = b"\x01\0\0\0a\x02\0\0\0bc";
        assert_eq!(plain_byte_arrays(page, 2).unwrap(), 11);
        assert_eq!(plain_byte_arrays(page, 1).unwrap(), 5);
        assert!(plain_byte_arrays(&page[..10], 2).is_err());
        assert!(plain_byte_arrays(b"\xff\xff\xff\xff", 1).is_err());
    }
}
