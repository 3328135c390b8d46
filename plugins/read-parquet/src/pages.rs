//! The pages of column chunks: fetched, checked and decompressed.
//!
//! The `parquet` crate is told that every chunk is uncompressed and so hands out pages as they are stored.
//! Those that hold the rows asked for are kept, the others forgotten as soon as they are counted, so memory
//! holds the compressed pages of one range. They are decompressed one by one, when the decoder wants them.

use std::collections::{BTreeMap, VecDeque};
use std::io::{self, Read};
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::ReaderProperties;
use parquet::file::reader::{ChunkReader, Length};
use parquet::file::serialized_reader::SerializedPageReader;
use pinion_sdk::Blob;

use crate::codec::Decompressor;
use crate::footer::byte_range;
use crate::guard::PageGuard;

/// Bytes to fetch at least, so that small pages and headers do not cost a call each.
const READ_AHEAD_BYTES: u64 = 32 * 1024;

/// Least bytes that a page may have, whatever the footer says of its chunk: some writers count wrongly.
const LEAST_PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// The column chunks of one row group that a read needs, by position in the row group.
pub(crate) struct LoadedGroup<'a> {
    pub(crate) metadata: &'a ParquetMetaData,
    pub(crate) group: &'a RowGroupMetaData,
    pub(crate) chunks: BTreeMap<usize, Pages>,
}

impl RowGroups for LoadedGroup<'_> {
    fn num_rows(&self) -> usize {
        self.group.num_rows().max(0) as usize
    }

    fn column_chunks(&self, position: usize) -> Result<Box<dyn PageIterator>> {
        let pages = self
            .chunks
            .get(&position)
            .ok_or_else(|| general("a column was not loaded"))?;
        Ok(Box::new(OneChunk(Some(pages.clone()))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.group))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

/// The pages of one column chunk that hold a range of its rows.
#[derive(Clone)]
pub(crate) struct Pages {
    entries: VecDeque<Entry>,
    codec: Compression,
    limit: usize,
    guard: PageGuard,
}

impl Pages {
    /// Loads the pages of `chunk` that hold `rows`, and its dictionary.
    ///
    /// Where rows cannot be counted without decoding, in lists written in version 1 pages, that is every page.
    ///
    /// # Errors
    /// If a page header is damaged, the chunk ends early, or holds more values than the footer says.
    pub(crate) fn load(
        bytes: &Blob,
        chunk: &ColumnChunkMetaData,
        rows: &Range<u64>,
    ) -> Result<Self> {
        let descriptor = chunk.column_descr();
        let stored = chunk
            .clone()
            .into_builder()
            .set_compression(Compression::UNCOMPRESSED)
            .build()?;
        let properties = ReaderProperties::builder()
            .set_read_page_statistics(false)
            .build();
        let mut reader = SerializedPageReader::new_with_properties(
            Arc::new(Window::new(bytes, chunk)),
            &stored,
            0,
            None,
            Arc::new(properties),
        )?;
        let flat = descriptor.max_rep_level() == 0;
        let mut entries = VecDeque::new();
        let mut values = 0;
        let mut seen = Some(0);
        while seen.is_none_or(|seen| seen < rows.end) {
            let Some(page) = reader.get_next_page()? else {
                break;
            };
            let page_rows = match &page {
                Page::DictionaryPage { .. } => Some(0),
                Page::DataPage { num_values, .. } => flat.then_some(u64::from(*num_values)),
                Page::DataPageV2 { num_rows, .. } => Some(u64::from(*num_rows)),
            };
            if page.is_data_page() {
                values += u64::from(page.num_values());
            }
            if values > chunk.num_values().max(0) as u64 {
                return Err(general("pages hold more values than the footer says"));
            }
            let start = seen;
            seen = seen.zip(page_rows).map(|(seen, rows)| seen + rows);
            let before = page.is_data_page() && seen.is_some_and(|end| end <= rows.start);
            match start.zip(seen) {
                // An empty page is nothing to skip.
                Some((start, end)) if before && start == end => {}
                Some((start, end)) if before => {
                    entries.push_back(Entry::Skipped {
                        rows: (end - start) as usize,
                    });
                }
                _ => entries.push_back(Entry::Stored(page)),
            }
        }
        if let Some(seen) = seen.filter(|seen| *seen < rows.end) {
            return Err(general(&format!(
                "pages end after {seen} rows, before row {}",
                rows.end
            )));
        }
        Ok(Self {
            entries,
            codec: chunk.compression(),
            limit: usize::try_from(chunk.uncompressed_size())
                .unwrap_or(0)
                .max(LEAST_PAGE_LIMIT),
            guard: PageGuard::new(descriptor),
        })
    }
}

#[derive(Clone)]
enum Entry {
    /// A page as it is stored.
    Stored(Page),
    /// A page that is passed over.
    Skipped { rows: usize },
}

/// The one chunk that a column has in one row group.
struct OneChunk(Option<Pages>);

impl Iterator for OneChunk {
    type Item = Result<Box<dyn PageReader>>;

    fn next(&mut self) -> Option<Self::Item> {
        let pages = self.0.take()?;
        let decompressor = Decompressor::new(pages.codec, pages.limit);
        Some(Ok(Box::new(Decompressed {
            pages,
            decompressor,
        })))
    }
}

impl PageIterator for OneChunk {}

/// Gives pages out, decompressed.
struct Decompressed {
    pages: Pages,
    decompressor: Decompressor,
}

impl Decompressed {
    fn decompress(&mut self, page: &mut Page) -> Result<()> {
        if self.decompressor.is_identity() {
            return Ok(());
        }
        let (buf, plain) = match page {
            Page::DataPage { buf, .. } | Page::DictionaryPage { buf, .. } => (buf, 0),
            Page::DataPageV2 {
                is_compressed: false,
                ..
            } => return Ok(()),
            Page::DataPageV2 {
                buf,
                rep_levels_byte_len,
                def_levels_byte_len,
                ..
            } => (
                buf,
                u64::from(*rep_levels_byte_len) + u64::from(*def_levels_byte_len),
            ),
        };
        let (levels, values) = usize::try_from(plain)
            .ok()
            .and_then(|plain| buf.split_at_checked(plain))
            .ok_or_else(|| general("levels run past their page"))?;
        let values = self.decompressor.decompress(values)?;
        *buf = if levels.is_empty() {
            Bytes::from(values)
        } else {
            Bytes::from([levels, &values].concat())
        };
        Ok(())
    }
}

impl PageReader for Decompressed {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let mut page = match self.pages.entries.pop_front() {
            None => return Ok(None),
            Some(Entry::Skipped { .. }) => {
                return Err(general("a page was passed over and is wanted"));
            }
            Some(Entry::Stored(page)) => page,
        };
        self.decompress(&mut page)?;
        self.pages.guard.check(&mut page)?;
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Ok(self.pages.entries.front().map(|entry| {
            let (num_rows, num_levels, is_dict) = match entry {
                Entry::Skipped { rows } => (Some(*rows), None, false),
                Entry::Stored(Page::DictionaryPage { .. }) => (None, None, true),
                Entry::Stored(Page::DataPage { num_values, .. }) => {
                    (None, Some(*num_values as usize), false)
                }
                Entry::Stored(Page::DataPageV2 {
                    num_rows,
                    num_values,
                    ..
                }) => (Some(*num_rows as usize), Some(*num_values as usize), false),
            };
            PageMetadata {
                num_rows,
                num_levels,
                is_dict,
            }
        }))
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.entries.pop_front();
        Ok(())
    }
}

impl Iterator for Decompressed {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn general(message: &str) -> ParquetError {
    ParquetError::General(message.to_owned())
}

/// The bytes of one column chunk, fetched as they are wanted, a little ahead.
struct Window<'a> {
    bytes: &'a Blob,
    end: u64,
    fetched: Mutex<(u64, Bytes)>,
}

impl<'a> Window<'a> {
    fn new(bytes: &'a Blob, chunk: &ColumnChunkMetaData) -> Self {
        let (start, length) = byte_range(chunk);
        Self {
            bytes,
            end: start + length,
            fetched: Mutex::new((start, Bytes::new())),
        }
    }

    /// What there is from `start`: at least `length` bytes, unless the chunk ends before.
    fn fetch(&self, start: u64, length: u64) -> Bytes {
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
        let wanted = length
            .max(READ_AHEAD_BYTES)
            .min(self.end.saturating_sub(start));
        *fetched = (start, Bytes::from(self.bytes.read(start, wanted)));
        fetched.1.clone()
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
        let ahead = self.fetch(start, 1);
        Ok(Rest {
            bytes: self.bytes,
            next: start + ahead.len() as u64,
            end: self.end,
            ahead,
        })
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<Bytes> {
        let mut bytes = self.fetch(start, length as u64);
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
struct Rest<'a> {
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
