//! Limits that bind the host: whatever a guest calls, with whatever arguments, the process does not abort, its memory
//! stays within what the guest may use, and it can be stopped.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use pinion_runtime::sandbox::{Done, Sandbox, Share, StepError};
use pinion_runtime::unit::{Call, Limits, Unit};
use pinion_tests::fixtures;
use pinion_tests::memory::Memory;
use pinion_tests::step::{NEVER, Step, blob, sandbox, table};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// How often, and what is called: see the fixture `barrage`.
type Stage = (u64, Vec<(u8, u64, u64)>);

const LIMITS: Limits = Limits {
    fuel: 3_000_000_000,
    memory_bytes: 64 << 20,
    output_bytes: 16 << 20,
    scratch_bytes: 16 << 20,
    log_bytes: 4096,
    time_ms: u64::MAX,
};

fn step(stages: &[Stage], place: &str) -> Step {
    let params = serde_json::json!({ "in": place, "stages": stages });
    let mut step = Step::new("barrage", &params.to_string());
    step.limits = LIMITS;
    step.batch_rows = 1 << 20;
    step
}

/// A unit that makes the calls, over a table of three rows and a blob, and its data.
fn unit(step: &Step) -> Result<(Arc<Unit>, Arc<Memory>), StepError> {
    let mut data = Memory::default();
    let numbers: ArrayRef = Arc::new(Int64Array::from(vec![1, 2, 3]));
    let words: ArrayRef = Arc::new(StringArray::from(vec!["one", "two", "three"]));
    let rows = RecordBatch::try_from_iter([("x", numbers), ("word", words)]).unwrap();
    let rows = data.table(&[rows.slice(0, 2), rows.slice(2, 1)]);
    let bytes = data.blob("application/octet-stream", b"some bytes");
    let inputs = [("rows", table(&rows)), ("bytes", blob(&bytes))];
    Ok((step.unit(Call::Run, &inputs)?, Arc::new(data)))
}

fn run(stages: &[Stage], place: &str) -> Result<Done, StepError> {
    let step = step(stages, place);
    let (unit, data) = unit(&step)?;
    step.execute(&unit, &data)
}

/// Bytes of memory of this process that are in no file.
#[cfg(target_os = "linux")]
fn anonymous_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("RssAnon:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB"));
    kib.unwrap().trim().parse::<u64>().unwrap() << 10
}

/// Runs in a process of its own, as a test that the test below calls by name.
#[cfg(target_os = "linux")]
#[test]
fn barrage() {
    if std::env::var_os("PINION_TESTS_BARRAGE").is_none() {
        return;
    }
    // All that is compiled and built is there before it counts.
    run(&[], "run").unwrap();
    let before = anonymous_bytes();
    let most = LIMITS.memory_bytes + LIMITS.output_bytes + LIMITS.scratch_bytes + (128 << 20);
    static PEAK: AtomicU64 = AtomicU64::new(0);
    static ENDED: AtomicBool = AtomicBool::new(false);
    let watcher = std::thread::spawn(|| {
        while !ENDED.load(Ordering::Relaxed) {
            PEAK.fetch_max(anonymous_bytes(), Ordering::Relaxed);
            std::thread::sleep(Duration::from_micros(200));
        }
    });
    run(&first_rows(), "run").unwrap();
    let used = PEAK.load(Ordering::Relaxed).saturating_sub(before);
    assert!(used <= most, "{used} bytes for some rows of large batches");
    let number = prop_oneof![0..200_u64, any::<u64>()];
    let call = (any::<u8>(), number.clone(), number);
    let stage = (
        prop_oneof![Just(1_u64), 1..200_u64],
        prop::collection::vec(call, 1..30),
    );
    let programs = (
        prop::collection::vec(stage, 1..4),
        prop::bool::weighted(0.1),
    );
    let mut runner = TestRunner::new(Config {
        cases: 150,
        failure_persistence: None,
        ..Config::default()
    });
    let checked = runner.run(&programs, |(stages, in_check)| {
        PEAK.store(0, Ordering::Relaxed);
        let place = if in_check { "check" } else { "run" };
        let ended = run(&stages, place).map(drop);
        prop_assert!(
            !matches!(ended, Err(StepError::Host(_) | StepError::Data(_))),
            "{ended:?}"
        );
        let used = PEAK.load(Ordering::Relaxed).saturating_sub(before);
        let most = if in_check { most + (256 << 20) } else { most };
        prop_assert!(used <= most, "{used} bytes, and there may be {most}");
        Ok(())
    });
    ENDED.store(true, Ordering::Relaxed);
    watcher.join().unwrap();
    checked.unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn whatever_is_called_is_within_the_limits() {
    let ended = std::process::Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "limits::barrage", "--nocapture"])
        .env("PINION_TESTS_BARRAGE", "1")
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{}\n{said}", ended.status);
}

/// What is known to have used too much, or to have ended the process.
#[test]
fn what_is_large_is_refused_before_it_is_made() {
    // Kinds of columns and row numbers are those of the fixture.
    let all_null = 5;
    for kind in [3, 4, 5, 7] {
        let stages = [
            (1, vec![(0, 0, kind)]),
            (100, vec![(7, 0, all_null), (8, 1, all_null)]),
        ];
        let error = run(&stages, "run").map(drop).unwrap_err();
        assert_eq!(error.code(), "limit-reached", "{kind}: {error}");
    }
    // The same batch thousands of times, in what sees no data too.
    for place in ["run", "check"] {
        let stages = [(1, vec![(0, 4, 12), (0, 5, 12), (11, 0, 4999)])];
        let error = run(&stages, place).map(drop).unwrap_err();
        assert_eq!(error.code(), "limit-reached", "{place}: {error}");
    }
}

/// Two hundred times a large batch of which one row is laid aside, which is looked at in `barrage` too.
fn first_rows() -> [Stage; 2] {
    let first_row = vec![(0, 5, 12), (9, 0, 256), (17, 0, 1), (30, 0, 0)];
    [(1, vec![(16, 0, 0)]), (200, first_row)]
}

/// The first rows of large batches take what they take, not what the batches took.
#[test]
fn a_slice_that_is_kept_keeps_nothing_else() {
    let usage = run(&first_rows(), "run").unwrap().usage;
    assert!(usage.output_bytes < 8 << 20, "{usage:?}");
    assert!(usage.scratch_bytes < 1 << 20, "{usage:?}");
}

/// Every call is looked after: nothing that a guest can have the host do goes on for long when nobody wants it.
#[test]
fn nobody_waits_for_the_host() {
    const MANY: u64 = 1 << 40;
    let wide = (0, 60_000, 16);
    let cases: [(&str, Vec<Stage>); 8] = [
        ("log", vec![(MANY, vec![(25, 0, (6 << 20) - 1)])]),
        ("random", vec![(MANY, vec![(31, 0, 12 << 20)])]),
        ("print", vec![(MANY, vec![(27, 0, (6 << 20) - 1)])]),
        ("make", vec![(MANY, vec![wide, (30, 0, 0)])]),
        (
            "select",
            vec![(1, vec![wide]), (MANY, vec![(4, 0, 0), (28, 0, 0)])],
        ),
        (
            "scratch",
            vec![
                (1, vec![(0, 1, 12), (16, 0, 0)]),
                (2000, vec![(17, 0, 49)]),
                (1, vec![(18, 0, 0)]),
                (MANY, vec![(21, 1, 0)]),
            ],
        ),
        ("seeds", vec![(MANY, vec![(26, 0, 499)])]),
        (
            "cut",
            vec![(1, vec![(0, 1, 12)]), (MANY, vec![(22, 0, 48)])],
        ),
    ];
    for (name, stages) in cases {
        let mut step = step(&stages, "run");
        step.limits = Limits {
            fuel: u64::MAX,
            output_bytes: u64::MAX,
            scratch_bytes: u64::MAX,
            ..LIMITS
        };
        let (unit, data) = unit(&step).unwrap();
        // A flag for each: it lives as long as the process.
        let cancel: &'static AtomicBool = Box::leak(Box::default());
        let data: Arc<dyn pinion_runtime::sandbox::Data> = data as _;
        let late = std::thread::scope(|scope| {
            let running = scope.spawn(|| sandbox().execute(&step.program, &unit, data, cancel));
            std::thread::sleep(Duration::from_millis(500));
            let asked = Instant::now();
            cancel.store(true, Ordering::Relaxed);
            let ended = running.join().unwrap().map(drop);
            assert!(
                matches!(ended, Err(StepError::Cancelled)),
                "{name}: {ended:?}"
            );
            asked.elapsed()
        });
        // A second is what is promised, of a machine that does nothing else.
        assert!(late < Duration::from_secs(4), "{name}: {late:?}");
    }
}

/// Fuel is what crosses, whoever counts it.
#[test]
fn calls_cost_the_same_on_both_engines() {
    let bytes = fixtures::component("barrage");
    let clock = Arc::new(|| 0);
    let both = Sandbox::cross_checking(1, None, clock, Share::ALL).unwrap();
    let calls: Vec<(u8, u64, u64)> = vec![
        (0, 3, 12),
        (0, 3, 9),
        (1, 2, 1),
        (3, 0, 12),
        (4, 0, 0),
        (5, 1, 9),
        (6, 0, 0xff),
        (7, 0, 3),
        (9, 1, 256),
        (11, 1, 7),
        (13, 1, 0),
        (14, 0, 1),
        (15, 0, 0),
        (16, 0, 0),
        (17, 0, 3),
        (18, 0, 0),
        (19, 0, 0),
        (19, 1, 0),
        (13, 8, 0),
        (20, 1, 3),
        (22, 0, 3),
        (23, 0, 1000),
        (24, 0, 4),
        (25, 0, 100),
        (26, 0, 3),
        (27, 0, 100),
        (31, 0, 100),
    ];
    let step = step(&[(2, calls)], "run");
    let program = both
        .program(step.program.digest(), &|| Ok(bytes.to_vec()))
        .unwrap();
    let (unit, data) = unit(&step).unwrap();
    let done = both
        .execute(&program, &unit, Arc::clone(&data) as _, &NEVER)
        .unwrap();
    assert_eq!(both.cross_checked().unwrap().units, 1);
    // On other threads, too, and however often.
    let usages: Vec<_> = std::thread::scope(|scope| {
        let again = || step.execute(&unit, &data).unwrap().usage;
        let running: Vec<_> = (0..4).map(|_| scope.spawn(again)).collect();
        running.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(
        usages.iter().all(|usage| *usage == done.usage),
        "{usages:?}"
    );
}

/// What is called costs fuel, and to run out of it in a call is as to run out of it elsewhere.
#[test]
fn calls_run_out_of_fuel_as_loops_do() {
    // Random bytes, of which the guest does nothing but say how many.
    let stages = [(20, vec![(31, 0, 12 << 20)])];
    let fuel = run(&stages, "run").unwrap().usage.fuel;
    assert!(fuel > 20 * (12 << 20), "one for each byte, not {fuel}");
    let mut step = step(&stages, "run");
    step.limits.fuel = 200_000_000;
    let (unit, data) = unit(&step).unwrap();
    let error = step.execute(&unit, &data).map(drop).unwrap_err();
    insta::assert_snapshot!(error, @r"
    the fuel limit is reached
      expected at most 200_000_000 fuel
      found    more
    ");
}
