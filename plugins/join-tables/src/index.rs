//! Rows of the right table, to be looked up.

mod equal;
mod nearest;

use arrow_array::UInt64Array;
use pinion_sdk::{Error, Result, Table};

use crate::params::Nearest;
use crate::side::{Place, Side};

/// Hashes do not differ from run to run, and no order follows from them.
type Hasher = std::hash::BuildHasherDefault<std::hash::DefaultHasher>;

/// The rows of the right table by what they are compared by.
pub(crate) enum Index {
    /// Every row with an equal key matches.
    Equal(equal::Rows),
    /// Of the rows with an equal key the nearest in time matches.
    Nearest(nearest::Rows),
}

impl Index {
    /// Reads the columns of `side`, and no others. Rows with a null in one of them are left out.
    ///
    /// # Errors
    /// - `missing-column`, or `wrong-type` for a column that cannot be a key.
    /// - `bad-params` if the tolerance does not fit the times.
    /// - `duplicate-key` if two rows are the same to the join and `unique` says that none may be.
    pub(crate) fn new(
        table: &Table,
        side: &Side,
        nearest: Option<&Nearest>,
        unique: bool,
    ) -> Result<Self> {
        let (index, same, duplicate) = match nearest {
            None => {
                let (rows, duplicate) = equal::Rows::new(table, side)?;
                (Self::Equal(rows), "key", duplicate)
            }
            Some(nearest) => {
                let rows = nearest::Rows::new(table, side, nearest)?;
                let duplicate = if unique { rows.duplicate() } else { None };
                (Self::Nearest(rows), "key and time", duplicate)
            }
        };
        match duplicate.filter(|_| unique) {
            None => Ok(index),
            Some((first, second)) => {
                let shown = side.show(&table.take(&UInt64Array::from(vec![second]))?)?;
                let message = format!("two rows at port `right` have the same {same}");
                Err(Error::new("duplicate-key", message)
                    .with("key", shown)
                    .with("rows", format!("{first} and {second}")))
            }
        }
    }

    /// The rows that match one at `place`, in order; none if it has no place.
    pub(crate) fn rows(&self, place: Option<Place<'_>>) -> impl Iterator<Item = u64> {
        let (first, chain) = match self {
            Self::Equal(rows) => (place.and_then(|place| rows.first(place.key)), Some(rows)),
            Self::Nearest(rows) => (place.and_then(|place| rows.find(place)), None),
        };
        std::iter::successors(first, move |row| chain?.next(*row))
    }
}
