//! Looking for damage, and moving it away.

use std::sync::PoisonError;

use bytes::Bytes;

use super::units::{parse_questions, parse_questions_name, parse_recipe};
use super::{Fault, Kind, Store, StoreError, blobs, chunks, memo, runs};
use crate::digest::{ComponentDigest, Digest};
use crate::record::RecordError;

/// Something in the store that is not what it was stored as.
#[derive(Debug)]
pub struct Damage {
    /// What it is.
    pub kind: Kind,
    /// Its digest or its id; the file's name if it is neither.
    pub name: String,
    /// Where it is, relative to the store.
    pub path: String,
    /// What is wrong.
    pub fault: Fault,
}

/// A file of the store and what it ought to be.
#[derive(Debug)]
pub(super) struct Object {
    pub(super) kind: Kind,
    pub(super) name: String,
    pub(super) path: String,
}

impl Object {
    pub(super) fn missing(&self) -> StoreError {
        StoreError::Missing {
            kind: self.kind,
            name: self.name.clone(),
        }
    }
}

impl Store {
    /// Reads every object again, whatever was checked before, and says which are damaged, in the
    /// order of their paths.
    ///
    /// Objects that are gone are no damage: what names them is a miss.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn check(&self) -> Result<Vec<Damage>, StoreError> {
        let mut damages = Vec::new();
        for Object { kind, name, path } in self.objects()? {
            if let Some(fault) = self.examine(kind, &path)? {
                damages.push(Damage {
                    kind,
                    name,
                    path,
                    fault,
                });
            }
        }
        Ok(damages)
    }

    /// Number of the objects that [`check`](Self::check) reads.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn count(&self) -> Result<u64, StoreError> {
        Ok(self.objects()?.len() as u64)
    }

    /// Moves what was found damaged to `quarantine/`, unless it has been replaced since.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn repair(&self, damages: &[Damage]) -> Result<(), StoreError> {
        damages
            .iter()
            .try_for_each(|damage| self.set_aside(damage.kind, &damage.path))
    }

    /// Moves an object away that was found damaged, and gives the error to return.
    pub(super) fn damaged(&self, object: &Object, fault: Fault) -> StoreError {
        // Where nothing can be moved, as in a store that is only read, it is damaged all the same.
        drop(self.set_aside(object.kind, &object.path));
        StoreError::Damaged {
            kind: object.kind,
            name: object.name.clone(),
            fault,
        }
    }

    fn set_aside(&self, kind: Kind, path: &str) -> Result<(), StoreError> {
        let _guard = self
            .quarantine
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if self.examine(kind, path)?.is_some() {
            self.files.quarantine(path)?;
        }
        self.forget(path);
        Ok(())
    }

    /// Forgets what this process knows of a file.
    pub(super) fn forget(&self, path: &str) {
        if let Some(digest) = digest_in(path) {
            let mut checked = self.checked();
            checked.chunks.remove(&digest);
            checked.blobs.remove(&digest);
            drop(checked);
            self.cache().remove(&digest);
        }
    }

    /// What is wrong with a file, if something is. A file that is gone is not damaged.
    pub(super) fn examine(&self, kind: Kind, path: &str) -> Result<Option<Fault>, StoreError> {
        let found = match kind {
            Kind::Blob | Kind::ChunkFile => self.files.map(path),
            // Nobody reads one that is too large.
            _ => self.files.read(path).map(|bytes| bytes.map(Bytes::from)),
        };
        let bytes = match found {
            Ok(Some(bytes)) => bytes,
            Ok(None) => return Ok(self.files.no_file(path).map(Fault::NoFile)),
            Err(error) => {
                return match self.files.no_file(path) {
                    Some(problem) => Ok(Some(Fault::NoFile(problem))),
                    None => Err(error),
                };
            }
        };
        if !is_place(kind, path) {
            return Ok(Some(Fault::Name));
        }
        let parts: Vec<&str> = path.split('/').collect();
        let digest = digest_in(path);
        let examined = match (kind, parts.as_slice(), digest) {
            (Kind::ChunkFile, _, Some(digest)) => chunks::parse(bytes, &digest).map(drop),
            (Kind::Blob, _, Some(digest)) => blobs::check_blob(&bytes, &digest),
            (Kind::Component, _, Some(digest)) => {
                blobs::check_component(&bytes, &ComponentDigest::from_bytes(*digest.as_bytes()))
            }
            (Kind::Table, _, Some(digest)) => self.examined_table(&bytes, &digest)?.map(drop),
            (Kind::Recipe, [.., first, _], Some(key)) => match Digest::from_hex(first) {
                Ok(first) => parse_recipe(&bytes, &self.key, &first, &key).map(drop),
                Err(_) => Err(Fault::Name),
            },
            (Kind::Questions, [.., first, _, name], _) => {
                match (Digest::from_hex(first), parse_questions_name(name)) {
                    (Ok(first), Some((_, digest))) => {
                        parse_questions(&bytes, &self.key, &first, &digest).map(drop)
                    }
                    _ => Err(Fault::Name),
                }
            }
            (Kind::Memo, [_, name, ..], Some(key)) => memo::memo_seal(name, &key)
                .open(&self.key, &bytes)
                .map(drop)
                .ok_or(Fault::Seal),
            (Kind::Run, [.., name], _) => match runs::parse_run_name(name) {
                None => Err(Fault::Name),
                Some(id) => match runs::parse(&bytes, &self.key, &id, path) {
                    // Killed before it had begun.
                    Ok(_) | Err(RecordError::Empty { .. }) => Ok(()),
                    Err(error) => Err(Fault::Record(error)),
                },
            },
            _ => Err(Fault::Name),
        };
        Ok(examined.err())
    }

    /// Every file that is an object by its place, in the order of their paths.
    pub(super) fn objects(&self) -> Result<Vec<Object>, StoreError> {
        let mut objects = Vec::new();
        for (kind, root, depth) in [
            (Kind::Blob, "blobs", 1),
            (Kind::ChunkFile, "chunks", 1),
            (Kind::Component, "components", 0),
            (Kind::Memo, "memo", 2),
            (Kind::Run, "runs", 0),
            (Kind::Table, "tables", 1),
        ] {
            self.push_objects(kind, root, depth, &mut objects)?;
        }
        for fan in self.files.list("units")? {
            for first in self.inner(Kind::Recipe, "units", &fan, &mut objects)? {
                let outer = format!("units/{fan}");
                let directory = format!("{outer}/{first}");
                for name in self.inner(Kind::Recipe, &outer, &first, &mut objects)? {
                    match name.as_str() {
                        "questions" => {
                            self.push_objects(
                                Kind::Questions,
                                &format!("{directory}/{name}"),
                                0,
                                &mut objects,
                            )?;
                        }
                        _ => objects.push(object(Kind::Recipe, &directory, &name)),
                    }
                }
            }
        }
        Ok(objects)
    }

    /// Adds the files that lie `depth` directories below `directory`.
    fn push_objects(
        &self,
        kind: Kind,
        directory: &str,
        depth: u32,
        objects: &mut Vec<Object>,
    ) -> Result<(), StoreError> {
        let Some((outer, last)) = directory.rsplit_once('/') else {
            return self.push_named(kind, directory, depth, self.files.list(directory)?, objects);
        };
        let names = self.inner(kind, outer, last, objects)?;
        self.push_named(kind, directory, depth, names, objects)
    }

    fn push_named(
        &self,
        kind: Kind,
        directory: &str,
        depth: u32,
        names: Vec<String>,
        objects: &mut Vec<Object>,
    ) -> Result<(), StoreError> {
        for name in names {
            match depth {
                0 => objects.push(object(kind, directory, &name)),
                _ => self.push_objects(kind, &format!("{directory}/{name}"), depth - 1, objects)?,
            }
        }
        Ok(())
    }

    /// The names in a directory of the store. What lies there and is none is an object that ought not to be.
    fn inner(
        &self,
        kind: Kind,
        directory: &str,
        name: &str,
        objects: &mut Vec<Object>,
    ) -> Result<Vec<String>, StoreError> {
        let names = self.files.entries(&format!("{directory}/{name}"))?;
        Ok(names.unwrap_or_else(|| {
            objects.push(Object {
                kind,
                name: name.to_owned(),
                path: format!("{directory}/{name}"),
            });
            Vec::new()
        }))
    }
}

/// Whether a path is as deep as those of its kind.
fn is_place(kind: Kind, path: &str) -> bool {
    let depth = match kind {
        Kind::Component | Kind::Run => 2,
        Kind::Blob | Kind::ChunkFile | Kind::Table => 3,
        Kind::Memo | Kind::Recipe => 4,
        Kind::Questions => 5,
    };
    path.split('/').count() == depth
}

fn object(kind: Kind, directory: &str, name: &str) -> Object {
    let path = format!("{directory}/{name}");
    let name = match (kind, digest_in(&path)) {
        (Kind::Component, Some(digest)) => {
            ComponentDigest::from_bytes(*digest.as_bytes()).to_string()
        }
        (Kind::Run, _) => name.strip_suffix(".jsonl").unwrap_or(name).to_owned(),
        (_, Some(digest)) => digest.to_string(),
        (_, None) => name.to_owned(),
    };
    Object { kind, name, path }
}

/// The digest that a file is named by, without its prefix.
fn digest_in(path: &str) -> Option<Digest> {
    let name = path.rsplit('/').next()?;
    let stem = name.split('.').next()?;
    Digest::from_hex(stem).ok()
}
