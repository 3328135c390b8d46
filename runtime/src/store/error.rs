//! What can go wrong with a store.

use std::{fmt, io};

use thiserror::Error;

use super::{STORE_VERSION, VERSION};
use crate::arrow::chunk::BadChunk;
use crate::arrow::file::BadFile;
use crate::arrow::format::BadFields;
use crate::arrow::rows::BadRows;
use crate::digest::Digest;
use crate::error::Hint;
use crate::record::{RecordError, RunId};

/// Why a store cannot do what it was asked.
#[derive(Debug, Error)]
pub enum StoreError {
    /// The directory is in use for something else.
    #[error("the directory is not a store\n  found `{entry}` in it")]
    Foreign {
        /// One of its entries.
        entry: String,
    },
    /// The directory is not a store, and none is to be made.
    #[error("the directory is not a store\n  expected `version` in it")]
    NoStore,
    /// Another version of this library made the store.
    #[error(
        "the store has an unsupported version\n  expected at most version {STORE_VERSION}\n  found    version {found}"
    )]
    UnsupportedVersion {
        /// Its version.
        found: u32,
    },
    /// Nothing can be written to it.
    #[error("the store cannot be written to")]
    Unwritable(#[source] io::Error),
    /// The file system refused.
    #[error("the store could not {action} `{path}`")]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// Relative to the store.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// Something is not there.
    #[error("{kind} `{name}` is not in the store")]
    Missing {
        /// What it is.
        kind: Kind,
        /// Its digest, or its id.
        name: String,
    },
    /// Something was not what it was stored as, and has been moved to `quarantine/`.
    #[error("{kind} `{name}` is damaged")]
    Damaged {
        /// What it is.
        kind: Kind,
        /// Its digest, or its id.
        name: String,
        /// What is wrong.
        #[source]
        fault: Fault,
    },
    /// A chunk is not where its place says.
    #[error("column {column} of chunk file `{file}` is another chunk\n  expected {expected}")]
    OtherChunk {
        /// The chunk that was wanted.
        expected: Digest,
        /// The file.
        file: Digest,
        /// Position in the file.
        column: u32,
    },
    /// Columns cannot be stored: they differ in length, are not canonical, or the disk refused.
    #[error("the columns cannot be stored")]
    Columns(#[source] BadFile),
    /// Selected rows cannot be taken.
    #[error("the rows cannot be selected")]
    Rows(#[source] BadRows),
    /// Selected rows have no canonical form, or a stored column is not of its field's type.
    #[error("the chunk cannot be loaded")]
    Chunk(#[source] BadChunk),
    /// There is a run of this id already.
    #[error("there is a run `{id}` already")]
    RunExists {
        /// The id.
        id: RunId,
    },
    /// A run record cannot be read.
    #[error("run `{id}` cannot be read")]
    Record {
        /// The id.
        id: RunId,
        /// Why not.
        source: RecordError,
    },
    /// A value could not be written as JSON.
    #[error("{kind} could not be written as JSON")]
    Json {
        /// What it is.
        kind: Kind,
        /// Why not.
        source: serde_json::Error,
    },
}

/// What is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Columns that were made together.
    ChunkFile,
    /// Bytes.
    Blob,
    /// A component.
    Component,
    /// A manifest.
    Table,
    /// What a unit left behind.
    Recipe,
    /// Which questions units of one first key asked.
    Questions,
    /// A small fact.
    Memo,
    /// A run record.
    Run,
}

/// How something is not what it was stored as.
#[derive(Debug, Error)]
pub enum Fault {
    /// Its bytes are those of something else.
    #[error("its bytes are not those that were stored\n  expected {expected}\n  found    {found}")]
    Digest {
        /// The digest it is stored under, with its prefix.
        expected: String,
        /// The digest of what is there.
        found: String,
    },
    /// It does not begin with the digest of the rest, or not with that of this rest in this place.
    #[error("its text is not the one that was stored")]
    Seal,
    /// It is no file of chunks.
    #[error("it is not a chunk file")]
    File(#[source] BadFile),
    /// It is not JSON of its form.
    #[error("it is not of the expected form")]
    Json(#[source] serde_json::Error),
    /// It is a manifest that says of a column that it lies where other values are.
    #[error("column `{column}` does not lie where it says")]
    Place {
        /// The column.
        column: String,
    },
    /// It says whose it is, where nothing does.
    #[error("it has the code of somebody's key, which nothing in a pack has")]
    Code,
    /// It is a manifest with a schema that is none.
    #[error("its schema is not valid")]
    Fields(#[source] BadFields),
    /// It is a run record that cannot be read.
    #[error("it cannot be read")]
    Record(#[source] RecordError),
    /// It is a directory, a pipe or a link that leads out of the store, or larger than anything of its kind.
    #[error("it is no file of the store")]
    NoFile(#[source] io::Error),
    /// It has a name that nothing of its kind has.
    #[error("nothing is stored under such a name")]
    Name,
}

impl StoreError {
    pub(super) fn io(action: &'static str, path: &str) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    pub(super) fn json(kind: Kind) -> impl FnOnce(serde_json::Error) -> Self {
        move |source| Self::Json { kind, source }
    }

    /// Whether something that was expected is gone or damaged, so that a hit on it is a miss.
    pub fn is_miss(&self) -> bool {
        matches!(
            self,
            Self::Missing { .. } | Self::Damaged { .. } | Self::OtherChunk { .. }
        )
    }
}

impl Hint for StoreError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Foreign { entry } if entry == VERSION => Some(
                "if it is a store whose file `version` was damaged, remove that file, and it is written anew; else name a directory that is empty or does not exist yet"
                    .to_owned(),
            ),
            Self::Foreign { .. } => Some(
                "to use a store there, name a directory that is empty or does not exist yet"
                    .to_owned(),
            ),
            Self::UnsupportedVersion { found } if *found > STORE_VERSION => {
                Some("to use it, use a newer `pinion`".to_owned())
            }
            Self::Damaged { .. } => Some(
                "to move aside everything that is damaged, run `pinion doctor --repair`; then `pinion run` makes it again"
                    .to_owned(),
            ),
            Self::Record { source, .. } => source.hint().or_else(|| {
                Some(
                    "to move the record aside, run `pinion doctor --repair`; other runs can be named, and `pinion runs` lists them"
                        .to_owned(),
                )
            }),
            _ => None,
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::ChunkFile => "chunk file",
            Self::Blob => "blob",
            Self::Component => "component",
            Self::Table => "table",
            Self::Recipe => "recipe",
            Self::Questions => "question list",
            Self::Memo => "memo",
            Self::Run => "run",
        })
    }
}
