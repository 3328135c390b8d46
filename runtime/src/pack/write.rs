//! From a run in a store to a pack.

use std::collections::BTreeMap;
use std::io::{Read as _, Write};

use bytes::Bytes;
use cap_std::fs::Dir;

use super::archive::{END, header, padding};
use super::list::{self, Entry, List, check_path};
use super::{LOCK, PACK_VERSION, PIPELINE, PackError, STORE, WHOLE, artifacts, component_path};
use crate::component::Component;
use crate::digest::{ComponentDigest, Digest};
use crate::reach::Reach;
use crate::record::{RunRecord, SourceFile};
use crate::regular;
use crate::sandbox::Cancel;
use crate::store::{Kind, Listed, ObjectId, Store};

/// Bytes that are copied at once.
const COPIED_BYTES: usize = 1 << 20;

/// What becomes a pack.
#[derive(Clone, Copy)]
pub struct Contents<'a> {
    /// The store of the run.
    pub store: &'a Store,
    /// The directory of the pipeline, for sources that the store does not keep.
    pub project: &'a Dir,
    /// The run.
    pub run: &'a RunRecord,
    /// Every component that the lockfile of the run names.
    pub components: &'a [Component],
    /// Whether what the run made comes along.
    pub results: bool,
}

/// What was packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Packed {
    /// Number of files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// A file of the pack.
struct File {
    entry: Entry,
    content: Content,
}

enum Content {
    Bytes(Bytes),
    /// A file of the project.
    Project,
}

/// Writes a run as a pack.
///
/// Nothing is written before all that belongs to the run was found and has the digest it has to have.
///
/// # Errors
/// - [`PackError::SourceGone`]: a source was not kept, and its file is gone or has changed.
/// - [`PackError::ResultGone`]: with results, one is gone or damaged.
/// - [`PackError::Path`], [`PackError::Twice`]: a path that a pack cannot have.
/// - [`PackError::Changed`]: a source's file changed while it was read.
/// - [`PackError::Store`], [`PackError::Io`]: the file system refused.
/// - [`PackError::Cancelled`]: it was asked to stop.
pub fn pack(
    contents: Contents<'_>,
    out: &mut dyn Write,
    cancel: &dyn Cancel,
) -> Result<Packed, PackError> {
    let mut files = Files {
        files: BTreeMap::new(),
        cancel,
    };
    files.inputs(contents)?;
    if contents.results {
        files.results(contents)?;
    }
    let files: Vec<File> = files.files.into_values().collect();
    let list = List {
        format: PACK_VERSION,
        run: contents.run.start.id.clone(),
        results: contents.results,
        files: files.iter().map(|file| file.entry.clone()).collect(),
    };
    let text = list.to_bytes()?;
    let failed = || PackError::io("write", WHOLE);
    let mut put = |bytes: &[u8]| out.write_all(bytes);
    put(&header(list::NAME, text.len() as u64)?)
        .and_then(|()| put(&text))
        .and_then(|()| put(&END[..padding(text.len() as u64)]))
        .map_err(failed())?;
    for file in &files {
        let Entry { path, bytes, .. } = &file.entry;
        put(&header(path, *bytes)?).map_err(failed())?;
        match &file.content {
            Content::Bytes(bytes) => {
                for part in bytes.chunks(COPIED_BYTES) {
                    stop(cancel)?;
                    put(part).map_err(failed())?;
                }
            }
            Content::Project => {
                let found = read(contents.project, path, cancel, &mut |part| {
                    put(part).map_err(failed())
                })?;
                if found != (file.entry.digest, *bytes) {
                    return Err(PackError::Changed {
                        path: path.clone(),
                        expected: file.entry.digest.to_string(),
                        found: found.0.to_string(),
                    });
                }
            }
        }
        put(&END[..padding(*bytes)]).map_err(failed())?;
    }
    put(&END).map_err(failed())?;
    Ok(Packed {
        files: list.files.len() as u64,
        bytes: list.files.iter().map(|file| file.bytes).sum(),
    })
}

struct Files<'a> {
    files: BTreeMap<String, File>,
    cancel: &'a dyn Cancel,
}

impl Files<'_> {
    /// What the run needs to be verified: its record, its texts, its components and its sources.
    fn inputs(&mut self, contents: Contents<'_>) -> Result<(), PackError> {
        let start = &contents.run.start;
        for (text, path) in [(start.pipeline_text, PIPELINE), (start.lock_text, LOCK)] {
            let bytes = contents.store.blob(&text)?;
            self.add(path, text, bytes.clone())?;
            self.object(&ObjectId::Blob(text), text, bytes)?;
        }
        let record = ObjectId::Run(start.id.clone());
        let path = record.path().unwrap_or_default();
        let bytes = contents.store.raw(&path)?.ok_or(PackError::ResultGone {
            kind: Kind::Run,
            name: start.id.to_string(),
        })?;
        self.object(&record, Digest::of(&bytes), bytes)?;
        for component in contents.components {
            let digest = Digest::of(&component.bytes);
            let found = ComponentDigest::of(&component.bytes);
            if found != component.digest {
                return Err(PackError::Changed {
                    path: component.key.to_string(),
                    expected: component.digest.to_string(),
                    found: found.to_string(),
                });
            }
            match component_path(&component.key, &component.origin) {
                Some(path) => self.add(&path, digest, component.bytes.clone())?,
                None => {
                    let id = ObjectId::Component(component.digest);
                    self.object(&id, digest, component.bytes.clone())?;
                }
            }
        }
        for (name, files) in &start.sources {
            for file in files {
                self.source(name.as_str(), file, contents)?;
            }
        }
        Ok(())
    }

    /// The bytes of a source's file, from the store or, if it was not kept, from where it was.
    fn source(
        &mut self,
        name: &str,
        file: &SourceFile,
        contents: Contents<'_>,
    ) -> Result<(), PackError> {
        let kept = ObjectId::Blob(file.digest).path().unwrap_or_default();
        if let Some(bytes) = contents.store.raw(&kept)? {
            return self.add(&file.path, file.digest, bytes);
        }
        let found = read(contents.project, &file.path, self.cancel, &mut |_| Ok(()));
        match found {
            Ok(found) if found == (file.digest, file.size_bytes) => {
                self.outside(&file.path, file.digest, file.size_bytes, Content::Project)
            }
            Err(PackError::Cancelled) => Err(PackError::Cancelled),
            _ => Err(PackError::SourceGone {
                source_name: name.to_owned(),
                path: file.path.clone(),
                digest: file.digest,
            }),
        }
    }

    /// What the run made: all its artifacts, and whatever lets them be found again.
    fn results(&mut self, contents: Contents<'_>) -> Result<(), PackError> {
        let store = contents.store;
        let listed = store.list()?;
        let reach = Reach::made_by(store, &listed, contents.run)?;
        for Listed { id, path, .. } in listed.iter().filter(|listed| reach.has(&listed.id)) {
            stop(self.cancel)?;
            if let Some(bytes) = store.raw(path)? {
                let digest = match id {
                    // Checked just now.
                    ObjectId::Blob(digest) => *digest,
                    _ => Digest::of(&bytes),
                };
                self.stored(path, digest, bytes)?;
            }
        }
        let artifacts = artifacts(contents.run, store)?;
        artifacts.iter().try_for_each(|id| self.must_have(id))
    }

    fn must_have(&self, id: &ObjectId) -> Result<(), PackError> {
        let path = id.path().unwrap_or_default();
        if self.files.contains_key(&format!("{STORE}{path}")) {
            return Ok(());
        }
        Err(PackError::ResultGone {
            kind: id.kind(),
            name: path,
        })
    }

    /// Adds an object of the store.
    fn object(&mut self, id: &ObjectId, digest: Digest, bytes: Bytes) -> Result<(), PackError> {
        self.stored(&id.path().unwrap_or_default(), digest, bytes)
    }

    /// Adds a file of the store, by its path there.
    fn stored(&mut self, path: &str, digest: Digest, bytes: Bytes) -> Result<(), PackError> {
        let len = bytes.len() as u64;
        self.insert(
            &format!("{STORE}{path}"),
            digest,
            len,
            Content::Bytes(bytes),
        )
    }

    /// Adds a file of the project.
    fn add(&mut self, path: &str, digest: Digest, bytes: Bytes) -> Result<(), PackError> {
        self.outside(path, digest, bytes.len() as u64, Content::Bytes(bytes))
    }

    fn outside(
        &mut self,
        path: &str,
        digest: Digest,
        bytes: u64,
        content: Content,
    ) -> Result<(), PackError> {
        if path.starts_with(STORE) {
            return Err(PackError::Path {
                path: path.to_owned(),
                problem: "it lies in the store".to_owned(),
            });
        }
        self.insert(path, digest, bytes, content)
    }

    fn insert(
        &mut self,
        path: &str,
        digest: Digest,
        bytes: u64,
        content: Content,
    ) -> Result<(), PackError> {
        check_path(path)?;
        let entry = Entry {
            path: path.to_owned(),
            bytes,
            digest,
        };
        // One file may be part of several sources.
        match self.files.get(path) {
            Some(known) if known.entry != entry => Err(PackError::Twice {
                path: path.to_owned(),
            }),
            Some(_) => Ok(()),
            None => {
                self.files.insert(path.to_owned(), File { entry, content });
                Ok(())
            }
        }
    }
}

/// Reads a file of the project part by part; gives its digest and length.
fn read(
    project: &Dir,
    path: &str,
    cancel: &dyn Cancel,
    each: &mut dyn FnMut(&[u8]) -> Result<(), PackError>,
) -> Result<(Digest, u64), PackError> {
    let mut file = regular::open(project, path).map_err(PackError::io("read", path))?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; COPIED_BYTES];
    let mut bytes = 0;
    loop {
        stop(cancel)?;
        let count = match file.read(&mut buffer) {
            Ok(0) => return Ok((Digest::from_bytes(hasher.finalize().into()), bytes)),
            Ok(count) => count,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(PackError::io("read", path)(error)),
        };
        let part = buffer.get(..count).unwrap_or_default();
        hasher.update(part);
        each(part)?;
        bytes += count as u64;
    }
}

pub(super) fn stop(cancel: &dyn Cancel) -> Result<(), PackError> {
    match cancel.is_cancelled() {
        true => Err(PackError::Cancelled),
        false => Ok(()),
    }
}
