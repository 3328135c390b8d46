//! Listing, locking and removing.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

use super::*;

fn digest(text: &str) -> Digest {
    Digest::of(text.as_bytes())
}

#[test]
fn ids_and_paths_are_two_ways_to_say_the_same() {
    let ids = [
        ObjectId::Run("20261123-061530-4f2a".parse().unwrap()),
        ObjectId::Memo {
            name: "shape".to_owned(),
            key: digest("memo"),
        },
        ObjectId::Recipe {
            first: digest("first"),
            key: digest("key"),
        },
        ObjectId::Table(digest("table")),
        ObjectId::ChunkFile(digest("chunks")),
        ObjectId::Blob(digest("blob")),
        ObjectId::Component(ComponentDigest::of(b"component")),
    ];
    for id in ids {
        assert_eq!(ObjectId::at(&id.path().unwrap()), Some(id));
    }
    let (first, list) = (digest("first"), digest("list"));
    let questions = format!(
        "units/{:.2}/{}/questions/0000000007-{}.json",
        first.hex(),
        first.hex(),
        list.hex()
    );
    assert_eq!(
        ObjectId::at(&questions),
        Some(ObjectId::Questions { first, list })
    );
    let blob = ObjectId::Blob(digest("blob")).path().unwrap();
    for path in [
        "version",
        "lock",
        "runs/20261123.jsonl",
        "tmp/1-1",
        "../blobs",
        &blob.replace("blobs/", "blobs/0"),
        &blob.replace("blobs", "chunks"),
        &format!("{blob}.old"),
        &questions.replacen("units/", "units/0", 1),
        &questions.replace("0000000007", "7"),
    ] {
        assert_eq!(ObjectId::at(path), None, "{path}");
    }
}

#[test]
fn what_names_others_is_listed_before_what_it_names() {
    let (_directory, store) = store();
    let (field, column) = numbers();
    let stored = store.put_chunks(&[field], &[column]).unwrap();
    let place = Place::Stored {
        file: stored.file,
        column: 0,
    };
    let table = super::table(place, stored.chunks[0]);
    store.put_table(&table).unwrap();
    store.put_component(b"component").unwrap();
    store.put_blob(b"blob").unwrap();
    let mut random = Random(1);
    let recipe = super::units::recipe(&mut random);
    store
        .put_recipe(&digest("first"), &digest("key"), &recipe)
        .unwrap();
    store.put_memo("shape", &digest("memo"), b"fact").unwrap();
    let mut writer = store
        .create_run(&"20261123-061530-4f2a".parse().unwrap())
        .unwrap();
    writer.append(&lines(&mut random)[0]).unwrap();
    let listed = store.list().unwrap();
    let kinds: Vec<Kind> = listed.iter().map(|listed| listed.id.kind()).collect();
    assert_eq!(
        kinds,
        [
            Kind::Run,
            Kind::Memo,
            Kind::Recipe,
            Kind::Questions,
            Kind::Table,
            Kind::ChunkFile,
            Kind::Blob,
            Kind::Component
        ]
    );
    assert_eq!(listed[6].bytes, 4);
    assert_eq!(store.count().unwrap(), 8);
}

#[test]
fn what_is_removed_is_gone_with_the_directory_of_its_unit() {
    let (directory, store) = store();
    let recipe = super::units::recipe(&mut Random(1));
    store
        .put_recipe(&digest("first"), &digest("key"), &recipe)
        .unwrap();
    let (blob, _) = store.put_blob(b"blob").unwrap();
    let alone = store.alone(&|| panic!("nobody is there")).unwrap();
    for object in store.list().unwrap() {
        alone.remove(&object).unwrap();
        // Somebody may have been faster.
        alone.remove(&object).unwrap();
    }
    drop(alone);
    assert_eq!(files(directory.path()), ["version"]);
    let first = digest("first").hex();
    let fan = directory.path().join(format!("units/{first:.2}"));
    assert_eq!(std::fs::read_dir(fan).unwrap().count(), 0);
    // And it is not taken to be there because it was once.
    assert!(matches!(store.blob(&blob), Err(StoreError::Missing { .. })));
    store.put_blob(b"blob").unwrap();
    assert_eq!(store.blob(&blob).unwrap(), "blob");
}

#[test]
fn whoever_removes_waits_for_others_and_others_wait_for_it() {
    let (directory, store) = store();
    let beside = open(directory.path()).unwrap();
    let waited = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        let (sender, alone_at_last) = mpsc::channel();
        let (store, waited) = (&store, &waited);
        scope.spawn(move || {
            let alone = store
                .alone(&|| {
                    waited.fetch_add(1, Ordering::SeqCst);
                })
                .unwrap();
            sender.send(alone).unwrap();
        });
        while waited.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        // It still waits.
        assert!(alone_at_last.try_recv().is_err());
        drop(beside);
        let alone = alone_at_last.recv().unwrap();

        let opened = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            let (directory, opened, waited) = (&directory, &opened, &waited);
            scope.spawn(move || {
                let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
                let waiting = || {
                    waited.fetch_add(1, Ordering::SeqCst);
                };
                Store::open_telling(dir, Key::of_nobody(), &waiting).unwrap();
                opened.fetch_add(1, Ordering::SeqCst);
            });
            while waited.load(Ordering::SeqCst) == 1 {
                std::thread::yield_now();
            }
            assert_eq!(opened.load(Ordering::SeqCst), 0);
            drop(alone);
        });
        assert_eq!(opened.load(Ordering::SeqCst), 1);
    });
    // It shares the store again.
    let beside = open(directory.path()).unwrap();
    let waited = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            drop(beside.alone(&|| {
                waited.fetch_add(1, Ordering::SeqCst);
            }));
        });
        while waited.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        drop(store);
    });
}

/// A system lets in those who come while somebody waits to be alone, so they are kept out here.
#[test]
fn whoever_comes_while_somebody_waits_to_be_alone_waits_too() {
    let (directory, store) = store();
    let beside = open(directory.path()).unwrap();
    let (waiting, opened) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let come = || {
        waiting.fetch_add(1, Ordering::SeqCst);
    };
    std::thread::scope(|scope| {
        let (sender, alone_at_last) = mpsc::channel();
        let (store, come, opened, directory) = (&store, &come, &opened, &directory);
        scope.spawn(move || sender.send(store.alone(come).unwrap()).unwrap());
        while waiting.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        scope.spawn(move || {
            let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
            Store::open_telling(dir, Key::of_nobody(), come).unwrap();
            opened.fetch_add(1, Ordering::SeqCst);
        });
        while waiting.load(Ordering::SeqCst) == 1 && opened.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        // One share is still held, so nobody is alone, and yet the newcomer does not overtake.
        assert_eq!(opened.load(Ordering::SeqCst), 0);
        drop(beside);
        drop(alone_at_last.recv().unwrap());
    });
    assert_eq!(opened.load(Ordering::SeqCst), 1);
}

#[test]
fn a_store_that_is_only_read_is_left_as_it_is() {
    let (directory, store) = store();
    let (blob, _) = store.put_blob(b"blob").unwrap();
    let list = |path: &std::path::Path| {
        let entries = std::fs::read_dir(path).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        names
    };
    let read = |path: &std::path::Path| {
        let dir = Dir::open_ambient_dir(path, ambient_authority()).unwrap();
        Store::open_to_read(dir, Key::of_nobody(), &|| panic!("nobody is there"))
    };
    // As one that an older library made, or that was copied without what is not needed.
    for name in ["gate", "lock", "tmp"] {
        let before = list(directory.path());
        assert_eq!(read(directory.path()).unwrap().blob(&blob).unwrap(), "blob");
        assert_eq!(list(directory.path()), before);
        let path = directory.path().join(name);
        match path.is_dir() {
            true => std::fs::remove_dir(path).unwrap(),
            false => std::fs::remove_file(path).unwrap(),
        }
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(read(empty.path()), Err(StoreError::NoStore)));
    assert_eq!(list(empty.path()), [""; 0]);
}

#[test]
fn bytes_as_they_lie_are_given_only_if_they_are_sound_and_stay_where_they_are() {
    let (directory, store) = store();
    let (blob, _) = store.put_blob(b"blob").unwrap();
    let path = ObjectId::Blob(blob).path().unwrap();
    assert_eq!(store.raw(&path).unwrap().unwrap(), "blob");
    std::fs::write(directory.path().join(&path), b"blot").unwrap();
    assert_eq!(store.raw(&path).unwrap(), None);
    assert!(directory.path().join(&path).exists());
    assert_eq!(store.raw("version").unwrap(), None);
    std::fs::remove_file(directory.path().join(&path)).unwrap();
    assert_eq!(store.raw(&path).unwrap(), None);
}
