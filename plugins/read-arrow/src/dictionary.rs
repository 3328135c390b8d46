//! Values of dictionaries, as they are when a record batch is read.

use std::collections::{BTreeMap, BTreeSet};

use arrow_data::ArrayData;

use crate::Error;
use crate::array::Arrays;
use crate::gather::together;
use crate::index::Index;
use crate::message::DictionaryMessage;
use crate::schema::{Column, Layout};
use crate::window::Window;

/// The dictionaries of some columns, read as far as record batches ask for.
pub(crate) struct Dictionaries<'a> {
    bytes: &'a Window<'a>,
    index: &'a Index,
    /// The values' column, and the name of the first column that uses them, by id.
    used: BTreeMap<i64, (&'a Column, &'a str)>,
    /// Of the index's dictionaries, how many were read.
    read: usize,
    values: BTreeMap<i64, ArrayData>,
}

impl<'a> Dictionaries<'a> {
    /// Those of the columns at the positions `wanted`, none of them read yet.
    pub(crate) fn new(bytes: &'a Window<'a>, index: &'a Index, wanted: &BTreeSet<usize>) -> Self {
        let mut used = BTreeMap::new();
        for column in wanted.iter().filter_map(|at| index.columns.get(*at)) {
            column.walk(&mut |below| {
                if let Layout::Dictionary { id, values, .. } = &below.layout {
                    used.entry(*id)
                        .or_insert((&**values, column.field.name().as_str()));
                }
            });
        }
        Self {
            bytes,
            index,
            used,
            read: 0,
            values: BTreeMap::new(),
        }
    }

    /// How many messages with values were read so far. As long as that is the same, so are all values.
    pub(crate) fn read(&self) -> usize {
        self.read
    }

    /// The values that were read, by id.
    pub(crate) fn values(&self) -> &BTreeMap<i64, ArrayData> {
        &self.values
    }

    /// Reads the values that hold for the record batch at `position`: in a stream what came before it, in a
    /// file everything.
    ///
    /// # Errors
    /// If a message is damaged, or replaces a dictionary in a file.
    pub(crate) fn before(&mut self, position: usize) -> Result<(), Error> {
        let end = match self.index.batches.get(position) {
            Some(batch) if self.index.stream => batch.offset,
            _ => u64::MAX,
        };
        // Deltas are put together once, not each with what there was.
        let mut parts: BTreeMap<i64, Vec<ArrayData>> = BTreeMap::new();
        while let Some(block) = self.index.dictionaries.get(self.read)
            && block.offset < end
            && !self.used.is_empty()
        {
            self.read += 1;
            let message = DictionaryMessage::read(self.bytes, block)?;
            let Some((values, name)) = self.used.get(&message.id) else {
                continue;
            };
            let failed = |source| Error::Dictionary {
                column: (*name).to_owned(),
                source,
            };
            let known = parts.contains_key(&message.id) || self.values.contains_key(&message.id);
            if known && !message.delta && !self.index.stream {
                let reason = format!("there is another dictionary for column `{name}`");
                return Err(Error::damaged(block.name(), reason));
            }
            let none = BTreeMap::new();
            let rows = 0..message.values.rows;
            let mut arrays = Arrays::new(self.bytes, &message.values, &none);
            let values = arrays
                .read(values, &rows, Some(message.values.rows))
                .map_err(failed)?;
            let parts = parts.entry(message.id).or_default();
            if message.delta {
                parts.extend(self.values.remove(&message.id));
            } else {
                parts.clear();
                self.values.remove(&message.id);
            }
            parts.push(values);
        }
        for (id, parts) in parts {
            let values = together(parts).map_err(|source| Error::Dictionary {
                column: self.used.get(&id).map_or("", |used| used.1).to_owned(),
                source: source.into(),
            })?;
            self.values.insert(id, values);
        }
        Ok(())
    }
}
