//! `pinion new`.

use std::path::Path;

use serde::Serialize;

use crate::args::New;
use crate::failure::{DONE, Failure};
use crate::{scaffold, ui};

#[derive(Serialize)]
struct Summary {
    directory: String,
    files: Vec<String>,
}

/// Makes a project.
pub(crate) fn new(args: &New) -> Result<u8, Failure> {
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
