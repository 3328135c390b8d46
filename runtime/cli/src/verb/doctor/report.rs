//! What was checked, and what was found.

use std::error::Error;

use serde::Serialize;

use crate::failure::Failure;
use crate::ui;

/// Findings in the order of the checks, printed as they come.
pub(super) struct Report {
    pub(super) json: bool,
    checks: Vec<Check>,
    damaged: Vec<Damaged>,
    hints: Vec<String>,
    refused: bool,
}

/// What a report comes down to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// There are no problems.
    Sound,
    /// There are some.
    Problems,
    /// There is something among them that no run would trust.
    Refused,
}

/// An object of the store that is not what it was stored as.
#[derive(Serialize)]
pub(super) struct Damaged {
    pub(super) kind: String,
    pub(super) name: String,
    /// Relative to the store.
    pub(super) path: String,
    pub(super) fault: String,
    /// Whether it was moved to `quarantine/`.
    pub(super) repaired: bool,
}

/// What `pinion doctor --json` prints.
#[derive(Serialize)]
struct Summary {
    ok: bool,
    checks: Vec<Check>,
    damaged: Vec<Damaged>,
}

#[derive(Serialize)]
struct Check {
    about: &'static str,
    status: Status,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum Status {
    Ok,
    Note,
    Problem,
}

impl Report {
    pub(super) fn new(json: bool) -> Self {
        Self {
            json,
            checks: Vec::new(),
            damaged: Vec::new(),
            hints: Vec::new(),
            refused: false,
        }
    }

    /// Something is as it should be.
    pub(super) fn ok(&mut self, about: &'static str, message: &str) {
        self.add(about, Status::Ok, message);
    }

    /// Something that is good to know, and no problem.
    pub(super) fn note(&mut self, about: &'static str, message: &str) {
        self.add(about, Status::Note, message);
    }

    /// Something is damaged or differs.
    pub(super) fn problem(&mut self, about: &'static str, message: &str) {
        self.add(about, Status::Problem, message);
    }

    /// Something is not to be trusted.
    pub(super) fn refused(&mut self, about: &'static str, message: &str) {
        self.refused = true;
        self.problem(about, message);
    }

    /// A check could not even be made.
    pub(super) fn failure(&mut self, about: &'static str, failure: &Failure) {
        self.problem(about, &with_causes(failure.error.as_ref()));
        self.hints.extend(failure.hint.clone());
    }

    /// An object of the store is damaged.
    pub(super) fn damaged(&mut self, damaged: Damaged) {
        let message = format!(
            "{} `{}` is damaged: {}",
            damaged.kind, damaged.name, damaged.fault
        );
        let status = if damaged.repaired {
            Status::Note
        } else {
            Status::Problem
        };
        self.add("store", status, &message);
        self.damaged.push(damaged);
    }

    /// Advice that is printed at the end.
    pub(super) fn hint(&mut self, hint: &str) {
        self.hints.push(hint.to_owned());
    }

    /// Prints what is left to print, and says what it comes down to.
    pub(super) fn finish(self) -> Result<Verdict, Failure> {
        let ok = self
            .checks
            .iter()
            .all(|check| check.status != Status::Problem);
        if self.json {
            ui::json(&Summary {
                ok,
                checks: self.checks,
                damaged: self.damaged,
            })?;
        } else {
            for hint in &self.hints {
                ui::note(&format!("\nhint: {hint}"));
            }
        }
        Ok(match (ok, self.refused) {
            (true, _) => Verdict::Sound,
            (false, false) => Verdict::Problems,
            (false, true) => Verdict::Refused,
        })
    }

    fn add(&mut self, about: &'static str, status: Status, message: &str) {
        if !self.json {
            for line in lines(about, status, message) {
                ui::data(&line);
            }
        }
        self.checks.push(Check {
            about,
            status,
            message: message.to_owned(),
        });
    }
}

/// An error with everything that caused it.
pub(super) fn with_causes(error: &dyn Error) -> String {
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        message = format!("{message}\ncaused by: {cause}");
        source = cause.source();
    }
    message
}

fn lines(about: &str, status: Status, message: &str) -> Vec<String> {
    let status = match status {
        Status::Ok => "ok",
        Status::Note => "note",
        Status::Problem => "problem",
    };
    let line = |(at, line): (usize, &str)| {
        let line = ui::harmless(line);
        if at == 0 {
            format!("{status:7}  {about:10}  {line}")
        } else {
            format!("{:21}{line}", "")
        }
    };
    message.lines().enumerate().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_of_several_lines_stay_in_their_column() {
        assert_eq!(
            lines(
                "store",
                Status::Problem,
                "blob `x` is damaged\n  expected a\n  found    b"
            ),
            [
                "problem  store       blob `x` is damaged",
                "                       expected a",
                "                       found    b",
            ]
        );
        assert_eq!(
            lines("toolchain", Status::Ok, "cargo 1.95.0"),
            ["ok       toolchain   cargo 1.95.0"]
        );
    }
}
