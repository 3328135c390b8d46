//! The components under `tests/components/`, built once for each process of tests.
//!
//! They are built as the standard ones are, by a nested cargo with a target directory of its own, so a
//! plain `cargo test` needs nothing but the Rust target. The one in C is committed as the core module that
//! clang made of it, and becomes a component here.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::Resolve;

use crate::cargo::{Artifact, Build};

/// The workspace.
pub fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(Path::to_owned)
        .unwrap_or_default()
}

/// The bytes of a fixture.
///
/// # Panics
/// If the fixtures cannot be built or there is none of this name.
pub fn component(name: &str) -> &'static [u8] {
    let fixtures = FIXTURES
        .as_ref()
        .unwrap_or_else(|error| panic!("the fixtures cannot be built: {error}"));
    fixtures
        .get(name)
        .unwrap_or_else(|| panic!("there is no fixture `{name}`"))
}

/// Names of all fixtures.
///
/// # Panics
/// If the fixtures cannot be built.
pub fn names() -> Vec<&'static str> {
    let fixtures = FIXTURES
        .as_ref()
        .unwrap_or_else(|error| panic!("the fixtures cannot be built: {error}"));
    fixtures.keys().map(String::as_str).collect()
}

/// The bytes of a standard component. They are all built together, as for the command line.
///
/// # Panics
/// If they cannot be built or there is none of this name.
pub fn standard(name: &str) -> &'static [u8] {
    static STANDARD: LazyLock<Result<Built, Failed>> = LazyLock::new(|| {
        let workspace = workspace();
        let plugins = fs::read_dir(workspace.join("plugins"))?;
        let mut packages = Vec::new();
        for plugin in plugins {
            let plugin = plugin?;
            if plugin.path().join("Cargo.toml").is_file() {
                packages.push(plugin.file_name().to_string_lossy().into_owned());
            }
        }
        packages.sort();
        build(&workspace, &packages)
    });
    let components = STANDARD
        .as_ref()
        .unwrap_or_else(|error| panic!("the standard components cannot be built: {error}"));
    components
        .get(name)
        .unwrap_or_else(|| panic!("there is no standard component `{name}`"))
}

type Failed = Box<dyn std::error::Error + Send + Sync>;
type Built = BTreeMap<String, Vec<u8>>;

static FIXTURES: LazyLock<Result<Built, Failed>> = LazyLock::new(|| {
    let workspace = workspace();
    let components = workspace.join("tests/components");
    let mut packages = Vec::new();
    let mut built = Built::new();
    for entry in fs::read_dir(components)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.path().join("Cargo.toml").is_file() {
            packages.push(format!("fixture-{name}"));
        } else {
            let core = fs::read(entry.path().join(&name).with_extension("wasm"))?;
            built.insert(name, encode(&workspace, core)?);
        }
    }
    packages.sort();
    for (name, bytes) in build(&workspace, &packages)? {
        built.insert(name.trim_start_matches("fixture-").to_owned(), bytes);
    }
    Ok(built)
});

fn build(workspace: &Path, packages: &[String]) -> Result<Built, Failed> {
    let build = Build {
        cargo: OsStr::new("cargo"),
        directory: workspace,
        packages,
        profile: "component",
        target_dir: &target_dir(workspace).join("wasm"),
        locked: false,
        root: workspace,
        symbols: false,
    };
    let read = |artifact: Artifact| Ok((artifact.name, fs::read(artifact.file)?));
    build.run()?.into_iter().map(read).collect()
}

/// The component of the crate in `directory`, in a project at `root`, stripped by the linker alone.
///
/// # Panics
/// If it cannot be built.
pub fn stripped_by_linker(directory: &Path, root: &Path, target_dir: &Path) -> Vec<u8> {
    let build = Build {
        cargo: OsStr::new("cargo"),
        directory,
        packages: &[],
        profile: "release",
        target_dir,
        locked: false,
        root,
        symbols: false,
    };
    let artifacts = build.run().unwrap_or_else(|error| panic!("{error}"));
    let file = artifacts.first().map(|artifact| artifact.file.clone());
    let bytes = file.and_then(|file| fs::read(file).ok());
    bytes.unwrap_or_else(|| panic!("no component in {}", directory.display()))
}

/// The target directory that this process was built in: `<target>/[<triple>/]<profile>/deps/<test>`.
pub fn target_dir(workspace: &Path) -> PathBuf {
    let test = std::env::current_exe().unwrap_or_default();
    let tagged = test
        .ancestors()
        .find(|path| path.join("CACHEDIR.TAG").is_file());
    tagged.map_or_else(|| workspace.join("target"), Path::to_owned)
}

/// A component of a core module that was compiled against the world `row-map-step` by hand.
fn encode(
    workspace: &Path,
    mut core: Vec<u8>,
) -> Result<Vec<u8>, Box<dyn std::error::Error + Send + Sync>> {
    let mut resolve = Resolve::default();
    let package = resolve.push_file(workspace.join("wit/step.wit"))?;
    let world = resolve.select_world(&[package], Some("row-map-step"))?;
    embed_component_metadata(&mut core, &resolve, world, StringEncoding::UTF8)?;
    Ok(ComponentEncoder::default()
        .module(&core)?
        .validate(true)
        .encode()?)
}
