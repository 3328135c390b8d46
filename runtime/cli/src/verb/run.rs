//! `pinion run`.

mod watch;

use std::path::Path;

use pinion_runtime::plan::{Plan, Tools};
use pinion_runtime::record::{
    Artifact, RECORD_VERSION, RunEnd, RunId, RunOutcome, RunStart, StepOutcome, StepRecord,
};
use pinion_runtime::run::{self, Ended, Mode, Options};
use pinion_runtime::sandbox::{Kind, StepError};
use pinion_runtime::source::Trust;
use pinion_runtime::store::StoreError;
use pinion_runtime::unit::SEMANTICS;
use serde::{Deserialize, Serialize};

use crate::args::Run;
use crate::clock;
use crate::config;
use crate::failure::{DONE, FAILED, Failure, INTERRUPTED, is_full, make_room};
use crate::project::{Planned, Project, Unlock, cancelled, end_in_good_order, threads};
use crate::symbols;
use crate::ui::{self, Progress};

/// What `pinion run --json` prints; a stable interface, and what `pinion verify --expect` reads, which
/// can do without what differs from run to run.
#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct Summary {
    #[serde(default)]
    pub(crate) run: String,
    pub(crate) run_digest: Option<String>,
    #[serde(default)]
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) duration_ms: u64,
    pub(crate) steps: Vec<StepSummary>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) error: Option<ErrorSummary>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct StepSummary {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) component: String,
    pub(crate) digest: String,
    #[serde(default)]
    pub(crate) outcome: String,
    #[serde(default)]
    pub(crate) units: Units,
    /// Of all output tables together.
    #[serde(default)]
    pub(crate) rows: u64,
    pub(crate) outputs: Vec<OutputSummary>,
    pub(crate) fuel: u64,
    pub(crate) memory_bytes: u64,
    #[serde(default)]
    pub(crate) duration_ms: u64,
    #[serde(default)]
    pub(crate) bytes: Bytes,
}

#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Units {
    pub(crate) run: u64,
    pub(crate) cached: u64,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct OutputSummary {
    pub(crate) port: String,
    pub(crate) digest: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub(crate) bytes: Option<u64>,
}

#[derive(Debug, Default, Deserialize, Serialize)]
pub(crate) struct Bytes {
    pub(crate) read: u64,
    pub(crate) copied: u64,
    pub(crate) hashed: u64,
    pub(crate) stored: u64,
}

#[derive(Debug, Deserialize, Serialize)]
pub(crate) struct ErrorSummary {
    pub(crate) step: String,
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Runs the pipeline; with `--watch` again and again.
pub(crate) fn run(args: &Run) -> Result<u8, Failure> {
    match args.watch {
        true => watch::watch(args),
        false => once(args),
    }
}

fn once(args: &Run) -> Result<u8, Failure> {
    let project = Project::open(&args.place)?;
    once_in(&project, args).map_err(|failure| failure.in_store(&project.store_path))
}

fn once_in(project: &Project, args: &Run) -> Result<u8, Failure> {
    let mut planned = project.plan(&args.planning, &Unlock::New, &args.steps, Trust::Remembered)?;
    project.write_lock(&planned, &args.planning)?;
    planned.plan = planned.plan.only(&args.steps)?;
    let mode = if args.no_cache {
        Mode::Fresh
    } else {
        Mode::Cached
    };
    let threads = threads(args.planning.threads);
    let (id, ended) = record(
        project,
        &planned,
        mode,
        threads,
        args.keep_going,
        args.place.json,
    )?;
    if args.place.json {
        ui::json(&summary(&id, &ended, &planned, &project.root))?;
    } else {
        ui::note(&last_line(&id, &ended));
    }
    let code = match ended.outcome {
        RunOutcome::Succeeded => DONE,
        RunOutcome::Cancelled => INTERRUPTED,
        RunOutcome::Failed | RunOutcome::Interrupted => {
            let failure = failed(&planned, &ended, &project.root, || {
                replay(args, &id, &planned, &ended)
            });
            let full = ended.failure.as_ref();
            let full = full.is_some_and(|failure| is_full(&failure.error));
            ui::failure(&match full {
                true => failure.hint(make_room(&project.store_path)),
                false => failure,
            });
            FAILED
        }
    };
    if !args.watch {
        // The process ends now, and the system takes all memory back at once.
        std::mem::forget(planned);
    }
    Ok(code)
}

/// Runs a plan and records it in the project's store.
pub(crate) fn record(
    project: &Project,
    planned: &Planned,
    mode: Mode,
    threads: usize,
    keep_going: bool,
    quiet: bool,
) -> Result<(RunId, Ended), Failure> {
    end_in_good_order();
    let store = &project.store;
    let pipeline_text = store.put_blob(planned.pipeline_text.as_bytes())?.0;
    let lock_text = store.put_blob(planned.lock_text.as_bytes())?.0;
    let (id, mut writer) = loop {
        let id = clock::run_id(store.last_id()?.as_ref())?;
        match store.create_run(&id) {
            Ok(writer) => break (id, writer),
            // Another run began at the same moment; the next id is after its.
            Err(StoreError::RunExists { .. }) => {}
            Err(error) => return Err(error.into()),
        }
    };
    let start = RunStart {
        format: RECORD_VERSION,
        id: id.clone(),
        pipeline: planned.plan.name.clone(),
        semantics: SEMANTICS.to_owned(),
        seed: planned.plan.seed,
        layout: planned.plan.layout,
        pipeline_text,
        lock_text,
        params: planned.plan.params.clone(),
        sources: planned.plan.sources.clone(),
        steps: planned
            .plan
            .steps
            .iter()
            .map(|step| step.name.clone())
            .collect(),
        started: clock::now(),
    };
    let progress = Progress::new(&planned.plan.steps, quiet);
    let elapsed = clock::elapsed();
    let options = Options {
        mode,
        threads,
        keep_going,
        clock: &*elapsed,
        observer: &progress,
    };
    let tools = Tools {
        store,
        sandbox: &planned.sandbox,
        data: &planned.data,
        cancel: cancelled(),
    };
    let ended = run::execute(
        &planned.plan,
        tools,
        options,
        start,
        &mut writer,
        &clock::now,
    );
    progress.finish();
    Ok((id, ended?))
}

fn last_line(id: &RunId, ended: &Ended) -> String {
    let cached = ended
        .steps
        .iter()
        .filter(|step| step.outcome == StepOutcome::Cached)
        .count();
    let how = outcome_name(ended.outcome);
    format!(
        "run {id} {how}: {}, {cached} cached, {}",
        ui::counted(ended.steps.len() as u64, "step"),
        ui::duration(ended.duration_ms)
    )
}

pub(crate) fn outcome_name(outcome: RunOutcome) -> &'static str {
    match outcome {
        RunOutcome::Succeeded => "succeeded",
        RunOutcome::Failed => "failed",
        RunOutcome::Cancelled => "cancelled",
        RunOutcome::Interrupted => "interrupted",
    }
}

pub(crate) fn step_outcome_name(outcome: StepOutcome) -> &'static str {
    match outcome {
        StepOutcome::Succeeded => "succeeded",
        StepOutcome::Cached => "cached",
        StepOutcome::Failed => "failed",
        StepOutcome::Skipped => "skipped",
        StepOutcome::Cancelled => "cancelled",
    }
}

/// The message for a run that failed.
pub(crate) fn failed(
    planned: &Planned,
    ended: &Ended,
    root: &Path,
    again: impl FnOnce() -> Option<String>,
) -> Failure {
    match &ended.failure {
        Some(failure) => failed_step(&planned.plan, failure, Some(root), again()),
        None => Failure::failed("the run failed"),
    }
}

/// The command that runs the unit again that failed.
fn replay(args: &Run, id: &RunId, planned: &Planned, ended: &Ended) -> Option<String> {
    let failure = ended.failure.as_ref()?;
    let step = &planned.plan.steps[failure.step];
    let mut command = format!("pinion step run {} --run {id}", step.name);
    // The rounds of a reduce step go through all partitions.
    let alone = matches!(step.descriptor.kind, Kind::Source | Kind::RowMap);
    if let (Some(position), true) = (failure.position, alone) {
        command = format!("{command} --partition {position}");
    }
    for (option, path) in [
        ("-C", &args.place.directory),
        ("--store", &args.place.store),
    ] {
        if let Some(path) = path {
            command = format!("{command} {option} {}", quoted(&path.display().to_string()));
        }
    }
    Some(command)
}

/// A word of a command as shells read it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./+:=@%,".contains(c);
    match !word.is_empty() && word.chars().all(plain) {
        true => word.to_owned(),
        false => format!("'{}'", word.replace('\'', "'\\''")),
    }
}

/// The message for a step that failed: the step, its own words, its facts, and where it stands.
///
/// Debug information of the project at `root` says where a step was that trapped, and `again` is the command
/// that runs it again.
pub(crate) fn failed_step(
    plan: &Plan,
    failure: &run::Failure,
    root: Option<&Path>,
    again: Option<String>,
) -> Failure {
    let step = &plan.steps[failure.step];
    let mut message = format!("step `{}` failed", step.name);
    let mut hint = None;
    let mut facts: Vec<(&str, String)> = Vec::new();
    match &failure.error {
        StepError::Refused {
            message: words,
            details,
            ..
        } => {
            message = format!("{message}: {words}");
            for (label, value) in details {
                if label == "hint" {
                    hint = Some(value.clone());
                } else {
                    facts.push((label, value.clone()));
                }
            }
        }
        StepError::Trapped {
            message: words,
            stderr,
            frames,
        } => {
            message = format!("{message}: it trapped: {words}");
            let lines = stderr.iter().filter(|line| !line.trim().is_empty());
            facts.extend(lines.map(|line| ("stderr", line.clone())));
            if let Some(root) = root {
                let component = &step.component;
                let frames = symbols::frames(component.digest, &component.bytes, root, frames);
                facts.extend(frames.iter().map(|frame| ("at", frame.to_string())));
            }
            hint = again.map(|again| format!("to run exactly this again, run `{again}`"));
        }
        StepError::LimitReached(limit) => {
            message = format!("{message}: its {} limit is reached", limit.what);
            facts.extend(limit.facts());
            hint = limit.larger().map(|larger| {
                format!(
                    "to allow it more, set `limits = {{ {} = {larger} }}` under `[steps.{}]`",
                    limit.what, step.name
                )
            });
        }
        StepError::OutOfTime(late) => {
            message = format!("{message}: it has not ended in time");
            facts.extend(late.facts());
            hint = Some(format!(
                "the step hangs, or the machine is too slow for it; to give it longer, set `limits = {{ time = {} }}` under `[steps.{}]`",
                late.larger(),
                step.name
            ));
        }
        other => {
            message = format!("{message}: {other}");
            let mut source = std::error::Error::source(other);
            while let Some(cause) = source {
                message = format!("{message}\ncaused by: {cause}");
                source = cause.source();
            }
            hint = match other {
                StepError::Data(_) => Some("to look at every byte in the store, run `pinion doctor`"),
                StepError::Diverged(_) => Some(
                    "one of the engines, or the host between them, is wrong; please report it, with the component and what it was given",
                ),
                _ => None,
            }
            .map(str::to_owned);
        }
    }
    // To set a limit where a cap holds would be refused.
    hint = config::advice(&failure.error, &plan.caps).or(hint);
    if let Some(position) = failure.position {
        facts.push(("partition", position.to_string()));
    }
    facts.push((
        "in",
        format!("{}, component {}", step.place, step.reference),
    ));
    let failed = Failure::failed(format!("{message}{}", laid_out(&facts)));
    match hint {
        Some(hint) => failed.hint(hint),
        None => failed,
    }
}

/// Indented facts below a message, with their values aligned.
pub(crate) fn laid_out(facts: &[(&str, String)]) -> String {
    let width = facts.iter().map(|(label, _)| label.len()).max();
    let width = width.unwrap_or(0);
    let fact = |(label, value): &(&str, String)| {
        let value = value.replace('\n', &format!("\n  {:width$} ", ""));
        format!("\n  {label:width$} {value}")
    };
    facts.iter().map(fact).collect()
}

pub(crate) fn summary(id: &RunId, ended: &Ended, planned: &Planned, root: &Path) -> Summary {
    let end = RunEnd {
        outcome: ended.outcome,
        run_digest: ended.run_digest,
        duration_ms: ended.duration_ms,
        finished: String::new(),
    };
    let mut summary = summarise(id, &ended.steps, &end);
    summary.error = ended.failure.as_ref().map(|failure| ErrorSummary {
        step: planned.plan.steps[failure.step].name.to_string(),
        code: failure.error.code().to_owned(),
        message: failed_step(&planned.plan, failure, Some(root), None)
            .error
            .to_string(),
    });
    summary
}

pub(crate) fn summarise(id: &RunId, steps: &[StepRecord], end: &RunEnd) -> Summary {
    Summary {
        run: id.to_string(),
        run_digest: end.run_digest.map(|digest| digest.to_string()),
        outcome: outcome_name(end.outcome).to_owned(),
        duration_ms: end.duration_ms,
        steps: steps.iter().map(step_summary).collect(),
        error: None,
    }
}

pub(crate) fn step_summary(step: &StepRecord) -> StepSummary {
    let output = |output: &pinion_runtime::record::OutputRecord| match &output.artifact {
        Artifact::Table(table) => OutputSummary {
            port: output.port.clone(),
            digest: table.digest.to_string(),
            rows: Some(table.rows),
            bytes: None,
        },
        Artifact::Blob(blob) => OutputSummary {
            port: output.port.clone(),
            digest: blob.digest.to_string(),
            rows: None,
            bytes: Some(blob.len),
        },
    };
    let outputs: Vec<OutputSummary> = step.outputs.iter().map(output).collect();
    StepSummary {
        name: step.name.to_string(),
        component: step.component.clone(),
        digest: step.digest.to_string(),
        outcome: step_outcome_name(step.outcome).to_owned(),
        units: Units {
            run: step.totals.units - step.totals.cached,
            cached: step.totals.cached,
        },
        rows: outputs.iter().filter_map(|output| output.rows).sum(),
        outputs,
        fuel: step.totals.usage.fuel,
        memory_bytes: step.totals.usage.memory_bytes,
        duration_ms: step.duration_ms,
        bytes: Bytes {
            read: step.totals.bytes.read,
            copied: step.totals.bytes.copied,
            hashed: step.totals.bytes.hashed,
            stored: step.totals.bytes.stored,
        },
    }
}
