//! Who uses a store: everybody at once, but for whoever removes things from it.
//!
//! A process that opens a store shares a lock on the file `lock` until it closes the store. Removing
//! objects takes that lock alone, so it waits until all others have ended, and whoever comes meanwhile
//! waits for it. The system drops the lock of a process that is killed.
//!
//! On a file system that cannot lock, stores are used without, and nothing is ever removed.

use std::fs::File;
use std::io;

use cap_std::fs::OpenOptions;

use super::{Files, Listed, Store, StoreError};

/// The file that is locked. It stays empty.
pub(super) const LOCK: &str = "lock";

/// A share in the use of a store.
#[derive(Debug)]
pub(super) struct Share(File);

/// The only use of a store, which may remove objects. Shared again when this is dropped.
#[derive(Debug)]
pub struct Alone<'a> {
    store: &'a Store,
    share: &'a Share,
}

impl Share {
    /// Shares the use of a store; `waiting` is called if that has to wait. None where nothing can be locked.
    pub(super) fn take(files: &Files, waiting: &dyn Fn()) -> Result<Option<Self>, StoreError> {
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true);
        let file = files.open(LOCK, &options)?;
        match wait_for(waiting, || file.try_lock_shared(), || file.lock_shared()) {
            Ok(()) => Ok(Some(Self(file))),
            Err(_) => Ok(None),
        }
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
        // Given back first: two that wait for the other to give up its share would wait for ever.
        share
            .0
            .unlock()
            .and_then(|()| wait_for(waiting, || share.0.try_lock(), || share.0.lock()))
            .map_err(StoreError::io("lock", LOCK))?;
        Ok(Alone { store: self, share })
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
}

impl Drop for Alone<'_> {
    fn drop(&mut self) {
        // What cannot be shared again is left to those who come.
        drop(self.share.0.unlock());
        drop(self.share.0.lock_shared());
    }
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
