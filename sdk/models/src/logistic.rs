//! The model of `fit-logistic`: coefficients of a binary logistic regression.

use serde::{Deserialize, Serialize};

use crate::features::{CategoricalFeature, NumericFeature};
use crate::file::Model;

/// A fitted binary logistic regression: the log-odds are linear in the features.
///
/// A categorical feature of width `k` stands for `k` columns of zeros and ones, of which code `c` sets
/// the `c`-th; a null code sets none.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logistic {
    /// In the order of the params; coefficients in log-odds.
    pub categorical: Vec<CategoricalFeature>,
    /// How the fit went.
    pub fit: Fit,
    /// Log-odds if every feature is zero.
    pub intercept: f64,
    /// In the order of the params; coefficients in log-odds for each unit of the column.
    pub numeric: Vec<NumericFeature>,
    /// The column that was learnt.
    pub target: String,
}

/// How the fit went.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fit {
    /// Inverse strength of the penalty, as in scikit-learn.
    pub c: f64,
    /// Euclidean norm of the gradient of `objective` at the solution.
    pub gradient_norm: f64,
    /// `|coefficients|^2 / 2 + c * (sum of log losses)` at the solution.
    pub objective: f64,
    /// Rows of the positive class.
    pub positives: u64,
    /// Passes over the rows.
    pub rounds: u32,
    /// Rows it was fitted on.
    pub rows: u64,
}

impl Model for Logistic {
    const KIND: &'static str = "logistic";
    const MEDIA_TYPE: &'static str = "application/vnd.pinion.logistic+json";
}

/// `1 / (1 + exp(-log_odds))`, without overflow.
///
/// Uses `libm`, so that native builds and Wasm give the same bits.
#[must_use]
pub fn sigmoid(log_odds: f64) -> f64 {
    if log_odds >= 0.0 {
        1.0 / (1.0 + libm::exp(-log_odds))
    } else {
        let odds = libm::exp(log_odds);
        odds / (1.0 + odds)
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn model() -> Logistic {
        Logistic {
            categorical: vec![CategoricalFeature {
                column: "carrier".into(),
                coefficients: vec![0.1, -0.25],
            }],
            fit: Fit {
                c: 1.0,
                gradient_norm: 1e-12,
                objective: 3.5,
                positives: 4,
                rounds: 6,
                rows: 10,
            },
            intercept: -1.0 / 3.0,
            numeric: vec![NumericFeature {
                column: "distance".into(),
                coefficient: 5e-324,
            }],
            target: "late".into(),
        }
    }

    #[test]
    fn file_reads_back_to_the_same_bits() {
        let bytes = model().to_bytes().unwrap();
        assert_eq!(bytes.last(), Some(&b'\n'));
        assert_eq!(Logistic::parse(&bytes).unwrap(), model());
    }

    #[test]
    fn keys_are_sorted() {
        let text = String::from_utf8(model().to_bytes().unwrap()).unwrap();
        fn sorted(value: &serde_json::Value) -> bool {
            match value {
                serde_json::Value::Object(map) => {
                    map.keys().is_sorted() && map.values().all(sorted)
                }
                serde_json::Value::Array(items) => items.iter().all(sorted),
                _ => true,
            }
        }
        assert!(sorted(&serde_json::from_str(&text).unwrap()));
        let positions = [
            "categorical",
            "\"fit\"",
            "intercept",
            "numeric",
            "target",
            "version",
        ]
        .map(|key| text.find(key).unwrap());
        assert!(positions.is_sorted(), "{text}");
    }

    #[test]
    fn unknown_versions_and_keys_are_refused() {
        let text = String::from_utf8(model().to_bytes().unwrap()).unwrap();
        let newer = text.replace("\"version\": 1", "\"version\": 2");
        assert_eq!(
            Logistic::parse(newer.as_bytes()).unwrap_err().code,
            "unknown-model-version"
        );
        let other = text.replace("\"intercept\"", "\"bias\"");
        assert_eq!(
            Logistic::parse(other.as_bytes()).unwrap_err().code,
            "bad-model"
        );
    }

    #[test]
    fn sigmoid_has_no_overflow() {
        assert_eq!(sigmoid(0.0), 0.5);
        assert_eq!(sigmoid(1e4), 1.0);
        assert_eq!(sigmoid(-1e4), 0.0);
    }
}
