//! A case as it lies in its directory.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use pinion_runtime::error::{Place, SourceText};
use serde_json::Value;

use crate::failure::Failure;
use crate::file::{MOST_FIXTURE_BYTES, read_text};

/// The file with the words of a refusal.
pub(super) const ERROR: &str = "error.txt";

/// One case: what a step is given, and what has to come of it.
#[derive(Debug)]
pub(super) struct Case {
    /// The name of its directory.
    pub(super) name: String,
    /// Its directory.
    pub(super) directory: PathBuf,
    /// The params, an object.
    pub(super) params: Value,
    /// The file that they are in, for messages.
    pub(super) place: Place,
    /// For each input port its file.
    pub(super) inputs: BTreeMap<String, PathBuf>,
    /// What has to come of it.
    pub(super) expected: Expected,
}

/// What has to come of a case.
#[derive(Debug)]
pub(super) enum Expected {
    /// Nobody has said.
    Nothing,
    /// These words.
    Error(String),
    /// For each output port, of those that count, its file.
    Outputs(BTreeMap<String, PathBuf>),
}

impl Case {
    /// The cases in a directory, by name. What holds neither inputs nor expectations is something else, such
    /// as the directory of an integration test.
    pub(super) fn all(directory: &Path) -> Result<Vec<Self>, Failure> {
        let mut cases = Vec::new();
        for path in entries(directory)? {
            let is_case = ["inputs", "expected", "params.json"]
                .iter()
                .any(|part| path.join(part).exists());
            if path.is_dir() && is_case {
                cases.push(Self::read(&path)?);
            }
        }
        Ok(cases)
    }

    fn read(directory: &Path) -> Result<Self, Failure> {
        let file = directory.join("params.json");
        let mut shown = file.display().to_string();
        let text = match read_text(&file, MOST_FIXTURE_BYTES) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                shown.push_str(" (which is not there)");
                "{}".to_owned()
            }
            Err(error) => return Err(Failure::on_path("read", file.display(), error)),
        };
        let params: Value = serde_json::from_str(&text).map_err(|error| {
            Failure::wrong(format!("`{}` is not JSON: {error}", file.display()))
        })?;
        if !params.is_object() {
            let message = format!("`{}` holds no params", file.display());
            return Err(Failure::wrong(message)
                .hint("write an object, as in `{ \"column\": \"minutes\" }`"));
        }
        let mut inputs = files(&directory.join("inputs"))?;
        // Types of columns belong to the file that they are of.
        inputs.retain(|port, _| !port.ends_with(".types"));
        let mut outputs = files(&directory.join("expected"))?;
        let error = outputs.remove("error");
        let expected = match (error, outputs.is_empty()) {
            (None, true) => Expected::Nothing,
            (None, false) => Expected::Outputs(outputs),
            (Some(file), true) => Expected::Error(
                read_text(&file, MOST_FIXTURE_BYTES)
                    .map_err(|error| Failure::on_path("read", file.display(), error))?,
            ),
            (Some(file), false) => {
                let message = format!(
                    "a step refuses or puts something out, never both\n  found `{}` beside other files",
                    file.display()
                );
                return Err(Failure::wrong(message));
            }
        };
        Ok(Self {
            name: name(directory),
            directory: directory.to_owned(),
            params,
            place: Place::new(&SourceText::new(&shown, &text), 0..0),
            inputs,
            expected,
        })
    }
}

/// The files of a directory by their names without extension, which are ports. None if it is not there.
fn files(directory: &Path) -> Result<BTreeMap<String, PathBuf>, Failure> {
    let mut files = BTreeMap::new();
    if !directory.is_dir() {
        return Ok(files);
    }
    for path in entries(directory)? {
        let stem = path.file_stem().unwrap_or_default().to_string_lossy();
        if let Some(other) = files.insert(stem.into_owned(), path.clone()) {
            return Err(Failure::wrong(format!(
                "two files are for one port\n  found `{}` and `{}`\n  in    {}",
                name(&other),
                name(&path),
                directory.display()
            )));
        }
    }
    Ok(files)
}

/// What is in a directory, by name, but for what is hidden.
fn entries(directory: &Path) -> Result<Vec<PathBuf>, Failure> {
    let failed = |error| Failure::on_path("read", directory.display(), error);
    let mut paths = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if !name(&path).starts_with('.') {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

fn name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().into_owned()
}
