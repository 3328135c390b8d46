//! Steps that trap, loop, return garbage or too much.

use insta::assert_snapshot;
use pinion_tests::fixtures::component;
use pinion_tests::project::Project;

use super::{project, refused};

fn misbehaving(mode: &str, more: &str) -> Project {
    let project = project(&format!(
        "\n[steps.bad]\nuse = \"./misbehave.wasm\"\ninput = \"trips\"\nparams = {{ mode = \"{mode}\" }}\n{more}"
    ));
    project.write("misbehave.wasm", component("misbehave"));
    project
}

fn hoarding(mode: &str, limits: &str) -> Project {
    let project = project(&format!(
        "\n[steps.bad]\nuse = \"./hoard.wasm\"\ninput = \"trips\"\nparams = {{ mode = \"{mode}\" }}\nlimits = {{ {limits} }}\n"
    ));
    project.write("hoard.wasm", component("hoard"));
    project
}

#[test]
fn traps() {
    assert_snapshot!(refused(&misbehaving("panic", ""), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: it trapped: wasm `unreachable` instruction executed
      stderr    thread '<unnamed>' (1) panicked at tests/components/misbehave/src/lib.rs:113:24:
      stderr    the step gives up
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm

    hint: to run exactly this again, run `pinion step run bad --run [RUN] --partition 0`
    ");
    assert_snapshot!(refused(&misbehaving("unreachable", ""), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: it trapped: wasm `unreachable` instruction executed
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm

    hint: to run exactly this again, run `pinion step run bad --run [RUN] --partition 0`
    ");
    assert_snapshot!(refused(&misbehaving("check-panics", ""), &["run"]), @"
    exit 2
    --- stderr
    error: step `bad` could not check what it is given
      stderr thread '<unnamed>' (1) panicked at tests/components/misbehave/src/lib.rs:75:31:
      stderr nothing suits this step
      in     pinion.toml, line 14
    caused by: the step trapped: wasm `unreachable` instruction executed
    ");
}

#[test]
fn refusals() {
    assert_snapshot!(refused(&misbehaving("refuse", ""), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: the step has other plans
      rows      5
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm
    ");
}

#[test]
fn loops() {
    let little = "limits = { fuel = 1_000_000 }\n";
    assert_snapshot!(refused(&misbehaving("loop", little), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: its fuel limit is reached
      expected  at most 1_000_000 fuel
      found     more
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm

    hint: to allow it more, set `limits = { fuel = 10_000_000 }` under `[steps.bad]`
    ");
}

#[test]
fn hangs() {
    let project = misbehaving(
        "loop",
        "limits = { fuel = 1_000_000_000_000_000, time = \"200 ms\" }\n",
    );
    assert_snapshot!(refused(&project, &["run"]), @r#"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: it has not ended in time
      expected  at most[TIME] on the wall clock
      found     more
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm

    hint: the step hangs, or the machine is too slow for it; to give it longer, set `limits = { time = "[TIME]" }` under `[steps.bad]`
    "#);
    // It is no result: what is given longer runs.
    let said = project.pinion(&["run", "--json"]);
    assert_eq!(said.json()["error"]["code"], "out-of-time");
    assert_eq!(said.json()["steps"][1]["units"]["cached"], 0);
}

#[test]
fn too_much_memory() {
    let little = "limits = { memory = \"4 MiB\" }\n";
    assert_snapshot!(refused(&misbehaving("memory", little), &["run"]), @r#"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: its memory limit is reached
      expected  at most 4 MiB
      found     4.1 MiB
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm

    hint: to allow it more, set `limits = { memory = "8 MiB" }` under `[steps.bad]`
    "#);
}

const OUTPUT: &str = "output = \"64 KiB\"";

#[test]
fn too_much_scratch_whether_it_runs_or_is_known() {
    let project = hoarding("aside", "scratch = \"20 MiB\"");
    project.pinion(&["run"]).succeeded();
    let text = String::from_utf8(project.read("pinion.toml")).unwrap();
    let text = text.replace("20 MiB", "10 MiB");
    project.write("pinion.toml", text.as_bytes());
    let error = |args: &[&str]| {
        let said = refused(&project, args);
        let error = said
            .split_once("error: ")
            .map(|(_, error)| error.to_owned());
        error.unwrap_or(said)
    };
    assert_snapshot!(error(&["run"]), @r#"
    step `bad` failed: its scratch limit is reached
      expected at most 10 MiB
      found    16.3 MiB
      in       pinion.toml, line 14, component ./hoard.wasm

    hint: to allow it more, set `limits = { scratch = "32 MiB" }` under `[steps.bad]`
    "#);
    assert_snapshot!(error(&["run", "--no-cache"]), @r#"
    step `bad` failed: its scratch limit is reached
      expected at most 10 MiB
      found    10.2 MiB
      in       pinion.toml, line 14, component ./hoard.wasm

    hint: to allow it more, set `limits = { scratch = "16 MiB" }` under `[steps.bad]`
    "#);
}

#[test]
fn too_much_output() {
    assert_snapshot!(refused(&hoarding("new-rows", OUTPUT), &["run"]), @r#"
    exit 1
    --- stderr
      locked ./hoard.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./hoard.wasm                              failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: its output limit is reached
      expected at most 64 KiB
      found    64.1 KiB
      in       pinion.toml, line 14, component ./hoard.wasm

    hint: to allow it more, set `limits = { output = "128 KiB" }` under `[steps.bad]`
    "#);
    assert_snapshot!(refused(&hoarding("blob", OUTPUT), &["run"]), @r#"
    exit 1
    --- stderr
      locked ./hoard.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./hoard.wasm                              failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: its output limit is reached
      expected at most 64 KiB
      found    68 KiB
      in       pinion.toml, line 14, component ./hoard.wasm

    hint: to allow it more, set `limits = { output = "128 KiB" }` under `[steps.bad]`
    "#);
}

#[test]
fn garbage() {
    assert_snapshot!(refused(&misbehaving("garbage short values", ""), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: the values buffer of array `x` is too short
      expected 24 bytes
      found    16
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm
    ");
    assert_snapshot!(refused(&misbehaving("garbage bad text", ""), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: array `x` has values that are not valid
      found Invalid UTF8 sequence at string index 0 (0..2): invalid utf-8 sequence of 1 bytes from index 0
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm
    ");
    assert_snapshot!(refused(&misbehaving("forged-handle", ""), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: it trapped: unknown handle index 4711
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm

    hint: to run exactly this again, run `pinion step run bad --run [RUN] --partition 0`
    ");
}

#[test]
fn other_columns_than_promised() {
    assert_snapshot!(refused(&misbehaving("other-name", ""), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: the step broke its contract: its output differs from what `check` promised
      expected column 1 to be `x` as int64
      found    `y` as int64
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm
    ");
    assert_snapshot!(refused(&misbehaving("other-type", ""), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: the step broke its contract: its output differs from what `check` promised
      expected column 1 to be `x` as int64
      found    `x` as utf8
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm
    ");
    assert_snapshot!(refused(&misbehaving("nulls", ""), &["run"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
    run [RUN] failed: 2 steps, 0 cached,[TIME]
    error: step `bad` failed: the step broke its contract: array of int64 has nulls but is not nullable
      expected 0
      found    1
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm
    ");
}

#[test]
fn promises_that_make_no_sense() {
    assert_snapshot!(refused(&misbehaving("check-twice", ""), &["run"]), @"
    exit 2
    --- stderr
    error: step `bad` could not check what it is given
      in pinion.toml, line 14
    caused by: the step broke its contract: the schema of port `rows` is not valid: there are two columns named `x`
    ");
    assert_snapshot!(refused(&misbehaving("check-format", ""), &["run"]), @"
    exit 2
    --- stderr
    error: step `bad` could not check what it is given
      in pinion.toml, line 14
    caused by: the step broke its contract: the schema of port `rows` is not valid: field `x` has an unknown format
      expected an Arrow C Data Interface format string
      found    `?`
    ");
}

#[test]
fn a_failure_ends_what_reads_from_it_and_keeps_the_rest() {
    let project = misbehaving(
        "panic",
        r#"
[steps.after]
use = "std:coalesce@0.1"
input = "bad"
"#,
    );
    assert_snapshot!(refused(&project, &["run", "--keep-going", "--threads", "1"]), @"
    exit 1
    --- stderr
      locked ./misbehave.wasm sha256:[DIGEST]
      locked std:coalesce@0.1.1 sha256:[DIGEST]
      locked std:read-csv@0.1.1 sha256:[DIGEST]
      locked source trips, 1 file
      trips  std:read-csv@0.1                  5 rows[TIME]
      bad    ./misbehave.wasm                          failed
      after  std:coalesce@0.1                          skipped
    run [RUN] failed: 3 steps, 0 cached,[TIME]
    error: step `bad` failed: it trapped: wasm `unreachable` instruction executed
      stderr    thread '<unnamed>' (1) panicked at tests/components/misbehave/src/lib.rs:113:24:
      stderr    the step gives up
      partition 0
      in        pinion.toml, line 14, component ./misbehave.wasm

    hint: to run exactly this again, run `pinion step run bad --run [RUN] --partition 0`
    ");
}
