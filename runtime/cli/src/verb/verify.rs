//! `pinion verify`: the same work again, in a store that knows nothing, and every digest compared.

use std::collections::BTreeSet;
use std::sync::Arc;

use pinion_runtime::adopt;
use pinion_runtime::caps::Caps;
use pinion_runtime::digest::Digest;
use pinion_runtime::plan::{self, Tools};
use pinion_runtime::record::{Artifact, RunId, RunOutcome, RunRecord};
use pinion_runtime::regular;
use pinion_runtime::run::{Mode, StoreData};
use pinion_runtime::sandbox::Data;
use pinion_runtime::source::Trust;
use pinion_runtime::store::{Store, StoreError};
use pinion_runtime::verify::{Place, first_place};
use serde::Serialize;

use super::run::{self, StepSummary, Summary};
use crate::args::{Planning, Verify};
use crate::config;
use crate::failure::{DONE, FAILED, Failure, INTERRUPTED};
use crate::file;
use crate::project::{
    MOST_TEXT_BYTES, Planned, Project, Unlock, cancelled, end_in_good_order, open_store, threads,
};
use crate::recorded::{self, Recorded};
use crate::ui;

#[derive(Serialize)]
struct Verdict {
    against: String,
    equal: bool,
    /// Whether the run, which was somebody else's word, is the store's own now; none if it was before, or stays so.
    own: Option<bool>,
    /// Units that ran on both engines; none unless that was asked for.
    cross_checked_units: Option<u64>,
    expected_run_digest: Option<String>,
    found_run_digest: Option<String>,
    differences: Vec<Difference>,
}

#[derive(Serialize)]
struct Difference {
    /// None for the run as a whole.
    step: Option<String>,
    what: String,
    expected: String,
    found: String,
    /// Where the values of a table begin to differ, if both tables are there.
    place: Option<DifferencePlace>,
}

#[derive(Serialize)]
struct DifferencePlace {
    partition: Option<u64>,
    column: Option<String>,
    /// Of the whole table, from 0.
    row: Option<u64>,
    expected: String,
    found: String,
}

/// Runs again and compares.
pub(crate) fn verify(args: &Verify) -> Result<u8, Failure> {
    let project = match &args.expect {
        Some(_) => Project::open(&args.place)?,
        None => Project::open_to_read(&args.place)?,
    };
    // The scratch store has to go, however this ends.
    end_in_good_order();
    let scratch = tempfile::tempdir()
        .map_err(|error| Failure::on_path("make", std::env::temp_dir().display(), error))?;
    let fresh = Project {
        root: project.root.clone(),
        dir: project
            .dir
            .try_clone()
            .map_err(|error| Failure::on_path("open", project.root.display(), error))?,
        // What is made with the same key can become the project's own.
        store: Arc::new(open_store(scratch.path(), project.store.key().clone())?),
        store_path: scratch.path().to_owned(),
        cross_check: args.cross_check,
    };
    let threads = threads(args.threads);
    let mut recorded = None;
    let (against, expected, planned, mut differences) = match &args.expect {
        Some(file) => {
            let text = file::read(file, MOST_TEXT_BYTES)
                .map_err(|error| Failure::on_path("read", file.display(), error))?;
            let expected: Summary = serde_json::from_slice(&text).map_err(|error| {
                Failure::wrong(format!(
                    "`{}` is not what `pinion run --json` prints: {error}",
                    file.display()
                ))
            })?;
            let planning = Planning {
                locked: true,
                caps: args.caps.clone(),
                ..Planning::default()
            };
            let names = names(&expected);
            let mut planned = fresh.plan(&planning, &Unlock::New, &names, Trust::Bytes)?;
            planned.plan = planned.plan.only(&names)?;
            (file.display().to_string(), expected, planned, Vec::new())
        }
        None => {
            let record = recorded::succeeded(&project, args.run.as_deref(), "compare with")?;
            let planned = again(
                &project,
                &fresh,
                &record,
                threads,
                config::caps(&args.caps)?,
            )?;
            let damages = damages(&project.store, &record);
            let against = format!("run {}", record.start.id);
            let expected = expected(&record);
            recorded = Some(record);
            (against, expected, planned, damages)
        }
    };
    let (id, ended) = run::record(
        &fresh,
        &planned,
        Mode::Cached,
        threads,
        false,
        args.place.json,
    )?;
    match ended.outcome {
        RunOutcome::Cancelled => return Ok(INTERRUPTED),
        RunOutcome::Failed | RunOutcome::Interrupted => {
            return Err(run::failed(&planned, &ended, &project.root, || None));
        }
        RunOutcome::Succeeded => {}
    }
    let found = run::summary(&id, &ended, &planned, &project.root);
    let mut compared = compare(&expected, &found);
    // One is enough to go on from, and what differs after it mostly differs because of it.
    if let Some(first) = compared.first_mut() {
        first.place = place(&project.store, &fresh.store, first);
    }
    differences.extend(compared);
    let cross_checked = planned.sandbox.cross_checked();
    let own = match &recorded {
        Some(record) if differences.is_empty() => make_own(&project, &fresh, record, &id)?,
        _ => None,
    };
    let verdict = Verdict {
        against,
        equal: differences.is_empty(),
        own,
        cross_checked_units: cross_checked.map(|checked| checked.units),
        expected_run_digest: expected.run_digest,
        found_run_digest: found.run_digest,
        differences,
    };
    if args.place.json {
        ui::json(&verdict)?;
        return Ok(if verdict.equal { DONE } else { FAILED });
    }
    let Some(first) = verdict.differences.first() else {
        let digest = verdict.found_run_digest.unwrap_or_default();
        ui::note(&format!(
            "verified {}: {}, every digest is equal",
            verdict.against,
            ui::counted(found.steps.len() as u64, "step")
        ));
        if let Some(checked) = cross_checked {
            ui::note(&format!(
                "{} of {} units were run on both engines, and did the same",
                checked.units, checked.of
            ));
        }
        match verdict.own {
            Some(true) => ui::note(
                "it was written with another key, and is this store's own now, since it was made again here",
            ),
            Some(false) => ui::note(
                "what it made is this store's own now; what its record says beside that, such as its lineage, stays the sender's word",
            ),
            None => {}
        }
        ui::data(&digest);
        return Ok(DONE);
    };
    let place = first
        .step
        .as_ref()
        .map_or_else(String::new, |step| format!(" of step `{step}`"));
    let more = match verdict.differences.len() {
        1 => String::new(),
        many => format!("\n  and {} more", many - 1),
    };
    let first_place = first.place.as_ref().map_or_else(String::new, shown);
    Err(Failure::failed(format!(
        "the {}{place} differs from {}\n  expected {}\n  found    {}{first_place}{more}",
        first.what, verdict.against, first.expected, first.found
    )))
}

/// Puts what was made again in the place of what somebody else wrote, if anything of the run is that. Whether its
/// record is the store's own now; none if nothing was done.
fn make_own(
    project: &Project,
    fresh: &Project,
    record: &RunRecord,
    again: &RunId,
) -> Result<Option<bool>, Failure> {
    if !adopt::rests_on_others(&project.store, record)? {
        return Ok(None);
    }
    let store = match open_store(&project.store_path, project.store.key().clone()) {
        Ok(store) => store,
        Err(failure) if is_unwritable(&failure) => {
            ui::note(
                "  nothing can be written to the store, so what it says stays the sender's word",
            );
            return Ok(None);
        }
        Err(failure) => return Err(failure),
    };
    let again = fresh.store.run(again)?;
    Ok(Some(adopt::make_own(&store, record, &fresh.store, &again)?))
}

fn is_unwritable(failure: &Failure) -> bool {
    let error = failure.error.downcast_ref();
    matches!(error, Some(StoreError::Unwritable(_)))
}

fn names(expected: &Summary) -> Vec<String> {
    expected
        .steps
        .iter()
        .map(|step| step.name.clone())
        .collect()
}

fn expected(record: &RunRecord) -> Summary {
    let end = record
        .end
        .clone()
        .unwrap_or_else(|| pinion_runtime::record::RunEnd {
            outcome: record.outcome(),
            run_digest: None,
            duration_ms: 0,
            finished: String::new(),
        });
    run::summarise(&record.start.id, &record.steps, &end)
}

/// The plan of a recorded run, over a store that knows nothing. Components and sources come from the
/// project, or by digest from the store that ran it; keys and outputs do not.
fn again(
    project: &Project,
    fresh: &Project,
    record: &RunRecord,
    threads: usize,
    caps: Caps,
) -> Result<Planned, Failure> {
    let Recorded {
        pipeline_text,
        lock_text,
        pipeline,
        components,
    } = Recorded::open(project, record)?;
    plan::refuse_beyond(&pipeline, &caps)?;
    sources(project, fresh, record, threads)?;
    let sandbox = fresh.sandbox(threads, caps)?;
    let data: Arc<dyn Data> = Arc::new(StoreData::new(Arc::clone(&fresh.store), None, []));
    let tools = Tools {
        store: &fresh.store,
        sandbox: &sandbox,
        data: &data,
        cancel: cancelled(),
    };
    let plan = plan::resolve(&pipeline, components, record.start.sources.clone(), tools)?;
    let names: Vec<String> = record.start.steps.iter().map(ToString::to_string).collect();
    let plan = plan.only(&names)?;
    Ok(Planned {
        plan,
        pipeline_text,
        lock_text,
        changes: Vec::new(),
        sandbox,
        data,
    })
}

/// Brings the recorded bytes of every source into the fresh store.
fn sources(
    project: &Project,
    fresh: &Project,
    record: &RunRecord,
    threads: usize,
) -> Result<(), Failure> {
    for file in record.start.sources.values().flatten() {
        if let Ok(mut open) = regular::open(&project.dir, &file.path) {
            let (digest, _) = fresh.store.put_blob_file(&mut open, threads)?;
            if digest == file.digest {
                continue;
            }
        }
        let bytes = project.store.blob(&file.digest).map_err(|_| {
            Failure::wrong(format!(
                "the bytes that the run read are gone\n  expected {}\n  in       {}",
                file.digest, file.path
            ))
        })?;
        fresh.store.put_blob(&bytes)?;
    }
    Ok(())
}

/// Outputs of the recorded run that are no longer what they were. Nothing of them reaches the new run.
fn damages(store: &Store, record: &RunRecord) -> Vec<Difference> {
    let mut differences = Vec::new();
    let mut seen = BTreeSet::new();
    for step in &record.steps {
        for output in &step.outputs {
            let (digest, problem) = match &output.artifact {
                Artifact::Blob(blob) => (blob.digest, damaged_blob(store, &blob.digest)),
                Artifact::Table(summary) => (summary.digest, damaged_table(store, &summary.digest)),
            };
            if let (Some(error), true) = (problem, seen.insert(digest)) {
                let mut found = error.to_string();
                if let Some(cause) = std::error::Error::source(&error) {
                    found = format!("{found}: {cause}");
                }
                differences.push(Difference {
                    step: Some(step.name.to_string()),
                    what: format!("stored output `{}`", output.port),
                    expected: digest.to_string(),
                    found,
                    place: None,
                });
            }
        }
    }
    differences
}

/// What is wrong with a blob. One that is gone, as after a pack without results, is not damaged.
fn damaged_blob(store: &Store, digest: &Digest) -> Option<StoreError> {
    let error = store.blob(digest).err()?;
    (!matches!(error, StoreError::Missing { .. })).then_some(error)
}

fn damaged_table(store: &Store, digest: &Digest) -> Option<StoreError> {
    let table = match store.table(digest) {
        Ok(table) => table?,
        Err(error) => return Some(error),
    };
    for partition in &table.partitions {
        for (field, chunk) in table.fields.iter().zip(&partition.columns) {
            if let Err(error) = store.load(field, chunk) {
                return Some(error);
            }
        }
    }
    None
}

fn compare(expected: &Summary, found: &Summary) -> Vec<Difference> {
    let mut differences = Vec::new();
    for step in &expected.steps {
        let Some(again) = found.steps.iter().find(|other| other.name == step.name) else {
            differences.push(difference(step, "presence", "a step", "none"));
            continue;
        };
        if step.digest != again.digest {
            differences.push(difference(step, "component", &step.digest, &again.digest));
        }
        for output in &step.outputs {
            let other = again.outputs.iter().find(|other| other.port == output.port);
            let other = other.map_or("none", |other| other.digest.as_str());
            if output.digest != other {
                differences.push(difference(
                    step,
                    &format!("output `{}`", output.port),
                    &output.digest,
                    other,
                ));
            }
        }
        if step.fuel != again.fuel {
            differences.push(difference(
                step,
                "fuel",
                &step.fuel.to_string(),
                &again.fuel.to_string(),
            ));
        }
        if step.memory_bytes != again.memory_bytes {
            differences.push(difference(
                step,
                "memory",
                &step.memory_bytes.to_string(),
                &again.memory_bytes.to_string(),
            ));
        }
    }
    if expected.run_digest != found.run_digest {
        let digest = |digest: &Option<String>| digest.clone().unwrap_or_else(|| "none".to_owned());
        differences.push(Difference {
            step: None,
            what: "run digest".to_owned(),
            expected: digest(&expected.run_digest),
            found: digest(&found.run_digest),
            place: None,
        });
    }
    differences
}

fn difference(step: &StepSummary, what: &str, expected: &str, found: &str) -> Difference {
    Difference {
        step: Some(step.name.clone()),
        what: what.to_owned(),
        expected: expected.to_owned(),
        found: found.to_owned(),
        place: None,
    }
}

/// Where two tables begin to differ; none if `difference` is of something else, or one of them is gone.
fn place(store: &Store, fresh: &Store, difference: &Difference) -> Option<DifferencePlace> {
    let table = |store: &Store, digest: &str| store.sound_table(&digest.parse().ok()?).ok()?;
    let expected = table(store, &difference.expected)?;
    let found = table(fresh, &difference.found)?;
    let place = first_place((store, &expected), (fresh, &found)).ok()??;
    Some(match place {
        Place::Schema { expected, found } => DifferencePlace {
            partition: None,
            column: None,
            row: None,
            expected,
            found,
        },
        Place::Rows {
            partition,
            expected,
            found,
        } => {
            let rows = |rows: Option<u64>| match rows {
                Some(1) => "1 row".to_owned(),
                Some(rows) => format!("{rows} rows"),
                None => "no such partition".to_owned(),
            };
            DifferencePlace {
                partition: Some(partition),
                column: None,
                row: None,
                expected: rows(expected),
                found: rows(found),
            }
        }
        Place::Value {
            partition,
            column,
            difference,
        } => DifferencePlace {
            partition: Some(partition),
            column: Some(column),
            row: Some(difference.row),
            expected: difference.expected,
            found: difference.found,
        },
    })
}

/// A place as more lines of a message.
fn shown(place: &DifferencePlace) -> String {
    let mut first = Vec::new();
    first.extend(place.partition.map(|number| format!("partition {number}")));
    first.extend(place.column.as_ref().map(|name| format!("column `{name}`")));
    first.extend(place.row.map(|row| format!("row {row}")));
    let first = match first.is_empty() {
        true => "its columns".to_owned(),
        false => first.join(", "),
    };
    format!(
        "\n  first in {first}\n    expected {}\n    found    {}",
        place.expected, place.found
    )
}
