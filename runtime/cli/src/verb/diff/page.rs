//! What a comparison shows, as sections of rows, however they are laid out.

use pinion_runtime::diff::{
    BlobDiff, Cell, ComponentDiff, ComponentSide, Effect, FileSide, OutputDiff, OutputSide,
    Presence, RunDiff, Sides, SourceDiff, StepDiff, TableFigures, ValueDiff,
};
use pinion_runtime::record::{StepFailure, StepOutcome};
use serde_json::Value;

use super::piece::{Phrase, name, value, value_or_none, words};
use super::reason::{what, why};
use super::view::difference;
use crate::ui;
use crate::verb::run::{outcome_name, step_outcome_name};

/// A whole comparison.
pub(super) struct Page {
    /// The id of the old run.
    pub(super) old: String,
    /// The id of the new run.
    pub(super) new: String,
    /// What is compared.
    pub(super) title: Phrase,
    /// Facts of the runs as a whole.
    pub(super) facts: Section,
    pub(super) sections: Vec<Section>,
    /// Whether anything differs, in a sentence.
    pub(super) verdict: Phrase,
}

/// Rows of one kind.
pub(super) struct Section {
    pub(super) title: Phrase,
    pub(super) columns: Vec<&'static str>,
    pub(super) rows: Vec<Vec<Phrase>>,
    /// Whether the names of the columns are needed to read it.
    pub(super) headed: bool,
    /// How many rows were left out.
    pub(super) more: usize,
}

impl Page {
    /// Of each table and of each model the first `limit` values are shown, or all if it is 0.
    pub(super) fn of(diff: &RunDiff, limit: usize) -> Self {
        let mut sections = vec![
            values("settings", &["setting", "old", "new"], &diff.settings),
            values("params", &["param", "old", "new"], &diff.params),
            pipeline(&diff.steps),
            components(&diff.components),
            sources(&diff.sources),
            step_params(&diff.steps),
            outcomes(&diff.steps),
            outputs(&diff.outputs),
        ];
        sections.extend(diff.figures.iter().map(|table| figures(table, limit)));
        sections.extend(diff.blobs.iter().map(|blob| fields(blob, limit)));
        sections.push(reasons(&diff.steps));
        sections.push(unread(&diff.unread));
        sections.retain(|section| !section.rows.is_empty());
        Self {
            old: diff.old.id.to_string(),
            new: diff.new.id.to_string(),
            title: vec![
                words("Pipeline "),
                name(&diff.new.pipeline),
                words(": run "),
                name(&diff.old.id),
                words(" → "),
                name(&diff.new.id),
            ],
            facts: facts(diff),
            sections,
            verdict: verdict(diff),
        }
    }
}

impl Section {
    fn new(title: &str, columns: &[&'static str], rows: Vec<Vec<Phrase>>) -> Self {
        Self {
            title: vec![words(title)],
            columns: columns.to_vec(),
            rows,
            headed: false,
            more: 0,
        }
    }
}

fn verdict(diff: &RunDiff) -> Phrase {
    let words = |text: String| vec![words(text)];
    if diff.is_equal() {
        return words("the runs are equal".to_owned());
    }
    let results = match (diff.old.run_digest, diff.new.run_digest) {
        (Some(old), Some(new)) if old == new => ", their results are equal",
        _ => "",
    };
    let of = |effect: Effect| {
        diff.steps
            .iter()
            .filter(|step| step.effect == effect)
            .count()
    };
    let counts = [
        (of(Effect::OtherKey), "with another key"),
        (of(Effect::PassedOn), "passing on other columns"),
        (of(Effect::Unexplained), "unexplained"),
    ];
    let counts = counts.iter().filter(|(count, _)| *count > 0);
    let counts: Vec<String> = counts
        .map(|(count, how)| format!("{} {how}", ui::counted(*count as u64, "step")))
        .collect();
    let counts = match counts.is_empty() {
        true => String::new(),
        false => format!(": {}", counts.join(", ")),
    };
    words(format!("the runs differ{results}{counts}"))
}

fn facts(diff: &RunDiff) -> Section {
    let (old, new) = (&diff.old, &diff.new);
    let digest = |digest: Option<pinion_runtime::digest::Digest>| {
        value_or_none(digest.map(|digest| short(&digest)))
    };
    let rows = [
        ("pipeline", value(&old.pipeline), value(&new.pipeline)),
        (
            "outcome",
            value(outcome_name(old.outcome)),
            value(outcome_name(new.outcome)),
        ),
        ("digest", digest(old.run_digest), digest(new.run_digest)),
    ];
    let rows = rows.map(|(label, old, new)| vec![vec![words(label)], vec![old], vec![new]]);
    Section::new("", &["", "old", "new"], rows.into())
}

fn values(title: &str, columns: &[&'static str], values: &[ValueDiff]) -> Section {
    let row = |diff: &ValueDiff| {
        let side = |side: &Option<Value>| vec![value_or_none(side.as_ref())];
        vec![vec![value(&diff.path)], side(&diff.old), side(&diff.new)]
    };
    Section::new(title, columns, values.iter().map(row).collect())
}

/// Steps that came and went, and inputs, components and limits that are set otherwise.
fn pipeline(steps: &[StepDiff]) -> Section {
    let mut rows = Vec::new();
    for step in steps {
        let mut row = |what: Phrase, old: Phrase, new: Phrase| {
            rows.push(vec![vec![value(&step.name)], what, old, new]);
        };
        let plain = |text: &str| vec![words(text)];
        match step.presence {
            Presence::Both => {}
            Presence::Added => row(plain("step"), plain("none"), plain("added")),
            Presence::Removed => row(plain("step"), plain("there"), plain("removed")),
            Presence::OldRun => row(plain("step"), plain("asked for"), plain("not asked for")),
            Presence::NewRun => row(plain("step"), plain("not asked for"), plain("asked for")),
        }
        if let Some(component) = &step.component {
            let side = |side: &Option<String>| vec![value_or_none(side.as_ref())];
            row(plain("use"), side(&component.old), side(&component.new));
        }
        for input in &step.inputs {
            let what = vec![words("input "), value(&input.port)];
            let side = |side: &Option<String>| vec![value_or_none(side.as_ref())];
            row(what, side(&input.old), side(&input.new));
        }
        for limit in &step.limits {
            let what = vec![words(format!("limit {}", limit.limit))];
            row(what, vec![value(limit.old)], vec![value(limit.new)]);
        }
    }
    Section::new("pipeline", &["step", "what", "old", "new"], rows)
}

fn components(components: &[ComponentDiff]) -> Section {
    let side = |side: &Option<ComponentSide>| match side {
        Some(ComponentSide {
            version: Some(version),
            digest,
        }) => vec![value(version), words(" "), value(short(digest))],
        Some(ComponentSide { digest, .. }) => vec![value(short(digest))],
        None => vec![words("none")],
    };
    let row = |component: &ComponentDiff| {
        let mut steps = Phrase::new();
        for step in &component.steps {
            if !steps.is_empty() {
                steps.push(words(", "));
            }
            steps.push(value(step));
        }
        vec![
            vec![value(&component.name)],
            side(&component.old),
            side(&component.new),
            steps,
        ]
    };
    let rows = components.iter().map(row).collect();
    Section::new("components", &["component", "old", "new", "steps"], rows)
}

fn sources(sources: &[SourceDiff]) -> Section {
    let mut rows = Vec::new();
    for source in sources {
        let name = || vec![value(&source.name)];
        let file = |side: &Option<FileSide>| match side {
            Some(side) => vec![value(format!(
                "{}, {}",
                ui::bytes(side.size_bytes),
                short(&side.digest)
            ))],
            None => vec![words("none")],
        };
        for changed in &source.files {
            rows.push(vec![
                name(),
                vec![value(&changed.path)],
                file(&changed.old),
                file(&changed.new),
            ]);
        }
        if source.files.is_empty() {
            let order = || vec![words("another order")];
            rows.push(vec![name(), vec![words("files")], Phrase::new(), order()]);
        }
        if source.rows.old != source.rows.new {
            rows.push(vec![
                name(),
                vec![words("rows")],
                vec![value_or_none(source.rows.old)],
                vec![value_or_none(source.rows.new)],
            ]);
        }
    }
    Section::new("sources", &["source", "file", "old", "new"], rows)
}

fn step_params(steps: &[StepDiff]) -> Section {
    let rows = steps.iter().flat_map(|step| {
        step.params.iter().map(move |param| {
            vec![
                vec![value(&step.name)],
                vec![value(&param.path)],
                vec![value_or_none(param.old.as_ref())],
                vec![value_or_none(param.new.as_ref())],
            ]
        })
    });
    Section::new(
        "params of steps",
        &["step", "param", "old", "new"],
        rows.collect(),
    )
}

/// How steps ended, where they did not end well in both runs.
fn outcomes(steps: &[StepDiff]) -> Section {
    use StepOutcome::{Cached, Succeeded};
    let ended_well =
        |outcome: Option<StepOutcome>| matches!(outcome, None | Some(Succeeded | Cached));
    let told = steps.iter().filter(|step| {
        let outcome = &step.outcome;
        let both_well = ended_well(outcome.old) && ended_well(outcome.new);
        let both_ended = outcome.old.is_some() == outcome.new.is_some();
        step.presence == Presence::Both && !(both_well && both_ended)
    });
    let side = |outcome: Option<StepOutcome>, error: &Option<StepFailure>| {
        let mut phrase = match outcome {
            Some(outcome) => vec![words(step_outcome_name(outcome))],
            None => vec![words("not ended")],
        };
        if let Some(error) = error {
            let first = error.message.lines().next().unwrap_or_default();
            phrase.extend([words(": "), value(first)]);
        }
        phrase
    };
    let row = |step: &StepDiff| {
        vec![
            vec![value(&step.name)],
            side(step.outcome.old, &step.error.old),
            side(step.outcome.new, &step.error.new),
        ]
    };
    Section::new("outcomes", &["step", "old", "new"], told.map(row).collect())
}

fn outputs(outputs: &[OutputDiff]) -> Section {
    let side = |side: &Option<OutputSide>| match side {
        Some(OutputSide::Table { rows, .. }) => vec![words(ui::counted(*rows, "row"))],
        Some(OutputSide::Blob { digest, bytes, .. }) => {
            vec![value(format!("{}, {}", ui::bytes(*bytes), short(digest)))]
        }
        None => vec![words("none")],
    };
    let row = |output: &OutputDiff| {
        let mut columns = Phrase::new();
        if let Some(diff) = &output.columns {
            let parts = [
                ("changed ", &diff.changed),
                ("added ", &diff.added),
                ("removed ", &diff.removed),
                ("not compared ", &diff.uncompared),
            ];
            for (what, names) in parts {
                if names.is_empty() {
                    continue;
                }
                let lead = if columns.is_empty() { "" } else { "; " };
                columns.push(words(format!("{lead}{what}")));
                columns.push(value(names.join(", ")));
            }
            if let Some(Sides { old, new }) = &diff.partitions {
                let lead = if columns.is_empty() { "" } else { "; " };
                let (old, new) = (old.unwrap_or_default(), new.unwrap_or_default());
                columns.push(words(match old == new {
                    true => format!("{lead}partitions cut otherwise"),
                    false => format!("{lead}partitions {old} -> {new}"),
                }));
            }
        }
        vec![
            vec![value(format!("{}.{}", output.step, output.port))],
            side(&output.old),
            side(&output.new),
            columns,
        ]
    };
    let rows = outputs.iter().map(row).collect();
    Section::new("outputs", &["output", "old", "new", "columns"], rows)
}

fn figures(table: &TableFigures, limit: usize) -> Section {
    let mut rows = Vec::new();
    for row in &table.rows {
        let key: Vec<Cell> = row
            .key
            .iter()
            .filter(|cell| **cell != Cell::Null)
            .cloned()
            .collect();
        let key: Vec<String> = key.iter().map(Cell::to_string).collect();
        let key = || vec![value(key.join(", "))];
        for figure in &row.figures {
            let difference = difference(figure.old.as_ref(), figure.new.as_ref());
            rows.push(vec![
                key(),
                vec![value(&figure.column)],
                vec![value_or_none(figure.old.as_ref())],
                vec![value_or_none(figure.new.as_ref())],
                vec![words(difference.map(signed).unwrap_or_default())],
            ]);
        }
    }
    for column in &table.uncompared {
        let other = || vec![words("other values")];
        rows.push(vec![
            Phrase::new(),
            vec![value(column)],
            other(),
            other(),
            Phrase::new(),
        ]);
    }
    let mut section = Section::new("", &["row", "figure", "old", "new", "difference"], rows);
    section.title = vec![
        words("figures of "),
        name(format!("{}.{}", table.step, table.port)),
    ];
    section.headed = true;
    section.limit(limit);
    section
}

/// The fields of a JSON document, those first that differ most.
fn fields(blob: &BlobDiff, limit: usize) -> Section {
    let mut fields: Vec<&ValueDiff> = blob.fields.iter().flatten().collect();
    fields.sort_by(|a, b| relative(b).total_cmp(&relative(a)));
    let row = |field: &&ValueDiff| {
        let number = |side: &Option<Value>| side.as_ref().and_then(number);
        let difference = difference(number(&field.old).as_ref(), number(&field.new).as_ref());
        vec![
            vec![value(&field.path)],
            vec![value_or_none(field.old.as_ref())],
            vec![value_or_none(field.new.as_ref())],
            vec![words(difference.map(signed).unwrap_or_default())],
        ]
    };
    let rows = fields.iter().map(row).collect();
    let mut section = Section::new("", &["field", "old", "new", "difference"], rows);
    section.title = vec![
        words("fields of "),
        name(format!("{}.{}", blob.step, blob.port)),
    ];
    section.headed = true;
    section.limit(limit);
    section
}

/// How much of a number its difference is; infinite where there are not two numbers.
fn relative(field: &ValueDiff) -> f64 {
    /// Smaller numbers are what arithmetic leaves of zero.
    const LEAST: f64 = 1e-9;
    let number = |side: &Option<Value>| side.as_ref().and_then(Value::as_f64);
    match (number(&field.old), number(&field.new)) {
        (Some(old), Some(new)) => (new - old).abs() / old.abs().max(new.abs()).max(LEAST),
        _ => f64::INFINITY,
    }
}

/// A JSON number as a cell.
pub(super) fn number(value: &Value) -> Option<Cell> {
    let number = value.as_number()?;
    let integer = number
        .as_i64()
        .map(i128::from)
        .or_else(|| number.as_u64().map(i128::from));
    match integer {
        Some(integer) => Some(Cell::Integer(integer)),
        None => number.as_f64().map(Cell::Float64),
    }
}

fn reasons(steps: &[StepDiff]) -> Section {
    let row = |step: &StepDiff| vec![vec![value(&step.name)], vec![words(what(step))], why(step)];
    let told = steps
        .iter()
        .filter(|step| step.reason.is_some() || step.effect == Effect::Unexplained);
    Section::new("why", &["step", "what", "why"], told.map(row).collect())
}

fn unread(unread: &[String]) -> Section {
    let rows = unread.iter().map(|what| vec![vec![value(what)]]).collect();
    Section::new("could not be read", &["what"], rows)
}

impl Section {
    /// Leaves the first rows; all of them if `limit` is 0.
    fn limit(&mut self, limit: usize) {
        if limit > 0 && self.rows.len() > limit {
            self.more = self.rows.len() - limit;
            self.rows.truncate(limit);
        }
    }
}

/// A difference with its sign and, of a float, three digits that count: the numbers themselves stand
/// beside it in full.
fn signed(difference: Cell) -> String {
    match difference {
        Cell::Integer(integer) => format!("{integer:+}"),
        Cell::Float64(float) if float == 0.0 || !float.is_finite() => format!("{float:+}"),
        Cell::Float64(float) => {
            let magnitude = float.abs().log10().floor() as i32;
            match magnitude {
                -5..=5 => format!("{float:+.*}", usize::try_from(2 - magnitude).unwrap_or(0)),
                _ => format!("{float:+.2e}"),
            }
        }
        other => other.to_string(),
    }
}

/// A digest as people recognise it.
pub(super) fn short(digest: &impl ToString) -> String {
    const DIGITS: usize = 12;
    let text = digest.to_string();
    match text.split_once(':') {
        Some((algorithm, hex)) => format!("{algorithm}:{hex:.DIGITS$}"),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_a_sign_and_three_digits() {
        let shown = [0.0123456, -1.5, 123.456, 123_456.7, 1e-9, -2.5e20, 0.0]
            .map(|float| signed(Cell::Float64(float)));
        assert_eq!(
            shown,
            [
                "+0.0123", "-1.50", "+123", "+123457", "+1.00e-9", "-2.50e20", "+0"
            ]
        );
        assert_eq!(signed(Cell::Integer(12)), "+12");
        assert_eq!(signed(Cell::Integer(-3)), "-3");
    }

    #[test]
    fn digests_are_short() {
        assert_eq!(short(&"blake3:0123456789abcdef"), "blake3:0123456789ab");
    }
}
