//! Files that are no pipeline, and pipelines that make no sense.

use insta::assert_snapshot;
use pinion_tests::project::Project;

use super::{READS, TRIPS, project, refused};

#[test]
fn no_pipeline() {
    assert_snapshot!(refused(&Project::new(), &["run"]), @"
    exit 2
    --- stderr
    error: there is no `pinion.toml`
      in [DIR] or above it

    hint: to make a project, run `pinion new NAME`; to name one, give `-C DIR`
    ");
    assert_snapshot!(refused(&Project::new(), &["run", "-C", "elsewhere"]), @"
    exit 2
    --- stderr
    error: there is no `pinion.toml`
      in elsewhere
    ");
}

#[test]
fn malformed_toml() {
    let project = project("\n[steps.select]\nuse = \"std:select-columns@0.1\ninput = \"trips\"\n");
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: the pipeline is not valid TOML: invalid basic string, expected `"`
      in pinion.toml, line 15
        15 | use = "std:select-columns@0.1
           |                              ^
    "#);
}

#[test]
fn bytes_that_are_no_text() {
    let project = Project::new();
    project.write("pinion.toml", b"[pipeline]\nname = \"\xff\"\n");
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: `pinion.toml` is not UTF-8
      in [DIR]
    ");
}

#[test]
fn unknown_keys() {
    let project =
        project("\n[steps.select]\nuses = \"std:select-columns@0.1\"\ninput = \"trips\"\n");
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: unknown key `uses` in `[steps.select]`
      expected `input`, `inputs`, `limits`, `params`, `use`
      in       pinion.toml, line 15
        15 | uses = "std:select-columns@0.1"
           | ^^^^

    hint: did you mean `use`?
    "#);
}

#[test]
fn duplicate_names() {
    let project = project("\n[steps.trips]\nuse = \"std:coalesce@0.1\"\ninput = \"trips\"\n");
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: `trips` is given twice
      in pinion.toml, line 14
        14 | [steps.trips]
           |        ^^^^^
    ");
}

#[test]
fn cycles() {
    let project = project(
        r#"
[steps.first]
use = "std:coalesce@0.1"
input = "second"

[steps.second]
use = "std:coalesce@0.1"
input = "first"
"#,
    );
    assert_snapshot!(refused(&project, &["plan"]), @r#"
    exit 2
    --- stderr
    error: steps wait for each other: `first` -> `second` -> `first`
      in pinion.toml, line 16
        16 | input = "second"
           |         ^^^^^^^^
      in pinion.toml, line 20
        20 | input = "first"
           |         ^^^^^^^
    "#);
}

#[test]
fn steps_that_are_not_there() {
    let project = project("\n[steps.whole]\nuse = \"std:coalesce@0.1\"\ninput = \"trip\"\n");
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: there is no step `trip`
      expected `trips`, `whole`
      in       pinion.toml, line 16
        16 | input = "trip"
           |         ^^^^^^

    hint: did you mean `trips`?
    "#);
}

#[test]
fn unknown_params_of_a_step() {
    let project = project(
        r#"
[steps.select]
use = "std:select-columns@0.1"
input = "trips"
params = { keeps = ["day"] }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: step `select` has no param `keeps`
      expected `drop`, `keep`, `rename`
      in       pinion.toml, line 17
        17 | params = { keeps = ["day"] }
           |                    ^^^^^^^

    hint: did you mean `keep`?
    "#);
}

#[test]
fn params_of_a_wrong_type() {
    let project = project(
        r#"
[steps.select]
use = "std:select-columns@0.1"
input = "trips"
params = { keep = "day" }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: step `select` cannot take its param `keep`
      expected array
      found    string `"day"`
      in       pinion.toml, line 17
        17 | params = { keep = "day" }
           |                   ^^^^^
    "#);
}

#[test]
fn references_to_params_that_are_not_there() {
    let project = project(
        r#"
[steps.short]
use = "std:filter-rows@0.1"
input = "trips"
params = { where = "minutes <= ${params.mots}" }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: there is no param `mots`
      expected `most`
      in       pinion.toml, line 17
        17 | params = { where = "minutes <= ${params.mots}" }
           |                    ^^^^^^^^^^^^^^^^^^^^^^^^^^^

    hint: did you mean `most`?
    "#);
}

#[test]
fn overrides() {
    let project = project("");
    assert_snapshot!(refused(&project, &["run", "--set", "mots=30"]), @"
    exit 2
    --- stderr
    error: there is no param `mots`
      expected `most`

    hint: did you mean `most`?
    ");
    assert_snapshot!(refused(&project, &["run", "--set", "most=many"]), @"
    exit 2
    --- stderr
    error: `--set most=many` changes the type of param `most`
      expected integer
      found    string
    ");
    assert_snapshot!(refused(&project, &["run", "--set", "most"]), @"
    exit 2
    --- stderr
    error: invalid value 'most' for '--set <PARAM=VALUE>': expected PARAM=VALUE

    For more information, try '--help'.
    ");
}

#[test]
fn expressions_that_are_none() {
    let project = project(
        r#"
[steps.short]
use = "std:filter-rows@0.1"
input = "trips"
params = { where = "minutes <=" }
"#,
    );
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: step `short` cannot take what it is given: the expression is not valid SQL: expected an expression, found the end
      in minutes <=
                   ^
      in pinion.toml, line 17
    ");
}

#[test]
fn a_pipeline_without_steps() {
    let project = Project::with(&[("pinion.toml", "[pipeline]\nname = \"empty\"\n")]);
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: the pipeline has no steps
      in pinion.toml, line 1
        1 | [pipeline]
          |  ^^^^^^^^

    hint: add one, such as `[steps.read]` with `use = "std:read-csv@0.1"`
    "#);
}

#[test]
fn a_pipeline_in_another_directory_is_named_by_its_file() {
    let project = Project::with(&[
        ("inner/pinion.toml", &format!("{READS}\n[step.more]\n")),
        ("inner/data/trips.csv", TRIPS),
    ]);
    assert_snapshot!(refused(&project, &["run", "-C", "inner"]), @"
    exit 2
    --- stderr
    error: unknown key `step` at the top level
      expected `params`, `pipeline`, `sources`, `steps`
      in       pinion.toml, line 14
        14 | [step.more]
           |  ^^^^

    hint: did you mean `steps`?
    ");
}
