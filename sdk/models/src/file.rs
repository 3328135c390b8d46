//! How a model becomes a file and is read back.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// Why a file or a column could not be used with a model.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The bytes are not a model of the kind asked for.
    #[error("cannot read the {kind} model")]
    Unreadable {
        /// The kind of model that was expected.
        kind: &'static str,
        /// What the parser says.
        #[source]
        source: serde_json::Error,
    },
    /// The file was written by another version of the format.
    #[error("{kind} model has version {found}, which is not known\n  expected {expected}\n  found    {found}")]
    UnknownVersion {
        /// The kind of model that was expected.
        kind: &'static str,
        /// The version that this crate reads.
        expected: u32,
        /// The version in the file.
        found: u32,
    },
    /// The model holds nothing for a column that it should be applied to.
    #[error("{kind} model has no column `{column}`\n  found {found}")]
    NoColumn {
        /// The kind of model.
        kind: &'static str,
        /// The column that is wanted.
        column: String,
        /// The columns that the model has.
        found: String,
    },
    /// A column has a type that cannot be used.
    #[error("column `{column}` has a type that cannot be used here\n  expected {expected}\n  found    {found}")]
    BadType {
        /// The column.
        column: String,
        /// The types that could be used.
        expected: &'static str,
        /// The type the column has.
        found: String,
    },
    /// A column has a value that cannot be used.
    #[error("column `{column}` has a value that cannot be used here\n  expected {expected}\n  found    {found}")]
    BadValue {
        /// The column.
        column: String,
        /// The values that could be used.
        expected: &'static str,
        /// The first value that cannot.
        found: String,
    },
}

impl Error {
    /// The stable code of this error, in kebab case.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Error::Unreadable { .. } => "unreadable-model",
            Error::UnknownVersion { .. } => "unknown-model-version",
            Error::NoColumn { .. } => "column-not-in-model",
            Error::BadType { .. } => "bad-type",
            Error::BadValue { .. } => "bad-value",
        }
    }
}

/// A fitted model with a file format of its own.
///
/// Fields of implementing structs are declared in alphabetical order, so that keys are sorted whatever
/// features `serde_json` was built with.
pub trait Model: Serialize + DeserializeOwned {
    /// The word for this model in messages.
    const KIND: &'static str;
    /// The media type of the file.
    const MEDIA_TYPE: &'static str;
    /// The version of the format, written to and required of every file.
    const VERSION: u32 = 1;

    /// The file: UTF-8 JSON, sorted keys, newline at the end. All floats must be finite.
    ///
    /// # Errors
    /// - [`Error::Unreadable`]: a value has no JSON form.
    fn to_bytes(&self) -> Result<Vec<u8>, Error> {
        let file = Written { model: self, version: Self::VERSION };
        let mut bytes = serde_json::to_vec_pretty(&file).map_err(|source| Error::Unreadable { kind: Self::KIND, source })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// - [`Error::UnknownVersion`]: the file has another version.
    /// - [`Error::Unreadable`]: the bytes are no such model; unknown keys count.
    fn parse(bytes: &[u8]) -> Result<Self, Error> {
        let unreadable = |source| Error::Unreadable { kind: Self::KIND, source };
        let header: Header = serde_json::from_slice(bytes).map_err(unreadable)?;
        if header.version != Self::VERSION {
            return Err(Error::UnknownVersion { kind: Self::KIND, expected: Self::VERSION, found: header.version });
        }
        let file: Read<Self> = serde_json::from_slice(bytes).map_err(unreadable)?;
        Ok(file.model)
    }
}

#[derive(Serialize)]
struct Written<'a, M> {
    model: &'a M,
    version: u32,
}

#[derive(Deserialize)]
struct Header {
    version: u32,
}

#[derive(Deserialize)]
#[serde(bound = "M: DeserializeOwned")]
struct Read<M> {
    model: M,
}

/// The entry for `name`, or an error that says which columns there are.
pub(crate) fn column<'a, T>(kind: &'static str, columns: &'a BTreeMap<String, T>, name: &str) -> Result<&'a T, Error> {
    columns.get(name).ok_or_else(|| Error::NoColumn {
        kind,
        column: name.to_owned(),
        found: columns.keys().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "),
    })
}
