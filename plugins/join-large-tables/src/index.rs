//! Rows of the right side by their key, as many as fit into memory.

use pinion_tables::KeyMap;
use pinion_tables::key::Keys;

/// Rows by key.
pub(crate) struct Index {
    map: KeyMap,
    one_each: bool,
    /// Numbers of keys and rows, in the order in which they came.
    numbers: Vec<u32>,
    rows: Vec<u64>,
}

/// An index to be searched.
pub(crate) struct Ready {
    map: KeyMap,
    /// By the number of a key, where its rows begin; and the end of the last.
    starts: Vec<u32>,
    /// The rows of each key, in the order in which they came.
    rows: Vec<u64>,
}

impl Index {
    /// No rows, whose keys are words or bytes. If `one_each`, only the first row of each key will be kept.
    pub(crate) fn new(of_words: bool, one_each: bool) -> Self {
        Self {
            map: KeyMap::new(of_words),
            one_each,
            numbers: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Bytes that it takes once it is ready.
    pub(crate) fn bytes(&self) -> usize {
        self.map.bytes()
            + 4 * self.map.len()
            + 4 * self.numbers.capacity()
            + 16 * self.rows.capacity()
    }

    /// Adds rows with these keys and row numbers, without those whose key is null.
    pub(crate) fn push(&mut self, keys: &Keys, rows: impl Iterator<Item = u64>) {
        // Keys are numbered as they come, so this is the number of the next one that is new.
        let mut next = self.map.len() as u32;
        let mut numbers = Vec::new();
        self.map.insert(keys, &mut numbers);
        for ((at, number), row) in numbers.into_iter().enumerate().zip(rows) {
            let is_first = number == next;
            next += u32::from(is_first);
            if !keys.is_null(at) && (is_first || !self.one_each) {
                self.numbers.push(number);
                self.rows.push(row);
            }
        }
    }

    /// Brings the rows of each key together.
    pub(crate) fn finish(self) -> Ready {
        let mut starts = vec![0; self.map.len() + 1];
        for number in &self.numbers {
            starts[*number as usize + 1] += 1;
        }
        for number in 1..starts.len() {
            starts[number] += starts[number - 1];
        }
        let mut next = starts.clone();
        let mut rows = vec![0; self.rows.len()];
        for (number, row) in self.numbers.iter().zip(&self.rows) {
            let next = &mut next[*number as usize];
            rows[*next as usize] = *row;
            *next += 1;
        }
        Ready {
            map: self.map,
            starts,
            rows,
        }
    }
}

impl Ready {
    /// Hands over, for every key in turn, its position and its rows.
    pub(crate) fn find<E>(
        &self,
        keys: &Keys,
        mut each: impl FnMut(usize, &[u64]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut numbers = Vec::new();
        self.map.find(keys, &mut numbers);
        for (at, number) in numbers.into_iter().enumerate() {
            let rows = match number {
                KeyMap::NONE => &[],
                number => {
                    let number = number as usize;
                    &self.rows[self.starts[number] as usize..self.starts[number + 1] as usize]
                }
            };
            each(at, rows)?;
        }
        Ok(())
    }
}
