//! The bytes of a blob from one place to another, fetched a piece at a time.

use std::io::{self, Read};

use pinion_sdk::Blob;

/// Bytes fetched at once: enough to be cheap, few enough to stay in a cache.
const FETCH_BYTES: u64 = 256 * 1024;

/// A cursor over a part of a blob.
pub(crate) struct Window<'a> {
    bytes: &'a Blob,
    next: u64,
    end: u64,
    fetch: u64,
    end_line: bool,
    fetched: Vec<u8>,
    used: usize,
}

impl<'a> Window<'a> {
    /// The bytes from `start` to `end`, or to the end of the blob if that comes first.
    pub(crate) fn new(bytes: &'a Blob, start: u64, end: u64) -> Self {
        Self {
            bytes,
            next: start,
            end,
            fetch: FETCH_BYTES,
            end_line: false,
            fetched: Vec::new(),
            used: 0,
        }
    }

    /// Fetches only so many bytes at once, for a window of which little is wanted.
    pub(crate) fn fetching(self, bytes: u64) -> Self {
        Self {
            fetch: bytes,
            ..self
        }
    }

    /// Ends the last line if the file does not. `csv-core` takes a comment without an end for a record.
    pub(crate) fn with_last_line_ended(self) -> Self {
        Self {
            end_line: true,
            ..self
        }
    }

    /// The next piece; none at the end.
    pub(crate) fn next_piece(&mut self) -> Option<Vec<u8>> {
        let length = self.fetch.min(self.end.saturating_sub(self.next));
        let mut piece = if length == 0 {
            Vec::new()
        } else {
            self.bytes.read(self.next, length)
        };
        self.next += piece.len() as u64;
        if self.end_line && self.next == self.end && piece.last().is_some_and(|last| *last != b'\n')
        {
            piece.push(b'\n');
        }
        (!piece.is_empty()).then_some(piece)
    }
}

impl Read for Window<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.used == self.fetched.len() {
            self.fetched = self.next_piece().unwrap_or_default();
            self.used = 0;
        }
        let rest = self.fetched.get(self.used..).unwrap_or_default();
        let length = rest.len().min(buffer.len());
        buffer[..length].copy_from_slice(&rest[..length]);
        self.used += length;
        Ok(length)
    }
}
