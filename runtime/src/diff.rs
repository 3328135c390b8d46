//! What differs between two runs, and why, as plain data.
//!
//! Runs are compared by their records. The store is asked for what a record only names: the texts of
//! pipeline and lockfile, manifests of tables, small tables of figures, and models. What is gone there is
//! listed as [unread](RunDiff::unread), and the rest is compared all the same; so are the steps that a run
//! that failed or was interrupted came to.
//!
//! Times, durations, ids, and whether anything was known from before are no differences. Values are as they
//! are stored: nothing is computed with them.

mod error;
mod figures;
mod reason;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use arrow_array::{Array as _, ArrayRef};
use semver::Version;
use serde::Serialize;
use serde_json::Value;

pub use self::error::DiffError;
pub use self::figures::{FigureDiff, FigureRow, TableFigures};
pub use self::reason::{KeyPart, Link, Reason, Told};
pub use self::value::{ValueDiff, differences, param_differences};
pub use crate::arrow::cell::Cell;
use crate::arrow::type_name;
use crate::digest::{ComponentDigest, Digest};
use crate::lock::{self, Change, Lockfile};
use crate::pipeline::{Pipeline, SourceName, StepName};
use crate::record::{
    Artifact, InputRecord, RunId, RunOutcome, RunRecord, SourceFile, StepFailure, StepOutcome,
    StepRecord,
};
use crate::store::{Store, StoreError};
use crate::table::Table;
use crate::unit::Limits;

/// Most rows of a table that is compared by value where its digests say nothing, being cut otherwise.
const MOST_ROWS: u64 = 1 << 20;

/// Most bytes of a JSON document that is compared field by field.
const MOST_JSON_BYTES: u64 = 16 << 20;

/// Something in the old run and in the new one; none where it is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Sides<T> {
    /// In the old run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<T>,
    /// In the new run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<T>,
}

/// What differs between two runs. What is equal is left out.
#[derive(Clone, Debug)]
pub struct RunDiff {
    /// The old run.
    pub old: RunSide,
    /// The new run.
    pub new: RunSide,
    /// Facts that hold for a whole run: `semantics`, `seed`, `batch_rows`, `partition_batches`.
    pub settings: Vec<ValueDiff>,
    /// The pipeline's params, by name.
    pub params: Vec<ValueDiff>,
    /// Components, by name.
    pub components: Vec<ComponentDiff>,
    /// Sources, by name.
    pub sources: Vec<SourceDiff>,
    /// Steps: those of the new run in the order of its pipeline, then those that only the old one had.
    pub steps: Vec<StepDiff>,
    /// What came out of ports, in the same order.
    pub outputs: Vec<OutputDiff>,
    /// Figures in tables, in the same order.
    pub figures: Vec<TableFigures>,
    /// Blobs, in the same order.
    pub blobs: Vec<BlobDiff>,
    /// What could not be read, each with what the store says of it.
    pub unread: Vec<String>,
}

/// One of the runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunSide {
    /// Its id.
    pub id: RunId,
    /// The name of its pipeline.
    pub pipeline: String,
    /// How it ended.
    pub outcome: RunOutcome,
    /// Its digest, if it succeeded.
    pub run_digest: Option<Digest>,
}

/// A component that is not the same bytes, or only one run's pipeline has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentDiff {
    /// Its name, without a version.
    pub name: String,
    /// Version and bytes before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<ComponentSide>,
    /// Version and bytes now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<ComponentSide>,
    /// The steps that use either.
    pub steps: Vec<StepName>,
}

/// A component in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ComponentSide {
    /// Its version, if it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<Version>,
    /// Its bytes.
    pub digest: ComponentDigest,
}

/// A source of which files differ, or which only one run has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceDiff {
    /// The source.
    pub name: SourceName,
    /// The files that differ, by path.
    pub files: Vec<FileDiff>,
    /// Rows that a step read of it.
    pub rows: Sides<u64>,
}

/// A file that differs, or that only one run has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    /// Relative to the pipeline, with `/`.
    pub path: String,
    /// What it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<FileSide>,
    /// What it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<FileSide>,
}

/// A file in one run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct FileSide {
    /// Of its bytes.
    pub digest: Digest,
    /// How many they are.
    pub size_bytes: u64,
}

/// Where a step is to be found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    /// In both runs.
    Both,
    /// The old pipeline does not have it.
    Added,
    /// The new pipeline does not have it.
    Removed,
    /// Both pipelines have it, and only the old run was to run it.
    OldRun,
    /// Both pipelines have it, and only the new run was to run it.
    NewRun,
}

/// What became of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Effect {
    /// Its key and its outputs are the same.
    Same,
    /// Its key differs: it ran, or was known under another key.
    OtherKey,
    /// Its key is the same, and columns that it passes on without looking differ.
    PassedOn,
    /// Its outputs differ and nothing that it was told does.
    Unexplained,
    /// It has not made anything in one of the runs.
    Unknown,
}

/// A step of which something differs.
#[derive(Clone, Debug, Serialize)]
pub struct StepDiff {
    /// The step.
    pub name: StepName,
    /// Which run has it.
    pub presence: Presence,
    /// How it ended; none if it has not ended.
    pub outcome: Sides<StepOutcome>,
    /// Why it failed, where it did.
    pub error: Sides<StepFailure>,
    /// The component as the pipeline has it, if that is not the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub component: Option<Sides<String>>,
    /// Its params.
    pub params: Vec<ValueDiff>,
    /// Input ports that read something else.
    pub inputs: Vec<InputDiff>,
    /// Its limits, by name.
    pub limits: Vec<LimitDiff>,
    /// What became of it.
    pub effect: Effect,
    /// Why: the first part of the key that differs, and what that comes from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

/// An input port that reads something else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct InputDiff {
    /// The port.
    pub port: String,
    /// What it read, and without which columns: `split.after without late`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<String>,
    /// What it reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<String>,
}

/// A limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct LimitDiff {
    /// `fuel`, `memory_bytes`, `output_bytes`, `scratch_bytes`, `log_bytes` or `time_ms`.
    pub limit: &'static str,
    /// In the old run.
    pub old: u64,
    /// In the new run.
    pub new: u64,
}

/// What came out of a port.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct OutputDiff {
    /// The step.
    pub step: StepName,
    /// The port.
    pub port: String,
    /// What came out before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub old: Option<OutputSide>,
    /// What came out now.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub new: Option<OutputSide>,
    /// Which columns differ, of tables that are both there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub columns: Option<ColumnsDiff>,
}

/// What came out of a port in one run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum OutputSide {
    /// A table.
    Table {
        /// Of the table.
        digest: Digest,
        /// Number of rows.
        rows: u64,
    },
    /// A blob.
    Blob {
        /// Of its bytes.
        digest: Digest,
        /// How many they are.
        bytes: u64,
        /// What they are.
        media_type: String,
    },
}

/// The columns of two tables.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ColumnsDiff {
    /// Only the new table has them.
    pub added: Vec<String>,
    /// Only the old table has them.
    pub removed: Vec<String>,
    /// They have other types or other values.
    pub changed: Vec<String>,
    /// How many partitions there are, of tables with equally many rows that are cut at other places. Then
    /// columns are compared by value, not by digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partitions: Option<Sides<u64>>,
    /// Columns of such tables that have too many rows to be compared, or could not be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uncompared: Vec<String>,
}

/// A blob that differs.
#[derive(Clone, Debug, Serialize)]
pub struct BlobDiff {
    /// The step.
    pub step: StepName,
    /// The port.
    pub port: String,
    /// The blob before.
    pub old: OutputSide,
    /// The blob now.
    pub new: OutputSide,
    /// If both are JSON: the fields that differ, in the order of the document.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fields: Option<Vec<ValueDiff>>,
}

impl<T: PartialEq> Sides<T> {
    /// Both sides.
    pub fn new(old: Option<T>, new: Option<T>) -> Self {
        Self { old, new }
    }

    /// Both sides, if they differ.
    fn if_other(self) -> Option<Self> {
        (self.old != self.new).then_some(self)
    }
}

impl RunDiff {
    /// Whether the runs were given the same and came to the same, as far as they went.
    pub fn is_equal(&self) -> bool {
        // Only runs that succeeded have a digest.
        let same_results = match (self.old.run_digest, self.new.run_digest) {
            (Some(old), Some(new)) => old == new,
            _ => true,
        };
        self.old.pipeline == self.new.pipeline
            && self.old.outcome == self.new.outcome
            && same_results
            && self.settings.is_empty()
            && self.params.is_empty()
            && self.components.is_empty()
            && self.sources.is_empty()
            && self.steps.is_empty()
            && self.outputs.is_empty()
    }
}

/// Compares two runs of one store.
///
/// # Errors
/// [`DiffError::Unrelated`]: the runs are of other pipelines, without a step in common.
pub fn compare(old: &RunRecord, new: &RunRecord, store: &Store) -> Result<RunDiff, DiffError> {
    let (old_start, new_start) = (&old.start, &new.start);
    if old_start.pipeline != new_start.pipeline
        && !new_start
            .steps
            .iter()
            .any(|name| old_start.steps.contains(name))
    {
        return Err(DiffError::Unrelated {
            old: (old_start.id.clone(), old_start.pipeline.clone()),
            new: (new_start.id.clone(), new_start.pipeline.clone()),
        });
    }
    let mut stored = Stored::new(store, old, new);
    let texts = Sides::new(stored.pipeline(old), stored.pipeline(new));
    let sources = sources(old, new);
    let steps = steps(old, new, &texts, &sources, &mut stored);
    let outputs = outputs(old, new, &mut stored);
    let figures = figures::compare(old, new, &outputs, &mut stored);
    let blobs = blobs(&outputs, &mut stored);
    Ok(RunDiff {
        old: RunSide::of(old),
        new: RunSide::of(new),
        settings: settings(old, new),
        params: value::of_maps(&old_start.params, &new_start.params),
        components: components(old, new, &mut stored),
        sources,
        steps,
        outputs,
        figures,
        blobs,
        unread: stored.unread,
    })
}

impl RunSide {
    fn of(run: &RunRecord) -> Self {
        Self {
            id: run.start.id.clone(),
            pipeline: run.start.pipeline.clone(),
            outcome: run.outcome(),
            run_digest: run.end.as_ref().and_then(|end| end.run_digest),
        }
    }
}

fn settings(old: &RunRecord, new: &RunRecord) -> Vec<ValueDiff> {
    let facts = |run: &RunRecord| {
        let start = &run.start;
        [
            ("semantics", Value::from(start.semantics.as_str())),
            ("seed", Value::from(start.seed)),
            ("batch_rows", Value::from(start.layout.batch_rows)),
            (
                "partition_batches",
                Value::from(start.layout.partition_batches),
            ),
        ]
    };
    let both = facts(old).into_iter().zip(facts(new));
    both.filter(|((_, old), (_, new))| old != new)
        .map(|((name, old), (_, new))| ValueDiff {
            path: name.to_owned(),
            old: Some(old),
            new: Some(new),
        })
        .collect()
}

fn components(old: &RunRecord, new: &RunRecord, stored: &mut Stored<'_>) -> Vec<ComponentDiff> {
    let side = |(version, digest): (Option<Version>, ComponentDigest)| {
        Some(ComponentSide { version, digest })
    };
    let changes: Vec<(String, Sides<ComponentSide>)> = match (stored.lock(old), stored.lock(new)) {
        (Some(old), Some(new)) => lock::diff(Some(&old), &new)
            .into_iter()
            .filter_map(|change| match change {
                Change::ComponentLocked { key, digest, .. } => {
                    Some((key.name, Sides::new(None, side((key.version, digest)))))
                }
                Change::ComponentUpdated { name, old, new, .. } => {
                    Some((name, Sides::new(side(old), side(new))))
                }
                Change::ComponentRemoved(key) => {
                    let digest = old.components.get(&key)?.digest;
                    Some((key.name, Sides::new(side((key.version, digest)), None)))
                }
                _ => None,
            })
            .collect(),
        // What the steps say is less: no versions, and nothing of steps that have not ended.
        _ => {
            let used = |run: &RunRecord| -> BTreeMap<String, ComponentSide> {
                let of = |step: &StepRecord| {
                    let (version, digest) = (None, step.digest);
                    (step.component.clone(), ComponentSide { version, digest })
                };
                run.steps.iter().map(of).collect()
            };
            paired(used(old), used(new)).collect()
        }
    };
    let changes = changes
        .into_iter()
        .filter_map(|(name, sides)| Some((name, sides.if_other()?)));
    changes
        .map(|(name, sides)| {
            let uses = |run: &RunRecord, side: &Option<ComponentSide>| -> Vec<StepName> {
                let used = run
                    .steps
                    .iter()
                    .filter(|step| side.as_ref().is_some_and(|side| side.digest == step.digest));
                used.map(|step| step.name.clone()).collect()
            };
            let mut steps = uses(new, &sides.new);
            let before = uses(old, &sides.old);
            steps.extend(before.into_iter().filter(|name| {
                // In both runs it is there already.
                new.step(name.as_str()).is_none_or(|step| {
                    Some(step.digest) != sides.new.as_ref().map(|new| new.digest)
                })
            }));
            ComponentDiff {
                name,
                old: sides.old,
                new: sides.new,
                steps,
            }
        })
        .collect()
}

fn sources(old: &RunRecord, new: &RunRecord) -> Vec<SourceDiff> {
    let files = |files: Option<Vec<SourceFile>>| -> BTreeMap<String, FileSide> {
        let side = |file: SourceFile| {
            let SourceFile {
                path,
                digest,
                size_bytes,
            } = file;
            (path, FileSide { digest, size_bytes })
        };
        files.unwrap_or_default().into_iter().map(side).collect()
    };
    paired(old.start.sources.clone(), new.start.sources.clone())
        .filter(|(_, sides)| sides.old != sides.new)
        .map(|(name, sides)| {
            let rows = Sides::new(source_rows(old, &name), source_rows(new, &name));
            let files = paired(files(sides.old), files(sides.new))
                .filter_map(|(path, sides)| Some((path, sides.if_other()?)))
                .map(|(path, Sides { old, new })| FileDiff { path, old, new });
            SourceDiff {
                files: files.collect(),
                name,
                rows,
            }
        })
        .collect()
}

/// Rows that the first step that reads a source made of it.
fn source_rows(run: &RunRecord, source: &SourceName) -> Option<u64> {
    let reads = |input: &InputRecord| input.from == format!("sources.{source}");
    let step = run
        .steps
        .iter()
        .find(|step| step.inputs.iter().any(reads))?;
    step.outputs
        .iter()
        .find_map(|output| match &output.artifact {
            Artifact::Table(table) => Some(table.rows),
            Artifact::Blob(_) => None,
        })
}

/// Names of all steps: those of the new run, then those that only the old one has.
fn step_names<'a>(old: &'a RunRecord, new: &'a RunRecord) -> impl Iterator<Item = &'a StepName> {
    let only_old = old.start.steps.iter();
    let only_old = only_old.filter(|name| !new.start.steps.contains(name));
    new.start.steps.iter().chain(only_old)
}

fn steps(
    old: &RunRecord,
    new: &RunRecord,
    texts: &Sides<Pipeline>,
    sources: &[SourceDiff],
    stored: &mut Stored<'_>,
) -> Vec<StepDiff> {
    let mut reasons = reason::Reasons::new(old, new, texts, sources, stored);
    let diffs = step_names(old, new).map(|name| {
        let (before, after) = (old.step(name.as_str()), new.step(name.as_str()));
        let presence = presence(name, (old, new), texts);
        let (effect, reason) = match (presence, before, after) {
            (Presence::Both, Some(before), Some(after)) => reasons.of(before, after),
            _ => (Effect::Unknown, None),
        };
        let outcome = Sides::new(
            before.map(|step| step.outcome),
            after.map(|step| step.outcome),
        );
        let error = |step: Option<&StepRecord>| step.and_then(|step| step.error.clone());
        let both = before.zip(after);
        StepDiff {
            name: name.clone(),
            presence,
            outcome,
            error: Sides::new(error(before), error(after)),
            component: both.and_then(|(before, after)| {
                let reference = |step: &StepRecord| Some(step.component.clone());
                Sides::new(reference(before), reference(after)).if_other()
            }),
            params: both
                .map(|(before, after)| param_differences(&before.params, &after.params))
                .unwrap_or_default(),
            inputs: match presence {
                Presence::Both => inputs(name, before, after, texts),
                _ => Vec::new(),
            },
            limits: both
                .and_then(|(before, after)| Some(limits(before.limits?, after.limits?)))
                .unwrap_or_default(),
            effect,
            reason,
        }
    });
    diffs.filter(StepDiff::differs).collect()
}

impl StepDiff {
    fn differs(&self) -> bool {
        // Whether it was known is no difference.
        let ended = |outcome: Option<StepOutcome>| match outcome {
            Some(StepOutcome::Cached) => Some(StepOutcome::Succeeded),
            other => other,
        };
        let code = |error: &Option<StepFailure>| error.as_ref().map(|error| error.code.clone());
        self.presence != Presence::Both
            || ended(self.outcome.old) != ended(self.outcome.new)
            || code(&self.error.old) != code(&self.error.new)
            || self.component.is_some()
            || !self.params.is_empty()
            || !self.inputs.is_empty()
            || !self.limits.is_empty()
            || !matches!(self.effect, Effect::Same | Effect::Unknown)
            || self.reason.is_some()
    }
}

fn presence(name: &StepName, runs: (&RunRecord, &RunRecord), texts: &Sides<Pipeline>) -> Presence {
    let (old, new) = runs;
    // Where the text is gone, the steps that the run was to run are all that is known of it.
    let declared = |run: &RunRecord, text: &Option<Pipeline>| match text {
        Some(pipeline) => pipeline.step(name.as_str()).is_some(),
        None => run.start.steps.contains(name),
    };
    let asked = (
        old.start.steps.contains(name),
        new.start.steps.contains(name),
    );
    match asked {
        (true, true) => Presence::Both,
        (true, false) if declared(new, &texts.new) => Presence::OldRun,
        (true, false) => Presence::Removed,
        (false, _) if declared(old, &texts.old) => Presence::NewRun,
        (false, _) => Presence::Added,
    }
}

/// What each port reads: as recorded, or of a step that did not come to it, as declared.
fn inputs(
    name: &StepName,
    before: Option<&StepRecord>,
    after: Option<&StepRecord>,
    texts: &Sides<Pipeline>,
) -> Vec<InputDiff> {
    let recorded = |step: Option<&StepRecord>| -> BTreeMap<String, String> {
        let inputs = step.map(|step| step.inputs.as_slice()).unwrap_or_default();
        let port = |input: &InputRecord| (input.port.clone(), reads(input));
        inputs.iter().map(port).collect()
    };
    let declared = |pipeline: &Option<Pipeline>| -> Option<BTreeMap<String, String>> {
        let inputs = pipeline.as_ref()?.step(name.as_str())?.inputs.iter();
        let reads = inputs.map(|input| {
            let port = input.port.clone().unwrap_or_else(|| "input".to_owned());
            (port, input.from.to_string())
        });
        Some(reads.collect())
    };
    let (mut old, mut new) = (recorded(before), recorded(after));
    // A step that did not come to run has only those inputs that were there when the run ended.
    if !before.is_some_and(reason::did_run) || !after.is_some_and(reason::did_run) {
        let (Some(as_old), Some(as_new)) = (declared(&texts.old), declared(&texts.new)) else {
            return Vec::new();
        };
        (old, new) = (as_old, as_new);
    }
    paired(old, new)
        .filter_map(|(port, from)| {
            let Sides { old, new } = from.if_other()?;
            Some(InputDiff { port, old, new })
        })
        .collect()
}

/// What a port reads, and without which columns of it.
fn reads(input: &InputRecord) -> String {
    match input.withheld.as_slice() {
        [] => input.from.clone(),
        withheld => format!("{} without {}", input.from, withheld.join(", ")),
    }
}

fn limits(old: Limits, new: Limits) -> Vec<LimitDiff> {
    [
        ("fuel", old.fuel, new.fuel),
        ("memory_bytes", old.memory_bytes, new.memory_bytes),
        ("output_bytes", old.output_bytes, new.output_bytes),
        ("scratch_bytes", old.scratch_bytes, new.scratch_bytes),
        ("log_bytes", old.log_bytes, new.log_bytes),
        ("time_ms", old.time_ms, new.time_ms),
    ]
    .into_iter()
    .filter(|(_, old, new)| old != new)
    .map(|(limit, old, new)| LimitDiff { limit, old, new })
    .collect()
}

fn outputs(old: &RunRecord, new: &RunRecord, stored: &mut Stored<'_>) -> Vec<OutputDiff> {
    let mut diffs = Vec::new();
    for name in step_names(old, new) {
        let of = |run: &RunRecord| -> Vec<(String, OutputSide)> {
            let step = run.step(name.as_str());
            let outputs = step.map(|step| step.outputs.as_slice()).unwrap_or_default();
            let side = |output: &crate::record::OutputRecord| {
                (output.port.clone(), OutputSide::from(&output.artifact))
            };
            outputs.iter().map(side).collect()
        };
        let (before, after) = (of(old), of(new));
        let find = |outputs: &[(String, OutputSide)], port: &str| {
            let found = outputs.iter().find(|(other, _)| other == port);
            found.map(|(_, side)| side.clone())
        };
        // In port order, those of the new run first.
        let gone = before.iter().map(|(port, _)| port);
        let gone = gone.filter(|port| find(&after, port).is_none());
        for port in after.iter().map(|(port, _)| port).chain(gone) {
            let sides = Sides::new(find(&before, port), find(&after, port));
            let Some(sides) = sides.if_other() else {
                continue;
            };
            let columns = match (&sides.old, &sides.new) {
                (
                    Some(OutputSide::Table { digest: old, .. }),
                    Some(OutputSide::Table { digest: new, .. }),
                ) => stored.columns(old, new),
                _ => None,
            };
            diffs.push(OutputDiff {
                step: name.clone(),
                port: port.clone(),
                old: sides.old,
                new: sides.new,
                columns,
            });
        }
    }
    diffs
}

impl From<&Artifact> for OutputSide {
    fn from(artifact: &Artifact) -> Self {
        match artifact {
            Artifact::Table(table) => Self::Table {
                digest: table.digest,
                rows: table.rows,
            },
            Artifact::Blob(blob) => Self::Blob {
                digest: blob.digest,
                bytes: blob.len,
                media_type: blob.media_type.clone(),
            },
        }
    }
}

fn blobs(outputs: &[OutputDiff], stored: &mut Stored<'_>) -> Vec<BlobDiff> {
    let mut diffs = Vec::new();
    for output in outputs {
        let (Some(old @ OutputSide::Blob { .. }), Some(new @ OutputSide::Blob { .. })) =
            (&output.old, &output.new)
        else {
            continue;
        };
        let fields = match (stored.json(old), stored.json(new)) {
            (Some(old), Some(new)) => Some(differences(&old, &new)),
            _ => None,
        };
        diffs.push(BlobDiff {
            step: output.step.clone(),
            port: output.port.clone(),
            old: old.clone(),
            new: new.clone(),
            fields,
        });
    }
    diffs
}

/// Two maps as one, by key.
fn paired<K: Ord + Clone, T: PartialEq>(
    mut old: BTreeMap<K, T>,
    mut new: BTreeMap<K, T>,
) -> impl Iterator<Item = (K, Sides<T>)> {
    let keys: BTreeSet<K> = old.keys().chain(new.keys()).cloned().collect();
    keys.into_iter().map(move |key| {
        let sides = Sides::new(old.remove(&key), new.remove(&key));
        (key, sides)
    })
}

/// What the store has of two runs, read once.
struct Stored<'a> {
    store: &'a Store,
    tables: BTreeMap<Digest, Option<Arc<Table>>>,
    /// What the runs call what they made: people do not know digests.
    names: BTreeMap<Digest, String>,
    unread: Vec<String>,
}

impl<'a> Stored<'a> {
    fn new(store: &'a Store, old: &RunRecord, new: &RunRecord) -> Self {
        let mut names = BTreeMap::new();
        for run in [new, old] {
            for step in &run.steps {
                for output in &step.outputs {
                    let name = || format!("`{}.{}`", step.name, output.port);
                    let digest = match &output.artifact {
                        Artifact::Table(table) => table.digest,
                        Artifact::Blob(blob) => blob.digest,
                    };
                    names.entry(digest).or_insert_with(name);
                }
            }
        }
        Self {
            store,
            names,
            tables: BTreeMap::new(),
            unread: Vec::new(),
        }
    }

    /// A table or a blob that was read; else why not is noted, once for each.
    fn noted_artifact<T>(&mut self, digest: &Digest, read: Result<T, StoreError>) -> Option<T> {
        let what = self.names.get(digest).cloned();
        let what = what.unwrap_or_else(|| digest.to_string());
        match read {
            Err(error) if error.is_miss() => {
                let gone = "it is gone, or damaged; `pinion run` makes what it can again";
                self.noted(&what, Err::<T, _>(gone))
            }
            read => self.noted(&what, read),
        }
    }

    /// What was read; else why not is noted, once.
    fn noted<T, E: std::fmt::Display>(&mut self, what: &str, read: Result<T, E>) -> Option<T> {
        match read {
            Ok(read) => Some(read),
            Err(error) => {
                let error = error.to_string();
                let first = error.lines().next().unwrap_or_default();
                let note = format!("{what}: {first}");
                if !self.unread.contains(&note) {
                    self.unread.push(note);
                }
                None
            }
        }
    }

    fn pipeline(&mut self, run: &RunRecord) -> Option<Pipeline> {
        let what = format!("the pipeline of run {}", run.start.id);
        let bytes = self.store.blob(&run.start.pipeline_text);
        let bytes = self.noted(&what, bytes)?;
        let pipeline = Pipeline::parse(&String::from_utf8_lossy(&bytes), "pinion.toml", &[]);
        self.noted(&what, pipeline)
    }

    fn lock(&mut self, run: &RunRecord) -> Option<Lockfile> {
        let what = format!("the lockfile of run {}", run.start.id);
        let bytes = self.store.blob(&run.start.lock_text);
        let bytes = self.noted(&what, bytes)?;
        let lock = Lockfile::parse(&String::from_utf8_lossy(&bytes), "pinion.lock");
        self.noted(&what, lock)
    }

    /// A table without its values.
    fn table(&mut self, digest: &Digest) -> Option<Arc<Table>> {
        if let Some(known) = self.tables.get(digest) {
            return known.clone();
        }
        let table = self.store.present_table(digest).map(Arc::new);
        let table = self.noted_artifact(digest, table);
        self.tables.insert(*digest, table.clone());
        table
    }

    /// A JSON document, if the blob is one.
    fn json(&mut self, side: &OutputSide) -> Option<Value> {
        let OutputSide::Blob {
            digest,
            bytes,
            media_type,
        } = side
        else {
            return None;
        };
        let essence = media_type.split(';').next().unwrap_or_default().trim();
        let is_json = essence == "application/json" || essence.ends_with("+json");
        if !is_json || *bytes > MOST_JSON_BYTES {
            return None;
        }
        let bytes = self.store.blob(digest);
        let bytes = self.noted_artifact(digest, bytes)?;
        // A guest may call anything JSON.
        serde_json::from_slice(&bytes).ok()
    }

    /// Which columns of two tables differ, if both are there.
    fn columns(&mut self, old: &Digest, new: &Digest) -> Option<ColumnsDiff> {
        let (old, new) = (self.table(old)?, self.table(new)?);
        let mut columns = ColumnsDiff::default();
        let is_cut = |table: &Table| -> Vec<u64> {
            let partitions = table.partitions.iter();
            partitions.map(|partition| partition.rows).collect()
        };
        let other_cuts = old.rows() == new.rows() && is_cut(&old) != is_cut(&new);
        columns.partitions = other_cuts.then(|| {
            let count = |table: &Table| Some(table.partitions.len() as u64);
            Sides::new(count(&old), count(&new))
        });
        for field in &new.fields {
            let name = field.name();
            if old.position(name).is_none() {
                columns.added.push(name.clone());
            } else if column_differs(&old, &new, name) {
                match other_cuts {
                    false => columns.changed.push(name.clone()),
                    true => match self.values_differ(&old, &new, name) {
                        Some(true) => columns.changed.push(name.clone()),
                        Some(false) => {}
                        None => columns.uncompared.push(name.clone()),
                    },
                }
            }
        }
        let gone = old.fields.iter().map(|field| field.name());
        let gone = gone.filter(|name| new.position(name).is_none());
        columns.removed.extend(gone.cloned());
        Some(columns)
    }

    /// Whether a column of two tables with equally many rows differs in type or values, wherever they are cut;
    /// none if that would take long or cannot be read.
    fn values_differ(&mut self, old: &Table, new: &Table, column: &str) -> Option<bool> {
        let (before, after) = (old.position(column)?, new.position(column)?);
        if old.fields.get(before) != new.fields.get(after) {
            return Some(true);
        }
        if old.rows() > MOST_ROWS {
            return None;
        }
        let mut old = self.arrays(old, before)?.into_iter();
        let mut new = self.arrays(new, after)?.into_iter();
        let (mut left, mut right): (Option<ArrayRef>, Option<ArrayRef>) = (None, None);
        loop {
            left = left.filter(|left| !left.is_empty()).or_else(|| old.next());
            right = right
                .filter(|right| !right.is_empty())
                .or_else(|| new.next());
            let (Some(before), Some(after)) = (&left, &right) else {
                return Some(false);
            };
            let len = before.len().min(after.len());
            if before.slice(0, len) != after.slice(0, len) {
                return Some(true);
            }
            let rest = |array: &ArrayRef| array.slice(len, array.len() - len);
            (left, right) = (left.as_ref().map(rest), right.as_ref().map(rest));
        }
    }

    /// A column of a table, partition by partition; those without rows are left out.
    fn arrays(&mut self, table: &Table, column: usize) -> Option<Vec<ArrayRef>> {
        let field = table.fields.get(column)?;
        let partitions = table.partitions.iter().filter(|part| part.rows > 0);
        let mut arrays = Vec::new();
        for partition in partitions {
            let array = self.store.load(field, partition.columns.get(column)?);
            arrays.push(self.noted("values of a table", array)?);
        }
        Some(arrays)
    }

    /// Whether a column of two tables differs in type or values, or in where it is cut, if both tables are there.
    fn column_differs(&mut self, old: &Digest, new: &Digest, column: &str) -> Option<bool> {
        let (old, new) = (self.table(old)?, self.table(new)?);
        Some(column_differs(&old, &new, column))
    }

    /// The types of a column of two tables, if they differ.
    fn types(&mut self, old: &Digest, new: &Digest, column: &str) -> Option<Sides<String>> {
        let (old, new) = (self.table(old)?, self.table(new)?);
        let name = |table: &Table| {
            let field = table.fields.get(table.position(column)?)?;
            Some(type_name(field.data_type()))
        };
        Sides::new(name(&old), name(&new)).if_other()
    }
}

fn column_differs(old: &Table, new: &Table, column: &str) -> bool {
    match (old.position(column), new.position(column)) {
        (Some(before), Some(after)) => {
            old.fields.get(before) != new.fields.get(after)
                || old.column_digest(before) != new.column_digest(after)
        }
        (None, None) => false,
        _ => true,
    }
}
