//! The path of data through one unit, next to native code: `cargo bench -p pinion-tests --bench data_plane`.
//!
//! Both sides do equal work on equal data, take turns, and are compared before a ratio is printed. The
//! ratio is that of the medians; the times are this machine's.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people at a terminal"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{ArrayRef, Float64Array, RecordBatch};
use arrow_schema::Field;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::sandbox::{Done, Made};
use pinion_runtime::store::Store;
use pinion_runtime::unit::{Call, Unit};
use pinion_tests::memory::Memory;
use pinion_tests::step::{Step, table};

/// Rows of a batch and of a partition, as pipelines have them.
const BATCH_ROWS: usize = 16_384;
const PARTITION_ROWS: usize = 8 * BATCH_ROWS;

/// How often each side runs.
const RUNS: usize = 21;

/// Partitions of the table: with the result 150 MB, which no cache of a processor holds.
const PARTITIONS: usize = 48;

fn main() {
    let mut memory = Memory::default();
    let batches: Vec<RecordBatch> = (0..PARTITIONS as u64)
        .map(|partition| {
            let column = |name, seed| (name, Arc::new(values(2 * partition + seed)) as ArrayRef);
            RecordBatch::try_from_iter([column("a", 0), column("b", 1)]).unwrap()
        })
        .collect();
    let rows = memory.table(&batches);
    let memory = Arc::new(memory);
    let mut step = Step::new("scale-and-add", r#"{"a":"a","b":"b","c":"c"}"#);
    step.batch_rows = BATCH_ROWS as u32;
    let units: Vec<Arc<Unit>> = (0..PARTITIONS)
        .map(|at| {
            let partition = Arc::new(rows.partition(at).unwrap());
            let unit = step
                .unit(Call::RowMap, &[("rows", table(&partition))])
                .unwrap();
            let mut unit = Arc::unwrap_or_clone(unit);
            unit.partition_batches = 8;
            Arc::new(unit)
        })
        .collect();
    let sandboxed = || -> Vec<Done> {
        let run = |unit| step.execute(unit, &memory).unwrap();
        units.iter().map(run).collect()
    };
    let native = || -> Vec<Vec<Float64Array>> { batches.iter().map(native).collect() };
    for ((done, unit), expected) in sandboxed().iter().zip(&units).zip(native()) {
        assert_eq!(made(done, unit), expected);
    }

    println!("| case | baseline | median | baseline's | ratio |");
    println!("|---|---|---|---|---|");
    let (ours, theirs) = turns(
        || drop(black_box(sandboxed())),
        || drop(black_box(native())),
    );
    let case = "row-map `c = a * 2 + b` of a table in memory, warm";
    report(case, "the same kernel, native", ours, theirs);

    let bytes = vec![7_u8; PARTITION_ROWS * 8];
    let hashed = || {
        black_box(blake3::hash(&bytes));
    };
    let scratch = tempfile::tempdir().unwrap();
    let store =
        Store::open(Dir::open_ambient_dir(scratch.path(), ambient_authority()).unwrap()).unwrap();
    // New values each time: what is there already is not stored again.
    let mut number = 0.0;
    let field = [Field::new("c", arrow_schema::DataType::Float64, false)];
    let stored = || {
        number += 1.0;
        let column: ArrayRef = Arc::new(Float64Array::from(vec![number; PARTITION_ROWS]));
        let started = Instant::now();
        black_box(store.put_chunks(&field, &[column]).unwrap());
        started.elapsed()
    };
    let mut stored = stored;
    let (ours, theirs) = timed_turns(&mut stored, &mut || timed(&hashed));
    report(
        "hash and store one new column",
        "BLAKE3 of its bytes",
        ours,
        theirs,
    );

    println!("\npeak memory {} MiB", peak_bytes() >> 20);
}

/// Floats without a pattern.
fn values(seed: u64) -> Float64Array {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 11) as f64 / (1_u64 << 53) as f64 - 0.5
    };
    (0..PARTITION_ROWS)
        .map(|_| next())
        .collect::<Vec<_>>()
        .into()
}

/// The kernel on the same batches, each into an array of its own.
fn native(rows: &RecordBatch) -> Vec<Float64Array> {
    let column = |at: usize| {
        rows.column(at)
            .as_any()
            .downcast_ref::<Float64Array>()
            .unwrap()
    };
    (0..PARTITION_ROWS)
        .step_by(BATCH_ROWS)
        .map(|start| {
            let (a, b) = (
                column(0).slice(start, BATCH_ROWS),
                column(1).slice(start, BATCH_ROWS),
            );
            let sums = a.values().iter().zip(b.values()).map(|(a, b)| a * 2.0 + b);
            sums.collect::<Vec<f64>>().into()
        })
        .collect()
}

/// What came out, cut as the native side has it.
fn made(done: &Done, unit: &Unit) -> Vec<Float64Array> {
    let Made::Table(partitions) = &done.outputs[0] else {
        panic!("port 0 of {} has a blob", unit.component);
    };
    let (_, column) = partitions[0].made[0].as_ref().unwrap();
    let column = column.as_any().downcast_ref::<Float64Array>().unwrap();
    (0..PARTITION_ROWS)
        .step_by(BATCH_ROWS)
        .map(|start| column.slice(start, BATCH_ROWS))
        .collect()
}

fn timed(work: &dyn Fn()) -> Duration {
    let started = Instant::now();
    work();
    started.elapsed()
}

fn turns(ours: impl Fn(), theirs: impl Fn()) -> (Duration, Duration) {
    timed_turns(&mut || timed(&ours), &mut || timed(&theirs))
}

/// Medians of both sides, taking turns.
fn timed_turns(
    ours: &mut dyn FnMut() -> Duration,
    theirs: &mut dyn FnMut() -> Duration,
) -> (Duration, Duration) {
    let (mut left, mut right) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        left.push(ours());
        right.push(theirs());
    }
    left.sort();
    right.sort();
    (left[RUNS / 2], right[RUNS / 2])
}

fn report(case: &str, baseline: &str, ours: Duration, theirs: Duration) {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("| {case} | {baseline} | {ours:.1?} | {theirs:.1?} | {ratio:.2} |");
}

/// Most memory that this process ever had resident; 0 where the system does not say.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() << 10
}
