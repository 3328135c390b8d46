//! Runs that do not end well: killed, interrupted, beside each other, or with steps that fail.

#[cfg(unix)]
use std::{
    io::Read as _,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use pinion_tests::project::Project;
use serde_json::Value;

use crate::days;

/// Four steps of 120 units each, of one row each.
#[cfg(unix)]
pub(crate) fn many_units() -> Project {
    let pipeline = r#"
[pipeline]
name = "many-units"
batch_rows = 1
partition_batches = 1

[sources.numbers]
path = "numbers.csv"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.numbers"

[steps.square]
use = "std:derive-columns@0.1"
input = "read"
params = { columns = { square = "n * n" } }

[steps.half]
use = "std:derive-columns@0.1"
input = "square"
params = { columns = { half = "square / 2" } }

[steps.keep]
use = "std:filter-rows@0.1"
input = "half"
params = { where = "half > 10" }
"#;
    let numbers: String = (0..120).map(|n| format!("{n}\n")).collect();
    Project::with(&[
        ("pinion.toml", pipeline),
        ("numbers.csv", &format!("n\n{numbers}")),
    ])
}

#[cfg(unix)]
const UNITS: u64 = 4 * 120;

/// How many units the store knows.
#[cfg(unix)]
pub(crate) fn known(project: &Project) -> u64 {
    days::recipes(project).len() as u64
}

/// Starts a run, and signals it as soon as `finished` units are known. Gives the run's process.
#[cfg(unix)]
fn run_until(project: &Project, threads: &str, finished: u64, signal: &str) -> Child {
    let mut command = project.command(&["run", "--json", "--threads", threads]);
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    while known(project) < finished {
        assert_eq!(child.try_wait().unwrap(), None, "the run ended too early");
        thread::sleep(Duration::from_millis(1));
    }
    send(signal, &child);
    child
}

/// Signals a process with the shell's own `kill`, which is there wherever a shell is.
#[cfg(unix)]
fn send(signal: &str, child: &Child) {
    let kill = format!("kill -{signal} {}", child.id());
    assert!(
        Command::new("sh")
            .args(["-c", &kill])
            .status()
            .unwrap()
            .success()
    );
}

/// Units run and units cached of all steps together.
#[cfg(unix)]
fn totals(summary: &Value) -> (u64, u64) {
    let units = days::units(summary);
    units
        .values()
        .fold((0, 0), |(run, cached), (also_run, also_cached)| {
            (run + also_run, cached + also_cached)
        })
}

#[cfg(unix)]
#[test]
fn a_killed_run_loses_nothing_that_was_finished() {
    let undisturbed = days::run(&many_units(), &[]);
    for (finished, threads) in [(1, "1"), (150, "1"), (250, "2")] {
        let project = many_units();
        let mut child = run_until(&project, threads, finished, "KILL");
        assert_eq!(child.wait().unwrap().code(), None);
        let known = known(&project);
        assert!(
            (finished..UNITS).contains(&known),
            "{known} of {UNITS} units are finished"
        );
        days::assert_sound(&project);
        let killed = &project.pinion(&["runs", "--json"]).succeeded().json()["runs"][0];
        assert_eq!(killed["outcome"], "interrupted");

        let second = days::run(&project, &[]);
        assert_eq!(totals(&second), (UNITS - known, known));
        assert_eq!(days::results(&second), days::results(&undisturbed));
        days::assert_sound(&project);
    }
}

#[cfg(unix)]
#[test]
fn an_interrupted_run_ends_cleanly_and_the_next_goes_on() {
    let undisturbed = days::run(&many_units(), &[]);
    for threads in ["1", "4"] {
        let project = many_units();
        let child = run_until(&project, threads, 150, "INT");
        let said = project.said(child.wait_with_output());
        assert_eq!(said.code, Some(130), "{}", said.stderr);
        let summary = said.json();
        assert_eq!(
            (&summary["outcome"], &summary["run_digest"]),
            (&Value::from("cancelled"), &Value::Null)
        );
        let record = &project.pinion(&["runs", "--json"]).succeeded().json()["runs"][0];
        assert_eq!(record["outcome"], "cancelled");
        assert_eq!(days::stored(&project, "tmp"), Vec::<String>::new());
        days::assert_sound(&project);

        let known = known(&project);
        assert!(
            (150..UNITS).contains(&known),
            "{known} of {UNITS} units are finished"
        );
        let second = days::run(&project, &[]);
        assert_eq!(totals(&second), (UNITS - known, known));
        assert_eq!(days::results(&second), days::results(&undisturbed));
    }
}

#[cfg(unix)]
#[test]
fn checking_ends_at_the_first_interrupt() {
    let project = days::project();
    project.pinion(&["lock"]).succeeded();
    // A locked source that takes for ever to read: a pipe that nobody writes to.
    let pipe = project.path().join("endless");
    assert!(
        Command::new("mkfifo")
            .arg(&pipe)
            .status()
            .unwrap()
            .success()
    );
    let lock = String::from_utf8(project.read("pinion.lock")).unwrap();
    let file = lock.split('"').find(|text| text.ends_with(".csv"));
    std::fs::rename(&pipe, project.path().join(file.unwrap())).unwrap();

    let mut command = project.command(&["doctor"]);
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    // It says something once it minds interrupts.
    let mut first = [0];
    child
        .stdout
        .as_mut()
        .unwrap()
        .read_exact(&mut first)
        .unwrap();
    send("INT", &child);
    for _ in 0..1_000 {
        if let Some(ended) = child.try_wait().unwrap() {
            assert_eq!(ended.code(), Some(130));
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    panic!("it goes on");
}

#[test]
fn two_runs_at_once_in_one_store_both_succeed() {
    let project = days::project();
    // So that neither is ahead by writing the lockfile.
    project.pinion(&["lock"]).succeeded();
    let runs = std::thread::scope(|scope| {
        let run = || days::run(&project, &[]);
        let runs = [scope.spawn(run), scope.spawn(run), scope.spawn(run)];
        runs.map(|run| run.join().unwrap())
    });
    for run in &runs[1..] {
        assert_eq!(days::results(run), days::results(&runs[0]));
    }
    days::assert_sound(&project);
    assert_eq!(
        days::that_ran(&days::run(&project, &[])),
        Vec::<&str>::new()
    );
}

#[test]
fn a_store_that_cannot_be_written_is_named() {
    let project = days::project();
    project.write("place", b"taken");
    for store in ["place", "place/store"] {
        let said = project.pinion(&["run", "--store", store]);
        assert_eq!(said.code, Some(2), "{}", said.stderr);
        assert!(
            said.stderr
                .starts_with(&format!("error: cannot open the store `{store}`\n")),
            "{}",
            said.stderr
        );
        assert!(
            said.stderr
                .contains("hint: to keep results elsewhere, give `--store DIR`"),
            "{}",
            said.stderr
        );
    }
    assert_eq!(project.read("place"), b"taken");
    assert!(!project.path().join("pinion.lock").exists());
}

/// `narrow` fails in partitions 1, 4 and 7, `check` fails, and `after` depends on `narrow`.
fn failing() -> Project {
    let pipeline = r#"
[pipeline]
name = "failing"
batch_rows = 4
partition_batches = 2

[sources.days]
path = "days"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.days"

[steps.narrow]
use = "std:cast-columns@0.1"
input = "read"
params = { columns = { b = "int8" } }

[steps.check]
use = "std:check-table@0.1"
input = "read"
params = { range = { a = { max = 50 } } }

[steps.after]
use = "std:filter-rows@0.1"
input = "narrow"
params = { where = "b > 0" }

[steps.fine]
use = "std:filter-rows@0.1"
input = "read"
params = { where = "a > 0" }
"#;
    let project = Project::with(&[("pinion.toml", pipeline)]);
    days::write(&project, 3, |row| {
        row.b = if row.number == 10 {
            1000 + row.day
        } else {
            row.number
        }
    });
    project
}

#[track_caller]
fn outcomes(summary: &Value) -> Vec<(&str, &str)> {
    let steps = summary["steps"].as_array().unwrap().iter();
    steps
        .map(|step| {
            (
                step["name"].as_str().unwrap(),
                step["outcome"].as_str().unwrap(),
            )
        })
        .collect()
}

#[test]
fn what_does_not_depend_on_a_failed_step_is_finished_with_keep_going() {
    let project = failing();
    let said = project.pinion(&["run", "--keep-going", "--json"]);
    assert_eq!(said.code, Some(1), "{}", said.stderr);
    let summary = said.json();
    assert_eq!(
        outcomes(&summary),
        [
            ("read", "succeeded"),
            ("narrow", "failed"),
            ("check", "failed"),
            ("after", "skipped"),
            ("fine", "succeeded")
        ]
    );
    assert_eq!(summary["outcome"], "failed");
    assert_eq!(summary["run_digest"], Value::Null);
    assert_eq!(summary["error"]["step"], "narrow");
    assert!(!days::column(&project, "fine", "a").is_empty());
    days::assert_sound(&project);

    // A failure is never remembered: what is mended runs, what was fine does not.
    days::write(&project, 3, |row| row.b = row.number);
    let mended = project
        .pinion(&["run", "narrow", "fine", "--json"])
        .succeeded()
        .json();
    assert_eq!(days::that_ran(&mended), ["read", "narrow"]);
}

#[test]
fn the_failure_of_the_lowest_step_and_partition_counts_for_any_number_of_threads() {
    let said = ["1", "2", "4", "8"].map(|threads| {
        let project = failing();
        let said = project.pinion(&["run", "--threads", threads, "--json"]);
        assert_eq!(said.code, Some(1), "{}", said.stderr);
        days::assert_sound(&project);
        said.json()["error"].clone()
    });
    assert_eq!(said[0]["step"], "narrow");
    assert_eq!(said[0]["code"], "bad-data");
    let message = said[0]["message"].as_str().unwrap();
    assert!(
        message.contains("value     `1001`\n") && message.contains("partition 1\n"),
        "{message}"
    );
    for other in &said[1..] {
        assert_eq!(other, &said[0]);
    }
}

/// Flips a bit in the first place of a stored file that has these bytes.
#[track_caller]
fn flip(project: &Project, path: &str, at: &[u8]) {
    let path = format!(".pinion/{path}");
    let mut bytes = project.read(&path);
    let place = bytes.windows(at.len()).position(|bytes| bytes == at);
    bytes[place.unwrap()] ^= 1;
    project.write(&path, &bytes);
}

/// The values of `a` in the first rows of a day, as they are stored.
fn first_values(day: i64) -> Vec<u8> {
    (0..4)
        .flat_map(|number| (100 * day + number).to_le_bytes())
        .collect()
}

/// `multiply` has to run, and is the first to read `a` since it was stored.
#[test]
fn what_is_damaged_or_gone_is_made_again_within_the_run() {
    let project = days::project();
    days::run(&project, &["read"]);
    let chunks = days::stored(&project, "chunks");
    assert_eq!(chunks.len(), 9);
    days::run(&project, &[]);
    let of_day = |day| {
        let mut chunks = chunks.iter().map(|chunk| format!("chunks/{chunk}"));
        let has = |path: &String| {
            let bytes = project.read(&format!(".pinion/{path}"));
            let values = first_values(day);
            bytes.windows(values.len()).any(|bytes| bytes == values)
        };
        chunks.find(has).unwrap()
    };
    // Two of three partitions that can be damaged without anybody's noticing, and one that is missed at once.
    for day in [1, 2] {
        flip(&project, &of_day(day), &first_values(day));
    }
    let gone = of_day(3);
    std::fs::remove_file(project.path().join(".pinion").join(&gone)).unwrap();

    let said = project
        .pinion(&["run", "--json", "--threads", "1", "--set", "factor=3"])
        .succeeded();
    let warnings: Vec<&str> = said.stderr.lines().collect();
    assert_eq!(warnings.len(), 2, "{}", said.stderr);
    assert!(
        warnings[0].starts_with("warning: chunk file `blake3:")
            && warnings[0].ends_with("` is damaged; what made it runs again"),
        "{}",
        said.stderr
    );
    assert_eq!(warnings[1], "  in step `multiply`, which reads it");
    let summary = said.json();
    assert_eq!(days::units(&summary)["read"], (3, 6));
    assert_eq!(days::units(&summary)["keep"], (0, 9));
    // What it had done when it failed, it knows.
    let (ran, known) = days::units(&summary)["multiply"];
    assert!(ran > 0 && ran + known == 9, "{ran} {known}");
    assert_eq!(days::stored(&project, "quarantine").len(), 2);
    days::assert_sound(&project);

    let cold = tempfile::tempdir().unwrap();
    let store = cold.path().to_str().unwrap();
    let cold = days::run(&project, &["--set", "factor=3", "--store", store]);
    assert_eq!(days::results(&summary), days::results(&cold));
    // The record says the same as the run did.
    let shown = project.pinion(&["show", "read", "--json"]).succeeded();
    assert_eq!(shown.json()["units"], days::step(&summary, "read")["units"]);
    assert_eq!(
        days::that_ran(&days::run(&project, &["--set", "factor=3"])),
        Vec::<&str>::new()
    );
}

/// Every chunk file torn and every blob with another bit: what is needed is made again, step by step.
#[test]
fn a_store_of_which_nothing_is_left_whole_gives_the_same() {
    let project = days::project();
    days::run(&project, &[]);
    for path in days::stored(&project, "chunks") {
        let path = format!(".pinion/chunks/{path}");
        let bytes = project.read(&path);
        project.write(&path, &bytes[..bytes.len() / 2]);
    }
    for path in days::stored(&project, "blobs") {
        let path = format!(".pinion/blobs/{path}");
        let mut bytes = project.read(&path);
        if let Some(first) = bytes.first_mut() {
            *first ^= 1;
        }
        project.write(&path, &bytes);
    }
    let summary = days::run(&project, &["--set", "factor=3"]);
    let cold = tempfile::tempdir().unwrap();
    let store = cold.path().to_str().unwrap();
    let cold = days::run(&project, &["--set", "factor=3", "--store", store]);
    assert_eq!(days::results(&summary), days::results(&cold));
    assert!(!days::stored(&project, "quarantine").is_empty());
}
