//! What can be wrong with a run record.

use thiserror::Error;

use super::{RECORD_VERSION, RunId};
use crate::error::Hint;

/// Why a run record cannot be read.
#[derive(Debug, Error)]
pub enum RecordError {
    /// Not even the first line is there: the run was killed when it had hardly begun.
    #[error("the run record has no `run` line\n  in {file}")]
    Empty {
        /// The record.
        file: String,
    },
    /// It is of a version that this library does not know.
    #[error(
        "the run record has an unsupported version\n  expected at most version {RECORD_VERSION}\n  found    version {found}\n  in       {file}"
    )]
    UnsupportedVersion {
        /// The record.
        file: String,
        /// Its version.
        found: u32,
    },
    /// It is that of another run than its name says.
    #[error("the run record is not that of this run\n  found run `{found}`\n  in    {file}")]
    OtherRun {
        /// The record.
        file: String,
        /// The run it is of.
        found: RunId,
    },
    /// A line was changed or does not belong where it is.
    #[error("the run record is damaged\n  in {file}, line {line}")]
    Line {
        /// The record.
        file: String,
        /// The line, counted from 1.
        line: u64,
        /// What is wrong with it.
        #[source]
        problem: LineProblem,
    },
}

/// What is wrong with a line.
#[derive(Debug, Error)]
pub enum LineProblem {
    /// Its check does not hold: it, or a line before it, is not what was written.
    #[error("the line is not what was written")]
    Check,
    /// It is no line of a record.
    #[error("the line is not of the expected form")]
    Json(#[source] serde_json::Error),
    /// It does not belong where it is.
    #[error("the line does not belong where it is, because {what}")]
    Unexpected {
        /// Why not.
        what: &'static str,
    },
}

impl Hint for RecordError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::UnsupportedVersion { .. } => Some("to read it, use a newer `pinion`".to_owned()),
            Self::Empty { .. } | Self::OtherRun { .. } | Self::Line { .. } => None,
        }
    }
}
