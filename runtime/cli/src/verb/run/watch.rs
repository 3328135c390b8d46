//! `pinion run --watch`: runs again whenever something changes that the pipeline is made of.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant, SystemTime};

use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};

use crate::args::Run;
use crate::failure::{Failure, INTERRUPTED};
use crate::file;
use crate::project::{LOCK, cancelled, end_in_good_order, find};
use crate::ui;

/// How long nothing has to change before it is run: editors and version control change files in bursts.
const QUIET: Duration = Duration::from_millis(80);

/// How long to wait at most for that.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long to wait before looking whether to go on.
const CANCEL_INTERVAL: Duration = Duration::from_millis(50);

/// What a run may write itself: other changes of these files count.
const WRITTEN: [&str; 2] = [LOCK, "Cargo.lock"];

/// Most bytes of a file that are read to see whether they changed.
const READ_BYTES: u64 = 1 << 20;

/// Runs until Ctrl-C.
pub(super) fn watch(args: &Run) -> Result<u8, Failure> {
    let root = find(args.place.directory.as_deref())?;
    let root = root
        .canonicalize()
        .map_err(|error| Failure::on_path("open", root.display(), error))?;
    end_in_good_order();
    let (sender, events) = mpsc::channel();
    // A link could lead to all of the disk.
    let config = notify::Config::default().with_follow_symlinks(false);
    let watcher = RecommendedWatcher::new(move |event| drop(sender.send(event)), config);
    let mut watcher = watcher.map_err(|error| unwatchable(&error))?;
    let mut files = Files::new(&root, args.place.store.as_deref());
    loop {
        // Again each time, for directories that are new; before the run, for what changes meanwhile.
        files.watch(&mut watcher)?;
        match super::once(args) {
            _ if is_cancelled() => return Ok(INTERRUPTED),
            Ok(_) => {}
            Err(failure) => ui::failure(&failure),
        }
        for name in WRITTEN {
            files.look(&root.join(name));
        }
        ui::note("waiting for changes, Ctrl-C ends");
        let Some(changed) = files.wait(&events)? else {
            return Ok(INTERRUPTED);
        };
        ui::note(&format!("\nchanged: {}", changed.join(", ")));
    }
}

fn is_cancelled() -> bool {
    cancelled().load(Ordering::Relaxed)
}

fn unwatchable(error: &notify::Error) -> Failure {
    Failure::wrong(format!("changes of files cannot be watched: {error}"))
}

/// What is known of a file: its bytes or, of a large one and of what is no file, its length and when it was
/// changed.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Seen {
    Bytes(blake3::Hash),
    Changed(u64, SystemTime),
    Directory,
}

/// The files of a project.
struct Files {
    root: PathBuf,
    store: Option<PathBuf>,
    /// What is known of those that have changed once.
    seen: BTreeMap<PathBuf, Option<Seen>>,
}

impl Files {
    fn new(root: &Path, store: Option<&Path>) -> Self {
        Self {
            root: root.to_owned(),
            store: store.and_then(|store| std::path::absolute(store).ok()),
            seen: BTreeMap::new(),
        }
    }

    /// Watches everything in the project but what [`Self::counts`] not.
    fn watch(&self, watcher: &mut impl Watcher) -> Result<(), Failure> {
        let watched = watcher.watch(&self.root, RecursiveMode::NonRecursive);
        watched.map_err(|error| unwatchable(&error))?;
        for entry in fs::read_dir(&self.root).into_iter().flatten().flatten() {
            let path = entry.path();
            let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
            if is_directory && self.counts(&path) {
                // A directory that is gone by now has told of it.
                drop(watcher.watch(&path, RecursiveMode::Recursive));
            }
        }
        Ok(())
    }

    /// Whether a file can matter to a run: not what is hidden, built or being written.
    fn counts(&self, path: &Path) -> bool {
        let Ok(inside) = path.strip_prefix(&self.root) else {
            return false;
        };
        if self
            .store
            .as_ref()
            .is_some_and(|store| path.starts_with(store))
        {
            return false;
        }
        let mut parts = inside
            .components()
            .map(|part| part.as_os_str().to_string_lossy());
        let skipped = |part: &str| part.starts_with('.') || part == "target";
        let temporary = |part: &str| part.ends_with('~') || part.ends_with(".tmp");
        !inside.starts_with("components") && !parts.any(|part| skipped(&part) || temporary(&part))
    }

    /// Whether a file is other than when it was looked at last.
    fn look(&mut self, path: &Path) -> bool {
        let now = seen(path);
        let before = self.seen.insert(path.to_owned(), now.clone());
        before != Some(now)
    }

    /// The files that changed, once they have, for people. None if whoever asked has lost interest.
    fn wait(
        &mut self,
        events: &Receiver<notify::Result<Event>>,
    ) -> Result<Option<Vec<String>>, Failure> {
        // What is gone and was never seen was taken away, or an editor's own.
        let (mut changed, mut gone) = (BTreeSet::new(), BTreeSet::new());
        let mut first: Option<Instant> = None;
        loop {
            if is_cancelled() {
                return Ok(None);
            }
            let patience = first.is_none_or(|first| first.elapsed() < PATIENCE);
            let interval = if first.is_some() {
                QUIET
            } else {
                CANCEL_INTERVAL
            };
            let event = match events.recv_timeout(interval) {
                Ok(event) if patience => event.map_err(|error| unwatchable(&error))?,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {
                    let told = if changed.is_empty() { gone } else { changed };
                    if !told.is_empty() {
                        return Ok(Some(told.into_iter().collect()));
                    }
                    (changed, gone) = (told, BTreeSet::new());
                    continue;
                }
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Failure::wrong("changes of files are no longer told"));
                }
            };
            // That a run reads files is told as well.
            if matches!(event.kind, EventKind::Access(_)) {
                continue;
            }
            for path in event.paths {
                let known = self.seen.contains_key(&path);
                if !self.counts(&path) || !self.look(&path) {
                    continue;
                }
                first.get_or_insert_with(Instant::now);
                match !known && !path.exists() {
                    true => gone.insert(self.shown(&path)),
                    false => changed.insert(self.shown(&path)),
                };
            }
        }
    }

    fn shown(&self, path: &Path) -> String {
        let inside = path.strip_prefix(&self.root).unwrap_or(path);
        ui::harmless(&inside.display().to_string())
    }
}

fn seen(path: &Path) -> Option<Seen> {
    let metadata = fs::metadata(path).ok()?;
    if metadata.is_dir() {
        return Some(Seen::Directory);
    }
    // A pipe would be waited for.
    if !metadata.is_file() || metadata.len() > READ_BYTES {
        return Some(Seen::Changed(metadata.len(), metadata.modified().ok()?));
    }
    Some(Seen::Bytes(blake3::hash(
        &file::read(path, READ_BYTES).ok()?,
    )))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_run_writes_does_not_count() {
        let files = Files::new(Path::new("/churn"), Some(Path::new("/churn/results")));
        let counts = |path: &str| files.counts(&Path::new("/churn").join(path));
        for path in [
            "pinion.toml",
            "data/trips.csv",
            "steps/mark/src/lib.rs",
            "lib.wasm",
        ] {
            assert!(counts(path), "{path}");
        }
        for path in [
            ".pinion/version",
            "components/mark.wasm",
            "target/debug/x",
            "steps/mark/target/x",
            "pinion.lock.12.tmp",
            "data/.trips.csv.swp",
            "results/chunks/x",
            "../other/pinion.toml",
        ] {
            assert!(!counts(path), "{path}");
        }
    }

    #[test]
    fn a_file_that_is_written_as_it_was_has_not_changed() {
        let temp = tempfile::tempdir().unwrap();
        let mut files = Files::new(temp.path(), None);
        let file = temp.path().join("a.csv");
        fs::write(&file, "one").unwrap();
        assert!(files.look(&file));
        fs::write(&file, "one").unwrap();
        assert!(!files.look(&file));
        fs::write(&file, "two").unwrap();
        assert!(files.look(&file));
        fs::remove_file(&file).unwrap();
        assert!(files.look(&file));
        assert!(!files.look(&file));
    }
}
