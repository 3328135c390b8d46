//! Files of a store: put in place whole, never changed, never trusted.

use std::io::{self, BufRead as _, BufReader, Read as _, Write};
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use arrow_buffer::Buffer;
use bytes::Bytes;
use cap_std::fs::{File, OpenOptions};
use memmap2::Mmap;

use super::StoreError;
use super::disk::{Disk, DiskFile};
use crate::regular;

/// Files of fewer bytes are read, not mapped: a mapping takes whole pages, and there are only so many.
const MAPPED_FROM_BYTES: u64 = 32 << 10;

/// Bytes of a line of a record: the first names every file of every source.
const MOST_LINE_BYTES: u64 = 1 << 30;

/// What spilled buffers begin at multiples of, in bytes.
const ALIGNMENT: usize = 64;

/// How long something lies in `tmp/` before it must be left over from a process that was killed.
const STALE_AFTER: Duration = Duration::from_hours(24);

/// Directories that are moved away from one path.
const MOST_QUARANTINED: u32 = 1_000;

/// Numbers temporary names, over all stores of the process.
static NEXT_TEMPORARY: AtomicU64 = AtomicU64::new(0);

/// The files of one store. Paths are relative to it, with `/`.
#[derive(Debug)]
pub(super) struct Files {
    disk: Disk,
}

/// A file that is being written. It is removed unless it is put in place.
#[derive(Debug)]
pub(super) struct Temporary<'a> {
    disk: &'a Disk,
    path: String,
    file: Option<DiskFile>,
    bytes: u64,
}

impl Files {
    pub(super) fn new(disk: Disk) -> Self {
        Self { disk }
    }

    /// The bytes of a file, if it is there.
    pub(super) fn read(&self, path: &str) -> Result<Option<Vec<u8>>, StoreError> {
        found(self.disk.read(path)).map_err(StoreError::io("read", path))
    }

    /// The bytes of a file, if it is there: mapped, if it is large.
    pub(super) fn map(&self, path: &str) -> Result<Option<Bytes>, StoreError> {
        let map = || {
            let mut file = self.disk.open(path, OpenOptions::new().read(true))?;
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

    /// What is wrong with what lies where a file ought to be, if it is none or one that nobody reads. It counts as
    /// not being there.
    pub(super) fn no_file(&self, path: &str) -> Option<io::Error> {
        let error = self.disk.no_file(path)?;
        (regular::is_no_file(&error) || regular::leads_out(&error))
            .then(|| regular::explained(error))
    }

    /// The length of a file in bytes, if it is there.
    pub(super) fn len(&self, path: &str) -> Result<Option<u64>, StoreError> {
        Ok(self.stat(path)?.map(|(len, _)| len))
    }

    /// The length of a file in bytes and when it was put there, if it is there.
    pub(super) fn stat(&self, path: &str) -> Result<Option<(u64, SystemTime)>, StoreError> {
        found(self.disk.stat(path)).map_err(StoreError::io("read", path))
    }

    /// Whether a file is there and has a whole line.
    pub(super) fn has_line(&self, path: &str) -> Result<bool, StoreError> {
        let has_line = || {
            let file = self.disk.open(path, OpenOptions::new().read(true))?;
            let mut file = BufReader::new(file.take(MOST_LINE_BYTES));
            // Nothing is kept of it: it may be of any length.
            loop {
                let part = file.fill_buf()?;
                if part.contains(&b'\n') {
                    return Ok(true);
                }
                match part.len() {
                    0 => return Ok(false),
                    len => file.consume(len),
                }
            }
        };
        let found = found(has_line()).map_err(StoreError::io("read", path))?;
        Ok(found.unwrap_or(false))
    }

    /// Opens a file.
    pub(super) fn open(
        &self,
        path: &str,
        options: &OpenOptions,
    ) -> Result<std::fs::File, StoreError> {
        let opened = self.disk.open(path, options).map(File::into_std);
        opened.map_err(StoreError::io("open", path))
    }

    /// Removes a file, and the directories it lies in if they are empty now, but for those that every
    /// store has two levels of. One that is gone already is no error.
    pub(super) fn remove(&self, path: &str) -> Result<(), StoreError> {
        found(self.disk.remove(path)).map_err(StoreError::io("remove", path))?;
        let mut directory = path;
        while let Some((parent, _)) = directory.rsplit_once('/')
            && parent.split('/').count() > 2
            // Refused as long as something is in it.
            && self.disk.remove_directory(parent).is_ok()
        {
            directory = parent;
        }
        Ok(())
    }

    /// The names in a directory, sorted; none if it does not exist.
    pub(super) fn list(&self, path: &str) -> Result<Vec<String>, StoreError> {
        Ok(self.entries(path)?.unwrap_or_default())
    }

    /// The same; none if it is no directory.
    pub(super) fn entries(&self, path: &str) -> Result<Option<Vec<String>>, StoreError> {
        let listed = self.disk.list(path);
        if listed.as_ref().is_err_and(is_no_directory) {
            return Ok(None);
        }
        let names = found(listed).map_err(StoreError::io("list", path))?;
        let mut names = names.unwrap_or_default();
        names.sort_unstable();
        Ok(Some(names))
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
        let stat = self.disk.stat(&temporary.path);
        stat.map(|(_, modified)| modified)
            .map_err(StoreError::io("write", &temporary.path))
    }

    /// Begins a file.
    pub(super) fn temporary(&self) -> Result<Temporary<'_>, StoreError> {
        loop {
            let number = NEXT_TEMPORARY.fetch_add(1, Ordering::Relaxed);
            let path = format!("tmp/{}-{number}", process::id());
            let mut options = OpenOptions::new();
            match self.disk.create(&path, options.read(true).write(true)) {
                Ok(file) => {
                    return Ok(Temporary {
                        disk: &self.disk,
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
            if self.disk.remove(&temporary.path).is_ok() {
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
                Some(file) if padded > 0 => map_file(&file.to_map()?),
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
    pub(super) fn append(&self, path: &str) -> Result<Option<DiskFile>, StoreError> {
        match self.disk.create(path, OpenOptions::new().append(true)) {
            Ok(file) => Ok(Some(file)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(None),
            Err(error) => Err(StoreError::io("write", path)(error)),
        }
    }

    /// Moves a file away. One that is gone already is no error.
    pub(super) fn quarantine(&self, path: &str) -> Result<(), StoreError> {
        quarantine(&self.disk, path)
    }

    pub(super) fn make_directory(&self, path: &str) -> io::Result<()> {
        self.disk.make_directory(path)
    }

    /// Removes everything that is being written.
    pub(super) fn remove_temporary(&self) -> Result<(), StoreError> {
        let names = self.list("tmp")?;
        // A directory there is none of ours.
        let paths = names.iter().map(|name| format!("tmp/{name}"));
        paths
            .filter(|path| !self.disk.is_directory(path))
            .try_for_each(|path| self.remove(&path))
    }

    /// Finds out whether the store can be written to, and removes what killed processes left behind.
    ///
    /// What is old is told by the file system's own time: that of a file made now.
    pub(super) fn sweep(&self) -> Result<(), StoreError> {
        let probe = self.temporary().map_err(|error| match error {
            StoreError::Io { source, .. } => StoreError::Unwritable(source),
            error => error,
        })?;
        let modified = |path: &str| self.disk.stat(path).map(|(_, modified)| modified);
        let now = modified(&probe.path).map_err(StoreError::io("read", &probe.path))?;
        for name in self.list("tmp")? {
            let path = format!("tmp/{name}");
            // Others may sweep at the same time, so what cannot be read or removed is none of ours.
            let age = modified(&path)
                .ok()
                .and_then(|modified| now.duration_since(modified).ok());
            if age.is_some_and(|age| age > STALE_AFTER) {
                let _ = self.disk.remove(&path);
            }
        }
        Ok(())
    }
}

impl Temporary<'_> {
    /// Writes bytes at an offset. Several threads may do so.
    pub(super) fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        match &self.file {
            Some(file) => file.write_at(bytes, offset),
            None => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.as_ref().map_or(Ok(()), DiskFile::sync)
    }

    /// Renames the file into place and returns its length in bytes.
    pub(super) fn put(mut self, path: &str) -> Result<u64, StoreError> {
        // Closed first: Windows does not rename open files.
        self.file = None;
        let mut renamed = self.disk.rename(&self.path, path);
        if renamed
            .as_ref()
            .is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
            && let Some((directory, _)) = path.rsplit_once('/')
        {
            self.disk
                .make_directory(directory)
                .map_err(StoreError::io("write", path))?;
            renamed = self.disk.rename(&self.path, path);
        }
        if let Err(error) = &renamed
            && is_no_directory(error)
            && let Some((directory, _)) = path.rsplit_once('/')
        {
            make_way(self.disk, directory)?;
            self.disk
                .make_directory(directory)
                .map_err(StoreError::io("write", path))?;
            renamed = self.disk.rename(&self.path, path);
        }
        if renamed.is_err() && self.disk.is_directory(path) {
            // No file replaces a directory, and nothing of ours is one there.
            quarantine(self.disk, path)?;
            renamed = self.disk.rename(&self.path, path);
        }
        match renamed {
            Ok(()) => {
                self.path.clear();
                Ok(self.bytes)
            }
            // Windows does not replace a file that is mapped; then somebody has just put the same there.
            Err(error)
                if error.kind() == io::ErrorKind::PermissionDenied && self.disk.exists(path) =>
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
        self.file.as_mut().map_or(Ok(()), Write::flush)
    }
}

impl Drop for Temporary<'_> {
    fn drop(&mut self) {
        if !self.path.is_empty() {
            self.file = None;
            // It stays in `tmp/` at worst, and is swept from there.
            let _ = self.disk.remove(&self.path);
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

/// Moves what lies where a directory of the store ought to be away.
fn make_way(disk: &Disk, directory: &str) -> Result<(), StoreError> {
    let ends = directory.match_indices('/').map(|(at, _)| at);
    for end in ends.chain([directory.len()]) {
        if disk.exists(&directory[..end]) {
            return quarantine(disk, &directory[..end]);
        }
    }
    Ok(())
}

fn quarantine(disk: &Disk, path: &str) -> Result<(), StoreError> {
    let mut to = format!("quarantine/{}", path.replace('/', "-"));
    // What lies there already may be a directory, which nothing replaces.
    for number in 1..MOST_QUARANTINED {
        if !disk.is_directory(&to) {
            break;
        }
        to = format!("quarantine/{}-{number}", path.replace('/', "-"));
    }
    let moved = disk.rename(path, &to);
    found(moved).map_err(StoreError::io("move away", path))?;
    Ok(())
}

fn is_no_directory(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotADirectory
}

/// Tells what is not there from what cannot be reached. What is no file is not there either.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) if regular::is_no_file(&error) || is_no_directory(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
