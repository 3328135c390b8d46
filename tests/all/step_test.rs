//! `pinion step test`: cases that hold, cases that do not, and what is told of them.

use insta::assert_snapshot;
use pinion_tests::fixtures::component;
use pinion_tests::project::Project;

const TRIPS: &str = "\
city,km,minutes
Oslo,3.5,12
Turin,,30
Oslo,10.25,41
Lyon,1.0,
Oslo,7.75,25
";

/// Cases of `std:filter-rows`.
fn cases(files: &[(&str, &str)]) -> Project {
    let project = Project::new();
    for (path, text) in files {
        project.write(&format!("cases/{path}"), text.as_bytes());
    }
    project
}

fn filter(project: &Project, more: &[&str]) -> String {
    let args = ["step", "test", "std:filter-rows@0.1", "--cases", "cases"];
    project.pinion(&[&args[..], more].concat()).snapshot()
}

const LONG: [(&str, &str); 2] = [
    ("long/params.json", "{ \"where\": \"minutes > 20\" }"),
    ("long/inputs/rows.csv", TRIPS),
];

#[test]
fn a_case_holds_when_every_value_is_as_expected() {
    let project = cases(&LONG);
    project.write(
        "cases/long/expected/rows.csv",
        // By hand: a number is a number, however it is written.
        b"city,km,minutes\nTurin,,30\nOslo,10.250,41\nOslo,7.75,25\n",
    );
    // What is no case is passed over.
    project.write("cases/common/mod.rs", b"");
    assert_snapshot!(filter(&project, &[]), @"
    exit 0
    --- stdout
    std:filter-rows@0.1.1: 1 case, 1 passed, 0 failed
      long  ok
    ");
    let json = project.pinion(&[
        "step",
        "test",
        "std:filter-rows",
        "--cases",
        "cases",
        "--json",
    ]);
    let json = json.succeeded().json();
    assert_eq!((&json["passed"], &json["failed"]), (&1.into(), &0.into()));
    assert_eq!(json["steps"][0]["cases"][0]["outcome"], "passed");
}

#[test]
fn differences_name_port_row_and_column() {
    let project = cases(&LONG);
    project.write(
        "cases/long/expected/rows.csv",
        b"city,km,minutes\nTurin,0.5,30\nOslo,10.25,41\nLyon,7.75,\nOslo,1,1\n",
    );
    project.write("cases/none/inputs/rows.csv", TRIPS.as_bytes());
    project.write("cases/none/params.json", b"{ \"where\": \"minutes > 90\" }");
    project.write("cases/other/inputs/rows.csv", TRIPS.as_bytes());
    project.write(
        "cases/other/params.json",
        b"{ \"where\": \"minutes > 40\" }",
    );
    project.write("cases/other/expected/rows.csv", b"city,km\nOslo,10.25\n");
    assert_snapshot!(filter(&project, &[]), @"
    exit 1
    --- stdout
    std:filter-rows@0.1.1: 3 cases, 0 passed, 3 failed
      long   differs
        port  row  column   expected  found
        rows       (rows)   4         3
        rows  0    km       0.5       null
        rows  2    city     Lyon      Oslo
        rows  2    minutes  null      25
      none   failed
        nothing is in `cases/none/expected` yet
      other  differs
        port  column     expected  found
        rows  (columns)  city, km  city, km, minutes
    --- stderr
    error: 3 cases are not as expected

    hint: if what was found is right, add `--bless` to write it to `expected/`
    ");
}

#[test]
fn a_refusal_is_compared_too() {
    let project = cases(&LONG);
    project.write("cases/long/params.json", b"{ \"where\": \"hours > 20\" }");
    project.write("cases/long/expected/error.txt", b"it has no hours\n");
    assert_snapshot!(filter(&project, &[]), @"
    exit 1
    --- stdout
    std:filter-rows@0.1.1: 1 case, 0 passed, 1 failed
      long  differs
        column   expected         found
        (error)  it has no hours  there is no column `hours`; in hours > 20; ^; column  hours; port    rows; from    inputs.rows; columns city, km, minutes
    --- stderr
    error: 1 case is not as expected

    hint: if what was found is right, add `--bless` to write it to `expected/`
    ");
    filter(&project, &["--bless"]);
    let error = String::from_utf8(project.read("cases/long/expected/error.txt")).unwrap();
    assert_snapshot!(error, @"
    there is no column `hours`
      in hours > 20
         ^
      column  hours
      port    rows
      from    inputs.rows
      columns city, km, minutes
    ");
    assert_snapshot!(filter(&project, &[]), @"
    exit 0
    --- stdout
    std:filter-rows@0.1.1: 1 case, 1 passed, 0 failed
      long  ok
    ");
    // As many of its lines count as are there.
    let words = error.lines().next().unwrap();
    project.write("cases/long/expected/error.txt", words.as_bytes());
    let args = ["step", "test", "std:filter-rows", "--cases", "cases"];
    project.pinion(&args).succeeded();
    // And it has to refuse.
    project.write("cases/long/params.json", b"{ \"where\": \"minutes > 20\" }");
    assert_snapshot!(filter(&project, &[]), @"
    exit 1
    --- stdout
    std:filter-rows@0.1.1: 1 case, 0 passed, 1 failed
      long  differs
        column   expected                    found
        (error)  there is no column `hours`  it does not refuse
    --- stderr
    error: 1 case is not as expected

    hint: if what was found is right, add `--bless` to write it to `expected/`
    ");
}

#[test]
fn blessing_writes_what_was_found_and_what_is_written_holds() {
    let project = cases(&LONG);
    assert_snapshot!(filter(&project, &[]), @"
    exit 1
    --- stdout
    std:filter-rows@0.1.1: 1 case, 0 passed, 1 failed
      long  failed
        nothing is in `cases/long/expected` yet
    --- stderr
    error: 1 case is not as expected

    hint: if what was found is right, add `--bless` to write it to `expected/`
    ");
    assert_snapshot!(filter(&project, &["--bless"]), @"
    exit 0
    --- stdout
    std:filter-rows@0.1.1: 1 case, 1 passed, 0 failed
      long  written
    ");
    let csv = "city,km,minutes\nTurin,,30\nOslo,10.25,41\nOslo,7.75,25\n";
    assert_eq!(project.read("cases/long/expected/rows.csv"), csv.as_bytes());
    let args = ["step", "test", "std:filter-rows", "--cases", "cases"];
    project.pinion(&args).succeeded();

    // A file of another format is written anew in that format, and says of which types columns are.
    let mut expected = "cases/long/expected/rows.csv".to_owned();
    for format in ["arrow", "parquet"] {
        std::fs::remove_file(project.path().join(expected)).unwrap();
        expected = format!("cases/long/expected/rows.{format}");
        project.write(&expected, b"");
        assert_eq!(project.pinion(&args).code, Some(2));
        project
            .pinion(&[&args[..], &["--bless"]].concat())
            .succeeded();
        project.pinion(&args).succeeded();
    }
    project.write(
        "cases/long/inputs/rows.types.json",
        b"{ \"minutes\": \"int32\" }",
    );
    assert_snapshot!(filter(&project, &[]), @"
    exit 1
    --- stdout
    std:filter-rows@0.1.1: 1 case, 0 passed, 1 failed
      long  differs
        port  column          expected  found
        rows  minutes (type)  int64     int32
    --- stderr
    error: 1 case is not as expected

    hint: if what was found is right, add `--bless` to write it to `expected/`
    ");
}

#[test]
fn a_row_map_that_looks_at_other_rows_is_found() {
    let project = cases(&[
        ("one/inputs/rows.csv", TRIPS),
        ("one/params.json", "{ \"mode\": \"hash\" }"),
    ]);
    project.write("misbehave.wasm", component("misbehave"));
    let args = ["step", "test", "misbehave.wasm", "--cases", "cases"];
    assert_snapshot!(project.pinion(&[&args[..], &["--bless"]].concat()).snapshot(), @"
    exit 1
    --- stdout
    misbehave.wasm: 1 case, 0 passed, 1 failed
      one  differs when the rows are cut: 1 + 1 + 1 + 1 + 1
        port  column  expected  found
        rows  (rows)  1         5
        a row-map gives each row what it would give it alone; to look at other rows, make it a reduce or a whole-table step
    --- stderr
    error: 1 case is not as expected

    hint: if what was found is right, add `--bless` to write it to `expected/`
    ");
    let json = project.pinion(&[&args[..], &["--json"]].concat()).json();
    assert_eq!(
        json["steps"][0]["cases"][0]["cut"],
        serde_json::json!([1, 1, 1, 1, 1])
    );
}

#[test]
fn requests_that_name_nothing_to_test_are_refused() {
    let project = cases(&LONG);
    project.write("cases/long/inputs/lines.csv", b"a\n1\n");
    assert_snapshot!(filter(&project, &[]), @"
    exit 2
    --- stderr
    error: the step has no input port `lines`
      expected one of `rows`
      in       cases/long/inputs/lines.csv
    ");
    assert_snapshot!(project.pinion(&["step", "test", "std:filter-rows"]).snapshot(), @"
    exit 2
    --- stderr
    error: `std:filter-rows` is no crate, so its cases could be anywhere

    hint: say where they are with `--cases DIR`
    ");
    assert_snapshot!(project.pinion(&["step", "test", "steps/none"]).snapshot(), @"
    exit 2
    --- stderr
    error: there is no crate at `steps/none`, and there is no `pinion.toml`
      in [DIR] or above it
    ");
    assert_snapshot!(project.pinion(&["step", "test", "std:filter-rows", "--cases", "none"]).snapshot(), @"
    exit 2
    --- stderr
    error: there are no cases to test `std:filter-rows@0.1.1` on
      expected none/NAME/inputs

    hint: a case is a directory with `inputs/` and `expected/`: `pinion step test --help` says what is in them
    ");
}
