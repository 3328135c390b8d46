//! The model of `fit-linear`: coefficients of a linear regression.

use serde::{Deserialize, Serialize};

use crate::features::{CategoricalFeature, NumericFeature};
use crate::file::Model;

/// A fitted linear regression: the target is linear in the features.
///
/// A categorical feature of width `k` stands for `k` columns of zeros and ones, of which code `c` sets
/// the `c`-th; a null code sets none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Linear {
    /// In the order of the params; coefficients in units of the target.
    pub categorical: Vec<CategoricalFeature>,
    /// How the fit went.
    pub fit: LinearFit,
    /// The target if every feature is zero, in its units.
    pub intercept: f64,
    /// In the order of the params; coefficients in units of the target for each unit of the column.
    pub numeric: Vec<NumericFeature>,
    /// The column that was learnt.
    pub target: String,
}

/// How the fit of a linear regression went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LinearFit {
    /// Strength of the penalty, as in scikit-learn; 0 for ordinary least squares.
    pub alpha: f64,
    /// Whether the intercept was fitted; else it is 0.
    pub fit_intercept: bool,
    /// `(weighted sum of squared errors) + alpha * |coefficients|^2` at the solution.
    pub objective: f64,
    /// How many coefficients the rows and the penalty determine, the intercept not counted. If it is less
    /// than there are, the features are collinear, and the coefficients are the shortest of all that give
    /// the least objective.
    pub rank: u64,
    /// Rows it was fitted on.
    pub rows: u64,
    /// What the weights of these rows add up to; each has weight 1 unless it was given another.
    pub weight: f64,
}

impl Model for Linear {
    const KIND: &'static str = "linear";
    const MEDIA_TYPE: &'static str = "application/vnd.pinion.linear+json";
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn file_reads_back_to_the_same_bits() {
        let model = Linear {
            categorical: vec![CategoricalFeature {
                coefficients: vec![0.1, -0.25],
                column: "carrier".into(),
            }],
            fit: LinearFit {
                alpha: 0.5,
                fit_intercept: true,
                objective: 1.0 / 3.0,
                rank: 3,
                rows: 10,
                weight: 7.5,
            },
            intercept: -3482258.63459582,
            numeric: vec![NumericFeature {
                coefficient: 5e-324,
                column: "distance".into(),
            }],
            target: "delay".into(),
        };
        let bytes = model.to_bytes().unwrap();
        assert_eq!(Linear::parse(&bytes).unwrap(), model);
        let text = String::from_utf8(bytes).unwrap();
        let other = text.replace("\"rank\"", "\"degree\"");
        assert_eq!(
            Linear::parse(other.as_bytes()).unwrap_err().code,
            "bad-model"
        );
    }
}
