//! Blobs and components.

use std::io::{Read, Write as _};

use bytes::Bytes;
use cap_std::fs::File;

use super::check::Object;
use super::{Fault, Kind, Store, StoreError};
use crate::digest::{ComponentDigest, Digest};
use crate::parallel::{self, LARGE_BYTES, ReadError};

/// Bytes that are read at once from a source.
const READ_BYTES: usize = 1 << 20;

impl Store {
    /// Stores bytes; returns their digest and how many they are.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<(Digest, u64), StoreError> {
        let digest = Digest::of(bytes);
        // One of another length is not looked into, however long it is.
        let len = self.files.len(&blob_path(&digest))?;
        let is_there = len == Some(bytes.len() as u64)
            && match self.blob(&digest) {
                Ok(_) => true,
                Err(error) if error.is_miss() => false,
                Err(error) => return Err(error),
            };
        if !is_there {
            self.files.write(&blob_path(&digest), bytes)?;
            self.checked().blobs.insert(digest);
        }
        Ok((digest, bytes.len() as u64))
    }

    /// Stores what can be read, without holding it in memory; returns its digest and how many bytes it is.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused, or `reader` could not be read.
    pub fn put_blob_from(&self, reader: &mut dyn Read) -> Result<(Digest, u64), StoreError> {
        let mut temporary = self.files.temporary()?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; READ_BYTES];
        let mut len = 0;
        loop {
            let count = match reader.read(&mut buffer) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(StoreError::io("read what is to become", "blobs")(error)),
            };
            let bytes = buffer.get(..count).unwrap_or_default();
            hasher.update(bytes);
            temporary
                .write_all(bytes)
                .map_err(StoreError::io("write", "blobs"))?;
            len += count as u64;
        }
        let digest = Digest::from_bytes(hasher.finalize().into());
        // What is there may be damaged, and then these bytes are what is needed: they take its place.
        temporary.put(&blob_path(&digest))?;
        self.checked().blobs.insert(digest);
        Ok((digest, len))
    }

    /// Stores the bytes of a file, read from its start on at most `threads` threads; returns their digest
    /// and how many they are.
    ///
    /// If the file changes meanwhile, the digest is that of the bytes stored, whatever they are.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused, or the file became shorter.
    pub fn put_blob_file(
        &self,
        file: &mut File,
        threads: usize,
    ) -> Result<(Digest, u64), StoreError> {
        let unread = StoreError::io("read what is to become", "blobs");
        let len = match file.metadata() {
            Ok(metadata) => metadata.len(),
            Err(error) => return Err(unread(error)),
        };
        // What has no length, such as a pipe, can be read to its end all the same.
        if len < LARGE_BYTES {
            return self.put_blob_from(file);
        }
        let temporary = self.files.temporary()?;
        let give = |offset, bytes: &[u8]| temporary.write_at(bytes, offset);
        let digest = parallel::read(file, len, threads, give).map_err(|error| match error {
            ReadError::Read(error) => unread(error),
            ReadError::Given(error) => StoreError::io("write", "blobs")(error),
        })?;
        // What is there may be damaged, and then these bytes are what is needed: they take its place.
        temporary.put(&blob_path(&digest))?;
        self.checked().blobs.insert(digest);
        Ok((digest, len))
    }

    /// The bytes of a blob. Large ones are a mapping.
    ///
    /// # Errors
    /// - [`StoreError::Missing`]: it is not there.
    /// - [`StoreError::Damaged`]: it was not what it should be, and was moved away.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn blob(&self, digest: &Digest) -> Result<Bytes, StoreError> {
        let object = Object {
            kind: Kind::Blob,
            name: digest.to_string(),
            path: blob_path(digest),
        };
        let bytes = self
            .files
            .map(&object.path)?
            .ok_or_else(|| object.missing())?;
        if self.checked().blobs.contains(digest) {
            return Ok(bytes);
        }
        match check_blob(&bytes, digest) {
            Ok(()) => {
                self.checked().blobs.insert(*digest);
                Ok(bytes)
            }
            Err(fault) => Err(self.damaged(&object, fault)),
        }
    }

    /// Whether a blob is there. It is not read, so it may be damaged.
    pub fn has_blob(&self, digest: &Digest) -> bool {
        self.files
            .len(&blob_path(digest))
            .is_ok_and(|len| len.is_some())
    }

    /// Stores a component, and waits until it is on the disk.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn put_component(&self, bytes: &[u8]) -> Result<ComponentDigest, StoreError> {
        let digest = ComponentDigest::of(bytes);
        match self.component(&digest) {
            Ok(Some(_)) => Ok(digest),
            Ok(None) | Err(StoreError::Damaged { .. }) => {
                self.files.write_synced(&component_path(&digest), bytes)?;
                Ok(digest)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether a component is there. It is not read, so it may be damaged.
    pub fn has_component(&self, digest: &ComponentDigest) -> bool {
        self.files
            .len(&component_path(digest))
            .is_ok_and(|len| len.is_some())
    }

    /// The bytes of a component, if it is there, checked every time.
    ///
    /// # Errors
    /// - [`StoreError::Damaged`]: it was not what it should be, and was moved away.
    /// - [`StoreError::Io`]: the file system refused.
    pub fn component(&self, digest: &ComponentDigest) -> Result<Option<Vec<u8>>, StoreError> {
        let object = Object {
            kind: Kind::Component,
            name: digest.to_string(),
            path: component_path(digest),
        };
        let Some(bytes) = self.files.read(&object.path)? else {
            return Ok(None);
        };
        match check_component(&bytes, digest) {
            Ok(()) => Ok(Some(bytes)),
            Err(fault) => Err(self.damaged(&object, fault)),
        }
    }
}

/// Where the blob of this digest is.
pub(super) fn blob_path(digest: &Digest) -> String {
    let hex = digest.hex();
    format!("blobs/{hex:.2}/{hex}")
}

pub(super) fn component_path(digest: &ComponentDigest) -> String {
    format!("components/{}.wasm", digest.hex())
}

pub(super) fn check_blob(bytes: &[u8], digest: &Digest) -> Result<(), Fault> {
    let found = Digest::of(bytes);
    match found == *digest {
        true => Ok(()),
        false => Err(Fault::Digest {
            expected: digest.to_string(),
            found: found.to_string(),
        }),
    }
}

pub(super) fn check_component(bytes: &[u8], digest: &ComponentDigest) -> Result<(), Fault> {
    let found = ComponentDigest::of(bytes);
    match found == *digest {
        true => Ok(()),
        false => Err(Fault::Digest {
            expected: digest.to_string(),
            found: found.to_string(),
        }),
    }
}
