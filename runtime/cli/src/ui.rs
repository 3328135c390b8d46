//! The only place that prints. Data goes to standard output, everything else to standard error.

use std::io::{IsTerminal, Write};
use std::sync::Mutex;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use pinion_runtime::plan::PlannedStep;
use pinion_runtime::record::{Artifact, StepOutcome, StepRecord};
use pinion_runtime::run::{Amount, Observer};
use pinion_runtime::store::StoreError;
use serde::Serialize;

use crate::failure::Failure;

/// Prints lines of data, [harmless]. A closed pipe is success.
pub(crate) fn data(lines: &str) {
    print(&harmless_lines(&lines));
}

fn print(line: &str) {
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{line}").is_err() {
        std::process::exit(i32::from(crate::failure::DONE));
    }
}

/// Prints one JSON object.
pub(crate) fn json<T: Serialize>(value: &T) -> Result<(), Failure> {
    print(&serde_json::to_string_pretty(value)?);
    Ok(())
}

/// Prints lines for people, [harmless].
pub(crate) fn note(lines: &str) {
    // Where standard error is closed there is nobody to tell.
    drop(writeln!(
        std::io::stderr().lock(),
        "{}",
        harmless_lines(&lines)
    ));
}

/// Prints what went wrong: the error, what caused it, and what to do.
pub(crate) fn failure(failure: &Failure) {
    note(&format!("error: {}", failure.error));
    let mut source = failure.error.source();
    while let Some(cause) = source {
        note(&format!("caused by: {cause}"));
        source = cause.source();
    }
    for place in &failure.trace {
        note(&format!("  at {}", harmless(place)));
    }
    if let Some(hint) = &failure.hint {
        note(&format!("\nhint: {hint}"));
    }
}

/// Rows as aligned columns, without trailing space.
pub(crate) fn aligned(rows: &[Vec<String>]) -> Vec<String> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = row
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

/// A duration as people read it.
pub(crate) fn duration(milliseconds: u64) -> String {
    match milliseconds {
        0..1_000 => format!("{milliseconds} ms"),
        1_000..60_000 => format!("{:.1} s", milliseconds as f64 / 1_000.0),
        _ => format!(
            "{} min {} s",
            milliseconds / 60_000,
            milliseconds % 60_000 / 1_000
        ),
    }
}

/// A number of things, each of which is a `noun`.
pub(crate) fn counted(number: u64, noun: &str) -> String {
    if number == 1 {
        format!("1 {noun}")
    } else {
        format!("{number} {noun}s")
    }
}

/// A number of bytes as people read it.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1_024.0 && unit + 1 < UNITS.len() {
        value /= 1_024.0;
        unit += 1;
    }
    if unit == 0 {
        format!("{bytes} B")
    } else {
        format!("{value:.1} {}", UNITS[unit])
    }
}

/// Text that others wrote, on one line: what would control the terminal, break the line, turn the direction of
/// writing or not be seen is escaped.
pub(crate) fn harmless(text: &str) -> String {
    let controls = |c: char| {
        c.is_control()
            || matches!(
                c,
                '\u{61c}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'
                    ..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}' | '\u{e0000}'..='\u{e007f}'
            )
    };
    let mut harmless = String::with_capacity(text.len());
    for c in text.chars() {
        if controls(c) {
            harmless.extend(c.escape_default());
        } else {
            harmless.push(c);
        }
    }
    harmless
}

/// Characters of a line that are printed: nobody reads more, and a step may say whatever it likes.
const MOST_CHARACTERS: usize = 64 << 10;

/// As [`harmless`], keeping the lines and the tabs of what the host has laid out.
fn harmless_lines(text: &dyn std::fmt::Display) -> String {
    let text = text.to_string();
    let lines = text.split('\n').map(|line| {
        let (line, rest) = match line.char_indices().nth(MOST_CHARACTERS) {
            Some((at, _)) => (&line[..at], "…"),
            None => (line, ""),
        };
        let parts: Vec<String> = line.split('\t').map(harmless).collect();
        parts.join("\t") + rest
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A bar for work that takes a while, or a spinner if nobody knows how much it is; on a terminal only.
pub(crate) fn bar(what: &str, len: Option<u64>, quiet: bool) -> ProgressBar {
    let shown = !quiet && std::io::stderr().is_terminal();
    let target = if shown {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let template = if len.is_some() {
        "  {wide_msg} {pos}/{len} {elapsed}"
    } else {
        "  {wide_msg} {elapsed}"
    };
    let bar = ProgressBar::with_draw_target(len, target);
    if let Ok(style) = ProgressStyle::with_template(template) {
        bar.set_style(style);
    }
    bar.set_message(what.to_owned());
    if shown {
        bar.enable_steady_tick(std::time::Duration::from_millis(200));
    }
    bar
}

/// What a step made, in a few words.
pub(crate) fn made(record: &StepRecord) -> String {
    let words = |output: &pinion_runtime::record::OutputRecord| match &output.artifact {
        Artifact::Table(table) => format!("{} rows", table.rows),
        Artifact::Blob(blob) => bytes(blob.len),
    };
    match record.outputs.as_slice() {
        [] => String::new(),
        [only] => words(only),
        many => many
            .iter()
            .map(|output| format!("{} {}", output.port, words(output)))
            .collect::<Vec<_>>()
            .join(", "),
    }
}

/// Shows how a run goes: a bar on a terminal, and a line for each step that ended.
pub(crate) struct Progress {
    bar: ProgressBar,
    quiet: bool,
    running: Mutex<Vec<Running>>,
    widths: (usize, usize),
}

impl Progress {
    /// Progress of a run of `steps`; with `quiet` nothing is shown.
    pub(crate) fn new(steps: &[PlannedStep], quiet: bool) -> Self {
        let target = if quiet || !std::io::stderr().is_terminal() {
            ProgressDrawTarget::hidden()
        } else {
            ProgressDrawTarget::stderr()
        };
        let bar = ProgressBar::with_draw_target(Some(0), target);
        if let Ok(style) = ProgressStyle::with_template("  {wide_msg} {pos}/{len} units {elapsed}")
        {
            bar.set_style(style);
        }
        let widest = |text: fn(&PlannedStep) -> usize| steps.iter().map(text).max().unwrap_or(0);
        let widths = (
            widest(|step| step.name.as_str().len()),
            widest(|step| step.reference.len()),
        );
        Self {
            bar,
            quiet,
            running: Mutex::default(),
            widths,
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }

    /// Changes what is known of the steps that run, and shows it. Steps come first where they began first;
    /// what a narrow terminal has no room for is cut off at the end.
    fn running<T>(&self, change: impl FnOnce(&mut Vec<Running>) -> T) -> Option<T> {
        let mut running = self.running.lock().ok()?;
        let changed = change(&mut running);
        let words: Vec<String> = running.iter().map(Running::words).collect();
        self.bar.set_message(words.join(", "));
        Some(changed)
    }
}

/// A step that runs, and how much its units have gone through.
struct Running {
    name: String,
    began: Instant,
    amount: Amount,
}

impl Running {
    fn words(&self) -> String {
        let milliseconds = self.began.elapsed().as_millis();
        let rates = rates(self.amount, u64::try_from(milliseconds).unwrap_or(u64::MAX));
        match rates.is_empty() {
            true => self.name.clone(),
            false => format!("{} ({})", self.name, rates.join(", ")),
        }
    }
}

/// Rows and bytes a second; nothing of what has taken less than a second.
fn rates(amount: Amount, milliseconds: u64) -> Vec<String> {
    let mut rates = Vec::new();
    if milliseconds < 1_000 {
        return rates;
    }
    let a_second =
        |number: u64| u64::try_from(u128::from(number) * 1_000 / u128::from(milliseconds));
    let rate = |number| a_second(number).unwrap_or(u64::MAX);
    if amount.rows > 0 {
        rates.push(format!("{} rows/s", thousands(rate(amount.rows))));
    }
    if amount.bytes > 0 {
        rates.push(format!("{}/s", bytes(rate(amount.bytes))));
    }
    rates
}

/// A large number in a few characters: `950`, `24.5k`, `1.2M`.
fn thousands(number: u64) -> String {
    match number {
        0..1_000 => number.to_string(),
        1_000..1_000_000 => format!("{:.1}k", number as f64 / 1e3),
        _ => format!("{:.1}M", number as f64 / 1e6),
    }
}

/// How a step ended: how long it took, how much it read, how fast, and how much of it was known.
fn how(record: &StepRecord, amount: Amount) -> String {
    match record.outcome {
        StepOutcome::Cached => "cached".to_owned(),
        StepOutcome::Failed => "failed".to_owned(),
        StepOutcome::Skipped => "skipped".to_owned(),
        StepOutcome::Cancelled => "cancelled".to_owned(),
        StepOutcome::Succeeded => {
            let mut facts = vec![duration(record.duration_ms)];
            if amount.bytes > 0 {
                facts.push(format!("{} read", bytes(amount.bytes)));
            }
            facts.extend(rates(amount, record.duration_ms));
            let facts = facts.join(", ");
            match (record.totals.units, record.totals.cached) {
                (_, 0) => facts,
                (units, cached) => format!("{facts} ({cached} of {units} units cached)"),
            }
        }
    }
}

impl Observer for Progress {
    fn wanted(&self, step: &PlannedStep, units: u64) {
        self.bar.inc_length(units);
        let name = step.name.as_str();
        self.running(|running| {
            if running.iter().all(|step| step.name != name) {
                running.push(Running {
                    name: name.to_owned(),
                    began: Instant::now(),
                    amount: Amount::default(),
                });
            }
        });
    }

    fn obtained(&self, step: &PlannedStep, ran: Option<Amount>) {
        self.bar.inc(1);
        let name = step.name.as_str();
        self.running(|running| {
            let step = running.iter_mut().find(|step| step.name == name);
            if let (Some(step), Some(ran)) = (step, ran) {
                step.amount.rows = step.amount.rows.saturating_add(ran.rows);
                step.amount.bytes = step.amount.bytes.saturating_add(ran.bytes);
            }
        });
    }

    fn lost(&self, step: &PlannedStep, error: &StoreError) {
        self.running(Vec::clear);
        self.bar.set_position(0);
        self.bar.set_length(0);
        let warning = format!(
            "warning: {error}; what made it runs again\n  in step `{}`, which reads it",
            step.name
        );
        self.bar.suspend(|| note(&warning));
    }

    fn ended(&self, record: &StepRecord, again: bool) {
        let name = record.name.to_string();
        let ended = self.running(|running| {
            let at = running.iter().position(|step| step.name == name);
            at.map(|at| running.remove(at).amount)
        });
        if self.quiet || again {
            return;
        }
        let how = how(record, ended.flatten().unwrap_or_default());
        let (names, references) = self.widths;
        let line = format!(
            "  {name:names$}  {:references$}  {:>22}  {how}",
            record.component,
            made(record)
        );
        self.bar.suspend(|| note(line.trim_end()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_of_others_cannot_control_the_terminal() {
        assert_eq!(harmless("naïve ✓"), "naïve ✓");
        assert_eq!(harmless("a\tb\nc"), "a\\tb\\nc");
        assert_eq!(harmless("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(harmless("x\u{202e}y"), "x\\u{202e}y");
        assert_eq!(
            harmless("a\u{2028}b\u{200f}c\u{e0041}d\u{9b}2J"),
            "a\\u{2028}b\\u{200f}c\\u{e0041}d\\u{9b}2J"
        );
        assert_eq!(harmless_lines(&"a\tb\n\u{1b}c"), "a\tb\n\\u{1b}c");
        // Letters are joined and emoji made with these.
        assert_eq!(harmless("\u{200c}\u{200d}"), "\u{200c}\u{200d}");
        assert_eq!(
            harmless_lines(&"x".repeat(1 << 20)).len(),
            MOST_CHARACTERS + "…".len()
        );
    }

    #[test]
    fn rates_are_told_of_what_takes_a_second() {
        let amount = |rows, bytes| Amount { rows, bytes };
        let told = [
            rates(amount(9_000, 9 << 20), 999),
            rates(amount(9_000, 9 << 20), 1_000),
            rates(amount(900, 0), 3_000),
            rates(amount(0, 10 << 30), 5_000),
            rates(amount(u64::MAX, u64::MAX), u64::MAX),
            rates(amount(336_776_000, 3 << 30), 60_000),
            rates(amount(0, 0), 60_000),
        ];
        assert_eq!(
            told.map(|rates| rates.join(", ")),
            [
                "",
                "9.0k rows/s, 9.0 MiB/s",
                "300 rows/s",
                "2.0 GiB/s",
                "1.0k rows/s, 1000 B/s",
                "5.6M rows/s, 51.2 MiB/s",
                "",
            ]
        );
    }

    #[test]
    fn a_step_that_runs_is_told_with_its_rates() {
        let began = |ago: u64| Instant::now().checked_sub(std::time::Duration::from_secs(ago));
        let running = |ago| Running {
            name: "fit".to_owned(),
            began: began(ago).unwrap_or_else(Instant::now),
            amount: Amount {
                rows: 0,
                bytes: 1 << 50,
            },
        };
        assert_eq!(running(0).words(), "fit");
        assert!(
            running(2).words().starts_with("fit (51"),
            "{}",
            running(2).words()
        );
        assert!(
            running(2).words().ends_with(" TiB/s)"),
            "{}",
            running(2).words()
        );
    }

    #[test]
    fn nouns_follow_their_number() {
        assert_eq!(
            [0, 1, 2].map(|number| counted(number, "row")),
            ["0 rows", "1 row", "2 rows"]
        );
    }

    #[test]
    fn columns_are_aligned_without_trailing_space() {
        let rows = [
            vec!["a".to_owned(), "bb".to_owned()],
            vec!["ccc".to_owned(), String::new()],
        ];
        assert_eq!(aligned(&rows), ["a    bb", "ccc"]);
    }
}
