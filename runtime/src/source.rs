//! Sources: which files a pipeline's `path` means, and their bytes.
//!
//! Files are opened through the pipeline's own directory, so no path leads out of it.

use std::io::{self, Read};

use cap_std::fs::Dir;
use glob::{MatchOptions, Pattern};

use crate::component::neighbour;
use crate::digest::Digest;
use crate::error::{Hint, Place};
use crate::pipeline::SourceDecl;
use crate::record::SourceFile;
use crate::store::{Store, StoreError};

/// Why a source cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// Nothing is there.
    #[error("source `{source_name}` has no files\n  expected {path}\n  in       {place}")]
    Missing {
        /// The source.
        source_name: String,
        /// Its path.
        path: String,
        /// The path that was probably meant.
        meant: Option<String>,
        /// Where it is declared.
        place: Place,
    },
    /// A glob that is none.
    #[error(
        "source `{source_name}` has a path that is no pattern: {problem}\n  found `{path}`\n  in    {place}"
    )]
    Pattern {
        /// The source.
        source_name: String,
        /// Its path.
        path: String,
        /// What is wrong.
        problem: String,
        /// Where it is declared.
        place: Place,
    },
    /// A file that cannot be read.
    #[error("source `{source_name}` cannot be read\n  in {path}")]
    Unreadable {
        /// The source.
        source_name: String,
        /// The file.
        path: String,
        /// Why not.
        #[source]
        error: io::Error,
    },
    /// The store cannot keep it.
    #[error("source `{source_name}` cannot be kept in the store")]
    Store {
        /// The source.
        source_name: String,
        /// Why not.
        #[source]
        error: StoreError,
    },
}

impl Hint for SourceError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Missing {
                meant: Some(meant), ..
            } => Some(format!("did you mean `{meant}`?")),
            Self::Missing { .. } => {
                Some("paths are relative to the directory of `pinion.toml`".to_owned())
            }
            _ => None,
        }
    }
}

/// The files that a source means now, in byte order of their paths, each with its digest. With `keep`
/// their bytes are copied to the store.
///
/// # Errors
/// [`SourceError`].
pub fn scan(
    project: &Dir,
    source: &SourceDecl,
    store: &Store,
) -> Result<Vec<SourceFile>, SourceError> {
    let source_name = source.name.to_string();
    let unreadable = |path: &str, error| SourceError::Unreadable {
        source_name: source_name.clone(),
        path: path.to_owned(),
        error,
    };
    let mut paths = paths(project, source)?;
    // Paths compare as bytes, on every system alike.
    paths.sort_unstable();
    let mut files = Vec::with_capacity(paths.len());
    for path in paths {
        let (digest, size_bytes) =
            hash(project, &path).map_err(|error| unreadable(&path, error))?;
        if source.keep && !store.has_blob(&digest) {
            let mut file = project
                .open(&path)
                .map_err(|error| unreadable(&path, error))?;
            let kept = store.put_blob_from(&mut file);
            kept.map_err(|error| SourceError::Store {
                source_name: source_name.clone(),
                error,
            })?;
        }
        files.push(SourceFile {
            path,
            digest,
            size_bytes,
        });
    }
    if files.is_empty() {
        let place = source.place.clone();
        return Err(SourceError::Missing {
            source_name,
            path: source.path.clone(),
            meant: None,
            place,
        });
    }
    Ok(files)
}

fn hash(project: &Dir, path: &str) -> io::Result<(Digest, u64)> {
    let mut file = project.open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut buffer = vec![0; 1 << 18];
    let mut size = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok((Digest::from_bytes(*hasher.finalize().as_bytes()), size));
        }
        hasher.update(&buffer[..read]);
        size += read as u64;
    }
}

fn paths(project: &Dir, source: &SourceDecl) -> Result<Vec<String>, SourceError> {
    let path = source.path.as_str();
    let source_name = source.name.to_string();
    if path.contains(['*', '?', '[']) {
        let pattern = Pattern::new(path).map_err(|error| SourceError::Pattern {
            source_name: source_name.clone(),
            path: path.to_owned(),
            problem: error.to_string(),
            place: source.place.clone(),
        })?;
        let fixed: Vec<&str> = path
            .split('/')
            .take_while(|part| !part.contains(['*', '?', '[']))
            .collect();
        let options = MatchOptions {
            case_sensitive: true,
            require_literal_separator: true,
            require_literal_leading_dot: true,
        };
        let mut files = Vec::new();
        match walk(project, &fixed.join("/"), &mut files) {
            Ok(()) => {}
            // A directory that is not there has no files.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(SourceError::Unreadable {
                    source_name,
                    path: path.to_owned(),
                    error,
                });
            }
        }
        files.retain(|file| pattern.matches_with(file, options));
        return Ok(files);
    }
    let unreadable = |error: io::Error| match error.kind() {
        io::ErrorKind::NotFound => SourceError::Missing {
            source_name: source_name.clone(),
            path: path.to_owned(),
            meant: neighbour(project, path, |_| true),
            place: source.place.clone(),
        },
        _ => SourceError::Unreadable {
            source_name: source_name.clone(),
            path: path.to_owned(),
            error,
        },
    };
    if project.metadata(path).map_err(unreadable)?.is_dir() {
        let mut files = Vec::new();
        walk(project, path, &mut files).map_err(unreadable)?;
        return Ok(files);
    }
    Ok(vec![path.to_owned()])
}

/// Every file below `directory`, but for hidden ones.
fn walk(project: &Dir, directory: &str, files: &mut Vec<String>) -> io::Result<()> {
    let entries = if directory.is_empty() {
        project.entries()?
    } else {
        project.read_dir(directory)?
    };
    for entry in entries {
        let entry = entry?;
        let name = entry.file_name();
        let name = name.to_str().ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidData,
                format!("the name of a file in `{directory}` is not UTF-8"),
            )
        })?;
        if name.starts_with('.') {
            continue;
        }
        let path = if directory.is_empty() {
            name.to_owned()
        } else {
            format!("{directory}/{name}")
        };
        // Through `metadata` of the directory, which follows links as far as they stay inside.
        let metadata = project.metadata(&path)?;
        if metadata.is_dir() {
            walk(project, &path, files)?;
        } else if metadata.is_file() {
            files.push(path);
        }
    }
    Ok(())
}

/// What a file's bytes are, by its name: all that a step which takes raw bytes gets to know of them.
pub fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("parquet") => "application/vnd.apache.parquet",
        Some("arrow") => "application/vnd.apache.arrow.file",
        Some("csv") => "text/csv",
        Some("json") => "application/json",
        Some("txt") => "text/plain",
        _ => "application/octet-stream",
    }
}
