//! What one step did.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::digest::{ComponentDigest, Digest};
use crate::pipeline::StepName;
use crate::promise::Promised;
use crate::unit::{Blob, Limits, Observation, Question, Usage};

/// What one step did: the line that is written when it ends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepRecord {
    /// The step.
    pub name: StepName,
    /// The component, as the pipeline has it.
    pub component: String,
    /// The component's bytes.
    pub digest: ComponentDigest,
    /// The component's kind: `source`, `row-map`, `reduce`, `whole-table`.
    pub kind: String,
    /// What the component was given as params, canonical JSON.
    pub params: String,
    /// How the step ended.
    pub outcome: StepOutcome,
    /// What it read, in port order. Empty if it did not come to that.
    pub inputs: Vec<InputRecord>,
    /// What it put out, in port order. Empty unless it succeeded.
    pub outputs: Vec<OutputRecord>,
    /// Its units, in an order that the plan and the data decide.
    pub units: Vec<UnitRecord>,
    /// The sum of its units; see [`Totals::of`].
    pub totals: Totals,
    /// From its first unit to its last, in milliseconds.
    pub duration_ms: u64,
    /// What each of its units was allowed. None in records of version 1.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// What it logged.
    pub log: Vec<LogLine>,
    /// Why it failed, if it did.
    pub error: Option<StepFailure>,
}

/// How a step ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It ran, or part of it did.
    Succeeded,
    /// Every unit was known.
    Cached,
    /// It failed.
    Failed,
    /// What it reads was not made.
    Skipped,
    /// The run was asked to stop.
    Cancelled,
}

/// What was bound to an input port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputRecord {
    /// The port.
    pub port: String,
    /// Whether it is the main table, of which a unit of a row-map sees one partition.
    #[serde(default)]
    pub main: bool,
    /// What it reads: `<step>.<port>` or `sources.<name>`.
    pub from: String,
    /// Of the table or the blob, withheld columns included; of a source, see
    /// [`source_digest`](super::source_digest).
    pub digest: Digest,
    /// Columns of the table that the step was not handed, as the pipeline has it, in their order.
    #[serde(default)]
    pub withheld: Vec<String>,
    /// How much it is.
    pub size: Size,
}

/// How much an input is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Size {
    /// Rows of a table.
    Rows(u64),
    /// Bytes of a blob or of a source's files together.
    Bytes(u64),
}

/// What came out of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputRecord {
    /// The port.
    pub port: String,
    /// What came out.
    pub artifact: Artifact,
    /// What the port promised of it, which every unit was held to. None in records before version 4.
    #[serde(default)]
    pub promised: Option<Promised>,
    /// Columns that were passed on, and may have the values of other rows than those that are promised.
    #[serde(default)]
    pub looked_up: Vec<String>,
}

/// A stored table or blob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Artifact {
    /// A table.
    Table(TableSummary),
    /// A blob.
    Blob(Blob),
}

/// What a record says of a table; the rest is in its manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableSummary {
    /// See [`Table::digest`](crate::table::Table::digest).
    pub digest: Digest,
    /// Number of rows.
    pub rows: u64,
    /// Number of partitions.
    pub partitions: u64,
    /// Names of the columns, in order.
    pub fields: Vec<String>,
}

/// What one unit did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitRecord {
    /// What was called: `read`, `row-map`, `run`; or `reduce`, which stands for all calls of a reduce step.
    pub call: String,
    /// Position of its partition; of a source's unit, that of its file and its range there.
    pub position: Option<u64>,
    /// Whether it ran.
    pub outcome: UnitOutcome,
    /// What it asked, with the answers, in the order asked. Stored with the unit.
    pub observations: Vec<Observation>,
    /// Names of the columns that it made, by output port.
    pub made: BTreeMap<String, Vec<String>>,
    /// Where the store has what it left behind, from which its lineage follows. None in records of versions 1
    /// and 2.
    #[serde(default)]
    pub recipe: Option<RecipeKey>,
    /// Who took what it left behind over unseen, if it was known because of that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted: Option<String>,
    /// What it used when it ran. Stored with the unit.
    pub usage: Usage,
    /// What it took this time, in milliseconds.
    pub duration_ms: u64,
    /// What was moved this time.
    pub bytes: BytesMoved,
}

/// Under what a store keeps a [`Recipe`](crate::unit::Recipe).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RecipeKey {
    /// What was known of the unit before it ran; see [`Unit::first_key`](crate::unit::Unit::first_key).
    pub first: Digest,
    /// That and what it observed; see [`Unit::key`](crate::unit::Unit::key).
    pub key: Digest,
}

/// Whether a unit ran.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UnitOutcome {
    /// It ran.
    Run,
    /// It was known.
    Cached,
}

/// Bytes that the host moved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BytesMoved {
    /// Columns and blobs handed to the guest.
    pub read: u64,
    /// Copied between host and guest, or on the host.
    pub copied: u64,
    /// Hashed.
    pub hashed: u64,
    /// Written to the store.
    pub stored: u64,
}

/// The sum of a step's units.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Totals {
    /// Number of units.
    pub units: u64,
    /// How many of them were known.
    pub cached: u64,
    /// What they used, one after the other.
    pub usage: Usage,
    /// What the longest of them took this time, in milliseconds.
    #[serde(default)]
    pub longest_ms: u64,
    /// Bytes of all units together.
    pub bytes: BytesMoved,
}

/// What a step logged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// How important it is, in the guest's words.
    pub level: String,
    /// What it says.
    pub message: String,
}

/// Why a step failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StepFailure {
    /// A word for the kind of failure.
    pub code: String,
    /// What a person is told.
    pub message: String,
    /// More facts, each with its label.
    pub details: Vec<(String, String)>,
}

impl BytesMoved {
    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            read: self.read.saturating_add(other.read),
            copied: self.copied.saturating_add(other.copied),
            hashed: self.hashed.saturating_add(other.hashed),
            stored: self.stored.saturating_add(other.stored),
        }
    }
}

impl Totals {
    /// The sum of some units.
    pub fn of(units: &[UnitRecord]) -> Self {
        let add = |totals: Self, unit: &UnitRecord| Self {
            units: totals.units + 1,
            cached: totals.cached + u64::from(unit.outcome == UnitOutcome::Cached),
            usage: totals.usage.and(unit.usage),
            longest_ms: totals.longest_ms.max(unit.duration_ms),
            bytes: totals.bytes.and(unit.bytes),
        };
        units.iter().fold(Self::default(), add)
    }
}

impl StepRecord {
    /// The record of a step that ran again in the same run, where `earlier` is what was written of it
    /// before: a unit that ran either time ran, and what was spent is the sum.
    #[must_use]
    pub fn after(mut self, earlier: &Self) -> Self {
        for (unit, before) in self.units.iter_mut().zip(&earlier.units) {
            if before.outcome == UnitOutcome::Run {
                unit.outcome = UnitOutcome::Run;
            }
            unit.duration_ms = unit.duration_ms.saturating_add(before.duration_ms);
            unit.bytes = unit.bytes.and(before.bytes);
        }
        let totals = &mut self.totals;
        let ran_before = earlier.totals.units.saturating_sub(earlier.totals.cached);
        totals.cached = totals.cached.saturating_sub(ran_before);
        totals.longest_ms = totals.longest_ms.max(earlier.totals.longest_ms);
        totals.bytes = totals.bytes.and(earlier.totals.bytes);
        self.duration_ms = self.duration_ms.saturating_add(earlier.duration_ms);
        self.log.splice(0..0, earlier.log.iter().cloned());
        self
    }
}

/// The columns whose values a step was given, by input port.
pub fn columns_read(step: &StepRecord) -> BTreeMap<String, BTreeSet<String>> {
    let mut columns: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for observation in step.units.iter().flat_map(|unit| &unit.observations) {
        if let Question::Column { port, name } = &observation.question {
            columns
                .entry(port.clone())
                .or_default()
                .insert(name.clone());
        }
    }
    columns
}
