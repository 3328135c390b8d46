//! How the value of one column is found, round by round.

use std::collections::BTreeMap;

use arrow_array::Array;
use pinion_models::{Fill, Sum, gather, is_text, numbers, texts};
use pinion_sdk::{Result, Table};
use serde::{Deserialize, Serialize};

use crate::median::{DigitCounts, ROUNDS, Search, key, midpoint, ranks, unkey};

/// What is known of the value of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Progress {
    /// The mean is to be found.
    Mean,
    /// The median is to be found.
    Median,
    /// The two values that the median lies between are known to some digits.
    Searching([Search; 2]),
    /// The most frequent value is to be found.
    MostFrequent,
    /// The value was given; missing values are still to be counted.
    Constant(Fill),
    /// The value.
    Found(Fill),
}

/// What is counted over some rows of one column.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Count {
    /// Nothing but missing values.
    Nothing,
    /// Of all values.
    Sum(Sum),
    /// How often each next digit occurs, for each search.
    Digits(Vec<DigitCounts>),
    /// How often each number occurs, by sort key.
    Numbers(BTreeMap<u64, u64>),
    /// How often each text occurs.
    Texts(BTreeMap<String, u64>),
}

/// The columns that a strategy takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Takes {
    Numbers,
    Text,
    Both,
}

impl Progress {
    /// The strategy's name in the file.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Progress::Mean => "mean",
            Progress::Median | Progress::Searching(_) => "median",
            Progress::MostFrequent => "most-frequent",
            Progress::Constant(_) | Progress::Found(_) => "constant",
        }
    }

    pub(crate) fn takes(&self) -> Takes {
        match self {
            Progress::Mean | Progress::Median | Progress::Searching(_) => Takes::Numbers,
            Progress::MostFrequent => Takes::Both,
            Progress::Constant(fill) | Progress::Found(fill) => match fill {
                Fill::Number(_) => Takes::Numbers,
                Fill::Text(_) => Takes::Text,
            },
        }
    }

    pub(crate) fn found(&self) -> Option<&Fill> {
        if let Progress::Found(fill) = self {
            Some(fill)
        } else {
            None
        }
    }

    /// What this round needs of the rows, and how many values are missing.
    ///
    /// A column whose value is found is not read.
    pub(crate) fn count(&self, name: &str, rows: &Table) -> Result<(Count, u64)> {
        if self.found().is_some() {
            return Ok((Count::Nothing, 0));
        }
        if is_text(rows.field(name)?.data_type()) {
            return self.count_texts(name, rows);
        }
        let numbers = gather(rows, name, numbers)?;
        let values = || numbers.iter().flatten();
        let count = match self {
            Progress::Mean => Count::Sum(values().collect()),
            Progress::Median => Count::Digits(vec![Search::new(0).count(values())]),
            Progress::Searching(searches) => Count::Digits(
                searches
                    .iter()
                    .map(|search| search.count(values()))
                    .collect(),
            ),
            Progress::MostFrequent => {
                let mut counts = BTreeMap::new();
                values().for_each(|value| *counts.entry(key(value)).or_default() += 1);
                Count::Numbers(counts)
            }
            Progress::Constant(_) | Progress::Found(_) => Count::Nothing,
        };
        Ok((count, numbers.null_count() as u64))
    }

    fn count_texts(&self, name: &str, rows: &Table) -> Result<(Count, u64)> {
        let mut counts: BTreeMap<String, u64> = BTreeMap::new();
        let mut missing = 0;
        for batch in rows.batches() {
            for text in texts(name, &batch.array(name)?)? {
                let Some(text) = text else {
                    missing += 1;
                    continue;
                };
                // A text that is known costs no allocation.
                match counts.get_mut(text) {
                    _ if *self != Progress::MostFrequent => {}
                    Some(count) => *count += 1,
                    None => drop(counts.insert(text.to_owned(), 1)),
                }
            }
        }
        Ok((Count::Texts(counts), missing))
    }

    /// What is known after a round in which `count` was counted over all rows, `present` of them not missing.
    ///
    /// None if there is no value to choose from.
    pub(crate) fn advance(self, count: Count, present: u64) -> Option<Progress> {
        Some(match (self, count) {
            (Progress::Constant(fill) | Progress::Found(fill), _) => Progress::Found(fill),
            _ if present == 0 => return None,
            (Progress::Mean, Count::Sum(sum)) => {
                Progress::Found(Fill::Number(sum.value() / present as f64))
            }
            (Progress::Median, Count::Digits(counts)) => {
                search(ranks(present).map(Search::new), &counts)?
            }
            (Progress::Searching(searches), Count::Digits(counts)) => search(searches, &counts)?,
            (Progress::MostFrequent, Count::Numbers(counts)) => {
                Progress::Found(Fill::Number(unkey(most_frequent(counts)?)))
            }
            (Progress::MostFrequent, Count::Texts(counts)) => {
                Progress::Found(Fill::Text(most_frequent(counts)?))
            }
            _ => return None,
        })
    }
}

impl Count {
    /// Of these rows and then those. Both sides count the same thing.
    pub(crate) fn merge(self, other: Count) -> Count {
        match (self, other) {
            (Count::Sum(mut left), Count::Sum(right)) => {
                left.merge(right);
                Count::Sum(left)
            }
            (Count::Digits(left), Count::Digits(right)) => Count::Digits(
                left.into_iter()
                    .zip(right)
                    .map(|(left, right)| added(left, right))
                    .collect(),
            ),
            (Count::Numbers(left), Count::Numbers(right)) => Count::Numbers(added(left, right)),
            (Count::Texts(left), Count::Texts(right)) => Count::Texts(added(left, right)),
            (left, _) => left,
        }
    }
}

/// One digit further. In the first round both searches share one count.
fn search(mut searches: [Search; 2], counts: &[DigitCounts]) -> Option<Progress> {
    let first = counts.first()?;
    let last = counts.last()?;
    let [low, high] = &mut searches;
    low.narrow(first);
    high.narrow(last);
    Some(if low.digits() < ROUNDS {
        Progress::Searching(searches)
    } else {
        Progress::Found(Fill::Number(midpoint(low.value(), high.value())))
    })
}

/// The key with the highest count; of several the smallest.
fn most_frequent<K: Ord>(counts: BTreeMap<K, u64>) -> Option<K> {
    let highest = *counts.values().max()?;
    counts
        .into_iter()
        .find(|(_, count)| *count == highest)
        .map(|(key, _)| key)
}

fn added<K: Ord>(mut left: BTreeMap<K, u64>, right: BTreeMap<K, u64>) -> BTreeMap<K, u64> {
    for (key, count) in right {
        *left.entry(key).or_default() += count;
    }
    left
}
