//! Components that are not there, are not those that were locked, or are none.

use insta::assert_snapshot;
use pinion_tests::fixtures::component;
use pinion_tests::project::Project;

use super::{READS, project, refused};

const ADD_ONE: &str = "\n[steps.more]\nuse = \"./add-one.wasm\"\ninput = \"trips\"\nparams = { column = \"minutes\", at_least = 0 }\n";

fn with_component(bytes: &[u8]) -> Project {
    let project = project(ADD_ONE);
    project.write("add-one.wasm", bytes);
    project
}

#[test]
fn an_edited_component() {
    let mut bytes = component("add-one").to_vec();
    let project = with_component(&bytes);
    project.pinion(&["run"]).succeeded();
    *bytes.last_mut().unwrap() ^= 1;
    project.write("add-one.wasm", &bytes);
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 3
    --- stderr
    error: component `./add-one.wasm` is not the one that was locked
      expected sha256:[DIGEST]
      found    sha256:[DIGEST]
      in       pinion.lock
      in       pinion.toml, line 15, used by step `more`
        15 | use = "./add-one.wasm"
           |       ^^^^^^^^^^^^^^^^

    hint: to accept the new component, run `pinion update ./add-one.wasm`
    "#);
    assert_snapshot!(refused(&project, &["plan", "--locked"]), @r#"
    exit 3
    --- stderr
    error: component `./add-one.wasm` is not the one that was locked
      expected sha256:[DIGEST]
      found    sha256:[DIGEST]
      in       pinion.lock
      in       pinion.toml, line 15, used by step `more`
        15 | use = "./add-one.wasm"
           |       ^^^^^^^^^^^^^^^^

    hint: to accept the new component, run `pinion update ./add-one.wasm`
    "#);
}

#[test]
fn a_missing_component() {
    assert_snapshot!(refused(&project(ADD_ONE), &["run"]), @r#"
    exit 2
    --- stderr
    error: component `./add-one.wasm` has no file
      expected add-one.wasm
      in       pinion.toml, line 15, used by step `more`
        15 | use = "./add-one.wasm"
           |       ^^^^^^^^^^^^^^^^

    hint: paths are relative to the directory of `pinion.toml`
    "#);
}

#[test]
fn bytes_that_are_no_component() {
    assert_snapshot!(refused(&with_component(b"\0asm of another kind"), &["run"]), @"
    exit 2
    --- stderr
    error: step `more` has a component that does not work
      found ./add-one.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: failed to parse WebAssembly module: unknown binary version: 0x20666f20 (at offset 0x4)
    ");
    assert_snapshot!(refused(&with_component(&wat::parse_str("(component)").unwrap()), &["run"]), @"
    exit 2
    --- stderr
    error: step `more` has a component that does not work
      found ./add-one.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is no step
      expected exports `pinion:step/step@0.1.0` and one kind of step
      found    none
    ");
}

#[test]
fn a_component_that_asks_for_the_network() {
    assert_snapshot!(refused(&with_component(component("sockets")), &["run"]), @"
    exit 3
    --- stderr
    error: step `more` has a component that does not work
      found ./add-one.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it asks for what no step is given
      found imports `wasi:sockets/network@0.2.6`, `wasi:sockets/instance-network@0.2.6`, `wasi:sockets/udp@0.2.6`, `wasi:sockets/udp-create-socket@0.2.6`, `wasi:sockets/tcp@0.2.6`, `wasi:sockets/tcp-create-socket@0.2.6`, `wasi:sockets/ip-name-lookup@0.2.6`

    hint: a step has no network, no files and no clock: what it reads has to come from `[sources]`
    ");
}

#[test]
fn unknown_standard_components() {
    let unknown = READS.replace("read-csv@0.1", "raed-csv@0.1");
    let project = Project::with(&[("pinion.toml", &unknown)]);
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: there is no standard component `std:raed-csv@0.1`
      in pinion.toml, line 11, used by step `trips`
        11 | use = "std:raed-csv@0.1"
           |       ^^^^^^^^^^^^^^^^^^

    hint: did you mean `std:read-csv@0.1`?
    "#);

    let version = READS.replace("read-csv@0.1", "read-csv@7");
    project.write("pinion.toml", version.as_bytes());
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: there is no standard component `std:read-csv@7`
      expected `std:read-csv@0.1.1`
      in       pinion.toml, line 11, used by step `trips`
        11 | use = "std:read-csv@7"
           |       ^^^^^^^^^^^^^^^^

    hint: for the newest, write `std:read-csv@0.1`
    "#);

    let strange = READS.replace("read-csv@0.1", "csv@0.1");
    project.write("pinion.toml", strange.as_bytes());
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: there is no standard component `std:csv@0.1`
      expected one of `std:cast-columns`, `std:check-table`, `std:coalesce`, `std:derive-columns`, `std:distinct-rows`, `std:evaluate-classification`, `std:evaluate-regression`, `std:filter-rows`, `std:fit-encoder`, `std:fit-imputer`, `std:fit-linear`, `std:fit-logistic`, `std:fit-scaler`, `std:group-rows`, `std:join-large-tables`, `std:join-tables`, `std:measure-drift`, `std:predict`, `std:read-arrow`, `std:read-csv`, `std:read-parquet`, `std:sample-rows`, `std:select-columns`, `std:sort-rows`, `std:split-by-group`, `std:split-by-hash`, `std:split-by-time`, `std:transform`, `std:union-tables`, `std:window-features`, `std:write-parquet`
      in       pinion.toml, line 11, used by step `trips`
        11 | use = "std:csv@0.1"
           |       ^^^^^^^^^^^^^
    "#);

    let none = READS.replace("std:read-csv@0.1", "read-csv");
    project.write("pinion.toml", none.as_bytes());
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: component `read-csv` cannot be used: it is neither a component nor a path
      in pinion.toml, line 11
        11 | use = "read-csv"
           |       ^^^^^^^^^^

    hint: a path begins with `./`: `use = "./read-csv"`
    "#);
}

#[test]
fn a_new_step_under_locked() {
    let project = project("");
    project.pinion(&["lock"]).succeeded();
    let more = format!("{READS}\n[steps.whole]\nuse = \"std:coalesce@0.1\"\ninput = \"trips\"\n");
    project.write("pinion.toml", more.as_bytes());
    assert_snapshot!(refused(&project, &["run", "--locked"]), @r#"
    exit 2
    --- stderr
    error: component `std:coalesce@0.1` is not locked
      in pinion.lock
      in pinion.toml, line 15, used by step `whole`
        15 | use = "std:coalesce@0.1"
           |       ^^^^^^^^^^^^^^^^^^

    hint: to lock it, run `pinion lock`
    "#);
}

#[test]
fn a_misspelt_step_under_locked() {
    let project = project("");
    project.pinion(&["lock"]).succeeded();
    let more = format!("{READS}\n[steps.whole]\nuse = \"std:coalesec@0.1\"\ninput = \"trips\"\n");
    project.write("pinion.toml", more.as_bytes());
    assert_snapshot!(refused(&project, &["run", "--locked"]), @r#"
    exit 2
    --- stderr
    error: there is no standard component `std:coalesec@0.1`
      in pinion.toml, line 15, used by step `whole`
        15 | use = "std:coalesec@0.1"
           |       ^^^^^^^^^^^^^^^^^^

    hint: did you mean `std:coalesce@0.1`?
    "#);
}

#[test]
fn a_crate_that_is_not_there() {
    let project = project("\n[steps.mine]\nuse = \"./steps/mine\"\ninput = \"trips\"\n");
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: there is no crate at `./steps/mine`
      expected steps/mine/Cargo.toml
      in       pinion.toml, line 15, used by step `mine`
        15 | use = "./steps/mine"
           |       ^^^^^^^^^^^^^^

    hint: to make one, run `pinion step new mine`
    "#);
}

#[test]
fn what_is_not_there_is_told_before_anything_is_built() {
    let project = project(
        "\n[steps.first]\nuse = \"./steps/first\"\ninput = \"trips\"\n\n[steps.second]\nuse = \"std:coalesec@0.1\"\ninput = \"first\"\n",
    );
    project.write("steps/first/Cargo.toml", b"[package]\nname = \"first\"\n");
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: there is no standard component `std:coalesec@0.1`
      in pinion.toml, line 19, used by step `second`
        19 | use = "std:coalesec@0.1"
           |       ^^^^^^^^^^^^^^^^^^

    hint: did you mean `std:coalesce@0.1`?
    "#);
}

#[test]
fn crates_whose_components_would_be_one_file() {
    let project = project(
        "\n[steps.first]\nuse = \"./steps/mine\"\ninput = \"trips\"\n\n[steps.second]\nuse = \"./mine\"\ninput = \"first\"\n",
    );
    for path in ["steps/mine/Cargo.toml", "mine/Cargo.toml"] {
        project.write(path, b"[package]\nname = \"mine\"\n");
    }
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 2
    --- stderr
    error: components `./steps/mine` and `./mine` would be kept in the same file
      found `components/mine.wasm` for both
      in    pinion.toml, line 19, used by step `second`
        19 | use = "./mine"
           |       ^^^^^^^^

    hint: rename one of the two directories, so that their last parts differ
    "#);
}

#[test]
fn a_lockfile_that_is_none() {
    let project = project("");
    project.write("pinion.lock", b"version = 1\n<<<<<<< ours\n");
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: the lockfile is not valid: key with no value, expected `=`
      in pinion.lock, line 2
        2 | <<<<<<< ours
          |         ^

    hint: restore the one that was committed; or remove it and run `pinion lock` to lock anew
    ");
    project.write("pinion.lock", b"version = 99\n");
    assert_snapshot!(refused(&project, &["run"]), @"
    exit 2
    --- stderr
    error: the lockfile cannot be read and has an unsupported version
      expected version 1
      found    version 99
      in       pinion.lock
    caused by: the lockfile is not valid: missing field `semantics`
      in pinion.lock, line 1
        1 | version = 99
          | ^

    hint: it was written by a newer `pinion`: use that one
    ");
}

#[test]
fn updates_of_nothing() {
    assert_snapshot!(refused(&project(""), &["update", "std:read-cvs"]), @"
    exit 2
    --- stderr
    error: no step uses component `std:read-cvs`
      expected one of `std:read-csv`

    hint: did you mean `std:read-csv`?
    ");
}
