//! `pinion plan`.

use std::collections::{BTreeMap, BTreeSet};

use pinion_runtime::diff::param_differences;
use pinion_runtime::pipeline::StepName;
use pinion_runtime::plan::{PlannedStep, Tools};
use pinion_runtime::record::{InputRecord, StepOutcome, StepRecord, columns_read};
use pinion_runtime::run::{self, Amount, Mode, Observer, Options, Prediction};
use pinion_runtime::source::Trust;
use pinion_runtime::store::{Standing, Store, StoreError};
use serde::Serialize;

use crate::args::Plan;
use crate::failure::{DONE, Failure};
use crate::project::{Project, Unlock, cancelled, threads};
use crate::ui;

#[derive(Serialize)]
struct Summary {
    pipeline: String,
    steps: Vec<StepSummary>,
}

#[derive(Serialize)]
struct StepSummary {
    name: String,
    component: String,
    digest: String,
    kind: &'static str,
    /// Null where it depends on a result that is not known yet.
    cached: Option<bool>,
    /// Which part of the key differs from the last run; null for a cached step.
    reason: Option<Reason>,
}

/// The part of a step's key that differs from the last run.
#[derive(Serialize)]
struct Reason {
    /// `new`, `component`, `params`, `input`, `depends` or `store`.
    part: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new: Option<String>,
}

struct Silent;

impl Observer for Silent {
    fn wanted(&self, _step: &PlannedStep, _units: u64) {}
    fn obtained(&self, _step: &PlannedStep, _ran: Option<Amount>) {}
    fn ended(&self, _record: &StepRecord, _again: bool) {}
    fn lost(&self, _step: &PlannedStep, _error: &StoreError) {}
}

/// Shows what would run.
pub(crate) fn plan(args: &Plan) -> Result<u8, Failure> {
    let project = Project::open(&args.place)?;
    let planned = project.plan(&args.planning, &Unlock::New, &[], Trust::Remembered)?;
    let tools = Tools {
        store: &project.store,
        sandbox: &planned.sandbox,
        data: &planned.data,
        cancel: cancelled(),
    };
    let options = Options {
        mode: Mode::Lookup,
        threads: threads(args.planning.threads),
        keep_going: true,
        clock: &|| 0,
        observer: &Silent,
    };
    let predictions = run::predict(&planned.plan, tools, options)?;
    let running = planned.plan.steps.iter().zip(&predictions);
    let running = running.filter(|(_, prediction)| matches!(prediction, Prediction::Runs(_)));
    let before = last_of_each(
        &project.store,
        running.map(|(step, _)| &step.name).collect(),
    )?;
    let steps = planned
        .plan
        .steps
        .iter()
        .zip(&predictions)
        .map(|(step, prediction)| {
            let before = before.get(&step.name);
            StepSummary {
                name: step.name.to_string(),
                component: step.reference.clone(),
                digest: step.digest().to_string(),
                kind: step.descriptor.kind.name(),
                cached: match prediction {
                    Prediction::Cached(_) => Some(true),
                    Prediction::Runs(_) => Some(false),
                    Prediction::Depends => None,
                },
                reason: reason(step, prediction, before, &planned.plan, &predictions),
            }
        });
    let summary = Summary {
        pipeline: planned.plan.name.clone(),
        steps: steps.collect(),
    };
    if args.place.json {
        ui::json(&summary)?;
    } else {
        let rows: Vec<Vec<String>> = summary.steps.iter().map(row).collect();
        let lines = ui::aligned(&rows);
        let lines: Vec<String> = lines.iter().map(|line| format!("  {line}")).collect();
        ui::data(&lines.join("\n"));
        for change in &planned.changes {
            ui::note(&format!("  would have {change}"));
        }
    }
    Ok(DONE)
}

/// How many runs to look back for one that a step ended well in.
const RUNS_BACK: usize = 20;

/// The last time that each of these steps ended well: runs of a few steps only, and failed ones, lie between.
fn last_of_each(
    store: &Store,
    mut sought: BTreeSet<&StepName>,
) -> Result<BTreeMap<StepName, (StepRecord, Standing)>, Failure> {
    let mut last = BTreeMap::new();
    for id in store.runs()?.iter().rev().take(RUNS_BACK) {
        if sought.is_empty() {
            break;
        }
        // A record that cannot be read explains nothing, which is no reason not to plan.
        let Ok((run, standing)) = store.told_run(id) else {
            continue;
        };
        for step in run.steps {
            let ended_well = matches!(step.outcome, StepOutcome::Succeeded | StepOutcome::Cached);
            if ended_well && sought.remove(&step.name) {
                last.insert(step.name.clone(), (step, standing.clone()));
            }
        }
    }
    Ok(last)
}

fn row(step: &StepSummary) -> Vec<String> {
    let how = match step.cached {
        Some(true) => "cached",
        Some(false) => "runs",
        None => "depends",
    };
    let why = step.reason.as_ref().map(describe).unwrap_or_default();
    vec![
        step.name.clone(),
        step.component.clone(),
        how.to_owned(),
        why,
    ]
}

fn describe(reason: &Reason) -> String {
    let name = reason.name.as_deref().unwrap_or_default();
    match (reason.part, &reason.old, &reason.new) {
        ("new", _, _) => "it has not run yet".to_owned(),
        ("depends", _, _) => format!("on `{name}`"),
        ("store", _, _) => "its result is not in the store".to_owned(),
        ("foreign", _, _) => "its result in the store is the sender's word".to_owned(),
        ("params", Some(old), Some(new)) => format!("param `{name}`: {old} -> {new}"),
        (part, Some(old), Some(new)) if name.is_empty() => format!("{part}: {old} -> {new}"),
        (part, Some(old), Some(new)) => format!("{part} `{name}`: {old} -> {new}"),
        (part, _, _) => format!("{part} {name}"),
    }
}

fn reason(
    step: &PlannedStep,
    prediction: &Prediction,
    before: Option<&(StepRecord, Standing)>,
    plan: &pinion_runtime::plan::Plan,
    predictions: &[Prediction],
) -> Option<Reason> {
    let plain = |part| {
        Some(Reason {
            part,
            name: None,
            old: None,
            new: None,
        })
    };
    let inputs = match prediction {
        Prediction::Cached(_) => return None,
        Prediction::Runs(inputs) => inputs,
        Prediction::Depends => {
            let unknown = step.inputs.iter().find_map(|input| match &input.from {
                pinion_runtime::plan::Origin::Step { step, .. } => {
                    (!matches!(predictions.get(*step), Some(Prediction::Cached(_))))
                        .then(|| plan.steps[*step].name.to_string())
                }
                pinion_runtime::plan::Origin::Source(_)
                | pinion_runtime::plan::Origin::Given { .. } => None,
            });
            return Some(Reason {
                part: "depends",
                name: unknown,
                old: None,
                new: None,
            });
        }
    };
    let Some((before, standing)) = before else {
        return plain("new");
    };
    if before.digest != step.digest() {
        return Some(Reason {
            part: "component",
            name: None,
            old: Some(before.digest.to_string()),
            new: Some(step.digest().to_string()),
        });
    }
    if *before.params != *step.params {
        return Some(param_reason(&before.params, &step.params));
    }
    let changed = inputs.iter().find_map(|input: &InputRecord| {
        let old = before.inputs.iter().find(|old| old.port == input.port);
        (old.map(|old| old.digest) != Some(input.digest)).then(|| Reason {
            part: "input",
            name: Some(match columns_read(before).get(&input.port) {
                Some(columns) if !columns.is_empty() => {
                    format!(
                        "{} ({})",
                        input.from,
                        columns.iter().cloned().collect::<Vec<_>>().join(", ")
                    )
                }
                _ => input.from.clone(),
            }),
            old: old.map(|old| old.digest.to_string()),
            new: Some(input.digest.to_string()),
        })
    });
    changed.or_else(|| {
        plain(match standing {
            Standing::Foreign => "foreign",
            _ => "store",
        })
    })
}

/// The first param that differs.
fn param_reason(old: &str, new: &str) -> Reason {
    let show = |value: &Option<serde_json::Value>| {
        value
            .as_ref()
            .map_or_else(|| "none".to_owned(), ToString::to_string)
    };
    match param_differences(old, new).first() {
        Some(param) => Reason {
            part: "params",
            name: Some(param.path.clone()),
            old: Some(show(&param.old)),
            new: Some(show(&param.new)),
        },
        None => Reason {
            part: "params",
            name: None,
            old: Some(old.to_owned()),
            new: Some(new.to_owned()),
        },
    }
}
