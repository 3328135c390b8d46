//! Runs, steps, ports and files that are asked for and not there.

use insta::assert_snapshot;
use pinion_tests::project::Project;

use super::{project, refused};

#[test]
fn nothing_to_verify() {
    let project = project("");
    assert_snapshot!(refused(&project, &["verify"]), @"
    exit 2
    --- stderr
    error: there is no succeeded run of pipeline `trips` to compare with

    hint: to make one, run `pinion run`
    ");
    assert_snapshot!(refused(&project, &["verify", "--expect", "expected.json"]), @"
    exit 2
    --- stderr
    error: cannot read `expected.json`
    caused by: No such file or directory (os error 2)
    ");
    assert_snapshot!(refused(&project, &["verify", "20240301"]), @"
    exit 2
    --- stderr
    error: there is no run `20240301`
      found no runs in the store
    ");
    project.write("expected.json", b"{}");
    assert_snapshot!(refused(&project, &["verify", "--expect", "expected.json"]), @"
    exit 2
    --- stderr
    error: `expected.json` is not what `pinion run --json` prints: missing field `steps` at line 1 column 2
    ");
}

#[test]
fn nothing_to_show() {
    let project = project("");
    assert_snapshot!(refused(&project, &["show"]), @"
    exit 2
    --- stderr
    error: there are no runs in the store

    hint: to make one, run `pinion run`
    ");
    assert_snapshot!(refused(&project, &["export", "trips", "-o", "trips.csv"]), @"
    exit 2
    --- stderr
    error: there are no runs in the store

    hint: to make one, run `pinion run`
    ");
    project.pinion(&["run"]).succeeded();
    assert_snapshot!(refused(&project, &["show", "tirps"]), @"
    exit 2
    --- stderr
    error: run `[RUN]` has no step `tirps`
      expected one of `trips`

    hint: did you mean `trips`?
    ");
    assert_snapshot!(refused(&project, &["show", "trips.rows"]), @"
    exit 2
    --- stderr
    error: step `trips` has no output `rows`
      expected one of `trips.table`
    ");
    assert_snapshot!(refused(&project, &["show", "trips.tabel"]), @"
    exit 2
    --- stderr
    error: step `trips` has no output `tabel`
      expected one of `trips.table`

    hint: did you mean `trips.table`?
    ");
    assert_snapshot!(refused(&project, &["show", "1999"]), @"
    exit 2
    --- stderr
    error: there is no run `1999`
      expected one of `[RUN]`
    ");
    assert_snapshot!(refused(&project, &["export", "trips.rows", "-o", "trips.csv"]), @"
    exit 2
    --- stderr
    error: step `trips` has no output `rows`
      expected one of `trips.table`
    ");
    assert_snapshot!(refused(&project, &["export", "trips", "-o", "trips.xlsx"]), @"
    exit 2
    --- stderr
    error: the extension of the file does not say how to write a table
      expected `.parquet`, `.csv` or `.arrow`
      found    `.xlsx`
    ");
    assert_snapshot!(refused(&project, &["export", "trips", "-o", "nowhere/trips.csv"]), @"
    exit 2
    --- stderr
    error: cannot write `nowhere/trips.csv`
    caused by: No such file or directory (os error 2)
    ");
}

#[test]
fn steps_to_run_that_are_not_there() {
    let project = project("");
    assert_snapshot!(refused(&project, &["run", "tirps"]), @"
    exit 2
    --- stderr
    error: there is no step `tirps`
      expected one of `trips`

    hint: did you mean `trips`?
    ");
    assert!(!project.path().join("pinion.lock").exists());
}

#[test]
fn verbs_and_options_that_are_not_there() {
    let project = project("");
    assert_snapshot!(refused(&project, &["rnu"]), @"
    exit 2
    --- stderr
    error: unrecognized subcommand 'rnu'

      tip: a similar subcommand exists: 'runs'

    Usage: pinion <COMMAND>

    For more information, try '--help'.
    ");
    assert_snapshot!(refused(&project, &["run", "--freeze"]), @"
    exit 2
    --- stderr
    error: unexpected argument '--freeze' found

      tip: to pass '--freeze' as a value, use '-- --freeze'

    Usage: pinion run [OPTIONS] [STEP]...

    For more information, try '--help'.
    ");
    assert_snapshot!(refused(&project, &["run", "--threads", "0"]), @"
    exit 2
    --- stderr
    error: invalid value '0' for '--threads <N>': 0 is not in 1..=65535

    For more information, try '--help'.
    ");
}

#[test]
fn projects_and_steps_that_cannot_be_made() {
    let project = project("");
    assert_snapshot!(refused(&project, &["new", "data"]), @"
    exit 2
    --- stderr
    error: there is something at `data` already

    hint: choose another name
    ");
    assert_snapshot!(refused(&project, &["new", "Not A Name"]), @"
    exit 2
    --- stderr
    error: a project cannot be called `Not A Name`
      expected a lower-case letter, then lower-case letters, digits, `-` and `_`, at most 64 in all

    hint: call it `not-a-name`
    ");
    assert_snapshot!(refused(&project, &["new", "nested/2-fast"]), @"
    exit 2
    --- stderr
    error: a project cannot be called `2-fast`
      expected a lower-case letter, then lower-case letters, digits, `-` and `_`, at most 64 in all
    ");
    assert!(!project.path().join("nested").exists());
    assert_snapshot!(refused(&project, &["step", "new", "Bad Name"]), @"
    exit 2
    --- stderr
    error: a step cannot be called `Bad Name`
      expected a lower-case letter, then lower-case letters and digits with single `-` between them, at most 64 in all

    hint: call it `bad-name`
    ");
    assert_snapshot!(refused(&project, &["step", "new", "2-fast"]), @"
    exit 2
    --- stderr
    error: a step cannot be called `2-fast`
      expected a lower-case letter, then lower-case letters and digits with single `-` between them, at most 64 in all
    ");
    assert_snapshot!(refused(&project, &["step", "build", "data"]), @"
    exit 2
    --- stderr
    error: there is no crate to build
      expected a `Cargo.toml`
      in       data

    hint: to make one, run `pinion step new`
    ");
}

/// What is used is for components to say, and changes with every build.
#[test]
fn what_a_step_used_of_its_limits() {
    let project = project(
        "\n[steps.fast]\nuse = \"std:filter-rows@0.1\"\ninput = \"trips\"\nparams = { where = \"km > 2\" }\nlimits = { memory = \"64 MiB\", time = \"90 s\" }\n",
    );
    project.pinion(&["run"]).succeeded();
    let said = project.pinion(&["show", "fast"]).succeeded();
    let used = said.stdout.split("\n\n");
    let used = used.filter(|section| section.starts_with("used by"));
    let lines = used
        .flat_map(str::lines)
        .map(|line| match line.rsplit_once(" of ") {
            Some((used, limit)) => {
                let what: Vec<&str> = used.split_whitespace().collect();
                assert!(
                    what.len() > 1 && what[1].starts_with(|c: char| c.is_ascii_digit()),
                    "{line}"
                );
                format!("{} of {limit}", what[0])
            }
            None => line.to_owned(),
        });
    let lines: Vec<String> = lines.collect();
    assert_snapshot!(lines.join("\n"), @"
    used by one unit at most
    fuel of 200_000_000_000
    memory of 64 MiB
    output of 4 GiB
    scratch of 64 GiB
    log of 64 KiB
    time of 90 s
    ");
    let shown = project
        .pinion(&["show", "fast", "--json"])
        .succeeded()
        .json();
    assert_eq!(shown["limits"]["memory_bytes"], 64 << 20);
    assert_eq!(shown["limits"]["time_ms"], 90_000);
}

/// Several pipelines may keep their runs in one store; the last run is that of the project that is asked.
#[test]
fn the_last_run_is_one_of_this_pipeline() {
    let ours = project("");
    let theirs = project("");
    let other = String::from_utf8(theirs.read("pinion.toml")).unwrap();
    let name = other.lines().find(|line| line.starts_with("name")).unwrap();
    theirs.write(
        "pinion.toml",
        other.replace(name, "name = \"theirs\"").as_bytes(),
    );
    let store = ours.path().join("store");
    let store = store.to_str().unwrap();
    let run = |project: &Project| {
        let said = project.pinion(&["run", "--store", store, "--json"]);
        said.succeeded().json()["run"].as_str().unwrap().to_owned()
    };
    let shared =
        |project: &Project, args: &[&str]| project.pinion(&[args, &["--store", store]].concat());
    let first = run(&ours);
    assert_snapshot!(shared(&theirs, &["show"]).snapshot(), @"
    exit 2
    --- stderr
    error: there are no runs of pipeline `theirs` in the store

    hint: to make one, run `pinion run`; those of other pipelines have to be named, and `pinion runs` lists them
    ");
    assert_snapshot!(shared(&theirs, &["verify"]).snapshot(), @"
    exit 2
    --- stderr
    error: there is no succeeded run of pipeline `theirs` to compare with

    hint: to make one, run `pinion run`
    ");
    run(&theirs);
    let shown = shared(&ours, &["show", "--json"]).succeeded().json();
    assert_eq!(shown["run"], first.as_str());
    for args in [
        ["pack", "-o", "ours.tar"],
        ["export", "trips", "-o=ours.csv"],
    ] {
        shared(&ours, &args).succeeded();
    }
    let packed = shared(&ours, &["pack", "-o", "ours.tar", "--json"]).json();
    assert_eq!(packed["run"], first.as_str());
    let verified = shared(&ours, &["verify", "--json"]).succeeded().json();
    assert_eq!(verified["against"], format!("run {first}"));
    // By its id, any run can be had.
    shared(&theirs, &["show", &first]).succeeded();
}

/// To look at a store makes none.
#[test]
fn a_store_that_is_not_there() {
    let project = project("");
    for args in [
        &["runs"][..],
        &["show"],
        &["diff"],
        &["lineage", "trips"],
        &["export", "trips", "-o", "trips.csv"],
        &["verify"],
        &["pack", "-o", "run.tar"],
        &["gc"],
        &["step", "run", "trips"],
    ] {
        let said = project.pinion(&[args, &["--store", "typo"]].concat());
        assert_eq!(said.code, Some(2), "{args:?}: {}", said.stderr);
        assert!(
            said.stderr
                .starts_with("error: there is no store at `typo`\n"),
            "{args:?}: {}",
            said.stderr
        );
        assert!(!project.path().join("typo").exists(), "{args:?}");
    }
}
