//! From a pack to a project directory.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write as _};

use cap_std::fs::{Dir, OpenOptions};

use super::archive::{END, describe, header, padding, read_header};
use super::list::{self, Entry, List};
use super::write::stop;
use super::{LOCK, PIPELINE, PackError, STORE, WHOLE, artifacts, component_path};
use crate::digest::{ComponentDigest, Digest};
use crate::lock::Lockfile;
use crate::reach::Reach;
use crate::record::{RunId, RunRecord};
use crate::sandbox::Cancel;
use crate::store::{Fault, Key, ObjectId, Store, StoreError};

/// Bytes that are copied at once.
const COPIED_BYTES: u64 = 1 << 20;

/// What was unpacked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unpacked {
    /// The run.
    pub run: RunId,
    /// Whether what it made is there.
    pub results: bool,
    /// Number of files.
    pub files: u64,
    /// Their bytes together.
    pub bytes: u64,
}

/// Makes a project directory in `into`, which is empty, of a pack of `len` bytes.
///
/// Whoever calls this has to remove what is in the directory if it fails; until it returns, nothing there is
/// to be used.
///
/// # Errors
/// - [`PackError::NotAPack`], [`PackError::UnsupportedVersion`]: it is something else.
/// - [`PackError::Length`]: it was cut short, or something follows it.
/// - [`PackError::Path`], [`PackError::Order`], [`PackError::Entry`]: it is not as a pack is written.
/// - [`PackError::Changed`], [`PackError::Damaged`]: a file is not the one that was packed.
/// - [`PackError::Stranger`], [`PackError::Lacks`]: it is not what belongs to the run, or not all of that.
/// - [`PackError::Store`], [`PackError::Io`]: the file system refused.
/// - [`PackError::Cancelled`]: it was asked to stop.
pub fn unpack(
    file: &mut dyn Read,
    len: u64,
    into: &Dir,
    cancel: &dyn Cancel,
) -> Result<Unpacked, PackError> {
    let mut archive = Archive { file };
    let list = archive.list(len)?;
    refuse_strangers(&list)?;
    for entry in &list.files {
        archive.extract(entry, into, cancel)?;
    }
    archive.zeros(END.len(), "the end of the pack")?;
    check(&list, into, cancel)?;
    Ok(Unpacked {
        run: list.run,
        results: list.results,
        files: list.files.len() as u64,
        bytes: list.files.iter().map(|file| file.bytes).sum(),
    })
}

struct Archive<'a> {
    file: &'a mut dyn Read,
}

impl Archive<'_> {
    /// Reads the list, and makes sure that the file is as long as it says.
    fn list(&mut self, len: u64) -> Result<List, PackError> {
        let not_a_pack = |problem: &str| PackError::NotAPack {
            problem: problem.to_owned(),
        };
        let mut block = [0; 512];
        if len < block.len() as u64 {
            return Err(not_a_pack("it is too short"));
        }
        self.read(&mut block)?;
        let bytes = match read_header(&block) {
            Some((path, bytes)) if path == list::NAME && bytes <= list::MOST_BYTES => bytes,
            _ => return Err(not_a_pack("it does not begin with a list of its files")),
        };
        if header(list::NAME, bytes)? != block {
            return Err(not_a_pack("it was not written by `pinion pack`"));
        }
        let listed = bytes.next_multiple_of(512) + block.len() as u64;
        if len < listed {
            return Err(PackError::Length {
                expected: listed,
                found: len,
            });
        }
        // Bounded by what is really there.
        let mut text = vec![0; usize::try_from(bytes).unwrap_or_default()];
        self.read(&mut text)?;
        self.zeros(padding(bytes), list::NAME)?;
        let list = List::parse(&text)?;
        if list.to_bytes()? != text {
            return Err(not_a_pack("its list was not written by `pinion pack`"));
        }
        let mut expected = Some(listed + END.len() as u64);
        for entry in &list.files {
            let header = header(&entry.path, entry.bytes)?.len() as u64;
            let padded = entry.bytes.checked_next_multiple_of(512);
            expected = expected.and_then(|sum| sum.checked_add(header)?.checked_add(padded?));
        }
        let expected = expected.unwrap_or(u64::MAX);
        match expected == len {
            true => Ok(list),
            false => Err(PackError::Length {
                expected,
                found: len,
            }),
        }
    }

    /// Writes the next file to where it belongs.
    fn extract(&mut self, entry: &Entry, into: &Dir, cancel: &dyn Cancel) -> Result<(), PackError> {
        let path = entry.path.as_str();
        let expected = header(path, entry.bytes)?;
        let mut found = vec![0; expected.len()];
        self.read(&mut found)?;
        if found != expected {
            return Err(PackError::Entry {
                expected: path.to_owned(),
                found: describe(&found),
            });
        }
        if let Some((parent, _)) = path.rsplit_once('/') {
            into.create_dir_all(parent)
                .map_err(PackError::io("make", parent))?;
        }
        let mut to = into
            .open_with(path, OpenOptions::new().write(true).create_new(true))
            .map_err(PackError::io("make", path))?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; entry.bytes.min(COPIED_BYTES) as usize];
        let mut left = entry.bytes;
        while left > 0 {
            stop(cancel)?;
            let count = left.min(buffer.len() as u64) as usize;
            let part = buffer.get_mut(..count).unwrap_or_default();
            self.read(part)?;
            hasher.update(part);
            to.write_all(part).map_err(PackError::io("write", path))?;
            left -= count as u64;
        }
        let found = Digest::from_bytes(hasher.finalize().into());
        if found != entry.digest {
            return Err(PackError::Changed {
                path: path.to_owned(),
                expected: entry.digest.to_string(),
                found: found.to_string(),
            });
        }
        self.zeros(padding(entry.bytes), path)
    }

    fn zeros(&mut self, count: usize, after: &str) -> Result<(), PackError> {
        let mut found = vec![0; count];
        self.read(&mut found)?;
        match found.iter().all(|byte| *byte == 0) {
            true => Ok(()),
            false => Err(PackError::Entry {
                expected: after.to_owned(),
                found: describe(&found),
            }),
        }
    }

    fn read(&mut self, buffer: &mut [u8]) -> Result<(), PackError> {
        let read = self.file.read_exact(buffer);
        read.map_err(PackError::io("read", WHOLE))
    }
}

/// In the store there are only objects, and of runs only the one that was packed.
fn refuse_strangers(list: &List) -> Result<(), PackError> {
    let belongs = |path: &str| match ObjectId::at(path) {
        Some(ObjectId::Run(id)) => id == list.run,
        Some(_) => true,
        None => false,
    };
    let mut files = list.files.iter();
    let stranger = files.find(|file| {
        let object = file.path.strip_prefix(STORE);
        object.is_some_and(|object| !belongs(object))
    });
    match stranger {
        Some(file) => Err(PackError::Stranger {
            path: file.path.clone(),
        }),
        None => Ok(()),
    }
}

/// Holds what was unpacked against the run that it says it is.
fn check(list: &List, into: &Dir, cancel: &dyn Cancel) -> Result<(), PackError> {
    let directory = STORE.trim_end_matches('/');
    let lacks = |path: &str| PackError::Lacks {
        path: path.to_owned(),
    };
    let store = match into.open_dir(directory) {
        Ok(dir) => Store::open(dir, Key::of_nobody())?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(lacks(directory));
        }
        Err(error) => return Err(PackError::io("open", directory)(error)),
    };
    if let Some(damage) = store.check()?.into_iter().next() {
        return Err(PackError::Damaged {
            kind: damage.kind,
            name: damage.name,
            fault: damage.fault,
        });
    }
    stop(cancel)?;
    let record = ObjectId::Run(list.run.clone());
    if !store.runs()?.contains(&list.run) {
        let path = record.path().unwrap_or_default();
        return Err(lacks(&format!("{STORE}{path}")));
    }
    let run = store.run(&list.run)?;
    let mut files: BTreeMap<&str, &Entry> = list
        .files
        .iter()
        .map(|entry| (entry.path.as_str(), entry))
        .collect();
    let needed = needed(&run, &store, into)?;
    for (path, digest) in needed.files {
        match files.remove(path.as_str()) {
            None => return Err(lacks(&path)),
            Some(entry) if entry.digest != digest => {
                return Err(PackError::Changed {
                    path,
                    expected: digest.to_string(),
                    found: entry.digest.to_string(),
                });
            }
            Some(_) => {}
        }
    }
    if let Some(path) = files.into_keys().find(|path| !path.starts_with(STORE)) {
        return Err(PackError::Stranger {
            path: path.to_owned(),
        });
    }
    let listed = store.list()?;
    // A pack is its sender's word, also for who has the same key: nothing in it says that it is somebody's own.
    for object in &listed {
        if store.has_code(object)? {
            return Err(PackError::Damaged {
                kind: object.id.kind(),
                name: object.path.clone(),
                fault: Fault::Code,
            });
        }
    }
    if list.results {
        let present: BTreeSet<&ObjectId> = listed.iter().map(|listed| &listed.id).collect();
        let artifacts = artifacts(&run, &store)?;
        if let Some(id) = artifacts.iter().find(|id| !present.contains(id)) {
            return Err(lacks(&format!("{STORE}{}", id.path().unwrap_or_default())));
        }
    }
    let made = match list.results {
        true => Reach::made_by(&store, &listed, &run)?,
        false => Reach::default(),
    };
    let is_stranger = |id: &ObjectId| !needed.objects.contains(id) && !made.has(id);
    if let Some(stranger) = listed.iter().find(|listed| is_stranger(&listed.id)) {
        return Err(PackError::Stranger {
            path: format!("{STORE}{}", stranger.path),
        });
    }
    Ok(())
}

/// What a run is made of, before it ran.
struct Needed {
    /// Files of the project, outside of its store, with their digests.
    files: BTreeMap<String, Digest>,
    /// Objects of its store, all of which are there.
    objects: BTreeSet<ObjectId>,
}

fn needed(run: &RunRecord, store: &Store, into: &Dir) -> Result<Needed, PackError> {
    let start = &run.start;
    let blob = |digest: &Digest| {
        store.blob(digest).map_err(|error| match error {
            StoreError::Missing { .. } => PackError::Lacks {
                path: format!(
                    "{STORE}{}",
                    ObjectId::Blob(*digest).path().unwrap_or_default()
                ),
            },
            error => error.into(),
        })
    };
    let mut files = BTreeMap::from([
        (PIPELINE.to_owned(), start.pipeline_text),
        (LOCK.to_owned(), start.lock_text),
    ]);
    let mut objects = BTreeSet::from([
        ObjectId::Run(start.id.clone()),
        ObjectId::Blob(start.pipeline_text),
        ObjectId::Blob(start.lock_text),
    ]);
    blob(&start.pipeline_text)?;
    let lock = String::from_utf8_lossy(&blob(&start.lock_text)?).into_owned();
    let lock = Lockfile::parse(&lock, LOCK).map_err(|error| PackError::NotAPack {
        problem: format!("its lockfile cannot be read: {error}"),
    })?;
    for file in start.sources.values().flatten() {
        files.insert(file.path.clone(), file.digest);
    }
    for (key, locked) in &lock.components {
        let Some(path) = component_path(key, &locked.origin) else {
            if !store.has_component(&locked.digest) {
                let path = ObjectId::Component(locked.digest).path();
                return Err(PackError::Lacks {
                    path: format!("{STORE}{}", path.unwrap_or_default()),
                });
            }
            objects.insert(ObjectId::Component(locked.digest));
            continue;
        };
        let lacks = |source: std::io::Error| match source.kind() {
            std::io::ErrorKind::NotFound => PackError::Lacks { path: path.clone() },
            _ => PackError::io("read", &path)(source),
        };
        let bytes = into.read(&path).map_err(lacks)?;
        let found = ComponentDigest::of(&bytes);
        if found != locked.digest {
            return Err(PackError::Changed {
                path,
                expected: locked.digest.to_string(),
                found: found.to_string(),
            });
        }
        files.insert(path, Digest::of(&bytes));
    }
    Ok(Needed { files, objects })
}
