//! `pinion step run`: one step again, on what it was given in a run.

use insta::assert_snapshot;
use pinion_tests::fixtures::component;
use pinion_tests::project::{Project, Said};

const PIPELINE: &str = r#"[pipeline]
name = "trips"
batch_rows = 2
partition_batches = 1

[params]
least = 1

[sources.trips]
path = "trips.csv"

[steps.trips]
use = "std:read-csv@0.1"
input = "sources.trips"

[steps.long]
use = "std:filter-rows@0.1"
input = "trips"
params = { where = "minutes > ${params.least}" }

[steps.mean]
use = "std:group-rows@0.1"
input = "long"
params = { by = ["city"], aggregates = { km = { column = "km", function = "sum" } } }
"#;

const TRIPS: &str = "\
city,km,minutes
Oslo,3.5,12
Turin,2.0,30
Oslo,10.25,41
Lyon,1.0,5
Oslo,7.75,25
";

fn project(steps: &str) -> Project {
    Project::with(&[
        ("pinion.toml", &format!("{PIPELINE}{steps}")),
        ("trips.csv", TRIPS),
    ])
}

fn again(project: &Project, args: &[&str]) -> Said {
    project.pinion(&[&["step", "run"][..], args].concat())
}

/// A snapshot without what changes with every change to a component: how much it used.
fn shown(said: &Said) -> String {
    let snapshot = said.snapshot();
    let lines = snapshot.lines().filter(|line| !line.starts_with("used "));
    lines.map(|line| format!("{line}\n")).collect()
}

#[test]
fn the_same_step_makes_the_same_of_the_same_inputs() {
    let project = project("");
    project.pinion(&["run", "--set", "least=20"]).succeeded();
    let runs = project.pinion(&["runs", "--json"]).json();
    // With what `--set` said, and whatever became of the sources.
    std::fs::remove_file(project.path().join("trips.csv")).unwrap();
    assert_snapshot!(shown(&again(&project, &["long"])), @"
    exit 0
    --- stdout
    step           long
    component      std:filter-rows@0.1 sha256:[DIGEST]
    inputs of run  [RUN]

    output rows
      made        3 rows, blake3:[DIGEST]
      in the run  equal

    schema
      city     utf8     nullable
      km       float64  nullable
      minutes  int64    nullable

    rows
    +-------+-------+---------+
    | city  | km    | minutes |
    +-------+-------+---------+
    | Turin | 2.0   | 30      |
    | Oslo  | 10.25 | 41      |
    | Oslo  | 7.75  | 25      |
    +-------+-------+---------+
    --- stderr
    every output is equal to that of run [RUN] (the same component with the same params)
    ");
    for step in ["trips", "long", "mean"] {
        for more in [&[][..], &["--recorded"]] {
            let args = [&[step, "--json"][..], more].concat();
            let json = again(&project, &args).succeeded().json();
            assert_eq!(
                (&json["equal"], &json["same_step"]),
                (&true.into(), &true.into()),
                "{json:#}"
            );
        }
    }
    // It leaves no run behind.
    assert_eq!(project.pinion(&["runs", "--json"]).json(), runs);
}

#[test]
fn one_partition_is_run_alone() {
    let project = project("");
    project.pinion(&["run"]).succeeded();
    assert_snapshot!(shown(&again(&project, &["long", "--partition", "1", "--rows", "0"])), @"
    exit 0
    --- stdout
    step           long
    component      std:filter-rows@0.1 sha256:[DIGEST]
    inputs of run  [RUN]
    partition      1

    output rows
      made        2 rows, blake3:[DIGEST]
      in the run  equal

    schema
      city     utf8     nullable
      km       float64  nullable
      minutes  int64    nullable
    --- stderr
    every output is equal to that of partition 1 of run [RUN] (the same component with the same params)
    ");
    let json = again(&project, &["trips", "--partition", "2", "--json"])
        .succeeded()
        .json();
    assert_eq!((&json["equal"], &json["units"]), (&true.into(), &1.into()));
    assert_snapshot!(shown(&again(&project, &["long", "--partition", "3"])), @"
    exit 2
    --- stderr
    error: step `long` has no partition 3
      expected one of 0 to 2
    ");
    assert_snapshot!(shown(&again(&project, &["mean", "--partition", "0"])), @"
    exit 2
    --- stderr
    error: step `mean` is a whole-table and cannot be run on one partition

    hint: leave out `--partition`
    ");
}

#[test]
fn an_edited_step_is_tried_on_past_inputs() {
    let project = project("");
    project.pinion(&["run"]).succeeded();
    let edited = PIPELINE.replace("minutes > ${params.least}", "minutes > 20");
    project.write("pinion.toml", edited.as_bytes());
    assert_snapshot!(shown(&again(&project, &["long", "--rows", "0"])), @"
    exit 0
    --- stdout
    step           long
    component      std:filter-rows@0.1 sha256:[DIGEST]
    inputs of run  [RUN]

    output rows
      made        3 rows, blake3:[DIGEST]
      in the run  blake3:[DIGEST]

    schema
      city     utf8     nullable
      km       float64  nullable
      minutes  int64    nullable
    --- stderr
    output `rows` differs from that of run [RUN] (another component or other params)
    ");
    let json = again(&project, &["long", "--recorded", "--json"])
        .succeeded()
        .json();
    assert_eq!(json["equal"], true);
}

#[test]
fn what_is_not_there_is_told() {
    let project = project(
        "\n[steps.bad]\nuse = \"./misbehave.wasm\"\ninput = \"long\"\nparams = { mode = \"refuse\" }\n\n[steps.after]\nuse = \"std:filter-rows@0.1\"\ninput = \"bad\"\nparams = { where = \"x > 1\" }\n",
    );
    project.write("misbehave.wasm", component("misbehave"));
    assert_eq!(project.pinion(&["run"]).code, Some(1));
    assert_snapshot!(shown(&again(&project, &["lnog"])), @"
    exit 2
    --- stderr
    error: there is no step `lnog`
      expected one of `trips`, `long`, `mean`, `bad`, `after`

    hint: did you mean `long`?
    ");
    assert_snapshot!(shown(&again(&project, &["after"])), @"
    exit 2
    --- stderr
    error: run `[RUN]` has nothing of `bad`, which step `after` reads
      in pinion.toml, line 31

    hint: to make it, run `pinion run`; to use another run, name it with `--run`
    ");
    assert_snapshot!(shown(&again(&project, &["bad"])), @"
    exit 1
    --- stdout
    step           bad
    component      ./misbehave.wasm sha256:[DIGEST]
    inputs of run  [RUN]
    --- stderr
    error: step `bad` failed: the step has other plans
      rows      2
      partition 0
      in        pinion.toml, line 26, component ./misbehave.wasm
    ");
}

/// The command in a message about a trap, as it stands there.
#[test]
fn the_unit_that_trapped_runs_again_by_the_command_in_the_message() {
    let project = project(
        "\n[steps.bad]\nuse = \"./misbehave.wasm\"\ninput = \"long\"\nparams = { mode = \"panic\" }\n",
    );
    project.write("misbehave.wasm", component("misbehave"));
    let said = project.pinion(&["run"]);
    assert_eq!(said.code, Some(1));
    let command = said
        .stderr
        .split('`')
        .find(|text| text.starts_with("pinion step run"));
    let words: Vec<&str> = command.unwrap().split(' ').skip(1).collect();
    assert!(words.ends_with(&["--partition", "0"]), "{words:?}");
    assert_snapshot!(project.pinion(&words).snapshot(), @"
    exit 1
    --- stdout
    step           bad
    component      ./misbehave.wasm sha256:[DIGEST]
    inputs of run  [RUN]
    partition      0
    --- stderr
    error: step `bad` failed: it trapped: wasm `unreachable` instruction executed
      stderr    thread '<unnamed>' (1) panicked at tests/components/misbehave/src/lib.rs:113:24:
      stderr    the step gives up
      partition 0
      in        pinion.toml, line 26, component ./misbehave.wasm
    ");
}
