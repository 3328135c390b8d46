//! How large a sample is, and of what.

use pinion_sdk::{Error, Result};
use pinion_tables::split::check_names;
use schemars::JsonSchema;
use serde::Deserialize;

/// How large a sample is, and of what.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Params {
    /// The share of rows that stay, from 0 to 1: each with this probability, or with `by` this share of each
    /// group. Not together with `rows`.
    fraction: Option<f64>,
    /// The number of rows that stay, or with `by` of each group; all if there are fewer. Not together with
    /// `fraction`.
    rows: Option<u64>,
    /// Columns whose values make groups, each of which is sampled on its own.
    pub(crate) by: Option<Vec<String>>,
    /// Which sample: any number. Unless given, it follows from the pipeline's seed, this step's params and
    /// its component.
    pub(crate) seed: Option<u64>,
}

/// How large a sample is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Size {
    Fraction(f64),
    Rows(u64),
}

impl Params {
    /// How large the sample is.
    ///
    /// # Errors
    /// `bad-params` for params that make no sense.
    pub(crate) fn size(&self) -> Result<Size> {
        if let Some(by) = &self.by {
            check_names(by)?;
        }
        match (self.fraction, self.rows) {
            (Some(fraction), None) if (0.0..=1.0).contains(&fraction) => {
                Ok(Size::Fraction(fraction))
            }
            (Some(fraction), None) => Err(Error::bad_params("`fraction` is no share of the rows")
                .with("expected", "a number from 0 to 1")
                .with("found", fraction)),
            (None, Some(rows)) => Ok(Size::Rows(rows)),
            (Some(_), Some(_)) => Err(Error::bad_params(
                "`fraction` and `rows` are given together",
            )),
            (None, None) => Err(Error::bad_params("neither `fraction` nor `rows` is given")),
        }
    }
}

impl Size {
    /// How many of `rows` rows stay.
    pub(crate) fn of(self, rows: u64) -> u64 {
        match self {
            Self::Rows(count) => count.min(rows),
            Self::Fraction(fraction) => (fraction * rows as f64 + 0.5) as u64,
        }
    }
}
