//! `gc` removes what no run that is kept needs, and nothing else, whatever happens meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{Duration, SystemTime};

use cap_std::ambient_authority;
use cap_std::fs::Dir;
use insta::assert_snapshot;
use pinion_runtime::store::Store;
use pinion_tests::project::Project;
use pinion_tests::whole::key;
use regex::Regex;
use serde_json::Value;

use crate::days::{self, PIPELINE, run, stored, that_ran, units};
use crate::faults;

/// Every file of the store by its path, with its bytes. Lists of questions are without their numbers, which
/// say in which order they came, and records without what differs from run to run.
fn contents(project: &Project) -> BTreeMap<String, Vec<u8>> {
    let number = Regex::new(r"/questions/\d{10}-").unwrap();
    let mut contents = BTreeMap::new();
    for path in stored(project, "") {
        let bytes = project.read(&format!(".pinion/{path}"));
        let path = number.replace(&path, "/questions/").into_owned();
        contents.insert(path, bytes);
    }
    contents
}

/// The paths of all files of the store, but for those of run records, which differ from run to run, and of
/// what is remembered of source files, which depends on how fast this goes.
fn paths(project: &Project) -> BTreeSet<String> {
    let mut paths: BTreeSet<String> = contents(project).into_keys().collect();
    paths.retain(|path| !path.starts_with("runs/") && !path.starts_with("memo/source/"));
    paths
}

/// Makes everything in the store as old as if it had been written so many days ago.
fn age(project: &Project, days: u64) {
    let then = SystemTime::now() - Duration::from_hours(24 * days);
    for path in stored(project, "") {
        let file = fs::File::options()
            .write(true)
            .open(project.path().join(".pinion").join(path));
        file.unwrap().set_modified(then).unwrap();
    }
}

fn id(summary: &Value) -> &str {
    summary["run"].as_str().unwrap()
}

#[track_caller]
fn gc(project: &Project, args: &[&str]) -> Value {
    project
        .pinion(&[&["gc", "--json"], args].concat())
        .succeeded()
        .json()
}

/// Nothing but the last run is kept, whatever its age.
const ONLY_THE_LAST: [&str; 4] = ["--keep", "1", "--older-than", "0s"];

fn ids(summary: &Value, which: &str) -> Vec<String> {
    let ids = summary[which].as_array().unwrap().iter();
    ids.map(|id| id.as_str().unwrap().to_owned()).collect()
}

/// Whatever is left names only what is there.
#[track_caller]
fn assert_nothing_dangles(project: &Project) {
    let directory = project.path().join(".pinion");
    let store = Dir::open_ambient_dir(directory, ambient_authority()).unwrap();
    let store = Store::open(store, key()).unwrap();
    faults::assert_nothing_dangles(&store, |_| true);
}

/// After `gc`, the store has exactly what one has in which nothing but the kept run ever ran.
#[test]
fn what_a_kept_run_needs_stays_and_all_else_goes() {
    let project = days::project();
    let lonely = days::project();
    project.write("pinion.lock", &{
        lonely.pinion(&["lock"]).succeeded();
        lonely.read("pinion.lock")
    });
    run(&project, &["--set", "factor=7"]);
    days::write(&project, 3, |row| row.a += 1_000);
    run(&project, &[]);
    days::write(&project, 3, |_| {});
    let last = run(&project, &[]);
    run(&lonely, &[]);

    let said = gc(&project, &ONLY_THE_LAST);
    assert_eq!(ids(&said, "kept_runs"), [id(&last)]);
    assert_eq!(said["removed_runs"].as_array().unwrap().len(), 2);
    // But for how moved columns are put together in files, which depends on what was moved before.
    let compared = |project: &Project| {
        let mut paths = paths(project);
        paths.retain(|path| !path.starts_with("chunks/") && !path.starts_with("memo/"));
        paths
    };
    let (after, expected) = (compared(&project), compared(&lonely));
    let too_few: Vec<_> = expected.difference(&after).collect();
    let too_many: Vec<_> = after.difference(&expected).collect();
    assert_eq!((too_few, too_many), (vec![], vec![]));
    // Directories of units that are gone are gone too.
    let units = fs::read_dir(project.path().join(".pinion/units")).unwrap();
    let left = units.flat_map(|fan| fs::read_dir(fan.unwrap().path()).unwrap());
    let known: BTreeSet<String> = days::recipes(&project)
        .iter()
        .map(|path| path.split('/').nth(1).unwrap().to_owned())
        .collect();
    assert_eq!(left.count(), known.len());

    days::assert_sound(&project);
    assert_nothing_dangles(&project);
    project.pinion(&["verify", id(&last)]).succeeded();
    project.pinion(&["show", "scale"]).succeeded();
    let again = run(&project, &[]);
    assert_eq!(that_ran(&again), Vec::<&str>::new());
    assert_eq!(days::results(&again), days::results(&last));
}

/// The units of a kept run are as good as before for what comes next: partials and merges as well.
#[test]
fn an_append_after_it_runs_no_more_than_without_it() {
    let (project, untouched) = (days::project(), days::project());
    for project in [&project, &untouched] {
        run(project, &["--set", "factor=5"]);
        run(project, &[]);
    }
    gc(&project, &ONLY_THE_LAST);
    for project in [&project, &untouched] {
        days::write(project, 4, |_| {});
    }
    let (with, without) = (run(&project, &[]), run(&untouched, &[]));
    assert_eq!(units(&with), units(&without));
    assert!(units(&with)["fit-kept"].1 > 0);
    assert_eq!(days::results(&with), days::results(&without));
    // Whole steps can be forgotten, and their units are still known.
    fs::remove_dir_all(project.path().join(".pinion/memo/step")).unwrap();
    assert_eq!(that_ran(&run(&project, &[])), Vec::<&str>::new());
}

#[test]
fn a_dry_run_changes_nothing_and_tells_what_a_real_one_does() {
    let project = days::project();
    run(&project, &["--set", "factor=7"]);
    run(&project, &[]);
    let before = contents(&project);
    let mut dry = gc(&project, &[&ONLY_THE_LAST[..], &["--dry-run"]].concat());
    assert_eq!(contents(&project), before);
    let wet = gc(&project, &ONLY_THE_LAST);
    assert_eq!(dry["dry_run"].take(), true);
    dry["dry_run"] = false.into();
    assert_eq!(dry, wet);
    let gone = before.len() - contents(&project).len();
    let removed = wet["removed"].as_object().unwrap().values();
    let removed: u64 = removed
        .map(|amount| amount["objects"].as_u64().unwrap())
        .sum();
    assert_eq!(removed, gone as u64);
    // There is nothing more to do.
    assert_eq!(gc(&project, &ONLY_THE_LAST)["removed_bytes"], 0);
}

#[test]
fn what_is_young_named_or_among_the_last_is_kept() {
    let project = days::project();
    let factors = ["2", "3", "4", "5"];
    let runs: Vec<String> = factors
        .iter()
        .map(|factor| {
            let set = format!("factor={factor}");
            id(&run(&project, &["--set", &set])).to_owned()
        })
        .collect();
    let kept = |args: &[&str]| {
        let mut kept = ids(&gc(&project, &[args, &["--dry-run"]].concat()), "kept_runs");
        kept.reverse();
        kept
    };
    // Just written.
    assert_eq!(kept(&["--keep", "0"]), runs);
    age(&project, 15);
    assert_eq!(kept(&[]), runs);
    assert_eq!(kept(&["--keep", "2"]), runs[2..]);
    assert_eq!(kept(&["--keep", "0"]), Vec::<String>::new());
    assert_eq!(kept(&["--keep", "0", "--older-than", "16d"]), runs);
    let named = [
        "--keep",
        "1",
        "--keep-run",
        &runs[0],
        "--keep-run",
        &runs[1],
    ];
    assert_eq!(kept(&named), [&runs[..2], &runs[3..]].concat());

    // Of the runs of a pipeline, those that failed do not count, and they go when they are old.
    let failing = PIPELINE.replace("not_null = [\"a\"]", "rows = { min = 1000 }");
    project.write("pinion.toml", failing.as_bytes());
    let failed = project.pinion(&["run", "--json"]).json();
    assert_eq!(kept(&["--keep", "1"]), [runs[3].as_str(), id(&failed)]);
    age(&project, 15);
    assert_eq!(kept(&["--keep", "1"]), runs[3..]);
    // Those of another pipeline are counted by themselves.
    let other = PIPELINE.replace("name = \"days\"", "name = \"others\"");
    project.write("pinion.toml", other.as_bytes());
    let other = run(&project, &[]);
    age(&project, 15);
    assert_eq!(kept(&["--keep", "1"]), [runs[3].as_str(), id(&other)]);
}

/// What belongs to no run, because its run was killed, stays as long as it is young.
#[test]
fn what_a_killed_run_has_done_is_kept_while_it_is_young() {
    let project = days::project();
    run(&project, &[]);
    let record = stored(&project, "runs").pop().unwrap();
    let record = project.path().join(".pinion/runs").join(record);
    let text = fs::read_to_string(&record).unwrap();
    let first: String = text.split_inclusive('\n').take(1).collect();
    fs::write(&record, first).unwrap();
    let known = days::recipes(&project);
    gc(&project, &[]);
    assert_eq!(days::recipes(&project), known);
    assert_eq!(that_ran(&run(&project, &[])), Vec::<&str>::new());
}

#[test]
fn a_record_that_cannot_be_read_keeps_everything() {
    let project = days::project();
    run(&project, &[]);
    run(&project, &["--set", "factor=7"]);
    let record = stored(&project, "runs").remove(0);
    let record = format!(".pinion/runs/{record}");
    let mut bytes = project.read(&record);
    bytes[40] ^= 1;
    project.write(&record, &bytes);
    let before = contents(&project);
    assert_snapshot!(
        project.pinion(&[&["gc"], &ONLY_THE_LAST[..]].concat()).snapshot(),
        @"
        exit 2
        --- stderr
        error: run `[RUN]` cannot be read
        caused by: the run record is damaged
          in runs/[RUN].jsonl, line 1
        caused by: the line is not what was written

        hint: what it needs is not known, so nothing is removed; to move the record aside, run `pinion doctor --repair`
        "
    );
    assert_eq!(contents(&project), before);
    project.pinion(&["doctor", "--repair"]);
    gc(&project, &ONLY_THE_LAST);
    days::assert_sound(&project);
}

#[test]
fn what_it_says() {
    let project = days::project();
    run(&project, &["--set", "factor=7"]);
    run(&project, &[]);
    let bytes = Regex::new(r"\d+(\.\d+)? (B|KiB|MiB)").unwrap();
    let said = |args: &[&str]| {
        let said = project.pinion(&[&["gc"], args].concat()).snapshot();
        bytes.replace_all(&said, "[BYTES]").into_owned()
    };
    assert_snapshot!(said(&[]), @"
    exit 0
    --- stderr
    nothing to remove; kept 2 runs, [BYTES]
    ");
    assert_snapshot!(said(&[&ONLY_THE_LAST[..], &["--dry-run"]].concat()), @"
    exit 0
    --- stdout
    9 chunk files    [BYTES]
    8 memos          [BYTES]
    1 question list  [BYTES]
    9 recipes        [BYTES]
    1 run            [BYTES]
    6 tables         [BYTES]
    --- stderr
    would remove [BYTES]; kept 1 run, [BYTES]
    ");
    assert_snapshot!(said(&ONLY_THE_LAST), @"
    exit 0
    --- stdout
    9 chunk files    [BYTES]
    8 memos          [BYTES]
    1 question list  [BYTES]
    9 recipes        [BYTES]
    1 run            [BYTES]
    6 tables         [BYTES]
    --- stderr
    removed [BYTES]; kept 1 run, [BYTES]
    ");
    assert_snapshot!(said(&["--older-than", "soon"]), @"
    exit 2
    --- stderr
    error: invalid value 'soon' for '--older-than <AGE>': expected number at 0

    For more information, try '--help'.
    ");
    assert_snapshot!(said(&["--keep-run", "2020"]), @"
    exit 2
    --- stderr
    error: there is no run `2020`
      expected one of `[RUN]`
    ");
}

#[cfg(unix)]
mod at_once {
    use std::process::{Child, Stdio};
    use std::thread;

    use super::*;
    use crate::failure::{known, many_units};

    fn spawn(project: &Project, args: &[&str]) -> Child {
        let mut command = project.command(args);
        let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }

    /// A run that began before `gc` is waited for, and has all it made and all it found.
    #[test]
    fn a_run_that_is_going_on_loses_nothing() {
        let project = many_units();
        // What the second run finds has been in the store for long, and only the second run needs it.
        let first = id(&run(&project, &[])).to_owned();
        age(&project, 30);
        let pipeline = String::from_utf8(project.read("pinion.toml")).unwrap();
        let pipeline = pipeline.replace("square / 2", "square / 4");
        project.write("pinion.toml", pipeline.as_bytes());
        let mut going_on = spawn(&project, &["run", "--json", "--threads", "1"]);
        while stored(&project, "runs").len() < 2 {
            assert_eq!(going_on.try_wait().unwrap(), None, "it ended too early");
            thread::sleep(Duration::from_millis(1));
        }
        let collecting = spawn(&project, &[&["gc", "--json"], &ONLY_THE_LAST[..]].concat());
        let going_on = project.said(going_on.wait_with_output()).succeeded().json();
        let collected = project.said(collecting.wait_with_output()).succeeded();
        assert!(collected.stderr.contains("waiting"), "{}", collected.stderr);
        let collected = collected.json();
        assert_eq!(ids(&collected, "kept_runs"), [id(&going_on)]);
        assert_eq!(ids(&collected, "removed_runs"), [first]);
        days::assert_sound(&project);
        assert_nothing_dangles(&project);
        project.pinion(&["verify"]).succeeded();
        assert_eq!(that_ran(&run(&project, &[])), Vec::<&str>::new());
    }

    /// Wherever a kill hits it, the store is valid, the kept run is whole, and the next `gc` goes on.
    #[test]
    fn a_kill_at_any_point_leaves_a_valid_store() {
        let project = many_units();
        let pipeline = String::from_utf8(project.read("pinion.toml")).unwrap();
        for more in 1..=3 {
            let other = pipeline.replace("n * n", &format!("n * n + {more}"));
            project.write("pinion.toml", other.as_bytes());
            run(&project, &[]);
        }
        project.write("pinion.toml", pipeline.as_bytes());
        let last = run(&project, &[]);
        let undisturbed = copy(&project);
        gc(&undisturbed, &ONLY_THE_LAST);
        let whole = stored(&project, "").len();
        let least = stored(&undisturbed, "").len();
        let mut hit = 0;
        for delay in 0..8 {
            let project = copy(&project);
            let runs = stored(&project, "runs").len();
            let mut child = spawn(&project, &[&["gc"], &ONLY_THE_LAST[..]].concat());
            while stored(&project, "runs").len() == runs && child.try_wait().unwrap().is_none() {
                thread::sleep(Duration::from_micros(200));
            }
            thread::sleep(Duration::from_millis(4 * delay));
            child.kill().unwrap();
            child.wait().unwrap();
            let left = stored(&project, "").len();
            hit += usize::from(left < whole && left > least);
            days::assert_sound(&project);
            assert_nothing_dangles(&project);
            let again = run(&project, &[]);
            assert_eq!(that_ran(&again), Vec::<&str>::new());
            assert_eq!(days::results(&again), days::results(&last));
            gc(&project, &ONLY_THE_LAST);
            assert_eq!(paths(&project), paths(&undisturbed));
        }
        assert!(hit >= 2, "only {hit} of the kills hit it at work");
        assert!(known(&undisturbed) < known(&project));
    }

    fn copy(project: &Project) -> Project {
        fn walk(from: &Path, to: &Path) {
            fs::create_dir_all(to).unwrap();
            for entry in fs::read_dir(from).unwrap() {
                let entry = entry.unwrap();
                let (from, to) = (entry.path(), to.join(entry.file_name()));
                if from.is_dir() {
                    walk(&from, &to);
                } else {
                    fs::copy(&from, &to).unwrap();
                }
            }
        }
        let copied = Project::new();
        walk(project.path(), copied.path());
        copied
    }
}

/// A run of some steps is no substitute for one of all.
#[test]
fn runs_of_some_steps_push_out_no_run_of_all() {
    let project = days::project();
    let whole = run(&project, &[]);
    run(&project, &["read"]);
    let some = run(&project, &["keep"]);
    let kept = gc(&project, &ONLY_THE_LAST);
    assert_eq!(ids(&kept, "kept_runs"), [id(&some), id(&whole)]);
    assert_eq!(ids(&kept, "removed_runs").len(), 1);
    assert_nothing_dangles(&project);
}
