//! What the command line says of a store that somebody else wrote, and what makes it one's own.

use insta::assert_snapshot;
use pinion_tests::project::{Project, Said};
use serde_json::Value;

use super::{PIPELINE, rows};
use crate::days::that_ran;

const HERE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const THERE: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

pub(super) fn with_key(project: &Project, key: &str, args: &[&str]) -> Said {
    let mut command = project.command(args);
    project.said(command.env("PINION_STORE_KEY", key).output())
}

fn run(project: &Project, key: &str) -> Value {
    with_key(project, key, &["run", "--json"])
        .succeeded()
        .json()
}

/// A project whose store somebody else has written.
fn ran_elsewhere() -> (Project, Value) {
    let project = Project::with(&[("pinion.toml", PIPELINE), ("rows.csv", &rows())]);
    let ran = run(&project, THERE);
    (project, ran)
}

const ALL: [&str; 4] = ["read", "keep", "sort", "fit"];

#[test]
fn it_is_said_whose_word_it_is_and_nothing_of_it_is_known() {
    let (project, ran) = ran_elsewhere();
    let here = |args: &[&str]| with_key(&project, HERE, args);
    let written = "written    the sender's word: it was not written with this store's key";
    let shown = here(&["show"]).succeeded();
    assert!(shown.stdout.contains(written), "{}", shown.stdout);
    let listed = here(&["runs"]).succeeded();
    assert!(
        listed.stdout.trim_end().ends_with("  foreign"),
        "{}",
        listed.stdout
    );
    assert!(
        listed
            .stderr
            .contains("1 run marked foreign: the sender's word"),
        "{}",
        listed.stderr
    );
    let doctor = here(&["doctor"]).succeeded();
    assert!(
        doctor
            .stdout
            .contains("objects were not written with this store's key"),
        "{}",
        doctor.stdout
    );
    for args in [
        &["show", "keep"][..],
        &["lineage", "keep"],
        &["lineage", "keep", "--never", "b"],
        &["export", "keep", "-o", "keep.csv"],
        &["pack", "-o", "run.tar"],
    ] {
        let said = here(args);
        assert!(
            said.stderr
                .contains("is the sender's word: it was not written with this store's key"),
            "{args:?}: {}{}",
            said.stdout,
            said.stderr
        );
        let own = with_key(&project, THERE, args);
        assert!(!own.stderr.contains("sender"), "{args:?}: {}", own.stderr);
    }
    let shown = here(&["show", "--json"]).succeeded().json();
    assert_eq!(shown["standing"], "foreign");
    assert_eq!(
        here(&["runs", "--json"]).json()["runs"][0]["standing"],
        "foreign"
    );
    let again = here(&["run", "--frozen", "--json"]).succeeded().json();
    assert_eq!(that_ran(&again), ALL);
    assert_eq!(again["run_digest"], ran["run_digest"]);
    let diff = here(&["diff"]);
    assert!(
        diff.stderr.contains("is the sender's word"),
        "{}",
        diff.stderr
    );
    // From here on it is known.
    assert_eq!(that_ran(&run(&project, HERE)), [""; 0]);
}

#[test]
fn what_was_verified_is_known_and_is_ones_own() {
    let (project, _) = ran_elsewhere();
    let said = with_key(&project, HERE, &["verify"]).succeeded();
    assert!(
        said.stderr
            .contains("is this store's own now, since it was made again here"),
        "{}",
        said.stderr
    );
    let shown = with_key(&project, HERE, &["show", "--json"])
        .succeeded()
        .json();
    assert_eq!(shown["standing"], "verified");
    let doctor = with_key(&project, HERE, &["doctor"]).succeeded();
    assert!(!doctor.stdout.contains("sender"), "{}", doctor.stdout);
    assert_eq!(that_ran(&run(&project, HERE)), [""; 0]);
    // A second time there is nothing to be taken over.
    let said = with_key(&project, HERE, &["verify", "--json"])
        .succeeded()
        .json();
    assert_eq!(said["own"], Value::Null);
    // To the sender it is somebody else's now.
    let shown = with_key(&project, THERE, &["runs", "--json"]).json();
    assert_eq!(shown["runs"][1]["standing"], "foreign");
}

#[test]
fn what_was_adopted_is_known_and_says_so_ever_after() {
    let (project, ran) = ran_elsewhere();
    let id = ran["run"].as_str().unwrap();
    let said = with_key(&project, HERE, &["adopt", id, "--by", "anna"]).succeeded();
    let time = regex::Regex::new(r"\d{4}-\d\d-\d\dT[^ ]*Z").unwrap();
    let said = said.snapshot();
    assert_snapshot!(time.replace_all(&said, "[NOW]"), @"
    exit 0
    --- stderr
    adopted run [RUN]: 41 objects by anna with `pinion adopt`, [NOW]
    ");
    let shown = with_key(&project, HERE, &["show", "--json"])
        .succeeded()
        .json();
    assert_eq!(shown["standing"], "adopted");
    let by = shown["adopted_by"].as_str().unwrap().to_owned();
    assert!(by.starts_with("anna with `pinion adopt`, 2"), "{by}");
    let shown = with_key(&project, HERE, &["show"]).succeeded();
    assert!(
        shown.stdout.contains("the sender's, adopted by anna with"),
        "{}",
        shown.stdout
    );

    // Known by its units, then as whole steps; its records have the name either way.
    for _ in 0..2 {
        assert_eq!(that_ran(&run(&project, HERE)), [""; 0]);
        for step in ALL {
            let shown = with_key(&project, HERE, &["show", step, "--json"])
                .succeeded()
                .json();
            assert_eq!(shown["adopted_by"], serde_json::json!([by]), "{step}");
        }
    }
    let shown = with_key(&project, HERE, &["show", "fit"]).succeeded();
    assert!(
        shown.stdout.contains("adopted    by anna with"),
        "{}",
        shown.stdout
    );
    // To verify it makes it again, and then it rests on nobody's word.
    with_key(&project, HERE, &["verify", id]).succeeded();
    let shown = with_key(&project, HERE, &["show", id, "--json"]);
    assert_eq!(shown.succeeded().json()["standing"], "verified");
    // What is made again is not adopted any more.
    with_key(&project, HERE, &["run", "--no-cache"]).succeeded();
    assert_eq!(that_ran(&run(&project, HERE)), [""; 0]);
    let shown = with_key(&project, HERE, &["show", "fit", "--json"]).json();
    assert_eq!(shown["adopted_by"], serde_json::json!([]));
    let said = with_key(&project, HERE, &["adopt", "--all"]).succeeded();
    assert!(!said.stderr.contains("adopted run"), "{}", said.stderr);
    assert!(
        said.stderr.contains("is this store's own already"),
        "{}",
        said.stderr
    );
}

/// A forged record beside honest results, and a forged run beside an honest record.
#[test]
fn what_verify_has_not_made_again_stays_the_senders_word() {
    let (project, ran) = ran_elsewhere();
    let id = ran["run"].as_str().unwrap().to_owned();
    let path = format!(".pinion/runs/{id}.jsonl");
    let honest = String::from_utf8(project.read(&path)).unwrap();
    let forge = |from: &str, to: &str| {
        assert!(honest.contains(from), "{honest}");
        let mut chain = pinion_runtime::record::Chain::default();
        let mut lines = String::new();
        for line in honest.lines() {
            let end = line.find(",\"check\":").unwrap();
            let line = format!("{}}}", &line[..end]).replace(from, to);
            lines += &chain.seal(&serde_json::from_str(&line).unwrap()).unwrap();
        }
        project.write(&path, lines.as_bytes());
    };
    // Which columns were made is no part of the run digest, and lineage follows from it.
    forge("\"call\":\"row-map\"", "\"call\":\"row-map\"");
    let said = with_key(&project, HERE, &["verify", "--json"])
        .succeeded()
        .json();
    assert_eq!(said["own"], true);
    forge("\"made\":{\"table\":[\"a\",\"b\"]}", "\"made\":{}");
    let said = with_key(&project, HERE, &["verify", "--json"])
        .succeeded()
        .json();
    assert_eq!(
        (&said["equal"], &said["own"]),
        (&true.into(), &false.into())
    );
    let shown = with_key(&project, HERE, &["show", "--json"])
        .succeeded()
        .json();
    assert_eq!(shown["standing"], "foreign");
}

/// Results in a pack are nobody's, whoever packed them: not even the sender's own machine takes them for known.
#[test]
fn results_of_a_pack_are_the_senders_word() {
    let (project, _) = ran_elsewhere();
    with_key(&project, THERE, &["pack", "--results", "-o", "run.tar"]).succeeded();
    with_key(&project, THERE, &["unpack", "run.tar", "there"]).succeeded();
    let there =
        |args: &[&str]| with_key(&project, THERE, &[args, &["-C", "there"]].concat()).succeeded();
    assert_eq!(there(&["show", "--json"]).json()["standing"], "foreign");
    // It is packed again to the same bytes, and after it was adopted too.
    there(&["pack", "--results", "-o", "again.tar"]);
    assert!(project.read("run.tar") == project.read("again.tar"));
    there(&["adopt", "--all"]);
    there(&["pack", "--results", "-o", "again.tar"]);
    assert!(project.read("run.tar") == project.read("again.tar"));
    assert_eq!(
        that_ran(&there(&["run", "--frozen", "--json"]).json()),
        [""; 0]
    );

    with_key(&project, THERE, &["unpack", "run.tar", "fresh"]).succeeded();
    let ran = with_key(
        &project,
        THERE,
        &["run", "-C", "fresh", "--frozen", "--json"],
    );
    assert_eq!(that_ran(&ran.succeeded().json()), ALL);
}

#[test]
fn what_cannot_be_adopted_is_said() {
    let (project, _) = ran_elsewhere();
    let here = |args: &[&str]| with_key(&project, HERE, args);
    for (args, message) in [
        (
            &["adopt"][..],
            "the following required arguments were not provided",
        ),
        (&["adopt", "2020"], "there is no run `2020`"),
        (
            &["adopt", "std:read-csv"],
            "has no component `std:read-csv`",
        ),
        (
            &["adopt", "--all", "--by", "an\u{1b}[31mna"],
            "expected up to 64 letters",
        ),
    ] {
        let said = here(args);
        assert_eq!(said.code, Some(2), "{args:?}: {}", said.stderr);
        assert!(said.stderr.contains(message), "{args:?}: {}", said.stderr);
    }
}
