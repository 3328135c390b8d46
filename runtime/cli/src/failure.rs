//! Everything that can go wrong, with the exit code and the advice that go with it.

use std::error::Error;
use std::path::Path;

use pinion_runtime::component::{ComponentError, Unresolved};
use pinion_runtime::diff::DiffError;
use pinion_runtime::error::Hint;
use pinion_runtime::lineage::LineageError;
use pinion_runtime::lock::LockError;
use pinion_runtime::pack::PackError;
use pinion_runtime::pipeline::PipelineError;
use pinion_runtime::plan::PlanError;
use pinion_runtime::sandbox::{BadComponent, StepError};
use pinion_runtime::source::SourceError;
use pinion_runtime::store::StoreError;

use crate::cargo::CargoError;
use crate::key::KeyError;
use crate::scaffold::ScaffoldError;

/// Done.
pub(crate) const DONE: u8 = 0;
/// A step failed or a check did not hold.
pub(crate) const FAILED: u8 = 1;
/// The request was wrong: arguments, pipeline file, stale lockfile.
pub(crate) const WRONG: u8 = 2;
/// Refused for trust: digest or capability.
pub(crate) const REFUSED: u8 = 3;
/// Stopped by Ctrl-C.
pub(crate) const INTERRUPTED: u8 = 130;

/// Why a verb did not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    pub(crate) code: u8,
    pub(crate) error: Box<dyn Error>,
    pub(crate) hint: Option<String>,
    /// Where in its code a step was.
    pub(crate) trace: Vec<String>,
}

/// An error that is nothing but its text.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Plain(String);

/// A path and what the system says of it.
#[derive(Debug, thiserror::Error)]
#[error("cannot {action} `{path}`")]
struct OnPath {
    action: &'static str,
    path: String,
    source: std::io::Error,
}

impl Failure {
    /// A wrong request.
    pub(crate) fn wrong(message: impl Into<String>) -> Self {
        Self {
            code: WRONG,
            error: Box::new(Plain(message.into())),
            hint: None,
            trace: Vec::new(),
        }
    }

    /// A check that did not hold.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self {
            code: FAILED,
            ..Self::wrong(message)
        }
    }

    /// Something that is not to be trusted.
    pub(crate) fn refused(message: impl Into<String>) -> Self {
        Self {
            code: REFUSED,
            ..Self::wrong(message)
        }
    }

    /// What the system says of a path.
    pub(crate) fn on_path(
        action: &'static str,
        path: impl std::fmt::Display,
        source: std::io::Error,
    ) -> Self {
        Self {
            code: WRONG,
            error: Box::new(OnPath {
                action,
                path: path.to_string(),
                source,
            }),
            hint: None,
            trace: Vec::new(),
        }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// This, with what to do about it if it is the disk of the store that is full.
    pub(crate) fn in_store(self, store: &Path) -> Self {
        match is_full(self.error.as_ref()) {
            true => self.hint(make_room(store)),
            false => self,
        }
    }
}

/// Whether an error comes of a disk without space.
pub(crate) fn is_full(error: &(dyn Error + 'static)) -> bool {
    use std::io::ErrorKind::{QuotaExceeded, StorageFull};
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<std::io::Error>()
            && matches!(error.kind(), StorageFull | QuotaExceeded)
        {
            return true;
        }
        cause = error.source();
    }
    false
}

/// What to do about a full disk.
pub(crate) fn make_room(store: &Path) -> String {
    format!(
        "there is no space for the store `{}`; what is finished is kept: make space, with `pinion gc` or otherwise, and run this again, or keep results elsewhere with `--store DIR`",
        store.display()
    )
}

fn from<E: Error + Hint + 'static>(code: u8, error: E) -> Failure {
    Failure {
        code,
        hint: error.hint(),
        trace: Vec::new(),
        error: Box::new(error),
    }
}

impl From<PipelineError> for Failure {
    fn from(error: PipelineError) -> Self {
        from(WRONG, error)
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        from(WRONG, error)
    }
}

impl From<PackError> for Failure {
    fn from(error: PackError) -> Self {
        let code = match &error {
            PackError::Cancelled => INTERRUPTED,
            error if error.is_distrust() => REFUSED,
            _ => WRONG,
        };
        from(code, error)
    }
}

impl From<SourceError> for Failure {
    fn from(error: SourceError) -> Self {
        from(WRONG, error)
    }
}

impl From<LineageError> for Failure {
    fn from(error: LineageError) -> Self {
        from(WRONG, error)
    }
}

impl From<DiffError> for Failure {
    fn from(error: DiffError) -> Self {
        from(WRONG, error)
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        from(WRONG, error)
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        let code = match &error {
            KeyError::Exposed { .. } => REFUSED,
            KeyError::Unreadable { .. }
            | KeyError::Malformed { .. }
            | KeyError::NoRandomness(_) => WRONG,
        };
        from(code, error)
    }
}

impl From<Unresolved> for Failure {
    fn from(error: Unresolved) -> Self {
        let code = if matches!(
            *error.error,
            ComponentError::Changed { .. } | ComponentError::Unreleased { .. }
        ) {
            REFUSED
        } else {
            WRONG
        };
        from(code, error)
    }
}

impl From<PlanError> for Failure {
    fn from(error: PlanError) -> Self {
        let wants = matches!(
            &error,
            PlanError::Component {
                error: StepError::BadComponent(BadComponent::Imports { .. }),
                ..
            }
        );
        from(if wants { REFUSED } else { WRONG }, error)
    }
}

impl From<StepError> for Failure {
    fn from(error: StepError) -> Self {
        Self {
            code: FAILED,
            error: Box::new(error),
            hint: None,
            trace: Vec::new(),
        }
    }
}

impl From<CargoError> for Failure {
    fn from(error: CargoError) -> Self {
        Self {
            code: WRONG,
            hint: error.advice(),
            trace: Vec::new(),
            error: Box::new(error),
        }
    }
}

impl From<ScaffoldError> for Failure {
    fn from(error: ScaffoldError) -> Self {
        from(WRONG, error)
    }
}

impl From<serde_json::Error> for Failure {
    fn from(error: serde_json::Error) -> Self {
        Self {
            code: WRONG,
            error: Box::new(error),
            hint: None,
            trace: Vec::new(),
        }
    }
}
