//! Tests of records as wholes.

use proptest::prelude::*;

use super::samples::{lines, run_start, step};
use super::*;
use crate::arrow::samples::Random;
use crate::unit::{Limits, Observation, Question};

fn written(lines: &[Line]) -> String {
    let mut chain = Chain::default();
    lines.iter().map(|line| chain.seal(line).unwrap()).collect()
}

fn parse(text: &str) -> Result<RunRecord, RecordError> {
    RunRecord::parse(text.as_bytes(), "runs/x.jsonl")
}

fn problem(lines: &[Line]) -> String {
    match parse(&written(lines)) {
        Err(RecordError::Line { line, problem, .. }) => format!("{line}: {problem}"),
        other => format!("{other:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_read(seed: u64) {
        let lines = lines(&mut Random(seed));
        let record = parse(&written(&lines)).unwrap();
        let [Line::Run(start), Line::Step(apply), Line::Step(read), Line::Step(fit), Line::Outcome(end)] = lines.as_slice()
        else { unreachable!() };
        prop_assert_eq!(&record.start, &**start);
        prop_assert_eq!(&record.steps, &[read, fit, apply].map(|step| (**step).clone()));
        prop_assert_eq!(record.end.as_ref(), Some(end));
        prop_assert_eq!(record.outcome(), end.outcome);
    }

    /// Whatever is cut off: what is left is a beginning of the record, and never anything else.
    #[test]
    fn torn_records_lose_their_end_only(seed: u64, at: prop::sample::Index) {
        let lines = lines(&mut Random(seed));
        let text = written(&lines);
        let torn = &text.as_bytes()[..at.index(text.len())];
        let whole = torn.iter().filter(|byte| **byte == b'\n').count();
        match RunRecord::parse(torn, "") {
            Err(RecordError::Empty { .. }) => prop_assert_eq!(whole, 0),
            Err(error) => prop_assert!(false, "{error}"),
            Ok(record) => {
                prop_assert_eq!(record.steps.len(), whole - 1);
                prop_assert_eq!(record.outcome(), RunOutcome::Interrupted);
            }
        }
    }

    /// A changed bit is found, unless it is in a newline or after the last: then lines are missing.
    #[test]
    fn changed_bits_are_found(seed: u64, at: prop::sample::Index, bit in 0..8_u32) {
        let text = written(&lines(&mut Random(seed)));
        let whole = parse(&text).unwrap();
        let mut bytes = text.into_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1_u8 << bit;
        match RunRecord::parse(&bytes, "") {
            Err(_) => {}
            Ok(record) => {
                prop_assert_eq!(&record.start, &whole.start);
                prop_assert_eq!(&record.steps, &whole.steps);
                prop_assert_eq!(record.end, None);
                prop_assert_eq!(at, bytes.len() - 1);
            }
        }
    }
}

#[test]
fn lines_are_found_out_of_place() {
    let [run, apply, read, fit, outcome] = lines(&mut Random(1)).try_into().unwrap();
    let all = [&run, &apply, &read, &fit, &outcome].map(Line::clone);
    assert_eq!(
        problem(&all[1..]),
        "1: the line does not belong where it is, because it is the first, but no `run` line"
    );
    let again = |line: &Line| problem(&[run.clone(), apply.clone(), line.clone()]);
    assert_eq!(
        again(&run),
        "3: the line does not belong where it is, because it is a second `run` line"
    );
    let other = Line::Step(Box::new(step("other", &mut Random(1))));
    assert_eq!(
        again(&other),
        "3: the line does not belong where it is, because its step is not in the `run` line"
    );
    let late = problem(&[run.clone(), outcome.clone(), read.clone()]);
    assert_eq!(
        late,
        "3: the line does not belong where it is, because it follows the `outcome` line"
    );

    // Removed and exchanged lines.
    let text = written(&all);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    for chosen in [[0, 2, 3, 4].as_slice(), &[0, 2, 1, 3, 4], &[0, 4]] {
        let text: String = chosen.iter().map(|at| lines[*at]).collect();
        let error = parse(&text).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the run record is damaged\n  in runs/x.jsonl, line 2"
        );
        assert!(matches!(
            error,
            RecordError::Line {
                problem: LineProblem::Check,
                ..
            }
        ));
    }
}

#[test]
fn of_a_step_that_is_written_again_the_last_line_counts() {
    let [run, apply, read, fit, outcome] = lines(&mut Random(1)).try_into().unwrap();
    let again = step("apply", &mut Random(2));
    let Line::Step(earlier) = &apply else {
        unreachable!()
    };
    assert_ne!(again, **earlier);
    let last = Line::Step(Box::new(again.clone()));
    let record = parse(&written(&[run, apply, read, last, fit, outcome])).unwrap();
    assert_eq!(record.steps.len(), 3);
    assert_eq!(record.step("apply"), Some(&again));
}

#[test]
fn a_unit_ran_if_it_ran_either_time() {
    let mut random = Random(3);
    let mut unit = |outcome| UnitRecord {
        outcome,
        ..std::iter::repeat_with(|| step("unit", &mut random).units)
            .find_map(|mut units| units.pop())
            .unwrap()
    };
    let units = [UnitOutcome::Run, UnitOutcome::Cached, UnitOutcome::Cached].map(&mut unit);
    let mut earlier = step("fit", &mut Random(4));
    earlier.totals = Totals::of(&units);
    earlier.units = units.to_vec();
    let mut later = earlier.clone();
    later.units[0].outcome = UnitOutcome::Cached;
    later.units[1].outcome = UnitOutcome::Run;
    later.totals = Totals::of(&later.units);
    let both = later.after(&earlier);
    assert_eq!(
        both.units
            .iter()
            .map(|unit| unit.outcome)
            .collect::<Vec<_>>(),
        [UnitOutcome::Run, UnitOutcome::Run, UnitOutcome::Cached]
    );
    assert_eq!((both.totals.units, both.totals.cached), (3, 1));
    assert_eq!(both.log.len(), 2 * earlier.log.len());
}

/// What version 1 wrote has no limits and says less of what was used; what version 2 wrote has no scratch.
#[test]
fn records_of_older_versions_are_read() {
    let mut lines = lines(&mut Random(6));
    for line in &mut lines {
        if let Line::Step(step) = line {
            step.limits = Some(Limits::default());
        }
    }
    let newer = parse(&written(&lines)).unwrap();
    let version_2 = ["recipe", "scratch_bytes"].as_slice();
    let version_1 = &[
        "limits",
        "recipe",
        "peak_fuel",
        "output_bytes",
        "scratch_bytes",
        "log_bytes",
        "longest_ms",
    ];
    for (absent, limits) in [
        (version_1.as_slice(), None),
        (
            version_2,
            Some(Limits {
                scratch_bytes: 0,
                ..Limits::default()
            }),
        ),
    ] {
        let mut chain = Chain::default();
        let mut text = String::new();
        for line in &lines {
            let mut value = serde_json::to_value(line).unwrap();
            strip(&mut value, absent);
            // The chain is over text, whatever its keys: this is how an older line comes out.
            text.push_str(&chain.seal(&serde_json::from_value(value).unwrap()).unwrap());
        }
        let older = parse(&text).unwrap();
        assert_eq!(older.steps.len(), newer.steps.len());
        assert!(older.steps.iter().all(|step| step.limits == limits));
        assert_eq!(
            run_digest(&older.start, &older.steps),
            run_digest(&newer.start, &newer.steps)
        );
    }
}

fn strip(value: &mut Value, absent: &[&str]) {
    match value {
        Value::Object(members) => {
            members.retain(|name, _| !absent.contains(&name.as_str()));
            members.values_mut().for_each(|value| strip(value, absent));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| strip(item, absent)),
        _ => {}
    }
}

#[test]
fn newer_records_are_refused_as_such() {
    let error = parse("{\"line\":\"run\",\"format\":7,\"of the future\":true}\n").unwrap_err();
    assert_eq!(
        error.to_string(),
        "the run record has an unsupported version\n  expected at most version 4\n  found    version 7\n  in       runs/x.jsonl"
    );
}

#[test]
fn records_are_looked_up_by_name() {
    let record = parse(&written(&lines(&mut Random(5)))).unwrap();
    let fit = record.step("fit").unwrap();
    assert_eq!(record.step("unfit"), None);
    for output in &fit.outputs {
        assert!(record.output("fit", &output.port).is_some());
    }
    assert_eq!(record.output("fit", "no such port"), None);
}

/// Everything that may differ between two runs of the same, and nothing else, is left out.
#[test]
fn run_digests_cover_what_must_be_equal() {
    let mut random = Random(11);
    let start = run_start(&["read", "fit"], &mut random);
    let mut steps = vec![step("fit", &mut random), step("read", &mut random)];
    while steps[0].outputs.is_empty() {
        steps[0] = step("fit", &mut random);
    }
    let mut unit = super::samples::step("unit", &mut Random(3)).units.remove(0);
    unit.observations = vec![Observation {
        question: Question::BatchRows,
        answer: Digest::of(b""),
    }];
    steps[0].units = vec![unit];
    let digest = run_digest(&start, &steps);

    let mut same = steps.clone();
    same.reverse();
    for step in &mut same {
        step.outcome = StepOutcome::Cached;
        step.duration_ms ^= 1;
        step.log.clear();
        for unit in &mut step.units {
            unit.outcome = UnitOutcome::Cached;
            unit.duration_ms = 0;
            unit.bytes = BytesMoved::default();
        }
    }
    let mut later = start.clone();
    later.id = "20271123-061530-4f2a".parse().unwrap();
    later.started.clear();
    assert_eq!(run_digest(&later, &same), digest);

    let other = |change: &dyn Fn(&mut StepRecord)| {
        let mut steps = steps.clone();
        change(&mut steps[0]);
        run_digest(&start, &steps) != digest
    };
    assert!(other(&|step| step.params.push(' ')));
    assert!(other(&|step| step.outputs.clear()));
    assert!(other(&|step| step.inputs.push(InputRecord {
        port: "rows".to_owned(),
        main: true,
        from: "read.rows".to_owned(),
        digest: Digest::of(b""),
        withheld: Vec::new(),
        size: Size::Rows(1),
    })));
    assert!(other(&|step| step.units[0].usage.fuel ^= 1));
    assert!(other(&|step| step.units[0].usage.memory_bytes ^= 1));
    assert!(other(
        &|step| step.units[0].observations[0].answer = Digest::of(b"x")
    ));
    assert!(other(
        &|step| step.units[0].observations[0].question = Question::Seed { substream: 0 }
    ));
    assert!(other(&|step| step.units.clear()));
    let mut newer = start.clone();
    newer.semantics.push('2');
    assert_ne!(run_digest(&newer, &steps), digest);
    assert_ne!(run_digest(&start, &steps[..1]), digest);
}

#[test]
fn columns_read_are_those_whose_values_were_given() {
    let mut step = step("fit", &mut Random(2));
    step.units.truncate(0);
    assert!(columns_read(&step).is_empty());
    let mut unit = super::samples::step("unit", &mut Random(3)).units.remove(0);
    let observe = |question| Observation {
        question,
        answer: Digest::of(b""),
    };
    let (port, name) = ("records".to_owned(), "age".to_owned());
    unit.observations = vec![
        observe(Question::Field {
            port: port.clone(),
            name: "gender".to_owned(),
        }),
        observe(Question::Column {
            port: port.clone(),
            name: name.clone(),
        }),
        observe(Question::Rows {
            port: "targets".to_owned(),
        }),
    ];
    step.units = vec![unit.clone(), unit];
    assert_eq!(columns_read(&step), [(port, [name].into())].into());
}
