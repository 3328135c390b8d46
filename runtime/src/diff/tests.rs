//! Comparisons of records that were made up.

use std::collections::{BTreeMap, BTreeSet};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::arrow::samples::Random;
use crate::record::samples::{run_end, run_start, step};
use crate::record::{
    BytesMoved, OutputRecord, Size, SourceFile, TableSummary, Totals, UnitOutcome, UnitRecord,
};
use crate::store::Key;
use crate::unit::{Observation, Question, Usage};

fn store() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
    let store = Store::open(dir, Key::of_nobody()).unwrap();
    (directory, store)
}

fn random_run(random: &mut Random) -> RunRecord {
    let names = ["read", "fit", "apply"];
    let ended = random.below(names.len() + 1);
    let with_ports = |name: &&str| {
        let mut step = step(name, random);
        // No step has two ports of one name, or two units of one place.
        let mut places = BTreeSet::new();
        let mut is_new = |unit: &UnitRecord| places.insert((unit.call.clone(), unit.position));
        step.units.retain(|unit| is_new(unit));
        let mut ports = BTreeSet::new();
        step.inputs.retain(|input| ports.insert(input.port.clone()));
        ports.clear();
        step.outputs
            .retain(|output| ports.insert(output.port.clone()));
        step
    };
    let steps = names[..ended].iter().map(with_ports).collect();
    RunRecord {
        start: run_start(&names, random),
        steps,
        end: random.coin().then(|| run_end(random)),
    }
}

#[test]
fn whatever_a_record_says_it_is_compared_and_equals_itself() {
    let (_directory, store) = store();
    let mut random = Random(7);
    for _ in 0..200 {
        let (old, new) = (random_run(&mut random), random_run(&mut random));
        compare(&old, &new, &store).unwrap();
        let same = compare(&new, &new, &store).unwrap();
        assert!(same.is_equal(), "{same:#?}");
    }
}

/// What a step of a made-up run made and saw.
struct Sample {
    name: &'static str,
    from: Vec<&'static str>,
    /// The columns that it made, and what it was told of each that it read.
    made: Vec<&'static str>,
    read: Vec<(&'static str, u64)>,
    params: &'static str,
    /// Which columns come out, with what they are.
    out: u64,
}

/// Three steps: `read` reads a source; `twice` makes `b` of `a`; `keep` looks at `c`, and passes on the rest.
fn samples(params: &'static str, a: u64, b: u64, c: u64) -> Vec<Sample> {
    let all = a + 10 * b + 100 * c;
    vec![
        Sample {
            name: "read",
            from: vec!["sources.days"],
            made: vec!["a", "c"],
            read: vec![("", a + 100 * c)],
            params: "{}",
            out: a + 100 * c,
        },
        Sample {
            name: "twice",
            from: vec!["read.rows"],
            made: vec!["b"],
            read: vec![("a", a)],
            params,
            out: all,
        },
        Sample {
            name: "keep",
            from: vec!["twice.rows"],
            made: vec![],
            read: vec![("c", c)],
            params: "{}",
            out: all,
        },
        Sample {
            name: "fit",
            from: vec!["keep.rows"],
            made: vec!["mean"],
            read: vec![("b", b)],
            params: "{}",
            out: b,
        },
    ]
}

fn number(number: u64) -> Digest {
    Digest::of(&number.to_le_bytes())
}

fn run(id: &str, samples: &[Sample]) -> RunRecord {
    let mut random = Random(1);
    let names: Vec<&str> = samples.iter().map(|sample| sample.name).collect();
    let mut start = run_start(&names, &mut random);
    start.id = id.parse().unwrap();
    start.params = BTreeMap::new();
    start.sources = [(
        "days".parse().unwrap(),
        vec![SourceFile {
            path: "days/1.csv".to_owned(),
            digest: number(samples[0].out),
            size_bytes: 7,
        }],
    )]
    .into();
    let mut outputs: BTreeMap<String, Digest> = BTreeMap::new();
    let mut steps = Vec::new();
    for sample in samples {
        let inputs: Vec<InputRecord> = sample
            .from
            .iter()
            .map(|from| InputRecord {
                port: "rows".to_owned(),
                main: true,
                withheld: Vec::new(),
                from: (*from).to_owned(),
                digest: outputs
                    .get(*from)
                    .copied()
                    .unwrap_or(number(samples[0].out)),
                size: Size::Rows(5),
            })
            .collect();
        let observations = sample.read.iter().map(|(column, value)| Observation {
            question: match column.is_empty() {
                true => Question::Blob {
                    port: "rows".to_owned(),
                },
                false => Question::Column {
                    port: "rows".to_owned(),
                    name: (*column).to_owned(),
                },
            },
            answer: number(*value),
        });
        let made = sample.made.iter().map(|name| (*name).to_owned()).collect();
        let units = vec![UnitRecord {
            call: "run".to_owned(),
            position: None,
            outcome: UnitOutcome::Run,
            observations: observations.collect(),
            made: [("rows".to_owned(), made)].into(),
            recipe: None,
            adopted: None,
            usage: Usage::default(),
            duration_ms: 0,
            bytes: BytesMoved::default(),
        }];
        outputs.insert(format!("{}.rows", sample.name), number(sample.out));
        steps.push(StepRecord {
            kind: "whole-table".to_owned(),
            params: sample.params.to_owned(),
            outcome: StepOutcome::Succeeded,
            inputs,
            outputs: vec![OutputRecord {
                port: "rows".to_owned(),
                artifact: Artifact::Table(TableSummary {
                    digest: number(sample.out),
                    rows: 5,
                    partitions: 1,
                    fields: sample.made.iter().map(|name| (*name).to_owned()).collect(),
                }),
                promised: None,
                looked_up: Vec::new(),
            }],
            totals: Totals::of(&units),
            units,
            limits: None,
            error: None,
            digest: ComponentDigest::of(b"component"),
            component: "std:some".to_owned(),
            ..step(sample.name, &mut random)
        });
    }
    RunRecord {
        start,
        steps,
        end: None,
    }
}

/// The steps that differ, with why.
fn reasons(old: &[Sample], new: &[Sample]) -> Vec<String> {
    let (_directory, store) = store();
    let (old, new) = (
        run("20261123-061530-0001", old),
        run("20261123-061530-0002", new),
    );
    let diff = compare(&old, &new, &store).unwrap();
    let told = diff.steps.iter().map(|step| {
        let reason = step.reason.as_ref();
        let part = reason.and_then(|reason| reason.key.as_ref());
        let mut words = vec![format!("{} {:?}:", step.name, step.effect)];
        words.extend(part.map(part_words));
        words.extend(
            reason
                .map(|reason| also(reason.more))
                .filter(|more| !more.is_empty()),
        );
        words.extend(
            reason
                .iter()
                .flat_map(|reason| &reason.because)
                .map(|link| match link {
                    Link::Rewired { step, port, .. } => format!("< {step} rewired at {port}"),
                    Link::PassedOn { step, column, .. } => {
                        format!("< {step} passes {}", column.as_deref().unwrap_or("on"))
                    }
                    Link::OtherKey { step, key, more } => {
                        format!("< {step} {}{}", part_words(key), also(*more))
                    }
                    Link::NotRun { before, failed } => {
                        format!("< not run {before} {failed:?}")
                    }
                    Link::Source { source, file, .. } => {
                        let file = file.as_ref().map_or("", |file| file.path.as_str());
                        format!("< {source} {file}")
                    }
                }),
        );
        words.join(" ")
    });
    told.collect()
}

/// How many more parts of a key differ, if any does.
fn also(more: usize) -> String {
    match more {
        0 => String::new(),
        more => format!(" and {more}"),
    }
}

fn part_words(part: &KeyPart) -> String {
    match part {
        KeyPart::Param { param } => format!("param {}", param.path),
        KeyPart::Input { told, .. } => match told {
            Told::Column { column, .. } => format!("column {column}"),
            other => format!("{other:?}").to_lowercase(),
        },
        other => format!("{other:?}"),
    }
}

#[test]
fn nothing_differs_where_nothing_does() {
    let same = || samples("{}", 1, 2, 3);
    assert_eq!(reasons(&same(), &same()), [""; 0]);
}

#[test]
fn a_param_is_the_cause_of_what_is_made_with_it() {
    let old = samples(r#"{"factor":2}"#, 1, 2, 3);
    let new = samples(r#"{"factor":3}"#, 1, 3, 3);
    assert_eq!(
        reasons(&old, &new),
        [
            "twice OtherKey: param factor",
            // `c` is as it was, so `keep` only has other rows to pass on.
            "keep PassedOn: < keep passes on < twice param factor",
            "fit OtherKey: column b < keep passes b < twice param factor",
        ]
    );
}

#[test]
fn what_is_not_the_only_cause_is_not_told_as_if_it_were() {
    let old = samples(r#"{"factor":2}"#, 1, 2, 3);
    let new = samples(r#"{"factor":3}"#, 2, 3, 3);
    assert_eq!(
        reasons(&old, &new),
        [
            "read OtherKey: contents < days days/1.csv",
            "twice OtherKey: param factor  and 1",
            "keep PassedOn: < keep passes on < twice param factor and 1",
            "fit OtherKey: column b < keep passes b < twice param factor and 1",
        ]
    );
}

/// A step that did not come to run has no key and reads nothing yet; that is no change of the pipeline.
#[test]
fn a_step_that_did_not_run_is_told_by_why_it_did_not() {
    let (_directory, store) = store();
    let old = run("20261123-061530-0001", &samples("{}", 1, 2, 3));
    let mut new = run("20261123-061530-0002", &samples("{}", 1, 2, 3));
    let ended = |run: &mut RunRecord, at: usize, outcome| {
        let step = run.steps.get_mut(at).unwrap();
        step.outcome = outcome;
        step.outputs.clear();
        step.units.clear();
        if outcome != StepOutcome::Failed {
            step.inputs.clear();
        }
    };
    ended(&mut new, 1, StepOutcome::Failed);
    ended(&mut new, 2, StepOutcome::Skipped);
    ended(&mut new, 3, StepOutcome::Skipped);
    let told = |old: &RunRecord, new: &RunRecord| -> Vec<String> {
        let diff = compare(old, new, &store).unwrap();
        let steps = diff.steps.iter();
        let why = steps.filter_map(|step| {
            assert_eq!(step.inputs, []);
            let reason = step.reason.as_ref()?;
            assert!(reason.key.is_none(), "{reason:?}");
            let [Link::NotRun { before, failed }] = reason.because.as_slice() else {
                panic!("{reason:?}");
            };
            let failed = failed.as_ref().map_or("none", |failed| failed.as_str());
            Some(format!("{} {before} {failed}", step.name))
        });
        why.collect()
    };
    assert_eq!(told(&old, &new), ["keep false twice", "fit false twice"]);
    assert_eq!(told(&new, &old), ["keep true twice", "fit true twice"]);
    assert_eq!(told(&new, &new), [""; 0]);
    ended(&mut new, 1, StepOutcome::Cancelled);
    ended(&mut new, 2, StepOutcome::Cancelled);
    ended(&mut new, 3, StepOutcome::Cancelled);
    assert_eq!(
        told(&old, &new),
        ["twice false none", "keep false none", "fit false none"]
    );
}

#[test]
fn a_column_is_followed_through_those_who_pass_it_on() {
    let (old, new) = (samples("{}", 1, 2, 3), samples("{}", 1, 2, 4));
    assert_eq!(
        reasons(&old, &new),
        [
            "read OtherKey: contents < days days/1.csv",
            "twice PassedOn: < twice passes on < read contents < days days/1.csv",
            "keep OtherKey: column c < twice passes c < read contents < days days/1.csv",
        ]
    );
}

#[test]
fn a_step_that_reads_something_else_is_rewired() {
    let old = samples("{}", 1, 2, 3);
    let mut new = samples("{}", 1, 2, 3);
    new[3].from = vec!["twice.rows"];
    new[3].read = vec![("b", 5)];
    assert_eq!(
        reasons(&old, &new),
        ["fit OtherKey: column b < fit rewired at rows"]
    );
}

#[test]
fn what_has_no_reason_is_said_to_have_none() {
    let old = samples("{}", 1, 2, 3);
    let mut new = samples("{}", 1, 2, 3);
    new[3].out = 99;
    assert_eq!(reasons(&old, &new), ["fit Unexplained:"]);
}

#[test]
fn a_run_that_did_not_end_is_compared_as_far_as_it_went() {
    let (_directory, store) = store();
    let old = run("20261123-061530-0001", &samples("{}", 1, 2, 3));
    let mut new = run("20261123-061530-0002", &samples("{}", 1, 2, 3));
    new.steps.truncate(2);
    let diff = compare(&old, &new, &store).unwrap();
    let names: Vec<&str> = diff.steps.iter().map(|step| step.name.as_str()).collect();
    assert_eq!(names, ["keep", "fit"]);
    assert!(diff.steps.iter().all(|step| step.outcome.new.is_none()));
    assert!(!diff.is_equal());
}

#[test]
fn runs_that_have_nothing_in_common_are_not_compared() {
    let (_directory, store) = store();
    let mut old = run("20261123-061530-0001", &samples("{}", 1, 2, 3));
    let new = run("20261123-061530-0002", &samples("{}", 1, 2, 3));
    old.start.pipeline = "other".to_owned();
    // With steps in common they may be two names of one pipeline.
    assert!(!compare(&old, &new, &store).unwrap().is_equal());
    old.start.steps = vec!["else".parse().unwrap()];
    old.steps.clear();
    assert!(matches!(
        compare(&old, &new, &store),
        Err(DiffError::Unrelated { .. })
    ));
}

#[test]
fn params_of_the_pipeline_are_compared_by_value() {
    let (_directory, store) = store();
    let mut old = run("20261123-061530-0001", &samples("{}", 1, 2, 3));
    let mut new = old.clone();
    old.start.params = [("c".to_owned(), json!(1.0)), ("gone".to_owned(), json!([]))].into();
    new.start.params = [("c".to_owned(), json!(0.1)), ("same".to_owned(), json!(0))].into();
    let diff = compare(&old, &new, &store).unwrap();
    let told: Vec<_> = diff
        .params
        .iter()
        .map(|param| (param.path.as_str(), param.old.clone(), param.new.clone()))
        .collect();
    assert_eq!(
        told,
        [
            ("c", Some(json!(1.0)), Some(json!(0.1))),
            ("gone", Some(json!([])), None),
            ("same", None, Some(json!(0))),
        ]
    );
}
