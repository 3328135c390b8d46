//! Ranges: runs of rows, from some row of one record batch on.

use std::fmt;
use std::ops;

use pinion_sdk::{Range, Result};

use crate::Error;
use crate::index::Index;
use crate::message::Message;
use crate::window::Window;

/// Most ranges of one file: only a damaged file has more, or one cut much too small.
const MAX_RANGES: usize = 1 << 20;

/// A run of rows. Displayed, it is a range's hint.
pub(crate) struct Rows {
    /// The position of the first record batch.
    batch: usize,
    /// Rows of that batch before these.
    skip: u64,
    /// Number of rows, some of them perhaps in the batches that follow.
    take: u64,
    /// The byte behind the range.
    end: u64,
}

impl Rows {
    /// The rows that `range` names.
    ///
    /// # Errors
    /// [`Error::Range`].
    pub(crate) fn parse(range: &Range) -> Result<Self, Error> {
        let mut parts = range.hint.split(' ');
        let mut part = |label: &str| parts.next()?.strip_prefix(label)?.strip_prefix('=');
        let mut parse = || {
            Some(Self {
                batch: part("batch")?.parse().ok()?,
                skip: part("skip")?.parse().ok()?,
                take: part("take")?.parse().ok()?,
                end: range.offset.saturating_add(range.len),
            })
        };
        parse().ok_or_else(|| Error::Range {
            hint: range.hint.clone(),
        })
    }

    /// Visits the record batches that these rows are in: the position, the message, and which of its rows.
    ///
    /// # Errors
    /// [`Error::Range`] if the file has no such rows, what is wrong with a message, and what `visit` gives.
    pub(crate) fn visit(
        &self,
        bytes: &Window<'_>,
        index: &Index,
        mut visit: impl FnMut(usize, &Message, ops::Range<u64>) -> Result<()>,
    ) -> Result<()> {
        let (mut skip, mut left) = (self.skip, self.take);
        for (position, block) in index.batches.iter().enumerate().skip(self.batch) {
            if left == 0 {
                break;
            }
            bytes.ahead(block, self.end);
            let message = Message::batch(bytes, block)?;
            let taken = message.rows.saturating_sub(skip).min(left);
            if skip > 0 && taken == 0 {
                break;
            }
            if taken > 0 {
                visit(position, &message, skip..skip + taken)?;
            }
            (skip, left) = (0, left - taken);
        }
        if left > 0 {
            let hint = self.to_string();
            return Err(Error::Range { hint }.into());
        }
        Ok(())
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            batch, skip, take, ..
        } = self;
        write!(f, "batch={batch} skip={skip} take={take}")
    }
}

/// Cuts record batches of more than `rows` rows, and joins neighbours of together no more.
///
/// The bytes of a run of some rows of a batch are its even share of the batch's: the columns of a batch lie one
/// after the other, so no run of its rows has bytes of its own. What is read goes by the hint.
///
/// # Errors
/// What is wrong with a message, or has more rows than can be.
pub(crate) fn cut(bytes: &Window<'_>, index: &Index, rows: u64) -> Result<Vec<Range>, Error> {
    let rows = rows.max(1);
    let mut ranges: Vec<Range> = Vec::new();
    // The last range, as long as whole batches can be added to it.
    let mut open: Option<Rows> = None;
    for (position, block) in index.batches.iter().enumerate() {
        let total = Message::batch(bytes, block)?.rows;
        if total == 0 {
            continue;
        }
        if let (Some(last), Some(range)) = (&mut open, ranges.last_mut())
            && last.take.saturating_add(total) <= rows
        {
            last.take += total;
            range.len = block.end() - range.offset;
            range.hint = last.to_string();
            continue;
        }
        if total.div_ceil(rows) > (MAX_RANGES - ranges.len()) as u64 {
            let reason = format!("it would make more than {MAX_RANGES} partitions of {rows} rows");
            return Err(Error::damaged(block.name(), reason));
        }
        let length = u128::from(block.end() - block.offset);
        let share = |row: u64| {
            // At most the length itself.
            block.offset + (length * u128::from(row) / u128::from(total)) as u64
        };
        for skip in (0..total).step_by(usize::try_from(rows).unwrap_or(usize::MAX)) {
            let take = rows.min(total - skip);
            let run = Rows {
                batch: position,
                skip,
                take,
                end: 0,
            };
            ranges.push(Range {
                offset: share(skip),
                len: share(skip + take) - share(skip),
                hint: run.to_string(),
            });
            open = (take == total).then_some(run);
        }
    }
    Ok(ranges)
}
