//! Tests of what is known of units.

use proptest::prelude::*;

use super::{files, open, store};
use crate::arrow::samples::Random;
use crate::digest::Digest;
use crate::record::samples::{blob, digest, expression, number, observation, option, some, usage};
use crate::table::Selection;
use crate::unit::{Blob, MadeChunk, Observation, OutputRecipe, PartitionRecipe, Question, Recipe};

pub(crate) fn selection(random: &mut Random) -> Selection {
    match random.below(3) {
        0 => Selection::All,
        1 => Selection::Range {
            start: number(random),
            len: number(random),
        },
        _ => Selection::Indices {
            file: digest(random),
            len: number(random),
        },
    }
}

fn partition(random: &mut Random) -> PartitionRecipe {
    let made = |random: &mut Random| {
        option(random, |random| MadeChunk {
            digest: digest(random),
            file: option(random, digest),
            column: 3,
        })
    };
    PartitionRecipe {
        rows: number(random),
        expression: option(random, |random| {
            expression([0, 3, 48][random.below(3)], random)
        }),
        selections: some(random, selection),
        made: some(random, made),
    }
}

pub(crate) fn recipe(random: &mut Random) -> Recipe {
    let output = |random: &mut Random| match random.coin() {
        true => OutputRecipe::Table(some(random, partition)),
        false => OutputRecipe::Blob(blob(random)),
    };
    Recipe {
        outputs: some(random, output),
        bytes: some(random, blob),
        observations: some(random, observation),
        usage: usage(random),
    }
}

fn asking(questions: &[Question]) -> Recipe {
    let observe = |question: &Question| Observation {
        question: question.clone(),
        answer: Digest::of(b""),
    };
    Recipe {
        outputs: Vec::new(),
        bytes: Vec::new(),
        observations: questions.iter().map(observe).collect(),
        usage: crate::unit::Usage::default(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]

    #[test]
    fn recipes_are_read_back(seed: u64) {
        let (directory, store) = store();
        let recipe = recipe(&mut Random(seed));
        let (first, key) = (Digest::of(b"first"), Digest::of(b"key"));
        store.put_recipe(&first, &key, &recipe).unwrap();
        let other = open(directory.path()).unwrap();
        prop_assert_eq!(other.recipe(&first, &key).unwrap(), Some(recipe.clone()));
        prop_assert_eq!(other.recipe(&key, &first).unwrap(), None);
        let questions: Vec<_> = recipe.observations.into_iter().map(|observation| observation.question).collect();
        prop_assert_eq!(other.questions(&first).unwrap(), vec![questions]);
        prop_assert!(other.check().unwrap().is_empty());
    }
}

#[test]
fn question_lists_come_once_and_newest_first() {
    let (directory, store) = store();
    let first = Digest::of(b"first");
    let column = |name: &str| Question::Column {
        port: "rows".to_owned(),
        name: name.to_owned(),
    };
    let lists = [
        vec![column("b")],
        vec![column("a")],
        vec![],
        vec![column("a"), column("b")],
    ];
    for (number, list) in lists.iter().chain(&lists).enumerate() {
        store
            .put_recipe(&first, &Digest::of(&[number as u8]), &asking(list))
            .unwrap();
    }
    let newest_first: Vec<_> = lists.iter().rev().cloned().collect();
    assert_eq!(store.questions(&first).unwrap(), newest_first);
    assert!(store.questions(&Digest::of(b"other")).unwrap().is_empty());
    let count = files(directory.path())
        .iter()
        .filter(|name| name.contains("/questions/"))
        .count();
    assert_eq!(count, 4);
    // The same again changes nothing.
    let before = files(directory.path());
    store
        .put_recipe(&first, &Digest::of(&[0]), &asking(&lists[0]))
        .unwrap();
    assert_eq!(files(directory.path()), before);
}

/// Two processes that give one number twice, and one list under two numbers.
#[test]
fn question_lists_of_one_number_are_ordered_by_digest() {
    let (directory, store) = store();
    let first = Digest::of(b"first");
    let list = |substream| vec![Question::Seed { substream }];
    for substream in 0..3 {
        store
            .put_recipe(&first, &Digest::of(b"key"), &asking(&list(substream)))
            .unwrap();
    }
    let names = files(directory.path());
    let of = |number: &str| {
        names
            .iter()
            .find(|name| name.contains(&format!("/questions/000000000{number}")))
            .unwrap()
    };
    let at = |name: &str| directory.path().join(name);
    std::fs::copy(
        at(of("0")),
        at(&of("0").replace("0000000000-", "0000000002-")),
    )
    .unwrap();
    let mut expected = [(of("0"), list(0)), (of("2"), list(2))];
    expected
        .sort_by_key(|(name, _)| std::cmp::Reverse(name.rsplit('-').next().unwrap().to_owned()));
    let [(_, newest), (_, next)] = expected;
    assert_eq!(store.questions(&first).unwrap(), [newest, next, list(1)]);
}

#[test]
fn recipes_whose_objects_are_gone_are_told() {
    let (directory, store) = store();
    let (field, column) = super::numbers();
    let stored = store.put_chunks(&[field], &[column]).unwrap();
    let rows = crate::arrow::rows::Rows::Indices(vec![4, 2].into());
    let selection = store.put_selection(&rows, 5).unwrap();
    let (digest, len) = store.put_blob(b"state").unwrap();
    let partition = PartitionRecipe {
        rows: 2,
        expression: None,
        selections: vec![Selection::All, selection],
        made: vec![
            None,
            Some(MadeChunk {
                digest: stored.chunks[0],
                file: Some(stored.file),
                column: 0,
            }),
        ],
    };
    let recipe = Recipe {
        outputs: vec![OutputRecipe::Table(vec![partition])],
        bytes: vec![Blob {
            digest,
            len,
            media_type: String::new(),
        }],
        ..asking(&[])
    };
    assert!(store.has_objects(&recipe));
    let objects: Vec<_> = files(directory.path())
        .into_iter()
        .filter(|name| name != "version")
        .collect();
    assert_eq!(objects.len(), 3);
    for name in objects {
        let path = directory.path().join(name);
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, b"").unwrap();
        assert!(!store.has_objects(&recipe));
        std::fs::remove_file(&path).unwrap();
        assert!(!store.has_objects(&recipe));
        std::fs::write(&path, bytes).unwrap();
    }
    assert!(store.has_objects(&recipe));
}
