//! Nothing breaks a store: kills and power cuts at every operation, disks that are full or fail, damage to
//! every object, and several processes at once.
//!
//! The promise, after each: the store opens, what is damaged is found and set aside, the next run gives the
//! same results as one that nothing happened to, and a wrong value is never read. [`assert_recovers`] is
//! that promise. Every test counts its cases, tells how many there were, and fails if there are far fewer than
//! today.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests tell their counts"
)]

mod failing;
mod image;
mod kills;
mod objects;
mod places;
mod processes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::record::{RecordError, RunId};
use pinion_runtime::store::{ObjectId, Store, StoreError};
use pinion_tests::whole::{Readable, Results, Whole, key};
use tempfile::TempDir;

/// A step of each kind, over three files that are a partition each: `keep` selects, `sort` moves, `scale` reads
/// a blob.
const PIPELINE: &str = r#"
[pipeline]
name = "faults"
batch_rows = 4
partition_batches = 2

[sources.days]
path = "days"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.days"

[steps.keep]
use = "std:filter-rows@0.1"
input = "read"
params = { where = "a % 3 <> 0" }

[steps.double]
use = "std:derive-columns@0.1"
input = "keep"
params = { columns = { twice = "a * 2" } }

[steps.fit]
use = "std:fit-scaler@0.1"
input = "double"
params = { columns = ["twice"] }

[steps.scale]
use = "std:transform@0.1"
inputs = { rows = "double", scaler = "fit" }
params = { scale = ["twice"] }

[steps.sort]
use = "std:sort-rows@0.1"
input = "double"
params = { by = [{ column = "a", descending = true }] }
"#;

const DAYS: &[(&str, &str)] = &[
    ("days/1.csv", "a,b\n1,x\n2,y\n3,x\n4,y\n5,x\n6,y\n7,x\n"),
    ("days/2.csv", "a,b\n8,y\n9,x\n10,y\n11,x\n12,y\n"),
    (
        "days/3.csv",
        "a,b\n13,x\n14,y\n15,x\n16,y\n17,x\n18,y\n19,x\n",
    ),
];

/// The pipeline, and what it gives where nothing happens.
static SUBJECT: LazyLock<(Whole, Results)> = LazyLock::new(|| {
    let whole = Whole::new(PIPELINE, DAYS);
    let directory = scratch();
    let store = Arc::new(open(directory.path()));
    let results = whole.run(&store, &run_id(0), 2).unwrap();
    (whole, results)
});

fn subject() -> (&'static Whole, &'static Results) {
    let (whole, results) = &*SUBJECT;
    (whole, results)
}

#[track_caller]
fn open(directory: &Path) -> Store {
    Store::open(dir(directory), key()).unwrap_or_else(|error| panic!("it does not open: {error}"))
}

fn dir(directory: &Path) -> Dir {
    Dir::open_ambient_dir(directory, ambient_authority()).unwrap()
}

fn run_id(number: usize) -> RunId {
    format!("20261123-061530-{number:04x}").parse().unwrap()
}

/// What happened to a store, and so what may be wrong with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    /// A process ended at some operation, or its disk refused some: nothing is damaged, and nothing names what is
    /// not there.
    Kill,
    /// Bytes changed or are gone.
    Damage,
}

/// Whether somebody looks for damage before the next run, or not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Doctor {
    First,
    Later,
}

/// Asserts that a store in `directory` is as good as new, after one run.
#[track_caller]
fn assert_recovers(directory: &Path, after: After, doctor: Doctor) {
    let (whole, expected) = subject();
    let store = Arc::new(open(directory));
    if doctor == Doctor::First {
        mend(&store, after);
    }
    let found = whole.run(&store, &run_id(0xf001), 1);
    assert_eq!(found.as_ref(), Ok(expected));
    let read = expected.read(&store);
    let is_right =
        |read: &BTreeMap<_, Readable>| read.values().all(|read| *read == Readable::Right);
    if after == After::Damage && doctor == Doctor::Later && !is_right(&read) {
        // What was damaged without anybody's needing it was said to be, and is made again by the next run.
        drop(store);
        let store = Arc::new(open(directory));
        mend(&store, after);
        let found = whole.run(&store, &run_id(0xf002), 2);
        assert_eq!(found.as_ref(), Ok(expected));
        let read = expected.read(&store);
        assert!(is_right(&read), "{read:?}");
    } else {
        assert!(is_right(&read), "{read:?}");
    }
    let store = open(directory);
    let left = store.check().unwrap();
    assert!(left.is_empty() || doctor == Doctor::Later, "{left:?}");
    mend(&store, after);
    for id in store.runs().unwrap() {
        store.run(&id).unwrap_or_else(|error| panic!("{error}"));
    }
}

/// Has every object looked at, and what is damaged moved aside.
#[track_caller]
fn mend(store: &Store, after: After) {
    let damages = store.check().unwrap();
    if after == After::Kill {
        assert!(damages.is_empty(), "{damages:?}");
        assert_nothing_dangles(store, |component| subject().0.keeps(component));
    }
    store.repair(&damages).unwrap();
    let left = store.check().unwrap();
    assert!(left.is_empty(), "not mended: {left:?}");
}

/// A directory, in memory where there is such a place: nothing here asks whether the machine keeps its promises,
/// and much of the time would be spent waiting for its disk.
fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    let made = match memory.is_dir() {
        true => tempfile::tempdir_in(memory),
        false => tempfile::tempdir(),
    };
    made.unwrap()
}

/// Whatever is there names only what is there; of components those that are `kept`.
#[track_caller]
pub(crate) fn assert_nothing_dangles(store: &Store, kept: impl Fn(&ComponentDigest) -> bool) {
    for object in store.list().unwrap() {
        match &object.id {
            ObjectId::Recipe { first, key } => {
                let (recipe, _) = store.told_recipe(first, key).unwrap().unwrap();
                assert!(store.has_objects(&recipe), "{}", object.path);
            }
            ObjectId::Table(digest) => {
                let table = store.present_table(digest).unwrap();
                let mut files = table.files().into_iter();
                assert!(files.all(|file| store.has_chunks(&file)), "{}", object.path);
            }
            ObjectId::Run(id) => {
                let record = match store.run(id) {
                    // Killed before it had begun.
                    Err(StoreError::Record {
                        source: RecordError::Empty { .. },
                        ..
                    }) => continue,
                    record => record.unwrap(),
                };
                assert!(store.has_blob(&record.start.pipeline_text));
                assert!(store.has_blob(&record.start.lock_text));
                for step in &record.steps {
                    assert!(store.has_component(&step.digest) || !kept(&step.digest));
                    for output in &step.outputs {
                        use pinion_runtime::record::Artifact;
                        assert!(match &output.artifact {
                            Artifact::Table(table) => store.has_table(&table.digest),
                            Artifact::Blob(blob) => store.has_blob(&blob.digest),
                        });
                    }
                }
            }
            _ => {}
        }
    }
}

/// Does something for each case, on all processors; says which case it was if one panics.
fn each<T: Sync + std::fmt::Debug>(cases: &[T], check: impl Fn(&T) + Sync) {
    let next = AtomicUsize::new(0);
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let checked =
                        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| check(case)));
                    if checked.is_err() {
                        panic!("case {case:?}");
                    }
                }
            });
        }
    });
}

/// Numbers that follow from a seed.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        // SplitMix64.
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn one_of<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len())]
    }
}
