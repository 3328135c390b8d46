//! Why a run cannot be packed, or a pack not be unpacked.

use std::io;

use thiserror::Error;

use super::PACK_VERSION;
use crate::digest::Digest;
use crate::error::Hint;
use crate::store::{Fault, Kind, StoreError};

/// Why a run cannot be packed, or a pack not be unpacked.
#[derive(Debug, Error)]
pub enum PackError {
    /// The bytes of a source are nowhere.
    #[error(
        "the bytes that the run read from source `{source_name}` are gone\n  expected {digest}\n  in       {path}"
    )]
    SourceGone {
        /// The source.
        source_name: String,
        /// Its file.
        path: String,
        /// Of the bytes.
        digest: Digest,
    },
    /// Something that the run made is not in the store, or damaged.
    #[error("{kind} `{name}`, which the run made, is gone or damaged")]
    ResultGone {
        /// What it is.
        kind: Kind,
        /// Its digest or its place.
        name: String,
    },
    /// A path that a pack cannot have.
    #[error("`{path}` is no path for a file of a pack: {problem}")]
    Path {
        /// The path.
        path: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Two files would be one.
    #[error("two files of the run are both called `{path}`")]
    Twice {
        /// Their path.
        path: String,
    },
    /// It is something else, or was not written by this library.
    #[error("the file is not a pack: {problem}")]
    NotAPack {
        /// How one can tell.
        problem: String,
    },
    /// Another version of this library made it.
    #[error(
        "the pack has an unsupported version\n  expected version {PACK_VERSION}\n  found    version {found}"
    )]
    UnsupportedVersion {
        /// Its version.
        found: u32,
    },
    /// It has not as many bytes as its list says.
    #[error(
        "{}\n  expected {expected} bytes\n  found    {found} bytes",
        if found < expected { "the pack is not whole" } else { "something follows the pack in its file" }
    )]
    Length {
        /// By its list.
        expected: u64,
        /// By the system.
        found: u64,
    },
    /// Its list is not sorted, or has a file twice.
    #[error("the list of the pack has `{path}` twice, or in the wrong place")]
    Order {
        /// The file.
        path: String,
    },
    /// Something stands where a file of the list belongs.
    #[error(
        "the pack has something that its list does not have\n  expected a file `{expected}`\n  found    {found}"
    )]
    Entry {
        /// The file that the list has there.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A file is not the one that was packed.
    #[error("`{path}` is not the file that was packed\n  expected {expected}\n  found    {found}")]
    Changed {
        /// The file.
        path: String,
        /// The digest it has to have.
        expected: String,
        /// The digest it has.
        found: String,
    },
    /// A file that the run does not name.
    #[error("`{path}` does not belong to the run that was packed")]
    Stranger {
        /// The file.
        path: String,
    },
    /// Something that the run names is not there.
    #[error("the pack lacks `{path}`, which the run needs")]
    Lacks {
        /// The file.
        path: String,
    },
    /// Something of its store is not what its name says.
    #[error("{kind} `{name}` of the pack is not what its name says")]
    Damaged {
        /// What it is.
        kind: Kind,
        /// Its digest or its id.
        name: String,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// The store cannot be read, or the one in the pack cannot be used.
    #[error("the store of the run cannot be used")]
    Store(#[from] StoreError),
    /// The file system refused.
    #[error("cannot {action} `{path}`")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Whoever asked has lost interest.
    #[error("it was asked to stop")]
    Cancelled,
}

impl PackError {
    pub(super) fn io(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    /// Whether a pack is refused because of what is in it: somebody or something has changed it.
    pub fn is_distrust(&self) -> bool {
        matches!(
            self,
            Self::Path { .. }
                | Self::Order { .. }
                | Self::Entry { .. }
                | Self::Changed { .. }
                | Self::Stranger { .. }
                | Self::Damaged { .. }
        )
    }
}

impl Hint for PackError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::SourceGone { source_name, .. } => Some(format!(
                "the store keeps the bytes of later runs if `keep = false` is not set under `[sources.{source_name}]`"
            )),
            Self::ResultGone { .. } => {
                Some("to make it again, run `pinion run`; to pack without results, leave out `--results`".to_owned())
            }
            Self::UnsupportedVersion { found } if *found > PACK_VERSION => {
                Some("to unpack it, use a newer `pinion`".to_owned())
            }
            Self::Length { expected, found } if found < expected => {
                Some("copy it again, as a whole".to_owned())
            }
            Self::Store(error) => error.hint(),
            _ => None,
        }
    }
}
