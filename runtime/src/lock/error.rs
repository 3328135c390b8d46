//! What can be wrong with a lockfile.

use std::fmt;

use super::LOCK_VERSION;
use crate::error::{Facts, Hint, Place};

/// Why a lockfile cannot be used.
#[derive(Debug)]
pub enum LockError {
    /// It is of a version that this one does not know.
    UnsupportedVersion {
        /// The name of the file.
        file: String,
        /// Its version.
        found: u32,
    },
    /// It cannot be read, likely because it is of a version that this one does not know.
    UnparsableVersion {
        /// The name of the file.
        file: String,
        /// Its version.
        found: u32,
        /// What could not be read.
        source: Box<LockError>,
    },
    /// It is not TOML, or not a lockfile of the version that it claims.
    Invalid {
        /// What is wrong.
        message: String,
        /// Where.
        place: Place,
    },
}

impl fmt::Display for LockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let versions = |file: &String, found: &u32| {
            [
                ("expected", format!("version {LOCK_VERSION}")),
                ("found", format!("version {found}")),
                ("in", file.clone()),
            ]
        };
        match self {
            Self::UnsupportedVersion { file, found } => {
                write!(
                    f,
                    "the lockfile has an unsupported version{}",
                    Facts(&versions(file, found))
                )
            }
            Self::UnparsableVersion { file, found, .. } => {
                let facts = versions(file, found);
                write!(
                    f,
                    "the lockfile cannot be read and has an unsupported version{}",
                    Facts(&facts)
                )
            }
            Self::Invalid { message, place } => {
                // A message may have facts of its own, which are in line with `expected`.
                let (message, facts) = message.split_once('\n').unwrap_or((message, ""));
                let break_before = if facts.is_empty() { "" } else { "\n" };
                let label = if facts.starts_with("  expected") {
                    "in      "
                } else {
                    "in"
                };
                let place = format!("{place}{}", place.excerpt());
                write!(
                    f,
                    "the lockfile is not valid: {message}{break_before}{facts}"
                )?;
                write!(f, "{}", Facts(&[(label, place)]))
            }
        }
    }
}

impl std::error::Error for LockError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::UnparsableVersion { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl Hint for LockError {
    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::UnsupportedVersion { found, .. } | Self::UnparsableVersion { found, .. }
                if *found > LOCK_VERSION =>
            {
                "it was written by a newer `pinion`: use that one".to_owned()
            }
            _ => "restore the one that was committed; or remove it and run `pinion lock` to lock anew".to_owned(),
        })
    }
}
