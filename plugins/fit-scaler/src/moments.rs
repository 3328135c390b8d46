//! Count, mean, spread and range of a column, mergeable.

use pinion_models::{ScaledColumn, Sum};
use serde::{Deserialize, Serialize};

/// What is known of one column after some of its rows.
///
/// The mean and the squares are found in two passes over the values at hand and merged by the formula
/// of Chan, Golub and LeVeque ("Algorithms for computing the sample variance", The American
/// Statistician 37, 1983): no cancellation, however far the mean is from zero.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    rows: u64,
    present: u64,
    mean: f64,
    /// What the rounding of `mean` lost: the differences of means are all that merging has to go by.
    mean_low: f64,
    /// Sum of squared deviations from the mean.
    squares: f64,
    min: f64,
    max: f64,
}

/// How a column is scaled.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Method {
    /// To mean 0 and population standard deviation 1.
    #[default]
    Standard,
    /// To the range from 0 to 1.
    MinMax,
}

impl Method {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Method::Standard => "standard",
            Method::MinMax => "min-max",
        }
    }
}

/// Why a column has no scale.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unscalable {
    /// Every value is missing.
    Empty,
    /// A value is infinite, or the values are too large to add up.
    NotFinite,
}

impl Moments {
    /// Of values in row order; `None` is a missing one.
    pub(crate) fn of(values: impl Iterator<Item = Option<f64>> + Clone) -> Self {
        let rows = values.clone().count() as u64;
        let values = values.flatten();
        let present = values.clone().count() as u64;
        let mean = if present == 0 {
            0.0
        } else {
            values.clone().collect::<Sum>().value() / present as f64
        };
        let mut squares = Sum::default();
        let mut rest = Sum::default();
        let (mut min, mut max) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            let deviation = value - mean;
            squares.add(deviation * deviation);
            rest.add(deviation);
            min = min.min(value);
            max = max.max(value);
        }
        // The deviations add up to zero but for the rounding of the mean, which this takes out.
        let mean_low = if present == 0 {
            0.0
        } else {
            rest.value() / present as f64
        };
        Moments {
            rows,
            present,
            mean,
            mean_low,
            squares: squares.value() - rest.value() * mean_low,
            min,
            max,
        }
    }

    /// Of these rows and then those.
    pub(crate) fn merge(self, other: Moments) -> Moments {
        let rows = self.rows + other.rows;
        if self.present == 0 || other.present == 0 {
            let known = if self.present == 0 { other } else { self };
            return Moments { rows, ..known };
        }
        let present = self.present + other.present;
        let share = other.present as f64 / present as f64;
        let distance = (other.mean - self.mean) + (other.mean_low - self.mean_low);
        let step = self.mean_low + distance * share;
        let mean = self.mean + step;
        Moments {
            rows,
            present,
            mean,
            mean_low: step - (mean - self.mean),
            squares: self.squares
                + other.squares
                + distance * distance * (self.present as f64 * share),
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }

    /// The figures to scale by. A constant column gets scale 1, as in scikit-learn.
    pub(crate) fn scaled(self, method: Method) -> Result<ScaledColumn, Unscalable> {
        if self.present == 0 {
            return Err(Unscalable::Empty);
        }
        let (center, scale) = match method {
            Method::Standard => (self.mean, self.deviation()),
            Method::MinMax => (self.min, self.max - self.min),
        };
        if !center.is_finite() || !scale.is_finite() {
            return Err(Unscalable::NotFinite);
        }
        let scale = if scale == 0.0 { 1.0 } else { scale };
        Ok(ScaledColumn {
            center,
            missing: self.rows - self.present,
            rows: self.rows,
            scale,
        })
    }

    /// The population standard deviation; 0 if the variance is within the rounding error of a constant
    /// column, by the bound that scikit-learn uses (`_is_constant_feature`).
    fn deviation(self) -> f64 {
        let count = self.present as f64;
        let variance = self.squares / count;
        let noise = count * self.mean * f64::EPSILON;
        if variance <= count * f64::EPSILON * variance + noise * noise {
            0.0
        } else {
            variance.sqrt()
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn of(values: &[f64]) -> Moments {
        Moments::of(values.iter().copied().map(Some))
    }

    #[test]
    fn a_large_mean_does_not_drown_the_spread() {
        let scaled = of(&[1e9 + 4.0, 1e9 + 7.0, 1e9 + 13.0, 1e9 + 16.0])
            .scaled(Method::Standard)
            .unwrap();
        assert_eq!((scaled.center, scaled.scale), (1e9 + 10.0, 22.5f64.sqrt()));
    }

    #[test]
    fn merging_is_as_good_as_one_pass() {
        let values: Vec<f64> = (0..1000).map(|i| f64::from(i * i % 977) / 7.0).collect();
        let whole = of(&values).scaled(Method::Standard).unwrap();
        let (left, right) = values.split_at(137);
        let merged = of(left)
            .merge(of(&[]))
            .merge(of(right))
            .scaled(Method::Standard)
            .unwrap();
        assert!((whole.center - merged.center).abs() <= 1e-14 * whole.center.abs());
        assert!((whole.scale - merged.scale).abs() <= 1e-14 * whole.scale);
        assert_eq!(merged.rows, 1000);
    }

    #[test]
    fn constant_columns_get_scale_one() {
        assert_eq!(of(&[0.1; 33]).scaled(Method::Standard).unwrap().scale, 1.0);
        assert_eq!(of(&[5.0]).scaled(Method::MinMax).unwrap().scale, 1.0);
    }

    #[test]
    fn missing_values_are_left_out_and_counted() {
        let scaled = Moments::of([None, Some(2.0), Some(4.0)].into_iter())
            .scaled(Method::MinMax)
            .unwrap();
        assert_eq!(
            scaled,
            ScaledColumn {
                center: 2.0,
                missing: 1,
                rows: 3,
                scale: 2.0
            }
        );
    }

    #[test]
    fn some_columns_have_no_scale() {
        assert_eq!(
            Moments::of([None].into_iter()).scaled(Method::Standard),
            Err(Unscalable::Empty)
        );
        assert_eq!(
            of(&[1.0, f64::INFINITY]).scaled(Method::Standard),
            Err(Unscalable::NotFinite)
        );
        assert_eq!(
            of(&[1.0, f64::INFINITY]).scaled(Method::MinMax),
            Err(Unscalable::NotFinite)
        );
    }
}
