//! Files of a store: put in place whole, never changed, never trusted.

use std::io::{self, Read as _, Write};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arrow_buffer::Buffer;
use bytes::Bytes;
use cap_std::fs::{Dir, File, OpenOptions};
use memmap2::Mmap;

use super::StoreError;
use crate::parallel;
use crate::regular;

/// Files of fewer bytes are read, not mapped: a mapping takes whole pages, and there are only so many.
const MAPPED_FROM_BYTES: u64 = 32 << 10;

/// What spilled buffers begin at multiples of, in bytes.
const ALIGNMENT: usize = 64;

/// How long something lies in `tmp/` before it must be left over from a process that was killed.
const STALE_AFTER: Duration = Duration::from_hours(24);

/// Numbers temporary names, over all stores of the process.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// The files of one store. Paths are relative to it, with `/`.
#[derive(Debug)]
pub(super) struct Files {
    dir: Dir,
}

/// A file that is being written. It is removed unless it is put in place.
#[derive(Debug)]
pub(super) struct Temporary<'a> {
    dir: &'a Dir,
    path: String,
    file: Option<File>,
    bytes: u64,
}

impl Files {
    pub(super) fn new(dir: Dir) -> Self {
        Self { dir }
    }

    /// The bytes of a file, if it is there.
    pub(super) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        found(regular::read(&self.dir, path, u64::MAX)).map_err(StoreError::io("read", path))
    }

    /// The bytes of a file, if it is there: mapped, if it is large.
    pub(super) fn map(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let map = || {
            let mut file = regular::open(&self.dir, path)?;
            let len = file.metadata()?.len();
            if len < MAPPED_FROM_BYTES {
                let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap_or_default());
                file.read_to_end(&mut bytes)?;
                return Ok(bytes.into());
            }
            map_file(&file.into_std())
        };
        found(map()).map_err(StoreError::io("read", path))
    }

    /// The length of a file in bytes, if it is there.
    pub(super) fn len(&self, path: &str) -> Result<Option<u64>, StoreError> {
        let metadata = found(self.dir.metadata(path)).map_err(StoreError::io("read", path))?;
        Ok(metadata.map(|metadata| metadata.len()))
    }

    /// The length of a file in bytes and when it was put there, if it is there.
    pub(super) fn stat(&self, path: &str) -> Result<Option<(u64, SystemTime)>, StoreError> {
        let stat = || {
            let metadata = self.dir.metadata(path)?;
            Ok((metadata.len(), metadata.modified()?.into_std()))
        };
        found(stat()).map_err(StoreError::io("read", path))
    }

    /// Opens a file.
    pub(super) fn open(
        &self,
        path: &str,
        options: &OpenOptions,
    ) -> Result<std::fs::File, StoreError> {
        let opened = regular::open_with(&self.dir, path, options).map(File::into_std);
        opened.map_err(StoreError::io("open", path))
    }

    /// Removes a file, and the directories it lies in if they are empty now, but for those that every
    /// store has two levels of. One that is gone already is no error.
    pub(super) fn remove(&self, path: &str) -> Result<(), StoreError> {
        found(self.dir.remove_file(path)).map_err(StoreError::io("remove", path))?;
        let mut directory = path;
        while let Some((parent, _)) = directory.rsplit_once('/')
            && parent.split('/').count() > 2
            // Refused as long as something is in it.
            && self.dir.remove_dir(parent).is_ok()
        {
            directory = parent;
        }
        Ok(())
    }

    /// The names in a directory, sorted; none if it does not exist.
    pub(super) fn list(&self, path: &str) -> Result<Vec<String>, StoreError> {
        let list = || {
            let mut names = Vec::new();
            for entry in self.dir.read_dir(path)? {
                names.push(entry?.file_name().to_string_lossy().into_owned());
            }
            names.sort_unstable();
            Ok(names)
        };
        Ok(found(list())
            .map_err(StoreError::io("list", path))?
            .unwrap_or_default())
    }

    /// Puts bytes in place, instead of what is there.
    pub(super) fn write(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut temporary = self.temporary()?;
        temporary
            .write_all(bytes)
            .map_err(StoreError::io("write", path))?;
        temporary.put(path)?;
        Ok(())
    }

    /// Puts bytes in place, unless they are there already.
    pub(super) fn write_new(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        match self.read(path)? {
            Some(known) if known == bytes => Ok(()),
            _ => self.write(path, bytes),
        }
    }

    /// Puts bytes in place once they are on the disk.
    pub(super) fn write_synced(&self, path: &str, bytes: &[u8]) -> Result<(), StoreError> {
        let mut temporary = self.temporary()?;
        temporary
            .write_all(bytes)
            .and_then(|()| temporary.sync())
            .map_err(StoreError::io("write", path))?;
        temporary.put(path)?;
        Ok(())
    }

    /// The time that the file system gives a file that is made now.
    pub(super) fn now(&self) -> Result<SystemTime, StoreError> {
        let temporary = self.temporary()?;
        let metadata = self.dir.metadata(&temporary.path);
        let modified = metadata.and_then(|metadata| metadata.modified());
        modified
            .map(cap_std::time::SystemTime::into_std)
            .map_err(StoreError::io("write", &temporary.path))
    }

    /// Begins a file.
    pub(super) fn temporary(&self) -> Result<Temporary<'_>, StoreError> {
        loop {
            let number = NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed);
            let path = format!("tmp/{}-{number}", process::id());
            match self.dir.open_with(
                &path,
                OpenOptions::new().read(true).write(true).create_new(true),
            ) {
                Ok(file) => {
                    return Ok(Temporary {
                        dir: &self.dir,
                        path,
                        file: Some(file),
                        bytes: 0,
                    });
                }
                // A process of the same number, killed or in another container.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(source) => {
                    return Err(StoreError::Io {
                        action: "write",
                        path,
                        source,
                    });
                }
            }
        }
    }

    /// Maps the bytes of `buffers`, each from a multiple of [`ALIGNMENT`], in a file without a name.
    pub(super) fn spill(&self, buffers: &[Buffer]) -> Result<Vec<Buffer>, StoreError> {
        let mut temporary = self.temporary()?;
        let path = temporary.path.clone();
        let spill = || {
            // Gone whatever happens next, where a file may be removed while it is open; else it is swept.
            if self.dir.remove_file(&temporary.path).is_ok() {
                temporary.path.clear();
            }
            let mut padded = 0;
            for buffer in buffers {
                temporary.write_all(buffer)?;
                padded += buffer.len().next_multiple_of(ALIGNMENT);
                let missing = padded as u64 - temporary.bytes;
                temporary.write_all(&[0; ALIGNMENT][..missing as usize])?;
            }
            match &temporary.file {
                Some(file) if padded > 0 => map_file(&file.try_clone()?.into_std()),
                _ => Ok(Bytes::new()),
            }
        };
        let mut spill = spill;
        let mapped = Buffer::from(spill().map_err(StoreError::io("write", &path))?);
        let mut start = 0;
        let place = |buffer: &Buffer| {
            let spilled = mapped.slice_with_length(start, buffer.len());
            start += buffer.len().next_multiple_of(ALIGNMENT);
            spilled
        };
        Ok(buffers.iter().map(place).collect())
    }

    /// Begins a file that grows where it is. None if there is one already.
    pub(super) fn append(&self, path: &str) -> Result<Option<File>, StoreError> {
        match self
            .dir
            .open_with(path, OpenOptions::new().append(true).create_new(true))
        {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(StoreError::io("write", path)(error)),
        }
    }

    /// Moves a file away. One that is gone already is no error.
    pub(super) fn quarantine(&self, path: &str) -> Result<(), StoreError> {
        let to = format!("quarantine/{}", path.replace('/', "-"));
        let moved = self.dir.rename(path, &self.dir, to);
        found(moved).map_err(StoreError::io("move away", path))?;
        Ok(())
    }

    pub(super) fn make_directory(&self, path: &str) -> io::Result<()> {
        self.dir.create_dir_all(path).map_err(|error| {
            // All that the system says of a link there is that something is.
            let found = self.dir.metadata(path).err();
            let found = found.filter(regular::leads_out);
            found.map_or(error, regular::explained)
        })
    }

    /// Finds out whether the store can be written to, and removes what killed processes left behind.
    ///
    /// What is old is told by the file system's own time: that of a file made now.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        let probe = self.temporary().map_err(|error| match error {
            StoreError::Io { source, .. } => StoreError::Unwritable(source),
            error => error,
        })?;
        let modified = |path: &str| self.dir.metadata(path)?.modified();
        let now = modified(&probe.path).map_err(StoreError::io("read", &probe.path))?;
        for name in self.list("tmp")? {
            let path = format!("tmp/{name}");
            // Others may sweep at the same time, so what cannot be read or removed is none of ours.
            let age = modified(&path)
                .ok()
                .and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > STALE_AFTER) {
                let _ = self.dir.remove_file(&path);
            }
        }
        Ok(())
    }
}

impl Temporary<'_> {
    /// Writes bytes at an offset. Several threads may do so.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match &self.file {
            Some(file) => parallel::write_at(file, bytes, offset),
            None => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), File::sync_all)
    }

    /// Renames the file into place and returns its length in bytes.
    pub(super) fn put(mut self, path: &str) -> Result<u64, StoreError> {
        // Closed first: Windows does not rename open files.
        self.file = None;
        let mut renamed = self.dir.rename(&self.path, self.dir, path);
        if renamed
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            && let Some((directory, _)) = path.rsplit_once('/')
        {
            self.dir
                .create_dir_all(directory)
                .map_err(StoreError::io("write", path))?;
            renamed = self.dir.rename(&self.path, self.dir, path);
        }
        match renamed {
            Ok(()) => {
                self.path.clear();
                Ok(self.bytes)
            }
            // Windows does not replace a file that is mapped; then somebody has just put the same there.
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && self.dir.exists(path) =>
            {
                Ok(self.bytes)
            }
            Err(error) => Err(StoreError::io("write", path)(error)),
        }
    }
}

impl Write for Temporary<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(file) = &mut self.file else {
            return Ok(0);
        };
        let written = file.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.as_mut().map_or(Ok(()), File::flush)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.path.is_empty() {
            self.file = None;
            // It stays in `tmp/` at worst, and is swept from there.
            let _ = self.dir.remove_file(&self.path);
        }
    }
}

/// Maps a file that is never changed.
#[expect(
    unsafe_code,
    reason = "mapping a file is only safe as long as nobody changes it"
)]
fn map_file(file: &std::fs::File) -> io::Result<Bytes> {
    // SAFETY: files in a store are put in place whole and never changed or truncated after that, by this
    // library. A process that does it all the same breaks the store, as it would by writing to our memory.
    let mapping = unsafe { Mmap::map(file) }?;
    Ok(Bytes::from_owner(mapping))
}

/// Tells what is not there from what cannot be reached.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
