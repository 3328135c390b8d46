//! `pinion pack` and `pinion unpack`: a whole run as one file, and back.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::io::{self, BufReader};
use std::path::{Path, PathBuf};
use std::time::Duration;

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::adopt;
use pinion_runtime::component::Component;
use pinion_runtime::lock::{Lockfile, Origin};
use pinion_runtime::pack::{self, Contents, PackError};
use pinion_runtime::regular;
use serde::Serialize;

use crate::args::{Pack, Unpack};
use crate::failure::{DONE, Failure, REFUSED, WRONG};
use crate::file;
use crate::project::{
    LOCK, MOST_TEXT_BYTES, Project, STORE, cancelled, end_in_good_order, open_store, store_key,
};
use crate::recorded::{Recorded, succeeded};
use crate::standing;
use crate::std_components::is_released;
use crate::ui;
use crate::verb::adopt::adopter;

/// What the directory that is being unpacked to is called, before something random.
const SCRATCH: &str = ".pinion-unpack-";

/// How old such a directory must be to be left over from a process that was killed: its time is that of the last
/// file that was put right into it, and a large pack takes a while.
const STALE_AFTER: Duration = Duration::from_hours(24);

/// What `pinion pack --json` prints.
#[derive(Serialize)]
struct PackSummary {
    run: String,
    run_digest: Option<String>,
    file: String,
    results: bool,
    files: u64,
    /// Of the file.
    bytes: u64,
}

/// What `pinion unpack --json` prints.
#[derive(Serialize)]
struct UnpackSummary {
    run: String,
    directory: String,
    results: bool,
    files: u64,
    /// Of the files together.
    bytes: u64,
}

/// Writes a run to a file.
pub(crate) fn pack(args: &Pack) -> Result<u8, Failure> {
    let project = Project::open_to_read(&args.place)?;
    let run = succeeded(&project, args.run.as_deref(), "pack")?;
    standing::tell(&project.store, &run)?;
    let recorded = Recorded::open(&project, &run)?;
    let components: Vec<Component> = recorded.components.into_values().collect();
    let contents = Contents {
        store: &project.store,
        project: &project.dir,
        run: &run,
        components: &components,
        results: args.results,
    };
    // A file that is half written is taken away again.
    end_in_good_order();
    let bar = ui::bar("packing", None, args.place.json);
    let mut packed = None;
    let written = file::replace(&args.output, |out| {
        let done = pack::pack(contents, out, cancelled()).map_err(|error| match error {
            PackError::Io { path, source, .. } if path == pack::WHOLE => {
                file::unwritable(&args.output, source)
            }
            error => {
                let failure = Failure::from(error);
                // Nobody else's word was taken for anything.
                let code = match failure.code {
                    REFUSED => WRONG,
                    code => code,
                };
                Failure { code, ..failure }
            }
        })?;
        packed = Some(done);
        Ok(())
    });
    bar.finish_and_clear();
    let bytes = written?;
    let summary = PackSummary {
        run: run.start.id.to_string(),
        run_digest: run
            .end
            .as_ref()
            .and_then(|end| end.run_digest)
            .map(|digest| digest.to_string()),
        file: args.output.display().to_string(),
        results: args.results,
        files: packed.map_or(0, |packed| packed.files),
        bytes,
    };
    if args.place.json {
        ui::json(&summary)?;
    } else {
        ui::note(&format!(
            "packed run {}: {}, {} to {}",
            summary.run,
            ui::counted(summary.files, "file"),
            ui::bytes(bytes),
            summary.file
        ));
    }
    Ok(DONE)
}

/// Makes a project directory of a file.
///
/// All is put into a directory beside the one that is asked for and gets its name when every byte was
/// checked, so that a failure or a kill leaves no half project.
pub(crate) fn unpack(args: &Unpack) -> Result<u8, Failure> {
    let target = match &args.directory {
        Some(directory) => directory.clone(),
        None => named_as(&args.file)?,
    };
    let unreadable = |error| Failure::on_path("read", args.file.display(), error);
    // A pipe would be waited for.
    if !fs::metadata(&args.file).map_err(unreadable)?.is_file() {
        return Err(Failure::wrong(format!(
            "`{}` is not a file",
            args.file.display()
        )));
    }
    let pack = File::open(&args.file).map_err(unreadable)?;
    let metadata = pack.metadata().map_err(unreadable)?;
    refuse_present(&target)?;
    end_in_good_order();
    let unwritable = |error: io::Error| Failure::on_path("make", target.display(), error);
    let parents = Parents::make(&target).map_err(unwritable)?;
    let scratch = scratch(&target).map_err(unwritable)?;
    let dir = Dir::open_ambient_dir(scratch.path(), ambient_authority()).map_err(unwritable)?;
    let bar = ui::bar("unpacking", None, args.json);
    let mut reader = BufReader::with_capacity(1 << 20, pack);
    let unpacked = pack::unpack(&mut reader, metadata.len(), &dir, cancelled());
    bar.finish_and_clear();
    let unpacked = unpacked.map_err(|error| match error {
        PackError::Io { path, source, .. } if path == pack::WHOLE => unreadable(source),
        error => Failure::from(error),
    })?;
    adopt_components(args, &dir, scratch.path())?;
    // Closed first: Windows does not rename what is open.
    drop(dir);
    fs::rename(scratch.path(), &target).map_err(unwritable)?;
    // It is there no longer, under that name.
    drop(scratch.keep());
    parents.keep();
    let summary = UnpackSummary {
        run: unpacked.run.to_string(),
        directory: target.display().to_string(),
        results: unpacked.results,
        files: unpacked.files,
        bytes: unpacked.bytes,
    };
    if args.json {
        ui::json(&summary)?;
    } else {
        ui::note(&format!(
            "unpacked run {}: {}, {} to {}",
            summary.run,
            ui::counted(summary.files, "file"),
            ui::bytes(summary.bytes),
            summary.directory
        ));
        if summary.results {
            ui::note(
                "  what the run made is the sender's word, which no run takes for known until `pinion verify` has made it again or `pinion adopt` has taken it over",
            );
        }
    }
    Ok(DONE)
}

/// Refuses what goes by the name of a standard component and is not known as one, unless it is to be adopted.
fn adopt_components(args: &Unpack, dir: &Dir, path: &Path) -> Result<(), Failure> {
    let text = regular::read(dir, LOCK, MOST_TEXT_BYTES)
        .map_err(|error| Failure::on_path("read", LOCK, error))?;
    let lock = Lockfile::parse(&String::from_utf8_lossy(&text), LOCK)?;
    let mut named: BTreeSet<&str> = args.adopt.iter().map(String::as_str).collect();
    let mut adopted = Vec::new();
    for (key, locked) in &lock.components {
        let name = key.to_string();
        if locked.origin != Origin::Std || is_released(key, &locked.digest) {
            continue;
        }
        if !named.remove(name.as_str()) {
            return Err(Failure::refused(format!(
                "component `{name}` is locked to bytes that are not known as its own\n  expected the bytes of a release\n  found    {}\n  in       {LOCK} of the pack",
                locked.digest
            ))
            .hint(format!(
                "if a newer `pinion` packed it, use that; to take over what the sender calls so, run `pinion unpack --adopt {name}`"
            )));
        }
        adopted.push((key, locked));
    }
    if let Some(name) = named.into_iter().next() {
        return Err(Failure::wrong(format!(
            "the pack has no component `{name}` to adopt\n  expected one that this `pinion` does not know, with its whole version"
        )));
    }
    if adopted.is_empty() {
        return Ok(());
    }
    let key = store_key(args.store_key.as_deref())?;
    let store = open_store(&path.join(STORE), key)?;
    let by = adopter(args.by.as_deref());
    for (key, locked) in adopted {
        adopt::adopt_component(&store, key, &locked.digest, &by)?;
        ui::note(&format!("adopted component {key} as {}", locked.digest));
    }
    Ok(())
}

/// The name of a file without its extension, here.
fn named_as(file: &Path) -> Result<PathBuf, Failure> {
    match (file.file_stem(), file.extension()) {
        (Some(stem), Some(_)) => Ok(PathBuf::from(stem)),
        _ => Err(Failure::wrong(format!(
            "the name of `{}` has no extension, so it does not say which directory to make",
            file.display()
        ))
        .hint("name the directory: `pinion unpack FILE DIR`")),
    }
}

/// Makes sure that nothing is in the way.
fn refuse_present(target: &Path) -> Result<(), Failure> {
    match fs::symlink_metadata(target) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(Failure::on_path("make", target.display(), error)),
        Ok(_) => Err(Failure::wrong(format!(
            "there is something at `{}` already",
            target.display()
        ))
        .hint("name a directory that does not exist yet: `pinion unpack FILE DIR`")),
    }
}

/// A directory beside `target`, which is removed unless it is kept. Errors do not show its random name.
fn scratch(target: &Path) -> io::Result<tempfile::TempDir> {
    let parent = target
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    fs::metadata(parent)?;
    sweep(parent);
    let mut builder = tempfile::Builder::new();
    builder.prefix(SCRATCH);
    // As any new directory: whatever the umask leaves.
    #[cfg(unix)]
    builder.permissions(std::os::unix::fs::PermissionsExt::from_mode(0o777));
    builder
        .tempdir_in(parent)
        .map_err(|error| error.kind().into())
}

/// Removes what an `unpack` that was killed has left beside a target.
fn sweep(parent: &Path) {
    for entry in fs::read_dir(parent).into_iter().flatten().flatten() {
        let name = entry.file_name();
        if !name.to_string_lossy().starts_with(SCRATCH) {
            continue;
        }
        let age = entry.metadata().and_then(|found| found.modified());
        let age = age.ok().and_then(|then| then.elapsed().ok());
        if age.is_some_and(|age| age > STALE_AFTER) {
            // Others may do so at the same time, and what cannot be removed is no obstacle.
            drop(fs::remove_dir_all(entry.path()));
        }
    }
}

/// The directories that were made for a target to lie in. Removed again unless they are kept.
struct Parents(Vec<PathBuf>);

impl Parents {
    fn make(target: &Path) -> io::Result<Self> {
        let absent = |path: &&Path| !path.as_os_str().is_empty() && !path.exists();
        let made = target.ancestors().skip(1).take_while(absent);
        let made = Self(made.map(Path::to_path_buf).collect());
        made.0.first().map_or(Ok(()), fs::create_dir_all)?;
        Ok(made)
    }

    fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Parents {
    fn drop(&mut self) {
        // The innermost first; what somebody else uses meanwhile stays.
        for path in &self.0 {
            drop(fs::remove_dir(path));
        }
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_unpack_left_is_removed_by_the_next_one() {
        let dir = tempfile::tempdir().unwrap();
        let (old, new, other) = (
            dir.path().join(".pinion-unpack-old"),
            dir.path().join(".pinion-unpack-new"),
            dir.path().join("other"),
        );
        for path in [&old, &new, &other] {
            fs::create_dir(path).unwrap();
            fs::write(path.join("a"), "a").unwrap();
        }
        let then = std::time::SystemTime::now() - 2 * STALE_AFTER;
        for path in [&old, &other] {
            File::open(path).unwrap().set_modified(then).unwrap();
        }
        let made = scratch(&dir.path().join("target")).unwrap();
        assert!(!old.exists() && new.exists() && other.exists() && made.path().exists());
    }

    #[test]
    fn directories_for_a_target_are_gone_unless_it_is_there() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("a/b/c");
        drop(Parents::make(&target).unwrap());
        assert!(!dir.path().join("a").exists());
        Parents::make(&target).unwrap().keep();
        assert!(dir.path().join("a/b").is_dir());
        drop(Parents::make(&target).unwrap());
        assert!(dir.path().join("a/b").is_dir());
    }

    #[test]
    fn a_directory_is_called_as_its_file() {
        assert_eq!(
            named_as(Path::new("packs/trips.tar")).unwrap(),
            Path::new("trips")
        );
        for name in ["trips", ".tar", "packs/.."] {
            assert!(named_as(Path::new(name)).is_err(), "{name}");
        }
    }

    #[test]
    fn nothing_that_is_there_is_unpacked_over() {
        let dir = tempfile::tempdir().unwrap();
        assert!(refuse_present(&dir.path().join("new")).is_ok());
        assert!(refuse_present(dir.path()).is_err());
        fs::write(dir.path().join("a"), "a").unwrap();
        assert!(refuse_present(&dir.path().join("a")).is_err());
        assert!(refuse_present(&dir.path().join("a/b")).is_err());
    }
}
