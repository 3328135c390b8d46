//! What rows of one side are compared by.

use pinion_sdk::{Batch, Error, Result};
use pinion_tables::join::Names;
use pinion_values::{Column, Value, write_key};

/// The columns of one side that are compared.
pub(crate) struct Side {
    keys: Vec<String>,
    time: Option<String>,
}

/// Where a row stands among those of the other side.
#[derive(Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Equal for equal keys.
    pub(crate) key: &'a [u8],
    /// Nanoseconds since 1970-01-01 00:00, or an integer as it is. 0 if no times are compared.
    pub(crate) time: i128,
}

impl Side {
    /// The left and the right side of a join.
    pub(crate) fn both(names: &Names) -> (Self, Self) {
        let (left_keys, right_keys) = names.keys.iter().cloned().unzip();
        let (left_time, right_time) = names.times.clone().unzip();
        let side = |keys, time| Self { keys, time };
        (side(left_keys, left_time), side(right_keys, right_time))
    }

    /// Calls `each` with every row of `batch` and its place; none if a key or the time is null. Reads the
    /// compared columns, and no others.
    ///
    /// # Errors
    /// - `missing-column`, or `wrong-type` for a column that cannot be a key.
    /// - What `each` refuses.
    pub(crate) fn each(
        &self,
        batch: &Batch,
        mut each: impl FnMut(u64, Option<Place<'_>>) -> Result<()>,
    ) -> Result<()> {
        let arrays = self
            .names()
            .map(|name| batch.array(name))
            .collect::<Result<Vec<_>>>()?;
        let columns = self
            .names()
            .zip(&arrays)
            .map(|(name, array)| Column::new(name, array))
            .collect::<Result<Vec<_>>>()?;
        let (keys, time) = columns.split_at(self.keys.len());
        let mut key = Vec::new();
        for row in 0..batch.rows() {
            let at = row as usize;
            let time = match time.first().map(|time| time.value(at)) {
                None => Some(0),
                Some(Some(Value::Integer(time))) => Some(time),
                Some(None) => None,
                Some(Some(_)) => return Err(Error::bad_data("a value is no time")),
            };
            let is_key = write_key(keys, at, &mut key);
            let place = time
                .filter(|_| is_key)
                .map(|time| Place { key: &key, time });
            each(row, place)?;
        }
        Ok(())
    }

    /// What the first row of `batch` is compared by, for people.
    ///
    /// # Errors
    /// As [`Side::each`].
    pub(crate) fn show(&self, batch: &Batch) -> Result<String> {
        let shown = self.names().map(|name| {
            let array = batch.array(name)?;
            Ok(format!("{name} = {}", Column::new(name, &array)?.show(0)))
        });
        Ok(shown.collect::<Result<Vec<_>>>()?.join(", "))
    }

    fn names(&self) -> impl Iterator<Item = &String> {
        self.keys.iter().chain(&self.time)
    }
}
