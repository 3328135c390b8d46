//! What can be wrong with an Arrow file, or with what is asked of it.

use std::io;

use arrow_schema::ArrowError;

/// Why an Arrow file cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No magic bytes, neither of a file nor of a stream.
    #[error("the source is not an Arrow IPC file")]
    NotArrow {
        /// What it begins with instead, printable.
        found: String,
    },
    /// The format that `feather` meant before it meant Arrow IPC.
    #[error(
        "the source is a Feather version 1 file, which is not supported: write it again with `pyarrow.feather.write_feather`"
    )]
    FeatherV1,
    /// It begins as it should, and ends before it should.
    #[error("the Arrow file was cut short: {reason}")]
    Cut {
        /// What is missing.
        reason: String,
    },
    /// The footer or the schema contradicts itself or the length of the file.
    #[error("the {part} of the Arrow file is damaged: {reason}")]
    Damaged {
        /// `footer`, `schema`, or which message.
        part: String,
        /// What does not hold.
        reason: String,
    },
    /// Numbers in another byte order than everybody's.
    #[error(
        "the Arrow file is big-endian, which is not supported: write it again on a little-endian machine"
    )]
    BigEndian,
    /// A version of the metadata before 4, as of Arrow 0.7 and older.
    #[error("the Arrow file is of metadata version {found}, and 4 and 5 are supported")]
    Version {
        /// The version.
        found: i32,
    },
    /// A codec that has no decoder here.
    #[error(
        "{part} of the Arrow file is compressed with codec {found}, and `lz4_frame` and `zstd` are supported"
    )]
    Codec {
        /// Which message.
        part: String,
        /// The codec's number in the format.
        found: i8,
    },
    /// A type that a table cannot have.
    #[error("column `{column}` has type {found}, which is not supported")]
    Type {
        /// Names from the column down, joined by dots.
        column: String,
        /// The type in words.
        found: String,
    },
    /// Two columns of one name.
    #[error("the Arrow file has two columns `{column}`")]
    Duplicate {
        /// The name.
        column: String,
    },
    /// A column that the file has not.
    #[error("the Arrow file has no column `{column}`")]
    NoColumn {
        /// The name asked for.
        column: String,
        /// The names there are.
        found: Vec<String>,
    },
    /// Values of a column that are damaged.
    #[error("column `{column}` cannot be read from record batch {batch}: {source}")]
    Column {
        /// The column.
        column: String,
        /// The record batch's position in the file.
        batch: usize,
        /// What is wrong.
        source: Damage,
    },
    /// Values of a dictionary that are damaged.
    #[error("the dictionary of column `{column}` cannot be read: {source}")]
    Dictionary {
        /// The first column that uses it.
        column: String,
        /// What is wrong.
        source: Damage,
    },
    /// A range that `partition` did not make from this file.
    #[error("the range `{hint}` is not one of this file")]
    Range {
        /// The range's hint.
        hint: String,
    },
}

/// What is wrong with an array.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// The message describes fewer arrays or buffers than its schema has.
    #[error("the record batch has too few {0}")]
    Few(&'static str),
    /// An array that is shorter than its parent.
    #[error("an array has {found} values, and {expected} are needed")]
    Length {
        /// Fewest values.
        expected: u64,
        /// Values there are.
        found: u64,
    },
    /// A validity bitmap that does not have as many nulls as were counted.
    #[error("an array has {found} nulls, and {expected} were counted")]
    NullCount {
        /// The count in the message.
        expected: u64,
        /// Nulls in the bitmap.
        found: u64,
    },
    /// Nulls where there may be none.
    #[error("it is not nullable and has nulls")]
    Nulls,
    /// A buffer that ends early.
    #[error("a buffer of {found} bytes is read up to byte {expected}")]
    Short {
        /// Bytes wanted.
        expected: u64,
        /// Bytes it has.
        found: u64,
    },
    /// Offsets that do not lie one after the other.
    #[error("offsets run backwards")]
    Offsets,
    /// A view of bytes that are not there.
    #[error("a view lies outside its buffers")]
    View,
    /// More than memory can address.
    #[error("there are too many values or bytes to be read at once")]
    TooMany,
    /// A buffer that cannot be decompressed.
    #[error("a buffer cannot be decompressed: {0}")]
    Compressed(#[from] io::Error),
    /// Values that are not what their type says.
    #[error("{0}")]
    Values(#[from] ArrowError),
}

impl Error {
    /// Something in a part of the file that does not hold.
    pub(crate) fn damaged(part: impl Into<String>, reason: impl Into<String>) -> Self {
        Self::Damaged {
            part: part.into(),
            reason: reason.into(),
        }
    }

    /// The stable code of this error.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotArrow { .. }
            | Self::Cut { .. }
            | Self::Damaged { .. }
            | Self::Duplicate { .. }
            | Self::Column { .. }
            | Self::Dictionary { .. } => "bad-file",
            Self::FeatherV1
            | Self::BigEndian
            | Self::Version { .. }
            | Self::Codec { .. }
            | Self::Type { .. } => "unsupported",
            Self::NoColumn { .. } => "missing-column",
            Self::Range { .. } => "bad-range",
        }
    }

    /// Facts for the reader of the message: a label and a value.
    pub fn details(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NotArrow { found } => vec![
                ("expected", "`ARROW1` at the beginning".into()),
                ("found", found.clone()),
            ],
            Self::Type { column, found } => {
                vec![("column", column.clone()), ("found", found.clone())]
            }
            Self::NoColumn { found, .. } => vec![("found", found.join(", "))],
            Self::Column { column, batch, .. } => vec![
                ("column", column.clone()),
                ("record batch", batch.to_string()),
            ],
            Self::Dictionary { column, .. } => vec![("column", column.clone())],
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
