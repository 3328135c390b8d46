//! Builds the crates of a project.

use std::path::Path;

use pinion_runtime::digest::ComponentDigest;

use crate::cargo::{self, CargoError};
use crate::failure::Failure;
use crate::key;
use crate::project::{PIPELINE, open_store};
use crate::symbols;

/// Builds the crate in `directory`, of the project at `root`, and gives the bytes of its component.
///
/// Names and line tables are taken out of them and kept beside, for messages.
pub(crate) fn component(directory: &Path, root: &Path) -> Result<Vec<u8>, Failure> {
    if !directory.join("Cargo.toml").is_file() {
        let directory = directory.to_owned();
        return Err(CargoError::NoCrate { directory }.into());
    }
    if root.join(PIPELINE).is_file() {
        // First: a directory in which cargo has been before is not taken for a store that could be made.
        open_store(&root.join(".pinion"), key::for_once()?)?;
    }
    let build = cargo::build_crate(directory, root, &root.join(cargo::TARGET_DIR))?;
    let bytes = symbols::strip(&build).map_err(|error| {
        Failure::wrong(format!(
            "what cargo built is no component: {error}\n  in {}",
            directory.display()
        ))
    })?;
    symbols::keep(root, &ComponentDigest::of(&bytes), &build);
    Ok(bytes)
}
