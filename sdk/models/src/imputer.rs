//! The model of `fit-imputer`: a value for each column that stands in for missing ones.

use std::collections::BTreeMap;

use pinion_sdk::Result;
use serde::{Deserialize, Serialize};

use crate::file::Model;

/// What stands in for missing values.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Imputer {
    /// By column name.
    pub columns: BTreeMap<String, ImputedColumn>,
}

/// The value for one column, and how it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImputedColumn {
    /// The value that replaces missing ones.
    pub fill: Fill,
    /// Missing values when fitted.
    pub missing: u64,
    /// All rows when fitted, missing ones included.
    pub rows: u64,
    /// `mean`, `median`, `most-frequent` or `constant`.
    pub strategy: String,
}

/// A value for missing ones. Numbers make the column `float64`, text keeps it `utf8`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fill {
    /// For a column of numbers.
    Number(f64),
    /// For a column of text.
    Text(String),
}

impl Model for Imputer {
    const KIND: &'static str = "imputer";
    const MEDIA_TYPE: &'static str = "application/vnd.pinion.imputer+json";
}

impl Imputer {
    /// The value for one column.
    ///
    /// # Errors
    /// `column-not-in-model` if the imputer was not fitted on it.
    pub fn column(&self, name: &str) -> Result<&ImputedColumn> {
        crate::file::column(Self::KIND, &self.columns, name)
    }
}
