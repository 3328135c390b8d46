//! Receipts of every release: what it has stored must still be read, come out again, and be known once it was made
//! again or taken over. It is nobody's own, since packs have no codes.

use std::fs;
use std::path::{Path, PathBuf};

use pinion_runtime::unit::SEMANTICS;
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
    // What is in it is never taken out of today's.
    let released = workspace().join("plugins/digests.toml");
    fs::copy(released, to.join("digests.toml")).unwrap();
}

/// With other semantics it has another run digest, and nothing of it is known; but the components of then make the
/// same of the same files.
fn assert_made_again(project: &Project, name: &str, expected: &Value) {
    let run = ["run", "-C", "there", "--json"];
    let found = digests(&project.pinion(&run).succeeded().json());
    assert_ne!(found["run_digest"], expected["run_digest"], "{name}");
    let made = |results: &Value| -> Vec<[Value; 3]> {
        let steps = results["steps"].as_array().unwrap().iter();
        let facts = ["name", "digest", "outputs"];
        steps
            .map(|step| facts.map(|fact| step[fact].clone()))
            .collect()
    };
    assert!(!made(expected).is_empty(), "{name}");
    assert_eq!(made(&found), made(expected), "{name}");
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
        let doctor = project.pinion(&["doctor", "-C", "there"]);
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

        if shown["semantics"] != SEMANTICS {
            let mut problems = doctor
                .stdout
                .lines()
                .filter(|line| line.starts_with("problem"));
            let lock = problems.next().unwrap_or_default();
            assert!(
                lock.contains("other semantics"),
                "{name}: {}",
                doctor.stdout
            );
            assert_eq!(problems.next(), None, "{name}");
            assert_made_again(&project, &name, &expected);
            continue;
        }
        doctor.succeeded();

        // As it is, it is the sender's word, and nothing is known because of it.
        let all_ran = |store: &str| {
            let run = ["run", "-C", "there", "--frozen", "--json", "--store", store];
            let fresh = project.pinion(&run).succeeded().json();
            assert_eq!(digests(&fresh), expected, "{name}");
            that_ran(&fresh).len()
        };
        copy(
            &project.path().join("there/.pinion"),
            &project.path().join("told"),
        );
        let steps = all_ran("fresh");
        assert_eq!(all_ran("told"), steps, "{name}");

        // Known, when it was taken over or made again by the components of then: whole steps by their memos, and
        // without these each unit by its key.
        for own in ["adopt", "verify"] {
            let known = format!("there-{own}");
            project
                .pinion(&["unpack", "receipt.tar", &known])
                .succeeded();
            let args: &[&str] = match own {
                "adopt" => &["adopt", "--all", "-C", &known],
                _ => &["verify", "-C", &known],
            };
            project.pinion(args).succeeded();
            for forgotten in [None, Some(format!("{known}/.pinion/memo"))] {
                if let Some(directory) = &forgotten {
                    fs::remove_dir_all(project.path().join(directory)).unwrap();
                }
                let run = ["run", "-C", &known, "--frozen", "--json"];
                let again = project.pinion(&run).succeeded().json();
                assert_eq!(
                    that_ran(&again),
                    [""; 0],
                    "{name}: {own}, without {forgotten:?}"
                );
                assert_eq!(
                    digests(&again),
                    expected,
                    "{name}: {own}, without {forgotten:?}"
                );
            }
        }
    }
}
