//! Where debug information is kept: beside what cargo makes, never committed, never hashed.
//!
//! Whoever made the project may have put anything there: nothing is opened but regular files in `.pinion`, nothing
//! is written through a link that leads out of it, and what this user has not kept there is not looked into. That
//! is told by a code at the end, as for compiled code: to decode debug information takes many times its size.

use std::io::{self, Write as _};
use std::path::Path;

use cap_std::ambient_authority;
use cap_std::fs::{Dir, OpenOptions};
use cap_std::time::SystemTime;
use pinion_runtime::digest::{ComponentDigest, Digest};
use pinion_runtime::regular;

use crate::code_cache::UserCodeCache;
use crate::project::is_store;

/// Relative to the project.
const PINION: &str = ".pinion";

/// Relative to [`PINION`].
const DIRECTORY: &str = "target/symbols";

/// What names of files begin with: they are digests.
const PREFIX: &str = "sha256-";

/// Most files that are kept: every edit makes one.
const MOST: usize = 24;

/// Bytes of a build with all of its debug information. One of a step of many crates has some tens of millions.
const MOST_BYTES: u64 = 256 << 20;

/// Keeps the build that a component was stripped of, for the project at `root`.
///
/// Without it messages say less, so what cannot be kept is nobody's failure.
pub(crate) fn keep(root: &Path, digest: &ComponentDigest, build: &[u8]) {
    let write = || -> io::Result<()> {
        std::fs::create_dir_all(root.join(PINION))?;
        let pinion = pinion(root)?;
        pinion.create_dir_all(DIRECTORY)?;
        let file = file(digest);
        let temporary = format!("{file}.{}.tmp", std::process::id());
        // New, or somebody could have put a link or a pipe there.
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        let code = code(digest, build).ok_or(io::ErrorKind::NotFound)?;
        let mut open = pinion.open_with(&temporary, &options)?;
        open.write_all(build)?;
        open.write_all(code.as_bytes())?;
        pinion.rename(&temporary, &pinion, &file)?;
        forget_oldest(&pinion.open_dir(DIRECTORY)?)
    };
    drop(write());
}

/// The build that a component was stripped of, if this user has kept it there.
pub(crate) fn kept(root: &Path, digest: &ComponentDigest) -> Option<Vec<u8>> {
    let mut build = regular::read(&pinion(root).ok()?, &file(digest), MOST_BYTES).ok()?;
    let end = build.len().checked_sub(blake3::OUT_LEN)?;
    let found: [u8; blake3::OUT_LEN] = build.split_off(end).try_into().ok()?;
    // Compared in constant time, as `Hash` does.
    (code(digest, &build)? == blake3::Hash::from_bytes(found)).then_some(build)
}

/// What shows that a build was kept by this user; none where no key can be kept.
fn code(digest: &ComponentDigest, build: &[u8]) -> Option<blake3::Hash> {
    let key = Digest::of(format!("pinion symbols {digest}").as_bytes());
    UserCodeCache::open()?.code(&key, build).ok()
}

/// The directory of the store. As the store itself, it may be a link to another disk, and
/// then it must be a store.
fn pinion(root: &Path) -> io::Result<Dir> {
    let path = root.join(PINION);
    if path.is_symlink() && !is_store(&path) {
        return Err(io::ErrorKind::NotFound.into());
    }
    Dir::open_ambient_dir(&path, ambient_authority())
}

fn file(digest: &ComponentDigest) -> String {
    let digest = digest.to_string().replace(':', "-");
    format!("{DIRECTORY}/{digest}.wasm")
}

fn forget_oldest(directory: &Dir) -> io::Result<()> {
    let mut files: Vec<(SystemTime, String)> = Vec::new();
    for entry in directory.entries()? {
        let entry = entry?;
        // What is not ours stays.
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(PREFIX) {
            files.push((entry.metadata()?.modified()?, name));
        }
    }
    files.sort();
    let surplus = files.len().saturating_sub(MOST);
    files
        .iter()
        .take(surplus)
        .try_for_each(|(_, file)| directory.remove_file(file))
}
