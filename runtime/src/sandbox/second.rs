//! Units that run on a second engine as well, to show that what they do is not the first one's doing.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use super::outcome::{Done, Made, MadePartition};
use super::{Cancel, Data, Sandbox, StepError};
use crate::arrow::compare::first_row;
use crate::caps::Caps;
use crate::digest::ComponentDigest;
use crate::unit::{Limits, Unit};

/// How many of the units are run on both engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Share(u16);

impl Share {
    /// All of them.
    pub const ALL: Self = Self(10_000);

    /// So many of ten thousand, of at least one and at most all.
    pub fn of_ten_thousand(units: u16) -> Option<Self> {
        (1..=Self::ALL.0).contains(&units).then_some(Self(units))
    }

    /// Whether a unit is among them: that of the first partition always, of the others as many as there should
    /// be, told by their keys, so that the same ones are on every machine.
    fn takes(self, unit: &Unit, done: &Done) -> bool {
        let key = Unit::key(&unit.first_key(), &done.observations);
        let [first, second, ..] = *key.as_bytes();
        let number = u32::from(u16::from_le_bytes([first, second]));
        unit.position == Some(0) || number * u32::from(Self::ALL.0) < u32::from(self.0) << 16
    }
}

/// How many units were run on both engines.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossChecked {
    /// On both.
    pub units: u64,
    /// On the first.
    pub of: u64,
}

/// What two engines did not do alike.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Divergence {
    /// What: an output with its column and row, what was asked, what was used.
    pub what: String,
    /// By the engine that makes code for the processor.
    pub compiled: String,
    /// By the interpreter.
    pub interpreted: String,
}

impl std::error::Error for Divergence {}

impl fmt::Display for Divergence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "two engines do not do the same: {}\n  compiled    {}\n  interpreted {}",
            self.what, self.compiled, self.interpreted
        )
    }
}

/// The second engine.
pub(super) struct Second {
    sandbox: Box<Sandbox>,
    share: Share,
    units: AtomicU64,
    of: AtomicU64,
}

impl Second {
    pub(super) fn new(sandbox: Sandbox, share: Share) -> Self {
        Self {
            sandbox: Box::new(sandbox),
            share,
            units: AtomicU64::new(0),
            of: AtomicU64::new(0),
        }
    }

    pub(super) fn checked(&self) -> CrossChecked {
        CrossChecked {
            units: self.units.load(Ordering::Relaxed),
            of: self.of.load(Ordering::Relaxed),
        }
    }

    /// Compiles a component.
    pub(super) fn prepare(
        &self,
        digest: ComponentDigest,
        bytes: &dyn Fn() -> Result<Vec<u8>, StepError>,
    ) -> Result<(), StepError> {
        self.sandbox.program(digest, bytes).map(drop)
    }

    /// The same, where no guest may use more than `caps`.
    pub(super) fn within(self, caps: Caps) -> Self {
        Self {
            sandbox: Box::new(self.sandbox.within(caps)),
            ..self
        }
    }

    /// Runs a unit that is `done` once more, if it is among those to be checked.
    pub(super) fn check(
        &self,
        unit: &Arc<Unit>,
        done: &Done,
        data: Arc<dyn Data>,
        cancel: &'static dyn Cancel,
    ) -> Result<(), StepError> {
        self.of.fetch_add(1, Ordering::Relaxed);
        if !self.share.takes(unit, done) {
            return Ok(());
        }
        let program = self.sandbox.known(&unit.component).ok_or_else(|| {
            StepError::Host(format!(
                "component {} was not compiled for the second engine",
                unit.component
            ))
        })?;
        // How long it takes says nothing of the step: this engine is slow.
        let unit = Arc::new(Unit {
            limits: Limits {
                time_ms: u64::MAX,
                ..unit.limits
            },
            ..Unit::clone(unit)
        });
        let divergence = match self.sandbox.execute_once(&program, &unit, data, cancel) {
            Ok(again) => differs(&unit, done, &again),
            Err(error @ (StepError::Cancelled | StepError::Host(_) | StepError::Data(_))) => {
                return Err(error);
            }
            Err(error) => Some(Divergence {
                what: "how it ended".to_owned(),
                compiled: "well".to_owned(),
                interpreted: error.to_string(),
            }),
        };
        match divergence {
            Some(divergence) => Err(StepError::Diverged(Box::new(divergence))),
            None => {
                self.units.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
        }
    }
}

/// The first thing that was not done alike.
fn differs(unit: &Unit, one: &Done, other: &Done) -> Option<Divergence> {
    let divergence = |what: String, compiled: String, interpreted: String| Divergence {
        what,
        compiled,
        interpreted,
    };
    for ((shape, one), other) in unit.outputs.iter().zip(&one.outputs).zip(&other.outputs) {
        let port = &shape.port;
        match (one, other) {
            (Made::Blob(one), Made::Blob(other)) => {
                if one != other {
                    let shown = |bytes: &[u8]| format!("{}", crate::digest::Digest::of(bytes));
                    return Some(divergence(
                        format!("output `{port}`"),
                        shown(one),
                        shown(other),
                    ));
                }
            }
            (Made::Table(one), Made::Table(other)) => {
                if one.len() != other.len() {
                    return Some(divergence(
                        format!("partitions of output `{port}`"),
                        one.len().to_string(),
                        other.len().to_string(),
                    ));
                }
                let mut partitions = one.iter().zip(other);
                if let Some(found) = partitions.find_map(|(one, other)| partition(port, one, other))
                {
                    return Some(found);
                }
            }
            (Made::Table(_), Made::Blob(_)) | (Made::Blob(_), Made::Table(_)) => {
                return Some(divergence(
                    format!("output `{port}`"),
                    "one kind".to_owned(),
                    "another".to_owned(),
                ));
            }
        }
    }
    if one.returned != other.returned {
        return Some(divergence(
            "the state or partial that was returned".to_owned(),
            "some bytes".to_owned(),
            "other bytes".to_owned(),
        ));
    }
    let mut asked = one.observations.iter().zip(&other.observations);
    if let Some(number) = asked.position(|(one, other)| one != other) {
        return Some(divergence(
            format!("question {number} that was asked"),
            "one".to_owned(),
            "another".to_owned(),
        ));
    }
    let figures = |done: &Done| {
        [
            ("questions", done.observations.len() as u64),
            ("fuel", done.usage.fuel),
            ("bytes of memory", done.usage.memory_bytes),
            ("bytes of output", done.usage.output_bytes),
            ("bytes of scratch", done.usage.scratch_bytes),
            ("bytes of log", done.usage.log_bytes),
        ]
    };
    figures(one)
        .into_iter()
        .zip(figures(other))
        .find(|(one, other)| one != other)
        .map(|((what, one), (_, other))| {
            divergence(what.to_owned(), one.to_string(), other.to_string())
        })
}

fn partition(port: &str, one: &MadePartition, other: &MadePartition) -> Option<Divergence> {
    let divergence = |what: &str, compiled: String, interpreted: String| {
        Some(Divergence {
            what: format!("{what} of output `{port}`"),
            compiled,
            interpreted,
        })
    };
    if one.rows != other.rows {
        return divergence("rows", one.rows.to_string(), other.rows.to_string());
    }
    if one.expression != other.expression || one.inputs != other.inputs {
        return divergence(
            "rows and columns that were passed on",
            "some".to_owned(),
            "others".to_owned(),
        );
    }
    for (one, other) in one.made.iter().zip(&other.made) {
        let (Some((field, one)), Some((other_field, other))) = (one, other) else {
            if one.is_some() != other.is_some() {
                return divergence("columns", "some".to_owned(), "others".to_owned());
            }
            continue;
        };
        if field != other_field || one.len() != other.len() {
            return divergence("columns", format!("{field}"), format!("{other_field}"));
        }
        if let Some(found) = first_row(one, other) {
            return divergence(
                &format!("column `{}`, row {}", field.name(), found.row),
                found.expected,
                found.found,
            );
        }
    }
    None
}
