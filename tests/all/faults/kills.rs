//! Kills and power cuts: every state that the disk can be left in, replayed from what a run did.

use std::sync::atomic::{AtomicBool, AtomicU64};

use pinion_runtime::reach::Reach;
use pinion_runtime::store::{Faults, Kind, Operation, Verdict};

use super::image::{Change, Fate, Image, Log};
use super::*;

/// Everything that a run does to the disk, from an empty directory on, and what it leaves.
fn logged(threads: usize) -> (Vec<Change>, TempDir) {
    let (whole, expected) = subject();
    let directory = scratch();
    let log = Arc::new(Log::default());
    let store =
        Arc::new(Store::open_failing(dir(directory.path()), key(), Arc::clone(&log) as _).unwrap());
    assert_eq!(
        whole.run(&store, &run_id(1), threads).as_ref(),
        Ok(expected)
    );
    (log.changes(), directory)
}

fn replayed(changes: &[Change]) -> Image {
    let mut image = Image::default();
    changes.iter().for_each(|change| image.apply(change));
    image
}

/// Nothing goes past the layer: what it was asked for, done once more, is what lies on the disk.
#[test]
fn what_a_store_does_to_its_disk_is_all_that_is_done() {
    for threads in [1, 4] {
        let (changes, directory) = logged(threads);
        let (replayed, found) = (replayed(&changes), Image::of(directory.path()));
        assert_eq!(replayed.contents(), found.contents());
    }
}

/// A kill at every change that a run makes, and in the middle of every line of its record.
#[test]
fn a_run_may_be_killed_at_any_operation() {
    let (changes, _) = logged(1);
    let mut states = Vec::new();
    for at in 0..=changes.len() {
        let before = replayed(&changes[..at]);
        if let Some(Change::Write(path, offset, bytes)) = changes.get(at)
            && path.starts_with("runs/")
        {
            for torn in [1, bytes.len() / 2, bytes.len() - 1] {
                let mut image = before.clone();
                let bytes = bytes[..torn].to_owned();
                image.apply(&Change::Write(path.clone(), *offset, bytes));
                states.push((at, image));
            }
        }
        states.push((at, before));
    }
    println!("{} kills", states.len());
    assert!(states.len() >= 400, "only {} kills", states.len());
    let cases: Vec<usize> = (0..states.len()).collect();
    each(&cases, |case| {
        let (at, image) = &states[*case];
        let directory = scratch();
        image.write(directory.path());
        let doctor = if at % 2 == 0 {
            Doctor::First
        } else {
            Doctor::Later
        };
        assert_recovers(directory.path(), After::Kill, doctor);
    });
}

/// A power cut at every change that a run makes, with every fate of what was not waited for, and with mixed
/// ones.
#[test]
fn the_power_may_be_cut_at_any_operation() {
    let (changes, _) = logged(1);
    let mut cases = Vec::new();
    for at in 1..=changes.len() {
        let fates = [
            Fate::Unnamed,
            Fate::Mixed,
            Fate::Empty,
            Fate::Mixed,
            Fate::Cut,
            Fate::Mixed,
            Fate::Zeros,
        ];
        cases.push((at, fates[at % fates.len()]));
    }
    println!("{} power cuts", cases.len());
    assert!(cases.len() >= 400, "only {} power cuts", cases.len());
    each(&cases, |(at, fate)| {
        let mut random = Random(*at as u64);
        let image = replayed(&changes[..*at]).after_power_cut(*fate, &mut random);
        let directory = scratch();
        image.write(directory.path());
        let doctor = *random.one_of(&[Doctor::First, Doctor::Later]);
        assert_recovers(directory.path(), After::Damage, doctor);
    });
}

/// How a run ended, and the components that it used, are waited for: no power cut after the run takes them away.
#[test]
fn what_was_waited_for_outlives_a_power_cut() {
    let (changes, _) = logged(1);
    let done = replayed(&changes);
    for seed in 0..40 {
        let fates = [Fate::Mixed, Fate::Empty, Fate::Cut, Fate::Zeros];
        let image = done.after_power_cut(fates[seed % fates.len()], &mut Random(seed as u64));
        let directory = scratch();
        image.write(directory.path());
        let store = open(directory.path());
        let record = store.run(&run_id(1)).unwrap();
        assert_eq!(record.end.unwrap().run_digest, Some(subject().1.run));
        for damage in store.check().unwrap() {
            assert!(
                ![Kind::Component, Kind::Run].contains(&damage.kind),
                "{damage:?}"
            );
        }
    }
}

/// Whatever a run is about to do, another may run from its beginning to its end first. Both give the same, and
/// so does the other one if the first is killed then.
#[test]
fn another_run_may_come_between_any_two_operations() {
    let (whole, expected) = subject();
    let count = {
        let between = Between::new(u64::MAX, false, Box::new(|| ()));
        let directory = scratch();
        let store =
            Store::open_failing(dir(directory.path()), key(), Arc::clone(&between) as _).unwrap();
        whole.run(&Arc::new(store), &run_id(1), 1).unwrap();
        between.operations.load(Ordering::Relaxed)
    };
    let cases: Vec<u64> = (0..count).step_by(3).collect();
    println!("{} runs in the middle of another", cases.len());
    assert!(cases.len() >= 200, "only {} runs", cases.len());
    each(&cases, |at| {
        let directory = scratch();
        let path = directory.path().to_owned();
        let other = move || {
            let store = Arc::new(open(&path));
            assert_eq!(whole.run(&store, &run_id(2), 1).as_ref(), Ok(expected));
        };
        let is_killed = (at / 3) % 2 == 1;
        let between = Between::new(*at, is_killed, Box::new(other));
        let opened = Store::open_failing(dir(directory.path()), key(), Arc::clone(&between) as _);
        if let Ok(store) = opened {
            let store = Arc::new(store);
            match whole.run(&store, &run_id(1), 1) {
                Ok(results) => assert_eq!(&results, expected),
                Err(error) => assert!(is_killed, "{error}"),
            }
        } else {
            assert!(is_killed);
        }
        assert!(between.came.load(Ordering::Relaxed), "nobody came");
        assert_recovers(directory.path(), After::Kill, Doctor::Later);
    });
}

/// Does something before one operation, and perhaps ends there.
struct Between {
    at: u64,
    ends: bool,
    what: Box<dyn Fn() + Send + Sync>,
    operations: AtomicU64,
    came: AtomicBool,
}

impl Between {
    fn new(at: u64, ends: bool, what: Box<dyn Fn() + Send + Sync>) -> Arc<Self> {
        Arc::new(Self {
            at,
            ends,
            what,
            operations: AtomicU64::new(0),
            came: AtomicBool::new(false),
        })
    }
}

impl std::fmt::Debug for Between {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "between, at {}", self.at)
    }
}

impl Faults for Between {
    fn before(&self, _: Operation<'_>) -> Verdict {
        let number = self.operations.fetch_add(1, Ordering::Relaxed);
        if number == self.at {
            // On a thread of its own, as it would be: this one may be inside of a guest.
            std::thread::scope(|scope| scope.spawn(&self.what).join().unwrap());
            self.came.store(true, Ordering::Relaxed);
        }
        match self.ends && number >= self.at {
            true => Verdict::Deny(std::io::ErrorKind::Other.into()),
            false => Verdict::Allow,
        }
    }
}

/// What `gc` does, with the last run kept.
fn collect(store: &Store, keep: &RunId) -> Result<(), StoreError> {
    let alone = store.alone(&|| panic!("nobody is there"))?;
    let listed = store.list()?;
    let reach = Reach::of(store, &listed, &[store.run(keep)?])?;
    for object in listed.iter().filter(|object| !reach.has(&object.id)) {
        alone.remove(object)?;
    }
    alone.sweep()
}

/// What a store does to its disk while something is done with it that is no run, and what it was before.
fn logged_from(directory: &Path, act: impl FnOnce(&Store)) -> (Image, Vec<Change>) {
    let before = Image::of(directory);
    let log = Arc::new(Log::default());
    let store = Store::open_failing(dir(directory), key(), Arc::clone(&log) as _).unwrap();
    act(&store);
    drop(store);
    let changes = log.changes();
    let mut after = before.clone();
    changes.iter().for_each(|change| after.apply(change));
    assert_eq!(after.contents(), Image::of(directory).contents());
    (before, changes)
}

/// `gc` killed, and the power cut, before everything that it removes: the run that is kept is whole.
#[test]
fn removing_may_be_killed_at_any_operation() {
    let (whole, expected) = subject();
    let directory = scratch();
    let store = Arc::new(open(directory.path()));
    let other = Whole::new(&PIPELINE.replace("a % 3 <> 0", "a % 2 = 0"), DAYS);
    other.run(&store, &run_id(1), 1).unwrap();
    whole.run(&store, &run_id(2), 1).unwrap();
    drop(store);
    std::fs::write(directory.path().join("tmp/left-over"), "torn").unwrap();
    let (before, changes) = logged_from(directory.path(), |store| {
        collect(store, &run_id(2)).unwrap()
    });
    let least = Image::of(directory.path());
    assert!(least.contents().len() + 40 < before.contents().len());
    assert!(!least.contents().contains_key("tmp/left-over"));
    let cases: Vec<(usize, Option<Fate>)> = (0..=changes.len())
        .flat_map(|at| {
            let cut = if at % 2 == 0 {
                Fate::Mixed
            } else {
                Fate::Unnamed
            };
            [(at, None), (at, Some(cut))]
        })
        .collect();
    println!("{} kills and power cuts of gc", cases.len());
    assert!(cases.len() >= 100, "only {}", cases.len());
    each(&cases, |(at, cut)| {
        let mut image = before.clone();
        changes[..*at].iter().for_each(|change| image.apply(change));
        let mut random = Random(*at as u64);
        let after = match cut {
            None => After::Kill,
            Some(fate) => {
                image = image.after_power_cut(*fate, &mut random);
                After::Damage
            }
        };
        let directory = scratch();
        image.write(directory.path());
        // The next one goes on where this one ended.
        if at % 3 == 0 {
            let store = open(directory.path());
            collect(&store, &run_id(2)).unwrap();
            let read = expected.read(&store);
            assert!(
                read.values().all(|read| *read == Readable::Right),
                "{read:?}"
            );
            drop(store);
            if after == After::Kill {
                assert_eq!(Image::of(directory.path()).contents(), least.contents());
            }
        }
        let read = expected.read(&open(directory.path()));
        assert!(
            read.values().all(|read| *read == Readable::Right),
            "{read:?}"
        );
        assert_recovers(directory.path(), after, Doctor::First);
    });
}

/// `doctor --repair` killed, and the power cut, before everything that it moves.
#[test]
fn repairing_may_be_killed_at_any_operation() {
    let (whole, _) = subject();
    let directory = scratch();
    let store = Arc::new(open(directory.path()));
    whole.run(&store, &run_id(1), 1).unwrap();
    let listed = store.list().unwrap();
    drop(store);
    for object in listed.iter().step_by(2) {
        std::fs::write(directory.path().join(&object.path), "damaged\n").unwrap();
    }
    let (before, changes) = logged_from(directory.path(), |store| {
        let damages = store.check().unwrap();
        assert_eq!(damages.len(), listed.len().div_ceil(2));
        store.repair(&damages).unwrap();
    });
    let cases: Vec<(usize, bool)> = (0..=changes.len())
        .flat_map(|at| [(at, false), (at, true)])
        .collect();
    println!("{} kills and power cuts of doctor", cases.len());
    assert!(cases.len() >= 60, "only {}", cases.len());
    each(&cases, |(at, cut)| {
        let mut image = before.clone();
        changes[..*at].iter().for_each(|change| image.apply(change));
        if *cut {
            image = image.after_power_cut(Fate::Mixed, &mut Random(*at as u64));
        }
        let directory = scratch();
        image.write(directory.path());
        let doctor = if at % 2 == 0 {
            Doctor::First
        } else {
            Doctor::Later
        };
        assert_recovers(directory.path(), After::Damage, doctor);
    });
}
