//! Means with more digits than a float has, mergeable.

use serde::{Deserialize, Serialize};

use crate::sum::Sum;

/// The weighted mean of some values, and what their weights add up to. Of no values, or none with a weight,
/// all is zero.
///
/// The mean is found in two passes over the values at hand, and kept with what its rounding lost: the
/// differences of means are all that merging has to go by (Chan, Golub and LeVeque, "Algorithms for
/// computing the sample variance", The American Statistician 37, 1983). Where all values are equal the mean
/// is that value, so deviations from it are exactly zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    weight: f64,
    value: f64,
    /// What the rounding of `value` lost.
    low: f64,
}

/// What lies between two groups of values.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Gap {
    /// The right mean less the left one.
    pub distance: f64,
    /// The weight with which the square of `distance` adds to the squared deviations within both groups:
    /// the product of the groups' weights divided by their sum.
    pub weight: f64,
}

impl Mean {
    /// Of pairs of a value and its weight, which is finite and not negative. A value of weight zero does not count.
    pub fn of(values: impl Iterator<Item = (f64, f64)> + Clone) -> Self {
        let values = values.filter(|(_, weight)| *weight > 0.0);
        let (mut sum, mut weights) = (Sum::default(), Sum::default());
        let mut first = None;
        let mut constant = true;
        for (value, weight) in values.clone() {
            constant &= *first.get_or_insert(value) == value;
            sum.add(value * weight);
            weights.add(weight);
        }
        let Some(first) = first else {
            return Mean::default();
        };
        let weight = weights.value();
        if constant {
            let (value, low) = (first, 0.0);
            return Mean { weight, value, low };
        }
        let value = sum.value() / weight;
        let rest: Sum = values.map(|(one, weight)| (one - value) * weight).collect();
        let low = rest.value() / weight;
        Mean { weight, value, low }
    }

    /// The mean, rounded once.
    #[must_use]
    pub fn value(self) -> f64 {
        self.value + self.low
    }

    /// What the weights add up to.
    #[must_use]
    pub fn weight(self) -> f64 {
        self.weight
    }

    /// How far `value` lies above the mean.
    #[must_use]
    #[inline]
    pub fn deviation(self, value: f64) -> f64 {
        (value - self.value) - self.low
    }

    /// Of these values and then those, and what lay between them.
    #[must_use]
    pub fn merge(self, other: Mean) -> (Mean, Gap) {
        if self.weight == 0.0 || other.weight == 0.0 {
            let known = if self.weight == 0.0 { other } else { self };
            return (known, Gap::default());
        }
        let weight = self.weight + other.weight;
        let share = other.weight / weight;
        let distance = (other.value - self.value) + (other.low - self.low);
        let step = self.low + distance * share;
        let value = self.value + step;
        let low = step - (value - self.value);
        let gap = Gap {
            distance,
            weight: self.weight * share,
        };
        (Mean { weight, value, low }, gap)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Mean {
        Mean::of(values.iter().map(|value| (*value, 1.0)))
    }

    #[test]
    fn merging_is_as_good_as_one_pass() {
        let values: Vec<f64> = (0..1000)
            .map(|i| 1e9 + f64::from(i * i % 977) / 7e6)
            .collect();
        let whole = of(&values);
        let (left, right) = values.split_at(137);
        let (merged, gap) = of(left).merge(of(&[])).0.merge(of(right));
        assert_eq!(merged.weight(), 1000.0);
        assert!((merged.value() - whole.value()).abs() <= 1e-16 * whole.value());
        assert!((merged.deviation(1e9) - whole.deviation(1e9)).abs() <= 1e-20 * 1e9);
        assert_eq!(gap.weight, 137.0 * 863.0 / 1000.0);
        // The mean of either part is a float's last place away from what it is rounded to.
        let exact = |values: &[f64]| {
            let above: f64 = values.iter().map(|value| value - 1e9).sum();
            above / values.len() as f64
        };
        let expected = exact(right) - exact(left);
        assert!((gap.distance - expected).abs() <= 1e-13 * expected.abs());
    }

    #[test]
    fn weights_count_as_repetition_does() {
        let weighted = Mean::of([(1.5, 2.0), (7.0, 0.0), (4.25, 1.0)].into_iter());
        let repeated = of(&[1.5, 1.5, 4.25]);
        assert_eq!(weighted, repeated);
        assert_eq!(Mean::of([(7.0, 0.0)].into_iter()), Mean::default());
    }

    #[test]
    fn equal_values_have_no_deviation() {
        let mean = of(&[0.1; 33]).merge(of(&[0.1; 7])).0;
        assert_eq!((mean.value(), mean.deviation(0.1)), (0.1, 0.0));
    }
}
