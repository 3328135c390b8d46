//! `pinion step`: new, build, test and run.

mod run;
mod test;

use std::path::Path;

use pinion_runtime::digest::ComponentDigest;
use pinion_runtime::sandbox::{Descriptor, Port};
use serde::Serialize;

use crate::args::{KindArg, Step, StepBuild, StepNew};
use crate::build;
use crate::config;
use crate::failure::{DONE, Failure};
use crate::project::{cancelled, find, sandbox, threads};
use crate::scaffold::{self, StepKind};
use crate::ui;

#[derive(Serialize)]
struct Made {
    directory: String,
    files: Vec<String>,
    usage: String,
}

#[derive(Serialize)]
struct Built {
    directory: String,
    digest: ComponentDigest,
    size_bytes: usize,
    #[serde(flatten)]
    descriptor: Descriptor,
}

/// Makes a step's crate, or builds one.
pub(crate) fn step(args: &Step) -> Result<u8, Failure> {
    match args {
        Step::New(args) => new(args),
        Step::Build(args) => build_crate(args),
        Step::Test(args) => test::test(args),
        Step::Run(args) => run::run(args),
    }
}

fn new(args: &StepNew) -> Result<u8, Failure> {
    let kind = match args.kind {
        KindArg::Source => StepKind::Source,
        KindArg::RowMap => StepKind::RowMap,
        KindArg::Reduce => StepKind::Reduce,
        KindArg::WholeTable => StepKind::WholeTable,
    };
    let project = find(args.directory.as_deref())?;
    let made = scaffold::new_step(&project, &args.name, kind)?;
    let shown = |path: &Path| path.display().to_string();
    if args.json {
        ui::json(&Made {
            directory: shown(&made.directory),
            files: made.files.iter().map(|file| shown(file)).collect(),
            usage: made.usage,
        })?;
    } else {
        ui::note(&format!(
            "made `{0}`; to test it: pinion step test {0}\nto use it, add to pinion.toml, with the names of yours:\n",
            shown(&made.directory)
        ));
        ui::data(made.usage.trim_end());
    }
    Ok(DONE)
}

fn build_crate(args: &StepBuild) -> Result<u8, Failure> {
    // A crate can be built without a project around it.
    let root = match &args.directory {
        Some(directory) => find(Some(directory))?,
        None => find(None).unwrap_or_else(|_| args.path.clone()),
    };
    let caps = config::caps(&args.caps)?;
    let bytes = build::component(&args.path, &root)?;
    let digest = ComponentDigest::of(&bytes);
    let sandbox = sandbox(threads(None), caps)?;
    let program = sandbox.program(digest, &|| Ok(bytes.clone()))?;
    let described = sandbox.describe(&program, cancelled());
    let descriptor = described.map_err(|error| config::advised(error, sandbox.caps()))?;
    let directory = args.path.display().to_string();
    if args.json {
        ui::json(&Built {
            directory,
            digest,
            size_bytes: bytes.len(),
            descriptor,
        })?;
        return Ok(DONE);
    }
    ui::data(&format!(
        "{directory}: a {} step, {}",
        descriptor.kind.name(),
        ui::bytes(bytes.len() as u64)
    ));
    ui::data(&digest.to_string());
    ui::data(&descriptor.summary);
    let row = |way: &str, port: &Port| {
        let what = if port.blob { "blob" } else { "table" };
        vec![
            format!("  {way} {}", port.name),
            what.to_owned(),
            port.doc.clone(),
        ]
    };
    let inputs = descriptor.inputs.iter().map(|port| row("in ", port));
    let rows: Vec<Vec<String>> = inputs
        .chain(descriptor.outputs.iter().map(|port| row("out", port)))
        .collect();
    for line in ui::aligned(&rows) {
        ui::data(&ui::harmless(&line));
    }
    Ok(DONE)
}
