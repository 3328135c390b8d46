//! The Rust toolchain, which only building crates needs.

use std::path::Path;
use std::process::{Command, Stdio};

use super::report::Report;
use crate::cargo::TARGET;

/// Checks that crates could be built in `directory`.
pub(super) fn check(directory: Option<&Path>, report: &mut Report) {
    let directory = directory.unwrap_or(Path::new("."));
    match output(directory, "cargo", &["--version"]) {
        Some(version) => report.ok("toolchain", &version),
        None => {
            report.note(
                "toolchain",
                "`cargo` cannot be run; only building crates needs it",
            );
            report.hint("to build crates, install Rust from https://rustup.rs");
            return;
        }
    }
    let library = output(
        directory,
        "rustc",
        &["--print=target-libdir", "--target", TARGET],
    );
    if library.is_some_and(|library| Path::new(&library).is_dir()) {
        report.ok(
            "toolchain",
            &format!("the Rust target `{TARGET}` is installed"),
        );
    } else {
        report.note(
            "toolchain",
            &format!("the Rust target `{TARGET}` is not installed; only building crates needs it"),
        );
        report.hint(&format!(
            "to build crates, run `rustup target add {TARGET}`"
        ));
    }
}

/// What a program prints, if it runs and ends well.
fn output(directory: &Path, program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program)
        .args(args)
        .current_dir(directory)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    output.status.success().then_some(text)
}
