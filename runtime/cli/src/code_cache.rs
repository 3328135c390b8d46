//! Compiled components between runs, in the user's cache directory.
//!
//! Loading compiled code is running it, so a file counts only with a code that nobody can make who does
//! not have this user's key: BLAKE3 keyed with 32 random bytes, kept apart from the cache in the user's
//! data directory with access for the user alone. A copied, planted or damaged file is compiled anew.

use std::io::Write;
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use pinion_runtime::digest::Digest;
use pinion_runtime::sandbox::CodeCache;

/// Files of compiled code with their codes.
pub(crate) struct UserCodeCache {
    directory: PathBuf,
    key: [u8; 32],
}

impl UserCodeCache {
    /// The cache of this user; none where there is no home or no key can be kept.
    pub(crate) fn open() -> Option<Self> {
        let places = etcetera::choose_base_strategy().ok();
        let from_environment = std::env::var_os("PINION_CACHE_DIR").map(PathBuf::from);
        let (directory, secrets) = match (from_environment, places) {
            (Some(directory), _) => (directory.join("code"), directory.join("secret")),
            (None, Some(places)) => (
                places.cache_dir().join("pinion").join("code"),
                places.data_dir().join("pinion"),
            ),
            (None, None) => return None,
        };
        Self::at(directory, &secrets).ok()
    }

    /// The cache in one directory, with the key that is kept in another or made there.
    ///
    /// # Errors
    /// A directory cannot be made, or the key cannot be read or written.
    pub(crate) fn at(directory: PathBuf, secrets: &Path) -> std::io::Result<Self> {
        std::fs::create_dir_all(&directory)?;
        let key = key(secrets)?;
        Ok(Self { directory, key })
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.directory.join(format!("{}.cwasm", key.hex()))
    }

    fn code(&self, key: &Digest, bytes: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(key.as_bytes()).update(bytes);
        hasher.finalize()
    }
}

impl CodeCache for UserCodeCache {
    fn load(&self, key: &Digest) -> Option<Vec<u8>> {
        let mut bytes = std::fs::read(self.path(key)).ok()?;
        let end = bytes.len().checked_sub(blake3::OUT_LEN)?;
        let code: [u8; 32] = bytes.split_off(end).try_into().ok()?;
        // Compared in constant time, as `Hash` does.
        (self.code(key, &bytes) == blake3::Hash::from_bytes(code)).then_some(bytes)
    }

    fn keep(&self, key: &Digest, code: &[u8]) {
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            file.write_all(code)?;
            file.write_all(self.code(key, code).as_bytes())?;
            file.persist(self.path(key)).map_err(|error| error.error)?;
            Ok::<(), std::io::Error>(())
        };
        // A cache that cannot be written costs time at the next run and nothing else.
        drop(write());
    }
}

/// The user's key, made on first use.
fn key(directory: &Path) -> std::io::Result<[u8; 32]> {
    std::fs::create_dir_all(directory)?;
    let path = directory.join("code.key");
    let read = |path: &Path| -> std::io::Result<[u8; 32]> {
        let bytes = std::fs::read(path)?;
        bytes
            .try_into()
            .map_err(|_| std::io::Error::other("the key has the wrong length"))
    };
    if let Ok(key) = read(&path) {
        return Ok(key);
    }
    let mut fresh = [0; 32];
    getrandom::fill(&mut fresh).map_err(|error| std::io::Error::other(error.to_string()))?;
    // A temporary file is created with access for its owner alone.
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(&fresh)?;
    match file.persist_noclobber(&path) {
        Ok(_) => Ok(fresh),
        // Another process was first: its key counts.
        Err(_) => read(&path),
    }
}
