//! `pinion runs`.

use pinion_runtime::record::{RunId, RunRecord, StepOutcome};
use pinion_runtime::store::Standing;
use serde::Serialize;

use crate::args::Runs;
use crate::failure::{DONE, Failure};
use crate::project::Project;
use crate::standing;
use crate::ui;
use crate::verb::run::outcome_name;

/// What `pinion runs --json` prints.
#[derive(Serialize)]
struct Summary {
    /// The newest first.
    runs: Vec<RunSummary>,
}

#[derive(Serialize)]
struct RunSummary {
    run: String,
    pipeline: Option<String>,
    /// `unreadable` if the record is damaged or of a newer version; then nothing else is known.
    outcome: &'static str,
    steps: Option<usize>,
    cached: Option<usize>,
    duration_ms: Option<u64>,
    started: Option<String>,
    /// `own`, `verified`, `adopted` or `foreign`, which is the sender's word.
    standing: Option<&'static str>,
    run_digest: Option<String>,
}

/// What is not worth a word in a list.
const OWN: &str = "own";

/// Lists the runs in the store.
pub(crate) fn runs(args: &Runs) -> Result<u8, Failure> {
    let project = Project::open_to_read(&args.place)?;
    let mut runs = Vec::new();
    for id in project.store.runs()?.into_iter().rev() {
        runs.push(match project.store.told_run(&id) {
            Ok((record, standing)) => RunSummary::of(&record, &standing),
            Err(error) => {
                ui::failure(&Failure::from(error));
                RunSummary::unreadable(&id)
            }
        });
    }
    let summary = Summary { runs };
    if args.place.json {
        ui::json(&summary)?;
    } else if summary.runs.is_empty() {
        ui::note("there are no runs in the store");
    } else {
        let rows: Vec<Vec<String>> = summary.runs.iter().map(RunSummary::row).collect();
        for line in ui::aligned(&rows) {
            ui::data(&line);
        }
        let foreign = |run: &&RunSummary| run.standing == Some(standing::name(&Standing::Foreign));
        let foreign = summary.runs.iter().filter(foreign).count();
        if foreign > 0 {
            ui::note(&format!(
                "  {} marked foreign: the sender's word, not written with this store's key; `pinion verify RUN` makes one again, `pinion adopt RUN` takes it over",
                ui::counted(foreign as u64, "run")
            ));
        }
    }
    Ok(DONE)
}

impl RunSummary {
    fn of(record: &RunRecord, standing: &Standing) -> Self {
        let cached = record
            .steps
            .iter()
            .filter(|step| step.outcome == StepOutcome::Cached)
            .count();
        Self {
            run: record.start.id.to_string(),
            pipeline: Some(record.start.pipeline.clone()),
            outcome: outcome_name(record.outcome()),
            steps: Some(record.start.steps.len()),
            cached: Some(cached),
            duration_ms: record.end.as_ref().map(|end| end.duration_ms),
            started: Some(record.start.started.clone()),
            standing: Some(standing::name(standing)),
            run_digest: record
                .end
                .as_ref()
                .and_then(|end| end.run_digest)
                .map(|digest| digest.to_string()),
        }
    }

    fn unreadable(id: &RunId) -> Self {
        Self {
            run: id.to_string(),
            pipeline: None,
            outcome: "unreadable",
            steps: None,
            cached: None,
            duration_ms: None,
            started: None,
            standing: None,
            run_digest: None,
        }
    }

    fn row(&self) -> Vec<String> {
        vec![
            self.run.clone(),
            self.pipeline.clone().unwrap_or_default(),
            self.outcome.to_owned(),
            self.steps
                .map(|steps| ui::counted(steps as u64, "step"))
                .unwrap_or_default(),
            self.cached
                .map(|cached| format!("{cached} cached"))
                .unwrap_or_default(),
            self.duration_ms.map(ui::duration).unwrap_or_default(),
            self.started.clone().unwrap_or_default(),
            self.run_digest.clone().unwrap_or_default(),
            self.standing
                .filter(|name| *name != OWN)
                .unwrap_or_default()
                .to_owned(),
        ]
    }
}
