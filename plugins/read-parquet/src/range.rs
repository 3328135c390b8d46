//! Ranges: runs of rows of one row group.

use std::fmt;

use parquet::arrow::arrow_reader::{RowSelection, RowSelector};
use parquet::file::metadata::RowGroupMetaData;
use pinion_sdk::Range;

use crate::Error;
use crate::footer::{Footer, byte_range};

/// Rows of one row group. Displayed, it is a range's hint.
pub(crate) struct Rows {
    /// The row group's position in the file.
    pub(crate) group: usize,
    /// Rows of the group before these.
    pub(crate) skip: u64,
    /// Number of rows.
    pub(crate) take: u64,
}

impl Rows {
    /// The rows that `range` names, and the row group they are in.
    ///
    /// # Errors
    /// [`Error::Range`] if the file has no such rows.
    pub(crate) fn find<'a>(
        range: &Range,
        footer: &'a Footer,
    ) -> Result<(Self, &'a RowGroupMetaData), Error> {
        Self::parse(&range.hint)
            .and_then(|rows| {
                let group = footer.metadata.row_groups().get(rows.group)?;
                let end = rows.skip.checked_add(rows.take)?;
                (end <= group.num_rows().unsigned_abs()).then_some((rows, group))
            })
            .ok_or_else(|| Error::Range {
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

/// Cuts every row group into runs of at most `rows` rows.
///
/// The bytes of a run are its even share of the row group's: the columns of a group lie one after the other,
/// so no run of its rows has bytes of its own. What is read goes by the hint.
pub(crate) fn cut(footer: &Footer, rows: u64) -> Vec<Range> {
    let mut ranges = Vec::new();
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
        let share = |row: u64| {
            let bytes = u128::from(end - start) * u128::from(row) / u128::from(total.max(1));
            start + u64::try_from(bytes).unwrap_or(u64::MAX)
        };
        let mut skip = 0;
        while skip < total {
            let take = rows.max(1).min(total - skip);
            let offset = share(skip);
            let hint = Rows {
                group: position,
                skip,
                take,
            }
            .to_string();
            ranges.push(Range {
                offset,
                len: share(skip + take) - offset,
                hint,
            });
            skip += take;
        }
    }
    ranges
}
