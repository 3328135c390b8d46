//! Random records for tests.

use std::sync::Arc;

use super::*;
use crate::arrow::format::WireField;
use crate::arrow::samples::Random;
use crate::digest::ComponentDigest;
use crate::expression::{Expression, MAX_DEPTH};
use crate::promise::Promised;
use crate::unit::{Blob, Observation, Question, Usage};

/// Up to four of something.
pub(crate) fn some<T>(random: &mut Random, one: impl Fn(&mut Random) -> T) -> Vec<T> {
    (0..random.below(5)).map(|_| one(random)).collect()
}

pub(crate) fn option<T>(random: &mut Random, one: impl Fn(&mut Random) -> T) -> Option<T> {
    random.coin().then(|| one(random))
}

pub(crate) fn text(random: &mut Random) -> String {
    let texts = [
        "",
        "a",
        "price",
        "\",\"check\":\"",
        "two\nlines\r\n",
        "\u{0}\u{7f}",
        "größe",
        "\\\"}",
        "日本",
    ];
    texts[random.below(texts.len())].to_owned()
}

pub(crate) fn number(random: &mut Random) -> u64 {
    [0, 1, 16_384, 1 << 53, (1 << 53) + 1, u64::MAX][random.below(6)]
}

pub(crate) fn digest(random: &mut Random) -> Digest {
    Digest::of(&random.below(1000).to_le_bytes())
}

pub(crate) fn blob(random: &mut Random) -> Blob {
    Blob {
        digest: digest(random),
        len: number(random),
        media_type: text(random),
    }
}

pub(crate) fn usage(random: &mut Random) -> Usage {
    Usage {
        fuel: number(random),
        peak_fuel: number(random),
        memory_bytes: number(random),
        output_bytes: number(random),
        scratch_bytes: number(random),
        log_bytes: number(random),
    }
}

fn wire_field(random: &mut Random) -> WireField {
    let metadata = some(random, |random| (text(random), text(random)));
    WireField {
        name: text(random),
        format: "l".to_owned(),
        nullable: random.coin(),
        children: 0,
        metadata,
    }
}

pub(crate) fn expression(depth: usize, random: &mut Random) -> Expression {
    if depth == 0 {
        return match random.coin() {
            true => Expression::Input(text(random)),
            false => Expression::Made(some(random, wire_field)),
        };
    }
    let of = Arc::new(expression(depth - 1, random));
    match random.below(4) {
        0 => Expression::Select(of, some(random, text)),
        1 => Expression::With(of, some(random, wire_field)),
        2 => Expression::Rename(of, text(random), text(random)),
        _ => Expression::Zip(of, Arc::new(expression(0, random))),
    }
}

pub(crate) fn observation(random: &mut Random) -> Observation {
    let (port, name) = (text(random), text(random));
    let question = match random.below(9) {
        0 => Question::Rows { port },
        1 => Question::Layout { port },
        2 => Question::Field { port, name },
        3 => Question::Schema { port },
        4 => Question::Column { port, name },
        5 => {
            // The deepest one must be read back too, wherever it is nested.
            let depth = [0, 1, 2, MAX_DEPTH][random.below(4)];
            Question::Valid {
                expression: expression(depth, random),
            }
        }
        6 => Question::Blob { port },
        7 => Question::Seed {
            substream: number(random),
        },
        _ => Question::BatchRows,
    };
    Observation {
        question,
        answer: digest(random),
    }
}

fn value(random: &mut Random) -> Value {
    match random.below(7) {
        0 => Value::Null,
        1 => random.coin().into(),
        2 => number(random).into(),
        3 => i64::MIN.into(),
        4 => [0.1, -0.0, 1e300, 5e-324, 15.0][random.below(5)].into(),
        5 => some(random, value).into(),
        _ => text(random).into(),
    }
}

pub(crate) fn run_start(steps: &[&str], random: &mut Random) -> RunStart {
    let file = |random: &mut Random| SourceFile {
        path: text(random),
        digest: digest(random),
        size_bytes: number(random),
    };
    RunStart {
        format: RECORD_VERSION,
        id: "20261123-061530-4f2a".parse().unwrap(),
        pipeline: text(random),
        semantics: text(random),
        seed: number(random),
        layout: Layout::default(),
        pipeline_text: digest(random),
        lock_text: digest(random),
        params: some(random, |random| (text(random), value(random)))
            .into_iter()
            .collect(),
        sources: [("flights".parse().unwrap(), some(random, file))].into(),
        steps: steps.iter().map(|step| step.parse().unwrap()).collect(),
        started: "2026-11-23T06:15:30Z".to_owned(),
    }
}

fn unit(random: &mut Random) -> UnitRecord {
    let made = |random: &mut Random| (text(random), some(random, text));
    UnitRecord {
        call: text(random),
        position: option(random, number),
        outcome: [UnitOutcome::Run, UnitOutcome::Cached][random.below(2)],
        observations: some(random, observation),
        made: some(random, made).into_iter().collect(),
        recipe: option(random, |random| RecipeKey {
            first: digest(random),
            key: digest(random),
        }),
        adopted: None,
        usage: usage(random),
        duration_ms: number(random),
        bytes: BytesMoved {
            read: number(random),
            copied: 1,
            hashed: 2,
            stored: number(random),
        },
    }
}

pub(crate) fn step(name: &str, random: &mut Random) -> StepRecord {
    let input = |random: &mut Random| {
        let size = [Size::Rows(number(random)), Size::Bytes(number(random))][random.below(2)];
        InputRecord {
            port: text(random),
            main: random.coin(),
            from: text(random),
            digest: digest(random),
            withheld: some(random, text),
            size,
        }
    };
    let output = |random: &mut Random| {
        let table = TableSummary {
            digest: digest(random),
            rows: number(random),
            partitions: number(random),
            fields: some(random, text),
        };
        let artifact = match random.coin() {
            true => Artifact::Table(table),
            false => Artifact::Blob(blob(random)),
        };
        let promised = match (random.coin(), random.coin()) {
            (true, _) => None,
            (false, true) => Some(Promised::Columns),
            (false, false) => Some(Promised::Rows(text(random).into())),
        };
        OutputRecord {
            port: text(random),
            artifact,
            promised,
            looked_up: some(random, text),
        }
    };
    let outcomes = [
        StepOutcome::Succeeded,
        StepOutcome::Cached,
        StepOutcome::Failed,
        StepOutcome::Skipped,
        StepOutcome::Cancelled,
    ];
    let units = some(random, unit);
    StepRecord {
        name: name.parse().unwrap(),
        component: text(random),
        digest: ComponentDigest::of(b""),
        kind: text(random),
        params: text(random),
        outcome: outcomes[random.below(outcomes.len())],
        inputs: some(random, input),
        outputs: some(random, output),
        totals: Totals::of(&units),
        units,
        duration_ms: number(random),
        log: some(random, |random| LogLine {
            level: text(random),
            message: text(random),
        }),
        limits: option(random, |_| crate::unit::Limits::default()),
        error: option(random, |random| StepFailure {
            code: text(random),
            message: text(random),
            details: some(random, |random| (text(random), text(random))),
        }),
    }
}

pub(crate) fn run_end(random: &mut Random) -> RunEnd {
    let outcomes = [
        RunOutcome::Succeeded,
        RunOutcome::Failed,
        RunOutcome::Cancelled,
    ];
    RunEnd {
        outcome: outcomes[random.below(3)],
        run_digest: option(random, digest),
        duration_ms: number(random),
        finished: text(random),
    }
}

/// The lines of a whole record of three steps, which end in another order than the pipeline's.
pub(crate) fn lines(random: &mut Random) -> Vec<Line> {
    let mut lines = vec![Line::Run(Box::new(run_start(
        &["read", "fit", "apply"],
        random,
    )))];
    lines.extend(["apply", "read", "fit"].map(|name| Line::Step(Box::new(step(name, random)))));
    lines.push(Line::Outcome(run_end(random)));
    lines
}
