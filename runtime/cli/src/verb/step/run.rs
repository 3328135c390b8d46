//! `pinion step run`: one step again, on what it was given in a run.

use std::sync::Arc;

use pinion_runtime::component::Component;
use pinion_runtime::digest::Digest;
use pinion_runtime::lock::{ComponentKey, Origin};
use pinion_runtime::pipeline::{From, Pipeline, StepDecl};
use pinion_runtime::plan::{Given, Plan};
use pinion_runtime::record::{Artifact, OutputRecord, RunOutcome, RunRecord, StepRecord};
use pinion_runtime::run::{Mode, StoreData};
use pinion_runtime::sandbox::Kind;
use pinion_runtime::store::Store;
use pinion_runtime::unit::InputContent;
use serde::Serialize;

use crate::alone::{Alone, Reads};
use crate::args::StepRun;
use crate::config;
use crate::failure::{DONE, FAILED, Failure, INTERRUPTED};
use crate::lookup::{self, gone};
use crate::project::{PIPELINE, Project, with_trace};
use crate::rows::StoredTable;
use crate::ui;
use crate::verb::run::{self, ErrorSummary};
use crate::verb::show::artifact::show_rows;
use crate::verb::show::page::{facts, section};

/// What `pinion step run --json` prints.
#[derive(Serialize)]
struct Replay {
    step: String,
    component: String,
    digest: String,
    /// The run that the inputs are of.
    run: String,
    partition: Option<u64>,
    outcome: &'static str,
    /// Whether component and params are those of the run. Then outputs have to be, too.
    same_step: bool,
    /// Whether every output that the run has is equal; null if it has none.
    equal: Option<bool>,
    outputs: Vec<Output>,
    units: u64,
    fuel: u64,
    memory_bytes: u64,
    duration_ms: u64,
    log: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<ErrorSummary>,
}

#[derive(Serialize)]
struct Output {
    port: String,
    digest: String,
    /// Of the same in the run, if it is there.
    recorded: Option<String>,
    equal: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
}

/// Runs a step again.
pub(super) fn run(args: &StepRun) -> Result<u8, Failure> {
    let caps = config::caps(&args.caps)?;
    let project = Project::open_present(&args.place)?;
    let record = lookup::run(&project, args.run.as_deref())?;
    let (pipeline, declared, component) = match args.recorded {
        true => recorded(&project, &record, &args.step)?,
        false => today(&project, &record, &args.step)?,
    };
    let reads = reads(&project.store, &record, &declared)?;
    let files: Vec<_> = reads.sources.values().flatten().cloned().collect();
    let dir = project.dir.try_clone();
    let dir = dir.map_err(|error| Failure::on_path("open", project.root.display(), error))?;
    let data = StoreData::new(Arc::clone(&project.store), Some(dir), files);
    let alone = Alone::new(Arc::clone(&project.store), Arc::new(data), caps)?;
    let known = component.clone();
    let plan = alone
        .plan(&pipeline, &declared, component, reads)
        .map_err(|error| with_trace(error, |_| Some(&known), &project.root, alone.caps()))?;
    if let Some(partition) = args.partition {
        refuse_partition(&plan, partition)?;
    }
    let ended = alone.run(&plan, args.partition, Mode::Fresh)?;
    if ended.outcome == RunOutcome::Cancelled {
        return Ok(INTERRUPTED);
    }
    let failure = ended.failure.as_ref().map(|failure| {
        let shown = run::failed_step(&plan, failure, Some(&project.root), None);
        (failure.error.code().to_owned(), shown)
    });
    let Some(step) = ended.steps.first() else {
        return Ok(INTERRUPTED);
    };
    if let (Some(partition), None, true) = (args.partition, &failure, step.units.is_empty()) {
        return Err(no_partition(&plan, partition, None));
    }
    let before = record.step(&args.step);
    let replay = Replay::new(
        &project.store,
        &record,
        before,
        step,
        args.partition,
        &failure,
    )?;
    if args.place.json {
        ui::json(&replay)?;
    } else {
        show(&project.store, &replay, step, args.rows)?;
    }
    if let Some((_, failure)) = failure {
        ui::failure(&failure);
        return Ok(FAILED);
    }
    if !args.place.json {
        ui::note(&replay.last_line());
    }
    // The same bytes on the same inputs make the same, or something is badly wrong.
    Ok(match (replay.same_step, replay.equal) {
        (true, Some(false)) => FAILED,
        _ => DONE,
    })
}

/// The step as the pipeline has it today, with the params, the seed and the layout of the run.
fn today(
    project: &Project,
    record: &RunRecord,
    name: &str,
) -> Result<(Pipeline, StepDecl, Component), Failure> {
    let text = project.text(PIPELINE)?.unwrap_or_default();
    let mut pipeline = lookup::pipeline(&text, record)?;
    pipeline.seed = record.start.seed;
    pipeline.layout = record.start.layout;
    pinion_runtime::plan::refuse_unknown(&pipeline, &[name.to_owned()])?;
    let declared = declared(&pipeline, name)?;
    let component = project.component(&declared)?;
    Ok((pipeline, declared, component))
}

/// The step as it was in the run.
fn recorded(
    project: &Project,
    record: &RunRecord,
    name: &str,
) -> Result<(Pipeline, StepDecl, Component), Failure> {
    let step = lookup::StepName::parse(name).find(record)?;
    let text = project
        .store
        .blob(&record.start.pipeline_text)
        .map_err(gone)?;
    let pipeline = lookup::pipeline(&String::from_utf8_lossy(&text), record)?;
    let declared = declared(&pipeline, name)?;
    let bytes = project.store.component(&step.digest)?.ok_or_else(|| {
        Failure::wrong(format!(
            "the component that step `{name}` had in run `{}` is gone\n  expected {}",
            record.start.id, step.digest
        ))
    })?;
    let component = Component {
        key: ComponentKey {
            name: declared.component.lock_name(),
            version: None,
        },
        origin: Origin::File,
        digest: step.digest,
        bytes: bytes.into(),
    };
    Ok((pipeline, declared, component))
}

fn declared(pipeline: &Pipeline, name: &str) -> Result<StepDecl, Failure> {
    let declared = pipeline.step(name).cloned();
    declared.ok_or_else(|| Failure::wrong(format!("there is no step `{name}`")))
}

/// What the run has of all that the step reads.
fn reads(store: &Store, record: &RunRecord, declared: &StepDecl) -> Result<Reads, Failure> {
    let mut reads = Reads::default();
    let missing = |from: &From| {
        Failure::wrong(format!(
            "run `{}` has nothing of `{from}`, which step `{}` reads\n  in {}",
            record.start.id, declared.name, declared.place
        ))
        .hint("to make it, run `pinion run`; to use another run, name it with `--run`")
    };
    for input in &declared.inputs {
        match &input.from {
            From::Source(name) => {
                let files = record.start.sources.get(name);
                let files = files.ok_or_else(|| missing(&input.from))?;
                reads.sources.insert(name.clone(), files.clone());
            }
            From::Step { name, .. } => {
                let step = record.step(name.as_str());
                let outputs = step.map(|step| step.outputs.as_slice()).unwrap_or_default();
                if outputs.is_empty() {
                    return Err(missing(&input.from));
                }
                let given = outputs.iter().map(|output| given(store, output));
                let given = given.collect::<Result<_, Failure>>()?;
                reads.given.insert(name.clone(), given);
            }
        }
    }
    Ok(reads)
}

fn given(store: &Store, output: &OutputRecord) -> Result<Given, Failure> {
    let content = match &output.artifact {
        Artifact::Table(table) => {
            InputContent::Table(Arc::new(store.present_table(&table.digest).map_err(gone)?))
        }
        Artifact::Blob(blob) => InputContent::Blob(blob.clone()),
    };
    Ok(Given {
        port: output.port.clone(),
        content,
    })
}

/// Refuses a partition that the step cannot be run on alone.
fn refuse_partition(plan: &Plan, partition: u64) -> Result<(), Failure> {
    let Some(step) = plan.steps.first() else {
        return Ok(());
    };
    let kind = step.descriptor.kind;
    if let Kind::Reduce | Kind::WholeTable = kind {
        return Err(Failure::wrong(format!(
            "step `{}` is a {} and cannot be run on one partition",
            step.name,
            kind.name()
        ))
        .hint("leave out `--partition`"));
    }
    let main = step.inputs.iter().find(|input| input.main);
    if let Some(pinion_runtime::plan::Origin::Given {
        content: InputContent::Table(table),
        ..
    }) = main.map(|input| &input.from)
    {
        let partitions = table.partitions.len() as u64;
        if partition >= partitions {
            return Err(no_partition(plan, partition, Some(partitions)));
        }
    }
    Ok(())
}

fn no_partition(plan: &Plan, partition: u64, partitions: Option<u64>) -> Failure {
    let name = plan.steps.first().map(|step| step.name.to_string());
    let expected = match partitions {
        Some(0) => "\n  found no partitions".to_owned(),
        Some(1) => "\n  expected 0, the only one".to_owned(),
        Some(partitions) => format!("\n  expected one of 0 to {}", partitions - 1),
        None => String::new(),
    };
    Failure::wrong(format!(
        "step `{}` has no partition {partition}{expected}",
        name.unwrap_or_default()
    ))
}

impl Replay {
    fn new(
        store: &Store,
        record: &RunRecord,
        before: Option<&StepRecord>,
        step: &StepRecord,
        partition: Option<u64>,
        failure: &Option<(String, Failure)>,
    ) -> Result<Self, Failure> {
        let outputs = step.outputs.iter().map(|output| {
            let of_run = before.and_then(|before| {
                let mut outputs = before.outputs.iter();
                let output = outputs.find(|other| other.port == output.port)?;
                Some((before, output))
            });
            compared(store, output, of_run, partition)
        });
        let outputs: Vec<Output> = outputs.collect::<Result<_, _>>()?;
        let known: Vec<bool> = outputs.iter().filter_map(|output| output.equal).collect();
        Ok(Self {
            step: step.name.to_string(),
            component: step.component.clone(),
            digest: step.digest.to_string(),
            run: record.start.id.to_string(),
            partition,
            outcome: match failure {
                Some(_) => "failed",
                None => "succeeded",
            },
            same_step: before
                .is_some_and(|before| before.digest == step.digest && before.params == step.params),
            equal: (!known.is_empty()).then(|| known.iter().all(|equal| *equal)),
            outputs,
            units: step.totals.units,
            fuel: step.totals.usage.fuel,
            memory_bytes: step.totals.usage.memory_bytes,
            duration_ms: step.duration_ms,
            log: step
                .log
                .iter()
                .map(|line| format!("{}: {}", line.level, line.message))
                .collect(),
            error: failure.as_ref().map(|(code, failure)| ErrorSummary {
                step: step.name.to_string(),
                code: code.clone(),
                message: failure.error.to_string(),
            }),
        })
    }

    fn last_line(&self) -> String {
        let run = &self.run;
        let of = match self.partition {
            Some(partition) => format!("partition {partition} of run {run}"),
            None => format!("run {run}"),
        };
        let step = match self.same_step {
            true => "the same component with the same params",
            false => "another component or other params",
        };
        match self.equal {
            None => format!("there is nothing in run {run} to compare with"),
            Some(true) => format!("every output is equal to that of {of} ({step})"),
            Some(false) => {
                let differing = self
                    .outputs
                    .iter()
                    .filter(|output| output.equal == Some(false));
                let ports: Vec<String> = differing
                    .map(|output| format!("`{}`", output.port))
                    .collect();
                let noun = if ports.len() == 1 {
                    "output"
                } else {
                    "outputs"
                };
                let verb = if ports.len() == 1 {
                    "differs"
                } else {
                    "differ"
                };
                format!(
                    "{noun} {} {verb} from that of {of} ({step})",
                    ports.join(", ")
                )
            }
        }
    }
}

/// An output beside that of the run.
fn compared(
    store: &Store,
    output: &OutputRecord,
    of_run: Option<(&StepRecord, &OutputRecord)>,
    partition: Option<u64>,
) -> Result<Output, Failure> {
    let (digest, rows, bytes) = match &output.artifact {
        Artifact::Table(table) => (table.digest, Some(table.rows), None),
        Artifact::Blob(blob) => (blob.digest, None, Some(blob.len)),
    };
    let recorded = match (of_run, partition) {
        (None, _) => None,
        (Some((_, output)), None) => Some(artifact_digest(&output.artifact)),
        (Some((step, output)), Some(partition)) => of_partition(store, step, output, partition)?,
    };
    Ok(Output {
        port: output.port.clone(),
        digest: digest.to_string(),
        recorded: recorded.map(|digest| digest.to_string()),
        equal: recorded.map(|recorded| recorded == digest),
        rows,
        bytes,
    })
}

fn artifact_digest(artifact: &Artifact) -> Digest {
    match artifact {
        Artifact::Table(table) => table.digest,
        Artifact::Blob(blob) => blob.digest,
    }
}

/// The digest of what a unit put out, as a table of its own. None if units and partitions do not go together
/// one by one.
fn of_partition(
    store: &Store,
    step: &StepRecord,
    output: &OutputRecord,
    partition: u64,
) -> Result<Option<Digest>, Failure> {
    let Artifact::Table(summary) = &output.artifact else {
        return Ok(None);
    };
    let unit = step
        .units
        .iter()
        .position(|unit| unit.position == Some(partition));
    if step.units.len() as u64 != summary.partitions {
        return Ok(None);
    }
    let table = match store.present_table(&summary.digest) {
        Ok(table) => table,
        Err(error) if error.is_miss() => return Ok(None),
        Err(error) => return Err(Failure::from(error)),
    };
    Ok(unit
        .and_then(|unit| table.partition(unit))
        .map(|table| table.digest()))
}

fn show(store: &Store, replay: &Replay, step: &StepRecord, rows: usize) -> Result<(), Failure> {
    let usage = format!(
        "{} fuel, {} memory, {}",
        replay.fuel,
        ui::bytes(replay.memory_bytes),
        ui::duration(replay.duration_ms)
    );
    facts(&[
        ("step", replay.step.clone()),
        (
            "component",
            format!("{} {}", replay.component, replay.digest),
        ),
        ("inputs of run", replay.run.clone()),
        (
            "partition",
            replay
                .partition
                .map(|at| at.to_string())
                .unwrap_or_default(),
        ),
        (
            "used",
            if replay.outcome == "failed" {
                String::new()
            } else {
                usage
            },
        ),
    ]);
    for (output, view) in step.outputs.iter().zip(&replay.outputs) {
        let amount = match &output.artifact {
            Artifact::Table(table) => format!("{} rows", table.rows),
            Artifact::Blob(blob) => ui::bytes(blob.len),
        };
        let row = |label: &str, value: String| vec![label.to_owned(), value];
        let mut lines = vec![row("made", format!("{amount}, {}", view.digest))];
        match (&view.recorded, view.equal) {
            (Some(recorded), Some(false)) => lines.push(row("in the run", recorded.clone())),
            (_, Some(true)) => lines.push(row("in the run", "equal".to_owned())),
            _ => lines.push(row("in the run", "not there".to_owned())),
        }
        section(&format!("output {}", output.port), lines);
        if let Artifact::Table(table) = &output.artifact {
            show_rows(&StoredTable::open(store, &table.digest)?, rows)?;
        }
    }
    let log = replay.log.iter().map(|line| vec![line.clone()]);
    section("log", log.collect());
    Ok(())
}
