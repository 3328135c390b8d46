//! Builds components with cargo, so that equal sources give equal bytes.
//!
//! Every build is told the same: no paths of the machine in the bytes, no random seeds, no flags from
//! the environment. The build script includes this file too: standard components and the crates of a
//! project are built alike.

use std::ffi::OsStr;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;
use thiserror::Error;

/// The target that components are compiled for.
pub(crate) const TARGET: &str = "wasm32-wasip2";

/// Where the crates of a project are built, relative to it.
pub(crate) const TARGET_DIR: &str = ".pinion/target";

/// Variables of cargo, rustc and rustup that a build keeps: where things are and how the network is
/// reached, but nothing that could change a byte of the result except the choice of the toolchain.
const KEPT_VARIABLES: [&str; 7] = [
    "CARGO_HOME",
    "CARGO_HTTP_",
    "CARGO_NET_",
    "CARGO_REGISTRIES_",
    "CARGO_REGISTRY_",
    "CARGO_TERM_",
    "RUSTUP_",
];

/// What to build, and where.
#[derive(Debug)]
pub(crate) struct Build<'a> {
    /// The program to run, usually `cargo`.
    pub(crate) cargo: &'a OsStr,
    /// The directory of the package or workspace.
    pub(crate) directory: &'a Path,
    /// The packages of the workspace; the one in `directory` if there are none.
    pub(crate) packages: &'a [String],
    /// The profile.
    pub(crate) profile: &'a str,
    /// Where intermediate files go. Only one build at a time uses it; others wait.
    pub(crate) target_dir: &'a Path,
    /// Whether `Cargo.lock` has to be there and to fit.
    pub(crate) locked: bool,
    /// A directory whose path is kept out of the bytes, besides those of the toolchain.
    pub(crate) root: &'a Path,
    /// Whether names and line tables are left in the bytes, whatever the profile says. The code is the same.
    pub(crate) symbols: bool,
}

/// A component that was built.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Artifact {
    /// The name of the package.
    pub(crate) name: String,
    /// The version of the package.
    pub(crate) version: String,
    /// The directory of the package.
    pub(crate) directory: PathBuf,
    /// The file with its bytes.
    pub(crate) file: PathBuf,
}

/// Why there is no component.
#[derive(Debug, Error)]
pub(crate) enum CargoError {
    /// A program of the toolchain cannot be run.
    #[error("`{program}` cannot be run")]
    ToolMissing {
        /// `cargo` or `rustc`.
        program: String,
        /// What the system says.
        source: io::Error,
    },
    /// The toolchain cannot compile for Wasm.
    #[error("the Rust target `{TARGET}` is not installed")]
    TargetMissing,
    /// The directory holds no crate.
    #[error("there is no crate to build\n  expected a `Cargo.toml`\n  in       {}", directory.display())]
    NoCrate {
        /// The directory.
        directory: PathBuf,
    },
    /// Cargo said no; its own words went to standard error.
    #[error("the crate could not be built, cargo says why above\n  in {}", directory.display())]
    Failed {
        /// The directory of the package or workspace.
        directory: PathBuf,
    },
    /// The crate compiles, but not to a component.
    #[error("the crate does not build to a component\n  expected a library of type `cdylib`\n  in       {}", directory.join("Cargo.toml").display())]
    NotComponent {
        /// The directory of the package.
        directory: PathBuf,
    },
    /// A file cannot be read.
    #[error("`{}` cannot be read", path.display())]
    Unreadable {
        /// The file or directory.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl CargoError {
    /// The command or the edit that mends it.
    pub(crate) fn advice(&self) -> Option<String> {
        Some(match self {
            Self::ToolMissing { .. } => {
                "install Rust from https://rustup.rs, or commit the built component and run with `--locked`".to_owned()
            }
            Self::TargetMissing => format!("run: rustup target add {TARGET}"),
            Self::NotComponent { .. } => {
                "add `crate-type = [\"cdylib\", \"rlib\"]` under `[lib]`".to_owned()
            }
            Self::NoCrate { .. } => "to make one, run `pinion step new`".to_owned(),
            Self::Failed { .. } | Self::Unreadable { .. } => return None,
        })
    }
}

/// Builds the package in `directory` for release and gives its bytes, with names and line tables.
///
/// `project` is the directory of the pipeline, whose path is kept out of the bytes. Cargo's progress
/// and diagnostics go to standard error.
///
/// # Errors
/// [`CargoError`].
pub(crate) fn build_crate(
    directory: &Path,
    project: &Path,
    target_dir: &Path,
) -> Result<Vec<u8>, CargoError> {
    let build = Build {
        cargo: OsStr::new("cargo"),
        directory,
        packages: &[],
        profile: "release",
        target_dir,
        locked: false,
        root: project,
        symbols: true,
    };
    let directory = canonical(directory)?;
    let artifact = build
        .run()?
        .into_iter()
        .find(|artifact| artifact.directory == directory)
        .ok_or(CargoError::NotComponent { directory })?;
    std::fs::read(&artifact.file).map_err(|source| CargoError::Unreadable {
        path: artifact.file,
        source,
    })
}

impl Build<'_> {
    /// Runs cargo; gives every component that was built or was fresh, in cargo's order.
    ///
    /// # Errors
    /// [`CargoError`].
    pub(crate) fn run(&self) -> Result<Vec<Artifact>, CargoError> {
        let directory = canonical(self.directory)?;
        if !directory.join("Cargo.toml").is_file() {
            return Err(CargoError::NoCrate { directory });
        }
        let mut command = self.clean(self.cargo);
        command
            .args(["build", "--target", TARGET, "--profile", self.profile])
            .arg("--message-format=json-render-diagnostics")
            .arg("--target-dir")
            // Cargo runs in the crate's directory, and the path may be relative to this one.
            .arg(
                std::path::absolute(self.target_dir).unwrap_or_else(|_| self.target_dir.to_owned()),
            )
            .args(self.locked.then_some("--locked"))
            .args(self.packages.iter().flat_map(|name| ["--package", name]))
            .env("CARGO_ENCODED_RUSTFLAGS", self.flags()?)
            // What `const-random` would otherwise draw at compile time ends up in the bytes.
            .env("CONST_RANDOM_SEED", "0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        let failed = || CargoError::Failed {
            directory: directory.clone(),
        };
        let mut child = command
            .spawn()
            .map_err(|source| tool_missing(self.cargo, source))?;
        let mut artifacts = Vec::new();
        for line in BufReader::new(child.stdout.take().ok_or_else(failed)?).lines() {
            artifacts.extend(artifact(&line.map_err(|_| failed())?));
        }
        match child.wait() {
            Ok(status) if status.success() => Ok(artifacts),
            _ => Err(failed()),
        }
    }

    /// The flags of rustc that keep paths of this machine out of the bytes, and symbols in them.
    ///
    /// A profile with debug information would give every crate another identity, and so other code. Flags
    /// do not, and the last of several counts.
    fn flags(&self) -> Result<String, CargoError> {
        let rustc = OsStr::new("rustc");
        let output = self
            .clean(rustc)
            .args([
                "--print=sysroot",
                "--print=target-libdir",
                "--target",
                TARGET,
            ])
            .output()
            .map_err(|source| tool_missing(rustc, source))?;
        let printed = String::from_utf8_lossy(&output.stdout);
        let mut lines = printed.lines();
        let (Some(sysroot), Some(library)) = (lines.next(), lines.next()) else {
            return Err(CargoError::TargetMissing);
        };
        if !Path::new(library).is_dir() {
            return Err(CargoError::TargetMissing);
        }
        let root = canonical(self.root)?;
        let target_dir = std::path::absolute(self.target_dir).ok();
        // Of several that match, rustc takes the last.
        let places = [
            (Some(root), "/source"),
            (target_dir, "/target"),
            (cargo_home(), "/cargo"),
            (Some(PathBuf::from(sysroot)), "/rust"),
        ];
        let remapped = places
            .into_iter()
            .filter_map(|(from, to)| Some(format!("--remap-path-prefix={}={to}", from?.to_str()?)));
        let symbols = ["-Cdebuginfo=line-tables-only", "-Cstrip=none"];
        let symbols = symbols.into_iter().filter(|_| self.symbols);
        let flags = remapped.chain(symbols.map(str::to_owned));
        Ok(flags.collect::<Vec<_>>().join("\u{1f}"))
    }

    /// A command in the directory with an environment that cannot change the result.
    fn clean(&self, program: &OsStr) -> Command {
        let mut command = Command::new(program);
        command.current_dir(self.directory);
        for (name, _) in std::env::vars_os() {
            let text = name.to_string_lossy();
            let kept = KEPT_VARIABLES.iter().any(|kept| text.starts_with(kept));
            if (text.starts_with("CARGO") || text.starts_with("RUST")) && !kept {
                command.env_remove(&name);
            }
        }
        // Build scripts are other people's programs.
        command.env_remove("PINION_STORE_KEY");
        command
    }
}

/// The component that a line of cargo's output reports, if it does.
fn artifact(line: &str) -> Option<Artifact> {
    #[derive(Deserialize)]
    struct Message {
        package_id: String,
        manifest_path: PathBuf,
        filenames: Vec<PathBuf>,
    }

    // Messages of other kinds lack the fields.
    let message: Message = serde_json::from_str(line).ok()?;
    let is_wasm = |file: &PathBuf| file.extension() == Some(OsStr::new("wasm"));
    let file = message.filenames.into_iter().find(is_wasm)?;
    let directory = message.manifest_path.parent()?.to_owned();
    // `path+file:///home/ada/coalesce#0.1.0`, or `…/merge#coalesce@0.1.0` if the directory is named differently.
    let (path, fragment) = message.package_id.rsplit_once('#')?;
    let (name, version) = match fragment.split_once('@') {
        Some(both) => both,
        None => (path.rsplit('/').next()?, fragment),
    };
    Some(Artifact {
        name: name.to_owned(),
        version: version.to_owned(),
        directory,
        file,
    })
}

/// Where cargo keeps the sources of crates.
fn cargo_home() -> Option<PathBuf> {
    let home = match std::env::var_os("CARGO_HOME") {
        Some(home) => PathBuf::from(home),
        None => std::env::home_dir()?.join(".cargo"),
    };
    Some(home.canonicalize().unwrap_or(home))
}

fn canonical(path: &Path) -> Result<PathBuf, CargoError> {
    path.canonicalize()
        .map_err(|source| CargoError::Unreadable {
            path: path.to_owned(),
            source,
        })
}

fn tool_missing(program: &OsStr, source: io::Error) -> CargoError {
    CargoError::ToolMissing {
        program: program.to_string_lossy().into_owned(),
        source,
    }
}
