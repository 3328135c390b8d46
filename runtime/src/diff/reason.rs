//! Why a step did not do what it did before: the first part of its key that differs, and where that is from.
//!
//! Where several parts differ, the first is told and the others are counted: which of them led to what is not
//! known. A step that did not run has no key, and what is told is why it did not.
//!
//! A unit's key is its first key (engine, component, params) and then what it was told, in the order it
//! asked. A step is as its first unit that differs. What it was told of an input is followed upstream: to
//! the step that made it, if that has another key itself, or through steps that only passed it on.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Effect, FileDiff, Sides, SourceDiff, Stored, ValueDiff, param_differences};
use crate::digest::ComponentDigest;
use crate::expression::Expression;
use crate::pipeline::{From, Pipeline, SourceName, StepName};
use crate::record::{Artifact, InputRecord, RunRecord, Size, StepOutcome, StepRecord, UnitRecord};
use crate::unit::{Observation, Question};

/// Why a step differs.
#[derive(Clone, Debug, Serialize)]
pub struct Reason {
    /// The first part of its key that differs; none if it only passes on what does, or did not run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<KeyPart>,
    /// How many more parts of its key differ.
    pub more: usize,
    /// What that comes from, from the step upstream.
    pub because: Vec<Link>,
}

/// A part of a step's key.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "part", rename_all = "kebab-case")]
pub enum KeyPart {
    /// The version of the engine's semantics.
    Semantics {
        /// Before.
        old: String,
        /// Now.
        new: String,
    },
    /// The bytes of the component.
    Component {
        /// Before.
        old: ComponentDigest,
        /// Now.
        new: ComponentDigest,
    },
    /// A param.
    Param {
        /// The first one that differs.
        param: ValueDiff,
    },
    /// The pseudo-random numbers that it asked for.
    Seed {
        /// The pipeline's seed before.
        old: u64,
        /// The pipeline's seed now.
        new: u64,
    },
    /// The number of rows of a full batch.
    BatchRows {
        /// Before.
        old: u32,
        /// Now.
        new: u32,
    },
    /// What it was told of an input.
    Input {
        /// The port.
        port: String,
        /// What the port reads now: `split.after`, `sources.flights`.
        from: String,
        /// What differs of it.
        told: Told,
    },
}

/// What a step was told of an input.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Told {
    /// The number of rows, or how they are cut into partitions.
    Rows {
        /// Rows before.
        old: u64,
        /// Rows now.
        new: u64,
    },
    /// The values of a column, or its field.
    Column {
        /// The column.
        column: String,
        /// Its types, if they differ; none where there is no such column.
        #[serde(skip_serializing_if = "Option::is_none")]
        types: Option<Sides<String>>,
    },
    /// Which columns there are, and of which types.
    Schema,
    /// All of it: a blob, a file, or a table of which it is not known what was asked.
    Contents,
}

/// Where something comes from.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Link {
    /// The step reads something else.
    Rewired {
        /// The step.
        step: StepName,
        /// Its port.
        port: String,
        /// What it read; none if there was no such port.
        #[serde(skip_serializing_if = "Option::is_none")]
        old: Option<String>,
        /// What it reads; none if there is no such port.
        #[serde(skip_serializing_if = "Option::is_none")]
        new: Option<String>,
    },
    /// The step passes it on, and what it passes on differs.
    PassedOn {
        /// The step.
        step: StepName,
        /// What it passes on: `keep.rows`.
        from: String,
        /// The column, if it is one.
        #[serde(skip_serializing_if = "Option::is_none")]
        column: Option<String>,
    },
    /// The step has another key.
    OtherKey {
        /// The step.
        step: StepName,
        /// The first part of its key that differs.
        key: KeyPart,
        /// How many more parts of its key differ, so that the first is not all that led to this.
        more: usize,
    },
    /// In one of the runs, the step did not run.
    NotRun {
        /// Whether that was the old run.
        before: bool,
        /// The step that failed there, if one did: one that it needs, or else the first; none if the run was
        /// stopped.
        #[serde(skip_serializing_if = "Option::is_none")]
        failed: Option<StepName>,
    },
    /// It is read from a source.
    Source {
        /// The source.
        source: SourceName,
        /// The first file that differs.
        #[serde(skip_serializing_if = "Option::is_none")]
        file: Option<FileDiff>,
        /// How many more do.
        more: usize,
    },
}

/// Finds the reasons of steps. Each is asked for once those upstream of it can be.
pub(super) struct Reasons<'a, 's> {
    old: &'a RunRecord,
    new: &'a RunRecord,
    texts: &'a Sides<Pipeline>,
    sources: &'a [SourceDiff],
    stored: &'a mut Stored<'s>,
    /// The first part of the key that differs and how many more do, of all steps that are in both runs.
    parts: BTreeMap<&'a str, Option<(KeyPart, usize)>>,
}

impl<'a, 's> Reasons<'a, 's> {
    pub(super) fn new(
        old: &'a RunRecord,
        new: &'a RunRecord,
        texts: &'a Sides<Pipeline>,
        sources: &'a [SourceDiff],
        stored: &'a mut Stored<'s>,
    ) -> Self {
        let mut reasons = Self {
            old,
            new,
            texts,
            sources,
            stored,
            parts: BTreeMap::new(),
        };
        for after in &new.steps {
            if let Some(before) = old.step(after.name.as_str()) {
                let part = match did_run(before) && did_run(after) {
                    true => reasons.first_part(before, after),
                    false => None,
                };
                let more = |part| {
                    let more = reasons.differences(before, after).saturating_sub(1);
                    (part, more)
                };
                let part = part.map(more);
                reasons.parts.insert(after.name.as_str(), part);
            }
        }
        reasons
    }

    /// What became of a step that is in both runs, and why.
    pub(super) fn of(
        &mut self,
        before: &StepRecord,
        after: &StepRecord,
    ) -> (Effect, Option<Reason>) {
        if did_run(before) != did_run(after) {
            let reason = Reason {
                key: None,
                more: 0,
                because: vec![self.not_run(after.name.as_str(), !did_run(before))],
            };
            return (Effect::Unknown, Some(reason));
        }
        let part = self.parts.get(after.name.as_str()).cloned().flatten();
        if let Some((part, more)) = part {
            let because = self.because(after, &part);
            let reason = Reason {
                key: Some(part),
                more,
                because,
            };
            return (Effect::OtherKey, Some(reason));
        }
        if !ended_well(before) || !ended_well(after) {
            return (Effect::Unknown, None);
        }
        let Some(column) = self.first_output(before, after) else {
            return (Effect::Same, None);
        };
        let because = self.passed(after, column.as_deref());
        if because.is_empty() {
            return (Effect::Unexplained, None);
        }
        let reason = Reason {
            key: None,
            more: 0,
            because,
        };
        (Effect::PassedOn, Some(reason))
    }

    /// Why a step did not run in the old run, or in the new one.
    fn not_run(&self, name: &str, before: bool) -> Link {
        let (run, text) = match before {
            true => (self.old, &self.texts.old),
            false => (self.new, &self.texts.new),
        };
        let failed = |name: &str| {
            let step = run.step(name)?;
            (step.outcome == StepOutcome::Failed).then(|| step.name.clone())
        };
        // Those that it needs, nearest first.
        let mut needed = vec![name.to_owned()];
        let mut at = 0;
        while let (Some(next), Some(text)) = (needed.get(at), text) {
            let inputs = text.step(next).map(|step| step.inputs.as_slice());
            let from = inputs.unwrap_or_default().iter();
            let from = from.filter_map(|input| match &input.from {
                From::Step { name, .. } => Some(name.to_string()),
                From::Source(_) => None,
            });
            for step in from {
                if !needed.contains(&step) {
                    needed.push(step);
                }
            }
            at += 1;
        }
        let needed = needed.iter().find_map(|name| failed(name));
        let first = || run.steps.iter().find_map(|step| failed(step.name.as_str()));
        Link::NotRun {
            before,
            failed: needed.or_else(first),
        }
    }

    /// How many parts of a step's key differ: each param is one, and each input that it was told something else
    /// of.
    fn differences(&self, before: &StepRecord, after: &StepRecord) -> usize {
        let engine = usize::from(self.old.start.semantics != self.new.start.semantics);
        let component = usize::from(before.digest != after.digest);
        let params = match before.params == after.params {
            true => 0,
            false => param_differences(&before.params, &after.params)
                .len()
                .max(1),
        };
        let inputs = after.inputs.iter().filter(|new| {
            let old = input(before, &new.port).map(|old| old.digest);
            old != Some(new.digest) && told_otherwise(before, after, &new.port)
        });
        engine + component + params + inputs.count()
    }

    fn first_part(&mut self, before: &StepRecord, after: &StepRecord) -> Option<KeyPart> {
        let (old, new) = (&self.old.start, &self.new.start);
        if old.semantics != new.semantics {
            return Some(KeyPart::Semantics {
                old: old.semantics.clone(),
                new: new.semantics.clone(),
            });
        }
        if before.digest != after.digest {
            return Some(KeyPart::Component {
                old: before.digest,
                new: after.digest,
            });
        }
        if before.params != after.params {
            let differences = param_differences(&before.params, &after.params);
            let whole = || ValueDiff {
                path: String::new(),
                old: Some(before.params.clone().into()),
                new: Some(after.params.clone().into()),
            };
            return Some(KeyPart::Param {
                param: differences.into_iter().next().unwrap_or_else(whole),
            });
        }
        // A step that did not come to its end says nothing of what it was told.
        match ended_well(before) && ended_well(after) {
            true => self.first_observation(before, after),
            false => other_input(before, after).map(|input| whole(input, before)),
        }
    }

    /// The first thing that the first unit that differs was told otherwise.
    fn first_observation(&mut self, before: &StepRecord, after: &StepRecord) -> Option<KeyPart> {
        for unit in &after.units {
            let Some(old) = same_unit(before, unit) else {
                return Some(self.other_units(before, after));
            };
            let told = old.observations.iter().zip(&unit.observations);
            let mut told = told.filter(|(old, new)| old != new);
            // The questions of all units of a reduce step are one list, so one may go on where another ends.
            let (fewer, more) = (old.observations.len(), unit.observations.len());
            let asked_on = unit.observations.get(fewer).or(old.observations.get(more));
            if let Some(new) = told.next().map(|(_, new)| new).or(asked_on) {
                return self.part(before, after, new);
            }
        }
        match before
            .units
            .iter()
            .any(|unit| same_unit(after, unit).is_none())
        {
            true => Some(self.other_units(before, after)),
            false => None,
        }
    }

    /// There are more units, or fewer: of the main table, or of a source.
    fn other_units(&self, before: &StepRecord, after: &StepRecord) -> KeyPart {
        let rows = |step: &StepRecord, port: &str| match input(step, port)?.size {
            Size::Rows(rows) => Some(rows),
            Size::Bytes(_) => None,
        };
        let other_rows = after.inputs.iter().find_map(|input| {
            let (old, new) = (rows(before, &input.port)?, rows(after, &input.port)?);
            (old != new).then_some((input, Told::Rows { old, new }))
        });
        let (input, told) =
            match other_rows.or_else(|| Some((other_input(before, after)?, Told::Contents))) {
                Some(found) => found,
                // Nothing that it reads differs, so the partitions are cut otherwise.
                None => {
                    return KeyPart::BatchRows {
                        old: self.old.start.layout.batch_rows,
                        new: self.new.start.layout.batch_rows,
                    };
                }
            };
        KeyPart::Input {
            port: input.port.clone(),
            from: input.from.clone(),
            told,
        }
    }

    /// What was asked, as a part of the key.
    fn part(
        &mut self,
        before: &StepRecord,
        after: &StepRecord,
        observation: &Observation,
    ) -> Option<KeyPart> {
        let (port, told) = match &observation.question {
            Question::Seed { .. } => {
                return Some(KeyPart::Seed {
                    old: self.old.start.seed,
                    new: self.new.start.seed,
                });
            }
            Question::BatchRows => {
                return Some(KeyPart::BatchRows {
                    old: self.old.start.layout.batch_rows,
                    new: self.new.start.layout.batch_rows,
                });
            }
            Question::Rows { port } | Question::Layout { port } => {
                let rows = |step: &StepRecord| match input(step, port).map(|input| input.size) {
                    Some(Size::Rows(rows)) => rows,
                    _ => 0,
                };
                let (old, new) = (rows(before), rows(after));
                (port.as_str(), Told::Rows { old, new })
            }
            Question::Field { port, name } | Question::Column { port, name } => {
                let types = match (input(before, port), input(after, port)) {
                    (Some(old), Some(new)) => self.stored.types(&old.digest, &new.digest, name),
                    _ => None,
                };
                let column = name.clone();
                (port.as_str(), Told::Column { column, types })
            }
            Question::Schema { port } => (port.as_str(), Told::Schema),
            Question::Valid { expression } => (first_port(expression)?, Told::Schema),
            Question::Blob { port } => (port.as_str(), Told::Contents),
        };
        Some(KeyPart::Input {
            port: port.to_owned(),
            from: input(after, port)?.from.clone(),
            told,
        })
    }

    /// What a part of a step's key comes from.
    fn because(&mut self, step: &StepRecord, part: &KeyPart) -> Vec<Link> {
        let KeyPart::Input { port, from, told } = part else {
            return Vec::new();
        };
        if let Some(rewired) = self.rewired(step, port) {
            return vec![rewired];
        }
        match told {
            Told::Column { column, .. } => self.origin(from, Some(column)),
            Told::Rows { .. } | Told::Schema | Told::Contents => self.origin(from, None),
        }
    }

    fn rewired(&self, step: &StepRecord, port: &str) -> Option<Link> {
        let reads = |run: &RunRecord| {
            let step = run.step(step.name.as_str())?;
            Some(super::reads(input(step, port)?))
        };
        let (old, new) = (reads(self.old), reads(self.new));
        (old != new).then(|| Link::Rewired {
            step: step.name.clone(),
            port: port.to_owned(),
            old,
            new,
        })
    }

    /// Where what both runs read from `from` comes from: one column, or all of it.
    fn origin(&mut self, from: &str, column: Option<&str>) -> Vec<Link> {
        if let Some(name) = from.strip_prefix("sources.") {
            return self.source(name).into_iter().collect();
        }
        let Some((step, port)) = from.split_once('.') else {
            return Vec::new();
        };
        let (old, new) = (self.old, self.new);
        let (Some(before), Some(after)) = (old.step(step), new.step(step)) else {
            return Vec::new();
        };
        let made = |step: &StepRecord| {
            column.is_some_and(|column| {
                let mut made = step.units.iter().filter_map(|unit| unit.made.get(port));
                made.any(|made| made.iter().any(|name| name == column))
            })
        };
        // A column that it passes on and that differs before it already comes from there.
        if column.is_some() && !made(before) && !made(after) {
            let passed = self.passed(after, column);
            if !passed.is_empty() {
                return passed;
            }
        }
        match self.parts.get(step).cloned().flatten() {
            Some((key, more)) => {
                let because = self.because(after, &key);
                let step = after.name.clone();
                [Link::OtherKey { step, key, more }]
                    .into_iter()
                    .chain(because)
                    .collect()
            }
            None => self.passed(after, None),
        }
    }

    /// What a step passes on: a column, or whatever it is that differs. Nothing if it is not
    /// found in what the step reads.
    fn passed(&mut self, after: &StepRecord, column: Option<&str>) -> Vec<Link> {
        let Some(before) = self.old.step(after.name.as_str()) else {
            return Vec::new();
        };
        let found = after.inputs.iter().find_map(|new| {
            let old = input(before, &new.port)?;
            let differs = match column {
                _ if old.digest == new.digest => false,
                // A column may have another name in the input, or its table may be gone.
                Some(column) => self
                    .stored
                    .column_differs(&old.digest, &new.digest, column)
                    .unwrap_or(true),
                None => true,
            };
            differs.then(|| new.clone())
        });
        let Some(input) = found else {
            return match column {
                // Under another name, say.
                Some(_) => self.passed(after, None),
                None => Vec::new(),
            };
        };
        let link = Link::PassedOn {
            step: after.name.clone(),
            from: input.from.clone(),
            column: column.map(str::to_owned),
        };
        let because = match self.rewired(after, &input.port) {
            Some(rewired) => vec![rewired],
            None => self.origin(&input.from, column),
        };
        [link].into_iter().chain(because).collect()
    }

    fn source(&self, name: &str) -> Option<Link> {
        let source = self
            .sources
            .iter()
            .find(|source| source.name.as_str() == name)?;
        Some(Link::Source {
            source: source.name.clone(),
            file: source.files.first().cloned(),
            more: source.files.len().saturating_sub(1),
        })
    }

    /// The first output that differs, with its first column that does.
    fn first_output(&mut self, before: &StepRecord, after: &StepRecord) -> Option<Option<String>> {
        for output in &after.outputs {
            let old = before.outputs.iter().find(|old| old.port == output.port);
            match (old.map(|old| &old.artifact), &output.artifact) {
                (Some(Artifact::Table(old)), Artifact::Table(new)) if old.digest != new.digest => {
                    let columns = self.stored.columns(&old.digest, &new.digest);
                    let first = columns.and_then(|columns| {
                        let all = columns.changed.into_iter().chain(columns.added);
                        all.chain(columns.removed).next()
                    });
                    return Some(first);
                }
                (Some(old), new) if old == new => {}
                _ => return Some(None),
            }
        }
        None
    }
}

/// Whether a step came to run, and so had all its inputs.
pub(super) fn did_run(step: &StepRecord) -> bool {
    !matches!(step.outcome, StepOutcome::Skipped | StepOutcome::Cancelled)
}

/// Whether any unit was told something else of an input, as far as that is known.
fn told_otherwise(before: &StepRecord, after: &StepRecord, port: &str) -> bool {
    if !ended_well(before) || !ended_well(after) {
        return true;
    }
    let told = |unit: &UnitRecord| -> Vec<Observation> {
        let told = unit.observations.iter();
        let of = told.filter(|told| port_of(&told.question) == Some(port));
        of.cloned().collect()
    };
    let mut units = after.units.iter();
    before.units.len() != after.units.len()
        || units.any(|unit| same_unit(before, unit).is_none_or(|old| told(old) != told(unit)))
}

/// The input that a question is about, if it is about one.
fn port_of(question: &Question) -> Option<&str> {
    match question {
        Question::Rows { port }
        | Question::Layout { port }
        | Question::Field { port, .. }
        | Question::Schema { port }
        | Question::Column { port, .. }
        | Question::Blob { port } => Some(port),
        Question::Valid { expression } => first_port(expression),
        Question::Seed { .. } | Question::BatchRows => None,
    }
}

/// Whether a step did all it had to.
fn ended_well(step: &StepRecord) -> bool {
    matches!(step.outcome, StepOutcome::Succeeded | StepOutcome::Cached)
}

fn input<'a>(step: &'a StepRecord, port: &str) -> Option<&'a InputRecord> {
    step.inputs.iter().find(|input| input.port == port)
}

/// The unit of a step that has the call and the position of `unit`.
fn same_unit<'a>(step: &'a StepRecord, unit: &UnitRecord) -> Option<&'a UnitRecord> {
    let same = |other: &&UnitRecord| (&other.call, other.position) == (&unit.call, unit.position);
    step.units.iter().find(same)
}

/// The first input that is not what it was.
fn other_input<'a>(before: &StepRecord, after: &'a StepRecord) -> Option<&'a InputRecord> {
    after.inputs.iter().find(|new| {
        let old = input(before, &new.port);
        old.map(|old| old.digest) != Some(new.digest)
    })
}

/// An input of which it is not known what was asked.
fn whole(new: &InputRecord, before: &StepRecord) -> KeyPart {
    let told = match (input(before, &new.port).map(|old| old.size), new.size) {
        (Some(Size::Rows(old)), Size::Rows(new)) if old != new => Told::Rows { old, new },
        _ => Told::Contents,
    };
    KeyPart::Input {
        port: new.port.clone(),
        from: new.from.clone(),
        told,
    }
}

/// The first port of an expression.
fn first_port(expression: &Expression) -> Option<&str> {
    match expression {
        Expression::Input(port) => Some(port),
        Expression::Made(_) => None,
        Expression::Select(of, _) | Expression::With(of, _) | Expression::Rename(of, ..) => {
            first_port(of)
        }
        Expression::Zip(left, right) => first_port(left).or_else(|| first_port(right)),
    }
}
