//! What can be wrong with a Parquet file, or with what is asked of it.

use parquet::errors::ParquetError;

/// Why a Parquet file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No `PAR1` at the end.
    #[error("the source is not a Parquet file, or was cut short")]
    NotParquet {
        /// What stands there instead, printable.
        found: String,
    },
    /// The footer is encrypted, and there is no key.
    #[error("the Parquet file is encrypted")]
    Encrypted,
    /// The footer contradicts itself or the length of the file.
    #[error("the footer of the Parquet file is damaged: {reason}")]
    Footer {
        /// What does not hold.
        reason: String,
    },
    /// Pages that cannot be read.
    #[error("column `{column}` cannot be read from row group {group}: {source}")]
    Column {
        /// The column's path in the Parquet schema.
        column: String,
        /// The row group's position in the file.
        group: usize,
        /// What the decoder met.
        source: ParquetError,
    },
    /// Pages that decode alone but not together.
    #[error("row group {group} cannot be read: {source}")]
    Group {
        /// The row group's position in the file.
        group: usize,
        /// What the decoder met.
        source: ParquetError,
    },
    /// Pages end before the rows that the footer promises.
    #[error("row group {group} ends early")]
    Short {
        /// The row group's position in the file.
        group: usize,
        /// Rows the footer promises.
        expected: u64,
        /// Rows there are.
        found: u64,
    },
    /// A compression codec that has no decoder here.
    #[error("column `{column}` is compressed with `{codec}`, which is not supported")]
    Codec {
        /// The column's path in the Parquet schema.
        column: String,
        /// The codec's name in the Parquet format.
        codec: String,
    },
    /// A Parquet schema that has no Arrow schema.
    #[error("the schema of the Parquet file has no Arrow equivalent: {source}")]
    Schema {
        /// Which part, in the words of the `parquet` crate.
        source: ParquetError,
    },
    /// Two columns of one name.
    #[error("the Parquet file has two columns `{column}`")]
    Duplicate {
        /// The name.
        column: String,
    },
    /// A column that the file has not.
    #[error("the Parquet file has no column `{column}`")]
    NoColumn {
        /// The name asked for.
        column: String,
        /// The names there are.
        found: Vec<String>,
    },
    /// A range that `partition` did not make from this file.
    #[error("the range `{hint}` is not one of this file")]
    Range {
        /// The range's hint.
        hint: String,
    },
}

impl Error {
    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotParquet { .. }
            | Self::Footer { .. }
            | Self::Column { .. }
            | Self::Group { .. }
            | Self::Short { .. }
            | Self::Duplicate { .. } => "bad-file",
            Self::Encrypted | Self::Codec { .. } | Self::Schema { .. } => "unsupported",
            Self::NoColumn { .. } => "missing-column",
            Self::Range { .. } => "bad-range",
        }
    }

    /// Facts for the reader of the message: a label and a value.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotParquet { found } => {
                vec![
                    ("expected", "`PAR1` at the end".into()),
                    ("found", found.clone()),
                ]
            }
            Self::Short {
                expected, found, ..
            } => {
                vec![
                    ("expected", format!("{expected} rows")),
                    ("found", format!("{found} rows")),
                ]
            }
            Self::Codec { column, codec } => {
                vec![("column", column.clone()), ("codec", codec.clone())]
            }
            Self::Column { column, group, .. } => {
                vec![("column", column.clone()), ("row group", group.to_string())]
            }
            Self::NoColumn { found, .. } => vec![("found", found.join(", "))],
            _ => Vec::new(),
        }
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
