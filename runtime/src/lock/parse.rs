//! Reads a lockfile in any layout.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Deserializer};

use super::error::LockError;
use super::{ComponentKey, LOCK_VERSION, LockedComponent, LockedFile, Lockfile, Origin};
use crate::arrow::format::WireField;
use crate::digest::{ComponentDigest, Digest};
use crate::error::{Place, SourceText};
use crate::pipeline::{Layout, SourceName, StepName, normal_path};

pub(super) fn lockfile(text: &str, file_name: &str) -> Result<Lockfile, LockError> {
    let source = SourceText::new(file_name, text);
    // Any version has this key, so that it can be asked for alone.
    let version = toml_edit::de::from_str::<FileVersion>(text).map(|file| file.version);
    let parsed = toml_edit::de::from_str::<File>(text)
        .map_err(|error| Invalid {
            message: error.message().lines().collect::<Vec<_>>().join(", "),
            span: error.span(),
        })
        .and_then(File::into_lockfile)
        .map_err(|invalid| invalid.at(&source));
    let file = file_name.to_owned();
    match (version, parsed) {
        (Ok(LOCK_VERSION) | Err(_), parsed) => parsed,
        (Ok(found), Ok(_)) => Err(LockError::UnsupportedVersion { file, found }),
        (Ok(found), Err(error)) => Err(LockError::UnparsableVersion {
            file,
            found,
            source: Box::new(error),
        }),
    }
}

struct Invalid {
    message: String,
    span: Option<Range<usize>>,
}

impl Invalid {
    fn new(message: String) -> Self {
        Self {
            message,
            span: None,
        }
    }

    fn at(self, source: &Arc<SourceText>) -> LockError {
        let place = Place::new(source, self.span.unwrap_or(0..0));
        LockError::Invalid {
            message: self.message,
            place,
        }
    }
}

#[derive(Deserialize)]
struct FileVersion {
    version: u32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[expect(dead_code, reason = "read on its own, before the rest")]
    version: u32,
    semantics: String,
    layout: FileLayout,
    #[serde(default)]
    component: Vec<FileComponent>,
    #[serde(default)]
    source: Vec<FileSource>,
    #[serde(default)]
    probe: Vec<FileProbe>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileLayout {
    batch_rows: std::num::NonZeroU32,
    partition_batches: std::num::NonZeroU32,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileComponent {
    name: String,
    version: Option<Version>,
    origin: FileOrigin,
    digest: ComponentDigest,
    sources: Option<Digest>,
    #[serde(default, deserialize_with = "optional_path")]
    file: Option<String>,
    #[serde(default)]
    capabilities: BTreeSet<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum FileOrigin {
    Std,
    Crate,
    File,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileSource {
    name: SourceName,
    files: Vec<FileEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileEntry {
    #[serde(deserialize_with = "path")]
    path: String,
    digest: Digest,
    size: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileProbe {
    step: StepName,
    fields: Vec<FileField>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileField {
    name: String,
    format: String,
    #[serde(default)]
    nullable: bool,
    #[serde(default)]
    children: u32,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
}

impl File {
    fn into_lockfile(self) -> Result<Lockfile, Invalid> {
        let layout = Layout {
            batch_rows: self.layout.batch_rows.get(),
            partition_batches: self.layout.partition_batches.get(),
        };
        let mut lock = Lockfile::new(&self.semantics, layout);
        for component in self.component {
            let (key, component) = component.into_locked()?;
            let twice = format!("component `{key}` is there twice");
            if lock.components.insert(key, component).is_some() {
                return Err(Invalid::new(twice));
            }
        }
        for source in self.source {
            let mut files = BTreeMap::new();
            for file in source.files {
                let twice = format!("file `{}` is there twice", file.path);
                let locked = LockedFile {
                    digest: file.digest,
                    size_bytes: file.size,
                };
                if files.insert(file.path, locked).is_some() {
                    return Err(Invalid::new(twice));
                }
            }
            let twice = format!("source `{}` is there twice", source.name);
            if lock.sources.insert(source.name, files).is_some() {
                return Err(Invalid::new(twice));
            }
        }
        for probe in self.probe {
            let twice = format!("probe of step `{}` is there twice", probe.step);
            let fields = probe.fields.into_iter().map(FileField::into_wire).collect();
            if lock.probes.insert(probe.step, fields).is_some() {
                return Err(Invalid::new(twice));
            }
        }
        Ok(lock)
    }
}

impl FileComponent {
    fn into_locked(self) -> Result<(ComponentKey, LockedComponent), Invalid> {
        let origin = match (self.origin, self.sources, self.file) {
            (FileOrigin::Std, None, None) => Origin::Std,
            (FileOrigin::File, None, None) => Origin::File,
            (FileOrigin::Crate, Some(sources), Some(file)) => Origin::Crate { sources, file },
            (FileOrigin::Crate, ..) => {
                let name = self.name;
                let message = format!("component `{name}` is a crate without `sources` or `file`");
                return Err(Invalid::new(message));
            }
            (FileOrigin::Std | FileOrigin::File, ..) => {
                let name = self.name;
                let message = format!("component `{name}` has `sources` or `file` but is no crate");
                return Err(Invalid::new(message));
            }
        };
        let key = ComponentKey {
            name: self.name,
            version: self.version,
        };
        let capabilities = self.capabilities;
        Ok((
            key,
            LockedComponent {
                origin,
                digest: self.digest,
                capabilities,
            },
        ))
    }
}

impl FileField {
    fn into_wire(self) -> WireField {
        WireField {
            name: self.name,
            format: self.format,
            nullable: self.nullable,
            children: self.children,
            metadata: self.metadata.into_iter().collect(),
        }
    }
}

/// A path in normal form: a lockfile that was tampered with may not name files elsewhere.
fn path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    match normal_path(&path) {
        Ok(normal) if normal == path => Ok(path),
        Ok(normal) => Err(serde::de::Error::custom(format!(
            "path `{path}` should be `{normal}`"
        ))),
        Err(problem) => Err(serde::de::Error::custom(format!(
            "path `{path}` cannot be used: {problem}"
        ))),
    }
}

fn optional_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    path(deserializer).map(Some)
}
