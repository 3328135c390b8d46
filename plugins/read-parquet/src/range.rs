//! Ranges: runs of rows, from some row of one row group on.

use std::fmt;

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use pinion_sdk::Range;

use crate::Error;
use crate::footer::{Footer, byte_range};

/// Most ranges of one file: only a damaged file has more, or one cut much too small.
const MAX_RANGES: usize = 1 << 20;

/// Rows of one row group, or in a range's hint, as which it is displayed, also of those after it.
#[derive(Clone, Copy)]
pub(crate) struct Rows {
    /// The row group's position in the file.
    pub(crate) group: usize,
    /// Rows of the group before these.
    pub(crate) skip: u64,
    /// Number of rows.
    pub(crate) take: u64,
}

impl Rows {
    /// The rows that `range` names, row group by row group; those of no rows are left out.
    ///
    /// # Errors
    /// [`Error::Range`] if the file has no such rows.
    pub(crate) fn find(range: &Range, footer: &Footer) -> Result<Vec<Self>, Error> {
        let find = || {
            let rows = Self::parse(&range.hint)?;
            let groups = footer.metadata.row_groups().get(rows.group..)?;
            let (mut skip, mut left) = (rows.skip, rows.take);
            let mut found = Vec::new();
            for (group, position) in groups.iter().zip(rows.group..) {
                let take = group.num_rows().unsigned_abs().checked_sub(skip)?.min(left);
                if take > 0 {
                    found.push(Self {
                        group: position,
                        skip,
                        take,
                    });
                }
                (skip, left) = (0, left - take);
                if left == 0 {
                    return Some(found);
                }
            }
            None
        };
        find().ok_or_else(|| Error::Range {
            hint: range.hint.clone(),
        })
    }

    /// Selects these rows of the group.
    pub(crate) fn selection(&self) -> RowSelection {
        // Row counts of one group were checked to be those of its column chunks, in memory by then.
        RowSelection::from(vec![
            RowSelector::skip(self.skip as usize),
            RowSelector::select(self.take as usize),
        ])
    }

    fn parse(hint: &str) -> Option<Self> {
        let mut parts = hint.split(' ');
        let mut part = |label: &str| parts.next()?.strip_prefix(label)?.strip_prefix('=');
        Some(Self {
            group: part("group")?.parse().ok()?,
            skip: part("skip")?.parse().ok()?,
            take: part("take")?.parse().ok()?,
        })
    }
}

impl fmt::Display for Rows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "group={} skip={} take={}",
            self.group, self.skip, self.take
        )
    }
}

/// Cuts row groups of more than `rows` rows, and joins neighbours of together no more.
///
/// Every range is read with the whole footer, so there must not be as many of them as there are small groups. The
/// bytes of a run of some rows of a group are its even share of the row group's: the columns of a group lie one
/// after the other, so no run of its rows has bytes of its own. What is read goes by the hint.
///
/// # Errors
/// [`Error::Footer`] if it counts more rows than can be.
pub(crate) fn cut(footer: &Footer, rows: u64) -> Result<Vec<Range>, Error> {
    let rows = rows.max(1);
    let mut ranges: Vec<Range> = Vec::new();
    // The last range, as long as whole groups can be added to it.
    let mut open: Option<Rows> = None;
    let mut end = 0;
    for (position, group) in footer.metadata.row_groups().iter().enumerate() {
        let extents = || group.columns().iter().map(byte_range);
        let start = extents()
            .map(|(start, _)| start)
            .min()
            .unwrap_or(end)
            .max(end);
        end = extents()
            .map(|(start, len)| start + len)
            .max()
            .unwrap_or(start)
            .max(start);
        let total = group.num_rows().unsigned_abs();
        if total == 0 {
            continue;
        }
        if let (Some(last), Some(range)) = (&mut open, ranges.last_mut())
            && last.take.saturating_add(total) <= rows
        {
            last.take += total;
            range.len = end - range.offset;
            range.hint = last.to_string();
            continue;
        }
        if total.div_ceil(rows) > (MAX_RANGES - ranges.len()) as u64 {
            let reason = format!("it would make more than {MAX_RANGES} partitions of {rows} rows");
            return Err(Error::Footer { reason });
        }
        let share = |row: u64| {
            let bytes = u128::from(end - start) * u128::from(row) / u128::from(total);
            start + u64::try_from(bytes).unwrap_or(u64::MAX)
        };
        let mut skip = 0;
        while skip < total {
            let take = rows.min(total - skip);
            let offset = share(skip);
            let run = Rows {
                group: position,
                skip,
                take,
            };
            ranges.push(Range {
                offset,
                len: share(skip + take) - offset,
                hint: run.to_string(),
            });
            open = (take == total).then_some(run);
            skip += take;
        }
    }
    Ok(ranges)
}
