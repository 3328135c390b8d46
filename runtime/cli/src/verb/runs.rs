//! `pinion runs`.

use pinion_runtime::record::{RunId, RunRecord, StepOutcome};
use serde::Serialize;

use crate::args::Runs;
use crate::failure::{DONE, Failure};
use crate::project::Project;
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
    run_digest: Option<String>,
}

/// Lists the runs in the store.
pub(crate) fn runs(args: &Runs) -> Result<u8, Failure> {
    let project = Project::open_to_read(&args.place)?;
    let mut runs = Vec::new();
    for id in project.store.runs()?.into_iter().rev() {
        runs.push(match project.store.run(&id) {
            Ok(record) => RunSummary::of(&record),
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
    }
    Ok(DONE)
}

impl RunSummary {
    fn of(record: &RunRecord) -> Self {
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
        ]
    }
}
