//! How facts are laid out for people: aligned, one a line, in sections.

use pinion_runtime::record::{StepOutcome, StepRecord};

use crate::ui;

/// Prints facts that have a value, one a line.
pub(crate) fn facts(facts: &[(&str, String)]) {
    let known = facts.iter().filter(|(_, value)| !value.is_empty());
    let rows: Vec<Vec<String>> = known
        .map(|(label, value)| vec![(*label).to_owned(), ui::harmless(value)])
        .collect();
    for line in ui::aligned(&rows) {
        ui::data(&line);
    }
}

/// Prints a section, unless it is empty.
pub(crate) fn section(title: &str, rows: Vec<Vec<String>>) {
    let harmless = |row: Vec<String>| row.iter().map(|cell| ui::harmless(cell)).collect();
    let rows: Vec<Vec<String>> = rows.into_iter().map(harmless).collect();
    if rows.is_empty() {
        return;
    }
    ui::data(&format!("\n{title}"));
    for line in ui::aligned(&rows) {
        ui::data(&format!("  {line}"));
    }
}

/// Prints a section of text that others wrote, line by line.
pub(crate) fn text_section(title: &str, text: &str) {
    ui::data(&format!("\n{title}"));
    for line in text.lines() {
        let line: Vec<String> = line.split('\t').map(ui::harmless).collect();
        ui::data(&line.join("\t"));
    }
}

/// How many units of a step ran, and how many were known.
pub(crate) fn units(step: &StepRecord) -> String {
    let totals = &step.totals;
    match totals.units {
        0 => String::new(),
        units => format!("{} run, {} cached", units - totals.cached, totals.cached),
    }
}

/// How long a step took, unless it never began.
pub(crate) fn duration(step: &StepRecord) -> String {
    match step.outcome {
        StepOutcome::Skipped => String::new(),
        _ => ui::duration(step.duration_ms),
    }
}
