//! A pipeline in a directory of its own, and the `pinion` binary to run there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use regex::Regex;
use tempfile::TempDir;

use crate::fixtures::{target_dir, workspace};

/// A directory that is gone when this is dropped.
#[derive(Debug)]
pub struct Project(TempDir);

/// What a command said and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// The exit code, none if a signal ended it.
    pub code: Option<i32>,
    /// Standard output as it is.
    pub stdout: String,
    /// Standard error as it is.
    pub stderr: String,
    /// The directory, as it can occur in what was said.
    directory: PathBuf,
}

impl Project {
    /// An empty directory.
    ///
    /// # Panics
    /// If there can be none.
    #[expect(clippy::new_without_default, reason = "it makes a directory")]
    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap_or_else(|error| panic!("no temporary directory: {error}")))
    }

    /// A directory with `files`, by path and contents.
    ///
    /// # Panics
    /// If they cannot be written.
    pub fn with(files: &[(&str, &str)]) -> Self {
        let project = Self::new();
        for (path, contents) in files {
            project.write(path, contents.as_bytes());
        }
        project
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Writes a file, with the directories above it.
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn write(&self, path: &str, contents: &[u8]) {
        let path = self.path().join(path);
        let written = fs::create_dir_all(path.parent().unwrap_or(&path))
            .and_then(|()| fs::write(&path, contents));
        written.unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    }

    /// The contents of a file.
    ///
    /// # Panics
    /// If it cannot be read.
    pub fn read(&self, path: &str) -> Vec<u8> {
        let path = self.path().join(path);
        fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Runs `pinion` here, to its end.
    ///
    /// # Panics
    /// If it cannot be run.
    pub fn pinion(&self, args: &[&str]) -> Said {
        self.said(self.command(args).output())
    }

    /// The command that [`Self::pinion`] runs, to be changed before or to be watched.
    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(pinion());
        command
            .args(args)
            .current_dir(self.path())
            .env("NO_COLOR", "1")
            // Compiled once for all tests, and none of the user's.
            .env(
                "PINION_CACHE_DIR",
                target_dir(&workspace()).join("pinion-cache"),
            )
            // Nor the user's caps.
            .env("PINION_CONFIG", "")
            .stdin(Stdio::null());
        command
    }

    /// What a command that ran here said.
    ///
    /// # Panics
    /// If it could not be run.
    pub fn said(&self, output: std::io::Result<Output>) -> Said {
        let output = output.unwrap_or_else(|error| panic!("the command cannot be run: {error}"));
        Said {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            directory: self
                .path()
                .canonicalize()
                .unwrap_or_else(|_| self.path().to_owned()),
        }
    }
}

impl Said {
    /// This, if the command succeeded.
    ///
    /// # Panics
    /// If it did not, with all it said.
    #[track_caller]
    pub fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    ///
    /// # Panics
    /// If it is not.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}{}", self.stdout, self.stderr))
    }

    /// Exit code, standard output and standard error for a snapshot, with a placeholder for what differs
    /// from run to run or with every change to a component: the directory, run ids, durations, digests. What
    /// depends on what was compiled before is left out.
    pub fn snapshot(&self) -> String {
        let code = self
            .code
            .map_or("by a signal".to_owned(), |code| code.to_string());
        let mut text = format!("exit {code}\n");
        for (name, stream) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            if !stream.is_empty() {
                text.push_str(&format!("--- {name}\n{stream}"));
            }
        }
        let text = text.replace(&*self.directory.to_string_lossy(), "[DIR]");
        let text = PREPARED.replace_all(&text, "");
        let text = DIGEST.replace_all(&text, "$1:[DIGEST]");
        let text = RUN_ID.replace_all(&text, "[RUN]");
        DURATION.replace_all(&text, "[TIME]").into_owned()
    }
}

/// `20261123-061530-4f2a`.
static RUN_ID: LazyLock<Regex> = LazyLock::new(|| regex(r"\b\d{8}-\d{6}-[0-9a-f]{4,}\b"));

/// A digest in full, or its beginning.
static DIGEST: LazyLock<Regex> =
    LazyLock::new(|| regex(r"\b(sha256|blake3):(?:[0-9a-f]{64}|[0-9a-f]{12})\b"));

/// The line that tells of compiling, which is done once for all tests.
static PREPARED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^  preparing .*\n"));

/// `41 ms`, `0.3 s`, with the spaces that align it, and how much was read in that time.
static DURATION: LazyLock<Regex> = LazyLock::new(|| {
    regex(
        r" *\b\d+(\.\d+)? (ms|s|min)\b(, \d+(\.\d+)? [KMG]?i?B read)?(, [0-9.]+[kM]? rows/s)?(, [0-9.]+ [KMG]?i?B/s)?",
    )
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"))
}

/// The platform of the binary that is tested, if it is not built for this machine: `tests/platforms/run` sets it,
/// and `PINION_TESTED` to a program that runs the binary.
pub static PLATFORM: LazyLock<Option<String>> =
    LazyLock::new(|| std::env::var("PINION_TESTED_PLATFORM").ok());

/// The binary of the present sources, or that of another platform.
///
/// `cargo test` builds the binaries of a package only for that package's own tests, so it is asked for
/// here, in the profile of the tests.
///
/// # Panics
/// If it cannot be built.
pub fn pinion() -> &'static Path {
    static PINION: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(tested) = std::env::var_os("PINION_TESTED") {
            return tested.into();
        }
        let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
        command.args([
            "build",
            "--package",
            "pinion-cli",
            "--message-format=json-render-diagnostics",
        ]);
        if !cfg!(debug_assertions) {
            command.arg("--release");
        }
        let output = command
            .current_dir(workspace())
            .stderr(Stdio::inherit())
            .output();
        let output = output.unwrap_or_else(|error| panic!("cargo cannot be run: {error}"));
        let messages = String::from_utf8_lossy(&output.stdout);
        let executable = messages.lines().find_map(|line| {
            let message: serde_json::Value = serde_json::from_str(line).ok()?;
            Some(PathBuf::from(message.get("executable")?.as_str()?))
        });
        executable.unwrap_or_else(|| panic!("`pinion` cannot be built"))
    });
    &PINION
}
