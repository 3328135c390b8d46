//! The pages of column chunks: fetched, checked and decompressed.
//!
//! The `parquet` crate is told that every chunk is uncompressed and so hands out pages as they are stored.
//! They are decompressed one by one, when the decoder wants them. Of flat columns, pages are fetched batch by
//! batch, so that memory holds the few that a batch is in; of lists, all pages of a range are fetched at once.
//! Of pages before the range, where rows can be counted without decoding, nothing is fetched but their headers,
//! and nothing of a dictionary that no page of the range refers to.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use parquet::arrow::arrow_reader::RowGroups;
use parquet::basic::Compression;
use parquet::column::page::{Page, PageIterator, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::metadata::{ColumnChunkMetaData, ParquetMetaData, RowGroupMetaData};
use parquet::file::properties::ReaderProperties;
use parquet::file::serialized_reader::SerializedPageReader;
use pinion_sdk::Blob;

use crate::codec::Decompressor;
use crate::guard::PageGuard;
use crate::header::Content;
use crate::window::Window;

/// Least bytes that a page may have, whatever the footer says of its chunk: some writers count wrongly.
const LEAST_PAGE_LIMIT: usize = 16 * 1024 * 1024;

/// The column chunks of one row group that a read needs, by position in the row group.
pub(crate) struct Chunks<'a> {
    pub(crate) metadata: &'a ParquetMetaData,
    pub(crate) group: &'a RowGroupMetaData,
    pub(crate) chunks: BTreeMap<usize, Chunk<'a>>,
}

impl RowGroups for Chunks<'_> {
    fn num_rows(&self) -> usize {
        self.group.num_rows().max(0) as usize
    }

    fn column_chunks(&self, position: usize) -> Result<Box<dyn PageIterator>> {
        let chunk = self
            .chunks
            .get(&position)
            .ok_or_else(|| general("a column was not loaded"))?;
        Ok(Box::new(OneChunk(Some(chunk.pages()))))
    }

    fn row_groups(&self) -> Box<dyn Iterator<Item = &RowGroupMetaData> + '_> {
        Box::new(std::iter::once(self.group))
    }

    fn metadata(&self) -> &ParquetMetaData {
        self.metadata
    }
}

/// One column chunk, whose pages are put into a queue before the decoder wants them.
pub(crate) struct Chunk<'a> {
    window: Arc<Window<'a>>,
    /// The chunk, as if it were not compressed.
    stored: ColumnChunkMetaData,
    reader: SerializedPageReader<Window<'a>>,
    /// Where the next page is.
    offset: u64,
    /// Rows of the group that are read.
    rows: Range<u64>,
    /// Values on the pages so far.
    values: u64,
    /// Rows on the pages so far; none once that cannot be told.
    seen: Option<u64>,
    /// Whether every row is one value.
    flat: bool,
    /// Whether the chunk begins with a dictionary that was not fetched.
    dictionary: bool,
    queue: Queue,
    codec: Compression,
    limit: usize,
    guard: PageGuard,
}

impl<'a> Chunk<'a> {
    /// Finds the page of `chunk` that the first of `rows` is on.
    ///
    /// # Errors
    /// If a page header is damaged.
    pub(crate) fn new(
        bytes: &'a Blob,
        chunk: &ColumnChunkMetaData,
        rows: Range<u64>,
    ) -> Result<Self> {
        let descriptor = chunk.column_descr();
        let stored = chunk
            .clone()
            .into_builder()
            .set_compression(Compression::UNCOMPRESSED)
            .build()?;
        let window = Arc::new(Window::new(bytes, chunk));
        let mut this = Self {
            reader: reader(&window, &stored)?,
            offset: window.start,
            window,
            stored,
            rows,
            values: 0,
            seen: Some(0),
            flat: descriptor.max_rep_level() == 0,
            dictionary: false,
            queue: Queue::default(),
            codec: chunk.compression(),
            limit: usize::try_from(chunk.uncompressed_size())
                .unwrap_or(0)
                .max(LEAST_PAGE_LIMIT),
            guard: PageGuard::new(descriptor),
        };
        this.pass_over()?;
        Ok(this)
    }

    /// Passes over the pages before the range, as far as rows can be counted without decoding. Nothing is
    /// fetched of them but headers.
    fn pass_over(&mut self) -> Result<()> {
        while self.offset < self.window.end {
            let header = self.window.header(self.offset)?;
            let end = self
                .offset
                .saturating_add(header.header_bytes + header.page_bytes);
            match header.content {
                Content::Dictionary if self.offset == self.window.start => {
                    self.dictionary = true;
                    self.reader.skip_next_page()?;
                }
                Content::Dictionary => {
                    let page = self.reader.get_next_page()?;
                    page.into_iter().for_each(|page| self.push(page));
                }
                Content::Other => self.reader.skip_next_page()?,
                Content::Data { values, rows, .. } => {
                    let rows = rows.or(self.flat.then_some(values));
                    let next = self
                        .seen
                        .zip(rows)
                        .map(|(seen, rows)| seen.saturating_add(rows));
                    if next.is_none_or(|next| next > self.rows.start) {
                        break;
                    }
                    self.reader.skip_next_page()?;
                    (self.values, self.seen) = (self.values + values, next);
                    // An empty page is nothing to skip.
                    if let Some(rows) = rows.filter(|rows| *rows > 0) {
                        let rows = rows as usize;
                        lock(&self.queue).push_back(Entry::Skipped { rows });
                    }
                }
            }
            self.offset = end;
        }
        Ok(())
    }

    /// Fetches pages up to the one that holds the row before `row`, and the dictionary they refer to.
    ///
    /// Of lists, those are all pages of the range, and where rows cannot be counted without decoding, in lists
    /// written in version 1 pages, all pages.
    ///
    /// # Errors
    /// If a page header is damaged, the chunk ends early, or holds more values than the footer says.
    pub(crate) fn load(&mut self, row: u64) -> Result<()> {
        let end = match self.flat {
            true => row.min(self.rows.end),
            false => self.rows.end,
        };
        while self.seen.is_none_or(|seen| seen < end) {
            if self.dictionary && self.offset < self.window.end {
                let header = self.window.header(self.offset)?;
                self.offset = self
                    .offset
                    .saturating_add(header.header_bytes + header.page_bytes);
                match header.content {
                    Content::Other => {
                        self.reader.skip_next_page()?;
                        continue;
                    }
                    Content::Data { indices: true, .. } => {
                        self.dictionary = false;
                        let mut first = reader(&self.window, &self.stored)?;
                        first
                            .get_next_page()?
                            .into_iter()
                            .for_each(|page| self.push(page));
                    }
                    _ => {}
                }
            }
            let Some(page) = self.reader.get_next_page()? else {
                break;
            };
            let rows = match &page {
                Page::DictionaryPage { .. } => Some(0),
                Page::DataPage { num_values, .. } => self.flat.then_some(u64::from(*num_values)),
                Page::DataPageV2 { num_rows, .. } => Some(u64::from(*num_rows)),
            };
            if page.is_data_page() {
                self.values += u64::from(page.num_values());
            }
            if self.values > self.stored.num_values().max(0) as u64 {
                return Err(general("pages hold more values than the footer says"));
            }
            self.seen = self.seen.zip(rows).map(|(seen, rows)| seen + rows);
            self.push(page);
        }
        match self.seen.filter(|seen| *seen < end) {
            Some(seen) => Err(general(&format!(
                "pages end after {seen} rows, before row {}",
                self.rows.end
            ))),
            None => Ok(()),
        }
    }

    fn push(&self, page: Page) {
        lock(&self.queue).push_back(Entry::Stored(page));
    }

    /// What hands the pages to the decoder.
    fn pages(&self) -> Pages {
        Pages {
            queue: Arc::clone(&self.queue),
            decompressor: Decompressor::new(self.codec, self.limit),
            guard: self.guard,
        }
    }
}

/// Reads pages as they are stored, from the first one on.
fn reader<'a>(
    window: &Arc<Window<'a>>,
    stored: &ColumnChunkMetaData,
) -> Result<SerializedPageReader<Window<'a>>> {
    let properties = ReaderProperties::builder()
        .set_read_page_statistics(false)
        .build();
    SerializedPageReader::new_with_properties(
        Arc::clone(window),
        stored,
        0,
        None,
        Arc::new(properties),
    )
}

/// Pages that are fetched and not yet decoded: all that are wanted of a batch before it is decoded.
type Queue = Arc<Mutex<VecDeque<Entry>>>;

fn lock(queue: &Mutex<VecDeque<Entry>>) -> MutexGuard<'_, VecDeque<Entry>> {
    queue.lock().unwrap_or_else(PoisonError::into_inner)
}

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
        Some(Ok(Box::new(pages)))
    }
}

impl PageIterator for OneChunk {}

/// Gives pages out, decompressed.
struct Pages {
    queue: Queue,
    decompressor: Decompressor,
    guard: PageGuard,
}

impl Pages {
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

impl PageReader for Pages {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let mut page = match lock(&self.queue).pop_front() {
            None => return Ok(None),
            Some(Entry::Skipped { .. }) => {
                return Err(general("a page was passed over and is wanted"));
            }
            Some(Entry::Stored(page)) => page,
        };
        self.decompress(&mut page)?;
        self.guard.check(&mut page)?;
        Ok(Some(page))
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        Ok(lock(&self.queue).front().map(|entry| {
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
        lock(&self.queue).pop_front();
        Ok(())
    }
}

impl Iterator for Pages {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}

fn general(message: &str) -> ParquetError {
    ParquetError::General(message.to_owned())
}
