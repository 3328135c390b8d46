//! Where debug information is kept: beside what cargo makes, never committed, never hashed.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use pinion_runtime::digest::ComponentDigest;

/// Relative to the project.
const DIRECTORY: &str = ".pinion/target/symbols";

/// What names of files begin with: they are digests.
const PREFIX: &str = "sha256-";

/// Most files that are kept: every edit makes one.
const MOST: usize = 24;

/// Keeps the build that a component was stripped of, for the project at `root`.
///
/// Without it messages say less, so what cannot be kept is nobody's failure.
pub(crate) fn keep(root: &Path, digest: &ComponentDigest, build: &[u8]) {
    let file = file(root, digest);
    let write = || -> io::Result<()> {
        let directory = file.parent().unwrap_or(root);
        fs::create_dir_all(directory)?;
        let temporary = file.with_extension(format!("{}.tmp", std::process::id()));
        fs::write(&temporary, build)?;
        fs::rename(&temporary, &file)?;
        forget_oldest(directory)
    };
    drop(write());
}

/// The build that a component was stripped of, if it is there.
pub(crate) fn kept(root: &Path, digest: &ComponentDigest) -> Option<Vec<u8>> {
    crate::file::read(&file(root, digest)).ok()
}

fn file(root: &Path, digest: &ComponentDigest) -> PathBuf {
    let digest = digest.to_string().replace(':', "-");
    root.join(DIRECTORY).join(digest).with_extension("wasm")
}

fn forget_oldest(directory: &Path) -> io::Result<()> {
    let mut files: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        // The directory may be a link of somebody else's: what is not ours stays.
        if !entry.file_name().to_string_lossy().starts_with(PREFIX) {
            continue;
        }
        files.push((entry.metadata()?.modified()?, entry.path()));
    }
    files.sort();
    let surplus = files.len().saturating_sub(MOST);
    files
        .iter()
        .take(surplus)
        .try_for_each(|(_, file)| fs::remove_file(file))
}
