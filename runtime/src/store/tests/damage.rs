//! Every kind of stored file, damaged in every way: never a panic, and never a wrong value.

use super::*;
use crate::record::RecordError;
use crate::record::samples::lines;
use crate::unit::Recipe;

/// One object of each kind.
struct Sample {
    directory: TempDir,
    fields: Vec<Field>,
    columns: Vec<arrow_array::ArrayRef>,
    file: StoredFile,
    blob: Digest,
    component: ComponentDigest,
    table: Table,
    recipe: Recipe,
    lines: Vec<Line>,
}

const BLOB: &[u8] = b"coefficients";
const COMPONENT: &[u8] = b"\0asm\x0d\0\x01\0";

fn first() -> Digest {
    Digest::of(b"first")
}

/// A copy under a later name would be taken for the last run.
#[test]
fn a_record_under_the_name_of_another_run_is_damaged() {
    let sample = sample(3);
    let store = open(sample.directory.path()).unwrap();
    let runs = sample.directory.path().join("runs");
    let id = store.run(&store.runs().unwrap()[0]).unwrap().start.id;
    // The lines of the sample have an id of their own.
    std::fs::rename(
        runs.join(format!("{}.jsonl", run_id())),
        runs.join(format!("{id}.jsonl")),
    )
    .unwrap();
    assert!(store.check().unwrap().is_empty());
    let later: RunId = "20991231-000000-0000".parse().unwrap();
    std::fs::copy(
        runs.join(format!("{id}.jsonl")),
        runs.join(format!("{later}.jsonl")),
    )
    .unwrap();
    assert!(matches!(
        store.run(&later),
        Err(StoreError::Record { source: RecordError::OtherRun { found, .. }, .. }) if found == id
    ));
    let damages = store.check().unwrap();
    assert_eq!(damages.len(), 1, "{damages:?}");
    store.repair(&damages).unwrap();
    assert_eq!(store.runs().unwrap(), [id]);
}

fn run_id() -> RunId {
    "20261123-061530-4f2a".parse().unwrap()
}

fn sample(seed: u64) -> Sample {
    let mut random = Random(seed);
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    let fields: Vec<_> = (0..2)
        .map(|at| random_field(&format!("column {at}"), 2, &mut random))
        .collect();
    let mut columns = Vec::new();
    for field in &fields {
        let given = random_values(field, 20, &mut random);
        columns.push(canonical(field, &[build(field, &given, &mut random)]).unwrap());
    }
    let file = store.put_chunks(&fields, &columns).unwrap();
    let (blob, _) = store.put_blob(BLOB).unwrap();
    let component = store.put_component(COMPONENT).unwrap();
    let table = super::table(
        Place::Stored {
            file: file.file,
            column: 0,
        },
        file.chunks[0],
    );
    store.put_table(&table).unwrap();
    let recipe = super::units::recipe(&mut random);
    store.put_recipe(&first(), &blob, &recipe).unwrap();
    store.put_memo("shape", &blob, b"fact").unwrap();
    let lines = lines(&mut random);
    let mut writer = store.create_run(&run_id()).unwrap();
    lines.iter().for_each(|line| writer.append(line).unwrap());
    Sample {
        directory,
        fields,
        columns,
        file,
        blob,
        component,
        table,
        recipe,
        lines,
    }
}

/// The value, or nothing if it is gone or known to be damaged.
fn or_miss<T>(result: Result<T, StoreError>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(error) => {
            assert!(error.is_miss(), "{error}");
            None
        }
    }
}

impl Sample {
    /// Reads everything as a new process would, and returns how many objects could not be had.
    fn read(&self) -> usize {
        let store = open(self.directory.path()).unwrap();
        let mut missed = 0;
        let mut expect = |right: Option<bool>| match right {
            Some(right) => assert!(right, "a wrong value"),
            None => missed += 1,
        };
        for at in 0..2 {
            let place = Place::Stored {
                file: self.file.file,
                column: at as u32,
            };
            let chunk = Chunk {
                digest: self.file.chunks[at],
                place,
            };
            let loaded = or_miss(store.load(&self.fields[at], &chunk));
            expect(loaded.map(|loaded| values(&loaded) == values(&self.columns[at])));
        }
        expect(or_miss(store.blob(&self.blob)).map(|bytes| bytes == BLOB));
        expect(
            or_miss(store.component(&self.component))
                .flatten()
                .map(|bytes| bytes == COMPONENT),
        );
        let table = or_miss(store.table(&self.table.digest())).flatten();
        expect(table.map(|table| table == self.table));
        let recipe = store.recipe(&first(), &self.blob).unwrap();
        expect(recipe.map(|recipe| recipe == self.recipe));
        let asked: Vec<_> = self
            .recipe
            .observations
            .iter()
            .map(|asked| asked.question.clone())
            .collect();
        expect(
            store
                .questions(&first())
                .unwrap()
                .pop()
                .map(|questions| questions == asked),
        );
        expect(
            store
                .memo("shape", &self.blob)
                .unwrap()
                .map(|fact| fact == b"fact"),
        );
        match store.run(&run_id()) {
            Ok(record) => {
                let Line::Run(start) = &self.lines[0] else {
                    unreachable!()
                };
                expect(Some(record.start == **start));
                for step in &record.steps {
                    expect(Some(
                        self.lines.contains(&Line::Step(Box::new(step.clone()))),
                    ));
                }
                // The end may be torn off.
                expect(record.end.is_some().then_some(record.steps.len() == 3));
            }
            Err(StoreError::Record { .. } | StoreError::Missing { .. }) => expect(None),
            Err(error) => panic!("{error}"),
        }
        missed
    }

    /// Stores everything once more, as a run would that found it missing.
    fn restore(&self, store: &Store) {
        store.put_chunks(&self.fields, &self.columns).unwrap();
        store.put_blob_from(&mut { BLOB }).unwrap();
        store.put_component(COMPONENT).unwrap();
        store.put_table(&self.table).unwrap();
        store
            .put_recipe(&first(), &self.blob, &self.recipe)
            .unwrap();
        store.put_memo("shape", &self.blob, b"fact").unwrap();
        if let Ok(mut writer) = store.create_run(&run_id()) {
            self.lines
                .iter()
                .for_each(|line| writer.append(line).unwrap());
        }
    }
}

#[test]
fn damage_is_never_believed() {
    for seed in 0..6 {
        let mut random = Random(seed);
        let sample = sample(seed);
        assert_eq!(sample.read(), 0);
        let objects: Vec<_> = files(sample.directory.path())
            .into_iter()
            .filter(|name| name != "version")
            .collect();
        assert_eq!(objects.len(), 8);
        for name in &objects {
            let path = sample.directory.path().join(name);
            let whole = std::fs::read(&path).unwrap();
            for _ in 0..25 {
                let mut bytes = whole.clone();
                let at = random.below(bytes.len());
                match random.below(5) {
                    0 => bytes.truncate(at),
                    1 => bytes.clear(),
                    2 => bytes.fill(0),
                    _ => bytes[at] ^= 1 << random.below(8),
                }
                std::fs::write(&path, &bytes).unwrap();
                let missed = sample.read();
                // Bytes of a chunk file that no column has, such as padding, are free to change.
                let free = name.starts_with("chunks/") && bytes.len() == whole.len();
                assert!(missed > 0 || bytes == whole || free, "{name} {at}");
                assert!(missed <= 2, "{name}");
                std::fs::write(&path, &whole).unwrap();
            }
        }
    }
}

#[test]
fn damage_is_found_moved_away_and_made_good() {
    let sample = sample(7);
    let store = open(sample.directory.path()).unwrap();
    let objects: Vec<_> = files(sample.directory.path())
        .into_iter()
        .filter(|name| name != "version")
        .collect();
    assert_eq!(store.count().unwrap(), objects.len() as u64);
    // Once as a new process, and once as one that has checked everything.
    for _ in 0..2 {
        for name in &objects {
            let path = sample.directory.path().join(name);
            let mut bytes = std::fs::read(&path).unwrap();
            bytes[0] ^= 4;
            std::fs::write(&path, bytes).unwrap();
            let damages = store.check().unwrap();
            let [damage] = damages.as_slice() else {
                panic!("{name}: {damages:?}")
            };
            assert_eq!(damage.path, *name);
            store.repair(&damages).unwrap();
            assert!(!path.exists());
            assert!(
                sample
                    .directory
                    .path()
                    .join("quarantine")
                    .join(name.replace('/', "-"))
                    .exists()
            );
            assert!(store.check().unwrap().is_empty());
            store.repair(&damages).unwrap();
            sample.restore(&store);
            assert_eq!(sample.read(), 0);
            // What is good again stays where it is.
            store.repair(&damages).unwrap();
            assert_eq!(sample.read(), 0);
        }
    }
}

/// A damaged object that is there does not keep the whole one from being stored.
#[test]
fn storing_again_replaces_damage() {
    let sample = sample(9);
    for name in files(sample.directory.path()) {
        if name == "version" || name.starts_with("runs/") {
            continue;
        }
        let path = sample.directory.path().join(&name);
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, &whole[..whole.len() / 2]).unwrap();
        sample.restore(&open(sample.directory.path()).unwrap());
        assert_eq!(sample.read(), 0, "{name}");
    }
}

#[test]
fn files_of_no_kind_are_reported() {
    let (directory, store) = store();
    std::fs::create_dir_all(directory.path().join("blobs/ab")).unwrap();
    std::fs::write(directory.path().join("blobs/ab/notes.txt"), "").unwrap();
    std::fs::write(directory.path().join("runs/today.jsonl"), "").unwrap();
    let damages = store.check().unwrap();
    let found: Vec<_> = damages
        .iter()
        .map(|damage| (damage.path.as_str(), damage.fault.to_string()))
        .collect();
    let fault = "nothing is stored under such a name".to_owned();
    assert_eq!(
        found,
        [
            ("blobs/ab/notes.txt", fault.clone()),
            ("runs/today.jsonl", fault)
        ]
    );
}
