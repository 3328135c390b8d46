//! Run records: what a run was given, what each step did, and how it ended.
//!
//! A record is a file of JSON lines that only ever grows. The first is the [`RunStart`]; each step
//! adds a [`StepRecord`] when it ends, in whatever order they end; the last is the [`RunEnd`]. A record
//! without that one is of a run that was interrupted. A step that runs again within the run, since
//! something that it had made was damaged, adds another, and its last one counts.
//!
//! Every line ends in a `check` over itself and the check of the line before it, so that a record that
//! is read is the record that was written: no line was changed, lost or moved. Only the end may be
//! missing, because a kill can come at any time, and a line counts once its newline is there.

mod digest;
mod error;
mod id;
mod line;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
pub(crate) mod samples;
mod step;
#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use self::digest::{run_digest, source_digest};
pub use self::error::{LineProblem, RecordError};
pub use self::id::{BadRunId, RunId};
pub use self::line::{Chain, Line};
pub use self::step::{
    Artifact, BytesMoved, InputRecord, LogLine, OutputRecord, RecipeKey, Size, StepFailure,
    StepOutcome, StepRecord, TableSummary, Totals, UnitOutcome, UnitRecord, columns_read,
};
use crate::digest::Digest;
use crate::pipeline::{Layout, SourceName, StepName};

/// The version of the form of records that this library writes, and the newest that it reads. It reads
/// all before it as well.
///
/// - 2: what is used of each limit; a step may be written again.
/// - 3: where the recipe of each unit is; columns that were withheld; scratch has a limit of its own, and is no
///   part of the output.
/// - 4: who took over what a unit was known by; what a port promised.
pub const RECORD_VERSION: u32 = 4;

/// What a run was given: the first line.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunStart {
    /// [`RECORD_VERSION`] of the writer.
    pub format: u32,
    /// The run.
    pub id: RunId,
    /// Name of the pipeline.
    pub pipeline: String,
    /// The version of the engine's semantics.
    pub semantics: String,
    /// The pipeline's seed.
    pub seed: u64,
    /// How tables are cut.
    pub layout: Layout,
    /// The text of the pipeline file, a blob of the store.
    pub pipeline_text: Digest,
    /// The text of the lockfile, a blob of the store.
    pub lock_text: Digest,
    /// The effective params.
    pub params: BTreeMap<String, Value>,
    /// The files of each source, in the order they are read.
    pub sources: BTreeMap<SourceName, Vec<SourceFile>>,
    /// The names of all steps, in the order of the pipeline.
    pub steps: Vec<StepName>,
    /// When it started, RFC 3339.
    pub started: String,
}

/// One file of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    /// Relative to the pipeline, with `/`.
    pub path: String,
    /// Of its bytes.
    pub digest: Digest,
    /// How many they are.
    pub size_bytes: u64,
}

/// How a run ended: the last line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RunEnd {
    /// The outcome.
    pub outcome: RunOutcome,
    /// See [`run_digest`]. Only a run that succeeded has one.
    pub run_digest: Option<Digest>,
    /// From start to end, in milliseconds.
    pub duration_ms: u64,
    /// When it ended, RFC 3339.
    pub finished: String,
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// Every step did.
    Succeeded,
    /// A step failed.
    Failed,
    /// It was asked to stop.
    Cancelled,
    /// It was killed, or it still runs. Read from a record without a last line and never written.
    #[serde(skip)]
    Interrupted,
}

/// A whole record.
#[derive(Clone, Debug, PartialEq)]
pub struct RunRecord {
    /// What the run was given.
    pub start: RunStart,
    /// The steps that have ended, in the order of the pipeline.
    pub steps: Vec<StepRecord>,
    /// How it ended; none if it was interrupted.
    pub end: Option<RunEnd>,
}

impl RunRecord {
    /// Reads a record, which is shown as `file` in errors.
    ///
    /// What follows the last newline is a line that was being written, and is ignored.
    ///
    /// # Errors
    /// - [`RecordError::Empty`]: not even the first line is there.
    /// - [`RecordError::UnsupportedVersion`]: a newer version wrote it.
    /// - [`RecordError::Line`]: a line was changed or does not belong where it is.
    pub fn parse(bytes: &[u8], file: &str) -> Result<Self, RecordError> {
        let mut chain = Chain::default();
        let mut record: Option<Reading> = None;
        let whole = bytes
            .iter()
            .rposition(|byte| *byte == b'\n')
            .map_or(0, |newline| newline + 1);
        let lines = bytes
            .get(..whole)
            .unwrap_or_default()
            .split_inclusive(|byte| *byte == b'\n');
        for (index, line) in lines.enumerate() {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            if index == 0 {
                line::check_version(line, file)?;
            }
            let problem = |problem| RecordError::Line {
                file: file.to_owned(),
                line: index as u64 + 1,
                problem,
            };
            let line = chain.open(line).map_err(problem)?;
            match &mut record {
                None => record = Some(Reading::begin(line).map_err(problem)?),
                Some(record) => record.add(line).map_err(problem)?,
            }
        }
        let record = record.ok_or_else(|| RecordError::Empty {
            file: file.to_owned(),
        })?;
        Ok(Self {
            start: record.start,
            steps: record.ended.into_values().collect(),
            end: record.end,
        })
    }

    /// How the run ended.
    pub fn outcome(&self) -> RunOutcome {
        self.end
            .as_ref()
            .map_or(RunOutcome::Interrupted, |end| end.outcome)
    }

    /// What a step did, if it has ended.
    pub fn step(&self, name: &str) -> Option<&StepRecord> {
        self.steps.iter().find(|step| step.name.as_str() == name)
    }

    /// What came out of a port of a step.
    pub fn output(&self, step: &str, port: &str) -> Option<&Artifact> {
        let output = self
            .step(step)?
            .outputs
            .iter()
            .find(|output| output.port == port)?;
        Some(&output.artifact)
    }
}

/// A record of which some lines were read.
struct Reading {
    start: RunStart,
    /// Where each step stands in the pipeline.
    positions: BTreeMap<StepName, usize>,
    /// The steps that have ended, by where they stand. Of one that was written again, the last line counts.
    ended: BTreeMap<usize, StepRecord>,
    end: Option<RunEnd>,
}

impl Reading {
    fn begin(line: Line) -> Result<Self, LineProblem> {
        match line {
            Line::Run(start) => Ok(Self {
                positions: start.steps.iter().cloned().zip(0..).collect(),
                start: *start,
                ended: BTreeMap::new(),
                end: None,
            }),
            Line::Step(_) | Line::Outcome(_) => Err(LineProblem::Unexpected {
                what: "it is the first, but no `run` line",
            }),
        }
    }

    fn add(&mut self, line: Line) -> Result<(), LineProblem> {
        let unexpected = |what| Err(LineProblem::Unexpected { what });
        match line {
            _ if self.end.is_some() => unexpected("it follows the `outcome` line"),
            Line::Run(_) => unexpected("it is a second `run` line"),
            Line::Step(step) => match self.positions.get(&step.name) {
                Some(position) => {
                    self.ended.insert(*position, *step);
                    Ok(())
                }
                None => unexpected("its step is not in the `run` line"),
            },
            Line::Outcome(end) => {
                self.end = Some(end);
                Ok(())
            }
        }
    }
}
