//! The rows of one partition, read and checked, and what the first round counts of them.

use arrow_array::{BooleanArray, Float64Array, Int32Array};
use pinion_models::{check_present, codes, gather, gather_finite, labels, width};
use pinion_sdk::{Error, Result, Table};
use serde::{Deserialize, Serialize};

use crate::Params;

/// Rows to fit on; no nulls but in `codes`.
#[derive(Debug)]
pub(crate) struct Records {
    pub(crate) target: BooleanArray,
    /// One column for each numeric feature.
    pub(crate) numeric: Vec<Float64Array>,
    /// One column for each categorical feature. A null code is a row without a category.
    pub(crate) codes: Vec<Int32Array>,
}

/// Counts of the first round.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Survey {
    pub(crate) rows: u64,
    pub(crate) positives: u64,
    /// Of each categorical column: what the encoder tells, or one more than the highest code.
    pub(crate) widths: Vec<u64>,
}

impl Survey {
    /// Of these rows and then those.
    pub(crate) fn merge(self, other: Survey) -> Survey {
        Survey {
            rows: self.rows + other.rows,
            positives: self.positives + other.positives,
            widths: self
                .widths
                .into_iter()
                .zip(other.widths)
                .map(|(left, right)| left.max(right))
                .collect(),
        }
    }

    /// Refuses a target that is the same in all rows.
    pub(crate) fn check(&self, target: &str) -> Result<()> {
        if self.positives > 0 && self.positives < self.rows {
            return Ok(());
        }
        Err(Error::new(
            "one-class",
            format!("column `{target}` does not have two classes"),
        )
        .with("column", target)
        .with("rows", self.rows)
        .with("positives", self.positives))
    }
}

/// Counts one partition, and refuses missing values and codes beyond the encoder's before any fitting.
pub(crate) fn survey(params: &Params, known: &[Option<u64>], rows: &Table) -> Result<Survey> {
    let records = records(params, rows)?;
    let codes = params.categorical.iter().zip(&records.codes).zip(known);
    let widths = codes.map(|((column, codes), known)| width(column, codes, *known));
    Ok(Survey {
        rows: records.target.len() as u64,
        positives: records.target.true_count() as u64,
        widths: widths.collect::<Result<_>>()?,
    })
}

/// The rows of one partition.
pub(crate) fn records(params: &Params, rows: &Table) -> Result<Records> {
    let target = gather(rows, &params.target, labels)?;
    check_present(&params.target, &target)?;
    Ok(Records {
        target,
        numeric: params
            .features
            .iter()
            .map(|column| gather_finite(rows, column))
            .collect::<Result<_>>()?,
        codes: params
            .categorical
            .iter()
            .map(|column| gather(rows, column, codes))
            .collect::<Result<_>>()?,
    })
}
