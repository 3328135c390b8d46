//! What a store does to its file system, operation by operation: the place where tests let a disk fail.
//!
//! Nothing else of the store holds its directory. A store that was opened with [`Faults`] asks them before each
//! operation, and they may have it fail, or write less than it was to; one that was not, which is every store
//! of a program, goes straight to the system. What is not asked for: waiting for a lock, and what the system
//! does by itself, such as reading a page of a mapped file.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::SystemTime;

use cap_std::fs::{Dir, File, OpenOptions};

use crate::parallel;
use crate::regular;

/// Something that a store is about to do to its file system. Paths are relative to the store, with `/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation<'a> {
    /// Make an empty file.
    Create {
        /// Its path.
        path: &'a str,
    },
    /// Write to a file that was made.
    Write {
        /// The path it was made with.
        path: &'a str,
        /// Where, in bytes from its start; none for its end.
        offset: Option<u64>,
        /// What is written.
        bytes: &'a [u8],
    },
    /// Wait until a file is on the disk.
    Sync {
        /// The path it was made with.
        path: &'a str,
    },
    /// Cut a file to its first bytes.
    Cut {
        /// The path it was made with.
        path: &'a str,
        /// How many bytes.
        len: u64,
    },
    /// Rename a file, over what is there.
    Rename {
        /// Its path.
        from: &'a str,
        /// Its new path.
        to: &'a str,
    },
    /// Remove a file.
    Remove {
        /// Its path.
        path: &'a str,
    },
    /// Make a directory and those above it, unless they are there.
    MakeDirectory {
        /// Its path.
        path: &'a str,
    },
    /// Remove a directory, if it is empty.
    RemoveDirectory {
        /// Its path.
        path: &'a str,
    },
    /// Read a file or a directory, or what the system knows of it.
    Read {
        /// Its path.
        path: &'a str,
    },
}

/// What becomes of an operation.
#[derive(Debug)]
pub enum Verdict {
    /// It is done.
    Allow,
    /// Of what is written, only so many bytes are, as of a write to a disk that is nearly full. All other
    /// operations are done.
    Short(usize),
    /// It fails, and nothing is done.
    Deny(io::Error),
}

/// Decides about operations of a store. For tests.
pub trait Faults: fmt::Debug + Send + Sync {
    /// Is asked before each operation, by any thread that uses the store.
    fn before(&self, operation: Operation<'_>) -> Verdict;
}

/// Bytes of a file that is read whole: the largest are the manifests of tables with millions of chunks. Columns
/// and blobs are mapped.
const MOST_BYTES: u64 = 1 << 30;

/// The file system of one store.
#[derive(Clone, Debug)]
pub(super) struct Disk {
    dir: Arc<Dir>,
    faults: Option<Arc<dyn Faults>>,
}

/// A file that is written.
#[derive(Debug)]
pub(super) struct DiskFile {
    disk: Disk,
    path: String,
    file: File,
}

impl Disk {
    pub(super) fn new(dir: Dir, faults: Option<Arc<dyn Faults>>) -> Self {
        let dir = Arc::new(dir);
        Self { dir, faults }
    }

    /// How many bytes may be written, if not all.
    fn ask(&self, operation: Operation<'_>) -> io::Result<Option<usize>> {
        let verdict = self.faults.as_ref().map(|faults| faults.before(operation));
        match verdict {
            None | Some(Verdict::Allow) => Ok(None),
            Some(Verdict::Short(bytes)) => Ok(Some(bytes)),
            Some(Verdict::Deny(error)) => Err(error),
        }
    }

    pub(super) fn read(&self, path: &str) -> io::Result<Vec<u8>> {
        self.ask(Operation::Read { path })?;
        regular::read(&self.dir, path, MOST_BYTES)
    }

    /// Opens a file that is not written to, which may be made by that.
    pub(super) fn open(&self, path: &str, options: &OpenOptions) -> io::Result<File> {
        self.ask(Operation::Read { path })?;
        regular::open_with(&self.dir, path, options)
    }

    /// Length in bytes, and when it was changed last.
    pub(super) fn stat(&self, path: &str) -> io::Result<(u64, SystemTime)> {
        self.ask(Operation::Read { path })?;
        let metadata = self.dir.metadata(path)?;
        regular::refuse(metadata.file_type())?;
        Ok((metadata.len(), metadata.modified()?.into_std()))
    }

    /// Why a file cannot be opened and read whole, if it cannot. Its bytes are not read.
    pub(super) fn no_file(&self, path: &str) -> Option<io::Error> {
        let length = || self.open(path, OpenOptions::new().read(true))?.metadata();
        match length() {
            Ok(metadata) if metadata.len() > MOST_BYTES => Some(io::Error::new(
                io::ErrorKind::FileTooLarge,
                "it is too large",
            )),
            Ok(_) => None,
            Err(error) => Some(error),
        }
    }

    /// Whether there is a directory, and no link to one.
    pub(super) fn is_directory(&self, path: &str) -> bool {
        let found = self.dir.symlink_metadata(path);
        found.is_ok_and(|metadata| metadata.is_dir())
    }

    pub(super) fn exists(&self, path: &str) -> bool {
        self.stat(path).is_ok()
    }

    /// The names in a directory, in no order.
    pub(super) fn list(&self, path: &str) -> io::Result<Vec<String>> {
        self.ask(Operation::Read { path })?;
        let name = |entry: io::Result<cap_std::fs::DirEntry>| {
            Ok(entry?.file_name().to_string_lossy().into_owned())
        };
        self.dir.read_dir(path)?.map(name).collect()
    }

    /// Makes a file, which must not be there.
    pub(super) fn create(&self, path: &str, options: &mut OpenOptions) -> io::Result<DiskFile> {
        self.ask(Operation::Create { path })?;
        Ok(DiskFile {
            disk: self.clone(),
            path: path.to_owned(),
            file: self.dir.open_with(path, options.create_new(true))?,
        })
    }

    pub(super) fn rename(&self, from: &str, to: &str) -> io::Result<()> {
        self.ask(Operation::Rename { from, to })?;
        self.dir.rename(from, &self.dir, to)
    }

    pub(super) fn remove(&self, path: &str) -> io::Result<()> {
        self.ask(Operation::Remove { path })?;
        self.dir.remove_file(path)
    }

    pub(super) fn remove_directory(&self, path: &str) -> io::Result<()> {
        self.ask(Operation::RemoveDirectory { path })?;
        self.dir.remove_dir(path)
    }

    pub(super) fn make_directory(&self, path: &str) -> io::Result<()> {
        self.ask(Operation::MakeDirectory { path })?;
        self.dir.create_dir_all(path).map_err(|error| {
            // All that the system says of a link there is that something is.
            let found = self.dir.metadata(path).err();
            let found = found.filter(regular::leads_out);
            found.map_or(error, regular::explained)
        })
    }
}

impl DiskFile {
    /// Writes all bytes at an offset. Several threads may do so.
    pub(super) fn write_at(&self, mut bytes: &[u8], mut offset: u64) -> io::Result<()> {
        while !bytes.is_empty() {
            let now = self.allowed(bytes, Some(offset))?;
            parallel::write_at(&self.file, now, offset)?;
            if now.is_empty() {
                return Err(io::ErrorKind::WriteZero.into());
            }
            bytes = &bytes[now.len()..];
            offset += now.len() as u64;
        }
        Ok(())
    }

    /// Waits until it is on the disk.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.disk.ask(Operation::Sync { path: &self.path })?;
        self.file.sync_all()
    }

    /// Cuts it to its first `len` bytes.
    pub(super) fn cut(&self, len: u64) -> io::Result<()> {
        let path = &self.path;
        self.disk.ask(Operation::Cut { path, len })?;
        self.file.set_len(len)
    }

    /// The same file once more, to be mapped.
    pub(super) fn to_map(&self) -> io::Result<std::fs::File> {
        Ok(self.file.try_clone()?.into_std())
    }

    /// As much of `bytes` as may be written.
    fn allowed<'a>(&self, bytes: &'a [u8], offset: Option<u64>) -> io::Result<&'a [u8]> {
        let operation = Operation::Write {
            path: &self.path,
            offset,
            bytes,
        };
        let most = self.disk.ask(operation)?;
        Ok(&bytes[..most.unwrap_or(bytes.len()).min(bytes.len())])
    }
}

impl Write for DiskFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let bytes = self.allowed(bytes, None)?;
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
