//! Whole steps that are known.
//!
//! A step that has the same component, params, inputs and layout as once before does what it did then, in
//! all its units. So what it did is kept under one key, and a run in which nothing changed reads one file
//! for each step, instead of a few for each unit, and no manifest at all.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::drive::{Finished, Value};
use super::obtain::within_limits;
use crate::digest::{Digest, StructuredHasher};
use crate::plan::{Origin, Plan, PlannedStep};
use crate::record::{Artifact, BytesMoved, StepRecord, Totals, UnitOutcome, UnitRecord};
use crate::source::media_type;
use crate::store::Store;
use crate::table::schema_digest;
use crate::unit::{Blob, InputContent, KEY_VERSION, SEMANTICS, ShapeContent};

/// Under which name the store remembers steps.
pub(crate) const MEMO: &str = "step";

/// What a step did.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    /// See [`deed`].
    deed: Digest,
    outputs: Vec<Artifact>,
    units: Vec<UnitRecord>,
    totals: Totals,
    /// Chunk files that the outputs lie in.
    files: Vec<Digest>,
}

/// Everything that decides what a step does. None if its inputs are not there yet.
pub(super) fn key(plan: &Plan, step: &PlannedStep, made: &[Option<Vec<Value>>]) -> Option<Digest> {
    let mut hasher = StructuredHasher::new("pinion step v3");
    hasher
        .u64(KEY_VERSION)
        .text(SEMANTICS)
        .component(&step.digest())
        .text(&step.params)
        .u64(plan.seed)
        .u64(u64::from(plan.layout.batch_rows))
        .u64(u64::from(plan.layout.partition_batches));
    hasher.list(step.inputs.len());
    for input in &step.inputs {
        hasher.text(&input.port).option_tag(input.main);
        match &input.from {
            Origin::Source(name) => {
                let files = plan.sources.get(name)?;
                hasher.text("files").list(files.len());
                for file in files {
                    hasher
                        .digest(&file.digest)
                        .u64(file.size_bytes)
                        .text(media_type(&file.path));
                }
            }
            Origin::Step { step, output } => match made.get(*step)?.as_ref()?.get(*output)? {
                Value::Table(table) => {
                    feed_table(&mut hasher, &table.summary.digest, &input.withheld);
                }
                Value::Blob(blob) => feed_blob(&mut hasher, blob),
            },
            Origin::Given { content, .. } => match content {
                InputContent::Table(table) => {
                    feed_table(&mut hasher, &table.digest(), &input.withheld);
                }
                InputContent::Blob(blob) => feed_blob(&mut hasher, blob),
            },
        }
    }
    hasher.list(step.outputs.len());
    for shape in &step.outputs {
        hasher.text(&shape.port);
        match &shape.content {
            ShapeContent::Table(fields) => hasher.text("table").digest(&schema_digest(fields)),
            ShapeContent::Blob(media_type) => hasher.text("blob").text(media_type),
        };
    }
    Some(hasher.finish())
}

fn feed_table(hasher: &mut StructuredHasher, digest: &Digest, withheld: &[String]) {
    hasher.text("table").digest(digest).list(withheld.len());
    for column in withheld {
        hasher.text(column);
    }
}

fn feed_blob(hasher: &mut StructuredHasher, blob: &Blob) {
    hasher
        .text("blob")
        .digest(&blob.digest)
        .u64(blob.len)
        .text(&blob.media_type);
}

/// What a step of this key did, if that is known and everything it made is still there.
///
/// `present` are chunk files that were seen before; what is seen here is added.
pub(super) fn find(
    key: &Digest,
    step: &PlannedStep,
    store: &Store,
    present: &mut BTreeSet<Digest>,
) -> Option<Finished> {
    let memo = store.memo(MEMO, key).ok()??;
    let known: Known = serde_json::from_slice(&memo).ok()?;
    if known.outputs.len() != step.outputs.len() {
        return None;
    }
    for file in &known.files {
        if !present.contains(file) {
            if !store.has_chunks(file) {
                return None;
            }
            present.insert(*file);
        }
    }
    let is_there = |artifact: &Artifact| match artifact {
        Artifact::Table(table) => store.has_table(&table.digest),
        Artifact::Blob(blob) => store.has_blob(&blob.digest),
    };
    // Over a limit of today, the unit that is over it is to be named: the long way finds it.
    let fits = |unit: &UnitRecord| within_limits(step.limits, unit.usage).is_ok();
    if !known.outputs.iter().all(is_there) || !known.units.iter().all(fits) {
        return None;
    }
    Some(Finished {
        outputs: known.outputs.into_iter().map(Value::from).collect(),
        units: known.units,
        totals: known.totals,
        log: Vec::new(),
    })
}

/// Remembers what a step of this key did, as its record says.
pub(super) fn keep(key: &Digest, record: &StepRecord, finished: &Finished, store: &Store) {
    let mut files = BTreeSet::new();
    for output in &finished.outputs {
        let Value::Table(table) = output else {
            continue;
        };
        // The manifest may be an earlier one of an equal table, which lies elsewhere: that is what is read.
        if let Ok(Some(kept)) = store.sound_table(&table.summary.digest) {
            files.extend(kept.files());
        }
    }
    let Some(deed) = deed(record) else { return };
    // As it will be when nothing has to run: so the same step done again writes nothing new.
    let unit = |unit: &UnitRecord| UnitRecord {
        outcome: UnitOutcome::Cached,
        duration_ms: 0,
        bytes: BytesMoved::default(),
        ..unit.clone()
    };
    let known = Known {
        deed,
        outputs: finished.outputs.iter().map(Artifact::from).collect(),
        units: finished.units.iter().map(unit).collect(),
        totals: Totals {
            cached: finished.totals.units,
            longest_ms: 0,
            bytes: BytesMoved::default(),
            ..finished.totals
        },
        files: files.into_iter().collect(),
    };
    if let Ok(memo) = serde_json::to_vec(&known) {
        // A memo that cannot be kept costs time at the next run and nothing else.
        drop(store.put_memo(MEMO, key, &memo));
    }
}

/// What a memo of a whole step is about: the [`deed`], and the chunk files that the outputs lie in. None if it
/// cannot be read.
pub(crate) fn about(memo: &[u8]) -> Option<(Digest, Vec<Digest>)> {
    let known: Known = serde_json::from_slice(memo).ok()?;
    Some((known.deed, known.files))
}

/// What a step was given, what it made and what its units observed, as one digest: by it, the memo of the step
/// is found from a run record, which does not have the memo's key. None if it cannot be written down.
pub(crate) fn deed(step: &StepRecord) -> Option<Digest> {
    /// As records of every version have it.
    #[derive(Serialize)]
    struct Output<'a> {
        port: &'a str,
        artifact: &'a Artifact,
    }
    let outputs = step.outputs.iter().map(|output| Output {
        port: &output.port,
        artifact: &output.artifact,
    });
    let outputs: Vec<_> = outputs.collect();
    let inputs: Vec<_> = step
        .inputs
        .iter()
        .map(|input| (&input.port, input.digest, &input.withheld))
        .collect();
    let units: Vec<_> = step
        .units
        .iter()
        .map(|unit| (&unit.call, unit.position, &unit.observations))
        .collect();
    let facts = (step.digest, &step.params, inputs, outputs, units);
    Some(Digest::of(&serde_json::to_vec(&facts).ok()?))
}
