//! How a model becomes a file and is read back.

use std::collections::BTreeMap;

use pinion_sdk::{Error, Inputs, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

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
    /// `bad-model` if a value has no JSON form.
    fn to_bytes(&self) -> Result<Vec<u8>> {
        let file = Written {
            model: self,
            version: Self::VERSION,
        };
        let mut bytes = serde_json::to_vec_pretty(&file).map_err(|error| {
            Error::new(
                "bad-model",
                format!("cannot write the {} model: {error}", Self::KIND),
            )
        })?;
        bytes.push(b'\n');
        Ok(bytes)
    }

    /// Reads a file.
    ///
    /// # Errors
    /// - `unknown-model-version`.
    /// - `bad-model` if the bytes are no such model; unknown keys count.
    fn parse(bytes: &[u8]) -> Result<Self> {
        let bad = |error: serde_json::Error| {
            Error::new(
                "bad-model",
                format!("cannot read the {} model: {error}", Self::KIND),
            )
        };
        let header: Header = serde_json::from_slice(bytes).map_err(bad)?;
        if header.version != Self::VERSION {
            return Err(Error::new(
                "unknown-model-version",
                format!("the {} model has an unknown version", Self::KIND),
            )
            .with("expected", Self::VERSION)
            .with("found", header.version));
        }
        let file: Read<Self> = serde_json::from_slice(bytes).map_err(bad)?;
        Ok(file.model)
    }

    /// Reads the file at a side port, if one is bound there.
    ///
    /// # Errors
    /// As [`Model::parse`].
    fn read(side: &Inputs, port: &str) -> Result<Option<Self>> {
        side.find_blob(port)
            .map(|blob| Self::parse(&blob.read_all()))
            .transpose()
    }
}

/// The entry for `name`, or an error that says which columns the model has.
pub(crate) fn column<'a, T>(
    kind: &'static str,
    columns: &'a BTreeMap<String, T>,
    name: &str,
) -> Result<&'a T> {
    columns.get(name).ok_or_else(|| {
        let found: Vec<&str> = columns.keys().map(String::as_str).collect();
        Error::new(
            "column-not-in-model",
            format!("the {kind} was not fitted on column `{name}`"),
        )
        .with("model", kind)
        .with("column", name)
        .with("columns", found.join(", "))
    })
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
