//! The store: every artifact, component, key and run record, in one directory.
//!
//! ```text
//! version                           what the directory is, and in which version
//! chunks/ab/<digest>.arrow          columns that were made together, by file digest
//! blobs/ab/<digest>                 bytes, by their digest
//! components/<sha256>.wasm          components
//! tables/ab/<digest>.json           manifests of tables
//! units/ab/<first key>/             what is known of units of one first key:
//!   <key>.json                        recipes
//!   questions/<number>-<digest>.json  question lists, numbered as they came
//! memo/<name>/ab/<key>              small facts that follow from their key
//! runs/<id>.jsonl                   run records
//! lock                              shared by whoever uses the store
//! gate                              kept by who waits to use it alone
//! tmp/                              what is being written
//! quarantine/                       what was found damaged
//! ```
//!
//! # Kills and power cuts
//!
//! Everything but a run record is written under a name of its own in `tmp/` and renamed into place, so
//! that any number of processes may share a store and a kill at any moment leaves it valid. What a kill
//! leaves in `tmp/` is removed a day later, or by the next `gc`.
//!
//! A power cut is another matter: the file system may keep a rename and lose the bytes. Waiting for the
//! disk (`fsync`) would rule that out, but it takes 4 ms against 0.06 ms for writing a small file, on a
//! solid-state disk, and a run writes several files for each unit. So the store does not wait, and does
//! not believe what it reads either. Chunk files, blobs, components and tables are hashed again when a
//! process first reads them; recipes, question lists, memos and manifests carry a digest of their own
//! text; lines of a run record check each other. What fails is moved to `quarantine/` or passed over,
//! and made again. Waited for are only facts that nothing could make again: a component, and the last
//! line of a run record.
//!
//! Everything that the store does to the file system goes through `disk`, where tests see it and let it fail:
//! all of the above is tried at every operation that a run, `gc` and `doctor --repair` do (`tests/all/faults/`).
//!
//! # Whose word it is
//!
//! What is not named by its own bytes could be written by anybody who can write to the directory. So recipes,
//! question lists, memos, manifests and the lines of run records carry a code that only somebody with the store's
//! [`Key`] can make, of what they are, what they are stored under and what they say. What another key wrote, or
//! nobody, as in stores of version 1 and in packs, is *foreign*: it can be looked at as somebody's word, and is
//! never taken for something that is known. A manifest of somebody else is used once all that it selects was
//! found to be what the table's digest says. What is foreign becomes the store's own by being
//! [brought](Store::bring) from a store in which it was made again, or by being [taken over](Store::take_over).
//!
//! # Removing
//!
//! Nothing is removed while anybody else uses the store: every open store shares a lock, which
//! [`Store::alone`] takes for itself. Objects are removed in the order of [`ObjectId`], what names others
//! before what it names, so that a kill leaves nothing that names what is gone.
//!
//! # Existing objects
//!
//! An object by digest is never written twice, and no file is ever changed in place, so mapped files
//! stay as they are. Before a present object is relied on instead of written, it is checked, once in a
//! process. Only a recipe or a manifest is replaced, by a rename, if it is damaged, differs or names
//! something that is gone.

mod blobs;
mod cache;
mod check;
mod chunks;
mod disk;
mod error;
mod files;
#[cfg(any(test, feature = "fuzz"))]
pub(crate) mod fuzz;
mod key;
mod lock;
mod memo;
mod objects;
mod own;
mod runs;
mod seal;
mod tables;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
mod units;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use arrow_buffer::Buffer;
use cap_std::fs::Dir;

use self::cache::{Cache, Checked};
pub use self::check::Damage;
pub use self::chunks::StoredFile;
use self::disk::Disk;
pub use self::disk::{Faults, Operation, Verdict};
pub use self::error::{Fault, Kind, StoreError};
use self::files::Files;
pub use self::key::{Key, Standing};
pub use self::lock::Alone;
use self::lock::{Access, GATE, LOCK, Share};
pub use self::objects::{Listed, ObjectId};
pub use self::runs::RunWriter;
pub(crate) use self::units::needs;

/// The version of the layout that this library writes, and the newest that it reads. It reads version 1 as well,
/// and writes on in it as version 2.
///
/// - 2: what is sealed says whose it is.
pub const STORE_VERSION: u32 = 2;

/// What the `version` file says before its number.
const VERSION_PREFIX: &str = "pinion store ";
/// The file that says what the directory is.
const VERSION: &str = "version";
/// Every directory of the layout.
const DIRECTORIES: [&str; 9] = [
    "blobs",
    "chunks",
    "components",
    "memo",
    "quarantine",
    "runs",
    "tables",
    "tmp",
    "units",
];

/// A store: a directory that was handed in, and what this process knows about it.
///
/// Any number of threads and processes may use one directory at once.
#[derive(Debug)]
pub struct Store {
    files: Files,
    key: Key,
    checked: Mutex<Checked>,
    cache: Mutex<Cache>,
    /// Held while something damaged is moved away, so that nobody moves its replacement.
    quarantine: Mutex<()>,
    /// None where nothing can be locked.
    share: Option<Share>,
}

impl Store {
    /// Opens a store, or makes one of an empty directory. Waits while somebody [removes](Self::alone)
    /// things from it. What is kept in it is sealed with `key`, and what another key sealed is not believed.
    ///
    /// Entries whose names begin with a dot do not keep a directory from being empty.
    ///
    /// # Errors
    /// As [`Store::open_telling`].
    pub fn open(dir: Dir, key: Key) -> Result<Self, StoreError> {
        Self::open_telling(dir, key, &|| {})
    }

    /// The same, where `waiting` is called if it has to wait.
    ///
    /// # Errors
    /// - [`StoreError::Foreign`]: the directory has other files in it.
    /// - [`StoreError::UnsupportedVersion`]: another version of this library made it.
    /// - [`StoreError::Unwritable`]: nothing can be written there.
    /// - [`StoreError::Io`]: something else failed.
    pub fn open_telling(dir: Dir, key: Key, waiting: &dyn Fn()) -> Result<Self, StoreError> {
        Self::make(Disk::new(dir, None), key, waiting)
    }

    /// The same over a disk that fails as `faults` say. For tests.
    ///
    /// # Errors
    /// As [`Store::open_telling`].
    pub fn open_failing(dir: Dir, key: Key, faults: Arc<dyn Faults>) -> Result<Self, StoreError> {
        Self::make(Disk::new(dir, Some(faults)), key, &|| {})
    }

    fn make(disk: Disk, key: Key, waiting: &dyn Fn()) -> Result<Self, StoreError> {
        let files = Files::new(disk);
        let version = files.read(VERSION)?;
        let version = version.map(|text| check_version(&text)).transpose()?;
        if version.is_none() {
            check_empty(&files)?;
        }
        for directory in DIRECTORIES {
            files
                .make_directory(directory)
                .map_err(StoreError::Unwritable)?;
        }
        let share = Share::take(&files, Access::Write, waiting)?;
        files.sweep()?;
        // An older library would take what is written from now on for damaged.
        if version != Some(STORE_VERSION) {
            let text = format!("{VERSION_PREFIX}{STORE_VERSION}\n");
            files.write_synced(VERSION, text.as_bytes())?;
        }
        Ok(Self::over(files, key, share))
    }

    /// Opens a store that is there to be read: nothing is made, changed or swept away, so that it may be one
    /// that cannot be written to. Waits as [`Store::open_telling`] does.
    ///
    /// # Errors
    /// - [`StoreError::NoStore`]: the directory is none.
    /// - [`StoreError::UnsupportedVersion`]: another version of this library made it.
    /// - [`StoreError::Io`]: something else failed.
    pub fn open_to_read(dir: Dir, key: Key, waiting: &dyn Fn()) -> Result<Self, StoreError> {
        let files = Files::new(Disk::new(dir, None));
        let version = files.read(VERSION)?.ok_or(StoreError::NoStore)?;
        check_version(&version)?;
        let share = Share::take(&files, Access::Read, waiting)?;
        Ok(Self::over(files, key, share))
    }

    /// The key that it was opened with.
    pub fn key(&self) -> &Key {
        &self.key
    }

    fn over(files: Files, key: Key, share: Option<Share>) -> Self {
        Self {
            files,
            key,
            checked: Mutex::default(),
            cache: Mutex::default(),
            quarantine: Mutex::default(),
            share,
        }
    }

    /// Puts buffers into a file without a name, and gives equal ones that are a mapping of it. The file is
    /// gone once nobody holds any of them, or the process ends.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn spill(&self, buffers: &[Buffer]) -> Result<Vec<Buffer>, StoreError> {
        self.files.spill(buffers)
    }

    /// The time that the file system of the store gives a file that is made now.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn now(&self) -> Result<std::time::SystemTime, StoreError> {
        self.files.now()
    }

    fn checked(&self) -> MutexGuard<'_, Checked> {
        // A thread that panicked cannot have left these maps half changed.
        self.checked.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn cache(&self) -> MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The version that the file says, if it is one that can be read.
fn check_version(text: &[u8]) -> Result<u32, StoreError> {
    let text = String::from_utf8_lossy(text);
    let number = text
        .strip_prefix(VERSION_PREFIX)
        .and_then(|rest| rest.trim_end().parse::<u32>().ok());
    match number {
        Some(found @ 1..=STORE_VERSION) => Ok(found),
        Some(found) => Err(StoreError::UnsupportedVersion { found }),
        None => Err(StoreError::Foreign {
            entry: VERSION.to_owned(),
        }),
    }
}

/// Refuses a directory that is in use for something else.
fn check_empty(files: &Files) -> Result<(), StoreError> {
    // A kill may have left the layout without a version.
    let ours = |name: &str| DIRECTORIES.contains(&name) || [LOCK, GATE].contains(&name);
    let foreign = |name: &String| !name.starts_with('.') && !ours(name);
    match files.list(".")?.into_iter().find(foreign) {
        Some(entry) => Err(StoreError::Foreign { entry }),
        None => Ok(()),
    }
}
