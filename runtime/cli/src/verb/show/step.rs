//! A step of a run.

use std::collections::{BTreeMap, BTreeSet};

use pinion_runtime::error::amount;
use pinion_runtime::record::{
    Artifact, LogLine, RunRecord, Size, StepFailure, StepRecord, columns_read,
};
use pinion_runtime::unit::Limits;
use serde::Serialize;
use serde_json::Value;

use super::page::{duration, facts, section, text_section, units};
use crate::failure::Failure;
use crate::ui;
use crate::verb::run::{Bytes, OutputSummary, Units, step_outcome_name, step_summary};

/// Names of columns by port.
type Columns = BTreeMap<String, BTreeSet<String>>;

/// What `pinion show STEP --json` prints.
#[derive(Serialize)]
struct StepView<'a> {
    run: String,
    name: String,
    component: String,
    digest: String,
    kind: String,
    params: Value,
    outcome: &'static str,
    inputs: Vec<InputView>,
    outputs: Vec<OutputSummary>,
    columns_read: Columns,
    columns_made: Columns,
    units: Units,
    /// Who took over what its units were known by, unseen.
    adopted_by: BTreeSet<String>,
    fuel: u64,
    peak_fuel: u64,
    memory_bytes: u64,
    output_bytes: u64,
    scratch_bytes: u64,
    log_bytes: u64,
    longest_ms: u64,
    limits: Option<Limits>,
    bytes: Bytes,
    duration_ms: u64,
    log: &'a [LogLine],
    error: Option<&'a StepFailure>,
}

#[derive(Serialize)]
struct InputView {
    port: String,
    from: String,
    digest: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    rows: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    /// Columns that the step was not handed.
    withheld: Vec<String>,
}

/// Shows a step.
pub(super) fn show(run: &RunRecord, step: &StepRecord, json: bool) -> Result<(), Failure> {
    let view = StepView::of(run, step);
    if json {
        return ui::json(&view);
    }
    let used = |text: String| {
        if step.units.is_empty() {
            String::new()
        } else {
            text
        }
    };
    facts(&[
        ("step", view.name.clone()),
        ("run", view.run.clone()),
        ("component", view.component.clone()),
        ("digest", view.digest.clone()),
        ("kind", view.kind.clone()),
        ("outcome", view.outcome.to_owned()),
        ("duration", duration(step)),
        ("units", units(step)),
        (
            "adopted",
            view.adopted_by
                .iter()
                .map(|by| format!("by {by}"))
                .collect::<Vec<_>>()
                .join("; "),
        ),
        ("fuel", used(view.fuel.to_string())),
        ("read", used(ui::bytes(view.bytes.read))),
        ("copied", used(ui::bytes(view.bytes.copied))),
        ("hashed", used(ui::bytes(view.bytes.hashed))),
        ("stored", used(ui::bytes(view.bytes.stored))),
    ]);
    if !step.units.is_empty() {
        section("used by one unit at most", most_used(run, step));
    }
    section("params", params(&view.params));
    section("inputs", view.inputs.iter().map(InputView::row).collect());
    let withheld = view
        .inputs
        .iter()
        .filter(|input| !input.withheld.is_empty());
    let withheld = withheld.map(|input| vec![input.port.clone(), input.withheld.join(", ")]);
    section("columns withheld", withheld.collect());
    section(
        "outputs",
        step.outputs
            .iter()
            .map(|output| output_row(&output.port, &output.artifact))
            .collect(),
    );
    section("columns read", columns(&view.columns_read));
    section("columns made", columns(&view.columns_made));
    section(
        "log",
        view.log
            .iter()
            .map(|line| vec![line.level.clone(), line.message.clone()])
            .collect(),
    );
    show_error(step);
    Ok(())
}

/// Shows why a step failed, if it did.
pub(super) fn show_error(step: &StepRecord) {
    let Some(error) = &step.error else { return };
    text_section(
        &format!(
            "step `{}` failed ({})",
            step.name,
            ui::harmless(&error.code)
        ),
        &indented(&error.message),
    );
    let width = error
        .details
        .iter()
        .map(|(label, _)| label.chars().count())
        .max()
        .unwrap_or(0);
    for (label, value) in &error.details {
        ui::data(&format!(
            "    {:width$} {}",
            ui::harmless(label),
            ui::harmless(value)
        ));
    }
}

/// What the unit that used most used of each limit. A record of version 1 has no limits and knows less, and
/// in one of version 2 scratch is part of the output.
fn most_used(run: &RunRecord, step: &StepRecord) -> Vec<Vec<String>> {
    let (usage, longest_ms) = (step.totals.usage, step.totals.longest_ms);
    let memory = amount::size(usage.memory_bytes);
    let Some(limits) = step.limits else {
        return vec![vec!["memory".to_owned(), memory]];
    };
    let rows = [
        (
            "fuel",
            amount::count(usage.peak_fuel),
            amount::count(limits.fuel),
        ),
        ("memory", memory, amount::size(limits.memory_bytes)),
        (
            "output",
            amount::size(usage.output_bytes),
            amount::size(limits.output_bytes),
        ),
        (
            "scratch",
            amount::size(usage.scratch_bytes),
            amount::size(limits.scratch_bytes),
        ),
        (
            "log",
            amount::size(usage.log_bytes),
            amount::size(limits.log_bytes),
        ),
        (
            "time",
            ui::duration(longest_ms),
            amount::time(limits.time_ms),
        ),
    ];
    let is_known =
        |(what, ..): &(&str, String, String)| *what != "scratch" || run.start.format >= 3;
    rows.into_iter()
        .filter(is_known)
        .map(|(what, used, limit)| vec![what.to_owned(), format!("{used} of {limit}")])
        .collect()
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}\n")).collect()
}

impl<'a> StepView<'a> {
    fn of(run: &RunRecord, step: &'a StepRecord) -> Self {
        let summary = step_summary(step);
        Self {
            run: run.start.id.to_string(),
            name: summary.name,
            component: summary.component,
            digest: summary.digest,
            kind: step.kind.clone(),
            params: serde_json::from_str(&step.params)
                .unwrap_or_else(|_| Value::String(step.params.clone())),
            outcome: step_outcome_name(step.outcome),
            inputs: InputView::all(step),
            outputs: summary.outputs,
            columns_read: columns_read(step),
            columns_made: columns_made(step),
            units: summary.units,
            adopted_by: step
                .units
                .iter()
                .filter_map(|unit| unit.adopted.clone())
                .collect(),
            fuel: summary.fuel,
            peak_fuel: step.totals.usage.peak_fuel,
            memory_bytes: summary.memory_bytes,
            output_bytes: step.totals.usage.output_bytes,
            scratch_bytes: step.totals.usage.scratch_bytes,
            log_bytes: step.totals.usage.log_bytes,
            longest_ms: step.totals.longest_ms,
            limits: step.limits,
            bytes: summary.bytes,
            duration_ms: summary.duration_ms,
            log: &step.log,
            error: step.error.as_ref(),
        }
    }
}

impl InputView {
    fn all(step: &StepRecord) -> Vec<Self> {
        let inputs = step.inputs.iter().map(|input| {
            let (rows, bytes) = match input.size {
                Size::Rows(rows) => (Some(rows), None),
                Size::Bytes(bytes) => (None, Some(bytes)),
            };
            Self {
                port: input.port.clone(),
                from: input.from.clone(),
                digest: input.digest.to_string(),
                rows,
                bytes,
                withheld: input.withheld.clone(),
            }
        });
        inputs.collect()
    }

    fn row(&self) -> Vec<String> {
        let rows = self.rows.map(|rows| format!("{rows} rows"));
        let size = rows
            .or_else(|| self.bytes.map(ui::bytes))
            .unwrap_or_default();
        vec![
            self.port.clone(),
            self.from.clone(),
            size,
            self.digest.clone(),
        ]
    }
}

fn output_row(port: &str, artifact: &Artifact) -> Vec<String> {
    let (what, size, digest) = match artifact {
        Artifact::Table(table) => (
            "table".to_owned(),
            format!("{} rows", table.rows),
            table.digest,
        ),
        Artifact::Blob(blob) => (blob.media_type.clone(), ui::bytes(blob.len), blob.digest),
    };
    vec![port.to_owned(), what, size, digest.to_string()]
}

fn params(params: &Value) -> Vec<Vec<String>> {
    match params {
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| vec![name.clone(), value.to_string()])
            .collect(),
        other => vec![vec![other.to_string()]],
    }
}

fn columns(columns: &Columns) -> Vec<Vec<String>> {
    let row = |(port, names): (&String, &BTreeSet<String>)| {
        vec![
            port.clone(),
            names
                .iter()
                .map(String::as_str)
                .collect::<Vec<_>>()
                .join(", "),
        ]
    };
    columns.iter().map(row).collect()
}

/// The columns that a step made itself, by output port.
fn columns_made(step: &StepRecord) -> Columns {
    let mut columns = Columns::new();
    for (port, names) in step.units.iter().flat_map(|unit| &unit.made) {
        columns
            .entry(port.clone())
            .or_default()
            .extend(names.iter().cloned());
    }
    columns
}
