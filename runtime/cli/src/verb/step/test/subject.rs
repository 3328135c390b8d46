//! Which components are tested, and on which cases.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use pinion_runtime::component::Component;
use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::lock::{ComponentKey, Origin};
use pinion_runtime::pipeline::{ComponentRef, Pipeline};
use pinion_runtime::sandbox::MAX_COMPONENT_BYTES;

use super::case::Case;
use crate::args::StepTest;
use crate::build;
use crate::failure::Failure;
use crate::file;
use crate::project::{MOST_TEXT_BYTES, PIPELINE, find};
use crate::std_components::standard;

/// Where a crate has its cases.
const CASES: &str = "tests";

/// A component with its cases.
#[derive(Debug)]
pub(super) struct Subject {
    /// What people call it.
    pub(super) label: String,
    from: From,
    pub(super) cases: Vec<Case>,
}

#[derive(Debug)]
enum From {
    /// Built from the crate in a directory, for the project in another.
    Crate(PathBuf, PathBuf),
    /// A file.
    File(PathBuf),
    /// A standard component.
    Standard(&'static [u8]),
}

impl Subject {
    /// The component, built if it has to be.
    pub(super) fn component(&self) -> Result<Component, Failure> {
        let (origin, bytes) = match &self.from {
            From::Crate(directory, root) => {
                (Origin::File, build::component(directory, root)?.into())
            }
            From::File(file) => {
                let bytes = file::read(file, MAX_COMPONENT_BYTES as u64)
                    .map_err(|error| Failure::on_path("read", file.display(), error))?;
                (Origin::File, bytes.into())
            }
            From::Standard(bytes) => (Origin::Std, Bytes::from_static(bytes)),
        };
        Ok(Component {
            key: ComponentKey {
                name: self.label.clone(),
                version: None,
            },
            origin,
            digest: ComponentDigest::of(&bytes),
            bytes,
        })
    }

    /// The project that it was built for.
    pub(super) fn root(&self) -> Option<&Path> {
        match &self.from {
            From::Crate(_, root) => Some(root),
            From::File(_) | From::Standard(_) => None,
        }
    }

    fn new(label: String, from: From, cases: &Path) -> Result<Self, Failure> {
        let none = || {
            Failure::wrong(format!("there are no cases to test `{label}` on\n  expected {}/NAME/inputs", cases.display()))
                .hint("a case is a directory with `inputs/` and `expected/`: `pinion step test --help` says what is in them")
        };
        if !cases.is_dir() {
            return Err(none());
        }
        let all = Case::all(cases)?;
        if all.is_empty() {
            return Err(none());
        }
        Ok(Self {
            label,
            from,
            cases: all,
        })
    }

    fn of_crate(directory: &Path, root: &Path, cases: Option<&Path>) -> Result<Self, Failure> {
        let label = match directory.strip_prefix(root) {
            Ok(inside) if inside != Path::new("") => format!("./{}", inside.display()),
            _ => directory.display().to_string(),
        };
        let own = directory.join(CASES);
        let from = From::Crate(directory.to_owned(), root.to_owned());
        Self::new(label, from, cases.unwrap_or(&own))
    }
}

/// What the arguments ask for.
pub(super) fn chosen(args: &StepTest) -> Result<Vec<Subject>, Failure> {
    let cases = args.cases.as_deref();
    let project = find(args.directory.as_deref());
    let is_crate = |path: &Path| path.join("Cargo.toml").is_file();
    let of_crate = |path: &Path| {
        let path = path
            .canonicalize()
            .map_err(|error| Failure::on_path("find", path.display(), error))?;
        // A crate can be tested without a project around it.
        let root = match &args.directory {
            Some(_) => project.as_ref().ok().map(PathBuf::as_path),
            None => path.ancestors().find(|path| path.join(PIPELINE).is_file()),
        };
        let root = root.and_then(|root| root.canonicalize().ok());
        let root = root.filter(|root| path.starts_with(root));
        Subject::of_crate(&path, root.as_deref().unwrap_or(&path), cases)
    };
    let Some(step) = &args.step else {
        let here = Path::new(".");
        if args.directory.is_none() && is_crate(here) && !here.join(PIPELINE).is_file() {
            return Ok(vec![of_crate(here)?]);
        }
        return all(&project?, cases);
    };
    let path = Path::new(step);
    if is_crate(path) {
        return Ok(vec![of_crate(path)?]);
    }
    if step.ends_with(".wasm") {
        let from = From::File(path.to_owned());
        return Ok(vec![Subject::new(step.clone(), from, named(cases, step)?)?]);
    }
    if let Some(name) = step.strip_prefix("std:") {
        return Ok(vec![of_standard(name, named(cases, step)?)?]);
    }
    let root = project.map_err(|failure| {
        Failure::wrong(format!(
            "there is no crate at `{step}`, and {}",
            failure.error
        ))
    })?;
    let pipeline = pipeline(&root)?;
    let Some(declared) = pipeline.step(step) else {
        let steps: Vec<String> = pipeline
            .steps
            .iter()
            .map(|step| format!("`{}`", step.name))
            .collect();
        return Err(Failure::wrong(format!(
            "`{step}` is neither a crate's directory nor a step\n  expected one of {}\n  in       {PIPELINE}",
            steps.join(", ")
        )));
    };
    Ok(vec![match &declared.component {
        ComponentRef::Crate { path } => Subject::of_crate(&root.join(path), &root, cases)?,
        ComponentRef::File { path } => {
            let label = declared.component.to_string();
            let cases = named(cases, &label)?;
            Subject::new(label, From::File(root.join(path)), cases)?
        }
        ComponentRef::Std { .. } => {
            let reference = declared.component.to_string();
            of_standard(
                reference.trim_start_matches("std:"),
                named(cases, &reference)?,
            )?
        }
    }])
}

/// The crates of a project's steps that have cases.
fn all(root: &Path, cases: Option<&Path>) -> Result<Vec<Subject>, Failure> {
    let pipeline = pipeline(root)?;
    let mut paths: Vec<&str> = Vec::new();
    for step in &pipeline.steps {
        if let ComponentRef::Crate { path } = &step.component
            && !paths.contains(&path.as_str())
            && root.join(path).join(CASES).is_dir()
        {
            paths.push(path);
        }
    }
    if paths.is_empty() {
        return Err(Failure::wrong(format!(
            "no step of the pipeline is a crate with cases to test it on\n  in {}",
            root.join(PIPELINE).display()
        ))
        .hint("to make a step that has one, run `pinion step new NAME`; to test a crate that no step uses, give its directory"));
    }
    let subjects = paths
        .into_iter()
        .map(|path| Subject::of_crate(&root.join(path), root, cases));
    subjects.collect()
}

fn pipeline(root: &Path) -> Result<Pipeline, Failure> {
    let file = root.join(PIPELINE);
    let text = file::read_text(&file, MOST_TEXT_BYTES)
        .map_err(|error| Failure::on_path("read", file.display(), error))?;
    Ok(Pipeline::parse(&text, PIPELINE, &[])?)
}

fn of_standard(reference: &str, cases: &Path) -> Result<Subject, Failure> {
    let (name, wanted) = reference.split_once('@').unwrap_or((reference, ""));
    let fits = |version: String| {
        version == wanted || version.starts_with(&format!("{wanted}.")) || wanted.is_empty()
    };
    let known = standard()
        .iter()
        .filter(|known| known.name == name && fits(known.version.to_string()));
    let newest = known.max_by(|left, right| left.version.cmp(&right.version));
    let Some(newest) = newest else {
        return Err(Failure::wrong(format!(
            "there is no standard component `std:{reference}`"
        )));
    };
    let label = format!("std:{name}@{}", newest.version);
    Subject::new(label, From::Standard(newest.bytes), cases)
}

/// The directory with the cases of what is no crate.
fn named<'a>(cases: Option<&'a Path>, label: &str) -> Result<&'a Path, Failure> {
    cases.ok_or_else(|| {
        Failure::wrong(format!(
            "`{label}` is no crate, so its cases could be anywhere"
        ))
        .hint("say where they are with `--cases DIR`")
    })
}
