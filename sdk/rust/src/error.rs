//! What a step refuses, and why.

use std::fmt;

/// The result of everything a step does.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A refusal, shown to people with the step's name around it.
///
/// `code` is stable, kebab-case and part of the run record's digest; `message` and `details` are for
/// people only. A message is a lower-case fragment without a full stop, with literals in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// Stable, kebab-case: `missing-column`, `wrong-type`, `bad-params`, `bad-data`, or the step's own.
    pub code: String,
    /// What could not be done, about which named thing.
    pub message: String,
    /// Facts as label and value, such as `expected` and `found`.
    pub details: Vec<(String, String)>,
}

impl Error {
    /// A refusal with a stable kebab-case code.
    ///
    /// Messages quote params and values, which may be pages long: of a long literal in backticks its beginning and
    /// end are kept, and of a long line its beginning.
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: readable(message.into()),
            details: Vec::new(),
        }
    }

    /// Adds a fact, of whose value as much is kept as of a message.
    #[must_use]
    pub fn with(mut self, label: impl Into<String>, value: impl fmt::Display) -> Self {
        let value = readable(value.to_string());
        self.details.push((label.into(), value));
        self
    }

    /// Params that are well-formed but make no sense.
    pub fn bad_params(message: impl Into<String>) -> Self {
        Self::new("bad-params", message)
    }

    /// Values that the step cannot work with.
    pub fn bad_data(message: impl Into<String>) -> Self {
        Self::new("bad-data", message)
    }

    /// A port without a column that the step needs.
    pub fn missing_column(column: &str) -> Self {
        Self::new("missing-column", format!("there is no column `{column}`")).with("column", column)
    }

    /// A column of a type that the step cannot work with.
    pub fn wrong_type(column: &str, expected: impl fmt::Display, found: impl fmt::Display) -> Self {
        Self::new(
            "wrong-type",
            format!("column `{column}` has the wrong type"),
        )
        .with("column", column)
        .with("expected", expected)
        .with("found", found)
    }
}

/// Characters of a literal that are shown, of a line, and lines.
const LITERAL: usize = 160;
const LINE: usize = 800;
const LINES: usize = 24;

/// As much of a text as people read.
fn readable(text: String) -> String {
    if text.len() <= LITERAL {
        return text;
    }
    let mut lines = text.split('\n');
    let mut shown: Vec<String> = lines.by_ref().take(LINES).map(readable_line).collect();
    if lines.next().is_some() {
        shown.push("…".to_owned());
    }
    shown.join("\n")
}

fn readable_line(line: &str) -> String {
    let parts = line.split('`').enumerate().map(|(at, part)| {
        let literal = at % 2 == 1;
        match part.char_indices().nth(LITERAL) {
            Some(_) if literal => {
                let (start, _) = part.char_indices().nth(LITERAL / 2).unwrap_or_default();
                let (end, _) = part
                    .char_indices()
                    .rev()
                    .nth(LITERAL / 4)
                    .unwrap_or_default();
                format!("{}…{}", &part[..start], &part[end..])
            }
            _ => part.to_owned(),
        }
    });
    let line = parts.collect::<Vec<_>>().join("`");
    match line.char_indices().nth(LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.message)?;
        for (label, value) in &self.details {
            write!(f, "\n  {label} {value}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

impl From<arrow_schema::ArrowError> for Error {
    /// An Arrow kernel refused: the data did not fit the operation.
    fn from(error: arrow_schema::ArrowError) -> Self {
        Self::bad_data(error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_never_pages_long() {
        let long = "x".repeat(100_000);
        let error = Error::bad_params(format!("`{long}` is no column, in `a`"))
            .with("found", format!("{long}, `{long}`"))
            .with("lines", "line\n".repeat(10_000));
        assert!(
            error.message.ends_with("x` is no column, in `a`"),
            "{error}"
        );
        assert!(
            error.to_string().len() < 2000,
            "{}",
            error.to_string().len()
        );
    }

    #[test]
    fn a_short_message_stays_as_it_is() {
        let text = format!(
            "`{}` is\n  in\n{}",
            "é".repeat(LITERAL),
            "y ".repeat(LINE / 2)
        );
        assert_eq!(Error::bad_data(text.clone()).message, text);
    }
}
