//! The bytes of one column chunk, fetched as they are wanted, a little ahead.

use std::io::{self, Read};
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::ColumnChunkMetaData;
use parquet::file::reader::{ChunkReader, Length};
use pinion_sdk::Blob;

use crate::footer::byte_range;
use crate::header::PageHeader;

/// Bytes to fetch at least of pages, so that small ones do not cost a call each.
const READ_AHEAD_BYTES: u64 = 32 * 1024;

/// Bytes to fetch for a page header: most are much shorter, some have statistics of long strings.
const HEADER_BYTES: u64 = 1024;

/// A cursor over a column chunk.
pub(crate) struct Window<'a> {
    bytes: &'a Blob,
    /// First byte.
    pub(crate) start: u64,
    /// The byte behind the last one.
    pub(crate) end: u64,
    /// Where what was fetched last starts, and what it is.
    fetched: Mutex<(u64, Bytes)>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(bytes: &'a Blob, chunk: &ColumnChunkMetaData) -> Self {
        let (start, length) = byte_range(chunk);
        Self {
            bytes,
            start,
            end: start + length,
            fetched: Mutex::new((start, Bytes::new())),
        }
    }

    /// What there is from `start`: at least `length` bytes, unless the chunk ends before. If nothing of it is
    /// here yet, `ahead` bytes are fetched.
    fn fetch(&self, start: u64, length: u64, ahead: u64) -> Bytes {
        let mut fetched = self.fetched.lock().unwrap_or_else(PoisonError::into_inner);
        let skipped = start
            .checked_sub(fetched.0)
            .and_then(|skipped| usize::try_from(skipped).ok());
        if let Some(rest) = skipped.filter(|skipped| *skipped <= fetched.1.len()) {
            let rest = fetched.1.slice(rest..);
            if rest.len() as u64 >= length {
                return rest;
            }
        }
        let wanted = length.max(ahead).min(self.end.saturating_sub(start));
        *fetched = (start, Bytes::from(self.bytes.read(start, wanted)));
        fetched.1.clone()
    }

    /// The header of the page at `start`.
    ///
    /// # Errors
    /// If it is damaged, or longer than any that is known.
    pub(crate) fn header(&self, start: u64) -> Result<PageHeader> {
        let read = |length| PageHeader::read(&self.fetch(start, length, HEADER_BYTES));
        // The window may end in the middle of a header, and a header may be long.
        read(1)
            .or_else(|| read(HEADER_BYTES))
            .or_else(|| read(READ_AHEAD_BYTES))
            .ok_or_else(|| {
                ParquetError::General(format!("the page header at byte {start} is damaged"))
            })
    }
}

impl Length for Window<'_> {
    fn len(&self) -> u64 {
        self.end
    }
}

impl<'a> ChunkReader for Window<'a> {
    type T = Rest<'a>;

    fn get_read(&self, start: u64) -> Result<Rest<'a>> {
        let ahead = self.fetch(start, 1, HEADER_BYTES);
        Ok(Rest {
            bytes: self.bytes,
            next: start + ahead.len() as u64,
            end: self.end,
            ahead,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        // The next header comes along.
        let ahead = READ_AHEAD_BYTES.max(length as u64 + HEADER_BYTES);
        let mut bytes = self.fetch(start, length as u64, ahead);
        if bytes.len() < length {
            return Err(ParquetError::EOF(format!(
                "a page at byte {start} is cut short"
            )));
        }
        bytes.truncate(length);
        Ok(bytes)
    }
}

/// The rest of a column chunk, for a page header, whose length shows only when it is read.
pub(crate) struct Rest<'a> {
    bytes: &'a Blob,
    /// Where to fetch once `ahead` is used up.
    next: u64,
    end: u64,
    ahead: Bytes,
}

impl Read for Rest<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.ahead.is_empty() {
            let wanted = READ_AHEAD_BYTES.min(self.end.saturating_sub(self.next));
            self.ahead = Bytes::from(self.bytes.read(self.next, wanted));
            self.next += self.ahead.len() as u64;
        }
        let length = self.ahead.len().min(buffer.len());
        buffer[..length].copy_from_slice(&self.ahead.split_to(length));
        Ok(length)
    }
}
