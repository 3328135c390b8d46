//! New projects and new steps: files that work as they are written.
//!
//! The binary carries the SDK, the contract and the versions they were tested with, so that nothing but
//! cargo is needed to go on from here.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::error::Hint;
use pinion_runtime::pipeline::is_device;
use pinion_runtime::regular;
use thiserror::Error;
use toml_edit::{DocumentMut, Table, Value};

use crate::project::MOST_TEXT_BYTES;

/// Where the SDK goes, relative to the project. Crates of steps depend on it by path: commit it with them.
const SDK: &str = "vendor/pinion";

/// Path and text of the SDK's and the contract's files, as they lie in the directory [`SDK`].
static SDK_FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/sdk_files.rs"));

/// The versions that this binary was built and tested with.
const LOCKFILE: &str = include_str!("../../../Cargo.lock");

/// What the crate of a step depends on.
const STEP_DEPENDENCIES: [&str; 5] = [
    "arrow-array",
    "arrow-schema",
    "pinion-sdk",
    "schemars",
    "serde",
];

/// The files of a project; `@NAME@` stands for its name.
const PROJECT_FILES: [(&str, &str); 4] = [
    (".gitignore", include_str!("../templates/project/gitignore")),
    ("README.md", include_str!("../templates/project/README.md")),
    (
        "data/trips.csv",
        include_str!("../templates/project/data/trips.csv"),
    ),
    (
        "pinion.toml",
        include_str!("../templates/project/pinion.toml"),
    ),
];

/// The manifest of the workspace that the crates of a project's steps are in.
const WORKSPACE_MANIFEST: &str = include_str!("../templates/workspace.toml");

/// The manifest of a step's crate.
const STEP_MANIFEST: &str = include_str!("../templates/step/Cargo.toml");

/// Names that a crate cannot have: of its dependencies, of what Rust itself brings, and keywords.
const RESERVED: [&str; 60] = [
    "abstract",
    "alloc",
    "arrow-array",
    "arrow-schema",
    "as",
    "async",
    "await",
    "become",
    "box",
    "break",
    "const",
    "continue",
    "core",
    "crate",
    "do",
    "dyn",
    "else",
    "enum",
    "extern",
    "false",
    "final",
    "fn",
    "for",
    "gen",
    "if",
    "impl",
    "in",
    "let",
    "loop",
    "macro",
    "match",
    "mod",
    "move",
    "mut",
    "override",
    "pinion-sdk",
    "priv",
    "proc-macro",
    "pub",
    "ref",
    "return",
    "schemars",
    "self",
    "serde",
    "static",
    "std",
    "struct",
    "super",
    "target",
    "test",
    "trait",
    "true",
    "try",
    "type",
    "unsafe",
    "use",
    "virtual",
    "where",
    "while",
    "yield",
];

/// The kinds of step there are templates for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StepKind {
    /// Reads lines of a text file.
    Source,
    /// Marks rows above a threshold.
    RowMap,
    /// Computes a mean.
    Reduce,
    /// Keeps the first rows.
    WholeTable,
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    /// The directory of the project, which everything is written through.
    root: PathBuf,
    /// The directory of the project or of the crate.
    pub(crate) directory: PathBuf,
    /// The files written, in order.
    pub(crate) files: Vec<PathBuf>,
}

/// A step's crate that was made.
#[derive(Debug)]
pub(crate) struct MadeStep {
    /// The crate.
    pub(crate) directory: PathBuf,
    /// The files written, in order, with those of the SDK if it was not there yet.
    pub(crate) files: Vec<PathBuf>,
    /// What to add to `pinion.toml` to use it.
    pub(crate) usage: String,
}

/// Why nothing was made.
#[derive(Debug, Error)]
pub(crate) enum ScaffoldError {
    /// The directory is not empty.
    #[error("there is something at `{}` already", path.display())]
    Exists {
        /// The directory.
        path: PathBuf,
    },
    /// The path ends in no name, such as `..`.
    #[error("`{}` does not say what to call the project", path.display())]
    Unnamed {
        /// The path.
        path: PathBuf,
    },
    /// A crate cannot be called so.
    #[error(
        "a step cannot be called `{name}`\n  expected a lower-case letter, then lower-case letters and digits with single `-` between them, at most 64 in all"
    )]
    BadName {
        /// The name.
        name: String,
    },
    /// Rust or a dependency is called so.
    #[error(
        "a step cannot be called `{name}`, because Rust or a crate it depends on uses the name"
    )]
    Reserved {
        /// The name.
        name: String,
    },
    /// A name that one of the systems cannot have.
    #[error("a step cannot be called `{name}`: it is the name of a device on Windows")]
    Device {
        /// The name.
        name: String,
    },
    /// A file cannot be written.
    #[error("`{}` cannot be written", path.display())]
    Unwritable {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// What is there already cannot be added to.
    #[error("a step's crate cannot be added to `{}`", path.display())]
    Unreadable {
        /// The manifest or lockfile of the project's workspace.
        path: PathBuf,
        /// What is wrong with it.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl Hint for ScaffoldError {
    fn hint(&self) -> Option<String> {
        match self {
            Self::Exists { .. } | Self::Reserved { .. } | Self::Device { .. } => {
                Some("choose another name".to_owned())
            }
            Self::Unnamed { .. } => Some("give it a name, as in `pinion new churn`".to_owned()),
            Self::BadName { name } => {
                let words = name.split(|c: char| !c.is_ascii_alphanumeric());
                let words: Vec<String> = words
                    .filter(|word| !word.is_empty())
                    .map(str::to_ascii_lowercase)
                    .collect();
                let name = words.join("-");
                is_crate_name(&name).then(|| format!("call it `{name}`"))
            }
            Self::Unwritable { .. } | Self::Unreadable { .. } => None,
        }
    }
}

/// Makes a project in `directory`, which is empty or not there yet. It runs as it is, offline.
///
/// # Errors
/// [`ScaffoldError`]: `Exists`, `Unnamed`, `Unwritable`.
pub(crate) fn new_project(directory: &Path) -> Result<Made, ScaffoldError> {
    let unnamed = || ScaffoldError::Unnamed {
        path: directory.to_owned(),
    };
    let name = directory
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(unnamed)?;
    refuse_taken(directory)?;
    let mut made = Made {
        root: directory.to_owned(),
        directory: directory.to_owned(),
        files: Vec::new(),
    };
    for (path, text) in PROJECT_FILES {
        let text = if path == "pinion.toml" {
            text.replace("\"@NAME@\"", Value::from(name).to_string().trim())
        } else {
            text.replace("@NAME@", name)
        };
        made.write(directory.join(path), &text)?;
    }
    Ok(made)
}

/// Makes the crate `steps/<name>` in the directory of a pipeline, a member of the project's workspace, and
/// writes the SDK beside it unless it is there: steps that exist were made with that one.
///
/// # Errors
/// [`ScaffoldError`].
pub(crate) fn new_step(
    project: &Path,
    name: &str,
    kind: StepKind,
) -> Result<MadeStep, ScaffoldError> {
    if !is_crate_name(name) {
        return Err(ScaffoldError::BadName {
            name: name.to_owned(),
        });
    }
    if is_device(name) {
        return Err(ScaffoldError::Device {
            name: name.to_owned(),
        });
    }
    if RESERVED.contains(&name) {
        return Err(ScaffoldError::Reserved {
            name: name.to_owned(),
        });
    }
    let directory = project.join("steps").join(name);
    refuse_taken(&directory)?;
    let mut made = Made {
        root: project.to_owned(),
        directory: directory.clone(),
        files: Vec::new(),
    };
    let manifest = STEP_MANIFEST
        .replace("@NAME@", name)
        .replace("@SDK@", &format!("../../{SDK}/sdk/rust"));
    let (workspace, lockfile) = (project.join("Cargo.toml"), project.join("Cargo.lock"));
    let with_member = match existing(project, "Cargo.toml")? {
        Some(workspace) => with_member(workspace, name),
        None => Some(WORKSPACE_MANIFEST.to_owned()),
    };
    let with_package = match existing(project, "Cargo.lock")? {
        Some(lockfile) => with_package(lockfile, name),
        None => with_package(tested_lockfile(), name),
    };
    if let Some(text) = with_member {
        made.write(workspace, &text)?;
    }
    made.write(lockfile, &with_package)?;
    made.write(directory.join("Cargo.toml"), &manifest)?;
    made.write(directory.join("src/lib.rs"), kind.source())?;
    for (path, text) in kind.case() {
        made.write(directory.join("tests").join(path), text)?;
    }
    if !project.join(SDK).exists() {
        for (path, text) in SDK_FILES {
            made.write(project.join(SDK).join(path), text)?;
        }
    }
    Ok(MadeStep {
        directory,
        files: made.files,
        usage: kind.usage(name),
    })
}

impl Made {
    fn write(&mut self, path: PathBuf, text: &str) -> Result<(), ScaffoldError> {
        let write = || {
            // Through the directory: a link that lies there does not make this write elsewhere.
            std::fs::create_dir_all(&self.root)?;
            let root = Dir::open_ambient_dir(&self.root, ambient_authority())?;
            let inside = path.strip_prefix(&self.root).map_err(io::Error::other)?;
            if let Some(parent) = inside.parent() {
                root.create_dir_all(parent)?;
            }
            root.write(inside, text)
        };
        let write = || write().map_err(regular::explained);
        match write() {
            Ok(()) => {
                self.files.push(path);
                Ok(())
            }
            Err(source) => Err(ScaffoldError::Unwritable { path, source }),
        }
    }
}

impl StepKind {
    fn source(self) -> &'static str {
        match self {
            Self::Source => include_str!("../templates/step/source.rs"),
            Self::RowMap => include_str!("../templates/step/row-map.rs"),
            Self::Reduce => include_str!("../templates/step/reduce.rs"),
            Self::WholeTable => include_str!("../templates/step/whole-table.rs"),
        }
    }

    /// Path and text of the files of a case to test the step on.
    fn case(self) -> [(&'static str, &'static str); 3] {
        match self {
            Self::Source => [
                (
                    "passes-over-comments/params.json",
                    include_str!("../templates/step/source/tests/passes-over-comments/params.json"),
                ),
                (
                    "passes-over-comments/inputs/source.txt",
                    include_str!(
                        "../templates/step/source/tests/passes-over-comments/inputs/source.txt"
                    ),
                ),
                (
                    "passes-over-comments/expected/lines.csv",
                    include_str!(
                        "../templates/step/source/tests/passes-over-comments/expected/lines.csv"
                    ),
                ),
            ],
            Self::RowMap => [
                (
                    "marks-above/params.json",
                    include_str!("../templates/step/row-map/tests/marks-above/params.json"),
                ),
                (
                    "marks-above/inputs/rows.csv",
                    include_str!("../templates/step/row-map/tests/marks-above/inputs/rows.csv"),
                ),
                (
                    "marks-above/expected/rows.csv",
                    include_str!("../templates/step/row-map/tests/marks-above/expected/rows.csv"),
                ),
            ],
            Self::Reduce => [
                (
                    "averages/params.json",
                    include_str!("../templates/step/reduce/tests/averages/params.json"),
                ),
                (
                    "averages/inputs/rows.csv",
                    include_str!("../templates/step/reduce/tests/averages/inputs/rows.csv"),
                ),
                (
                    "averages/expected/mean.csv",
                    include_str!("../templates/step/reduce/tests/averages/expected/mean.csv"),
                ),
            ],
            Self::WholeTable => [
                (
                    "keeps-first/params.json",
                    include_str!("../templates/step/whole-table/tests/keeps-first/params.json"),
                ),
                (
                    "keeps-first/inputs/rows.csv",
                    include_str!("../templates/step/whole-table/tests/keeps-first/inputs/rows.csv"),
                ),
                (
                    "keeps-first/expected/rows.csv",
                    include_str!(
                        "../templates/step/whole-table/tests/keeps-first/expected/rows.csv"
                    ),
                ),
            ],
        }
    }

    /// What a pipeline says to use the step; what it reads and which columns are for the author to fill in.
    fn usage(self, name: &str) -> String {
        let (input, params) = match self {
            Self::Source => ("sources.SOURCE", "{ comment = \"#\" }"),
            Self::RowMap => ("STEP", "{ column = \"COLUMN\", threshold = 10.0 }"),
            Self::Reduce => ("STEP", "{ column = \"COLUMN\" }"),
            Self::WholeTable => ("STEP", "{ count = 100 }"),
        };
        format!(
            "[steps.{name}]\nuse = \"./steps/{name}\"\ninput = \"{input}\"\nparams = {params}\n"
        )
    }
}

/// Refuses a directory with anything in it, and anything that is no directory.
fn refuse_taken(directory: &Path) -> Result<(), ScaffoldError> {
    let taken = match std::fs::read_dir(directory) {
        Ok(mut entries) => entries.next().is_some(),
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    };
    if taken {
        return Err(ScaffoldError::Exists {
            path: directory.to_owned(),
        });
    }
    Ok(())
}

/// Whether `text` is lower-case words of letters and digits, joined by `-`; what cargo and a pipeline allow.
fn is_crate_name(text: &str) -> bool {
    text.len() <= 64
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.split('-').all(|word| {
            !word.is_empty()
                && word
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit())
        })
}

/// The TOML in a file, if there is one.
fn existing(project: &Path, name: &str) -> Result<Option<DocumentMut>, ScaffoldError> {
    let unreadable = |source| ScaffoldError::Unreadable {
        path: project.join(name),
        source,
    };
    let read = || -> io::Result<String> {
        let project = Dir::open_ambient_dir(project, ambient_authority())?;
        let bytes = regular::read(&project, name, MOST_TEXT_BYTES)?;
        let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8");
        String::from_utf8(bytes).map_err(not_text)
    };
    match read() {
        Ok(text) => text
            .parse()
            .map(Some)
            .map_err(|error: toml_edit::TomlError| unreadable(error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(unreadable(error.into())),
    }
}

/// The manifest of a project with the step among the members of its workspace; none if that is not
/// written as cargo wants it, which cargo says better.
fn with_member(mut manifest: DocumentMut, name: &str) -> Option<String> {
    let member = format!("steps/{name}");
    let workspace = manifest
        .entry("workspace")
        .or_insert_with(toml_edit::table)
        .as_table_like_mut()?;
    for (key, path) in [("members", member.as_str()), ("exclude", "vendor")] {
        let paths = workspace
            .entry(key)
            .or_insert_with(|| toml_edit::value(toml_edit::Array::new()))
            .as_array_mut()?;
        let there = paths
            .iter()
            .filter_map(Value::as_str)
            .any(|listed| listed == path || (key == "members" && listed == "steps/*"));
        if !there {
            paths.push(path);
        }
    }
    Some(manifest.to_string())
}

/// A `Cargo.lock` with the crate of a step, in cargo's order and layout, so that building writes nothing.
fn with_package(mut lockfile: DocumentMut, name: &str) -> String {
    let mut step = Table::new();
    step.insert("name", toml_edit::value(name));
    step.insert("version", toml_edit::value("0.1.0"));
    let mut dependencies = toml_edit::Array::new();
    for dependency in STEP_DEPENDENCIES {
        dependencies.push_formatted(Value::from(dependency).decorated("\n ", ""));
    }
    dependencies.set_trailing_comma(true);
    dependencies.set_trailing("\n");
    step.insert("dependencies", toml_edit::value(dependencies));
    let packages = lockfile
        .get_mut("package")
        .and_then(|item| item.as_array_of_tables_mut());
    if let Some(packages) = packages {
        let mut all: Vec<Table> = packages.iter().cloned().collect();
        let at = all.partition_point(|package| text(package, "name").as_str() < name);
        all.insert(at, step);
        packages.clear();
        for mut package in all {
            // In the order of the list, not in that of where they stood.
            package.set_position(None);
            packages.push(package);
        }
    }
    lockfile.to_string()
}

/// The tested versions of what a step needs, and nothing else. Cargo drops what turns out not to be needed.
fn tested_lockfile() -> DocumentMut {
    // The file was written by cargo: what is left without is a crate whose versions are not pinned.
    let mut lockfile: DocumentMut = LOCKFILE.parse().unwrap_or_default();
    let Some(packages) = lockfile
        .get_mut("package")
        .and_then(|item| item.as_array_of_tables_mut())
    else {
        return lockfile;
    };
    let mut needed = BTreeSet::new();
    let mut open: Vec<String> = STEP_DEPENDENCIES.map(str::to_owned).into();
    // A dependency is a name, or a name and a version if there are several.
    while let Some(dependency) = open.pop() {
        let mut words = dependency.split(' ');
        let (name, version) = (words.next().unwrap_or_default(), words.next());
        for package in packages.iter() {
            let found = (text(package, "name"), text(package, "version"));
            if found.0 != name || version.is_some_and(|version| version != found.1) {
                continue;
            }
            if needed.insert(found) {
                let list = package.get("dependencies").and_then(|item| item.as_array());
                let names = list.into_iter().flatten().filter_map(|item| item.as_str());
                open.extend(names.map(str::to_owned));
            }
        }
    }
    packages.retain(|package| needed.contains(&(text(package, "name"), text(package, "version"))));
    lockfile
}

/// A text in a table of a lockfile.
fn text(package: &Table, key: &str) -> String {
    package
        .get(key)
        .and_then(|item| item.as_str())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn the_sdk_is_that_of_the_sources() {
        let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let temp = tempfile::tempdir().unwrap();
        new_step(temp.path(), "label-late", StepKind::RowMap).unwrap();
        for (path, text) in SDK_FILES {
            let written = std::fs::read_to_string(temp.path().join(SDK).join(path)).unwrap();
            assert_eq!(&written, text);
            assert_eq!(
                written,
                std::fs::read_to_string(workspace.join(path)).unwrap(),
                "{path}"
            );
        }
        let has = |path: &str| SDK_FILES.iter().any(|(known, _)| *known == path);
        assert!(has("sdk/rust/Cargo.toml") && has("sdk/rust/src/lib.rs") && has("wit/step.wit"));
    }

    #[test]
    fn a_second_step_leaves_the_sdk_as_it_is() {
        let temp = tempfile::tempdir().unwrap();
        let first = new_step(temp.path(), "first", StepKind::Reduce).unwrap();
        let edited = temp.path().join(SDK).join("wit/step.wit");
        std::fs::write(&edited, "// older\n").unwrap();
        let second = new_step(temp.path(), "second", StepKind::Source).unwrap();
        assert_eq!(std::fs::read_to_string(edited).unwrap(), "// older\n");
        assert_eq!(second.files.len() + SDK_FILES.len(), first.files.len());
    }

    #[test]
    fn a_workspace_that_is_there_gets_the_step_and_keeps_the_rest() {
        let member = |text: &str| with_member(text.parse().unwrap(), "label-late").unwrap();
        assert_eq!(member(WORKSPACE_MANIFEST), WORKSPACE_MANIFEST);
        assert_eq!(
            member("[workspace]\nmembers = [\"tools\"] # ours\n"),
            "[workspace]\nmembers = [\"tools\", \"steps/label-late\"] # ours\nexclude = [\"vendor\"]\n"
        );
        assert_eq!(
            member("[package]\nname = \"tools\"\n"),
            "[package]\nname = \"tools\"\n\n[workspace]\nmembers = [\"steps/label-late\"]\nexclude = [\"vendor\"]\n"
        );
        let temp = tempfile::tempdir().unwrap();
        std::fs::write(temp.path().join("Cargo.toml"), "[workspace\n").unwrap();
        let refused = new_step(temp.path(), "label-late", StepKind::RowMap).unwrap_err();
        assert!(matches!(refused, ScaffoldError::Unreadable { .. }));
        assert!(!temp.path().join("steps").exists(), "nothing was written");
    }

    #[test]
    fn a_project_has_its_name_and_nothing_is_overwritten() {
        let temp = tempfile::tempdir().unwrap();
        let directory = temp.path().join("say \"hi\"");
        new_project(&directory).unwrap();
        let text = std::fs::read_to_string(directory.join("pinion.toml")).unwrap();
        let pipeline =
            pinion_runtime::pipeline::Pipeline::parse(&text, "pinion.toml", &[]).unwrap();
        assert_eq!(pipeline.name, "say \"hi\"");
        assert!(matches!(
            new_project(&directory),
            Err(ScaffoldError::Exists { .. })
        ));
        assert!(matches!(
            new_project(Path::new("..")),
            Err(ScaffoldError::Unnamed { .. })
        ));
    }

    #[test]
    fn names_are_those_of_crates_and_of_steps() {
        let temp = tempfile::tempdir().unwrap();
        let refused = |name: &str| {
            let error = new_step(temp.path(), name, StepKind::RowMap).unwrap_err();
            (
                matches!(error, ScaffoldError::Reserved { .. }),
                error.hint(),
            )
        };
        for name in ["", "-", "../x", "a--b", "ümlaut", "1a"] {
            assert!(!refused(name).0, "{name}");
        }
        assert_eq!(
            refused("LabelLate 2").1.as_deref(),
            Some("call it `labellate-2`")
        );
        assert!(refused("match").0 && refused("serde").0);
        for name in ["con", "aux", "com1"] {
            let error = new_step(temp.path(), name, StepKind::RowMap).unwrap_err();
            assert!(matches!(error, ScaffoldError::Device { .. }), "{error}");
        }
        assert!(RESERVED.is_sorted());
    }

    #[test]
    fn the_lockfile_of_a_step_pins_what_it_needs() {
        let lockfile: DocumentMut = with_package(tested_lockfile(), "label-late")
            .parse()
            .unwrap();
        let packages = lockfile["package"].as_array_of_tables().unwrap();
        let names: Vec<&str> = packages
            .iter()
            .filter_map(|package| package["name"].as_str())
            .collect();
        for name in STEP_DEPENDENCIES
            .iter()
            .chain(&["label-late", "wit-bindgen"])
        {
            assert!(names.contains(name), "{name}");
        }
        assert!(!names.contains(&"wasmtime") && !names.contains(&"coalesce"));
    }
}
