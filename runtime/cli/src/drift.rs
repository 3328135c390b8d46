//! What `--locked` and `--frozen` refuse: anything that is not as the lockfile says.

use std::collections::{BTreeMap, BTreeSet};

use pinion_runtime::digest::Digest;
use pinion_runtime::error::Place;
use pinion_runtime::lock::{Change, Lockfile};
use pinion_runtime::pipeline::{Pipeline, SourceName};
use pinion_runtime::record::SourceFile;

use crate::args::Planning;
use crate::failure::Failure;
use crate::project::LOCK;
use crate::ui;

/// A source's files by path: digest and size in bytes.
type Files<'a> = BTreeMap<&'a str, (Digest, u64)>;

/// Under `--frozen` every source has to be the locked one.
pub(crate) fn refuse_sources(
    pipeline: &Pipeline,
    lock: &Lockfile,
    sources: &BTreeMap<SourceName, Vec<SourceFile>>,
) -> Result<(), Failure> {
    for source in &pipeline.sources {
        let found = sources.get(&source.name).into_iter().flatten();
        let found = found.map(|file| (file.path.as_str(), (file.digest, file.size_bytes)));
        let locked = lock.sources.get(&source.name).map(|files| {
            let locked = files.iter();
            locked
                .map(|(path, file)| (path.as_str(), (file.digest, file.size_bytes)))
                .collect()
        });
        let message = match locked {
            Some(locked) => difference(&source.name, &locked, &found.collect()),
            None => Some(not_locked(&source.name, &source.place)),
        };
        if let Some(message) = message {
            return Err(Failure::wrong(message).hint(
                "to accept the sources as they are, run `pinion lock`, or run without `--frozen`",
            ));
        }
    }
    Ok(())
}

/// Under `--locked` nothing but sources may differ, under `--frozen` nothing at all.
pub(crate) fn refuse_changes(planning: &Planning, changes: &[Change]) -> Result<(), Failure> {
    let of_sources = |change: &&Change| {
        matches!(
            change,
            Change::SourceLocked { .. }
                | Change::SourceChanged { .. }
                | Change::SourceRemoved(_)
                | Change::SchemaChanged(_)
        )
    };
    let refused = match (planning.frozen, planning.locked) {
        (true, _) => changes.first(),
        (false, true) => changes.iter().find(|change| !of_sources(change)),
        (false, false) => None,
    };
    let Some(change) = refused else { return Ok(()) };
    let flag = if planning.frozen {
        "--frozen"
    } else {
        "--locked"
    };
    Err(Failure::wrong(format!(
        "`{LOCK}` is out of date, and `{flag}` was given\n  found {change}"
    ))
    .hint("to accept it, run `pinion lock`"))
}

fn not_locked(name: &SourceName, place: &Place) -> String {
    format!("source `{name}` is not locked, and `--frozen` was given\n  in {LOCK}\n  in {place}")
}

/// The first file that is not the locked one, if there is one, and how many more there are.
fn difference(name: &SourceName, locked: &Files<'_>, found: &Files<'_>) -> Option<String> {
    let paths: BTreeSet<&str> = locked.keys().chain(found.keys()).copied().collect();
    let mut changed = paths
        .into_iter()
        .filter(|path| locked.get(path) != found.get(path));
    let first = changed.next()?;
    let told = |file: Option<&(Digest, u64)>| match file {
        Some((digest, bytes)) => format!("{digest}, {}", ui::counted(*bytes, "byte")),
        None => "no such file".to_owned(),
    };
    let more = match changed.count() {
        0 => String::new(),
        more => format!(", and {}", ui::counted(more as u64, "more file")),
    };
    Some(format!(
        "source `{name}` is not the one that was locked, and `--frozen` was given\n  expected {}\n  found    {}\n  in       {first}{more}",
        told(locked.get(first)),
        told(found.get(first)),
    ))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_first_file_that_differs_is_told() {
        let name: SourceName = "trips".parse().unwrap();
        let digest = |byte| Digest::from_bytes([byte; 32]);
        let locked = Files::from([("a.csv", (digest(1), 1)), ("b.csv", (digest(2), 20))]);
        assert_eq!(difference(&name, &locked, &locked), None);

        let found = Files::from([("b.csv", (digest(3), 21)), ("c.csv", (digest(2), 20))]);
        assert_eq!(
            difference(&name, &locked, &found).unwrap(),
            format!(
                "source `trips` is not the one that was locked, and `--frozen` was given\n  \
                 expected {}, 1 byte\n  found    no such file\n  in       a.csv, and 2 more files",
                digest(1)
            )
        );
    }
}
