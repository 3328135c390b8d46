//! The features of a model that is linear in them.

use arrow_array::Int32Array;
use pinion_sdk::{Error, Inputs, Result};
use serde::{Deserialize, Serialize};

use crate::encoder::Encoder;
use crate::file::Model;

/// One coefficient for each category.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CategoricalFeature {
    /// By code, in the units of what the model adds up.
    pub coefficients: Vec<f64>,
    /// The column of codes.
    pub column: String,
}

/// One coefficient for one column of numbers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NumericFeature {
    /// What the model adds up, for each unit of the column.
    pub coefficient: f64,
    /// The column.
    pub column: String,
}

impl NumericFeature {
    /// The features of `columns`, in order.
    #[must_use]
    pub fn all(columns: &[String], coefficients: &[f64]) -> Vec<Self> {
        let features = columns.iter().zip(coefficients);
        features
            .map(|(column, coefficient)| Self {
                coefficient: *coefficient,
                column: column.clone(),
            })
            .collect()
    }
}

/// How many categories each of `columns` has, as the encoder bound to the side port `encoder` tells; none
/// for each where there is no encoder.
///
/// # Errors
/// As [`Model::read`], and `column-not-in-model`.
pub fn known_widths(side: &Inputs, columns: &[String]) -> Result<Vec<Option<u64>>> {
    let Some(encoder) = Encoder::read(side, "encoder")? else {
        return Ok(vec![None; columns.len()]);
    };
    let width = |column: &String| Ok(Some(encoder.column(column)?.categories.len() as u64));
    columns.iter().map(width).collect()
}

/// One more than the highest of `codes`, or `known` if an encoder told.
///
/// # Errors
/// `bad-data` if a code is not below `known`.
pub fn width(column: &str, codes: &Int32Array, known: Option<u64>) -> Result<u64> {
    let highest = codes.iter().flatten().max();
    let seen = highest.map_or(0, |code| u64::from(code.unsigned_abs()) + 1);
    match known {
        Some(known) if seen > known => Err(Error::bad_data(format!(
            "column `{column}` has a code that the encoder does not"
        ))
        .with("column", column)
        .with("expected", format!("a code below {known}"))
        .with("found", seen - 1)),
        _ => Ok(known.unwrap_or(seen)),
    }
}

/// Refuses features that cannot be told from each other or from the target, and none at all.
///
/// # Errors
/// `bad-params`.
pub fn check_features(target: &str, features: &[String], categorical: &[String]) -> Result<()> {
    let mut seen = vec![target];
    for column in features.iter().chain(categorical) {
        if seen.contains(&column.as_str()) {
            return Err(
                Error::bad_params(format!("column `{column}` stands twice")).with("column", column)
            );
        }
        seen.push(column);
    }
    if seen.len() == 1 {
        return Err(Error::bad_params("there is no feature")
            .with("expected", "columns under `features` or `categorical`"));
    }
    Ok(())
}
