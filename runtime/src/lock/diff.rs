//! What changed from one lockfile to the next, to be told.

use std::collections::BTreeSet;
use std::fmt;

use semver::Version;

use super::{ComponentKey, LockedComponent, Lockfile};
use crate::digest::ComponentDigest;
use crate::pipeline::{Layout, SourceName, StepName};

/// One change. Its text is a notice of one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The engine's semantics.
    Semantics {
        /// The version before.
        old: String,
        /// The version now.
        new: String,
    },
    /// How tables are cut.
    Layout {
        /// The layout before.
        old: Layout,
        /// The layout now.
        new: Layout,
    },
    /// A component that was not locked.
    ComponentLocked {
        /// Which one.
        key: ComponentKey,
        /// Its bytes.
        digest: ComponentDigest,
        /// What it asks for.
        capabilities: BTreeSet<String>,
    },
    /// A component that was locked to other bytes, to another version, or to other capabilities.
    ComponentUpdated {
        /// Which one.
        name: String,
        /// Version and bytes before.
        old: (Option<Version>, ComponentDigest),
        /// Version and bytes now.
        new: (Option<Version>, ComponentDigest),
        /// What it asks for now and did not before.
        gained: BTreeSet<String>,
    },
    /// A component that is not used any more.
    ComponentRemoved(ComponentKey),
    /// A source that was not locked.
    SourceLocked {
        /// Which one.
        name: SourceName,
        /// How many files it has.
        files: usize,
    },
    /// A source with other files.
    SourceChanged {
        /// Which one.
        name: SourceName,
        /// Files that are new.
        added: usize,
        /// Files with other bytes.
        changed: usize,
        /// Files that are gone.
        removed: usize,
    },
    /// A source that is not there any more.
    SourceRemoved(SourceName),
    /// A step that finds other fields in its source.
    SchemaChanged(StepName),
}

/// The changes from `old`, none if there was no lockfile, to `new`: components, then sources, then
/// schemas, each in the order of the lockfile.
///
/// A crate that was built from other sources to the same bytes has not changed, nor has a schema that
/// was not known before or is not needed any more.
pub fn diff(old: Option<&Lockfile>, new: &Lockfile) -> Vec<Change> {
    let Some(old) = old else {
        return diff(Some(&Lockfile::new(&new.semantics, new.layout)), new);
    };
    let mut changes = Vec::new();
    if old.semantics != new.semantics {
        let (old, new) = (old.semantics.clone(), new.semantics.clone());
        changes.push(Change::Semantics { old, new });
    }
    if old.layout != new.layout {
        changes.push(Change::Layout {
            old: old.layout,
            new: new.layout,
        });
    }
    diff_components(old, new, &mut changes);
    diff_sources(old, new, &mut changes);
    for (step, fields) in &new.probes {
        if old
            .probes
            .get(step)
            .is_some_and(|old_fields| old_fields != fields)
        {
            changes.push(Change::SchemaChanged(step.clone()));
        }
    }
    changes
}

fn diff_components(old: &Lockfile, new: &Lockfile, changes: &mut Vec<Change>) {
    let names: BTreeSet<&str> = old
        .components
        .keys()
        .chain(new.components.keys())
        .map(|key| key.name.as_str())
        .collect();
    for name in names {
        let mut gone = only_in(old, new, name).into_iter();
        for (key, component) in only_in(new, old, name) {
            changes.push(match gone.next() {
                Some((old_key, old_component)) => {
                    let gained = component
                        .capabilities
                        .difference(&old_component.capabilities);
                    Change::ComponentUpdated {
                        name: name.to_owned(),
                        old: (old_key.version.clone(), old_component.digest),
                        new: (key.version.clone(), component.digest),
                        gained: gained.cloned().collect(),
                    }
                }
                None => Change::ComponentLocked {
                    key: key.clone(),
                    digest: component.digest,
                    capabilities: component.capabilities.clone(),
                },
            });
        }
        changes.extend(gone.map(|(key, _)| Change::ComponentRemoved(key.clone())));
    }
}

/// The components called `name` that `lock` has, and `other` has not or with other bytes.
fn only_in<'a>(
    lock: &'a Lockfile,
    other: &Lockfile,
    name: &str,
) -> Vec<(&'a ComponentKey, &'a LockedComponent)> {
    let same = |a: &LockedComponent, b: &LockedComponent| {
        (a.digest, &a.capabilities) == (b.digest, &b.capabilities)
    };
    lock.components
        .iter()
        .filter(|(key, component)| {
            key.name == name
                && !other
                    .components
                    .get(key)
                    .is_some_and(|b| same(component, b))
        })
        .collect()
}

fn diff_sources(old: &Lockfile, new: &Lockfile, changes: &mut Vec<Change>) {
    for (name, files) in &new.sources {
        let name = name.clone();
        let Some(old_files) = old.sources.get(&name) else {
            changes.push(Change::SourceLocked {
                name,
                files: files.len(),
            });
            continue;
        };
        if old_files == files {
            continue;
        }
        let added = files
            .keys()
            .filter(|path| !old_files.contains_key(*path))
            .count();
        let removed = old_files
            .keys()
            .filter(|path| !files.contains_key(*path))
            .count();
        let kept = files
            .iter()
            .filter_map(|(path, file)| Some((file, old_files.get(path)?)));
        let changed = kept.filter(|(file, old_file)| file != old_file).count();
        changes.push(Change::SourceChanged {
            name,
            added,
            changed,
            removed,
        });
    }
    let gone = old
        .sources
        .keys()
        .filter(|name| !new.sources.contains_key(*name));
    changes.extend(gone.cloned().map(Change::SourceRemoved));
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Semantics { old, new } => write!(f, "updated engine semantics {old} -> {new}"),
            Self::Layout { old, new } => write!(
                f,
                "updated layout {} x {} -> {} x {}",
                old.batch_rows, old.partition_batches, new.batch_rows, new.partition_batches
            ),
            Self::ComponentLocked {
                key,
                digest,
                capabilities,
            } => {
                write!(f, "locked {key} {digest}")?;
                write_capabilities(f, capabilities)
            }
            Self::ComponentUpdated {
                name,
                old,
                new,
                gained,
            } => {
                write!(f, "updated {name}")?;
                write_version(f, old)?;
                write!(f, " ->")?;
                write_version(f, new)?;
                write_capabilities(f, gained)
            }
            Self::ComponentRemoved(key) => write!(f, "removed {key}"),
            Self::SourceLocked { name, files: 1 } => write!(f, "locked source {name}, 1 file"),
            Self::SourceLocked { name, files } => write!(f, "locked source {name}, {files} files"),
            Self::SourceChanged {
                name,
                added,
                changed,
                removed,
            } => {
                write!(f, "source {name} changed:")?;
                let counts = [(added, "added"), (changed, "changed"), (removed, "removed")];
                let counts = counts.iter().filter(|(count, _)| **count > 0);
                let counts: Vec<String> = counts
                    .map(|(count, what)| format!("{count} {what}"))
                    .collect();
                write!(f, " {}", counts.join(", "))
            }
            Self::SourceRemoved(name) => write!(f, "removed source {name}"),
            Self::SchemaChanged(step) => {
                write!(f, "step {step} finds another schema in its source")
            }
        }
    }
}

fn write_version(
    f: &mut fmt::Formatter<'_>,
    (version, digest): &(Option<Version>, ComponentDigest),
) -> fmt::Result {
    if let Some(version) = version {
        write!(f, " {version}")?;
    }
    write!(f, " {digest}")
}

fn write_capabilities(f: &mut fmt::Formatter<'_>, capabilities: &BTreeSet<String>) -> fmt::Result {
    if capabilities.is_empty() {
        return Ok(());
    }
    let capabilities: Vec<&str> = capabilities.iter().map(String::as_str).collect();
    write!(f, ", wants {}", capabilities.join(", "))
}
