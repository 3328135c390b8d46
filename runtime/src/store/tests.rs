//! Tests of the store as a whole.

mod damage;
mod odd;
mod removing;
pub(super) mod units;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use arrow_array::{Array as _, Int64Array, StringArray};
use arrow_buffer::Buffer;
use arrow_schema::{DataType, Field};
use cap_std::ambient_authority;
use tempfile::TempDir;

use super::*;
use crate::arrow::chunk::canonical;
use crate::arrow::rows::{Rows, take};
use crate::arrow::samples::{Random, build, random_field, random_values, values};
use crate::digest::{ComponentDigest, Digest};
use crate::error::Hint as _;
use crate::record::samples::{lines, run_end, run_start};
use crate::record::{Line, RunId, RunOutcome};
use crate::table::{Chunk, Partition, Place, Selection, Table};

fn open(directory: &Path) -> Result<Store, StoreError> {
    Store::open(
        Dir::open_ambient_dir(directory, ambient_authority()).unwrap(),
        Key::of_nobody(),
    )
}

fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path()).unwrap();
    (directory, store)
}

/// All files of a store but for its lock, sorted.
fn files(directory: &Path) -> Vec<String> {
    fn walk(directory: &Path, root: &Path, files: &mut Vec<String>) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => walk(&path, root, files),
                false => files.push(
                    path.strip_prefix(root)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .replace('\\', "/"),
                ),
            }
        }
    }
    let mut files_found = Vec::new();
    walk(directory, directory, &mut files_found);
    files_found.retain(|name| ![LOCK, GATE].contains(&name.as_str()));
    files_found.sort();
    files_found
}

fn numbers() -> (Field, arrow_array::ArrayRef) {
    let field = Field::new("x", DataType::Int64, false);
    (field, Arc::new(Int64Array::from_iter_values(0..5000)))
}

#[test]
fn stores_are_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Store>();
    shared::<StoreError>();
}

#[test]
fn a_store_is_made_once_and_opened_again() {
    let (directory, store) = store();
    assert_eq!(files(directory.path()), ["version"]);
    let (digest, len) = store.put_blob(b"model").unwrap();
    assert_eq!((digest, len), (Digest::of(b"model"), 5));
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(store.blob(&digest).unwrap(), "model");
    assert!(store.has_blob(&digest));
    assert!(!store.has_blob(&Digest::of(b"other")));
    let error = store.blob(&Digest::of(b"")).unwrap_err();
    assert!(error.is_miss());
    assert_eq!(
        error.to_string(),
        "blob `blake3:af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262` is not in the store"
    );
    assert!(store.check().unwrap().is_empty());
}

#[test]
fn other_directories_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join(".gitignore"), "*").unwrap();
    std::fs::write(directory.path().join("thesis.tex"), "").unwrap();
    let error = open(directory.path()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the directory is not a store\n  found `thesis.tex` in it"
    );
    assert_eq!(files(directory.path()), [".gitignore", "thesis.tex"]);

    std::fs::remove_file(directory.path().join("thesis.tex")).unwrap();
    drop(open(directory.path()).unwrap());

    for (text, message) in [
        (
            "pinion store 3\n",
            "the store has an unsupported version\n  expected at most version 2\n  found    version 3",
        ),
        (
            "1.0.0",
            "the directory is not a store\n  found `version` in it",
        ),
        ("", "the directory is not a store\n  found `version` in it"),
    ] {
        std::fs::write(directory.path().join("version"), text).unwrap();
        assert_eq!(open(directory.path()).unwrap_err().to_string(), message);
    }
    // As the hint says.
    let hint = open(directory.path()).unwrap_err().hint().unwrap();
    assert!(
        hint.contains("remove that file, and it is written anew"),
        "{hint}"
    );
    std::fs::remove_file(directory.path().join("version")).unwrap();
    drop(open(directory.path()).unwrap());
}

#[test]
fn directories_that_cannot_be_written_to_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("tmp"), "").unwrap();
    let error = open(directory.path()).unwrap_err();
    assert!(matches!(error, StoreError::Unwritable(_)), "{error}");
}

/// What killed processes leave behind does no harm, and does not stay.
#[test]
fn leftovers_of_killed_processes_are_swept() {
    let (directory, store) = store();
    let temporary = |name: &str| directory.path().join("tmp").join(name);
    // The next name that this process would take, by a process of the same number.
    let taken = (0..2000).map(|number| format!("{}-{number}", std::process::id()));
    taken.for_each(|name| std::fs::write(temporary(&name), "torn").unwrap());
    let (digest, _) = store.put_blob(b"whole").unwrap();
    assert_eq!(store.blob(&digest).unwrap(), "whole");

    std::fs::remove_dir_all(directory.path().join("tmp")).unwrap();
    std::fs::create_dir(directory.path().join("tmp")).unwrap();
    for (name, hours) in [("1-0", 25), ("1-1", 23)] {
        std::fs::write(temporary(name), "torn").unwrap();
        let file = std::fs::File::options()
            .write(true)
            .open(temporary(name))
            .unwrap();
        file.set_modified(SystemTime::now() - Duration::from_hours(hours))
            .unwrap();
    }
    // Killed while it was being made: there is a layout, but no version.
    std::fs::remove_file(directory.path().join("version")).unwrap();
    drop(store);
    let store = open(directory.path()).unwrap();
    assert_eq!(store.blob(&digest).unwrap(), "whole");
    let left: Vec<_> = files(directory.path())
        .into_iter()
        .filter(|name| name.starts_with("tmp/"))
        .collect();
    assert_eq!(left, ["tmp/1-1"]);
    assert!(store.check().unwrap().is_empty());
}

#[test]
fn columns_are_stored_once_and_mapped() {
    let (directory, store) = store();
    let (field, column) = numbers();
    let first = store
        .put_chunks(std::slice::from_ref(&field), std::slice::from_ref(&column))
        .unwrap();
    assert_eq!(first.bytes_hashed, 40_000);
    assert!(first.bytes_stored > 40_000);
    let again = store
        .put_chunks(&[field.clone().with_name("y")], &[Arc::clone(&column)])
        .unwrap();
    assert_eq!(
        again,
        StoredFile {
            bytes_stored: 0,
            ..first.clone()
        }
    );
    assert_eq!(files(directory.path()).len(), 2);

    let address = |columns: &[arrow_array::ArrayRef]| columns[0].to_data().buffers()[0].as_ptr();
    let read = store.read_chunks(&first.file).unwrap();
    assert_eq!(&read[0], &column);
    assert_eq!(
        address(&read),
        address(&store.read_chunks(&first.file).unwrap())
    );

    // Another store, as another process would have it.
    let place = Place::Stored {
        file: first.file,
        column: 0,
    };
    let chunk = Chunk {
        digest: first.chunks[0],
        place,
    };
    let other = open(directory.path()).unwrap();
    assert_eq!(&other.load(&field, &chunk).unwrap(), &column);
    let wrong = other
        .load(&Field::new("x", DataType::Int32, true), &chunk)
        .unwrap_err();
    assert!(matches!(wrong, StoreError::Chunk(_)), "{wrong}");
    let beyond = Chunk {
        place: Place::Stored {
            file: first.file,
            column: 1,
        },
        ..chunk.clone()
    };
    assert!(matches!(
        other.load(&field, &beyond),
        Err(StoreError::OtherChunk { column: 1, .. })
    ));
    let another = Chunk {
        digest: Digest::of(b""),
        ..chunk
    };
    assert!(matches!(
        other.load(&field, &another),
        Err(StoreError::OtherChunk { column: 0, .. })
    ));
}

#[test]
fn columns_that_do_not_fit_are_not_stored() {
    let (directory, store) = store();
    let (field, column) = numbers();
    let shorter: arrow_array::ArrayRef = Arc::new(Int64Array::from(vec![1]));
    let error = store
        .put_chunks(&[field.clone(), field], &[column, shorter])
        .unwrap_err();
    assert!(matches!(error, StoreError::Columns(_)), "{error}");
    assert_eq!(files(directory.path()), ["version"]);
}

#[test]
fn many_files_are_more_than_are_kept_open() {
    let (_directory, store) = store();
    let field = Field::new("x", DataType::Int64, false);
    let column = |value: i64| -> arrow_array::ArrayRef { Arc::new(Int64Array::from(vec![value])) };
    let put = |value| {
        store
            .put_chunks(std::slice::from_ref(&field), &[column(value)])
            .unwrap()
            .file
    };
    let names: Vec<Digest> = (0..1500).map(put).collect();
    for (value, name) in names.iter().enumerate().chain(names.iter().enumerate()) {
        assert_eq!(&store.read_chunks(name).unwrap()[0], &column(value as i64));
    }
}

/// Any type, any rows of rows: what is loaded is what the kernel takes, in canonical form.
#[test]
fn selected_chunks_are_taken_of_stored_ones() {
    let (directory, store) = store();
    for seed in 0..150 {
        let mut random = Random(seed);
        let field = random_field("x", 2, &mut random).with_nullable(true);
        let mut pieces = Vec::new();
        let mut chunks = Vec::new();
        for _ in 0..random.below(3) {
            let count = random.below(6);
            let given = random_values(&field, count, &mut random);
            let piece = canonical(&field, &[build(&field, &given, &mut random)]).unwrap();
            let stored = store
                .put_chunks(std::slice::from_ref(&field), &[Arc::clone(&piece)])
                .unwrap();
            let place = match count {
                0 => Place::Empty,
                _ => Place::Stored {
                    file: stored.file,
                    column: 0,
                },
            };
            chunks.push(Chunk {
                digest: stored.chunks[0],
                place,
            });
            pieces.push(piece);
        }
        let rows: u64 = pieces.iter().map(|piece| piece.len() as u64).sum();
        let index = |random: &mut Random| {
            (rows > 0 && random.coin()).then(|| random.below(rows as usize) as u64)
        };
        let indices = (0..random.below(9)).map(|_| index(&mut random)).collect();
        let chosen = [
            Rows::All(rows),
            Rows::Range {
                start: rows / 2,
                len: rows - rows / 2,
            },
            Rows::Indices(indices),
        ];
        for chosen in chosen {
            let selection = store.put_selection(&chosen, rows).unwrap();
            let loaded = store.load_selection(&selection, rows).unwrap();
            assert_eq!(
                loaded.iter().collect::<Vec<_>>(),
                chosen.iter().collect::<Vec<_>>()
            );
            let place = Place::Selected {
                of: Arc::new(chunks.clone()),
                rows: selection,
            };
            let chunk = Chunk {
                digest: Digest::of(b""),
                place,
            };
            let twice = Place::Selected {
                of: Arc::new(vec![chunk.clone(), chunk.clone()]),
                rows: Selection::All,
            };
            let all = if pieces.is_empty() {
                vec![canonical(&field, &[]).unwrap()]
            } else {
                pieces.clone()
            };
            let expected = values(&take(&all, &chosen).unwrap());
            let another = open(directory.path()).unwrap();
            assert_eq!(values(&another.load(&field, &chunk).unwrap()), expected);
            let twice = another
                .load(
                    &field,
                    &Chunk {
                        digest: Digest::of(b""),
                        place: twice,
                    },
                )
                .unwrap();
            assert_eq!(values(&twice), [expected.clone(), expected].concat());
        }
    }
    assert!(store.check().unwrap().is_empty());
}

#[test]
fn selections_are_checked_against_the_rows_there_are() {
    let (_directory, store) = store();
    let indices = |rows: &[u64]| Rows::Indices(rows.to_vec().into());
    let selection = store.put_selection(&indices(&[3, 1]), 4).unwrap();
    assert!(matches!(
        store.load_selection(&selection, 3),
        Err(StoreError::Rows(_))
    ));
    assert!(matches!(
        store.put_selection(&indices(&[3, 1]), 3),
        Err(StoreError::Rows(_))
    ));
    assert_eq!(
        store.put_selection(&indices(&[1, 2]), 4).unwrap(),
        Selection::Range { start: 1, len: 2 }
    );
    assert_eq!(
        store.put_selection(&indices(&[0, 1]), 2).unwrap(),
        Selection::All
    );

    // A file that is none of row numbers, and one of others.
    let (field, column) = numbers();
    let stored = store.put_chunks(&[field], &[column]).unwrap();
    let Selection::Indices { file, .. } = selection else {
        unreachable!()
    };
    for wrong in [
        Selection::Indices {
            file: stored.file,
            len: 5000,
        },
        Selection::Indices { file, len: 3 },
    ] {
        assert!(matches!(
            store.load_selection(&wrong, 9000),
            Err(StoreError::Rows(_))
        ));
    }
}

#[test]
fn files_become_blobs_on_any_number_of_threads() {
    let (directory, store) = store();
    let sources = tempfile::tempdir().unwrap();
    let sources = Dir::open_ambient_dir(sources.path(), ambient_authority()).unwrap();
    for len in [0, 1000, 4 << 20, (9 << 20) + 1] {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        sources.write("file", &bytes).unwrap();
        for threads in [1, 3] {
            let mut file = sources.open("file").unwrap();
            let stored = store.put_blob_file(&mut file, threads).unwrap();
            assert_eq!(stored, (Digest::of(&bytes), len as u64));
            let read = open(directory.path()).unwrap().blob(&stored.0).unwrap();
            assert!(read == bytes, "{len} bytes on {threads} threads");
        }
    }
    // Nothing is left behind but the blobs and the version.
    assert_eq!(files(directory.path()).len(), 5);
}

#[test]
fn blobs_are_streamed_and_mapped() {
    let (directory, store) = store();
    for len in [0, 1, 40_000, 3 << 20] {
        let bytes: Vec<u8> = (0..len).map(|at| (at % 251) as u8).collect();
        let (digest, stored) = store.put_blob_from(&mut bytes.as_slice()).unwrap();
        assert_eq!((digest, stored), (Digest::of(&bytes), len as u64));
        assert_eq!(store.put_blob(&bytes).unwrap(), (digest, stored));
        assert_eq!(
            open(directory.path()).unwrap().blob(&digest).unwrap(),
            bytes
        );
    }
    assert_eq!(files(directory.path()).len(), 5);
}

#[test]
fn components_are_named_by_sha256() {
    let (_directory, store) = store();
    let digest = store.put_component(b"\0asm").unwrap();
    assert_eq!(store.put_component(b"\0asm").unwrap(), digest);
    assert_eq!(digest, ComponentDigest::of(b"\0asm"));
    assert_eq!(store.component(&digest).unwrap().unwrap(), b"\0asm");
    assert_eq!(store.component(&ComponentDigest::of(b"")).unwrap(), None);
}

fn table(place: Place, digest: Digest) -> Table {
    let field = Field::new("x", DataType::Int64, false)
        .with_metadata([("unit".to_owned(), "m".to_owned())].into());
    let partition = Partition {
        rows: 5000,
        columns: vec![Chunk { digest, place }],
    };
    Table {
        fields: vec![Arc::new(field)],
        partitions: vec![Arc::new(partition)],
    }
}

#[test]
fn manifests_stay_while_what_they_name_is_there() {
    let (directory, store) = store();
    let (field, column) = numbers();
    let stored = store.put_chunks(&[field], &[column]).unwrap();
    let there = Place::Stored {
        file: stored.file,
        column: 0,
    };
    let gone = Place::Stored {
        file: Digest::of(b""),
        column: 0,
    };
    let table = |place| table(place, stored.chunks[0]);
    let digest = table(there.clone()).digest();
    assert_eq!(store.table(&digest).unwrap(), None);
    for (put, found) in [(&gone, &gone), (&there, &there), (&gone, &there)] {
        assert_eq!(store.put_table(&table(put.clone())).unwrap(), digest);
        assert_eq!(
            open(directory.path()).unwrap().table(&digest).unwrap(),
            Some(table(found.clone()))
        );
    }
}

/// As deep as steps that pass rows on may reasonably be chained.
#[test]
fn nested_places_are_read_back() {
    let (_directory, store) = store();
    let mut place = Place::Empty;
    for _ in 0..24 {
        let of = Arc::new(vec![Chunk {
            digest: Digest::of(b""),
            place,
        }]);
        place = Place::Selected {
            of,
            rows: Selection::Range { start: 0, len: 0 },
        };
    }
    let table = table(place, Digest::of(b""));
    let digest = store.put_table(&table).unwrap();
    assert_eq!(store.table(&digest).unwrap(), Some(table));
}

#[test]
fn memos_are_kept_by_name_and_key() {
    let (_directory, store) = store();
    let key = Digest::of(b"key");
    assert_eq!(store.memo("shape", &key).unwrap(), None);
    store.put_memo("shape", &key, b"").unwrap();
    assert_eq!(store.memo("shape", &key).unwrap().unwrap(), b"");
    store.put_memo("shape", &key, b"a\nb").unwrap();
    assert_eq!(store.memo("shape", &key).unwrap().unwrap(), b"a\nb");
    assert_eq!(store.memo("range", &key).unwrap(), None);
}

#[test]
fn runs_are_listed_by_time() {
    let (directory, store) = store();
    let id = |text: &str| text.parse::<RunId>().unwrap();
    let (first, second) = (id("20261123-061530-4f2a"), id("20261124-000000-0000"));
    let written = lines(&mut Random(1));
    let mut later = store.create_run(&second).unwrap();
    let mut writer = store.create_run(&first).unwrap();
    assert_eq!(
        store.create_run(&first).unwrap_err().to_string(),
        "there is a run `20261123-061530-4f2a` already"
    );
    // Nothing is known of runs that have not even begun.
    assert!(store.runs().unwrap().is_empty());
    assert!(matches!(store.run(&first), Err(StoreError::Record { .. })));

    later
        .append(&Line::Run(Box::new(run_start(&[], &mut Random(2)))))
        .unwrap();
    for line in &written[..2] {
        writer.append(line).unwrap();
    }
    let other = open(directory.path()).unwrap();
    assert_eq!(other.runs().unwrap(), [first.clone(), second.clone()]);
    assert_eq!(
        other.run(&first).unwrap().outcome(),
        RunOutcome::Interrupted
    );
    assert_eq!(other.run(&first).unwrap().steps.len(), 1);
    let end = run_end(&mut Random(3));
    writer.append(&Line::Outcome(end.clone())).unwrap();
    assert_eq!(other.run(&first).unwrap().end, Some(end));
    let missing = other.run(&id("20251123-061530-4f2a")).unwrap_err();
    assert_eq!(
        missing.to_string(),
        "run `20251123-061530-4f2a` is not in the store"
    );
}

/// Two threads that store the same at once, again and again, and read what the other one is writing.
#[test]
fn threads_may_store_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let stores = [
        open(directory.path()).unwrap(),
        open(directory.path()).unwrap(),
    ];
    let field = Field::new("x", DataType::Utf8, false);
    std::thread::scope(|scope| {
        for store in stores.iter().chain(&stores) {
            let field = &field;
            scope.spawn(move || {
                for round in 0..60 {
                    let text = format!("round {round}");
                    let column: arrow_array::ArrayRef =
                        Arc::new(StringArray::from(vec![text.as_str(); 2000]));
                    let stored = store
                        .put_chunks(std::slice::from_ref(field), &[Arc::clone(&column)])
                        .unwrap();
                    assert_eq!(&store.read_chunks(&stored.file).unwrap()[0], &column);
                    let (digest, _) = store.put_blob(text.as_bytes()).unwrap();
                    assert_eq!(store.blob(&digest).unwrap(), text);
                    store.put_memo("text", &digest, text.as_bytes()).unwrap();
                    assert_eq!(
                        store.memo("text", &digest).unwrap().unwrap(),
                        text.as_bytes()
                    );
                }
            });
        }
    });
    assert_eq!(files(directory.path()).len(), 1 + 3 * 60);
    assert!(stores[0].check().unwrap().is_empty());
}

#[test]
fn what_is_spilled_is_the_same_and_leaves_nothing_behind() {
    let (dir, store) = store();
    let given: Vec<Buffer> = [0, 1, 63, 64, 65, 100_000]
        .into_iter()
        .map(|len: usize| (0..len).map(|at| at as u8).collect::<Vec<_>>().into())
        .collect();
    let spilled = store.spill(&given).unwrap();
    assert_eq!(spilled, given);
    assert!(
        spilled
            .iter()
            .all(|buffer| buffer.is_empty() || (buffer.as_ptr() as usize).is_multiple_of(64))
    );
    assert!(store.spill(&[]).unwrap().is_empty());
    drop(spilled);
    assert_eq!(dir.path().join("tmp").read_dir().unwrap().count(), 0);
}

/// A disk on which nothing can be changed.
#[derive(Debug)]
struct ReadOnly;

impl Faults for ReadOnly {
    fn before(&self, operation: Operation<'_>) -> Verdict {
        match operation {
            Operation::Read { .. } => Verdict::Allow,
            _ => Verdict::Deny(std::io::ErrorKind::ReadOnlyFilesystem.into()),
        }
    }
}

/// What is damaged is said to be, also where it cannot be moved away.
#[test]
fn damage_in_a_store_that_cannot_be_written_to_is_damage() {
    let (directory, store) = store();
    let (blob, _) = store.put_blob(b"blob").unwrap();
    let path = directory.path().join(ObjectId::Blob(blob).path().unwrap());
    std::fs::write(&path, "blot").unwrap();
    let dir = || Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
    let error = Store::open_failing(dir(), Key::of_nobody(), Arc::new(ReadOnly)).unwrap_err();
    assert!(matches!(error, StoreError::Unwritable(_)), "{error}");
    let disk = Disk::new(dir(), Some(Arc::new(ReadOnly)));
    let read = Store::over(Files::new(disk), Key::of_nobody(), None);
    let error = read.blob(&blob).unwrap_err();
    assert!(matches!(error, StoreError::Damaged { .. }), "{error}");
    assert!(path.exists());
}

/// A record whose first line was torn by a kill is none, and its id is taken.
#[test]
fn a_record_without_a_whole_line_is_not_listed() {
    let (directory, store) = store();
    let id: RunId = "20261123-061530-4f2a".parse().unwrap();
    let path = directory.path().join(format!("runs/{id}.jsonl"));
    for torn in ["", "{\"line\":\"run\",\"form", "\0\0\0\0"] {
        std::fs::write(&path, torn).unwrap();
        assert_eq!(store.runs().unwrap(), []);
        assert_eq!(store.last_id().unwrap().as_ref(), Some(&id));
        assert!(store.check().unwrap().is_empty());
        assert!(matches!(
            store.create_run(&id),
            Err(StoreError::RunExists { .. })
        ));
    }
}
