//! Exact weighted medians without holding the values: radix selection in four rounds.
//!
//! Values that are not negative sort as their bits do. Each round adds up the weights of the values by their
//! next 16 bits, among those that agree with what is known so far, and the sums say which 16 bits the wanted
//! value goes on with.

use std::collections::BTreeMap;

use pinion_models::Sum;
use serde::{Deserialize, Serialize};

/// Rounds until the median is known.
pub(crate) const ROUNDS: u32 = 4;

/// What one round adds up: weights by all bits that are known after it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Weights(BTreeMap<u64, Sum>);

impl Weights {
    /// Adds up what `median` asks about these values, none of them negative, and their weights.
    pub(crate) fn of(median: &Median, values: impl Iterator<Item = (f64, f64)>) -> Self {
        let mut weights = Weights::default();
        for (value, weight) in values {
            let bits = (value + 0.0).to_bits();
            let known = bits.checked_shr(64 - 16 * median.round).unwrap_or(0);
            if weight > 0.0 && median.bounds.iter().any(|bound| bound.prefix == known) {
                let bits = bits >> (48 - 16 * median.round);
                weights.0.entry(bits).or_default().add(weight);
            }
        }
        weights
    }

    /// Of these values and then those.
    pub(crate) fn merge(mut self, other: Self) -> Self {
        for (bits, weight) in other.0 {
            self.0.entry(bits).or_default().merge(weight);
        }
        self
    }
}

/// The hunt for the median of some values.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Median {
    round: u32,
    /// The median is halfway between two values: the first by which half of the weight is reached, and the
    /// first by which it is passed.
    bounds: [Bound; 2],
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
struct Bound {
    /// The bits known so far.
    prefix: u64,
    /// Weight still to be reached or passed among the values that agree with them.
    left: f64,
}

impl Median {
    /// Learns 16 more bits from the sums over all rows, whose weights add up to `total`.
    pub(crate) fn narrow(&mut self, weights: &Weights, total: f64) {
        for (bound, is_passing) in self.bounds.iter_mut().zip([false, true]) {
            if self.round == 0 {
                bound.left = total / 2.0;
            }
            let first = bound.prefix << 16;
            let mut last = None;
            for (bits, weight) in weights.0.range(first..=first | 0xffff) {
                let weight = weight.value();
                last = Some(*bits);
                if weight > bound.left || (!is_passing && weight == bound.left) {
                    break;
                }
                bound.left -= weight;
            }
            // Where rounding leaves a rest of the weight, the last value has it.
            bound.prefix = last.unwrap_or(first);
        }
        self.round += 1;
    }

    /// The median, once all rounds are over.
    pub(crate) fn value(&self) -> Option<f64> {
        let [low, high] = self.bounds.map(|bound| f64::from_bits(bound.prefix));
        (self.round == ROUNDS).then(|| low.midpoint(high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn median(values: &[(f64, f64)]) -> Option<f64> {
        let total = values.iter().map(|(_, weight)| weight).sum();
        let mut median = Median::default();
        for _ in 0..ROUNDS {
            assert_eq!(median.value(), None);
            // Two partitions, merged.
            let (left, right) = values.split_at(values.len() / 3);
            let left = Weights::of(&median, left.iter().copied());
            let right = Weights::of(&median, right.iter().copied());
            median.narrow(&left.merge(right), total);
        }
        median.value()
    }

    #[test]
    fn finds_what_sorting_finds() {
        let values: Vec<f64> = (0..1001u32)
            .map(|i| f64::from(i.wrapping_mul(2_654_435_761) % 5003) / 3.0)
            .collect();
        let of =
            |values: &[f64]| median(&values.iter().map(|value| (*value, 1.0)).collect::<Vec<_>>());
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        assert_eq!(of(&values), Some(sorted[500]));
        let mut even = values[1..].to_vec();
        let found = of(&even);
        even.sort_by(f64::total_cmp);
        assert_eq!(found, Some(even[499].midpoint(even[500])));
        assert_eq!(of(&[3.0]), Some(3.0));
        assert_eq!(of(&[0.0, -0.0, 8.0, 8.0]), Some(4.0));
        assert_eq!(of(&[0.0, 5e-324, f64::MAX]), Some(5e-324));
    }

    #[test]
    fn weights_count_as_repetition_does() {
        assert_eq!(median(&[(1.0, 3.0), (2.0, 1.0), (7.0, 1.0)]), Some(1.0));
        assert_eq!(median(&[(1.0, 1.5), (2.0, 0.5), (7.0, 1.0)]), Some(1.5));
        assert_eq!(median(&[(9.0, 0.0), (7.0, 0.25)]), Some(7.0));
    }
}
