//! Exact medians without sorting or holding the values: radix selection in four rounds.
//!
//! Floats in ascending order have ascending 64-bit keys. Each round counts the next 16 bits of the keys
//! that agree with what is known so far, and the counts say which 16 bits the wanted key goes on with.
//! A partial is at most 65,536 counts, however many rows there are.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// Rounds until a key is known.
pub(crate) const ROUNDS: u32 = 4;

/// How often each next digit of 16 bits occurs.
pub(crate) type DigitCounts = BTreeMap<u16, u64>;

/// The hunt for the value with a given rank.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Search {
    /// The digits known so far, the rest zero.
    prefix: u64,
    digits: u32,
    /// Rank among the keys that agree with the prefix, from 0.
    rank: u64,
}

impl Search {
    /// Looks for the value with `rank` values before it in ascending order.
    pub(crate) fn new(rank: u64) -> Self {
        Search {
            prefix: 0,
            digits: 0,
            rank,
        }
    }

    /// Counts the next digit of the values that this search may still find.
    pub(crate) fn count(&self, values: impl Iterator<Item = f64>) -> DigitCounts {
        let mut counts = DigitCounts::new();
        for key in values.map(key) {
            if self.digits == 0
                || key >> (64 - 16 * self.digits) == self.prefix >> (64 - 16 * self.digits)
            {
                *counts
                    .entry((key >> (48 - 16 * self.digits)) as u16)
                    .or_default() += 1;
            }
        }
        counts
    }

    /// Learns one more digit from the counts over all rows.
    pub(crate) fn narrow(&mut self, counts: &DigitCounts) {
        for (digit, count) in counts {
            if self.rank < *count {
                self.prefix |= u64::from(*digit) << (48 - 16 * self.digits);
                break;
            }
            self.rank -= count;
        }
        self.digits += 1;
    }

    /// How many digits are known.
    pub(crate) fn digits(&self) -> u32 {
        self.digits
    }

    /// The value, once [`ROUNDS`] digits are known.
    pub(crate) fn value(&self) -> f64 {
        unkey(self.prefix)
    }
}

/// The ranks whose values have the median of `count` values halfway between them.
pub(crate) fn ranks(count: u64) -> [u64; 2] {
    [count.saturating_sub(1) / 2, count / 2]
}

/// Halfway between two values, without overflow.
pub(crate) fn midpoint(low: f64, high: f64) -> f64 {
    low.midpoint(high)
}

/// A key that sorts as the value does; both zeros have one key.
pub(crate) fn key(value: f64) -> u64 {
    let bits = (value + 0.0).to_bits();
    if bits >> 63 == 1 {
        !bits
    } else {
        bits | 1 << 63
    }
}

/// The value of a key.
pub(crate) fn unkey(key: u64) -> f64 {
    f64::from_bits(if key >> 63 == 1 {
        key ^ (1 << 63)
    } else {
        !key
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median(values: &[f64]) -> f64 {
        let mut searches = ranks(values.len() as u64).map(Search::new);
        for search in &mut searches {
            for _ in 0..ROUNDS {
                // Two partitions, merged.
                let (left, right) = values.split_at(values.len() / 3);
                let mut counts = search.count(left.iter().copied());
                for (digit, count) in search.count(right.iter().copied()) {
                    *counts.entry(digit).or_default() += count;
                }
                search.narrow(&counts);
            }
        }
        midpoint(searches[0].value(), searches[1].value())
    }

    #[test]
    fn keys_sort_as_values_do() {
        let sorted = [
            f64::NEG_INFINITY,
            -1e300,
            -1.0,
            -5e-324,
            0.0,
            5e-324,
            1.0,
            1.0 + f64::EPSILON,
            f64::INFINITY,
        ];
        assert!(sorted.map(key).is_sorted());
        assert_eq!(sorted.map(|value| unkey(key(value))), sorted);
        assert_eq!(key(-0.0), key(0.0));
    }

    #[test]
    fn finds_what_sorting_finds() {
        let mut values: Vec<f64> = (0..1001u32)
            .map(|i| f64::from(i.wrapping_mul(2_654_435_761) % 5003) / 3.0 - 700.0)
            .collect();
        let odd = median(&values);
        let even = median(&values[1..]);
        let mut rest = values.split_off(1);
        rest.sort_by(f64::total_cmp);
        assert_eq!(even, (rest[499] + rest[500]) / 2.0);
        rest.extend(values);
        rest.sort_by(f64::total_cmp);
        assert_eq!(odd, rest[500]);
        assert_eq!(median(&[3.0]), 3.0);
        assert_eq!(median(&[1.0, 1.0, 8.0, 8.0]), 4.5);
    }
}
