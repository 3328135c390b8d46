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
    pub fn new(code: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            code: code.into(),
            message: message.into(),
            details: Vec::new(),
        }
    }

    /// Adds a fact.
    #[must_use]
    pub fn with(mut self, label: impl Into<String>, value: impl fmt::Display) -> Self {
        self.details.push((label.into(), value.to_string()));
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
