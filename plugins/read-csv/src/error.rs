//! What can be wrong with a CSV file, or with what is asked of it.

/// Why a CSV file cannot be read. Lines count from 1.
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
    #[error("line {line} of the CSV file has the wrong number of fields")]
    Ragged {
        /// The line the record starts on.
        line: u64,
        /// Number of columns.
        expected: usize,
        /// Number of fields.
        found: usize,
    },
    /// Bytes that are not UTF-8.
    #[error("line {line} of the CSV file is not UTF-8")]
    Encoding {
        /// The line the bytes are on.
        line: u64,
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
    #[error("`{value}` on line {line} of the CSV file, in column `{column}`, is not `{expected}`")]
    Value {
        /// The line the record starts on.
        line: u64,
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

    /// Facts for the reader of the message: a label and a value.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        let counts = |what: &str, expected: &usize, found: &usize| {
            vec![
                ("expected", format!("{expected} {what}")),
                ("found", format!("{found} {what}")),
            ]
        };
        let mut details = match self {
            Self::Ragged {
                expected, found, ..
            } => counts("fields", expected, found),
            Self::Names { expected, found } => counts("names", expected, found),
            Self::Character { found, .. } => vec![("found", format!("`{found}`"))],
            Self::Encoding { found, .. } => vec![("found", format!("`{found}`"))],
            Self::Value {
                column,
                value,
                expected,
                ..
            } => vec![
                ("expected", expected.clone()),
                ("found", format!("`{value}`")),
                ("column", column.clone()),
            ],
            Self::NoColumn { found, .. } => vec![("found", found.join(", "))],
            _ => Vec::new(),
        };
        if let Self::Ragged { line, .. }
        | Self::Encoding { line, .. }
        | Self::Unclosed { line }
        | Self::Value { line, .. } = self
        {
            details.push(("line", line.to_string()));
        }
        details
    }
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
