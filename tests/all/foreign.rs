//! Stores, packs and locks that somebody else wrote: shown as his word, and never built on.

mod keys;
mod released;
mod verbs;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::digest::{Digest, StructuredHasher};
use pinion_runtime::store::{Key, Kind, Listed, ObjectId, Standing, Store};
use pinion_tests::whole::{Readable, Whole, key};

const PIPELINE: &str = r#"
[pipeline]
name = "foreign"
batch_rows = 4
partition_batches = 2

[sources.rows]
path = "rows.csv"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.rows"

[steps.keep]
use = "std:filter-rows@0.1"
input = "read"
params = { where = "a % 3 <> 0" }

[steps.sort]
use = "std:sort-rows@0.1"
input = "keep"
params = { by = [{ column = "a", descending = true }] }

[steps.fit]
use = "std:fit-scaler@0.1"
input = "keep"
params = { columns = ["a"] }
"#;

fn rows() -> String {
    let rows = (0..40).map(|a| format!("{a},{}\n", (a * 7) % 40));
    format!("a,b\n{}", rows.collect::<String>())
}

fn open(directory: &Path, key: Key) -> Arc<Store> {
    let dir = Dir::open_ambient_dir(directory, ambient_authority()).unwrap();
    Arc::new(Store::open(dir, key).unwrap())
}

/// What somebody who wants to be believed does not have.
fn other_key() -> Key {
    Key::new(&[8; 32], &[7; 32])
}

/// A body as anybody can seal it: with the digest of what it is, where it lies and what it says.
fn plainly_sealed(id: &ObjectId, body: &[u8]) -> Vec<u8> {
    let (what, keys) = match id {
        ObjectId::Memo { name, key } => (format!("memo {name}"), vec![*key]),
        ObjectId::Recipe { first, key } => ("recipe".to_owned(), vec![*first, *key]),
        ObjectId::Questions { first, list } => ("questions".to_owned(), vec![*first, *list]),
        ObjectId::Table(digest) => ("table".to_owned(), vec![*digest]),
        _ => unreachable!(),
    };
    let mut hasher = StructuredHasher::new("pinion seal v1");
    hasher.text(&what).list(keys.len());
    for key in &keys {
        hasher.digest(key);
    }
    let digest = hasher.bytes(body).finish();
    [format!("\"{digest}\"\n").as_bytes(), body].concat()
}

/// The same with a code of somebody: a code that was stolen elsewhere, or is no one's.
fn sealed_with_code(id: &ObjectId, body: &[u8], mac: &str, words: &str) -> Vec<u8> {
    let plain = plainly_sealed(id, body);
    let line = plain.split(|byte| *byte == b'\n').next().unwrap();
    let digest: Digest = serde_json::from_slice(line).unwrap();
    let mut whole = StructuredHasher::new("pinion seal v2");
    whole.digest(&digest).text(mac).text(words);
    let line = serde_json::to_string(&(whole.finish(), mac, words)).unwrap();
    [line.as_bytes(), b"\n", body].concat()
}

fn body(sealed: &[u8]) -> &[u8] {
    let newline = sealed.iter().position(|byte| *byte == b'\n').unwrap();
    &sealed[newline + 1..]
}

fn code(sealed: &[u8]) -> (Digest, String, String) {
    let line = sealed.split(|byte| *byte == b'\n').next().unwrap();
    serde_json::from_slice(line).unwrap()
}

fn is_sealed(object: &Listed) -> bool {
    matches!(
        object.id.kind(),
        Kind::Memo | Kind::Recipe | Kind::Questions | Kind::Table
    )
}

/// What another object of the same kind and the same facts says.
fn neighbours(objects: &[Listed]) -> BTreeMap<String, Vec<&Listed>> {
    let mut by_kind: BTreeMap<String, Vec<&Listed>> = BTreeMap::new();
    for object in objects.iter().filter(|object| is_sealed(object)) {
        let kind = match &object.id {
            ObjectId::Memo { name, .. } => format!("memo {name}"),
            id => id.kind().to_string(),
        };
        by_kind.entry(kind).or_default().push(object);
    }
    by_kind
}

/// In the place of every sealed object comes, one after the other, what each of its kind says, sealed in every way
/// that one can seal without the key. No run gives other results, and nothing reads a wrong value.
#[test]
fn nothing_that_is_forged_is_believed() {
    let whole = Whole::new(PIPELINE, &[("rows.csv", &rows())]);
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), key());
    let run = |store: &Arc<Store>, number: usize| {
        let id = format!("20261123-061530-{number:04x}").parse().unwrap();
        whole.run(store, &id, 1)
    };
    let expected = run(&store, 1).unwrap();
    // Of another day: what a forger would like to be believed.
    let other_rows = rows().replace("1,", "2,");
    let other = Whole::new(PIPELINE, &[("rows.csv", &other_rows)]);
    let id = "20261123-061530-0002".parse().unwrap();
    let wrong = other.run(&store, &id, 1).unwrap();
    assert_ne!(wrong.run, expected.run);
    let objects = store.list().unwrap();
    let read = |object: &Listed| fs::read(directory.path().join(&object.path)).unwrap();
    let (mut forged, mut number) = (0, 2);
    for (kind, all) in neighbours(&objects) {
        let bodies: Vec<Vec<u8>> = all.iter().map(|object| read(object)).collect();
        for (at, object) in all.iter().enumerate() {
            let path = directory.path().join(&object.path);
            let sound = read(object);
            // Only that of a neighbour, or there would be too many.
            let another = &bodies[(at + 1) % bodies.len()];
            let (_, mac, words) = code(&sound);
            let (_, stolen, _) = code(another);
            let body = body(another);
            let ways = [
                plainly_sealed(&object.id, body),
                sealed_with_code(&object.id, body, &mac, &words),
                sealed_with_code(&object.id, body, &stolen, &words),
                sealed_with_code(&object.id, body, &mac, "verified"),
                sealed_with_code(&object.id, body, &mac, "adopted by the owner"),
                sealed_with_code(&object.id, body, "", ""),
                another.clone(),
            ];
            for (way, bytes) in ways.into_iter().enumerate() {
                if bytes == sound {
                    continue;
                }
                fs::write(&path, &bytes).unwrap();
                let store = open(directory.path(), key());
                let standing = store.standing(object).unwrap();
                assert!(
                    !standing.is_some_and(|standing| standing.is_own()),
                    "{kind} in way {way} is taken for our own"
                );
                number += 1;
                let found = run(&store, number);
                assert_eq!(found.as_ref(), Ok(&expected), "{kind} in way {way}");
                // A manifest that lies is found out, and made again by the next run.
                let values = expected.read(&store);
                if !values.values().all(|value| *value == Readable::Right) {
                    number += 1;
                    assert_eq!(run(&store, number).as_ref(), Ok(&expected));
                }
                forged += 1;
                fs::write(&path, &sound).unwrap();
            }
        }
    }
    assert!(forged > 200, "only {forged}");
}

/// A manifest whose table is honest and whose places are not: the rows of another file, or in another order.
#[test]
fn a_manifest_of_somebody_else_shows_no_value_that_its_table_does_not_have() {
    let whole = Whole::new(PIPELINE, &[("rows.csv", &rows())]);
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), key());
    let id = "20261123-061530-0001".parse().unwrap();
    let expected = whole.run(&store, &id, 1).unwrap();
    let mut forged = 0;
    for object in store.list().unwrap() {
        let ObjectId::Table(digest) = &object.id else {
            continue;
        };
        let path = directory.path().join(&object.path);
        let sound = fs::read(&path).unwrap();
        let text = String::from_utf8(body(&sound).to_vec()).unwrap();
        // The rows before those that are meant.
        for (from, to) in [
            ("\"start\":1", "\"start\":0"),
            ("\"column\":0", "\"column\":1"),
        ] {
            let lie = text.replace(from, to);
            if lie == text {
                continue;
            }
            forged += 1;
            fs::write(&path, plainly_sealed(&object.id, lie.as_bytes())).unwrap();
            let store = open(directory.path(), key());
            // Panics at a wrong value.
            expected.read(&store);
            assert!(
                store
                    .table(digest)
                    .map_or(true, |table| table.is_none_or(|table| {
                        table.partitions.iter().any(|partition| {
                            let mut columns = table.fields.iter().zip(&partition.columns);
                            columns.any(|(field, chunk)| store.load(field, chunk).is_err())
                        })
                    }))
            );
            fs::write(&path, &sound).unwrap();
        }
        // Honest, and of nobody: every value is there.
        fs::write(&path, plainly_sealed(&object.id, text.as_bytes())).unwrap();
        let store = open(directory.path(), key());
        assert_eq!(store.standing(&object).unwrap(), Some(Standing::Foreign));
        let read = expected.read(&store);
        assert!(read.values().all(|value| *value == Readable::Right));
        assert!(store.check().unwrap().is_empty());
        fs::write(&path, &sound).unwrap();
    }
    assert!(forged > 0);
}

/// What a run reads of earlier steps comes through their manifests. Those that lie, or lead nowhere, cost it time.
#[test]
fn a_run_that_builds_on_forged_manifests_ends_in_the_right_digests() {
    let files = rows();
    let whole = Whole::new(PIPELINE, &[("rows.csv", &files)]);
    // The step that reads what was known has not run yet.
    let text = PIPELINE.replace("descending = true", "descending = false");
    let other = Whole::new(&text, &[("rows.csv", &files)]);
    let id = |number: usize| format!("20261123-061530-{number:04x}").parse().unwrap();
    let fresh = tempfile::tempdir().unwrap();
    let expected = other.run(&open(fresh.path(), key()), &id(1), 1).unwrap();
    for (from, to) in [
        ("\"file\":\"blake3:", "\"file\":\"blake3:0"),
        ("\"column\":0", "\"column\":1"),
        ("\"start\":1", "\"start\":0"),
        ("\"selected\":", "\"selected\" :"),
    ] {
        let directory = tempfile::tempdir().unwrap();
        whole
            .run(&open(directory.path(), key()), &id(1), 1)
            .unwrap();
        for object in open(directory.path(), key()).list().unwrap() {
            if let ObjectId::Table(_) = &object.id {
                let path = directory.path().join(&object.path);
                let text = String::from_utf8(body(&fs::read(&path).unwrap()).to_vec()).unwrap();
                // A digest keeps its length.
                let mut lie = text.replace(from, to);
                if to.ends_with(":0") {
                    lie = cut_digests(&lie, to);
                }
                fs::write(&path, plainly_sealed(&object.id, lie.as_bytes())).unwrap();
            }
        }
        let store = open(directory.path(), key());
        assert_eq!(
            other.run(&store, &id(2), 1).as_ref(),
            Ok(&expected),
            "{from}"
        );
        let read = expected.read(&store);
        assert!(
            read.values().all(|value| *value == Readable::Right),
            "{from}: {read:?}"
        );
    }
}

/// The text, where each digest that begins with `start` has lost its last digit, and so its old length again.
fn cut_digests(text: &str, start: &str) -> String {
    let pieces = text.split(start).enumerate();
    let cut = pieces.map(|(at, piece)| match at {
        0 => piece.to_owned(),
        _ => format!("{start}{}{}", &piece[..63], &piece[64..]),
    });
    cut.collect()
}

/// With another key, the same store knows nothing, and with the right one it still knows all.
#[test]
fn another_key_knows_nothing() {
    let whole = Whole::new(PIPELINE, &[("rows.csv", &rows())]);
    let directory = tempfile::tempdir().unwrap();
    let store = open(directory.path(), key());
    let id = |number: usize| format!("20261123-061530-{number:04x}").parse().unwrap();
    let expected = whole.run(&store, &id(1), 1).unwrap();
    let sealed = store.list().unwrap();
    let other = open(directory.path(), other_key());
    for object in sealed.iter().filter(|object| is_sealed(object)) {
        assert_eq!(store.standing(object).unwrap(), Some(Standing::Made));
        assert_eq!(other.standing(object).unwrap(), Some(Standing::Foreign));
        match &object.id {
            ObjectId::Memo { name, key } => {
                assert!(store.memo(name, key).unwrap().is_some());
                assert_eq!(other.memo(name, key).unwrap(), None);
            }
            ObjectId::Recipe { first, key } => {
                assert!(store.recipe(first, key).unwrap().is_some());
                assert_eq!(other.recipe(first, key).unwrap(), None);
                assert_eq!(other.questions(first).unwrap(), [[]; 0]);
            }
            _ => {}
        }
    }
    let (_, standing) = store.told_run(&id(1)).unwrap();
    assert_eq!(standing, Standing::Made);
    let (record, standing) = other.told_run(&id(1)).unwrap();
    assert_eq!(standing, Standing::Foreign);
    let units = |record: &pinion_runtime::record::RunRecord| {
        let totals = record.steps.iter().map(|step| step.totals);
        totals.fold((0, 0), |(units, cached), totals| {
            (units + totals.units, cached + totals.cached)
        })
    };
    assert_eq!(units(&record).1, 0);
    assert_eq!(whole.run(&other, &id(2), 1).as_ref(), Ok(&expected));
    assert_eq!(
        units(&other.run(&id(2)).unwrap()).1,
        0,
        "a hit on what another key sealed"
    );
    // What is made again is as good as new, and is known from then on.
    assert_eq!(whole.run(&other, &id(3), 1).as_ref(), Ok(&expected));
    let (all, cached) = units(&other.run(&id(3)).unwrap());
    assert_eq!(all, cached);
}
