//! The lockfile, and whether what it locks is what is there.

use std::io;

use cap_std::fs::Dir;
use pinion_runtime::adopt;
use pinion_runtime::component::StdComponent;
use pinion_runtime::digest::{ComponentDigest, Digest};
use pinion_runtime::lock::{ComponentKey, LockedComponent, LockedFile, Lockfile, Origin};
use pinion_runtime::pipeline::Pipeline;
use pinion_runtime::regular;
use pinion_runtime::sandbox::MAX_COMPONENT_BYTES;
use pinion_runtime::store::Store;
use pinion_runtime::unit::SEMANTICS;

use super::report::Report;
use crate::failure::Failure;
use crate::project::{LOCK, MOST_TEXT_BYTES, PIPELINE};
use crate::std_components::{is_released, standard};
use crate::ui;

/// Checks the pipeline file, the lockfile, the sources and the components.
pub(super) fn check(project: &Dir, store: Option<&Store>, report: &mut Report) {
    match text(project, PIPELINE) {
        Ok(Some(text)) => match Pipeline::parse(&text, PIPELINE, &[]) {
            Ok(pipeline) => report.ok(
                "pipeline",
                &format!(
                    "`{PIPELINE}` is valid: {}",
                    ui::counted(pipeline.steps.len() as u64, "step")
                ),
            ),
            Err(error) => report.failure("pipeline", &error.into()),
        },
        Ok(None) => report.problem("pipeline", &format!("there is no `{PIPELINE}`")),
        Err(failure) => report.failure("pipeline", &failure),
    }
    let lock = match text(project, LOCK) {
        Ok(Some(text)) => Lockfile::parse(&text, LOCK).map_err(Failure::from),
        Ok(None) => {
            report.note(
                "lock",
                &format!("there is no `{LOCK}` yet; `pinion lock` writes it"),
            );
            return;
        }
        Err(failure) => Err(failure),
    };
    let lock = match lock {
        Ok(lock) => lock,
        Err(failure) => {
            report.failure("lock", &failure);
            return;
        }
    };
    if lock.semantics == SEMANTICS {
        report.ok("lock", &format!("`{LOCK}` is valid"));
    } else {
        let message = format!("`{LOCK}` holds for an engine with other semantics");
        report.problem(
            "lock",
            &format!(
                "{message}\n  expected {SEMANTICS}\n  found    {}",
                lock.semantics
            ),
        );
    }
    sources(project, &lock, report);
    components(project, store, &lock, report);
}

fn sources(project: &Dir, lock: &Lockfile, report: &mut Report) {
    let files: Vec<_> = lock
        .sources
        .iter()
        .flat_map(|(name, files)| files.iter().map(move |(path, file)| (name, path, file)))
        .collect();
    let bar = ui::bar("reading sources", Some(files.len() as u64), report.json);
    let mut same = 0;
    for (name, path, locked) in &files {
        let problem = match hash(project, path) {
            Ok(found) if found == **locked => None,
            Ok(found) => Some(format!(
                "source `{name}` is not the one that was locked\n  expected {}, {} bytes\n  found    {}, {} bytes\n  in       {path}",
                locked.digest, locked.size_bytes, found.digest, found.size_bytes
            )),
            Err(error) => Some(format!(
                "source `{name}` cannot be read: {error}\n  in {path}"
            )),
        };
        bar.inc(1);
        match problem {
            Some(problem) => bar.suspend(|| report.problem("sources", &problem)),
            None => same += 1,
        }
    }
    bar.finish_and_clear();
    if same == files.len() {
        report.ok(
            "sources",
            &format!("{}, as locked", ui::counted(same as u64, "file")),
        );
    } else {
        report.hint("to lock the sources as they are now, run `pinion lock`");
    }
}

fn components(project: &Dir, store: Option<&Store>, lock: &Lockfile, report: &mut Report) {
    let mut is_refused = false;
    for (key, locked) in &lock.components {
        match unreleased(store, key, locked) {
            Unreleased::No => {}
            Unreleased::Adopted(by) => {
                report.note(
                    "components",
                    &format!("component `{key}` was adopted by {by}"),
                );
            }
            Unreleased::Yes => {
                is_refused = true;
                report.refused(
                    "components",
                    &format!(
                        "component `{key}` is locked to bytes that are not known as its own\n  expected the bytes of a release\n  found    {}",
                        locked.digest
                    ),
                );
            }
        }
    }
    let problems: Vec<String> = lock
        .components
        .iter()
        .filter(|(key, locked)| !matches!(unreleased(store, key, locked), Unreleased::Yes))
        .filter_map(|(key, locked)| component(project, store, key, locked))
        .collect();
    if problems.is_empty() && !is_refused {
        report.ok(
            "components",
            &format!(
                "{}, as locked",
                ui::counted(lock.components.len() as u64, "component")
            ),
        );
    } else {
        problems
            .iter()
            .for_each(|problem| report.problem("components", problem));
        report.hint("to accept the components that are there, run `pinion update`");
    }
}

/// Whether something goes by the name of a standard component that is not known as one.
enum Unreleased {
    No,
    Adopted(String),
    Yes,
}

fn unreleased(store: Option<&Store>, key: &ComponentKey, locked: &LockedComponent) -> Unreleased {
    let is_named_so = locked.origin == Origin::Std || key.name.starts_with("std:");
    if !is_named_so || is_released(key, &locked.digest) {
        return Unreleased::No;
    }
    let adopted = store.map(|store| adopt::component_adopted(store, key, &locked.digest));
    match adopted {
        Some(Ok(Some(by))) => Unreleased::Adopted(by),
        _ => Unreleased::Yes,
    }
}

/// What is wrong with a component, if something is.
fn component(
    project: &Dir,
    store: Option<&Store>,
    key: &ComponentKey,
    locked: &LockedComponent,
) -> Option<String> {
    let file = match &locked.origin {
        Origin::Std => return standard_component(standard(), store, key, locked),
        Origin::Crate { file, .. } => file.as_str(),
        Origin::File => key.name.strip_prefix("./").unwrap_or(&key.name),
    };
    match regular::read(project, file, MAX_COMPONENT_BYTES as u64) {
        Ok(bytes) => differs(key, locked, &ComponentDigest::of(&bytes), file),
        Err(error) => Some(format!(
            "component `{key}` cannot be read: {error}\n  in {file}"
        )),
    }
}

/// A standard component has to be in the binary or in the store.
fn standard_component(
    standard: &[StdComponent],
    store: Option<&Store>,
    key: &ComponentKey,
    locked: &LockedComponent,
) -> Option<String> {
    let is_kept =
        || store.is_some_and(|store| matches!(store.component(&locked.digest), Ok(Some(_))));
    if standard.iter().any(|known| known.digest == locked.digest) || is_kept() {
        return None;
    }
    let name = key.name.strip_prefix("std:").unwrap_or(&key.name);
    let other = standard
        .iter()
        .find(|known| known.name == name && Some(&known.version) == key.version.as_ref());
    match other {
        Some(other) => differs(key, locked, &other.digest, "this `pinion`"),
        None => Some(format!(
            "component `{key}` is not there\n  expected {} in this `pinion` or in the store",
            locked.digest
        )),
    }
}

fn differs(
    key: &ComponentKey,
    locked: &LockedComponent,
    found: &ComponentDigest,
    place: &str,
) -> Option<String> {
    (*found != locked.digest).then(|| {
        let expected = &locked.digest;
        format!("component `{key}` is not the one that was locked\n  expected {expected}\n  found    {found}\n  in       {place}")
    })
}

fn text(project: &Dir, name: &str) -> Result<Option<String>, Failure> {
    match regular::read(project, name, MOST_TEXT_BYTES) {
        Ok(bytes) => String::from_utf8(bytes)
            .map(Some)
            .map_err(|_| Failure::wrong(format!("`{name}` is not UTF-8"))),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Failure::on_path("read", name, error)),
    }
}

/// The bytes of a file as they are now, whatever is remembered of them.
fn hash(project: &Dir, path: &str) -> io::Result<LockedFile> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(regular::open(project, path)?)?;
    Ok(LockedFile {
        digest: Digest::from_bytes(hasher.finalize().into()),
        size_bytes: hasher.count(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn locked(bytes: &[u8]) -> (ComponentKey, LockedComponent) {
        let key = ComponentKey {
            name: "std:read-csv".to_owned(),
            version: Some("0.1.0".parse().unwrap()),
        };
        let locked = LockedComponent {
            origin: Origin::Std,
            digest: ComponentDigest::of(bytes),
            capabilities: BTreeSet::new(),
        };
        (key, locked)
    }

    #[test]
    fn standard_components_are_known_by_their_bytes() {
        let standard = [StdComponent {
            name: "read-csv",
            version: "0.1.0".parse().unwrap(),
            digest: ComponentDigest::of(b"a"),
            bytes: b"a",
        }];
        let problem = |bytes: &[u8], version: &str| {
            let (mut key, locked) = locked(bytes);
            key.version = Some(version.parse().unwrap());
            standard_component(&standard, None, &key, &locked)
        };
        assert_eq!(problem(b"a", "0.1.0"), None);
        let other = problem(b"b", "0.1.0").unwrap();
        assert!(
            other.starts_with(
                "component `std:read-csv@0.1.0` is not the one that was locked\n  expected sha256:"
            ),
            "{other}"
        );
        let unknown = problem(b"b", "0.2.0").unwrap();
        assert!(
            unknown.starts_with("component `std:read-csv@0.2.0` is not there\n"),
            "{unknown}"
        );
    }
}
