//! Why there are no bytes for a component.

use std::io;

use semver::Version;
use thiserror::Error;

use super::{SourcesError, StdComponent};
use crate::digest::ComponentDigest;
use crate::error::{Hint, closest};
use crate::pipeline::ComponentRef;

/// Why a component cannot be had.
#[derive(Debug, Error)]
pub enum ComponentError {
    /// The bytes are there, but they are not those that were locked.
    #[error(
        "component `{component}` is not the one that was locked\n  expected {expected}\n  found    {found}\n  in       pinion.lock"
    )]
    Changed {
        /// As the lockfile names it.
        component: String,
        /// What is locked.
        expected: ComponentDigest,
        /// What is there.
        found: ComponentDigest,
    },
    /// The lockfile does not have it, and nothing may be locked now.
    #[error("component `{reference}` is not locked\n  in pinion.lock")]
    NotLocked {
        /// As the pipeline names it.
        reference: String,
    },
    /// No standard component has this name.
    #[error("there is no standard component `{reference}`")]
    UnknownStandard {
        /// As the pipeline names it.
        reference: String,
        /// The name, with `std:`, that was probably meant.
        meant: Option<String>,
    },
    /// The standard component has no such version.
    #[error(
        "there is no such version of a standard component\n  expected {}\n  found    `{reference}`",
        versions(known)
    )]
    UnknownVersion {
        /// As the pipeline names it.
        reference: String,
        /// The versions that there are, ascending.
        known: Vec<Version>,
    },
    /// The locked bytes of a standard component are neither in the store nor in the binary.
    #[error("the bytes of `{component}` are not here\n  expected {digest}\n  in       pinion.lock")]
    Missing {
        /// As the lockfile names it.
        component: String,
        /// What is locked.
        digest: ComponentDigest,
    },
    /// A file cannot be read.
    #[error("component `{reference}` cannot be read\n  in {path}")]
    Unreadable {
        /// As the pipeline names it.
        reference: String,
        /// The file, relative to the pipeline.
        path: String,
        /// What the system says.
        source: io::Error,
    },
    /// The store cannot be read.
    #[error("component `{reference}` cannot be looked up in the store")]
    Store {
        /// As the pipeline names it.
        reference: String,
        /// What the system says.
        source: io::Error,
    },
    /// The sources of a crate cannot be read.
    #[error(transparent)]
    Sources(#[from] SourcesError),
}

impl ComponentError {
    pub(super) fn unknown_standard(
        reference: &ComponentRef,
        name: &str,
        standard: &[StdComponent],
    ) -> Self {
        let meant = closest(name, standard.iter().map(|known| known.name));
        Self::UnknownStandard {
            reference: reference.to_string(),
            meant: meant.map(|name| format!("std:{name}")),
        }
    }
}

impl Hint for ComponentError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Changed { component, .. } => {
                let name = component.split('@').next().unwrap_or(component);
                Some(format!(
                    "to accept the new component, run `pinion update {name}`"
                ))
            }
            Self::NotLocked { .. } => Some("to lock it, run `pinion lock`".to_owned()),
            Self::UnknownStandard { meant, .. } => meant
                .as_ref()
                .map(|meant| format!("did you mean `{meant}`?")),
            Self::UnknownVersion { known, .. } => known
                .last()
                .map(|newest| format!("the newest is `@{newest}`")),
            Self::Missing { component, .. } => {
                let name = component.split('@').next().unwrap_or(component);
                Some(format!(
                    "use the `pinion` that it was locked with; or run `pinion update {name}` to lock the one of this `pinion`"
                ))
            }
            Self::Unreadable {
                reference, source, ..
            } if source.kind() == io::ErrorKind::NotFound => {
                let name = reference.split('@').next().unwrap_or(reference);
                Some(format!(
                    "restore the file; or, if it is locked and gone for good, run `pinion update {name}`"
                ))
            }
            Self::Unreadable { .. } | Self::Store { .. } => None,
            Self::Sources(error) => error.hint(),
        }
    }
}

fn versions(known: &[Version]) -> String {
    let known: Vec<String> = known.iter().map(Version::to_string).collect();
    known.join(", ")
}
