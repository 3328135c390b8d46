//! The model of `fit-scaler`: a centre and a scale for each column.

use std::collections::BTreeMap;

use pinion_sdk::Result;
use serde::{Deserialize, Serialize};

use crate::file::Model;

/// What each column is centred on and divided by.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scaler {
    /// By column name.
    pub columns: BTreeMap<String, ScaledColumn>,
    /// How the figures were found: `standard` or `min-max`.
    pub method: String,
}

/// A value `x` of this column becomes `(x - center) / scale`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScaledColumn {
    /// In units of the column.
    pub center: f64,
    /// Missing values, which were left out.
    pub missing: u64,
    /// All rows, missing ones included.
    pub rows: u64,
    /// In units of the column; never zero.
    pub scale: f64,
}

impl Model for Scaler {
    const KIND: &'static str = "scaler";
    const MEDIA_TYPE: &'static str = "application/vnd.pinion.scaler+json";
}

impl Scaler {
    /// The figures of one column.
    ///
    /// # Errors
    /// `column-not-in-model` if the scaler was not fitted on it.
    pub fn column(&self, name: &str) -> Result<&ScaledColumn> {
        crate::file::column(Self::KIND, &self.columns, name)
    }
}

impl ScaledColumn {
    /// Scales one value.
    #[must_use]
    pub fn apply(&self, value: f64) -> f64 {
        (value - self.center) / self.scale
    }
}
