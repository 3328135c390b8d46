//! Guests that break what can be broken: each gives a clear error, and the host goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use arrow_array::cast::AsArray;
use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use pinion_runtime::sandbox::{Done, StepError};
use pinion_runtime::unit::{Call, Limits, Unit};
use pinion_tests::fixtures;
use pinion_tests::memory::Memory;
use pinion_tests::step::{NEVER, Step, blob, chain, program, rows, sandbox, table};

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
    insta::assert_snapshot!(misbehave("panic"), @"");
    insta::assert_snapshot!(misbehave("unreachable"), @"");
    insta::assert_snapshot!(misbehave("exit"), @"");
    insta::assert_snapshot!(misbehave("recurse"), @"");
    insta::assert_snapshot!(misbehave("nest"), @"");
    insta::assert_snapshot!(misbehave("refuse"), @"");
}

#[test]
fn what_runs_away_runs_into_a_limit() {
    insta::assert_snapshot!(misbehave("loop"), @"");
    insta::assert_snapshot!(misbehave("memory"), @"");
    insta::assert_snapshot!(misbehave("handles"), @"");
    insta::assert_snapshot!(misbehave("ask"), @"");
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
        format!("the fuel limit of {} is reached", used.fuel)
    );
    step.limits = Limits {
        memory_bytes: used.memory_bytes - 1,
        fuel: used.fuel + 1,
        ..step.limits
    };
    assert_eq!(
        run(&step).0.unwrap_err().to_string(),
        format!("the memory limit of {} is reached", used.memory_bytes - 1)
    );
    step.limits = Limits {
        fuel: 10,
        ..step.limits
    };
    assert_eq!(run(&step).0.unwrap_err().code(), "limit-reached");
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
    insta::assert_snapshot!(log.last().unwrap().message, @"");
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
    insta::assert_snapshot!(world, @"");
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
    insta::assert_snapshot!(misbehave("other-name"), @"");
    insta::assert_snapshot!(misbehave("other-type"), @"");
    insta::assert_snapshot!(misbehave("other-width"), @"");
    insta::assert_snapshot!(misbehave("other-port"), @"");
    insta::assert_snapshot!(misbehave("two-batches"), @"");
    insta::assert_snapshot!(misbehave("nulls"), @"");
    insta::assert_snapshot!(hoard("other-port"), @"");
}

#[test]
fn handles_cannot_be_forged() {
    insta::assert_snapshot!(misbehave("missing-column"), @"");
    insta::assert_snapshot!(misbehave("forged-handle"), @"");
    insta::assert_snapshot!(misbehave("writer-as-batch"), @"");
    insta::assert_snapshot!(misbehave("twice"), @"");
}

#[test]
fn operations_pile_up_to_a_limit() {
    insta::assert_snapshot!(misbehave("deep"), @"");
    insta::assert_snapshot!(misbehave("double"), @"");
}

#[test]
fn check_is_pure_and_checked() {
    insta::assert_snapshot!(misbehave("check-panics"), @"");
    insta::assert_snapshot!(misbehave("check-asks"), @"");
    insta::assert_snapshot!(misbehave("check-twice"), @"");
    insta::assert_snapshot!(misbehave("check-ports"), @"");
    insta::assert_snapshot!(misbehave("check-format"), @"");
    insta::assert_snapshot!(misbehave("check-kind"), @"");
}

#[test]
fn a_check_that_never_ends_can_be_cancelled() {
    let step = step("misbehave", "check-loops");
    let cancel = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let check = scope
            .spawn(|| sandbox().check(&step.program, &step.descriptor, &step.params, &[], &cancel));
        cancel.store(true, Ordering::Relaxed);
        let error = check.join().unwrap().unwrap_err();
        assert!(matches!(error, StepError::Cancelled), "{error:?}");
    });
}

#[test]
fn garbage_is_refused_with_reasons() {
    let garbage = [
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
    let answers =
        garbage.map(|which| format!("{which} -> {}", misbehave(&format!("garbage {which}"))));
    insta::assert_snapshot!(answers.join("\n"), @"");
}

#[test]
fn output_has_a_limit_however_it_is_made() {
    insta::assert_snapshot!(hoard("new-rows"), @"");
    insta::assert_snapshot!(hoard("same-rows"), @"");
    insta::assert_snapshot!(hoard("no-rows"), @"");
    insta::assert_snapshot!(hoard("scratch"), @"");
    insta::assert_snapshot!(hoard("grow"), @"");
    insta::assert_snapshot!(hoard("blob"), @"");
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
    insta::assert_snapshot!(["overlap", "backwards", "beyond", "overflow", "probe-twice"].map(partition).join("\n"), @"");
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
    insta::assert_snapshot!(bad(b""), @"");
    insta::assert_snapshot!(bad(b"PAR1 is not WebAssembly"), @"");
    insta::assert_snapshot!(bad(&whole[..whole.len() / 2]), @"");
    insta::assert_snapshot!(bad(b"\0asm\x01\0\0\0"), @"");
    insta::assert_snapshot!(bad(b"\0asm\x0d\0\x01\0"), @"");
    let text = |text: &str| bad(&wat::parse_str(text).unwrap());
    insta::assert_snapshot!(text(r#"(component (instance $i) (export "pinion:step/step@0.1.0" (instance $i)))"#), @"");
    insta::assert_snapshot!(text(r#"(component (instance $i) (export "pinion:step/reduce@0.1.0" (instance $i)))"#), @"");
    insta::assert_snapshot!(text(r#"(component (instance $i)
        (export "pinion:step/step@0.1.0" (instance $i))
        (export "pinion:step/reduce@0.1.0" (instance $i))
        (export "pinion:step/row-map@0.1.0" (instance $i)))"#), @"");
    insta::assert_snapshot!(text(r#"(component (instance $i)
        (import "wasi:http/types@0.2.0" (instance (export "get" (func))))
        (export "pinion:step/step@0.1.0" (instance $i))
        (export "pinion:step/row-map@0.1.0" (instance $i)))"#), @"");
    insta::assert_snapshot!(text(r#"(component (instance $i)
        (import "pinion:step/context@0.1.0" (instance (export "seed" (func (param "substream" string)))))
        (export "pinion:step/step@0.1.0" (instance $i))
        (export "pinion:step/row-map@0.1.0" (instance $i)))"#), @"");
    insta::assert_snapshot!(bad(fixtures::component("sockets")), @"");
}

#[test]
fn a_byte_that_changed_is_never_run() {
    let mut bytes = fixtures::component("add-one").to_vec();
    let digest = pinion_runtime::digest::ComponentDigest::of(&bytes);
    *bytes.last_mut().unwrap() ^= 1;
    let sandbox = pinion_runtime::sandbox::Sandbox::new(1, None).unwrap();
    assert!(matches!(
        sandbox.program(digest, &|| Ok(bytes.clone())),
        Err(StepError::Host(_))
    ));
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
    insta::assert_snapshot!(error, @"");
}
