//! Receipts of every release: what it has stored must still be read, be known, and come out again.

use std::fs;
use std::path::{Path, PathBuf};

use pinion_tests::fixtures::workspace;
use pinion_tests::project::Project;
use serde_json::Value;

use crate::days::that_ran;
use crate::golden::{copy, results as digests};

/// Artifacts that are kept as they were exported.
const EXPORTS: [(&str, &str); 2] = [("fit", "fit.json"), ("days", "days.csv")];

fn directory() -> PathBuf {
    workspace().join("tests/old-formats")
}

/// The directories of the releases, in order.
fn releases() -> Vec<PathBuf> {
    let entries = fs::read_dir(directory()).unwrap().map(Result::unwrap);
    let mut releases: Vec<PathBuf> = entries
        .filter(|entry| {
            entry.path().is_dir()
                && entry
                    .file_name()
                    .to_string_lossy()
                    .starts_with(char::is_numeric)
        })
        .map(|entry| entry.path())
        .collect();
    releases.sort();
    releases
}

fn export(project: &Project, place: &str, step: &str) -> Vec<u8> {
    let (_, file) = EXPORTS.iter().find(|(name, _)| *name == step).unwrap();
    project
        .pinion(&["export", "-C", place, step, "-o", file])
        .succeeded();
    project.read(file)
}

/// Makes the receipt of the present version.
fn write(to: &Path) {
    let project = Project::new();
    copy(&directory().join("pipeline"), &project.path().join("here"));
    let ran = project.pinion(&["run", "-C", "here", "--json"]).succeeded();
    project
        .pinion(&["pack", "-C", "here", "--results", "-o", "receipt.tar"])
        .succeeded();
    fs::create_dir_all(to).unwrap();
    fs::write(to.join("receipt.tar"), project.read("receipt.tar")).unwrap();
    fs::write(
        to.join("expected.json"),
        format!("{:#}\n", digests(&ran.json())),
    )
    .unwrap();
    for (step, file) in EXPORTS {
        fs::write(to.join(file), export(&project, "here", step)).unwrap();
    }
}

#[test]
fn receipts_are_read_known_and_made_again() {
    let present = directory().join(env!("CARGO_PKG_VERSION"));
    // Asked for by name: every run has an id of its own, so that a pack is never the same again.
    if std::env::var("BLESS").is_ok_and(|what| what == "receipts") {
        write(&present);
    }
    let releases = releases();
    assert!(
        releases.contains(&present),
        "{} is missing",
        present.display()
    );
    for release in releases {
        let name = release.file_name().unwrap().to_string_lossy().into_owned();
        let expected: Value =
            serde_json::from_slice(&fs::read(release.join("expected.json")).unwrap()).unwrap();
        let project = Project::new();
        fs::copy(
            release.join("receipt.tar"),
            project.path().join("receipt.tar"),
        )
        .unwrap();
        project
            .pinion(&["unpack", "receipt.tar", "there"])
            .succeeded();

        // Read: the record, manifests, chunk files and blobs.
        project.pinion(&["doctor", "-C", "there"]).succeeded();
        let shown = project
            .pinion(&["show", "-C", "there", "--json"])
            .succeeded()
            .json();
        assert_eq!(shown["run_digest"], expected["run_digest"], "{name}");
        for (step, file) in EXPORTS {
            assert_eq!(
                export(&project, "there", step),
                fs::read(release.join(file)).unwrap(),
                "{name}: {file}"
            );
        }

        // Known: whole steps by their memos, and without these each unit by its key.
        for forgotten in [None, Some("there/.pinion/memo")] {
            if let Some(directory) = forgotten {
                fs::remove_dir_all(project.path().join(directory)).unwrap();
            }
            let run = ["run", "-C", "there", "--frozen", "--json"];
            let again = project.pinion(&run).succeeded().json();
            assert_eq!(that_ran(&again), [""; 0], "{name} without {forgotten:?}");
            assert_eq!(digests(&again), expected, "{name} without {forgotten:?}");
        }

        // Made again, by the components of then.
        let fresh = project
            .pinion(&[
                "run", "-C", "there", "--frozen", "--json", "--store", "fresh",
            ])
            .succeeded()
            .json();
        assert_eq!(digests(&fresh), expected, "{name}");
        project.pinion(&["verify", "-C", "there"]).succeeded();
    }
}
