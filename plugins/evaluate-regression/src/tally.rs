//! What is added up over the rows of one slice, mergeable, and the metrics it gives.

use pinion_models::{Mean, Sum};
use serde::{Deserialize, Serialize};

/// One row: what was, what was predicted, and how much the row counts. All are finite.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Row {
    pub(crate) target: f64,
    pub(crate) prediction: f64,
    /// Not negative.
    pub(crate) weight: f64,
}

impl Row {
    /// How far the prediction is from the target.
    pub(crate) fn absolute_error(self) -> f64 {
        (self.prediction - self.target).abs()
    }
}

/// Weighted sums over some rows.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Tally {
    rows: u64,
    /// Rows that count and whose target is zero.
    zeros: u64,
    weight: Sum,
    errors: Sum,
    absolute_errors: Sum,
    squared_errors: Sum,
    /// Of absolute errors divided by the target, where it is not zero.
    relative_errors: Sum,
    target: Mean,
    /// Sum of squared deviations of the target from its mean.
    spread: f64,
}

/// Figures of one slice; none where a figure is not defined.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Metrics {
    pub(crate) rows: u64,
    /// What the weights of the rows add up to.
    pub(crate) weight: f64,
    /// One less the squared errors' share of the squared deviations of the target from its mean.
    pub(crate) r2: Option<f64>,
    /// Root of the mean squared error.
    pub(crate) rmse: Option<f64>,
    /// Mean absolute error.
    pub(crate) mae: Option<f64>,
    /// Mean of prediction less target.
    pub(crate) bias: Option<f64>,
    /// Mean of the absolute error as a share of the target.
    pub(crate) mape: Option<f64>,
}

impl Tally {
    /// Of rows in order.
    pub(crate) fn of(rows: impl Iterator<Item = Row> + Clone) -> Self {
        let mut tally = Tally {
            target: Mean::of(rows.clone().map(|row| (row.target, row.weight))),
            ..Tally::default()
        };
        let mut spread = Sum::default();
        for row in rows {
            tally.rows += 1;
            let Row { target, weight, .. } = row;
            if weight == 0.0 {
                continue;
            }
            let error = row.prediction - target;
            tally.weight.add(weight);
            tally.errors.add(weight * error);
            tally.absolute_errors.add(weight * error.abs());
            tally.squared_errors.add(weight * (error * error));
            match target {
                0.0 => tally.zeros += 1,
                _ => tally
                    .relative_errors
                    .add(weight * (error.abs() / target.abs())),
            }
            let deviation = tally.target.deviation(target);
            spread.add(weight * (deviation * deviation));
        }
        tally.spread = spread.value();
        tally
    }

    /// Of these rows and then those.
    pub(crate) fn merge(mut self, other: Tally) -> Tally {
        self.rows += other.rows;
        self.zeros += other.zeros;
        self.weight.merge(other.weight);
        self.errors.merge(other.errors);
        self.absolute_errors.merge(other.absolute_errors);
        self.squared_errors.merge(other.squared_errors);
        self.relative_errors.merge(other.relative_errors);
        let (target, gap) = self.target.merge(other.target);
        self.target = target;
        self.spread += other.spread + gap.distance * gap.distance * gap.weight;
        self
    }

    /// What the weights of the rows add up to.
    pub(crate) fn weight(&self) -> f64 {
        self.weight.value()
    }

    /// The figures. One whose denominator is zero is none, as is one that is too large for a float.
    pub(crate) fn metrics(&self) -> Metrics {
        let weight = self.weight();
        let ratio = |part: f64, whole: f64| {
            let ratio = part / whole;
            Some(ratio).filter(|ratio| whole > 0.0 && ratio.is_finite())
        };
        let mean = |sum: Sum| ratio(sum.value(), weight);
        Metrics {
            rows: self.rows,
            weight,
            r2: ratio(self.squared_errors.value(), self.spread).map(|share| 1.0 - share),
            rmse: mean(self.squared_errors).map(f64::sqrt),
            mae: mean(self.absolute_errors),
            bias: mean(self.errors),
            mape: mean(self.relative_errors).filter(|_| self.zeros == 0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(pairs: &[(f64, f64)]) -> Vec<Row> {
        pairs
            .iter()
            .map(|&(target, prediction)| Row {
                target,
                prediction,
                weight: 1.0,
            })
            .collect()
    }

    fn metrics(pairs: &[(f64, f64)]) -> Metrics {
        Tally::of(rows(pairs).into_iter()).metrics()
    }

    #[test]
    fn figures_follow_their_definitions() {
        let found = metrics(&[(1.0, 2.0), (2.0, 2.0), (4.0, 1.0), (5.0, 5.0)]);
        assert_eq!((found.rows, found.weight), (4, 4.0));
        assert_eq!(found.r2, Some(0.0));
        assert_eq!(found.rmse, Some(2.5f64.sqrt()));
        assert_eq!((found.mae, found.bias), (Some(1.0), Some(-0.5)));
        assert_eq!(found.mape, Some((1.0 + 0.75) / 4.0));
    }

    #[test]
    fn what_is_not_defined_is_none() {
        let none = Tally::default().metrics();
        assert_eq!(
            (none.rows, none.weight, none.r2, none.rmse, none.mape),
            (0, 0.0, None, None, None)
        );
        let constant = metrics(&[(0.1, 0.2), (0.1, 0.1), (0.1, 0.3)]);
        assert_eq!(constant.r2, None);
        assert!(constant.mape.is_some());
        assert_eq!(metrics(&[(0.0, 1.0), (1.0, 1.0)]).mape, None);
        assert_eq!(metrics(&[(1e300, -1e300), (1.0, 1.0)]).rmse, None);
    }

    #[test]
    fn merging_two_parts_counts_all_rows_once() {
        let pairs = [(3.0, 2.5), (-1.0, 0.0), (7.0, 8.0), (2.5, 2.0), (7.0, 6.5)];
        let whole = metrics(&pairs);
        for cut in 0..=pairs.len() {
            let part = |pairs: &[(f64, f64)]| Tally::of(rows(pairs).into_iter());
            let (left, right) = pairs.split_at(cut);
            let merged = part(left).merge(part(right)).metrics();
            assert!((merged.r2.unwrap_or(0.0) - whole.r2.unwrap_or(1.0)).abs() < 1e-15);
            assert_eq!(
                Metrics {
                    r2: whole.r2,
                    ..merged
                },
                whole
            );
        }
    }
}
