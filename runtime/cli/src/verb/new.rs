//! `pinion new`.

use std::path::Path;

use pinion_runtime::pipeline::{StepName, is_device};
use serde::Serialize;

use crate::args::New;
use crate::failure::{DONE, Failure};
use crate::{scaffold, ui};

#[derive(Serialize)]
struct Summary {
    directory: String,
    files: Vec<String>,
}

/// Refuses what no step could be called either: one rule for names, and none that a shell has to quote.
fn check_name(directory: &Path) -> Result<(), Failure> {
    // A path without a name is the scaffold's to refuse.
    let Some(name) = directory.file_name() else {
        return Ok(());
    };
    let name = name.to_string_lossy();
    if is_device(&name) {
        return Err(Failure::wrong(format!(
            "a project cannot be called `{}`: it is the name of a device on Windows",
            ui::harmless(&name)
        )));
    }
    if name.parse::<StepName>().is_ok() {
        return Ok(());
    }
    let words = name.split(|c: char| !c.is_ascii_alphanumeric());
    let words: Vec<String> = words
        .filter(|word| !word.is_empty())
        .map(str::to_ascii_lowercase)
        .collect();
    let better = words.join("-");
    let failure = Failure::wrong(format!(
        "a project cannot be called `{}`\n  expected a lower-case letter, then lower-case letters, digits, `-` and `_`, at most 64 in all",
        ui::harmless(&name)
    ));
    Err(match better.parse::<StepName>() {
        Ok(better) => failure.hint(format!("call it `{better}`")),
        Err(_) => failure,
    })
}

/// Makes a project.
pub(crate) fn new(args: &New) -> Result<u8, Failure> {
    check_name(&args.name)?;
    let made = scaffold::new_project(&args.name)?;
    let shown = |path: &Path| path.display().to_string();
    if args.json {
        ui::json(&Summary {
            directory: shown(&made.directory),
            files: made.files.iter().map(|file| shown(file)).collect(),
        })?;
    } else {
        let directory = shown(&made.directory);
        ui::note(&format!(
            "made `{directory}`; to run it: pinion run -C {directory}"
        ));
    }
    Ok(DONE)
}
