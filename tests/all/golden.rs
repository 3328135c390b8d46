//! Pipelines whose digests are committed: the same whatever the machine, its settings and the engine.
//!
//! Each directory under `tests/golden/` is one, small enough for an interpreter. `BLESS=1` writes what is
//! expected anew, after a component or a format was changed on purpose. `tests/platforms/run` runs this file
//! with the binary of another platform and writes down what it found.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use pinion_runtime::unit::SEMANTICS;
use pinion_tests::fixtures::workspace;
use pinion_tests::project::{PLATFORM, Project};
use serde_json::{Value, json};

/// What was found on each platform, by pipeline.
const PLATFORMS: &str = "tests/golden/platforms.json";
/// With which semantics.
const SEEN: &str = "semantics";

fn directory(name: &str) -> PathBuf {
    match name {
        // The whole of it, which takes an interpreter too long.
        "example" => workspace().join("examples/flight-delays"),
        name => workspace().join("tests/golden").join(name),
    }
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(workspace().join("tests/golden")).unwrap();
    let directories = entries
        .map(Result::unwrap)
        .filter(|entry| entry.path().is_dir());
    let mut names: Vec<String> = directories
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn is_blessing() -> bool {
    std::env::var_os("BLESS").is_some()
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
        let to = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true if entry.file_name() == ".pinion" => {}
            true => copy(&entry.path(), &to),
            false => drop(fs::copy(entry.path(), to).unwrap()),
        }
    }
}

/// The pipeline in a directory of its own, below the project's.
fn checkout(name: &str, project: &Project, directory_name: &str) {
    copy(&directory(name), &project.path().join(directory_name));
}

/// What of a run is the same everywhere: its digest, and what each step put out and used.
pub(crate) fn results(summary: &Value) -> Value {
    let steps = summary["steps"].as_array().unwrap();
    let facts = ["name", "digest", "outputs", "fuel", "memory_bytes"];
    let steps = steps.iter().map(|step| {
        let facts = facts.map(|fact| (fact.to_owned(), step[fact].clone()));
        Value::Object(facts.into_iter().collect())
    });
    json!({ "run_digest": summary["run_digest"], "steps": steps.collect::<Vec<_>>() })
}

/// What is committed; with `BLESS` what a run finds now, which is written down.
fn expected(name: &str) -> Value {
    /// What was written already: once, however many tests ask.
    static WRITTEN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
    let file = directory(name).join("expected.json");
    let mut written = WRITTEN.lock().unwrap();
    if is_blessing() && name != "example" && written.insert(name.to_owned()) {
        let project = Project::new();
        checkout(name, &project, "here");
        let args = ["run", "-C", "here", "--json"];
        project.pinion(&["update", "-C", "here"]).succeeded();
        let found = results(&project.pinion(&args).succeeded().json());
        fs::copy(
            project.path().join("here/pinion.lock"),
            directory(name).join("pinion.lock"),
        )
        .unwrap();
        fs::write(&file, format!("{found:#}\n")).unwrap();
    }
    serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
}

/// A run under every setting that must not matter.
#[track_caller]
fn assert_same_everywhere(name: &str) {
    let expected = expected(name);
    let project = Project::new();
    // Wine 8 tells where an open directory is only up to 260 characters.
    let is_short = PLATFORM
        .as_ref()
        .is_some_and(|platform| platform.contains("windows"));
    let levels = if is_short { 4 } else { 12 };
    let deep = format!(
        "{}/here",
        vec!["a-directory-of-forty-bytes-and-no-less-"; levels].join("/")
    );
    let other = "dort drüben/Γ 🜁";
    let places = ["here", other, &deep];
    for place in places {
        checkout(name, &project, place);
    }
    let run = |place: &str, store: &str, threads: &str| {
        let mut command = project.command(&["run", "--frozen", "--json", "-C", place]);
        command.args(["--store", store, "--threads", threads]);
        command
    };
    let check = |what: &str, command: &mut Command| {
        let found = results(&project.said(command.output()).succeeded().json());
        assert_eq!(found, expected, "{name}: {what}");
    };
    check("one thread", &mut run("here", "store-1", "1"));
    check("four threads", &mut run("here", "store-4", "4"));
    check("a store that knows all", &mut run("here", "store-1", "4"));
    check(
        "another directory",
        &mut run(other, "dort drüben/store", "2"),
    );
    check("a deep directory", &mut run(&deep, "store-5", "2"));
    // Turkish has another upper case of `i`; that zone is 12:45 ahead, and on the other side of the year.
    let mut elsewhere = run("here", "store-7", "2");
    elsewhere
        .envs([
            ("LC_ALL", "tr_TR.UTF-8"),
            ("LANG", "tr_TR.UTF-8"),
            ("LANGUAGE", "tr"),
        ])
        .envs([
            ("TZ", "Pacific/Chatham"),
            ("HOME", "/nonexistent"),
            ("COLUMNS", "7"),
        ]);
    check("another locale and time zone", &mut elsewhere);
    #[cfg(unix)]
    check(
        "files for nobody else",
        &mut under_umask(&run("here", "store-6", "2")),
    );
    let doctor = ["doctor", "-C", "here", "--store", "store-1"];
    project.pinion(&doctor).succeeded();
    found_here(name, &expected["run_digest"]);
}

/// The same command with the mask that leaves no rights to anybody else.
#[cfg(unix)]
fn under_umask(command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", r#"umask 077 && exec "$@""#, "sh"])
        .arg(command.get_program())
        .args(command.get_args())
        .current_dir(command.get_current_dir().unwrap());
    for (name, value) in command.get_envs() {
        shell.env(name, value.unwrap());
    }
    shell
}

/// Writes down what was found on another platform.
fn found_here(name: &str, digest: &Value) {
    static WRITING: Mutex<()> = Mutex::new(());
    let Some(platform) = &*PLATFORM else { return };
    let _writing = WRITING.lock().unwrap();
    let path = workspace().join(PLATFORMS);
    let mut found: BTreeMap<String, BTreeMap<String, Value>> =
        serde_json::from_slice(&fs::read(&path).unwrap_or_default()).unwrap_or_default();
    let platform = found.entry(platform.clone()).or_default();
    if platform.get(SEEN) != Some(&json!(SEMANTICS)) {
        // What was found with other semantics says nothing of these.
        platform.clear();
    }
    platform.insert(SEEN.to_owned(), json!(SEMANTICS));
    platform.insert(name.to_owned(), digest.clone());
    fs::write(
        &path,
        format!("{}\n", serde_json::to_string_pretty(&found).unwrap()),
    )
    .unwrap();
}

#[test]
fn every_step_is_the_same_everywhere() {
    assert_same_everywhere("every-step");
}

#[test]
fn flight_delays_are_the_same_everywhere() {
    assert_same_everywhere("flight-delays");
}

/// The whole example takes an emulated processor too long.
#[test]
fn the_example_is_the_same_on_every_platform() {
    if PLATFORM
        .as_deref()
        .is_some_and(|platform| platform.starts_with("aarch64"))
    {
        return;
    }
    let project = Project::new();
    checkout("example", &project, "here");
    for threads in ["1", "4"] {
        let args = [
            "run",
            "--frozen",
            "--json",
            "-C",
            "here",
            "--threads",
            threads,
            "--no-cache",
        ];
        let found = results(&project.pinion(&args).succeeded().json());
        assert_eq!(found, expected("example"), "{threads} threads");
        found_here("example", &found["run_digest"]);
    }
}

#[test]
fn both_engines_do_the_same() {
    for name in names() {
        let project = Project::new();
        // Written first, if it is to be.
        expected(&name);
        checkout(&name, &project, "here");
        let expected = directory(&name).join("expected.json");
        let said = project
            .command(&["verify", "-C", "here", "--cross-check", "100%", "--expect"])
            .arg(expected)
            .output();
        let said = project.said(said).succeeded();
        let counts = said
            .stderr
            .lines()
            .find(|line| line.contains("on both engines"));
        let counts: Vec<u64> = counts
            .unwrap_or_else(|| panic!("{}", said.stderr))
            .split(' ')
            .filter_map(|word| word.parse().ok())
            .collect();
        assert!(
            counts[0] >= 200 && counts[0] == counts[1],
            "{name}: {counts:?}"
        );
    }
}

#[test]
fn every_standard_step_is_in_a_golden_pipeline() {
    let used: BTreeSet<String> = names()
        .iter()
        .map(|name| fs::read_to_string(directory(name).join("pinion.toml")).unwrap())
        .flat_map(|text| {
            let uses = text
                .lines()
                .filter_map(|line| line.strip_prefix("use = \"std:"));
            uses.map(|rest| rest.split('@').next().unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    let plugins = fs::read_dir(workspace().join("plugins")).unwrap();
    let plugins: BTreeSet<String> = plugins
        .map(Result::unwrap)
        .filter(|entry| entry.path().join("Cargo.toml").exists())
        .map(|entry| entry.file_name().into_string().unwrap())
        .collect();
    assert_eq!(used, plugins);
}

/// What `tests/golden/flight-delays/cut.py` makes of it.
#[test]
fn the_cut_is_that_of_the_example() {
    let read = |name: &str| fs::read_to_string(directory(name).join("pinion.toml")).unwrap();
    let (example, cut) = (read("example"), read("flight-delays"));
    let (example, cut): (BTreeSet<&str>, BTreeSet<&str>) =
        (example.lines().collect(), cut.lines().collect());
    let added: Vec<&str> = cut.difference(&example).copied().collect();
    let expected = [
        "batch_rows = 100",
        "partition_batches = 3",
        "rows = { min = 1_900, max = 2_000 }",
        "use = \"./components/label-late.wasm\"",
    ];
    assert_eq!(added, expected);
    assert_eq!(example.difference(&cut).count(), 2);
}

/// `tests/platforms/run` was run since the digests last changed, and found the same ones; or it was not since the
/// semantics changed, and then `SUPPORT.md` says so.
#[test]
fn every_platform_has_found_the_same() {
    let support = fs::read_to_string(workspace().join("SUPPORT.md")).unwrap();
    let found = fs::read(workspace().join(PLATFORMS)).unwrap();
    let found: BTreeMap<String, BTreeMap<String, Value>> = serde_json::from_slice(&found).unwrap();
    for platform in ["aarch64-unknown-linux-gnu", "x86_64-pc-windows-gnu"] {
        let mut names = names();
        if platform.starts_with("x86_64") {
            names.push("example".to_owned());
        }
        let seen = found[platform][SEEN].as_str().unwrap();
        if seen != SEMANTICS {
            let says = format!("`{platform}` was last looked at with semantics `{seen}`");
            assert!(support.contains(&says), "SUPPORT.md does not say: {says}");
            continue;
        }
        for name in names {
            assert_eq!(
                found[platform][&name],
                expected(&name)["run_digest"],
                "{name} on {platform}; `tests/platforms/run {platform}` looks again"
            );
        }
    }
}
