//! The lockfile, `pinion.lock`: which bytes a pipeline runs, and on which bytes.
//!
//! It is parsed into values and always written in one layout, so that the same facts are the same text.
//! Two lockfiles are compared by their values: formatting is not drift. It holds no times, no absolute
//! paths and nothing of the machine, and a fact that is not known is absent.

mod diff;
mod error;
mod parse;
mod write;

use std::collections::{BTreeMap, BTreeSet};

use semver::Version;

pub use self::diff::{Change, diff};
pub use self::error::LockError;
use crate::arrow::format::WireField;
use crate::digest::{ComponentDigest, Digest};
use crate::pipeline::{ComponentRef, Layout, SourceName, StepName};

/// The version of the lockfile that is read and written.
///
/// It is raised when a reader of the version before would misread what is written.
pub const LOCK_VERSION: u32 = 1;

/// What a pipeline is locked to. All of it is sorted by construction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lockfile {
    /// The version of the engine's semantics that results hold for.
    pub semantics: String,
    /// How tables are cut.
    pub layout: Layout,
    /// The components.
    pub components: BTreeMap<ComponentKey, LockedComponent>,
    /// The files of each source by their path, which is relative to the pipeline, with `/`.
    pub sources: BTreeMap<SourceName, BTreeMap<String, LockedFile>>,
    /// For each step that reads a source, the fields it found: those of the table, in pre-order.
    pub probes: BTreeMap<StepName, Vec<WireField>>,
}

/// What a component is found by.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ComponentKey {
    /// The reference without its version, as [`ComponentRef::lock_name`] has it.
    pub name: String,
    /// The version, if the component has one.
    pub version: Option<Version>,
}

/// One component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LockedComponent {
    /// Where it came from.
    pub origin: Origin,
    /// Its bytes.
    pub digest: ComponentDigest,
    /// What it asks for beyond the inert baseline, as its imports say it.
    pub capabilities: BTreeSet<String>,
}

/// Where a component came from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// It is a standard component.
    Std,
    /// It was built from a crate.
    Crate {
        /// The crate's sources it was built from. Tells whether they changed since, nothing more.
        sources: Digest,
        /// The committed copy of the bytes, relative to the lockfile.
        file: String,
    },
    /// It is the file that its name says.
    File,
}

/// One file of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LockedFile {
    /// Its bytes.
    pub digest: Digest,
    /// How many they are.
    pub size_bytes: u64,
}

impl Lockfile {
    /// A lockfile in which nothing is locked yet.
    pub fn new(semantics: &str, layout: Layout) -> Self {
        Self {
            semantics: semantics.to_owned(),
            layout,
            components: BTreeMap::new(),
            sources: BTreeMap::new(),
            probes: BTreeMap::new(),
        }
    }

    /// Parses the text of a lockfile, in whatever layout. `file_name` is only what errors call it.
    ///
    /// # Errors
    /// - [`LockError::UnsupportedVersion`]: a lockfile of another version.
    /// - [`LockError::UnparsableVersion`]: one that cannot be read, likely as it has another version.
    /// - [`LockError::Invalid`]: not a lockfile; with the line.
    pub fn parse(text: &str, file_name: &str) -> Result<Self, LockError> {
        parse::lockfile(text, file_name)
    }

    /// The one text of this lockfile, which parses to an equal value.
    pub fn to_text(&self) -> String {
        write::lockfile(self)
    }

    /// The component that `reference` is locked to: of those with its name whose version it admits,
    /// the newest.
    pub fn component(&self, reference: &ComponentRef) -> Option<(&ComponentKey, &LockedComponent)> {
        let name = reference.lock_name();
        self.components.iter().rev().find(|(key, _)| {
            key.name == name
                && match (reference, &key.version) {
                    (
                        ComponentRef::Std {
                            version: admits, ..
                        },
                        Some(version),
                    ) => admits.matches(version),
                    (ComponentRef::Std { .. }, None) => false,
                    (ComponentRef::Crate { .. } | ComponentRef::File { .. }, _) => true,
                }
        })
    }
}

/// Writes `std:read-csv@0.1.0`, or only the name if there is no version.
impl std::fmt::Display for ComponentKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)?;
        match &self.version {
            Some(version) => write!(f, "@{version}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
