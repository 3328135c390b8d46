//! The bytes of the source, those of small messages several at a time.

use std::cell::RefCell;

use arrow_buffer::Buffer;
use pinion_sdk::Blob;

use crate::index::Block;

/// Bytes of a message that is fetched whole, and bytes to fetch of it and what follows.
const SMALL_BYTES: u64 = 256 * 1024;
const FETCH_BYTES: u64 = 512 * 1024;

/// What the start of a fetch is a multiple of, so that buffers lie in memory as they do in the file.
const ALIGNMENT: u64 = 64;

/// A blob, and some of its bytes.
pub(crate) struct Window<'a> {
    bytes: &'a Blob,
    /// Where what was fetched last starts, and what it is.
    fetched: RefCell<(u64, Buffer)>,
}

impl<'a> Window<'a> {
    pub(crate) fn new(bytes: &'a Blob) -> Self {
        Self {
            bytes,
            fetched: RefCell::default(),
        }
    }

    /// Fetches a small message, and as much of what follows it before byte `end` as comes along cheaply.
    pub(crate) fn ahead(&self, block: &Block, end: u64) {
        let len = block.len();
        if len > SMALL_BYTES || self.find(block.offset, len).is_some() {
            return;
        }
        let start = block.offset - block.offset % ALIGNMENT;
        let wanted = FETCH_BYTES.min(end.max(block.end()) - start);
        let bytes = Buffer::from_vec(self.bytes.read(start, wanted));
        *self.fetched.borrow_mut() = (start, bytes);
    }

    /// At most `len` bytes from `offset`; fewer only at the end.
    pub(crate) fn read(&self, offset: u64, len: u64) -> Buffer {
        self.find(offset, len)
            .unwrap_or_else(|| Buffer::from_vec(self.bytes.read(offset, len)))
    }

    /// These bytes, if they were fetched.
    fn find(&self, offset: u64, len: u64) -> Option<Buffer> {
        let fetched = self.fetched.borrow();
        let skip = usize::try_from(offset.checked_sub(fetched.0)?).ok()?;
        let len = usize::try_from(len).ok()?;
        let inside = skip.checked_add(len)? <= fetched.1.len();
        inside.then(|| fetched.1.slice_with_length(skip, len))
    }
}
