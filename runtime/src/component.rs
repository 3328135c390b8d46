//! Components: from what a step names to the bytes that run.
//!
//! Bytes that are locked have to be the locked ones, wherever they are found. A crate is not built
//! here: the caller has a toolchain, or has not.

mod error;
mod sources;

use std::collections::BTreeMap;
use std::io;

use bytes::Bytes;
use cap_std::fs::Dir;
use semver::Version;

pub use self::error::{ComponentError, Unresolved};
pub use self::sources::{SourcesError, crate_sources};
use crate::digest::{ComponentDigest, Digest, StructuredHasher};
use crate::error::closest;
use crate::lock::{ComponentKey, LockedComponent, Origin};
use crate::pipeline::{ComponentRef, StepDecl};
use crate::regular;
use crate::sandbox::MAX_COMPONENT_BYTES;

/// Under which name a store remembers the bytes that were taken over as a standard component.
pub(crate) const ADOPTED: &str = "component";

/// What that is remembered under.
pub(crate) fn adopted_key(key: &ComponentKey, digest: &ComponentDigest) -> Digest {
    let mut hasher = StructuredHasher::new("pinion adopted component v1");
    hasher.text(&key.to_string()).component(digest).finish()
}

/// A standard component, which travels with the binary.
#[derive(Clone, Debug)]
pub struct StdComponent {
    /// The name without `std:`.
    pub name: &'static str,
    /// Its version.
    pub version: Version,
    /// The digest of `bytes`.
    pub digest: ComponentDigest,
    /// The component.
    pub bytes: &'static [u8],
}

/// Where components are looked for.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// The directory of the pipeline.
    pub project: &'a Dir,
    /// The standard components that the caller has.
    pub standard: &'a [StdComponent],
    /// The bytes that the store keeps under a digest, if it does.
    pub kept: &'a dyn Fn(&ComponentDigest) -> io::Result<Option<Bytes>>,
    /// Whether bytes are those of a standard component, as far as the caller knows.
    pub is_standard: &'a dyn Fn(&ComponentKey, &ComponentDigest) -> bool,
}

/// A component with its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Component {
    /// What the lockfile finds it by.
    pub key: ComponentKey,
    /// Where it came from.
    pub origin: Origin,
    /// The digest of `bytes`.
    pub digest: ComponentDigest,
    /// The component.
    pub bytes: Bytes,
}

/// What a reference stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolved {
    /// A component. If it is locked, these are the locked bytes.
    Component(Component),
    /// A crate that has to be built first; then [`Component::built`] makes a component of it.
    Unbuilt {
        /// The crate, relative to the pipeline.
        path: String,
        /// Why.
        reason: BuildReason,
    },
}

/// Why a crate has to be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BuildReason {
    /// Nothing is locked for it.
    New,
    /// Its sources are not those that the locked bytes were built from.
    SourcesChanged,
}

impl Component {
    /// The component that was just built from the crate at `path`, relative to the pipeline.
    ///
    /// `sources` is [`crate_sources`] after the build, which may have written a `Cargo.lock`. The
    /// caller writes the bytes to the file of the origin.
    pub fn built(path: &str, sources: Digest, bytes: Bytes) -> Self {
        Self {
            key: ComponentKey {
                name: ComponentRef::Crate {
                    path: path.to_owned(),
                }
                .lock_name(),
                version: None,
            },
            origin: Origin::Crate {
                sources,
                file: component_file(path),
            },
            digest: ComponentDigest::of(&bytes),
            bytes,
        }
    }
}

/// Where the committed bytes of the crate at `path` are: `steps/label` has `components/label.wasm`,
/// any other `lib/label` has `components/lib/label.wasm`.
pub fn component_file(path: &str) -> String {
    format!(
        "components/{}.wasm",
        path.strip_prefix("steps/").unwrap_or(path)
    )
}

/// Whether the crate at `path`, relative to the pipeline, is there: without it, it runs as it is locked.
pub fn has_crate(project: &Dir, path: &str) -> bool {
    sources::has_crate(project, path).is_ok()
}

/// Makes sure that no two crates among those that `steps` use have the same [`component_file`].
///
/// # Errors
/// [`ComponentError::SameFile`], at the later step.
pub fn refuse_same_files(steps: &[StepDecl]) -> Result<(), Unresolved> {
    let mut kept: BTreeMap<String, &str> = BTreeMap::new();
    for step in steps {
        let ComponentRef::Crate { path } = &step.component else {
            continue;
        };
        let file = component_file(path);
        match kept.get(&file) {
            Some(first) if *first != path => {
                let error = ComponentError::SameFile {
                    first: format!("./{first}"),
                    second: step.component.to_string(),
                    file,
                };
                return Err(error.used_by(step));
            }
            _ => drop(kept.insert(file, path)),
        }
    }
    Ok(())
}

/// Finds the bytes that `reference` stands for.
///
/// With `freeze`, which is `--locked`, only what is locked will do, and a crate is taken as it was
/// built, whatever its sources are now. Without it, what is not locked yet is found anew, and a crate
/// whose sources changed is to be built; one whose sources are not here, as in what was unpacked, is taken
/// as it was built all the same.
///
/// # Errors
/// - [`ComponentError::Changed`]: bytes that are not the locked ones.
/// - [`ComponentError::Unreleased`]: a standard component that is locked to other bytes than its own.
/// - [`ComponentError::NotLocked`]: nothing is locked, and `freeze` is set.
/// - [`ComponentError::UnknownStandard`], [`ComponentError::UnknownVersion`]: there is no such component.
/// - [`ComponentError::Missing`], [`ComponentError::NoFile`]: bytes that are nowhere.
/// - [`ComponentError::Unreadable`], [`ComponentError::Sources`]: files that cannot be read.
pub fn resolve(
    reference: &ComponentRef,
    locked: Option<(&ComponentKey, &LockedComponent)>,
    places: Places<'_>,
    freeze: bool,
) -> Result<Resolved, ComponentError> {
    let Some((key, locked)) = locked else {
        // What is not there at all is better said than that it is not locked.
        let found = found_anew(reference, places)?;
        return if freeze {
            Err(ComponentError::NotLocked {
                reference: reference.to_string(),
            })
        } else {
            Ok(found)
        };
    };
    if let (ComponentRef::Crate { path }, Origin::Crate { sources, .. }, false) =
        (reference, &locked.origin, freeze)
    {
        match crate_sources(places.project, path) {
            Ok(found) if found == *sources => {}
            Ok(_) => {
                return Ok(Resolved::Unbuilt {
                    path: path.clone(),
                    reason: BuildReason::SourcesChanged,
                });
            }
            // Without the locked bytes either, what is missing is the crate.
            Err(error @ SourcesError::NoCrate { .. }) => {
                return match resolve(reference, Some((key, locked)), places, true) {
                    Err(ComponentError::NoFile { .. }) => Err(error.into()),
                    resolved => resolved,
                };
            }
            Err(error) => return Err(error.into()),
        }
    }
    let bytes = match (reference, &locked.origin) {
        (ComponentRef::Std { name, .. }, _) => standard(reference, name, key, locked, places)?,
        (ComponentRef::Crate { .. }, Origin::Crate { file, .. }) => {
            from_file(reference, file, locked, places)?
        }
        // A lockfile that a person edited: what it says of the bytes still holds.
        (ComponentRef::Crate { path } | ComponentRef::File { path }, _) => {
            from_file(reference, path, locked, places)?
        }
    };
    Ok(Resolved::Component(Component {
        key: key.clone(),
        origin: locked.origin.clone(),
        digest: locked.digest,
        bytes,
    }))
}

/// What is there now, with nothing to compare it with.
fn found_anew(reference: &ComponentRef, places: Places<'_>) -> Result<Resolved, ComponentError> {
    let component = match reference {
        ComponentRef::Std { name, version } => {
            let named = || places.standard.iter().filter(|known| known.name == name);
            let newest = named()
                .filter(|known| version.matches(&known.version))
                .max_by(|left, right| left.version.cmp(&right.version));
            let Some(newest) = newest else {
                return Err(if named().next().is_none() {
                    ComponentError::unknown_standard(reference, name, places.standard)
                } else {
                    let mut known: Vec<_> = named().map(|known| known.version.clone()).collect();
                    known.sort();
                    ComponentError::UnknownVersion {
                        reference: reference.to_string(),
                        name: reference.lock_name(),
                        known,
                    }
                });
            };
            Component {
                key: ComponentKey {
                    name: reference.lock_name(),
                    version: Some(newest.version.clone()),
                },
                origin: Origin::Std,
                digest: newest.digest,
                bytes: Bytes::from_static(newest.bytes),
            }
        }
        ComponentRef::File { path } => {
            let bytes = read(reference, path, places)?.ok_or_else(|| ComponentError::NoFile {
                reference: reference.to_string(),
                path: path.clone(),
                locked: false,
                meant: neighbour(places.project, path, |path| path.ends_with(".wasm")),
            })?;
            Component {
                key: ComponentKey {
                    name: reference.lock_name(),
                    version: None,
                },
                origin: Origin::File,
                digest: ComponentDigest::of(&bytes),
                bytes,
            }
        }
        ComponentRef::Crate { path } => {
            sources::has_crate(places.project, path)?;
            return Ok(Resolved::Unbuilt {
                path: path.clone(),
                reason: BuildReason::New,
            });
        }
    };
    Ok(Resolved::Component(component))
}

/// Makes sure that what is locked as a standard component is one. Whatever a lockfile says, and whatever bytes lie
/// beside it, nothing else goes by such a name.
///
/// # Errors
/// [`ComponentError::Unreleased`].
pub fn refuse_unreleased(
    key: &ComponentKey,
    locked: &LockedComponent,
    places: Places<'_>,
) -> Result<(), ComponentError> {
    let is_named_so = locked.origin == Origin::Std || key.name.starts_with("std:");
    match is_named_so && !(places.is_standard)(key, &locked.digest) {
        true => Err(ComponentError::Unreleased {
            component: key.to_string(),
            digest: locked.digest,
        }),
        false => Ok(()),
    }
}

/// The locked bytes of a standard component: those that the caller has, else from the store. The digests of
/// the caller's were computed when it was built, so a run hashes none of them.
fn standard(
    reference: &ComponentRef,
    name: &str,
    key: &ComponentKey,
    locked: &LockedComponent,
    places: Places<'_>,
) -> Result<Bytes, ComponentError> {
    let known = places
        .standard
        .iter()
        .find(|known| known.name == name && Some(&known.version) == key.version.as_ref());
    if let Some(known) = known
        && known.digest == locked.digest
    {
        return Ok(Bytes::from_static(known.bytes));
    }
    refuse_unreleased(key, locked, places)?;
    if let Some(bytes) = kept(reference, locked, places)? {
        return Ok(bytes);
    }
    Err(match known {
        Some(known) => ComponentError::Changed {
            component: key.to_string(),
            expected: locked.digest,
            found: known.digest,
        },
        None => ComponentError::Missing {
            component: key.to_string(),
            digest: locked.digest,
        },
    })
}

/// The locked bytes of a file in the project. A file that is gone is found in the store, if there.
fn from_file(
    reference: &ComponentRef,
    path: &str,
    locked: &LockedComponent,
    places: Places<'_>,
) -> Result<Bytes, ComponentError> {
    let bytes = match read(reference, path, places)? {
        Some(bytes) => bytes,
        None => {
            return kept(reference, locked, places)?.ok_or(ComponentError::NoFile {
                reference: reference.to_string(),
                path: path.to_owned(),
                locked: true,
                meant: None,
            });
        }
    };
    let found = ComponentDigest::of(&bytes);
    if found != locked.digest {
        return Err(ComponentError::Changed {
            component: reference.lock_name(),
            expected: locked.digest,
            found,
        });
    }
    Ok(bytes)
}

/// The locked bytes as the store keeps them. Bytes that are not what their name says count as not kept.
fn kept(
    reference: &ComponentRef,
    locked: &LockedComponent,
    places: Places<'_>,
) -> Result<Option<Bytes>, ComponentError> {
    let bytes = (places.kept)(&locked.digest).map_err(|source| ComponentError::Store {
        reference: reference.to_string(),
        source,
    })?;
    Ok(bytes.filter(|bytes| ComponentDigest::of(bytes) == locked.digest))
}

/// The bytes of a file, if it is there.
fn read(
    reference: &ComponentRef,
    path: &str,
    places: Places<'_>,
) -> Result<Option<Bytes>, ComponentError> {
    match regular::read(places.project, path, MAX_COMPONENT_BYTES as u64) {
        Ok(bytes) => Ok(Some(bytes.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(ComponentError::Unreadable {
            reference: reference.to_string(),
            path: path.to_owned(),
            source,
        }),
    }
}

/// What lies beside `path`, is wanted, and was probably meant by it.
pub(crate) fn neighbour(
    project: &Dir,
    path: &str,
    is_wanted: impl Fn(&str) -> bool,
) -> Option<String> {
    let (directory, name) = path.rsplit_once('/').unwrap_or((".", path));
    let mut names: Vec<String> = project
        .read_dir(directory)
        .ok()?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| is_wanted(&format!("{directory}/{name}")))
        .collect();
    names.sort_unstable();
    let meant = closest(name, names.iter().map(String::as_str))?;
    Some(match directory {
        "." => meant.to_owned(),
        directory => format!("{directory}/{meant}"),
    })
}

impl std::fmt::Debug for Places<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Places")
            .field("project", self.project)
            .field("standard", &self.standard.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests;
