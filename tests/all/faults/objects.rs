//! Damage to every kind of stored object: a bit of it, its end, all of it.

use std::fs;

use pinion_runtime::record::RunRecord;
use pinion_runtime::store::Kind;

use super::image::Image;
use super::*;

/// What happens to a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    /// Another bit in this byte.
    Bit(usize),
    /// Only so many bytes are left.
    Cut(usize),
    /// It has one byte more.
    Longer,
    /// All its bytes are zeros.
    Zeros,
    /// It is gone.
    Gone,
}

impl Harm {
    fn to(self, path: &Path, random: &mut Random) {
        let mut bytes = fs::read(path).unwrap();
        match self {
            Self::Bit(at) => bytes[at] ^= 1 << random.below(8),
            Self::Cut(len) => bytes.truncate(len),
            Self::Longer => bytes.push(b'x'),
            Self::Zeros => bytes.fill(0),
            Self::Gone => return fs::remove_file(path).unwrap(),
        }
        fs::write(path, bytes).unwrap();
    }
}

/// Up to `files` objects of each kind in a store, with their lengths.
fn some_of_each(directory: &Path, files: usize, random: &mut Random) -> Vec<(Kind, String, usize)> {
    let mut by_kind: BTreeMap<Kind, Vec<_>> = BTreeMap::new();
    for object in open(directory).list().unwrap() {
        let of_kind = by_kind.entry(object.id.kind()).or_default();
        of_kind.push((object.id.kind(), object.path, object.bytes as usize));
    }
    assert_eq!(by_kind.len(), 8, "{:?}", by_kind.keys());
    let some = by_kind.into_values().flat_map(|mut of_kind| {
        while of_kind.len() > files {
            of_kind.remove(random.below(of_kind.len()));
        }
        of_kind
    });
    some.collect()
}

/// A record that was damaged says what was written, or less, or nothing.
fn assert_no_other_record(found: Result<RunRecord, StoreError>, written: &RunRecord) {
    match found {
        Ok(found) => {
            assert_eq!(found.start, written.start);
            assert!(found.steps.iter().all(|step| written.steps.contains(step)));
            assert!(found.end.is_none() || found.end == written.end);
        }
        Err(StoreError::Record { .. } | StoreError::Missing { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

#[test]
fn any_object_may_be_damaged_in_any_way() {
    let (whole, expected) = subject();
    let sound = scratch();
    let store = Arc::new(open(sound.path()));
    assert_eq!(whole.run(&store, &run_id(1), 1).as_ref(), Ok(expected));
    let written = store.run(&run_id(1)).unwrap();
    drop(store);
    let image = Image::of(sound.path());
    let mut random = Random(1);
    let mut cases = Vec::new();
    for (kind, path, len) in some_of_each(sound.path(), 4, &mut random) {
        let mut harms = vec![Harm::Longer, Harm::Gone];
        if len > 0 {
            let mut inside = || random.below(len);
            harms.extend([0, len - 1, inside(), inside(), inside()].map(Harm::Bit));
            harms.extend([0, len / 2, inside(), len - 1].map(Harm::Cut));
            harms.push(Harm::Zeros);
            // Most bytes of a small chunk file are no values.
            if kind == Kind::ChunkFile {
                harms.extend((0..len).step_by(len.div_ceil(24)).map(Harm::Bit));
            }
        }
        cases.extend(harms.into_iter().map(|harm| (kind, path.clone(), harm)));
    }
    println!("{} damaged objects", cases.len());
    assert!(cases.len() >= 250, "only {} damaged objects", cases.len());
    each(&cases, |(kind, path, harm)| {
        let mut random = Random(path.len() as u64);
        let directory = scratch();
        image.write(directory.path());
        harm.to(&directory.path().join(path), &mut random);

        let store = open(directory.path());
        let found = store.check().unwrap();
        match found.as_slice() {
            [damage] => assert_eq!((damage.kind, &damage.path), (*kind, path)),
            // What is gone is no damage; bytes that no column has may change; a record may be shorter.
            [] => assert!(
                *harm == Harm::Gone || matches!(kind, Kind::ChunkFile | Kind::Run),
                "not found"
            ),
            more => panic!("{more:?}"),
        }
        assert_no_other_record(store.run(&run_id(1)), &written);
        // Reading panics at a wrong value, and moves what it finds damaged away.
        if random.below(2) == 0 {
            let read = expected.read(&store);
            if found.is_empty() && *harm != Harm::Gone {
                assert!(
                    read.values().all(|read| *read == Readable::Right),
                    "{read:?}"
                );
            }
        }
        drop(store);
        let doctor = *random.one_of(&[Doctor::First, Doctor::Later]);
        assert_recovers(directory.path(), After::Damage, doctor);
    });
}

/// Several at once: a tenth of all objects, and then half of them.
#[test]
fn many_objects_may_be_damaged_at_once() {
    let (whole, expected) = subject();
    let sound = scratch();
    let store = Arc::new(open(sound.path()));
    assert_eq!(whole.run(&store, &run_id(1), 1).as_ref(), Ok(expected));
    let listed = store.list().unwrap();
    let image = Image::of(sound.path());
    let cases: Vec<u64> = (0..40).collect();
    each(&cases, |seed| {
        let mut random = Random(*seed);
        let directory = scratch();
        image.write(directory.path());
        let share = if seed % 2 == 0 { 10 } else { 2 };
        for object in &listed {
            let len = object.bytes as usize;
            if len > 0 && random.below(share) == 0 {
                let harms = [
                    Harm::Bit(random.below(len)),
                    Harm::Cut(random.below(len)),
                    Harm::Longer,
                    Harm::Zeros,
                    Harm::Gone,
                ];
                random
                    .one_of(&harms)
                    .to(&directory.path().join(&object.path), &mut Random(*seed));
            }
        }
        expected.read(&open(directory.path()));
        let doctor = if seed % 4 < 2 {
            Doctor::First
        } else {
            Doctor::Later
        };
        assert_recovers(directory.path(), After::Damage, doctor);
    });
}

/// Two pipelines that come to the same table by different ways share its manifest. When the way it names is
/// lost, the other has to make it anew, though all that it made itself is there.
#[test]
fn a_table_that_lies_where_another_pipeline_put_it_is_made_again() {
    let text = |name: &str, step: &str| {
        format!(
            "[pipeline]\nname = \"{name}\"\n\n[sources.days]\npath = \"days.csv\"\n\n[steps.read]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.days\"\n{step}"
        )
    };
    let other = "\n[steps.more]\nuse = \"std:derive-columns@0.1\"\ninput = \"read\"\nparams = { columns = { a = \"a + 1\" } }\n";
    let other = Whole::new(&text("other", other), &[("days.csv", "a,b\n0,x\n1,y\n")]);
    let ours = Whole::new(&text("ours", ""), &[("days.csv", "a,b\n1,x\n2,y\n")]);
    let directory = scratch();
    let store = Arc::new(open(directory.path()));
    let made = other.run(&store, &run_id(1), 1).unwrap();
    let expected = ours.run(&store, &run_id(2), 1).unwrap();
    let output = |results: &Results, step: &str| {
        let key = (step.to_owned(), "table".to_owned());
        results.outputs.get(&key).cloned()
    };
    assert!(
        expected
            .outputs
            .values()
            .all(|table| made.outputs.values().any(|made| made == table)),
        "{made:?} {expected:?} {:?}",
        output(&made, "more")
    );
    let before: Vec<_> = store.list().unwrap();
    drop(store);
    // Everything that the other pipeline alone made.
    let alone = scratch();
    let of_ours = Arc::new(open(alone.path()));
    ours.run(&of_ours, &run_id(2), 1).unwrap();
    let of_ours: Vec<_> = of_ours
        .list()
        .unwrap()
        .into_iter()
        .map(|object| object.id)
        .collect();
    let gone = before
        .iter()
        .filter(|object| object.id.kind() == Kind::ChunkFile && !of_ours.contains(&object.id));
    let gone: Vec<_> = gone.collect();
    assert!(!gone.is_empty());
    for object in gone {
        fs::remove_file(directory.path().join(&object.path)).unwrap();
    }
    let store = Arc::new(open(directory.path()));
    assert_eq!(ours.run(&store, &run_id(3), 1).as_ref(), Ok(&expected));
    let read = expected.read(&store);
    assert!(
        read.values().all(|read| *read == Readable::Right),
        "{read:?}"
    );
}
