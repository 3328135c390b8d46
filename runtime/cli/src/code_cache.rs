//! Compiled components between runs, in the user's cache directory.
//!
//! Loading compiled code is running it, so a file counts only with a code that nobody can make who does
//! not have this user's key: BLAKE3 keyed with 32 random bytes, kept apart from the cache in the user's
//! data directory with access for the user alone. A copied, planted or damaged file is compiled anew.
//!
//! A file in a directory that nobody else can write to is mapped. What lies anywhere else could be changed
//! between the check and the moment it runs, so it is read first.

use std::fs::{DirBuilder, File, Metadata};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use pinion_runtime::digest::Digest;
use pinion_runtime::sandbox::{Code, CodeCache};

/// Files of compiled code with their codes.
pub(crate) struct UserCodeCache {
    directory: PathBuf,
    key: [u8; 32],
    /// Whether nobody but the user can write to the directory.
    is_private: bool,
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
        make_directory(&directory)?;
        let (key, owned) = key(secrets)?;
        let is_private = is_private(&directory.metadata()?, &owned);
        Ok(Self {
            directory,
            key,
            is_private,
        })
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.directory.join(format!("{}.cwasm", key.hex()))
    }

    fn code(&self, key: &Digest, bytes: impl Read) -> std::io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(key.as_bytes()).update_reader(bytes)?;
        Ok(hasher.finalize())
    }

    /// What is kept under `key`, if it is this user's.
    fn checked(&self, key: &Digest) -> std::io::Result<Option<Code>> {
        let path = self.path(key);
        let mut file = File::open(&path)?;
        let code_bytes = file.metadata()?.len().checked_sub(blake3::OUT_LEN as u64);
        let Some(code_bytes) = code_bytes else {
            return Ok(None);
        };
        let mut expected = [0; blake3::OUT_LEN];
        // Compared in constant time, as `Hash` does.
        if self.is_private {
            let found = self.code(key, (&mut file).take(code_bytes))?;
            file.read_exact(&mut expected)?;
            return Ok((found == blake3::Hash::from_bytes(expected)).then_some(Code::File(path)));
        }
        let mut bytes = Vec::with_capacity(usize::try_from(code_bytes).unwrap_or_default());
        (&mut file).take(code_bytes).read_to_end(&mut bytes)?;
        file.read_exact(&mut expected)?;
        let found = self.code(key, bytes.as_slice())?;
        Ok((found == blake3::Hash::from_bytes(expected)).then_some(Code::Bytes(bytes)))
    }
}

impl CodeCache for UserCodeCache {
    fn load(&self, key: &Digest) -> Option<Code> {
        self.checked(key).ok()?
    }

    fn keep(&self, key: &Digest, code: &[u8]) {
        let write = || {
            let mut file = tempfile::NamedTempFile::new_in(&self.directory)?;
            file.write_all(code)?;
            file.write_all(self.code(key, code)?.as_bytes())?;
            file.persist(self.path(key)).map_err(|error| error.error)?;
            Ok::<(), std::io::Error>(())
        };
        // A cache that cannot be written costs time at the next run and nothing else.
        drop(write());
    }
}

/// Makes a directory that only the user can write to.
fn make_directory(path: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(path)
}

/// Whether only the owner of the file `owned` can write to a directory. Unknown counts as no.
#[cfg(unix)]
fn is_private(directory: &Metadata, owned: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;
    directory.uid() == owned.uid() && directory.mode() & 0o022 == 0
}

#[cfg(not(unix))]
fn is_private(_: &Metadata, _: &Metadata) -> bool {
    false
}

/// The user's key, made on first use, and whose the file is that it is in.
fn key(directory: &Path) -> std::io::Result<([u8; 32], Metadata)> {
    make_directory(directory)?;
    let path = directory.join("code.key");
    let read = |path: &Path| -> std::io::Result<([u8; 32], Metadata)> {
        let bytes = std::fs::read(path)?;
        let key = bytes
            .try_into()
            .map_err(|_| std::io::Error::other("the key has the wrong length"))?;
        Ok((key, path.metadata()?))
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
        Ok(file) => Ok((fresh, file.metadata()?)),
        // Another process was first: its key counts.
        Err(_) => read(&path),
    }
}
