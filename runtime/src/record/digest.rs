//! What a run comes down to, as one digest.

use super::{
    Artifact, InputRecord, OutputRecord, RunStart, Size, SourceFile, StepRecord, UnitRecord,
};
use crate::digest::{Digest, StructuredHasher};
use crate::pipeline::StepName;
use crate::unit::hash_question;

/// The digest of everything about a run that must be the same wherever and whenever it runs again.
///
/// Steps are taken in the order of [`RunStart::steps`], whatever order they ended in, and all that is listed here
/// in the order of the record. Not in it:
/// whether anything was cached, durations, bytes moved, the log, the run's id, the store and all times.
///
/// [Structured](crate::digest): text `pinion run v1`, text semantics version, list of the steps that
/// ended, each
///
/// 1. text name, component digest, text canonical params,
/// 2. list of inputs: text port, digest, then text `rows` or `bytes` and u64 how many, then, if columns were
///    withheld, text `withheld` and their list of names,
/// 3. list of outputs: text port, then text `table`, digest, u64 rows, u64 partitions; or text `blob`,
///    digest, u64 bytes, text media type,
/// 4. list of units: text call, option u64 position, list of observations (each the items of its
///    [`Question`](crate::unit::Question), then the digest of the answer), u64 fuel, u64 guest memory in bytes,
/// 5. option text error code.
pub fn run_digest(start: &RunStart, steps: &[StepRecord]) -> Digest {
    let find = |name: &StepName| steps.iter().find(|step| step.name == *name);
    let ended: Vec<&StepRecord> = start.steps.iter().filter_map(find).collect();
    let mut hasher = StructuredHasher::new("pinion run v1");
    hasher.text(&start.semantics).list(ended.len());
    for step in ended {
        hash_step(&mut hasher, step);
    }
    hasher.finish()
}

/// The digest of the files of a source, in the order they are read, whatever they are called.
///
/// [Structured](crate::digest): text `pinion source v1`, list of files, each digest and u64 bytes.
pub fn source_digest(files: &[SourceFile]) -> Digest {
    let mut hasher = StructuredHasher::new("pinion source v1");
    hasher.list(files.len());
    for file in files {
        hasher.digest(&file.digest).u64(file.size_bytes);
    }
    hasher.finish()
}

fn hash_step(hasher: &mut StructuredHasher, step: &StepRecord) {
    hasher
        .text(step.name.as_str())
        .component(&step.digest)
        .text(&step.params);
    hasher.list(step.inputs.len());
    for input in &step.inputs {
        hash_input(hasher, input);
    }
    hasher.list(step.outputs.len());
    for output in &step.outputs {
        hash_output(hasher, output);
    }
    hasher.list(step.units.len());
    for unit in &step.units {
        hash_unit(hasher, unit);
    }
    hasher.option_tag(step.error.is_some());
    if let Some(error) = &step.error {
        hasher.text(&error.code);
    }
}

fn hash_input(hasher: &mut StructuredHasher, input: &InputRecord) {
    hasher.text(&input.port).digest(&input.digest);
    match input.size {
        Size::Rows(rows) => hasher.text("rows").u64(rows),
        Size::Bytes(bytes) => hasher.text("bytes").u64(bytes),
    };
    // Nothing at all where nothing is withheld: so it was before there was such a thing.
    if !input.withheld.is_empty() {
        hasher.text("withheld").list(input.withheld.len());
        for column in &input.withheld {
            hasher.text(column);
        }
    }
}

fn hash_output(hasher: &mut StructuredHasher, output: &OutputRecord) {
    hasher.text(&output.port);
    match &output.artifact {
        Artifact::Table(table) => hasher
            .text("table")
            .digest(&table.digest)
            .u64(table.rows)
            .u64(table.partitions),
        Artifact::Blob(blob) => hasher
            .text("blob")
            .digest(&blob.digest)
            .u64(blob.len)
            .text(&blob.media_type),
    };
}

fn hash_unit(hasher: &mut StructuredHasher, unit: &UnitRecord) {
    hasher.text(&unit.call).option_tag(unit.position.is_some());
    if let Some(position) = unit.position {
        hasher.u64(position);
    }
    hasher.list(unit.observations.len());
    for observation in &unit.observations {
        hash_question(hasher, &observation.question);
        hasher.digest(&observation.answer);
    }
    hasher.u64(unit.usage.fuel).u64(unit.usage.memory_bytes);
}
