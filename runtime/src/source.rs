//! Sources: which files a pipeline's `path` means, and their bytes.
//!
//! Files are opened through the pipeline's own directory, so no path leads out of it, and nothing but regular
//! files is opened. Links are followed to files, and not to directories, where they could lead in circles. What
//! a source means has to be the same on every system, so names that some cannot have are refused, and so are two
//! that are one where case or the form of accents does not count.
//!
//! Hard links cannot be told from other files: who can make one to a file could read it.
//!
//! The digest of a file that did not change since it was hashed is remembered in the store, by what the
//! system says of it: device, inode, size, and the times of its last change. Times are coarse, so a file
//! that changed shortly before it was hashed could change once more without a trace. Git knows this as the
//! racy timestamp, and the rule is the same: what was that young is not remembered.

use std::collections::BTreeMap;
use std::io;
use std::time::{Duration, SystemTime};

use cap_std::fs::{Dir, File};
use glob::{MatchOptions, Pattern, PatternError};
use icu_normalizer::ComposingNormalizerBorrowed;

use crate::component::neighbour;
use crate::digest::{Digest, StructuredHasher};
use crate::error::{Hint, Place};
use crate::parallel::{self, LARGE_BYTES, ReadError};
use crate::pipeline::{PathProblem, SourceDecl, normal_path};
use crate::record::SourceFile;
use crate::regular;
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
    /// A file whose path a lockfile cannot hold, because it means something else on other systems.
    #[error(
        "source `{source_name}` has a file whose name cannot be used: {problem}\n  found `{}`\n  in    {place}",
        on_one_line(path)
    )]
    Name {
        /// The source.
        source_name: String,
        /// The file.
        path: String,
        /// What is wrong.
        problem: PathProblem,
        /// Where it is declared.
        place: Place,
    },
    /// Two files, or directories on the way to them, that are one where case or the form of accents does not
    /// count.
    #[error(
        "source `{source_name}` has two names that are one on other systems\n  found `{first}` and `{second}`\n  in    {place}"
    )]
    Clash {
        /// The source.
        source_name: String,
        /// The lower one.
        first: String,
        /// The higher one.
        second: String,
        /// Where it is declared.
        place: Place,
    },
    /// A link to a directory, in which the source could have files.
    #[error(
        "source `{source_name}` has a link to a directory, which is not followed\n  found `{}`\n  in    {place}",
        on_one_line(path)
    )]
    Link {
        /// The source.
        source_name: String,
        /// The link.
        path: String,
        /// Where it is declared.
        place: Place,
    },
    /// A file that cannot be read.
    #[error("source `{source_name}` cannot be read\n  in {}", on_one_line(path))]
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
            Self::Name { .. } => {
                Some("rename the file, or give a path or a pattern that leaves it out".to_owned())
            }
            Self::Clash { .. } => Some("rename one of the two".to_owned()),
            Self::Link { .. } => Some(
                "give the path of the directory itself, or a pattern that leaves the link out"
                    .to_owned(),
            ),
            Self::Unreadable { error, .. } if regular::leads_out(error) => {
                Some("copy the file into the directory of `pinion.toml`".to_owned())
            }
            _ => None,
        }
    }
}

/// A path whose control characters are spelled out.
fn on_one_line(path: &str) -> String {
    let mut line = String::with_capacity(path.len());
    for c in path.chars() {
        match c.is_control() {
            true => line.extend(c.escape_default()),
            false => line.push(c),
        }
    }
    line
}

/// Whether the digest of a file may be one that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trust {
    /// A file that the system says did not change is not read.
    Remembered,
    /// Every file is read.
    Bytes,
}

/// The files that a source means now, in byte order of their paths, each with its digest. With `keep`
/// their bytes are copied to the store. They are read on at most `threads` threads.
///
/// # Errors
/// [`SourceError`].
pub fn scan(
    project: &Dir,
    source: &SourceDecl,
    store: &Store,
    trust: Trust,
    threads: usize,
) -> Result<Vec<SourceFile>, SourceError> {
    let mut paths = paths(project, source)?;
    if paths.is_empty() {
        return Err(SourceError::Missing {
            source_name: source.name.to_string(),
            path: source.path.clone(),
            meant: None,
            place: source.place.clone(),
        });
    }
    // What is written to the lockfile has to be read from there again.
    for path in &paths {
        if let Err(problem) = normal_path(path) {
            return Err(SourceError::Name {
                source_name: source.name.to_string(),
                path: path.clone(),
                problem,
                place: source.place.clone(),
            });
        }
    }
    // Paths compare as bytes, on every system alike.
    paths.sort_unstable();
    if let Some((first, second)) = clash(&paths) {
        return Err(SourceError::Clash {
            source_name: source.name.to_string(),
            first,
            second,
            place: source.place.clone(),
        });
    }
    let scan = Scan {
        project,
        source,
        store,
        trust,
    };
    let found = parallel::each(threads, paths.len(), |at| scan.unless_large(&paths[at]))?;
    // What is large takes all threads, one file after the other.
    let files = paths
        .into_iter()
        .zip(found)
        .map(|(path, found)| match found {
            Some(file) => Ok(file),
            None => scan.read(&path, scan.open(&path)?, threads),
        });
    files.collect()
}

/// One scan of a source.
struct Scan<'a> {
    project: &'a Dir,
    source: &'a SourceDecl,
    store: &'a Store,
    trust: Trust,
}

/// A file that was opened, and what the system said of it then.
struct Opened {
    file: File,
    stat: Option<Stat>,
    len: u64,
}

impl Scan<'_> {
    /// A file that is remembered or so small that one thread reads it at once.
    fn unless_large(&self, path: &str) -> Result<Option<SourceFile>, SourceError> {
        let opened = self.open(path)?;
        if self.trust == Trust::Remembered
            && let Some(stat) = &opened.stat
            && let Some(digest) = stat.remembered(self.store)
            && (!self.source.keep || self.store.has_blob(&digest))
        {
            return Ok(Some(SourceFile {
                path: path.to_owned(),
                digest,
                size_bytes: stat.size,
            }));
        }
        if opened.len >= LARGE_BYTES {
            return Ok(None);
        }
        self.read(path, opened, 1).map(Some)
    }

    fn open(&self, path: &str) -> Result<Opened, SourceError> {
        let open = || {
            let file = regular::open(self.project, path)?;
            let (stat, len) = (Stat::of(&file)?, file.metadata()?.len());
            Ok(Opened { file, stat, len })
        };
        open().map_err(|error| self.unreadable(path, error))
    }

    /// Reads a file, on at most `threads` threads if it is large.
    fn read(&self, path: &str, opened: Opened, threads: usize) -> Result<SourceFile, SourceError> {
        let not_kept = |error| SourceError::Store {
            source_name: self.source.name.to_string(),
            error,
        };
        let Opened {
            mut file,
            stat,
            len,
        } = opened;
        let started = self.store.now().map_err(not_kept)?;
        let (digest, size_bytes) = match self.source.keep {
            true => {
                let kept = self.store.put_blob_file(&mut file, threads);
                kept.map_err(not_kept)?
            }
            false => hash(&mut file, len, threads).map_err(|error| self.unreadable(path, error))?,
        };
        if let Some(before) = stat
            && Stat::of(&file).map_err(|error| self.unreadable(path, error))? == Some(before)
            && before.is_settled(started)
        {
            // What cannot be remembered costs time at the next run and nothing else.
            let key = before.key(self.store);
            drop(self.store.put_memo(MEMO, &key, digest.as_bytes()));
        }
        Ok(SourceFile {
            path: path.to_owned(),
            digest,
            size_bytes,
        })
    }

    fn unreadable(&self, path: &str, error: io::Error) -> SourceError {
        SourceError::Unreadable {
            source_name: self.source.name.to_string(),
            path: path.to_owned(),
            error,
        }
    }
}

/// Under which name the store remembers digests of files.
pub(crate) const MEMO: &str = "source";

/// How old the last change of a file must be: the coarsest time stamp of a file system, FAT's.
const SETTLED: Duration = Duration::from_secs(2);

/// What the system says of a file, without its bytes. A change of these shows in it, except within the
/// grain of the time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stat {
    device: u64,
    inode: u64,
    size: u64,
    /// Seconds and nanoseconds.
    modified: (i64, i64),
    /// Seconds and nanoseconds.
    changed: (i64, i64),
}

impl Stat {
    /// None where the system has no inodes.
    #[cfg(unix)]
    fn of(file: &File) -> io::Result<Option<Self>> {
        use cap_std::fs::MetadataExt as _;
        let metadata = file.metadata()?;
        Ok(Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
            changed: (metadata.ctime(), metadata.ctime_nsec()),
        }))
    }

    /// None where the system has no inodes.
    #[cfg(not(unix))]
    fn of(_file: &File) -> io::Result<Option<Self>> {
        Ok(None)
    }

    fn remembered(&self, store: &Store) -> Option<Digest> {
        let bytes = store.memo(MEMO, &self.key(store)).ok().flatten()?;
        Some(Digest::from_bytes(bytes.try_into().ok()?))
    }

    /// Whether the last change lies so far before `now`, the file system's own time, that another would
    /// have other times.
    fn is_settled(&self, now: SystemTime) -> bool {
        let age = now.duration_since(SystemTime::UNIX_EPOCH).ok();
        let settled = age.and_then(|age| age.checked_sub(SETTLED));
        let before = |(seconds, _): (i64, i64)| {
            settled
                .is_some_and(|settled| u64::try_from(seconds).is_ok_and(|s| s < settled.as_secs()))
        };
        before(self.modified) && before(self.changed)
    }

    /// With the machine: two of them may use one store, or have copies of it, and number their files alike.
    fn key(&self, store: &Store) -> Digest {
        let mut hasher = StructuredHasher::new("pinion file stat 2");
        hasher.digest(store.key().machine());
        hasher.u64(self.device).u64(self.inode).u64(self.size);
        for (seconds, nanoseconds) in [self.modified, self.changed] {
            hasher
                .u64(seconds.cast_unsigned())
                .u64(nanoseconds.cast_unsigned());
        }
        hasher.finish()
    }
}

fn hash(file: &mut File, len: u64, threads: usize) -> io::Result<(Digest, u64)> {
    if len >= LARGE_BYTES {
        return match parallel::read(file, len, threads, |_, _| Ok(())) {
            Ok(digest) => Ok((digest, len)),
            Err(ReadError::Read(error) | ReadError::Given(error)) => Err(error),
        };
    }
    let mut hasher = blake3::Hasher::new();
    let size = io::copy(file, &mut hasher)?;
    Ok((Digest::from_bytes(hasher.finalize().into()), size))
}

/// Two paths, or directories on the way to them, that are one on some systems. `paths` ascend.
fn clash(paths: &[String]) -> Option<(String, String)> {
    let composed = ComposingNormalizerBorrowed::new_nfc();
    let mut names: BTreeMap<String, &str> = BTreeMap::new();
    for path in paths {
        let ends = path.match_indices('/').map(|(end, _)| end);
        for end in ends.chain([path.len()]) {
            let name = path.get(..end).unwrap_or(path);
            let lower = composed.normalize(name).to_lowercase();
            let first = *names
                .entry(composed.normalize(&lower).into_owned())
                .or_insert(name);
            if first != name {
                // What differs in the form of accents alone looks alike.
                let look_alike = composed.normalize(first) == composed.normalize(name);
                let shown = |name: &str| match look_alike {
                    true => name.escape_default().to_string(),
                    false => name.to_owned(),
                };
                return Some((shown(first), shown(name)));
            }
        }
    }
    None
}

fn paths(project: &Dir, source: &SourceDecl) -> Result<Vec<String>, SourceError> {
    let path = source.path.as_str();
    let search = Search {
        project,
        source,
        pattern: None,
    };
    if path.contains(['*', '?', '[']) {
        let pattern = Parts::new(path).map_err(|error| SourceError::Pattern {
            source_name: source.name.to_string(),
            path: path.to_owned(),
            problem: error.to_string(),
            place: source.place.clone(),
        })?;
        let fixed: Vec<&str> = path
            .split('/')
            .take_while(|part| !part.contains(['*', '?', '[']))
            .collect();
        let fixed = fixed.join("/");
        let search = Search {
            pattern: Some(pattern),
            ..search
        };
        // A directory that is not there has no files.
        if !fixed.is_empty()
            && let Err(error) = project.metadata(&fixed)
            && error.kind() == io::ErrorKind::NotFound
        {
            return Ok(Vec::new());
        }
        return search.files(&fixed);
    }
    let is_directory = match project.metadata(path) {
        Ok(metadata) => metadata.is_dir(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(SourceError::Missing {
                source_name: source.name.to_string(),
                path: path.to_owned(),
                meant: neighbour(project, path, |_| true),
                place: source.place.clone(),
            });
        }
        Err(error) => return Err(search.unreadable(path, error)),
    };
    match is_directory {
        true => search.files(path),
        false => Ok(vec![path.to_owned()]),
    }
}

/// A pattern, as a whole and part by part.
struct Parts {
    whole: Pattern,
    /// None for `**`.
    parts: Vec<Option<Pattern>>,
}

/// How patterns match: `*` neither `/` nor a dot at the beginning of a name.
const OPTIONS: MatchOptions = MatchOptions {
    case_sensitive: true,
    require_literal_separator: true,
    require_literal_leading_dot: true,
};

impl Parts {
    fn new(path: &str) -> Result<Self, PatternError> {
        let part = |part: &str| match part {
            "**" => Ok(None),
            part => Pattern::new(part).map(Some),
        };
        // The whole first: its message counts characters from the beginning.
        let whole = Pattern::new(path)?;
        // A `/` in brackets is no separator; then nothing is known of the parts.
        let parts = path.split('/').map(part).collect::<Result<_, _>>();
        Ok(Self {
            whole,
            parts: parts.unwrap_or_else(|_| vec![None]),
        })
    }

    /// Whether something below a directory could match.
    fn reach_below(&self, directory: &str) -> bool {
        let mut parts = self.parts.iter();
        for name in directory.split('/') {
            match parts.next() {
                Some(Some(part)) if part.matches_with(name, OPTIONS) => {}
                Some(None) => return true,
                Some(Some(_)) | None => return false,
            }
        }
        parts.next().is_some()
    }
}

/// A search for the files of a source.
struct Search<'a> {
    project: &'a Dir,
    source: &'a SourceDecl,
    /// None for all files.
    pattern: Option<Parts>,
}

impl Search<'_> {
    /// The files below a directory, which is the project's own if its path is empty.
    fn files(&self, directory: &str) -> Result<Vec<String>, SourceError> {
        let mut files = Vec::new();
        let mut directories = vec![directory.to_owned()];
        while let Some(directory) = directories.pop() {
            self.look(&directory, &mut files, &mut directories)?;
        }
        Ok(files)
    }

    /// Whether a file of this path is one of the source's.
    fn is_file_wanted(&self, path: &str) -> bool {
        let pattern = self.pattern.as_ref();
        pattern.is_none_or(|pattern| pattern.whole.matches_with(path, OPTIONS))
    }

    /// Whether the source could have files below a directory of this path.
    fn is_directory_wanted(&self, path: &str) -> bool {
        let pattern = self.pattern.as_ref();
        pattern.is_none_or(|pattern| pattern.reach_below(path))
    }

    /// Adds the files in a directory and the directories where there may be more, but for hidden ones. What the
    /// source does not mean is not looked at.
    fn look(
        &self,
        directory: &str,
        files: &mut Vec<String>,
        directories: &mut Vec<String>,
    ) -> Result<(), SourceError> {
        let failed = |error| self.unreadable(directory, error);
        let entries = match directory.is_empty() {
            true => self.project.entries(),
            false => self.project.read_dir(directory),
        };
        let mut found = Vec::new();
        for entry in entries.map_err(failed)? {
            let entry = entry.map_err(failed)?;
            found.push((entry.file_name(), entry.file_type().map_err(failed)?));
        }
        // The same is told of first wherever it is.
        found.sort_by(|(left, _), (right, _)| left.cmp(right));
        for (name, kind) in found {
            let shown = name.to_string_lossy();
            if shown.starts_with('.') {
                continue;
            }
            let path = match directory.is_empty() {
                true => shown.into_owned(),
                false => format!("{directory}/{shown}"),
            };
            let (file, below) = (self.is_file_wanted(&path), self.is_directory_wanted(&path));
            let is_wanted = match kind.is_dir() {
                true => below,
                // Nobody knows yet what a link leads to.
                false => file || (kind.is_symlink() && below),
            };
            if !is_wanted {
                continue;
            }
            if name.to_str().is_none() {
                let problem = "its name is not UTF-8";
                let error = io::Error::new(io::ErrorKind::InvalidData, problem);
                return Err(self.unreadable(&path, error));
            }
            if kind.is_dir() {
                directories.push(path);
                continue;
            }
            let kind = match self.project.metadata(&path) {
                Ok(metadata) => metadata.file_type(),
                // Below a link that leads nowhere there is nothing.
                Err(error) if error.kind() == io::ErrorKind::NotFound && !file => continue,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    let error = io::Error::new(error.kind(), "it is a link that leads nowhere");
                    return Err(self.unreadable(&path, error));
                }
                Err(error) => return Err(self.unreadable(&path, error)),
            };
            if kind.is_dir() && below {
                return Err(SourceError::Link {
                    source_name: self.source.name.to_string(),
                    path,
                    place: self.source.place.clone(),
                });
            }
            if file && !kind.is_dir() {
                regular::refuse(kind).map_err(|error| self.unreadable(&path, error))?;
                files.push(path);
            }
        }
        Ok(())
    }

    fn unreadable(&self, path: &str, error: io::Error) -> SourceError {
        SourceError::Unreadable {
            source_name: self.source.name.to_string(),
            path: path.to_owned(),
            error: regular::explained(error),
        }
    }
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

#[cfg(all(test, unix))]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::path::Path;

    use cap_std::ambient_authority;

    use super::*;
    use crate::pipeline::Pipeline;
    use crate::store::Key;

    fn open(path: &Path) -> Dir {
        std::fs::create_dir_all(path).unwrap();
        Dir::open_ambient_dir(path, ambient_authority()).unwrap()
    }

    /// A project with one source, its store, and a scan of it.
    struct Place {
        temp: tempfile::TempDir,
        store: Store,
        source: SourceDecl,
    }

    impl Place {
        fn new(contents: &str) -> Self {
            let temp = tempfile::tempdir().unwrap();
            let store = Store::open(open(&temp.path().join("store")), Key::of_nobody()).unwrap();
            let text = "[pipeline]\nname = \"p\"\n[sources.rows]\npath = \"rows.csv\"\nkeep = false\n\
                [steps.s]\nuse = \"std:read-csv@0.1\"\ninput = \"sources.rows\"\n";
            let pipeline = Pipeline::parse(text, "pinion.toml", &[]).unwrap();
            let source = pipeline.sources.into_iter().next().unwrap();
            let place = Self {
                temp,
                store,
                source,
            };
            place.write(contents, 60);
            place
        }

        /// Writes the file, last modified so many seconds ago.
        fn write(&self, contents: &str, seconds: u64) {
            let path = self.temp.path().join("rows.csv");
            std::fs::write(&path, contents).unwrap();
            let file = std::fs::File::options().write(true).open(path).unwrap();
            let modified = SystemTime::now() - Duration::from_secs(seconds);
            file.set_modified(modified).unwrap();
        }

        fn stat(&self) -> Stat {
            let file = open(self.temp.path()).open("rows.csv").unwrap();
            Stat::of(&file).unwrap().unwrap()
        }

        fn scan(&self, trust: Trust) -> Digest {
            let project = open(self.temp.path());
            scan(&project, &self.source, &self.store, trust, 2).unwrap()[0].digest
        }
    }

    #[test]
    fn a_file_that_changed_just_now_is_not_remembered() {
        let place = Place::new("a\n1\n");
        assert_eq!(place.scan(Trust::Remembered), Digest::of(b"a\n1\n"));
        assert_eq!(place.stat().remembered(&place.store), None);
    }

    #[test]
    fn a_file_whose_name_no_lockfile_can_hold_is_refused_when_it_is_found() {
        let mut place = Place::new("a\n1\n");
        for (name, problem) in [
            ("back\\slash.csv", PathProblem::Backslash),
            ("new\nline.csv", PathProblem::Control),
            ("c:drive.csv", PathProblem::Absolute),
        ] {
            let file = place.temp.path().join(name);
            std::fs::write(&file, "a\n1\n").unwrap();
            "*.csv".clone_into(&mut place.source.path);
            let project = open(place.temp.path());
            let found = scan(&project, &place.source, &place.store, Trust::Bytes, 2);
            assert!(
                matches!(&found, Err(SourceError::Name { path, problem: found, .. })
                    if path == name && *found == problem),
                "{name}: {found:?}"
            );
            // What the pattern leaves out does not matter.
            "rows.*".clone_into(&mut place.source.path);
            place.scan(Trust::Bytes);
            std::fs::remove_file(file).unwrap();
        }
    }

    #[test]
    fn what_is_remembered_is_used_unless_bytes_are_asked_for() {
        let place = Place::new("a\n1\n");
        // As if the file had been hashed long after its last change, with another result.
        let wrong = Digest::of(b"wrong");
        let key = place.stat().key(&place.store);
        place.store.put_memo(MEMO, &key, wrong.as_bytes()).unwrap();
        assert_eq!(place.scan(Trust::Remembered), wrong);
        assert_eq!(place.scan(Trust::Bytes), Digest::of(b"a\n1\n"));
        // Equal size and time of modification, but not of the change of its inode.
        place.write("a\n2\n", 60);
        assert_eq!(place.scan(Trust::Remembered), Digest::of(b"a\n2\n"));
    }

    /// Two machines may number their files alike, and images of disks give all of them the same times.
    #[test]
    fn what_is_remembered_of_a_file_holds_on_one_machine() {
        let place = Place::new("a\n1\n");
        let wrong = Digest::of(b"wrong");
        let elsewhere = Store::open(
            open(&place.temp.path().join("store")),
            Key::new(&[0; 32], &[1; 32]),
        );
        let elsewhere = elsewhere.unwrap();
        let key = place.stat().key(&elsewhere);
        assert_ne!(key, place.stat().key(&place.store));
        elsewhere.put_memo(MEMO, &key, wrong.as_bytes()).unwrap();
        assert_eq!(place.scan(Trust::Remembered), Digest::of(b"a\n1\n"));
    }

    #[test]
    fn only_what_is_older_than_the_grain_of_time_is_settled() {
        let stat = Stat {
            device: 1,
            inode: 2,
            size: 3,
            modified: (100, 0),
            changed: (104, 999),
        };
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        assert!(!stat.is_settled(at(106)));
        assert!(stat.is_settled(at(107)));
        assert!(!stat.is_settled(at(0)));
    }
}
