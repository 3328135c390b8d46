//! Why there are no bytes for a component.

use std::fmt;
use std::io;

use semver::Version;
use thiserror::Error;

use super::{SourcesError, StdComponent};
use crate::digest::ComponentDigest;
use crate::error::{Facts, Hint, Place, closest, listed};
use crate::pipeline::{ComponentRef, StepDecl, StepName};

/// Why a component cannot be had. Its text is the problem alone; [`Self::used_by`] adds the facts.
#[derive(Debug, Error)]
pub enum ComponentError {
    /// The bytes are there, but they are not those that were locked.
    #[error("component `{component}` is not the one that was locked")]
    Changed {
        /// As the lockfile names it.
        component: String,
        /// What is locked.
        expected: ComponentDigest,
        /// What is there.
        found: ComponentDigest,
    },
    /// It is locked under the name of a standard component, and its bytes were never released as that.
    #[error("component `{component}` is locked to bytes that are not known as its own")]
    Unreleased {
        /// As the lockfile names it.
        component: String,
        /// What is locked.
        digest: ComponentDigest,
    },
    /// The lockfile does not have it, and nothing may be locked now.
    #[error("component `{reference}` is not locked")]
    NotLocked {
        /// As the pipeline names it.
        reference: String,
    },
    /// No standard component has this name.
    #[error("there is no standard component `{reference}`")]
    UnknownStandard {
        /// As the pipeline names it.
        reference: String,
        /// The reference that was probably meant.
        meant: Option<String>,
        /// The names of all standard components, with `std:`.
        known: Vec<String>,
    },
    /// The standard component has no such version.
    #[error("there is no standard component `{reference}`")]
    UnknownVersion {
        /// As the pipeline names it.
        reference: String,
        /// The name, with `std:`.
        name: String,
        /// The versions that there are, ascending.
        known: Vec<Version>,
    },
    /// The locked bytes of a standard component are neither in the store nor in the binary.
    #[error("the bytes of `{component}` are not here")]
    Missing {
        /// As the lockfile names it.
        component: String,
        /// What is locked.
        digest: ComponentDigest,
    },
    /// The file is not there.
    #[error("component `{reference}` has no file")]
    NoFile {
        /// As the pipeline names it.
        reference: String,
        /// The file, relative to the pipeline.
        path: String,
        /// Whether its bytes are locked, so that it was there.
        locked: bool,
        /// The file beside it that was probably meant.
        meant: Option<String>,
    },
    /// A file cannot be read.
    #[error("component `{reference}` cannot be read")]
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
    /// Two crates whose bytes would be kept in one file.
    #[error("components `{first}` and `{second}` would be kept in the same file")]
    SameFile {
        /// The crate that an earlier step names.
        first: String,
        /// The crate that a later step names.
        second: String,
        /// The file, relative to the pipeline.
        file: String,
    },
    /// The sources of a crate cannot be read.
    #[error(transparent)]
    Sources(#[from] SourcesError),
}

/// A component that cannot be had, and the step that uses it.
///
/// Its text is the problem, what was expected and found, then the line of the step.
#[derive(Debug)]
pub struct Unresolved {
    /// Why not.
    pub error: Box<ComponentError>,
    /// The first step that uses it.
    pub step: StepName,
    /// Where the step says so.
    pub place: Place,
}

impl ComponentError {
    /// The same, as the problem of a step.
    pub fn used_by(self, step: &StepDecl) -> Unresolved {
        Unresolved {
            error: Box::new(self),
            step: step.name.clone(),
            place: step.component_place.clone(),
        }
    }

    pub(super) fn unknown_standard(
        reference: &ComponentRef,
        name: &str,
        standard: &[StdComponent],
    ) -> Self {
        let mut names: Vec<&str> = standard.iter().map(|known| known.name).collect();
        names.sort_unstable();
        names.dedup();
        let meant = closest(name, names.iter().copied()).and_then(|meant| {
            let versions = standard.iter().filter(|known| known.name == meant);
            let newest = versions.map(|known| &known.version).max()?;
            Some(newest_like(&format!("std:{meant}"), newest))
        });
        Self::UnknownStandard {
            reference: reference.to_string(),
            meant,
            known: names.iter().map(|name| format!("std:{name}")).collect(),
        }
    }

    fn facts(&self) -> Vec<(&'static str, String)> {
        const LOCK: &str = "pinion.lock";
        match self {
            Self::Changed {
                expected, found, ..
            } => vec![
                ("expected", expected.to_string()),
                ("found", found.to_string()),
                ("in", LOCK.to_owned()),
            ],
            Self::Unreleased { digest, .. } => vec![
                ("expected", "the bytes of a release".to_owned()),
                ("found", digest.to_string()),
                ("in", LOCK.to_owned()),
            ],
            Self::NotLocked { .. } => vec![("in", LOCK.to_owned())],
            // With a name that is near enough, the others are noise.
            Self::UnknownStandard { meant: Some(_), .. } => Vec::new(),
            Self::UnknownStandard { known, .. } => vec![(
                "expected",
                format!("one of {}", listed(known.iter().map(String::as_str))),
            )],
            Self::UnknownVersion { name, known, .. } => {
                let known: Vec<String> = known.iter().map(|it| format!("{name}@{it}")).collect();
                vec![("expected", listed(known.iter().map(String::as_str)))]
            }
            Self::Missing { digest, .. } => {
                vec![("expected", digest.to_string()), ("in", LOCK.to_owned())]
            }
            Self::NoFile { path, .. } => vec![("expected", path.clone())],
            Self::Unreadable { path, .. } => vec![("in", path.clone())],
            Self::SameFile { file, .. } => vec![("found", format!("`{file}` for both"))],
            Self::Store { .. } => Vec::new(),
            Self::Sources(error) => error.facts(),
        }
    }
}

impl fmt::Display for Unresolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut facts = self.error.facts();
        let (place, excerpt) = (&self.place, self.place.excerpt());
        let step = &self.step;
        facts.push(("in", format!("{place}, used by step `{step}`{excerpt}")));
        write!(f, "{}{}", self.error, Facts(&facts))
    }
}

impl std::error::Error for Unresolved {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.error.source()
    }
}

impl Hint for Unresolved {
    fn hint(&self) -> Option<String> {
        self.error.hint()
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
            Self::Unreleased { component, .. } => {
                let name = component.split('@').next().unwrap_or(component);
                Some(format!(
                    "to lock the one of this `pinion`, run `pinion update {name}`; if a newer `pinion` locked it, use that; to take over what somebody else calls so, run `pinion adopt {component}`"
                ))
            }
            Self::NotLocked { .. } => Some("to lock it, run `pinion lock`".to_owned()),
            Self::UnknownStandard { meant, .. } => meant.as_deref().map(did_you_mean),
            Self::UnknownVersion { name, known, .. } => known
                .last()
                .map(|newest| format!("for the newest, write `{}`", newest_like(name, newest))),
            Self::Missing { component, .. } => {
                let name = component.split('@').next().unwrap_or(component);
                Some(format!(
                    "use the `pinion` that it was locked with; or run `pinion update {name}` to lock the one of this `pinion`"
                ))
            }
            Self::NoFile {
                reference,
                locked: true,
                ..
            } => Some(format!(
                "restore the file; or, if it is gone for good, run `pinion update {reference}`"
            )),
            Self::NoFile {
                meant: Some(meant), ..
            } => Some(did_you_mean(&format!("./{meant}"))),
            Self::NoFile { .. } => {
                Some("paths are relative to the directory of `pinion.toml`".to_owned())
            }
            Self::SameFile { .. } => Some(
                "rename one of the two directories, so that their last parts differ".to_owned(),
            ),
            Self::Unreadable { .. } | Self::Store { .. } => None,
            Self::Sources(error) => error.hint(),
        }
    }
}

fn did_you_mean(reference: &str) -> String {
    format!("did you mean `{reference}`?")
}

/// A reference to the newest component like this one: `std:read-csv@0.1` for 0.1.7.
fn newest_like(name: &str, newest: &Version) -> String {
    if newest.pre.is_empty() {
        format!("{name}@{}.{}", newest.major, newest.minor)
    } else {
        format!("{name}@{newest}")
    }
}
