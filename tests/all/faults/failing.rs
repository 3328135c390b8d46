//! Disks that are full, or fail, while a run is going on: it ends with an error that says so, or as if nothing
//! had happened, and harms nothing either way.

use std::io;
use std::sync::atomic::AtomicBool;
use std::sync::atomic::AtomicU64;

use pinion_runtime::store::{Faults, Operation, Verdict};
use pinion_tests::whole::Failed;

use super::*;

/// How a disk fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// From some change on there is no space for new files and more bytes. A write that comes first is cut short.
    Full,
    /// The same for one change; then somebody has made space.
    FullOnce,
    /// One operation fails, be it a change or not.
    Error,
    /// From some change on nothing is done any more: as a process ends that is killed, but for its last words.
    Dead,
}

/// What such an error says, whatever the system would.
const INJECTED: &str = "the disk fails as it was told to";

/// A disk that fails at one of its operations, or from there on.
#[derive(Debug)]
struct Failing {
    way: Way,
    at: u64,
    operations: AtomicU64,
    /// Somebody has mended it.
    mended: AtomicBool,
}

impl Failing {
    fn new(way: Way, at: u64) -> Arc<Self> {
        Arc::new(Self {
            way,
            at,
            operations: AtomicU64::new(0),
            mended: AtomicBool::new(false),
        })
    }

    /// How many operations there were that count for this way.
    fn operations(&self) -> u64 {
        self.operations.load(Ordering::Relaxed)
    }
}

impl Faults for Failing {
    fn before(&self, operation: Operation<'_>) -> Verdict {
        let changes = !matches!(operation, Operation::Read { .. });
        let takes_space = matches!(
            operation,
            Operation::Create { .. }
                | Operation::Write { .. }
                | Operation::Rename { .. }
                | Operation::MakeDirectory { .. }
        );
        let counts = match self.way {
            Way::Full | Way::FullOnce => takes_space,
            Way::Dead => changes,
            Way::Error => true,
        };
        let number = match counts {
            true => self.operations.fetch_add(1, Ordering::Relaxed),
            false => self.operations(),
        };
        if self.mended.load(Ordering::Relaxed) {
            return Verdict::Allow;
        }
        let fails = match self.way {
            Way::Full => takes_space && number >= self.at,
            Way::FullOnce | Way::Error => counts && number == self.at,
            Way::Dead => number >= self.at,
        };
        let kind = match self.way {
            Way::Full | Way::FullOnce => io::ErrorKind::StorageFull,
            Way::Error | Way::Dead => io::ErrorKind::Other,
        };
        match operation {
            _ if !fails => Verdict::Allow,
            Operation::Write { bytes, .. }
                if self.way == Way::Full && number == self.at && bytes.len() > 1 =>
            {
                Verdict::Short(bytes.len() / 2)
            }
            _ => Verdict::Deny(io::Error::new(kind, INJECTED)),
        }
    }
}

/// Runs over a disk that fails; gives its store, if it opened.
#[track_caller]
fn run_failing(
    directory: &Path,
    faults: &Arc<Failing>,
    id: usize,
) -> (Option<Arc<Store>>, Result<Results, Failed>) {
    let (whole, _) = subject();
    let faults = Arc::clone(faults) as Arc<dyn Faults>;
    match Store::open_failing(dir(directory), key(), faults) {
        Ok(store) => {
            let store = Arc::new(store);
            let ran = whole.run(&store, &run_id(id), 1);
            (Some(store), ran)
        }
        Err(error) => (None, Err(Failed(pinion_tests::step::chain(&error)))),
    }
}

/// Lets a run fail in one way at every `stride`-th of the operations that count for it. Gives how many cases
/// there were, and in how many of them the run failed.
fn fail(way: Way, stride: usize) -> (usize, usize) {
    let (whole, expected) = subject();
    let undisturbed = Failing::new(way, u64::MAX);
    let (_, ran) = run_failing(scratch().path(), &undisturbed, 0);
    assert_eq!(ran.as_ref(), Ok(expected));
    let cases: Vec<u64> = (0..undisturbed.operations()).step_by(stride).collect();
    let failed = AtomicUsize::new(0);
    each(&cases, |at| {
        let directory = scratch();
        let faults = Failing::new(way, *at);
        let (store, ran) = run_failing(directory.path(), &faults, 1);
        match &ran {
            Ok(results) => assert_eq!(results, expected),
            Err(error) => {
                assert!(error.0.contains(INJECTED), "{error}");
                failed.fetch_add(1, Ordering::Relaxed);
            }
        }
        faults.mended.store(true, Ordering::Relaxed);
        if let Some(store) = store {
            // The process goes on, as one that watches does: what it took to be there has to be there.
            if at % 2 == 0 {
                let again = whole.run(&store, &run_id(2), 1);
                assert_eq!(again.as_ref(), Ok(expected));
                let read = expected.read(&store);
                assert!(
                    read.values().all(|read| *read == Readable::Right),
                    "{read:?}"
                );
            }
        }
        let doctor = if at % 3 == 0 {
            Doctor::First
        } else {
            Doctor::Later
        };
        assert_recovers(directory.path(), After::Kill, doctor);
    });
    (cases.len(), failed.into_inner())
}

#[test]
fn the_disk_may_be_full_from_any_operation_on() {
    let (cases, failed) = fail(Way::Full, 2);
    println!("{cases} times no space from there on, {failed} runs failed");
    assert!(
        cases >= 200 && failed * 10 > cases * 9,
        "{failed} of {cases}"
    );
}

#[test]
fn the_disk_may_be_full_for_a_moment() {
    let (cases, failed) = fail(Way::FullOnce, 2);
    println!("{cases} times no space once, {failed} runs failed");
    assert!(cases >= 200 && failed > 100, "{failed} of {cases}");
}

#[test]
fn any_operation_may_fail() {
    let (cases, failed) = fail(Way::Error, 3);
    println!("{cases} errors, {failed} runs failed");
    assert!(cases >= 200 && failed > 100, "{failed} of {cases}");
}

#[test]
fn the_disk_may_be_gone_from_any_operation_on() {
    let (cases, failed) = fail(Way::Dead, 4);
    println!("{cases} times nothing from there on, {failed} runs failed");
    assert!(
        cases >= 100 && failed * 10 > cases * 9,
        "{failed} of {cases}"
    );
}
