//! Why runs are not compared.

use thiserror::Error;

use crate::error::Hint;
use crate::record::RunId;

/// Why two runs are not compared.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum DiffError {
    /// They are of other pipelines, without a step in common.
    #[error(
        "the runs are of other pipelines, and have no step in common\n  old {} of `{}`\n  new {} of `{}`",
        old.0, old.1, new.0, new.1
    )]
    Unrelated {
        /// The old run and the name of its pipeline.
        old: (RunId, String),
        /// The new run and the name of its pipeline.
        new: (RunId, String),
    },
}

impl Hint for DiffError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Unrelated { .. } => Some(
                "name two runs of one pipeline; `pinion runs` lists them with their pipelines"
                    .to_owned(),
            ),
        }
    }
}
