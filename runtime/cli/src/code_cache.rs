//! Compiled components between runs, in the user's cache directory.
//!
//! Loading compiled code is running it, so a file counts only with a code that nobody can make who does
//! not have this user's [`key`]: BLAKE3 keyed with 32 random bytes, kept apart from the cache in the user's
//! data directory with access for the user alone. A copied, planted or damaged file is compiled anew.
//!
//! A file that nobody else can write to, in a directory that nobody else can replace, is mapped. What lies
//! anywhere else could be changed between the check and the moment it runs, so it is read first.

use std::fs::{self, File, Metadata};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use etcetera::BaseStrategy;
use pinion_runtime::digest::Digest;
use pinion_runtime::sandbox::{Code, CodeCache};

use crate::key::{self, UserKey, is_private, make_directory};

/// Files of compiled code with their codes.
pub(crate) struct UserCodeCache {
    directory: PathBuf,
    key: [u8; 32],
    /// The key's file, whose owner is the user; none if others can write to the directory or replace it.
    private_to: Option<Metadata>,
}

impl UserCodeCache {
    /// The cache of this user; none where there is no home or no key can be kept.
    pub(crate) fn open() -> Option<Self> {
        let directory = match key::cache_directory() {
            Some(directory) => directory.join("code"),
            None => {
                let places = etcetera::choose_base_strategy().ok()?;
                places.cache_dir().join("pinion").join("code")
            }
        };
        if !key::is_the_users(&directory) {
            return None;
        }
        Self::at(directory, &key::directory()?).ok()
    }

    /// The cache in one directory, with the key that is kept in another or made there.
    ///
    /// # Errors
    /// A directory cannot be made, or the key cannot be read or written.
    pub(crate) fn at(directory: PathBuf, secrets: &Path) -> std::io::Result<Self> {
        make_directory(&directory)?;
        let user = UserKey::open(secrets).map_err(std::io::Error::other)?;
        let UserKey {
            bytes: key,
            file: owned,
        } = user.ok_or_else(|| std::io::Error::other("there can be no key"))?;
        let is_private = fs::canonicalize(&directory)?
            .ancestors()
            .map(fs::metadata)
            .collect::<std::io::Result<Vec<_>>>()?
            .iter()
            .all(|directory| is_private(directory, &owned));
        Ok(Self {
            directory,
            key,
            private_to: is_private.then_some(owned),
        })
    }

    fn path(&self, key: &Digest) -> PathBuf {
        self.directory.join(format!("{}.cwasm", key.hex()))
    }

    /// A code of bytes that are kept under `key`, which nobody can make who does not have the user's key.
    pub(crate) fn code(&self, key: &Digest, bytes: impl Read) -> std::io::Result<blake3::Hash> {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(key.as_bytes()).update_reader(bytes)?;
        Ok(hasher.finalize())
    }

    /// What is kept under `key`, if it is this user's.
    fn checked(&self, key: &Digest) -> std::io::Result<Option<Code>> {
        let path = self.path(key);
        let mut file = File::open(&path)?;
        let metadata = file.metadata()?;
        let code_bytes = metadata.len().checked_sub(blake3::OUT_LEN as u64);
        let Some(code_bytes) = code_bytes else {
            return Ok(None);
        };
        let mut expected = [0; blake3::OUT_LEN];
        // Compared in constant time, as `Hash` does.
        if let Some(owned) = &self.private_to
            && is_private(&metadata, owned)
        {
            let found = self.code(key, (&mut file).take(code_bytes))?;
            file.read_exact(&mut expected)?;
            return Ok((found == blake3::Hash::from_bytes(expected)).then_some(Code::File(path)));
        }
        let mut bytes = Vec::new();
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn cache(root: &Path) -> UserCodeCache {
        UserCodeCache::at(root.join("code"), &root.join("secret")).unwrap()
    }

    /// What the engine would be given: the bytes, wherever they are.
    fn bytes(code: Option<Code>, code_bytes: usize) -> Option<Vec<u8>> {
        match code? {
            Code::Bytes(bytes) => Some(bytes),
            Code::File(path) => Some(fs::read(path).unwrap()[..code_bytes].to_vec()),
        }
    }

    /// Once mapped and once read: the check is the same.
    #[test]
    fn only_what_was_kept_under_the_same_key_comes_back() {
        for is_private in [true, false] {
            let root = tempfile::tempdir().unwrap();
            let open = || {
                let mut cache = cache(root.path());
                cache.private_to = cache.private_to.filter(|_| is_private);
                cache
            };
            let (key, other) = (Digest::of(b"key"), Digest::of(b"other"));
            open().keep(&key, b"code");
            assert_eq!(bytes(open().load(&key), 4).unwrap(), b"code");
            assert!(open().load(&other).is_none());

            let kept = fs::read(open().path(&key)).unwrap();
            // Under another name, cut, longer, empty, and with each byte changed.
            fs::write(open().path(&other), &kept).unwrap();
            assert!(open().load(&other).is_none());
            let mut damaged = vec![kept[..kept.len() - 1].to_vec(), Vec::new()];
            damaged.push([kept.as_slice(), b"x"].concat());
            damaged.extend((0..kept.len()).map(|at| {
                let mut bytes = kept.clone();
                bytes[at] ^= 1;
                bytes
            }));
            for bytes in damaged {
                fs::write(open().path(&key), &bytes).unwrap();
                assert!(open().load(&key).is_none(), "{bytes:?}");
            }
            fs::write(open().path(&key), &kept).unwrap();
            assert!(open().load(&key).is_some());
            // What somebody with another key has made.
            fs::remove_dir_all(root.path().join("secret")).unwrap();
            assert!(open().load(&key).is_none());
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_others_can_change_is_read_and_not_mapped() {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let key = Digest::of(b"key");
        cache(root.path()).keep(&key, b"code");
        let is_mapped = || matches!(cache(root.path()).load(&key), Some(Code::File(_)));
        let allow = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        assert!(is_mapped());
        let file = cache(root.path()).path(&key);
        for (path, open, closed) in [
            (root.path().join("code"), 0o770, 0o700),
            (root.path().to_owned(), 0o707, 0o700),
            (file, 0o620, 0o600),
        ] {
            allow(&path, open);
            assert!(!is_mapped(), "{}", path.display());
            assert_eq!(bytes(cache(root.path()).load(&key), 4).unwrap(), b"code");
            allow(&path, closed);
            assert!(is_mapped(), "{}", path.display());
        }
    }
}
