//! What can be wrong with a CSV file, or with what is asked of it.

use std::fmt;

/// Characters of a value that a message shows.
const SHOWN_CHARACTERS: usize = 40;

/// Where a record is in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// Its position among the records after the header, from 1. None for the header itself.
    pub row: Option<u64>,
    /// The line it starts on, from 1.
    pub line: u64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line = self.line;
        match self.row {
            Some(row) => write!(f, "line {line} of the CSV file (row {row})"),
            None => write!(f, "line {line} of the CSV file (the header)"),
        }
    }
}

/// Why a CSV file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file without a single record, and no `names` for its columns.
    #[error("the CSV file is empty")]
    Empty,
    /// Two columns of one name.
    #[error("the CSV file has two columns `{column}`")]
    Duplicate {
        /// The name.
        column: String,
    },
    /// A record of more or fewer fields than there are columns.
    #[error("{place} has {found} field{} instead of {expected}", if *.found == 1 { "" } else { "s" })]
    Ragged {
        /// Where.
        place: Place,
        /// Number of columns.
        expected: usize,
        /// Number of fields.
        found: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("{place} is not UTF-8 in column `{column}`")]
    Encoding {
        /// Where, with the line that the bytes are on.
        place: Place,
        /// The column's name.
        column: String,
        /// The bytes, printable.
        found: String,
    },
    /// A quoted field that never ends.
    #[error("the quoted field that starts on line {line} of the CSV file does not end")]
    Unclosed {
        /// The line it starts on.
        line: u64,
    },
    /// A value that is not of its column's type.
    #[error("`{}` on {place}, in column `{column}`, is not `{expected}`", shown(.value))]
    Value {
        /// Where.
        place: Place,
        /// The column's name.
        column: String,
        /// The field's text, without quotes.
        value: String,
        /// The column's type.
        expected: String,
    },
    /// What the decoder refuses for a reason of its own.
    #[error("the CSV file cannot be read: {message}")]
    Decode {
        /// The decoder's words.
        message: String,
    },
    /// A param that must be one ASCII character.
    #[error("`{param}` must be one ASCII character")]
    Character {
        /// The param.
        param: &'static str,
        /// What it is.
        found: String,
    },
    /// Two params that are the same character.
    #[error("`{first}` and `{second}` are the same character")]
    SameCharacter {
        /// One param.
        first: &'static str,
        /// The other.
        second: &'static str,
    },
    /// A number of names that is not the number of columns.
    #[error("`names` has the wrong number of names")]
    Names {
        /// Number of columns.
        expected: usize,
        /// Number of names.
        found: usize,
    },
    /// A type that has no such name.
    #[error("`{name}`, the type of column `{column}`, is not a type")]
    Type {
        /// The column.
        column: String,
        /// The name.
        name: String,
    },
    /// A column that the file has not.
    #[error("the CSV file has no column `{column}`")]
    NoColumn {
        /// The name asked for.
        column: String,
        /// The names there are.
        found: Vec<String>,
    },
    /// A range that `partition` did not make.
    #[error("the range `{hint}` is not one of this source")]
    Range {
        /// The range's hint.
        hint: String,
    },
}

impl Error {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Empty
            | Self::Duplicate { .. }
            | Self::Ragged { .. }
            | Self::Encoding { .. }
            | Self::Unclosed { .. }
            | Self::Value { .. }
            | Self::Decode { .. } => "bad-file",
            Self::Character { .. }
            | Self::SameCharacter { .. }
            | Self::Names { .. }
            | Self::Type { .. } => "bad-params",
            Self::NoColumn { .. } => "missing-column",
            Self::Range { .. } => "bad-range",
        }
    }

    /// Facts for the reader of the message that it does not tell: a label and a value.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::Names { expected, found } => vec![
                ("expected", format!("{expected} names")),
                ("found", format!("{found} names")),
            ],
            Self::Character { found, .. } | Self::Encoding { found, .. } => {
                vec![("found", format!("`{found}`"))]
            }
            Self::Value { column, value, .. } => vec![(
                "hint",
                format!(
                    "give `{column}` another type under `types`, or put `{}` under `nulls`",
                    shown(value)
                ),
            )],
            Self::NoColumn { found, .. } => vec![("found", found.join(", "))],
            _ => Vec::new(),
        }
    }
}

/// The start of a value, on one line.
fn shown(value: &str) -> String {
    let mut characters = value.chars();
    let mut shown: String = characters.by_ref().take(SHOWN_CHARACTERS).collect();
    if characters.next().is_some() {
        shown.push('…');
    }
    shown
        .chars()
        .map(|character| match character.is_control() {
            true => character.escape_default().to_string(),
            false => character.to_string(),
        })
        .collect()
}

impl From<Error> for pinion_sdk::Error {
    fn from(error: Error) -> Self {
        let refusal = Self::new(error.code(), error.to_string());
        error
            .details()
            .into_iter()
            .fold(refusal, |refusal, (label, value)| {
                refusal.with(label, value)
            })
    }
}
