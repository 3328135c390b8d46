//! Stores in bad places: on a file system that is read-only, and on one that is too small.
//!
//! The kernel is asked for real ones: a read-only bind mount, and a file system in memory of a few hundred
//! kilobytes, in a mount namespace of their own, which is gone with the process. That takes root, or a kernel
//! that lets users have namespaces. Where neither is there, nothing is tested here, unless
//! `PINION_TESTS_WITH_MOUNTS=1` says that it must be, as `.ci/run` does where there are namespaces. The same faults
//! are tested without mounts in [`failing`](super::failing).

#![cfg(target_os = "linux")]

use std::os::unix::fs::MetadataExt as _;
use std::process::Command;

use insta::assert_snapshot;
use pinion_tests::project::{Project, Said, pinion};
use regex::Regex;

use crate::days::{self, results};

/// A shell script in a mount namespace of its own, in the directory of a project. `$PINION` is the binary.
/// None where there can be none.
fn in_namespace(project: &Project, script: &str) -> Option<Said> {
    let is_root = project.path().metadata().unwrap().uid() == 0;
    let mut command = Command::new("unshare");
    command.args(if is_root {
        ["-m"].as_slice()
    } else {
        &["-r", "-m"]
    });
    let like = project.command(&[]);
    let environment = like
        .get_envs()
        .filter_map(|(name, value)| Some((name, value?)));
    command
        .args(["sh", "-ec", script])
        .envs(environment)
        .env("PINION", pinion())
        .current_dir(project.path());
    let said = project.said(command.output());
    if said.stderr.starts_with("unshare:") || said.stderr.starts_with("mount:") {
        let must = std::env::var_os("PINION_TESTS_WITH_MOUNTS").is_some();
        assert!(!must, "nothing can be mounted: {}", said.stderr);
        eprintln!("not tested, since nothing can be mounted: {}", said.stderr);
        return None;
    }
    Some(said)
}

#[test]
fn a_read_only_store_is_read_and_nothing_else() {
    let project = days::project();
    let made = days::run(&project, &[]);
    let script = r#"
mount --bind .pinion .pinion
mount -o remount,ro,bind .pinion
$PINION show --json > shown.json
$PINION export scale -o read-only.csv
$PINION lineage scale > /dev/null
$PINION runs > /dev/null
$PINION verify --json > /dev/null
$PINION doctor
echo "run"
$PINION run || echo "exit $?"
echo "gc"
$PINION gc || echo "exit $?"
"#;
    let Some(said) = in_namespace(&project, script) else {
        return;
    };
    let written = project.read("shown.json");
    let shown: serde_json::Value = serde_json::from_slice(&written).unwrap();
    assert_eq!(shown["run_digest"], made["run_digest"]);
    project
        .pinion(&["export", "scale", "-o", "out.csv"])
        .succeeded();
    assert_eq!(project.read("read-only.csv"), project.read("out.csv"));
    // What has nothing to do with the store, but for how many objects are in it.
    let lines = Regex::new(r"(?m)^(ok +(engine|config|toolchain|pipeline|lock|sources|components)|note +toolchain|wrote) .*\n").unwrap();
    let objects = Regex::new(r"\d+ objects").unwrap();
    let said = said.snapshot();
    let said = objects.replace_all(&said, "[OBJECTS]");
    assert_snapshot!(lines.replace_all(&said, ""), @"
    exit 0
    --- stdout
    note     store       the store cannot be written to
                         caused by: Read-only file system (os error 30)
    ok       store       [OBJECTS], as stored
    run
    exit 2
    gc
    exit 2
    --- stderr
    error: the store cannot be written to
    caused by: Read-only file system (os error 30)

    hint: the store is `[DIR]/.pinion`; to keep results elsewhere, give `--store DIR`
    error: the store cannot be written to
    caused by: Read-only file system (os error 30)

    hint: the store is `[DIR]/.pinion`; to keep results elsewhere, give `--store DIR`
    ");
}

/// Too small for what a run makes, at whatever it is doing then; with more space it goes on.
#[test]
fn a_disk_that_is_full_is_named_and_the_run_goes_on_once_there_is_space() {
    let undisturbed = days::project();
    let expected = days::run(&undisturbed, &[]);
    // In pages, as a file system in memory counts.
    let components = days::stored(&undisturbed, "components").into_iter();
    let pages = |name: String| {
        let bytes = undisturbed.read(&format!(".pinion/components/{name}"));
        bytes.len().div_ceil(4096)
    };
    let components: usize = components.map(pages).sum();
    let (mut failed, mut said_by_size) = (0, Vec::new());
    for pages in [
        8,
        components + 6,
        components + 40,
        components + 90,
        components + 140,
    ] {
        let size = format!("{}k", 4 * pages);
        let project = days::project();
        let script = r#"
mkdir small
mount -t tmpfs -o size=SIZE pinion-test small
$PINION run --store small --json > first.json 2> first.txt || echo "first $?"
$PINION gc --store small --json > gc.json 2> gc.txt || echo "gc $?"
mount -o remount,size=256m small
$PINION doctor --store small > doctor.txt || echo "doctor $?"
$PINION run --store small --json > second.json
$PINION doctor --store small > doctor.txt
"#;
        let Some(said) = in_namespace(&project, &script.replace("SIZE", &size)) else {
            return;
        };
        assert_eq!(said.code, Some(0), "{size} {said:?}");
        let text = |name: &str| String::from_utf8(project.read(name)).unwrap();
        let first = text("first.txt");
        let second: serde_json::Value =
            serde_json::from_slice(&project.read("second.json")).unwrap();
        assert_eq!(results(&second), results(&expected));
        if first.contains("error: ") {
            assert!(first.contains("No space left on device"), "{first}");
            assert!(
                first.contains("hint: there is no space for the store `small`; "),
                "{first}"
            );
            failed += 1;
        }
        said_by_size.push(first);
    }
    assert!(failed >= 4, "{said_by_size:?}");
    let paths = Regex::new(r"(components|chunks|blobs|units|tables|memo|tmp)/[^`]*").unwrap();
    assert_snapshot!(paths.replace_all(&said_by_size[0], "$1/[PATH]"), @"
    error: the store could not write `components/[PATH]`
    caused by: No space left on device (os error 28)

    hint: there is no space for the store `small`; what is finished is kept: make space, with `pinion gc` or otherwise, and run this again, or keep results elsewhere with `--store DIR`
    ");
}
