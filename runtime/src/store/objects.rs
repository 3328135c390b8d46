//! What lies in a store: every object by what names it.

use std::time::SystemTime;

use bytes::Bytes;

use super::check::Object;
use super::runs::{parse_run_name, run_path};
use super::units::{parse_questions_name, questions_directory, recipe_path};
use super::{Kind, Store, StoreError, blobs, chunks, memo, tables};
use crate::digest::{ComponentDigest, Digest};
use crate::record::RunId;

/// What names an object of a store.
///
/// In order, what names other objects comes before what it names: whoever removes objects in this order
/// leaves nothing behind that names what is gone.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ObjectId {
    /// A run record.
    Run(RunId),
    /// A small fact.
    Memo {
        /// Which facts these are.
        name: String,
        /// What it follows from.
        key: Digest,
    },
    /// What a unit left behind.
    Recipe {
        /// The unit's first key.
        first: Digest,
        /// Its whole key.
        key: Digest,
    },
    /// Which questions units of a first key asked.
    Questions {
        /// The first key.
        first: Digest,
        /// Of the list.
        list: Digest,
    },
    /// A manifest, by the digest of its table.
    Table(Digest),
    /// Columns that were made together.
    ChunkFile(Digest),
    /// Bytes.
    Blob(Digest),
    /// A component.
    Component(ComponentDigest),
}

/// An object that was found in a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// What names it.
    pub id: ObjectId,
    /// Relative to the store, with `/`.
    pub path: String,
    /// Length in bytes.
    pub bytes: u64,
    /// When it was put there, by the clock of the file system.
    pub modified: SystemTime,
}

impl ObjectId {
    /// What kind of object it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Run(_) => Kind::Run,
            Self::Memo { .. } => Kind::Memo,
            Self::Recipe { .. } => Kind::Recipe,
            Self::Questions { .. } => Kind::Questions,
            Self::Table(_) => Kind::Table,
            Self::ChunkFile(_) => Kind::ChunkFile,
            Self::Blob(_) => Kind::Blob,
            Self::Component(_) => Kind::Component,
        }
    }

    /// Where it lies, relative to the store. None for a list of questions, whose name has a number.
    pub fn path(&self) -> Option<String> {
        Some(match self {
            Self::Run(id) => run_path(id),
            Self::Memo { name, key } => memo::memo_path(name, key),
            Self::Recipe { first, key } => recipe_path(first, key),
            Self::Questions { .. } => return None,
            Self::Table(digest) => tables::table_path(digest),
            Self::ChunkFile(digest) => chunks::chunk_path(digest),
            Self::Blob(digest) => blobs::blob_path(digest),
            Self::Component(digest) => blobs::component_path(digest),
        })
    }

    /// What an object at this path is named by. None if nothing is stored at such a path.
    pub fn at(path: &str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').collect();
        let stem =
            |name: &str, extension: &str| Digest::from_hex(name.strip_suffix(extension)?).ok();
        let id = match parts.as_slice() {
            ["runs", name] => Self::Run(parse_run_name(name)?),
            ["memo", name, _, key] => Self::Memo {
                name: (*name).to_owned(),
                key: stem(key, "")?,
            },
            ["units", _, first, "questions", name] => {
                let (_, list) = parse_questions_name(name)?;
                let first = stem(first, "")?;
                // The number may be any.
                let directory = questions_directory(&first);
                return path
                    .starts_with(&directory)
                    .then_some(Self::Questions { first, list });
            }
            ["units", _, first, name] => Self::Recipe {
                first: stem(first, "")?,
                key: stem(name, ".json")?,
            },
            ["tables", _, name] => Self::Table(stem(name, ".json")?),
            ["chunks", _, name] => Self::ChunkFile(stem(name, ".arrow")?),
            ["blobs", _, name] => Self::Blob(stem(name, "")?),
            ["components", name] => {
                let digest = stem(name, ".wasm")?;
                Self::Component(ComponentDigest::from_bytes(*digest.as_bytes()))
            }
            _ => return None,
        };
        (id.path().as_deref() == Some(path)).then_some(id)
    }
}

impl Store {
    /// Every object there is, in the order of what names them. None is read. Files that are no objects by
    /// their names are left out.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let mut listed = Vec::new();
        for Object { path, .. } in self.objects()? {
            let Some(id) = ObjectId::at(&path) else {
                continue;
            };
            // What somebody else has just moved away is not there.
            if let Some((bytes, modified)) = self.files.stat(&path)? {
                listed.push(Listed {
                    id,
                    path,
                    bytes,
                    modified,
                });
            }
        }
        listed.sort_by(|left, right| (&left.id, &left.path).cmp(&(&right.id, &right.path)));
        Ok(listed)
    }

    /// The bytes of the object at a path, if it is there and is what it was stored as, without what says whose it
    /// is: so they are the same whoever wrote it. Nothing is moved away.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn raw(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let Some(id) = ObjectId::at(path) else {
            return Ok(None);
        };
        match self.examine(id.kind(), path)? {
            Some(_) => Ok(None),
            None => match self.plain(&id, path)? {
                Some(plain) => Ok(Some(plain.into())),
                None => self.files.map(path),
            },
        }
    }
}
