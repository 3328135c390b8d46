//! The sources of a crate as one digest: tells whether a locked build is still that of the sources.
//!
//! It is never part of a key, and nothing is trusted because of it: what runs is named by the digest of
//! its bytes.

use std::collections::{BTreeMap, BTreeSet};
use std::io;

use cap_std::fs::Dir;
use thiserror::Error;
use toml_edit::{DocumentMut, Item, TableLike};

use super::neighbour;
use crate::digest::{Digest, StructuredHasher};
use crate::error::Hint;
use crate::regular;

/// What is hashed, and the version of its form.
const DOMAIN: &str = "pinion crate sources 1";

/// Bytes that one file of a crate may have.
const MOST_BYTES: u64 = 1 << 30;

/// The tables of a manifest that list what a build needs. `dev-dependencies` it does not.
const DEPENDENCIES: [&str; 2] = ["dependencies", "build-dependencies"];

/// Why the sources of a crate cannot be read. Its text is the problem alone.
#[derive(Debug, Error)]
pub enum SourcesError {
    /// There is no such directory, or it holds no crate.
    #[error("there is no crate at `./{path}`")]
    NoCrate {
        /// The directory, relative to the pipeline.
        path: String,
        /// The crate beside it that was probably meant.
        meant: Option<String>,
    },
    /// A manifest is not TOML.
    #[error("the manifest of a crate is not valid")]
    Manifest {
        /// The manifest, relative to the pipeline.
        path: String,
        /// What is wrong, and where.
        source: Box<toml_edit::TomlError>,
    },
    /// A file or directory cannot be read.
    #[error("the sources of a crate cannot be read")]
    Unreadable {
        /// The file or directory, relative to the pipeline.
        path: String,
        /// What the system says.
        source: io::Error,
    },
}

impl SourcesError {
    pub(super) fn facts(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::NoCrate { path, .. } => vec![("expected", format!("{path}/Cargo.toml"))],
            Self::Manifest { path, .. } | Self::Unreadable { path, .. } => {
                vec![("in", path.clone())]
            }
        }
    }
}

impl Hint for SourcesError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::NoCrate {
                meant: Some(meant), ..
            } => Some(format!("did you mean `./{meant}`?")),
            Self::NoCrate { path, .. } => path
                .strip_prefix("steps/")
                .map(|name| format!("to make one, run `pinion step new {name}`")),
            Self::Manifest { .. } | Self::Unreadable { .. } => None,
        }
    }
}

/// Makes sure that there is a crate at `path`.
pub(super) fn has_crate(project: &Dir, path: &str) -> Result<(), SourcesError> {
    let is_crate = |path: &str| project.is_file(format!("{path}/Cargo.toml"));
    if is_crate(path) {
        return Ok(());
    }
    Err(SourcesError::NoCrate {
        path: path.to_owned(),
        meant: neighbour(project, path, is_crate),
    })
}

/// The digest of everything in the project that the crate at `path` is built from.
///
/// That is every file of its directory and of the crates it depends on by path, and the manifest and
/// lockfile of the workspace it belongs to. `project` is the directory of the pipeline; what is outside
/// of it does not count. Neither do `target` directories, nor names that begin with a dot. A manifest
/// names what else counts as `sources` under `[package.metadata.pinion]`, paths relative to itself.
///
/// The digest is a structured hash of the paths, relative to `project` with `/`, ascending by bytes, and
/// of what is in the files.
///
/// # Errors
/// [`SourcesError`].
pub fn crate_sources(project: &Dir, path: &str) -> Result<Digest, SourcesError> {
    has_crate(project, path)?;
    let mut sources = Sources {
        project,
        files: BTreeSet::new(),
        crates: BTreeSet::new(),
    };
    sources.add_crate(path)?;

    let mut hasher = StructuredHasher::new(DOMAIN);
    hasher.list(sources.files.len());
    for file in &sources.files {
        let contents = regular::read(project, file, MOST_BYTES).map_err(unreadable(file))?;
        hasher.text(file).bytes(&contents);
    }
    Ok(hasher.finish())
}

/// What was found so far.
struct Sources<'a> {
    project: &'a Dir,
    /// Paths of files, relative to the project.
    files: BTreeSet<String>,
    /// Directories of crates that were visited.
    crates: BTreeSet<String>,
}

impl Sources<'_> {
    fn add_crate(&mut self, directory: &str) -> Result<(), SourcesError> {
        if !self.crates.insert(directory.to_owned()) {
            return Ok(());
        }
        self.add_directory(directory)?;
        let manifest = self.manifest(directory)?;
        let workspace = self.workspace(directory, &manifest)?;
        for dependency in path_dependencies(&manifest, directory, workspace.as_ref()) {
            // A path that leads nowhere is for cargo to complain about.
            if self
                .project
                .is_file(in_directory(&dependency, "Cargo.toml"))
            {
                self.add_crate(&dependency)?;
            }
        }
        let extra = manifest.get("package").and_then(|package| {
            package
                .get("metadata")?
                .get("pinion")?
                .get("sources")?
                .as_array()
        });
        for path in extra.into_iter().flatten().filter_map(|path| path.as_str()) {
            match joined(directory, path) {
                Some(path) if self.project.is_dir(&path) => self.add_directory(&path)?,
                Some(path) if self.project.is_file(&path) => drop(self.files.insert(path)),
                _ => {}
            }
        }
        Ok(())
    }

    fn add_directory(&mut self, directory: &str) -> Result<(), SourcesError> {
        let failed = || unreadable(directory);
        for entry in self.project.read_dir(directory).map_err(failed())? {
            let entry = entry.map_err(failed())?;
            let Ok(name) = entry.file_name().into_string() else {
                let source =
                    io::Error::new(io::ErrorKind::InvalidData, "a file's name is not UTF-8");
                return Err(failed()(source));
            };
            let path = in_directory(directory, &name);
            if name.starts_with('.') {
                continue;
            }
            // A link counts as the file it leads to; a link to a directory could lead in circles.
            let kind = entry.file_type().map_err(unreadable(&path))?;
            if kind.is_dir() {
                if name != "target" {
                    self.add_directory(&path)?;
                }
            } else if kind.is_file() || self.project.is_file(&path) {
                self.files.insert(path);
            }
        }
        Ok(())
    }

    /// The workspace that the crate belongs to, if it is not its own: directory and manifest.
    fn workspace(
        &mut self,
        directory: &str,
        manifest: &DocumentMut,
    ) -> Result<Option<(String, DocumentMut)>, SourcesError> {
        if manifest.contains_key("workspace") {
            return Ok(Some((directory.to_owned(), manifest.clone())));
        }
        let mut parent = directory;
        while !parent.is_empty() {
            parent = parent.rsplit_once('/').map_or("", |(parent, _)| parent);
            if !self.project.is_file(in_directory(parent, "Cargo.toml")) {
                continue;
            }
            let root = self.manifest(parent)?;
            if root.contains_key("workspace") {
                for name in ["Cargo.toml", "Cargo.lock"] {
                    let path = in_directory(parent, name);
                    if self.project.is_file(&path) {
                        self.files.insert(path);
                    }
                }
                return Ok(Some((parent.to_owned(), root)));
            }
        }
        Ok(None)
    }

    fn manifest(&self, directory: &str) -> Result<DocumentMut, SourcesError> {
        let path = in_directory(directory, "Cargo.toml");
        let bytes = regular::read(self.project, &path, MOST_BYTES).map_err(unreadable(&path))?;
        let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        let text = String::from_utf8(bytes)
            .map_err(not_text)
            .map_err(unreadable(&path))?;
        text.parse().map_err(|source| SourcesError::Manifest {
            path,
            source: Box::new(source),
        })
    }
}

/// The directories of the crates that `manifest` in `directory` depends on by path, in the project.
fn path_dependencies(
    manifest: &DocumentMut,
    directory: &str,
    workspace: Option<&(String, DocumentMut)>,
) -> BTreeSet<String> {
    let path_of = |item: &Item| item.get("path").and_then(Item::as_str).map(str::to_owned);
    let inherited: BTreeMap<String, String> = workspace
        .and_then(|(root, manifest)| {
            let all = manifest
                .get("workspace")?
                .get("dependencies")?
                .as_table_like()?;
            let paths = all
                .iter()
                .filter_map(|(name, item)| Some((name.to_owned(), joined(root, &path_of(item)?)?)));
            Some(paths.collect())
        })
        .unwrap_or_default();

    let targets = manifest.get("target").and_then(Item::as_table_like);
    let targets = targets.into_iter().flat_map(|all| all.iter());
    let tables = std::iter::once(manifest.as_table() as &dyn TableLike)
        .chain(targets.filter_map(|(_, target)| target.as_table_like()));
    let mut paths = BTreeSet::new();
    for table in tables {
        let lists = DEPENDENCIES
            .iter()
            .filter_map(|name| table.get(name)?.as_table_like());
        for (name, item) in lists.flat_map(|list| list.iter()) {
            match path_of(item) {
                Some(path) => paths.extend(joined(directory, &path)),
                None if item.get("workspace").is_some() => {
                    paths.extend(inherited.get(name).cloned())
                }
                None => {}
            }
        }
    }
    paths
}

/// `path` as seen from `directory`, in normal form; none if it leaves the project.
fn joined(directory: &str, path: &str) -> Option<String> {
    if path.starts_with('/') || path.contains(['\\', ':']) {
        return None;
    }
    let mut parts: Vec<&str> = directory
        .split('/')
        .filter(|part| !part.is_empty())
        .collect();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

fn in_directory(directory: &str, name: &str) -> String {
    if directory.is_empty() {
        name.to_owned()
    } else {
        format!("{directory}/{name}")
    }
}

fn unreadable(path: &str) -> impl Fn(io::Error) -> SourcesError {
    move |source| SourcesError::Unreadable {
        path: path.to_owned(),
        source,
    }
}
