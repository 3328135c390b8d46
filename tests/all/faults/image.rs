//! What a disk may hold after a kill or a power cut: a model of a file system that a store's operations are
//! replayed on.
//!
//! A kill leaves every operation before it, and none after it. A power cut leaves what was waited for; of
//! everything else that was done since some moment, each file by itself may be there or not, under its old or
//! its new name, whole, empty, cut or full of zeros, and what was removed may be back. That is more than most
//! file systems do, and what none promises to prevent.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::Mutex;

use pinion_runtime::store::{Faults, Operation, Verdict};

use super::Random;

/// An operation that changes a disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Create(String),
    Write(String, Option<u64>, Vec<u8>),
    Sync(String),
    Cut(String, u64),
    Rename(String, String),
    Remove(String),
    MakeDirectory(String),
    RemoveDirectory(String),
}

impl Change {
    /// None for what changes nothing.
    pub(super) fn of(operation: Operation<'_>) -> Option<Self> {
        Some(match operation {
            Operation::Create { path } => Self::Create(path.to_owned()),
            Operation::Write {
                path,
                offset,
                bytes,
            } => Self::Write(path.to_owned(), offset, bytes.to_owned()),
            Operation::Sync { path } => Self::Sync(path.to_owned()),
            Operation::Cut { path, len } => Self::Cut(path.to_owned(), len),
            Operation::Rename { from, to } => Self::Rename(from.to_owned(), to.to_owned()),
            Operation::Remove { path } => Self::Remove(path.to_owned()),
            Operation::MakeDirectory { path } => Self::MakeDirectory(path.to_owned()),
            Operation::RemoveDirectory { path } => Self::RemoveDirectory(path.to_owned()),
            Operation::Read { .. } => return None,
        })
    }
}

/// Lets a store do everything, and keeps what it did.
#[derive(Debug, Default)]
pub(super) struct Log(Mutex<Vec<Change>>);

impl Log {
    pub(super) fn changes(&self) -> Vec<Change> {
        self.0.lock().unwrap().clone()
    }
}

impl Faults for Log {
    fn before(&self, operation: Operation<'_>) -> Verdict {
        self.0.lock().unwrap().extend(Change::of(operation));
        Verdict::Allow
    }
}

/// What becomes of files that nobody waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// The names are not there, or the old files under them still are.
    Unnamed,
    /// The names are there, without bytes.
    Empty,
    /// Some of the bytes are there.
    Cut,
    /// The bytes are zeros.
    Zeros,
    /// Each file has a fate of its own; some are whole.
    Mixed,
}

/// All files of a directory.
#[derive(Clone, Debug, Default)]
pub(super) struct Image {
    files: BTreeMap<String, File>,
    directories: BTreeSet<String>,
    /// What was removed, and may be back after a power cut.
    removed: BTreeMap<String, File>,
    /// How many changes were made.
    at: usize,
}

#[derive(Clone, Debug, Default)]
struct File {
    bytes: Vec<u8>,
    /// How many of them the disk has for certain.
    synced: usize,
    /// Whether it has the name for certain.
    named: bool,
    /// When it was changed last.
    changed: usize,
    /// What the name stood for before.
    before: Option<Box<File>>,
}

impl Image {
    /// The directory as it is now, all of it for certain on the disk.
    pub(super) fn of(directory: &Path) -> Self {
        let mut image = Self::default();
        image.add(directory, "");
        image
    }

    fn add(&mut self, directory: &Path, prefix: &str) {
        for entry in fs::read_dir(directory).unwrap() {
            let entry = entry.unwrap();
            let path = format!("{prefix}{}", entry.file_name().to_str().unwrap());
            if entry.path().is_dir() {
                self.add(&entry.path(), &format!("{path}/"));
                self.directories.insert(path);
            } else {
                let bytes = fs::read(entry.path()).unwrap();
                let file = File {
                    synced: bytes.len(),
                    bytes,
                    named: true,
                    ..File::default()
                };
                self.files.insert(path, file);
            }
        }
    }

    /// Does what the disk did; what it refused, this refuses too.
    pub(super) fn apply(&mut self, change: &Change) {
        self.at += 1;
        let at = self.at;
        match change {
            Change::Create(path) => {
                let file = File {
                    changed: at,
                    ..File::default()
                };
                self.files.entry(path.clone()).or_insert(file);
            }
            Change::Write(path, offset, bytes) => {
                // What has no name any more is nobody's.
                if let Some(file) = self.files.get_mut(path) {
                    let end = file.bytes.len();
                    let start = offset.map_or(end, |offset| offset as usize);
                    file.bytes.resize(end.max(start + bytes.len()), 0);
                    file.bytes[start..start + bytes.len()].copy_from_slice(bytes);
                    file.synced = file.synced.min(start);
                    file.changed = at;
                }
            }
            Change::Sync(path) => {
                if let Some(file) = self.files.get_mut(path) {
                    (file.synced, file.named) = (file.bytes.len(), true);
                }
            }
            Change::Cut(path, len) => {
                if let Some(file) = self.files.get_mut(path) {
                    file.bytes.truncate(*len as usize);
                    file.synced = file.synced.min(file.bytes.len());
                }
            }
            Change::Rename(from, to) => {
                let (parent, _) = to.rsplit_once('/').unwrap_or(("", to));
                if !parent.is_empty() && !self.directories.contains(parent) {
                    return;
                }
                if let Some(mut file) = self.files.remove(from) {
                    let before = self.files.remove(to).or(self.removed.remove(to));
                    file.before = before.map(Box::new);
                    (file.named, file.changed) = (false, at);
                    self.files.insert(to.clone(), file);
                }
            }
            Change::Remove(path) => {
                if let Some(mut file) = self.files.remove(path) {
                    file.changed = at;
                    self.removed.insert(path.clone(), file);
                }
            }
            Change::MakeDirectory(path) => {
                let mut path = path.as_str();
                self.directories.insert(path.to_owned());
                while let Some((parent, _)) = path.rsplit_once('/') {
                    self.directories.insert(parent.to_owned());
                    path = parent;
                }
            }
            Change::RemoveDirectory(path) => {
                let inside = format!("{path}/");
                let mut names = self.files.keys().chain(&self.directories);
                if !names.any(|name| name.starts_with(&inside)) {
                    self.directories.remove(path);
                }
            }
        }
    }

    /// What a power cut may leave of this. Everything before some moment is on the disk.
    pub(super) fn after_power_cut(&self, fate: Fate, random: &mut Random) -> Self {
        let since = match fate {
            Fate::Mixed => random.below(self.at + 1),
            // Nothing since the beginning.
            _ => 0,
        };
        let mut left = Self {
            directories: self.directories.clone(),
            ..Self::default()
        };
        for (path, file) in &self.files {
            let mut file = file.clone();
            if file.changed > since {
                let fate = match fate {
                    Fate::Mixed => *random.one_of(&[
                        None,
                        Some(Fate::Unnamed),
                        Some(Fate::Empty),
                        Some(Fate::Cut),
                        Some(Fate::Zeros),
                    ]),
                    fate => Some(fate),
                };
                let synced = file.synced;
                match fate {
                    None | Some(Fate::Mixed) => {}
                    Some(Fate::Unnamed) if file.named => file.bytes.truncate(synced),
                    Some(Fate::Unnamed) => match file.before.take() {
                        Some(before) => file = *before,
                        None => continue,
                    },
                    Some(Fate::Empty) => file.bytes.truncate(synced),
                    Some(Fate::Cut) => {
                        let more = random.below(file.bytes.len() - synced + 1);
                        file.bytes.truncate(synced + more);
                    }
                    Some(Fate::Zeros) => file.bytes[synced..].fill(0),
                }
            }
            left.files.insert(path.clone(), file);
        }
        for (path, file) in &self.removed {
            let back = file.changed > since
                && match fate {
                    Fate::Mixed => random.below(2) == 0,
                    fate => fate == Fate::Unnamed,
                };
            if back {
                left.files
                    .entry(path.clone())
                    .or_insert_with(|| file.clone());
                if let Some((parent, _)) = path.rsplit_once('/') {
                    left.apply(&Change::MakeDirectory(parent.to_owned()));
                }
            }
        }
        left
    }

    /// Files by path with their bytes, but for those of locks.
    pub(super) fn contents(&self) -> BTreeMap<&str, &[u8]> {
        let files = self.files.iter();
        let files = files.filter(|(path, _)| !["lock", "gate"].contains(&path.as_str()));
        files
            .map(|(path, file)| (path.as_str(), file.bytes.as_slice()))
            .collect()
    }

    /// Makes a directory that is this.
    pub(super) fn write(&self, directory: &Path) {
        for path in &self.directories {
            fs::create_dir_all(directory.join(path)).unwrap();
        }
        for (path, file) in &self.files {
            fs::write(directory.join(path), &file.bytes).unwrap();
        }
    }
}
