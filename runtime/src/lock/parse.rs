//! Reads a lockfile in any layout.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use semver::Version;
use serde::{Deserialize, Deserializer};
use serde_spanned::Spanned;

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
            message: error.message().to_owned(),
            span: error.span().unwrap_or(0..0),
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
    span: Range<usize>,
}

impl Invalid {
    fn twice<T>(what: &str, entry: &Spanned<T>) -> Self {
        let message = format!("{what} is there twice");
        let span = entry.span();
        Self { message, span }
    }

    fn at(self, source: &Arc<SourceText>) -> LockError {
        let place = Place::new(source, self.span);
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
    component: Vec<Spanned<FileComponent>>,
    #[serde(default)]
    source: Vec<Spanned<FileSource>>,
    #[serde(default)]
    probe: Vec<Spanned<FileProbe>>,
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
    files: Vec<Spanned<FileEntry>>,
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
        for entry in self.component {
            let component = entry.get_ref();
            let key = ComponentKey {
                name: component.name.clone(),
                version: component.version.clone(),
            };
            if lock.components.contains_key(&key) {
                return Err(Invalid::twice(&format!("component `{key}`"), &entry));
            }
            lock.components.insert(key, locked_component(entry)?);
        }
        for entry in self.source {
            let name = entry.get_ref().name.clone();
            if lock.sources.contains_key(&name) {
                return Err(Invalid::twice(&format!("source `{name}`"), &entry));
            }
            let mut files = BTreeMap::new();
            for entry in entry.into_inner().files {
                let FileEntry { path, digest, size } = entry.get_ref();
                if files.contains_key(path) {
                    return Err(Invalid::twice(&format!("file `{path}`"), &entry));
                }
                let locked = LockedFile {
                    digest: *digest,
                    size_bytes: *size,
                };
                files.insert(path.clone(), locked);
            }
            lock.sources.insert(name, files);
        }
        for entry in self.probe {
            let step = entry.get_ref().step.clone();
            if lock.probes.contains_key(&step) {
                return Err(Invalid::twice(&format!("probe of step `{step}`"), &entry));
            }
            let fields = entry.into_inner().fields;
            lock.probes
                .insert(step, fields.into_iter().map(FileField::into_wire).collect());
        }
        Ok(lock)
    }
}

fn locked_component(entry: Spanned<FileComponent>) -> Result<LockedComponent, Invalid> {
    let span = entry.span();
    let component = entry.into_inner();
    let origin = match (component.origin, component.sources, component.file) {
        (FileOrigin::Std, None, None) => Origin::Std,
        (FileOrigin::File, None, None) => Origin::File,
        (FileOrigin::Crate, Some(sources), Some(file)) => Origin::Crate { sources, file },
        (FileOrigin::Crate, ..) => {
            let message = format!("crate `{}` has no `sources` or no `file`", component.name);
            return Err(Invalid { message, span });
        }
        (FileOrigin::Std | FileOrigin::File, ..) => {
            let name = component.name;
            let message = format!("component `{name}` is no crate and has `sources` or `file`");
            return Err(Invalid { message, span });
        }
    };
    let capabilities = component.capabilities;
    Ok(LockedComponent {
        origin,
        digest: component.digest,
        capabilities,
    })
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
