//! `pinion show`.

pub(crate) mod artifact;
pub(crate) mod page;
mod step;

use std::collections::BTreeMap;

use pinion_runtime::record::{RunRecord, SourceFile, StepRecord};
use pinion_runtime::store::Standing;
use serde::Serialize;
use serde_json::Value;

use self::page::{facts, section};
use crate::args::Show;
use crate::failure::{DONE, Failure};
use crate::lookup;
use crate::project::Project;
use crate::standing;
use crate::ui;
use crate::verb::run::{StepSummary, outcome_name, step_outcome_name, step_summary};

/// What `pinion show [RUN] --json` prints.
#[derive(Serialize)]
struct RunView {
    run: String,
    pipeline: String,
    outcome: &'static str,
    /// `own`, `verified`, `adopted` or `foreign`, which is the sender's word.
    standing: &'static str,
    /// Who took it over unseen, if somebody did.
    adopted_by: Option<String>,
    run_digest: Option<String>,
    semantics: String,
    seed: u64,
    batch_rows: u32,
    partition_batches: u32,
    started: String,
    finished: Option<String>,
    duration_ms: Option<u64>,
    /// Digest of the text of the pipeline file.
    pipeline_text: String,
    /// Digest of the text of the lockfile.
    lock_text: String,
    params: BTreeMap<String, Value>,
    sources: BTreeMap<String, Vec<SourceFile>>,
    /// The steps that have ended, as `pinion run --json` has them.
    steps: Vec<StepSummary>,
    /// The names of the others.
    not_ended: Vec<String>,
}

/// Shows a run, a step, or what came out of a port.
pub(crate) fn show(args: &Show) -> Result<u8, Failure> {
    let project = Project::open_to_read(&args.place)?;
    let named = lookup::arguments(&project, &args.what)?;
    let run = &named.run;
    let standing = standing::of(&project.store, run)?;
    if named.step.is_some() {
        standing::tell(&project.store, run)?;
    }
    match named.step {
        None => show_run(run, &standing, args.place.json)?,
        Some(name) => {
            let step = name.find(run)?;
            match name.port {
                None => step::show(run, step, args.place.json)?,
                Some(port) => {
                    let output = lookup::output(step, Some(port))?;
                    artifact::show(&project.store, run, step, output, args)?;
                }
            }
        }
    }
    Ok(DONE)
}

fn show_run(run: &RunRecord, standing: &Standing, json: bool) -> Result<(), Failure> {
    let view = RunView::of(run, standing);
    if json {
        return ui::json(&view);
    }
    facts(&[
        ("run", view.run.clone()),
        ("written", standing::sentence(standing).unwrap_or_default()),
        ("pipeline", view.pipeline.clone()),
        ("outcome", view.outcome.to_owned()),
        ("digest", view.run_digest.clone().unwrap_or_default()),
        ("started", view.started.clone()),
        (
            "duration",
            view.duration_ms.map(ui::duration).unwrap_or_default(),
        ),
        ("semantics", view.semantics.clone()),
        ("seed", view.seed.to_string()),
        (
            "tables",
            format!(
                "{} a batch, {} a partition",
                ui::counted(u64::from(view.batch_rows), "row"),
                match view.partition_batches {
                    1 => "1 batch".to_owned(),
                    many => format!("{many} batches"),
                }
            ),
        ),
    ]);
    section(
        "params",
        view.params
            .iter()
            .map(|(name, value)| vec![name.clone(), value.to_string()])
            .collect(),
    );
    let files = view
        .sources
        .iter()
        .flat_map(|(name, files)| files.iter().map(move |file| (name, file)));
    let file = |(name, file): (&String, &SourceFile)| {
        vec![
            name.clone(),
            file.path.clone(),
            ui::bytes(file.size_bytes),
            file.digest.to_string(),
        ]
    };
    section("sources", files.map(file).collect());
    let row = |name: &_| match run.step(name) {
        Some(step) => step_row(step),
        None => vec![name.to_owned(), String::new(), "not ended".to_owned()],
    };
    section(
        "steps",
        run.start
            .steps
            .iter()
            .map(|name| row(name.as_str()))
            .collect(),
    );
    for step in &run.steps {
        step::show_error(step);
    }
    Ok(())
}

fn step_row(step: &StepRecord) -> Vec<String> {
    vec![
        step.name.to_string(),
        step.component.clone(),
        step_outcome_name(step.outcome).to_owned(),
        page::units(step),
        ui::made(step),
        page::duration(step),
    ]
}

impl RunView {
    fn of(run: &RunRecord, standing: &Standing) -> Self {
        let start = &run.start;
        let end = run.end.as_ref();
        let not_ended = start
            .steps
            .iter()
            .filter(|name| run.step(name.as_str()).is_none());
        Self {
            run: start.id.to_string(),
            pipeline: start.pipeline.clone(),
            outcome: outcome_name(run.outcome()),
            standing: standing::name(standing),
            adopted_by: standing.adopted_by().map(str::to_owned),
            run_digest: end
                .and_then(|end| end.run_digest)
                .map(|digest| digest.to_string()),
            semantics: start.semantics.clone(),
            seed: start.seed,
            batch_rows: start.layout.batch_rows,
            partition_batches: start.layout.partition_batches,
            started: start.started.clone(),
            finished: end.map(|end| end.finished.clone()),
            duration_ms: end.map(|end| end.duration_ms),
            pipeline_text: start.pipeline_text.to_string(),
            lock_text: start.lock_text.to_string(),
            params: start.params.clone(),
            sources: start
                .sources
                .iter()
                .map(|(name, files)| (name.to_string(), files.clone()))
                .collect(),
            steps: run.steps.iter().map(step_summary).collect(),
            not_ended: not_ended.map(ToString::to_string).collect(),
        }
    }
}
