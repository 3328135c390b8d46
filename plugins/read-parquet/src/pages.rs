//! The pages of column chunks: fetched, checked and decompressed.
//!
//! The `parquet` crate is told that every chunk is uncompressed and so hands out pages as they are stored.
//! Those that hold the rows asked for are kept, the others forgotten as soon as they are counted, so memory
//! holds the compressed pages of one range. They are decompressed one by one, when the decoder wants them. Of pages
//! before the range, where rows can be counted without decoding, nothing is fetched but their headers.

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
use crate::header::{Content, PageHeader};

/// Bytes to fetch at least of pages, so that small ones do not cost a call each.
const READ_AHEAD_BYTES: u64 = 32 * 1024;

/// Bytes to fetch for a page header: most are much shorter, some have statistics of long strings.
const HEADER_BYTES: u64 = 1024;

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
        let window = Arc::new(Window::new(bytes, chunk));
        let mut reader = SerializedPageReader::new_with_properties(
            Arc::clone(&window),
            &stored,
            0,
            None,
            Arc::new(properties),
        )?;
        let flat = descriptor.max_rep_level() == 0;
        let mut entries = VecDeque::new();
        let (mut values, mut seen) = (0, Some(0_u64));

        // Where rows can be counted without decoding, nothing is fetched of pages before the range but headers.
        let (mut offset, end) = (window.start, window.end);
        while offset < end {
            let header = window.header(offset)?;
            offset = offset.saturating_add(header.header_bytes + header.page_bytes);
            match header.content {
                Content::Dictionary => entries.extend(reader.get_next_page()?.map(Entry::Stored)),
                Content::Other => reader.skip_next_page()?,
                Content::Data {
                    values: count,
                    rows: counted,
                } => {
                    let page_rows = counted.or(flat.then_some(count));
                    let next = seen
                        .zip(page_rows)
                        .map(|(seen, rows)| seen.saturating_add(rows));
                    if next.is_none_or(|next| next > rows.start) {
                        break;
                    }
                    reader.skip_next_page()?;
                    (values, seen) = (values + count, next);
                    // An empty page is nothing to skip.
                    let skipped = page_rows.filter(|rows| *rows > 0);
                    entries.extend(skipped.map(|rows| Entry::Skipped {
                        rows: rows as usize,
                    }));
                }
            }
        }

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
            seen = seen.zip(page_rows).map(|(seen, rows)| seen + rows);
            entries.push_back(Entry::Stored(page));
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
    start: u64,
    end: u64,
    fetched: Mutex<(u64, Bytes)>,
}

impl<'a> Window<'a> {
    fn new(bytes: &'a Blob, chunk: &ColumnChunkMetaData) -> Self {
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
    fn header(&self, start: u64) -> Result<PageHeader> {
        let read = |length| PageHeader::read(&self.fetch(start, length, HEADER_BYTES));
        // The window may end in the middle of a header, and a header may be long.
        read(1)
            .or_else(|| read(HEADER_BYTES))
            .or_else(|| read(READ_AHEAD_BYTES))
            .ok_or_else(|| general(&format!("the page header at byte {start} is damaged")))
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
