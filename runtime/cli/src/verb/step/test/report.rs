//! What became of all cases.

use pinion_runtime::component::Component;
use pinion_runtime::record::StepRecord;
use serde::Serialize;

use super::case::Case;
use super::compare::Difference;
use super::cuts::Cut;
use super::subject::Subject;
use crate::failure::Failure;
use crate::ui;

/// What `pinion step test --json` prints.
#[derive(Serialize)]
pub(super) struct Reports<'a> {
    passed: usize,
    failed: usize,
    steps: &'a [Report],
}

/// All cases of one component.
#[derive(Serialize)]
pub(super) struct Report {
    step: String,
    digest: String,
    cases: Vec<Verdict>,
}

/// How a case ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Outcome {
    /// All is as expected.
    Passed,
    /// What was found is expected from now on.
    Blessed,
    /// Something differs.
    Failed,
}

/// What became of one case.
#[derive(Serialize)]
pub(super) struct Verdict {
    name: String,
    pub(super) outcome: Outcome,
    /// Rows of the pieces that the rows were cut into, if only that made the difference.
    #[serde(skip_serializing_if = "Option::is_none")]
    cut: Option<Vec<usize>>,
    /// The first of them.
    differences: Vec<Difference>,
    /// How many there are.
    differing: usize,
    /// Why there is nothing to compare.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    /// What the step logged.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    log: Vec<String>,
}

impl Verdict {
    pub(super) fn new(case: &Case) -> Self {
        Self {
            name: case.name.clone(),
            outcome: Outcome::Passed,
            cut: None,
            differences: Vec::new(),
            differing: 0,
            error: None,
            log: Vec::new(),
        }
    }

    /// Remembers what the step logged, for whoever looks for a fault.
    pub(super) fn log(&mut self, record: &StepRecord) {
        let lines = record.log.iter();
        self.log = lines
            .map(|line| format!("{}: {}", line.level, line.message))
            .collect();
    }

    /// Fails the case, for something that no difference says.
    pub(super) fn wrong(&mut self, why: String) {
        self.outcome = Outcome::Failed;
        self.error = Some(why);
    }

    pub(super) fn broken(&mut self, failure: &Failure) {
        let mut text = failure.error.to_string();
        let mut source = failure.error.source();
        while let Some(cause) = source {
            text = format!("{text}\ncaused by: {cause}");
            source = cause.source();
        }
        for place in &failure.trace {
            text = format!("{text}\n  at {place}");
        }
        self.wrong(text);
    }

    pub(super) fn differs(&mut self, difference: Difference) {
        self.differ((vec![difference], 1));
    }

    pub(super) fn differ(&mut self, (differences, count): (Vec<Difference>, usize)) {
        self.outcome = Outcome::Failed;
        self.differences.extend(differences);
        self.differing += count;
    }

    pub(super) fn cut(&mut self, cut: Cut) {
        self.cut = Some(cut.pieces);
        self.differ(cut.differences);
    }

    fn show(&self, width: usize) {
        let how = match (self.outcome, &self.cut) {
            (Outcome::Passed, _) => "ok".to_owned(),
            (Outcome::Blessed, _) => "written".to_owned(),
            (Outcome::Failed, None) if self.error.is_some() => "failed".to_owned(),
            (Outcome::Failed, None) => "differs".to_owned(),
            (Outcome::Failed, Some(pieces)) => {
                let pieces: Vec<String> = pieces.iter().map(usize::to_string).collect();
                format!("differs when the rows are cut: {}", pieces.join(" + "))
            }
        };
        ui::data(&format!("  {:width$}  {how}", self.name));
        if self.outcome != Outcome::Failed {
            return;
        }
        for line in self.error.iter().flat_map(|error| error.lines()) {
            ui::data(&format!("    {}", ui::harmless(line)));
        }
        for line in ui::aligned(&self.rows()) {
            ui::data(&format!("    {}", ui::harmless(&line)));
        }
        match self.differing - self.differences.len() {
            0 => {}
            more => ui::data(&format!("    and {more} more")),
        }
        if self.cut.is_some() {
            ui::data(
                "    a row-map gives each row what it would give it alone; to look at other rows, make it a reduce or a whole-table step",
            );
        }
        for line in &self.log {
            ui::data(&format!("    log  {}", ui::harmless(line)));
        }
    }

    /// The differences as a table with a header.
    fn rows(&self) -> Vec<Vec<String>> {
        if self.differences.is_empty() {
            return Vec::new();
        }
        let header = ["port", "row", "column", "expected", "found"].map(str::to_owned);
        let row = |difference: &Difference| {
            let place = match (&difference.column, difference.what) {
                (Some(column), "types") => format!("{column} (type)"),
                (Some(column), _) => column.clone(),
                (None, "bytes") if difference.row.is_some() => "(line)".to_owned(),
                (None, what) => format!("({what})"),
            };
            vec![
                difference.port.clone().unwrap_or_default(),
                difference
                    .row
                    .map(|row| row.to_string())
                    .unwrap_or_default(),
                place,
                one_line(&difference.expected),
                one_line(&difference.found),
            ]
        };
        let mut rows = vec![header.to_vec()];
        rows.extend(self.differences.iter().map(row));
        // Columns of the table that say nothing are left out.
        let told: Vec<bool> = (0..header.len())
            .map(|at| rows.iter().skip(1).any(|row| !row[at].is_empty()))
            .collect();
        for row in &mut rows {
            let mut told = told.iter();
            row.retain(|_| told.next() == Some(&true));
        }
        rows
    }
}

/// Most characters of a value that are shown.
const MOST_CHARACTERS: usize = 200;

fn one_line(text: &str) -> String {
    let text = text.lines().map(str::trim).collect::<Vec<_>>().join("; ");
    match text.char_indices().nth(MOST_CHARACTERS) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

impl Report {
    pub(super) fn new(subject: &Subject, component: &Component, cases: Vec<Verdict>) -> Self {
        Self {
            step: subject.label.clone(),
            digest: component.digest.to_string(),
            cases,
        }
    }

    pub(super) fn failed(&self) -> usize {
        let failed = self.cases.iter();
        failed
            .filter(|case| case.outcome == Outcome::Failed)
            .count()
    }

    pub(super) fn show(&self) {
        let failed = self.failed();
        ui::data(&format!(
            "{}: {}, {} passed, {failed} failed",
            self.step,
            ui::counted(self.cases.len() as u64, "case"),
            self.cases.len() - failed,
        ));
        let width = self
            .cases
            .iter()
            .map(|case| case.name.chars().count())
            .max();
        self.cases
            .iter()
            .for_each(|case| case.show(width.unwrap_or(0)));
    }
}

impl<'a> Reports<'a> {
    pub(super) fn new(steps: &'a [Report]) -> Self {
        let failed = steps.iter().map(Report::failed).sum();
        let all: usize = steps.iter().map(|step| step.cases.len()).sum();
        Self {
            passed: all - failed,
            failed,
            steps,
        }
    }
}
