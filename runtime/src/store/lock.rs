//! Who uses a store: everybody at once, but for whoever removes things from it.
//!
//! A process that opens a store shares a lock on the file `lock` until it closes the store. Removing
//! objects takes that lock alone, so it waits until all others have ended, and whoever comes meanwhile
//! waits for it. The system drops the lock of a process that is killed.
//!
//! A system grants shares while somebody waits to be alone, so overlapping runs could keep a `gc` waiting for
//! ever. So there is a second file, `gate`: whoever comes shares it for a moment, and who waits to be alone has
//! it to himself meanwhile, so that those who come wait before it.
//!
//! On a file system that cannot lock, stores are used without, and nothing is ever removed.

use std::fs::File;
use std::io;

use cap_std::fs::OpenOptions;

use super::{Files, Listed, Store, StoreError};

/// The file that is locked. It stays empty.
pub(super) const LOCK: &str = "lock";

/// The file that those who come wait before. It stays empty.
pub(super) const GATE: &str = "gate";

/// A share in the use of a store.
#[derive(Debug)]
pub(super) struct Share {
    lock: File,
    /// None in a store that was made without, and cannot be written to.
    gate: Option<File>,
}

/// The only use of a store, which may remove objects. Shared again when this is dropped.
#[derive(Debug)]
pub struct Alone<'a> {
    store: &'a Store,
    share: &'a Share,
}

/// Whether a store is opened to be written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Its files are made if they are not there.
    Write,
    /// Nothing is made.
    Read,
}

impl Share {
    /// Shares the use of a store; `waiting` is called if that has to wait. None where nothing can be locked.
    pub(super) fn take(
        files: &Files,
        access: Access,
        waiting: &dyn Fn(),
    ) -> Result<Option<Self>, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true);
        if access == Access::Write {
            options.write(true).create(true);
        }
        let open = |path: &str| match (files.open(path, &options), access) {
            (Ok(file), _) => Ok(Some(file)),
            (Err(StoreError::Io { source, .. }), Access::Write) if is_refused(&source) => {
                Err(StoreError::Unwritable(source))
            }
            (Err(error), Access::Write) => Err(error),
            // Nobody can remove anything there either, or it is too old to have one.
            (Err(_), Access::Read) => Ok(None),
        };
        let (gate, Some(lock)) = (open(GATE)?, open(LOCK)?) else {
            return Ok(None);
        };
        let told = std::cell::Cell::new(false);
        let waiting = || {
            if !told.replace(true) {
                waiting();
            }
        };
        let share =
            |file: &File| wait_for(&waiting, || file.try_lock_shared(), || file.lock_shared());
        let entered = gate
            .as_ref()
            .map_or(Ok(()), share)
            .and_then(|()| share(&lock));
        if let Some(gate) = &gate {
            drop(gate.unlock());
        }
        Ok(entered.ok().map(|()| Self { lock, gate }))
    }
}

impl Store {
    /// Waits until nobody else uses the store, and keeps everybody else from it; `waiting` is called if
    /// somebody does.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system cannot lock.
    pub fn alone(&self, waiting: &dyn Fn()) -> Result<Alone<'_>, StoreError> {
        let unsupported = || io::Error::from(io::ErrorKind::Unsupported);
        let share = self.share.as_ref();
        let share = share.ok_or_else(|| StoreError::io("lock", LOCK)(unsupported()))?;
        let told = std::cell::Cell::new(false);
        let waiting = || {
            if !told.replace(true) {
                waiting();
            }
        };
        let alone = |file: &File| wait_for(&waiting, || file.try_lock(), || file.lock());
        // Given back first: two that wait for the other to give up its share would wait for ever. Wine says that it
        // failed where it has not.
        drop(share.lock.unlock());
        let gate = share.gate.as_ref().map_or(Ok(()), alone);
        let taken = gate.and_then(|()| alone(&share.lock));
        let alone = Alone { store: self, share };
        match taken {
            Ok(()) => Ok(alone),
            // What was taken is given back with it.
            Err(error) => Err(StoreError::io("lock", LOCK)(error)),
        }
    }
}

impl Alone<'_> {
    /// Removes an object, and the directory of its unit if it was the last there. One that is gone already
    /// is no error.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn remove(&self, object: &Listed) -> Result<(), StoreError> {
        self.store.files.remove(&object.path)?;
        self.store.forget(&object.path);
        Ok(())
    }

    /// Removes what processes left behind that were killed while they wrote, however old it is: nobody writes
    /// now.
    ///
    /// # Errors
    /// [`StoreError::Io`]: the file system refused.
    pub fn sweep(&self) -> Result<(), StoreError> {
        self.store.files.remove_temporary()
    }
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        // What cannot be shared again is left to those who come.
        drop(self.share.lock.unlock());
        drop(self.share.lock.lock_shared());
        if let Some(gate) = &self.share.gate {
            drop(gate.unlock());
        }
    }
}

/// Whether the system does not let this process write.
fn is_refused(error: &io::Error) -> bool {
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem)
}

/// Locks, telling if that has to wait.
fn wait_for(
    waiting: &dyn Fn(),
    attempt: impl Fn() -> Result<(), std::fs::TryLockError>,
    lock: impl Fn() -> io::Result<()>,
) -> io::Result<()> {
    match attempt() {
        Ok(()) => return Ok(()),
        Err(std::fs::TryLockError::WouldBlock) => waiting(),
        Err(std::fs::TryLockError::Error(error)) => return Err(error),
    }
    loop {
        match lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}
