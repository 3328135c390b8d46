//! Sums of floats whose rounding error does not grow with the number of rows.

use serde::{Deserialize, Serialize};

/// A running sum with Neumaier's compensation: the error is a few units in the last place of the
/// result plus the second order term `n eps^2 sum(|x|)`, whatever the order of the values.
///
/// The bits depend on the order of `add`, never on how rows were cut into batches.
///
/// A. Neumaier, "Rundungsfehleranalyse einiger Verfahren zur Summation endlicher Summen", ZAMM 54 (1974).
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    total: f64,
    lost: f64,
}

impl Sum {
    /// Adds one value.
    #[inline]
    pub fn add(&mut self, value: f64) {
        let total = self.total + value;
        self.lost += if self.total.abs() >= value.abs() {
            (self.total - total) + value
        } else {
            (value - total) + self.total
        };
        self.total = total;
    }

    /// Adds the values of another sum, as if they came after these.
    pub fn merge(&mut self, other: Sum) {
        self.add(other.total);
        self.lost += other.lost;
    }

    /// The sum, rounded once. Zero if nothing was added. Infinite if a value was, or all together are
    /// too large; NaN if one was, or infinities of both signs.
    #[must_use]
    pub fn value(self) -> f64 {
        if self.total.is_finite() {
            self.total + self.lost
        } else {
            self.total
        }
    }
}

impl FromIterator<f64> for Sum {
    fn from_iter<I: IntoIterator<Item = f64>>(values: I) -> Self {
        let mut sum = Sum::default();
        values.into_iter().for_each(|value| sum.add(value));
        sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_a_plain_sum_loses() {
        let values = [1.0, 1e100, 1.0, -1e100];
        assert_eq!(values.iter().sum::<f64>(), 0.0);
        assert_eq!(values.into_iter().collect::<Sum>().value(), 2.0);
    }

    #[test]
    fn infinity_stays_infinite() {
        let sum = |values: &[f64]| values.iter().copied().collect::<Sum>().value();
        assert_eq!(sum(&[1.0, f64::INFINITY, 2.0]), f64::INFINITY);
        assert_eq!(sum(&[1.0, f64::NEG_INFINITY, 2.0]), f64::NEG_INFINITY);
        assert!(sum(&[f64::INFINITY, f64::NEG_INFINITY]).is_nan());
        assert!(sum(&[f64::NAN, 1.0]).is_nan());
    }

    #[test]
    fn merges_without_loss() {
        let mut left: Sum = [1e100, 1.0].into_iter().collect();
        left.merge([1.0, -1e100].into_iter().collect());
        assert_eq!(left.value(), 2.0);
    }
}
