//! Distinct keys, numbered in the order in which they first come.

use arrow_array::Array;
use hashbrown::HashTable;

use crate::key::{KeyValues, Keys, hash_bytes, hash_word};

/// Numbers distinct keys. The order of the table is never asked for.
pub struct KeyMap {
    /// A key's word, or the hash of its bytes, and its number.
    table: HashTable<(u64, u32)>,
    keys: Distinct,
    /// The number of the null among words.
    null: Option<u32>,
}

/// Keys by number. A null among words stands as 0.
enum Distinct {
    Words(Vec<u64>),
    Bytes { bytes: Vec<u8>, ends: Vec<usize> },
}

impl KeyMap {
    /// The number of a key that has none.
    pub const NONE: u32 = u32::MAX;

    /// A map without keys: of words, or else of bytes.
    #[must_use]
    pub fn new(of_words: bool) -> Self {
        let keys = match of_words {
            true => Distinct::Words(Vec::new()),
            false => Distinct::Bytes {
                bytes: Vec::new(),
                ends: Vec::new(),
            },
        };
        Self {
            table: HashTable::new(),
            keys,
            null: None,
        }
    }

    /// Number of distinct keys.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "nobody asks")]
    pub fn len(&self) -> usize {
        match &self.keys {
            Distinct::Words(words) => words.len(),
            Distinct::Bytes { ends, .. } => ends.len(),
        }
    }

    /// Bytes it takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        let keys = match &self.keys {
            Distinct::Words(words) => size_of::<u64>() * words.capacity(),
            Distinct::Bytes { bytes, ends } => {
                bytes.capacity() + size_of::<usize>() * ends.capacity()
            }
        };
        keys + self.table.allocation_size()
    }

    /// Writes the numbers of `keys` to `numbers`, in place of what it holds, and adds keys that are new.
    /// Null is a key like any other.
    pub fn insert(&mut self, keys: &Keys, numbers: &mut Vec<u32>) {
        numbers.clear();
        match (&keys.values, &keys.nulls) {
            (KeyValues::Words(words), None) => {
                numbers.extend(words.iter().map(|word| self.insert_word(*word)));
            }
            (KeyValues::Words(words), Some(nulls)) => {
                let words = words.iter().zip(nulls.iter());
                numbers.extend(words.map(|(word, is_valid)| match is_valid {
                    true => self.insert_word(*word),
                    false => self.insert_null(),
                }));
            }
            (KeyValues::Bytes(keys), _) => {
                numbers.extend((0..keys.len()).map(|row| self.insert_bytes(keys.value(row))));
            }
        }
    }

    /// Writes the numbers of `keys` to `numbers`, in place of what it holds: [`KeyMap::NONE`] for a key
    /// that is not there. A key with a null is never there.
    pub fn find(&self, keys: &Keys, numbers: &mut Vec<u32>) {
        numbers.clear();
        let known = |row| !keys.is_null(row);
        match &keys.values {
            KeyValues::Words(words) => {
                numbers.extend(words.iter().enumerate().map(|(row, word)| {
                    let found = self
                        .table
                        .find(hash_word(*word), |(other, _)| other == word)
                        .filter(|_| known(row));
                    found.map_or(Self::NONE, |(_, number)| *number)
                }))
            }
            KeyValues::Bytes(keys) => numbers.extend((0..keys.len()).map(|row| {
                let key = keys.value(row);
                let hash = hash_bytes(key);
                let found = self
                    .table
                    .find(hash, |(other, number)| {
                        *other == hash && self.keys.bytes(*number) == key
                    })
                    .filter(|_| known(row));
                found.map_or(Self::NONE, |(_, number)| *number)
            })),
        }
    }

    /// All numbers in the order of their keys, null last.
    #[must_use]
    pub fn sorted(&self) -> Vec<u32> {
        // There are fewer than 2^32 keys in memory.
        let mut numbers: Vec<u32> = (0..self.len() as u32).collect();
        numbers.sort_unstable_by(|left, right| match &self.keys {
            Distinct::Words(words) => {
                let key = |number: &u32| (Some(*number) == self.null, words[*number as usize]);
                key(left).cmp(&key(right))
            }
            Distinct::Bytes { .. } => self.keys.bytes(*left).cmp(self.keys.bytes(*right)),
        });
        numbers
    }

    #[inline]
    fn insert_word(&mut self, word: u64) -> u32 {
        let Distinct::Words(words) = &mut self.keys else {
            return Self::NONE;
        };
        let hash = hash_word(word);
        let entry = self.table.entry(
            hash,
            |(other, _)| *other == word,
            |(other, _)| hash_word(*other),
        );
        let entry = entry.or_insert_with(|| {
            words.push(word);
            (word, words.len() as u32 - 1)
        });
        entry.get().1
    }

    fn insert_null(&mut self) -> u32 {
        let Distinct::Words(words) = &mut self.keys else {
            return Self::NONE;
        };
        *self.null.get_or_insert_with(|| {
            words.push(0);
            words.len() as u32 - 1
        })
    }

    fn insert_bytes(&mut self, key: &[u8]) -> u32 {
        let hash = hash_bytes(key);
        let keys = &mut self.keys;
        let is_key = |(other, number): &(u64, u32)| *other == hash && keys.bytes(*number) == key;
        if let Some((_, number)) = self.table.find(hash, is_key) {
            return *number;
        }
        let Distinct::Bytes { bytes, ends } = keys else {
            return Self::NONE;
        };
        bytes.extend_from_slice(key);
        ends.push(bytes.len());
        let number = ends.len() as u32 - 1;
        self.table
            .insert_unique(hash, (hash, number), |(hash, _)| *hash);
        number
    }
}

impl Distinct {
    fn bytes(&self, number: u32) -> &[u8] {
        match self {
            Self::Bytes { bytes, ends } => {
                let number = number as usize;
                let start = number.checked_sub(1).map_or(0, |before| ends[before]);
                &bytes[start..ends[number]]
            }
            Self::Words(_) => &[],
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::sync::Arc;

    use arrow_array::{ArrayRef, Int64Array, StringArray};
    use arrow_schema::Field;

    use super::*;
    use crate::key::{Encoder, Order};

    fn keys(values: ArrayRef) -> Keys {
        let field = Field::new("x", values.data_type().clone(), true);
        let encoder = Encoder::new([(&field, Order::default())]).unwrap();
        encoder.encode(&[values]).unwrap()
    }

    #[test]
    fn keys_are_numbered_as_they_come() {
        let words = keys(Arc::new(Int64Array::from(vec![
            Some(7),
            None,
            Some(-2),
            Some(7),
            None,
        ])));
        let text = vec![Some("b"), None, Some("a"), Some("b"), None];
        let bytes = keys(Arc::new(StringArray::from(text)));
        for (keys, of_words) in [(words, true), (bytes, false)] {
            let mut map = KeyMap::new(of_words);
            let mut numbers = vec![9];
            map.insert(&keys, &mut numbers);
            assert_eq!(numbers, [0, 1, 2, 0, 1]);
            assert_eq!(map.sorted(), [2, 0, 1]);
            assert_eq!(map.len(), 3);
            assert!(map.bytes() > 0);
            map.find(&keys, &mut numbers);
            assert_eq!(numbers, [0, KeyMap::NONE, 2, 0, KeyMap::NONE]);
        }
        let mut numbers = Vec::new();
        KeyMap::new(true).find(&keys(Arc::new(Int64Array::from(vec![0]))), &mut numbers);
        assert_eq!(numbers, [KeyMap::NONE]);
    }
}
