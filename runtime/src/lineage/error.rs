//! Why there is no answer.

use crate::error::Hint;
use crate::store::StoreError;

/// Why lineage cannot be told.
#[derive(Debug, thiserror::Error)]
pub enum LineageError {
    /// The record does not say where recipes are.
    #[error("run `{run}` was recorded before lineage was")]
    Older {
        /// The run.
        run: String,
    },
    /// A recipe that is not in the store any more.
    #[error("the store has lost what step `{step}` left behind in run `{run}`")]
    Gone {
        /// The step.
        step: String,
        /// The run.
        run: String,
    },
    /// A recipe that says something else than the record.
    #[error("what step `{step}` left behind does not fit the record of its run: {problem}")]
    Unfit {
        /// The step.
        step: String,
        /// What does not fit.
        problem: String,
    },
    /// A row that a table does not have.
    #[error(
        "`{table}` has no row {row}\n  {}",
        match rows {
            0 => "found no rows".to_owned(),
            rows => format!("expected a number below {rows}, counted from 0"),
        }
    )]
    Row {
        /// The table.
        table: String,
        /// As asked for.
        row: u64,
        /// How many there are.
        rows: u64,
    },
    /// The store cannot be read.
    #[error("the store cannot say what led to this")]
    Store(#[source] StoreError),
}

impl Hint for LineageError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Older { .. } => Some("to record it again, run `pinion run`".to_owned()),
            Self::Gone { .. } => Some("to make it again, run `pinion run --no-cache`".to_owned()),
            Self::Store(error) => error.hint(),
            Self::Unfit { .. } | Self::Row { .. } => None,
        }
    }
}
