//! Builds the standard components from `plugins/` and lists them, the SDK and the contract for the
//! binary to carry.
//!
//! It does the same whoever asks for it (`build`, `check`, `clippy`), as cargo keeps one result for all.
//! An unchanged plugin is not compiled again.

#[path = "src/cargo.rs"]
#[expect(
    dead_code,
    reason = "the binary builds crates of projects, and gives advice, on its own"
)]
mod cargo;

use std::error::Error;
use std::ffi::OsStr;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::{env, fs};

use sha2::{Digest, Sha256};

use crate::cargo::{Artifact, Build};

/// What decides the bytes of the components, and the files that are embedded.
const INPUTS: [&str; 6] = [
    "Cargo.lock",
    "Cargo.toml",
    "plugins",
    "rust-toolchain.toml",
    "sdk",
    "wit",
];

/// What a step's crate needs beside it.
const SDK_FILES: [&str; 3] = ["sdk/rust/Cargo.toml", "sdk/rust/src", "wit/step.wit"];

fn main() -> ExitCode {
    match embed() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // What a build script prints as an error is shown without its whole output.
            for line in error.to_string().lines() {
                println!("cargo::error={line}");
            }
            ExitCode::FAILURE
        }
    }
}

fn embed() -> Result<(), Box<dyn Error>> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()?;
    for input in INPUTS {
        println!(
            "cargo::rerun-if-changed={}",
            workspace.join(input).display()
        );
    }
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=src/cargo.rs");

    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("cargo sets no `OUT_DIR`")?);
    let components = standard_components(&workspace, &out)?;
    fs::write(out.join("std_components.rs"), components)?;
    fs::write(out.join("sdk_files.rs"), sdk_files(&workspace)?)?;
    Ok(())
}

/// Builds `plugins/` and gives the Rust expression that lists the components.
fn standard_components(workspace: &Path, out: &Path) -> Result<String, Box<dyn Error>> {
    let mut packages = Vec::new();
    for entry in fs::read_dir(workspace.join("plugins"))? {
        let entry = entry?;
        if entry.path().join("Cargo.toml").is_file() {
            packages.push(
                entry
                    .file_name()
                    .into_string()
                    .map_err(|_| "a plugin's name is not UTF-8")?,
            );
        }
    }
    packages.sort();
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let build = Build {
        cargo: &cargo,
        directory: workspace,
        packages: &packages,
        profile: "component",
        target_dir: &wasm_dir(out),
        locked: true,
        root: workspace,
        symbols: false,
    };
    let mut artifacts = build.run().map_err(|error| match error.advice() {
        Some(advice) => format!("{error}\n{advice}"),
        None => error.to_string(),
    })?;
    artifacts.sort_by(|left, right| left.name.cmp(&right.name));
    if !artifacts
        .iter()
        .map(|artifact| &artifact.name)
        .eq(&packages)
    {
        return Err(
            "every crate in `plugins/` has to build to a component of its directory's name".into(),
        );
    }

    let mut list = String::from("&[\n");
    for artifact in artifacts {
        let bytes = fs::read(&artifact.file)?;
        // A copy of its own: the next build may replace the file before this one is compiled in.
        let file = out.join(&artifact.name).with_extension("wasm");
        fs::write(&file, &bytes)?;
        let digest: [u8; 32] = Sha256::digest(&bytes).into();
        let Artifact { name, version, .. } = artifact;
        // `0.1.0` as the arguments of `Version::new`, which can be called for a static.
        let version = version.replace('.', ", ");
        writeln!(
            list,
            "    StdComponent {{ name: {name:?}, version: Version::new({version}), digest: ComponentDigest::from_bytes({digest:?}), bytes: include_bytes!({file:?}) }},",
        )?;
    }
    list.push(']');
    Ok(list)
}

/// The one directory that Wasm is built in, whatever profile the binary has: `wasm` in the target directory.
///
/// The target directory itself is in use by the cargo that runs this script.
fn wasm_dir(out: &Path) -> PathBuf {
    // `<target>/[<triple>/]<profile>/build/<package>…/out`.
    let build = out
        .ancestors()
        .find(|path| path.file_name() == Some(OsStr::new("build")));
    let Some(profiles) = build.and_then(|build| build.parent()?.parent()) else {
        return out.join("wasm");
    };
    let triple = env::var_os("TARGET");
    match profiles.parent() {
        Some(target) if profiles.file_name() == triple.as_deref() => target.join("wasm"),
        _ => profiles.join("wasm"),
    }
}

/// The Rust expression that lists path and text of the files that a step's crate needs.
fn sdk_files(workspace: &Path) -> Result<String, Box<dyn Error>> {
    let mut paths = Vec::new();
    for start in SDK_FILES {
        collect_files(workspace, start, &mut paths)?;
    }
    paths.sort();
    let mut list = String::from("&[\n");
    for path in paths {
        writeln!(
            list,
            "    ({path:?}, include_str!({:?})),",
            workspace.join(&path)
        )?;
    }
    list.push(']');
    Ok(list)
}

fn collect_files(
    workspace: &Path,
    path: &str,
    into: &mut Vec<String>,
) -> Result<(), Box<dyn Error>> {
    let full = workspace.join(path);
    if !full.is_dir() {
        into.push(path.to_owned());
        return Ok(());
    }
    for entry in fs::read_dir(full)? {
        let name = entry?
            .file_name()
            .into_string()
            .map_err(|_| "a file's name is not UTF-8")?;
        collect_files(workspace, &format!("{path}/{name}"), into)?;
    }
    Ok(())
}
