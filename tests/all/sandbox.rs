//! Guests that break what can be broken: each gives a clear error, and the host goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use pinion_runtime::error::amount;
use pinion_runtime::sandbox::{Done, StepError};
use pinion_runtime::unit::{Call, Limits, Unit};
use pinion_tests::fixtures;
use pinion_tests::memory::Memory;
use pinion_tests::step::{NEVER, Step, blob, chain, program, rows, sandbox, sandbox_with, table};

fn step(fixture: &str, mode: &str) -> Step {
    Step::new(fixture, &format!(r#"{{"mode":"{mode}"}}"#))
}

/// Three rows of `x` and `y`, in one batch, through a fixture in a mode.
fn run(step: &Step) -> (Result<Done, StepError>, Arc<Memory>, Option<Arc<Unit>>) {
    let mut data = Memory::default();
    let column = || -> ArrayRef { Arc::new(Int64Array::from(vec![1, 2, 3])) };
    let given =
        data.table(&[RecordBatch::try_from_iter([("x", column()), ("y", column())]).unwrap()]);
    let data = Arc::new(data);
    let call = if step.program.kind() == pinion_runtime::sandbox::Kind::RowMap {
        Call::RowMap
    } else {
        Call::Run
    };
    match step.unit(call, &[("rows", table(&given))]) {
        Ok(unit) => (step.execute(&unit, &data), data, Some(unit)),
        Err(error) => (Err(error), data, None),
    }
}

fn misbehave(mode: &str) -> String {
    let step = step("misbehave", mode);
    let (result, _, _) = run(&step);
    let error = result.map(|done| format!("{done:?}")).unwrap_err();
    still_well();
    let stderr = match &error {
        StepError::Trapped { stderr, .. } => {
            // Where it was and how to learn more is Rust's to say, and changes with every line.
            let said = |line: &&String| {
                !["thread ", "note: "]
                    .iter()
                    .any(|start| line.starts_with(start))
            };
            stderr
                .iter()
                .filter(said)
                .map(|line| format!("{line}\n"))
                .collect()
        }
        _ => String::new(),
    };
    format!("{}: {}{stderr}", error.code(), chain(&error))
        .trim_end()
        .to_owned()
}

fn hoard(mode: &str) -> String {
    let step = step("hoard", mode);
    let error = run(&step).0.map(|done| format!("{done:?}")).unwrap_err();
    still_well();
    format!("{}: {}", error.code(), chain(&error))
}

/// The host runs what is well behaved, as if nothing had been.
fn still_well() {
    let step = step("misbehave", "nothing special");
    let (done, data, unit) = run(&step);
    assert_eq!(
        rows(&done.unwrap(), &unit.unwrap(), 0, &data)[0]["x"]
            .as_primitive::<arrow_array::types::Int64Type>()
            .value(0),
        1
    );
}

fn text(mode: &str) -> (String, Done) {
    let step = step("misbehave", mode);
    let (done, data, unit) = run(&step);
    let done = done.unwrap_or_else(|error| panic!("{}", chain(&error)));
    let text = rows(&done, &unit.unwrap(), 0, &data)[0]["text"]
        .as_string::<i32>()
        .value(0)
        .to_owned();
    (text, done)
}

#[test]
fn panics_and_traps() {
    insta::assert_snapshot!(misbehave("panic"), @r"
    trapped: the step trapped: wasm `unreachable` instruction executed
    the step gives up
    ");
    insta::assert_snapshot!(misbehave("unreachable"), @"trapped: the step trapped: wasm `unreachable` instruction executed");
    insta::assert_snapshot!(misbehave("exit"), @"trapped: the step trapped: it called `exit`");
    insta::assert_snapshot!(misbehave("recurse"), @"trapped: the step trapped: out of bounds memory access");
    insta::assert_snapshot!(misbehave("nest"), @"host: the host cannot run the step: its calls are nested deeper than 1048576 bytes of stack");
    insta::assert_snapshot!(misbehave("refuse"), @"not-today: the step has other plans");
}

#[test]
fn what_runs_away_runs_into_a_limit() {
    insta::assert_snapshot!(misbehave("loop"), @"
    limit-reached: the fuel limit is reached
      expected at most 2_000_000_000 fuel
      found    more
    ");
    insta::assert_snapshot!(misbehave("memory"), @"
    limit-reached: the memory limit is reached
      expected at most 64 MiB
      found    64.1 MiB
    ");
    insta::assert_snapshot!(misbehave("handles"), @"
    limit-reached: the handles limit is reached
      expected at most 65_536 handles
      found    more
    ");
    insta::assert_snapshot!(misbehave("ask"), @"
    limit-reached: the output limit is reached
      expected at most 64 MiB
      found    64.1 MiB
    ");
}

#[test]
fn limits_hold_to_the_last_unit() {
    let mut step = step("misbehave", "nothing special");
    let used = run(&step).0.unwrap().usage;
    step.limits = Limits {
        fuel: used.fuel + 1,
        memory_bytes: used.memory_bytes,
        ..step.limits
    };
    assert_eq!(run(&step).0.unwrap().usage, used);
    step.limits.fuel = used.fuel;
    assert_eq!(
        run(&step).0.unwrap_err().to_string(),
        format!(
            "the fuel limit is reached\n  expected at most {} fuel\n  found    more",
            amount::count(used.fuel)
        )
    );
    step.limits = Limits {
        memory_bytes: used.memory_bytes - 1,
        fuel: used.fuel + 1,
        ..step.limits
    };
    assert_eq!(
        run(&step).0.unwrap_err().to_string(),
        format!(
            "the memory limit is reached\n  expected at most {}\n  found    {}",
            amount::size(used.memory_bytes - 1),
            amount::size(used.memory_bytes)
        )
    );
    step.limits = Limits {
        fuel: 10,
        ..step.limits
    };
    assert_eq!(run(&step).0.unwrap_err().code(), "limit-reached");
}

/// A clock on which a millisecond goes by whenever it is looked at: what loops is looked after by its
/// fuel, and what has the host work, which takes no fuel, by its calls.
#[test]
fn what_hangs_runs_out_of_time_whatever_fuel_it_has() {
    use std::sync::atomic::AtomicU64;
    let mut data = Memory::default();
    let column: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let given = data.table(&[RecordBatch::try_from_iter([("x", column)]).unwrap()]);
    let data = Arc::new(data);
    for mode in ["loop", "ask"] {
        let mut step = step("misbehave", mode);
        step.limits = Limits {
            fuel: u64::MAX,
            output_bytes: u64::MAX,
            time_ms: 5,
            ..step.limits
        };
        let unit = step.unit(Call::RowMap, &[("rows", table(&given))]).unwrap();
        let looks = Arc::new(AtomicU64::new(0));
        let clock = Arc::clone(&looks);
        let sandbox = sandbox_with(1, Arc::new(move || clock.fetch_add(1, Ordering::Relaxed)));
        let program = sandbox
            .program(unit.component, &|| {
                Ok(fixtures::component("misbehave").to_vec())
            })
            .unwrap();
        let data: Arc<dyn pinion_runtime::sandbox::Data> = Arc::clone(&data) as _;
        let error = sandbox.execute(&program, &unit, data, &NEVER).unwrap_err();
        insta::allow_duplicates! {
            insta::assert_snapshot!(format!("{}: {}", error.code(), chain(&error)), @"
            out-of-time: the step has not ended in time
              expected at most 5 ms on the wall clock
              found    more
            ");
        }
        // When it began, and every millisecond after that.
        assert_eq!(looks.load(Ordering::Relaxed), 1 + 6, "{mode}");
    }
}

#[test]
fn a_log_has_an_end() {
    let (done, _, _) = run(&step("misbehave", "log"));
    let log = done.unwrap().log;
    assert!(
        log.iter().map(|line| line.message.len() + 1).sum::<usize>() < 5000,
        "{}",
        log.len()
    );
    assert_eq!(log[0].level, "info");
    assert!(
        log[0].message.starts_with("line 0 \u{fffd}[2J"),
        "{}",
        log[0].message
    );
    insta::assert_snapshot!(log.last().unwrap().message, @"the log ends here: its limit of 4 KiB is reached, and `limits = { log = … }` sets another");
}

#[test]
fn what_is_printed_becomes_log() {
    // More than is kept: the last of it is, and the guest does not notice.
    let (_, done) = text("print");
    assert!(done.log[1].message.starts_with("out "), "{:?}", done.log[1]);
    assert!(done.log.len() < 100, "{}", done.log.len());
}

#[test]
fn the_world_is_empty_and_at_the_beginning_of_time() {
    let (world, _) = text("world");
    insta::assert_snapshot!(world, @r#"
    arguments []
    environment []
    directory Ok("/")
    read / Err(NotFound)
    list / Err(NotFound)
    read . Err(NotFound)
    list . Err(NotFound)
    read /etc/passwd Err(NotFound)
    list /etc/passwd Err(NotFound)
    read pinion.toml Err(NotFound)
    list pinion.toml Err(NotFound)
    write Err(NotFound)
    input Ok("")
    time Ok(0ns)
    elapsed 0ns
    "#);
}

#[test]
fn hash_maps_order_themselves_alike() {
    assert_eq!(text("hash").0, text("hash").0);
}

#[test]
fn waiting_takes_no_time() {
    let (done, _, _) = run(&step("misbehave", "sleep"));
    assert!(done.is_ok(), "{done:?}");
}

#[test]
fn outputs_are_those_that_check_promised() {
    insta::assert_snapshot!(misbehave("other-name"), @"
    bad-output: the step broke its contract: its output differs from what `check` promised
      expected column 1 to be `x` as int64
      found    `y` as int64
    ");
    insta::assert_snapshot!(misbehave("other-type"), @"
    bad-output: the step broke its contract: its output differs from what `check` promised
      expected column 1 to be `x` as int64
      found    `x` as utf8
    ");
    insta::assert_snapshot!(misbehave("other-width"), @r"
    bad-output: the step broke its contract: its output differs from what `check` promised
      expected 1 columns
      found    0
    ");
    insta::assert_snapshot!(misbehave("other-port"), @"bad-output: the step broke its contract: it returned rows for port `lines`, which it did not describe");
    insta::assert_snapshot!(misbehave("two-batches"), @"bad-output: the step broke its contract: it returned two batches for port `rows` at once");
    insta::assert_snapshot!(misbehave("nulls"), @"
    bad-output: the step broke its contract: array of int64 has nulls but is not nullable
      expected 0
      found    1
    ");
    insta::assert_snapshot!(hoard("other-port"), @"
    bad-output: the step broke its contract: its output differs from what `check` promised
      expected column 1 to be `word` as utf8
      found    `x` as int64
    ");
}

#[test]
fn handles_cannot_be_forged() {
    insta::assert_snapshot!(misbehave("missing-column"), @"bad-output: the step broke its contract: there is no column `nowhere`");
    insta::assert_snapshot!(misbehave("forged-handle"), @"trapped: the step trapped: unknown handle index 4711");
    insta::assert_snapshot!(misbehave("writer-as-batch"), @"trapped: the step trapped: handle index 2 used with the wrong type, expected guest-defined resource but found a different guest-defined resource");
    insta::assert_snapshot!(misbehave("twice"), @"trapped: the step trapped: unknown handle index 2");
}

#[test]
fn operations_pile_up_to_a_limit() {
    insta::assert_snapshot!(misbehave("deep"), @r"
    bad-batch: too many operations make one batch
      expected at most 48 on top of each other, and 4096 in all
    ");
    insta::assert_snapshot!(misbehave("double"), @r"
    bad-batch: too many operations make one batch
      expected at most 48 on top of each other, and 4096 in all
    ");
}

#[test]
fn check_is_pure_and_checked() {
    insta::assert_snapshot!(misbehave("check-panics"), @r"
    trapped: the step trapped: wasm `unreachable` instruction executed
    nothing suits this step
    ");
    insta::assert_snapshot!(misbehave("check-asks"), @"bad-output: the step broke its contract: `describe` and `check` may not ask for anything");
    insta::assert_snapshot!(misbehave("check-twice"), @"bad-output: the step broke its contract: the schema of port `rows` is not valid: there are two columns named `x`");
    insta::assert_snapshot!(misbehave("check-ports"), @r"
    bad-output: the step broke its contract: `check` gave shapes for other ports than it describes
      expected rows
      found    lines
    ");
    insta::assert_snapshot!(misbehave("check-format"), @r"
    bad-output: the step broke its contract: the schema of port `rows` is not valid: field `x` has an unknown format
      expected an Arrow C Data Interface format string
      found    `?`
    ");
    insta::assert_snapshot!(misbehave("check-kind"), @"bad-output: the step broke its contract: `check` says that port `rows` carries a `tree`");
}

#[test]
fn a_check_that_never_ends_can_be_cancelled() {
    let step = step("misbehave", "check-loops");
    static CANCEL: AtomicBool = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let check = scope
            .spawn(|| sandbox().check(&step.program, &step.descriptor, &step.params, &[], &CANCEL));
        CANCEL.store(true, Ordering::Relaxed);
        let error = check.join().unwrap().unwrap_err();
        assert!(matches!(error, StepError::Cancelled), "{error:?}");
    });
}

/// Arrays and requests that are not valid, as the fixture `misbehave` sends them.
pub(crate) const GARBAGE: [&str; 42] = [
    "short values",
    "other length",
    "huge length",
    "large length",
    "too many nulls",
    "too few nulls",
    "nulls without bitmap",
    "short bitmap",
    "forbidden nulls",
    "no buffers",
    "too many buffers",
    "no nodes",
    "too many nodes",
    "bad text",
    "cut text",
    "offsets backwards",
    "offsets beyond",
    "offsets below",
    "no offsets",
    "unknown format",
    "empty format",
    "missing children",
    "surplus children",
    "deep field",
    "metadata twice",
    "dictionary index",
    "two names",
    "fields without columns",
    "mask length",
    "mask type",
    "take beyond",
    "take nonsense",
    "slice beyond",
    "select nothing",
    "select twice",
    "rename nothing",
    "rename onto",
    "with other length",
    "zip itself",
    "zip other length",
    "concat nothing",
    "concat others",
];

#[test]
fn garbage_is_refused_with_reasons() {
    let answers =
        GARBAGE.map(|which| format!("{which} -> {}", misbehave(&format!("garbage {which}"))));
    insta::assert_snapshot!(answers.join("\n"), @r"
    short values -> bad-batch: the values buffer of array `x` is too short
      expected 24 bytes
      found    16
    other length -> bad-batch: array `x` has the wrong length
      expected 3
      found    2
    huge length -> bad-batch: a batch of 18446744073709551615 rows is too long
    large length -> bad-batch: a batch of 2147483648 rows is too long
    too many nulls -> bad-batch: array `x` has the wrong null count
      expected 1
      found    2
    too few nulls -> bad-batch: array `x` has the wrong null count
      expected 2
      found    1
    nulls without bitmap -> bad-batch: array `x` has the wrong null count
      expected 0
      found    1
    short bitmap -> bad-batch: the validity buffer of array `x` is too short
      expected 2 bytes
      found    1
    forbidden nulls -> bad-batch: array `x` has nulls but is not nullable
      expected 0
      found    1
    no buffers -> bad-batch: array `x` has the wrong number of buffers
      expected 1
      found    0
    too many buffers -> bad-batch: array `x` has the wrong number of buffers
      expected 2
      found    3
    no nodes -> bad-batch: column `x` does not have one node for each of its fields
      expected 1
      found    0
    too many nodes -> bad-batch: column `x` does not have one node for each of its fields
      expected 1
      found    2
    bad text -> bad-batch: array `x` has values that are not valid
      found Invalid UTF8 sequence at string index 0 (0..2): invalid utf-8 sequence of 1 bytes from index 0
    cut text -> bad-batch: array `x` has values that are not valid
      found incomplete utf-8 byte sequence from index 0
    offsets backwards -> bad-batch: array `x` has values that are not valid
      found Offset invariant failure: non-monotonic offset at slot 1: 2 > 1
    offsets beyond -> bad-batch: array `x` has values that are not valid
      found Last offset 3 of Utf8 is larger than values length 2
    offsets below -> bad-batch: array `x` has values that are not valid
      found Error converting offset[0] (-1) to usize for Utf8
    no offsets -> bad-batch: the offsets buffer of array `x` is too short
      expected 8 bytes
      found    4
    unknown format -> bad-batch: field `x` has a type that is not supported
      found `+ud:0`, union
    empty format -> bad-batch: field `x` has an unknown format
      expected an Arrow C Data Interface format string
      found    ``
    missing children -> bad-batch: field `x` lacks children
      expected 4000000000
      found    0
    surplus children -> bad-batch: field `x` lacks children
      expected 1
      found    0
    deep field -> bad-batch: field `item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item.item` is nested too deep
      expected at most 32 levels
    metadata twice -> bad-batch: field `x` has the metadata key `key` twice
    dictionary index -> bad-batch: array `x` has values that are not valid
      found Value at position 0 out of bounds: 2 (should be in [0, 0])
    two names -> duplicate-column: there are two columns named `x`
    fields without columns -> bad-batch: 1 fields are given for 0 columns
    mask length -> bad-batch: array `mask` has the wrong length
      expected 3
      found    1
    mask type -> bad-batch: array `mask` has the wrong number of buffers
      expected 2
      found    1
    take beyond -> bad-batch: row 3 does not exist
      expected less than 3
    take nonsense -> bad-batch: column `indices` does not have one node for each of its fields
      expected 1
      found    0
    slice beyond -> bad-batch: rows are too many
      found 2 rows from row 18446744073709551615
    select nothing -> missing-column: there is no column `nowhere`
    select twice -> duplicate-column: there are two columns `x`
    rename nothing -> missing-column: there is no column `nowhere`
    rename onto -> duplicate-column: there are two columns `y`
    with other length -> bad-batch: array `z` has the wrong length
      expected 3
      found    1
    zip itself -> duplicate-column: there are two columns `x`
    zip other length -> bad-batch: the batches differ in length
      expected 3 rows
      found    1 rows
    concat nothing -> bad-batch: there is no batch to concatenate
    concat others -> bad-batch: the batches differ in schema
    ");
}

#[test]
fn output_has_a_limit_however_it_is_made() {
    insta::assert_snapshot!(hoard("new-rows"), @"
    limit-reached: the output limit is reached
      expected at most 64 MiB
      found    64.1 MiB
    ");
    insta::assert_snapshot!(hoard("same-rows"), @"
    limit-reached: the output limit is reached
      expected at most 64 MiB
      found    64.1 MiB
    ");
    insta::assert_snapshot!(hoard("no-rows"), @"
    limit-reached: the output limit is reached
      expected at most 64 MiB
      found    64.1 MiB
    ");
    insta::assert_snapshot!(hoard("scratch"), @"
    limit-reached: the scratch limit is reached
      expected at most 64 MiB
      found    64.1 MiB
    ");
    insta::assert_snapshot!(hoard("grow"), @"
    limit-reached: the output limit is reached
      expected at most 64 MiB
      found    1001.1 MiB
    ");
    insta::assert_snapshot!(hoard("blob"), @"
    limit-reached: the output limit is reached
      expected at most 64 MiB
      found    64.1 MiB
    ");
}

/// However much is laid aside, it is no output, and neither is what a guest has let go of.
#[test]
fn what_is_laid_aside_counts_as_scratch_alone() {
    let mut step = step("hoard", "aside");
    step.limits.output_bytes = 3 << 20;
    let usage = run(&step).0.unwrap().usage;
    assert!(usage.output_bytes > 1 << 20, "{usage:?}");
    assert!(usage.scratch_bytes > 16 << 20, "{usage:?}");
    // What it still holds does count.
    let mut step = self::step("hoard", "hold");
    step.limits.output_bytes = 3 << 20;
    let error = run(&step).0.map(|done| format!("{done:?}")).unwrap_err();
    insta::assert_snapshot!(chain(&error), @"
    the output limit is reached
      expected at most 3 MiB
      found    more
    ");
}

#[test]
fn partitions_are_cut_where_asked() {
    let (done, data, unit) = run(&step("hoard", "both"));
    let partitions: Vec<usize> = rows(&done.unwrap(), &unit.unwrap(), 0, &data)
        .iter()
        .map(RecordBatch::num_rows)
        .collect();
    assert_eq!(partitions, [3, 2]);
}

#[test]
fn ranges_are_inside_the_file_and_in_order() {
    let partition = |mode: &str| {
        let step = step("miscut", mode);
        let mut data = Memory::default();
        let bytes = data.blob("application/octet-stream", b"twelve bytes");
        let data = Arc::new(data);
        let unit = Arc::new(step.unchecked(
            Call::Run,
            step.bind(&[("source", blob(&bytes))]),
            Vec::new(),
        ));
        if let Err(error) = sandbox().probe(
            &step.program,
            Arc::clone(&unit),
            Arc::clone(&data) as _,
            &NEVER,
        ) {
            return error.to_string();
        }
        sandbox()
            .partition(&step.program, unit, data, 10, &NEVER)
            .unwrap_err()
            .to_string()
    };
    insta::assert_snapshot!(["overlap", "backwards", "beyond", "overflow", "probe-twice"].map(partition).join("\n"), @r"
    the step broke its contract: its ranges overlap, run backwards or run beyond the file
      found 2 bytes from 3
      in    a file of 12 bytes
    the step broke its contract: its ranges overlap, run backwards or run beyond the file
      found 2 bytes from 0
      in    a file of 12 bytes
    the step broke its contract: its ranges overlap, run backwards or run beyond the file
      found 13 bytes from 0
      in    a file of 12 bytes
    the step broke its contract: its ranges overlap, run backwards or run beyond the file
      found 2 bytes from 18446744073709551615
      in    a file of 12 bytes
    the step broke its contract: the probed schema is not valid: there are two columns named `x`
    ");
}

fn bad(bytes: &[u8]) -> String {
    match program(bytes) {
        Ok(_) => panic!("it was taken"),
        Err(error) => format!("{}: {}", error.code(), chain(&error)),
    }
}

#[test]
fn what_is_no_component_of_a_step_is_refused() {
    let whole = fixtures::component("add-one");
    insta::assert_snapshot!(bad(b""), @r"
    bad-component: the component cannot be used
    caused by: it is not WebAssembly
    ");
    insta::assert_snapshot!(bad(b"PAR1 is not WebAssembly"), @r"
    bad-component: the component cannot be used
    caused by: it is not WebAssembly
    ");
    // Where it is cut depends on how large the SDK is today.
    let cut = bad(&whole[..whole.len() / 2]);
    let numbers = regex::Regex::new(r"\d+").unwrap();
    insta::assert_snapshot!(numbers.replace_all(&cut, "[N]"), @r"
    bad-component: the component cannot be used
    caused by: failed to parse WebAssembly module: wasm component contains an invalid module section: section range [N]..[N] is out of bounds (bound = [N])
    ");
    insta::assert_snapshot!(bad(b"\0asm\x01\0\0\0"), @r"
    bad-component: the component cannot be used
    caused by: it is a core module and no component
    ");
    insta::assert_snapshot!(bad(b"\0asm\x0d\0\x01\0"), @"
    bad-component: the component cannot be used
    caused by: it is no step
      expected exports `pinion:step/step@0.1.0` and one kind of step
      found    none
    ");
    let text = |text: &str| bad(&wat::parse_str(text).unwrap());
    insta::assert_snapshot!(text(r#"(component (instance $i) (export "pinion:step/step@0.1.0" (instance $i)))"#), @"
    bad-component: the component cannot be used
    caused by: it is no step
      expected exports `pinion:step/step@0.1.0` and one kind of step
      found    `pinion:step/step@0.1.0`
    ");
    insta::assert_snapshot!(text(r#"(component (instance $i) (export "pinion:step/reduce@0.1.0" (instance $i)))"#), @"
    bad-component: the component cannot be used
    caused by: it is no step
      expected exports `pinion:step/step@0.1.0` and one kind of step
      found    `pinion:step/reduce@0.1.0`
    ");
    insta::assert_snapshot!(text(r#"(component (instance $i)
        (export "pinion:step/step@0.1.0" (instance $i))
        (export "pinion:step/reduce@0.1.0" (instance $i))
        (export "pinion:step/row-map@0.1.0" (instance $i)))"#), @"
    bad-component: the component cannot be used
    caused by: it is no step
      expected exports `pinion:step/step@0.1.0` and one kind of step
      found    `pinion:step/step@0.1.0`, `pinion:step/reduce@0.1.0`, `pinion:step/row-map@0.1.0`
    ");
    insta::assert_snapshot!(text(r#"(component (instance $i)
        (import "wasi:http/types@0.2.0" (instance (export "get" (func))))
        (export "pinion:step/step@0.1.0" (instance $i))
        (export "pinion:step/row-map@0.1.0" (instance $i)))"#), @"
    bad-component: the component cannot be used
    caused by: it asks for what no step is given
      found imports `wasi:http/types@0.2.0`
    ");
    insta::assert_snapshot!(text(r#"(component (instance $i)
        (import "pinion:step/context@0.1.0" (instance (export "seed" (func (param "substream" string)))))
        (export "pinion:step/step@0.1.0" (instance $i))
        (export "pinion:step/row-map@0.1.0" (instance $i)))"#), @"
    bad-component: the component cannot be used
    caused by: its imports are not those of the contract: component imports instance `pinion:step/context@0.1.0`, but a matching implementation was not found in the linker: instance export `seed` has the wrong type: type mismatch with parameters: expected `u64` found `string`
    ");
    insta::assert_snapshot!(bad(fixtures::component("sockets")), @"
    bad-component: the component cannot be used
    caused by: it asks for what no step is given
      found imports `wasi:sockets/network@0.2.6`, `wasi:sockets/instance-network@0.2.6`, `wasi:sockets/udp@0.2.6`, `wasi:sockets/udp-create-socket@0.2.6`, `wasi:sockets/tcp@0.2.6`, `wasi:sockets/tcp-create-socket@0.2.6`, `wasi:sockets/ip-name-lookup@0.2.6`
    ");
}

#[test]
fn a_byte_that_changed_is_never_run() {
    let mut bytes = fixtures::component("add-one").to_vec();
    let digest = pinion_runtime::digest::ComponentDigest::of(&bytes);
    *bytes.last_mut().unwrap() ^= 1;
    let sandbox = sandbox_with(1, Arc::new(|| 0));
    assert!(matches!(
        sandbox.program(digest, &|| Ok(bytes.clone())),
        Err(StepError::Host(_))
    ));
}

#[test]
fn what_toolchains_make_today_needs_no_nan_switch() {
    for name in fixtures::names() {
        let rewritten = pinion_runtime::nan::canonicalise(fixtures::component(name));
        assert!(rewritten.is_ok(), "{name}: {rewritten:?}");
    }
}

#[test]
fn exports_that_are_empty_are_refused_when_they_are_called() {
    let bytes = wat::parse_str(
        r#"(component (instance $i)
            (export "pinion:step/step@0.1.0" (instance $i))
            (export "pinion:step/row-map@0.1.0" (instance $i)))"#,
    );
    let error = sandbox()
        .describe(&program(&bytes.unwrap()).unwrap(), &NEVER)
        .unwrap_err();
    insta::assert_snapshot!(error, @"the step broke its contract: it does not export `pinion:step/step@0.1.0#describe`");
}
