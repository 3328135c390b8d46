//! The path of data through one unit, next to native code:
//!
//! ```sh
//! cargo bench --profile dev -p pinion-tests --bench data_plane
//! ```
//!
//! Both sides do equal work on equal data, with the allocator of the command line, take turns, and are
//! compared before anything is printed. Below each case stand parts of it,
//! each measured on its own on the same data; what they leave is printed as the rest.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people at a terminal"
)]

use std::fs;
use std::hint::black_box;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{Array as _, ArrayRef, Float64Array, RecordBatch};
use arrow_schema::{DataType, Field};
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use mimalloc::MiMalloc;
use pinion_runtime::arrow::{chunk, node};
use pinion_runtime::sandbox::{Done, Made};
use pinion_runtime::store::Store;
use pinion_runtime::unit::{Call, Unit};
use pinion_tests::memory::Memory;
use pinion_tests::step::{Step, table};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Rows of a batch and of a partition, as pipelines have them.
const BATCH_ROWS: usize = 16_384;
const BATCHES: usize = 8;
const PARTITION_ROWS: usize = BATCHES * BATCH_ROWS;

/// How often each side does each piece of work.
const ROUNDS: usize = 61;

/// Partitions of the table: with the result 150 MB, which no cache of a processor holds.
const PARTITIONS: usize = 48;

/// What either side may take, as a multiple of its baseline.
const GOAL: f64 = 2.0;

fn main() {
    let rows: Vec<RecordBatch> = (0..PARTITIONS as u64)
        .map(|partition| {
            let column = |name, seed| (name, Arc::new(values(2 * partition + seed)) as ArrayRef);
            RecordBatch::try_from_iter([column("a", 0), column("b", 1)]).unwrap()
        })
        .collect();
    let table = Units::new(&rows, BATCH_ROWS);
    // As many units and calls, and next to nothing in them.
    let few: Vec<RecordBatch> = rows.iter().map(|rows| rows.slice(0, BATCHES)).collect();
    let few = Units::new(&few, 1);
    let results: Vec<Vec<Float64Array>> = rows.iter().map(native).collect();
    for (at, expected) in results.iter().enumerate() {
        assert_eq!(made(&table.run(at), &table.units[at]), *expected);
    }
    row_map(&table, &few, &rows, &results);
    hash_and_store(results[0][0].values());
    println!("\npeak memory {} MiB", peak_bytes() >> 20);
}

/// A row-map over a table in memory, against its kernel.
fn row_map(table: &Units, few: &Units, rows: &[RecordBatch], results: &[Vec<Float64Array>]) {
    let field = Field::new("c", DataType::Float64, false);
    let pieces = |batches: &Vec<Float64Array>| -> Vec<ArrayRef> {
        let piece = |batch: &Float64Array| Arc::new(batch.clone()) as ArrayRef;
        batches.iter().map(piece).collect()
    };
    let pieces: Vec<Vec<ArrayRef>> = results.iter().map(pieces).collect();
    let decode = |piece: &ArrayRef| {
        let nodes = node::encode(piece).unwrap();
        node::decode(&field, nodes, piece.len() as u64).unwrap()
    };
    let copy = |piece: &ArrayRef| piece.to_data().buffers()[0].to_vec();
    let [ours, theirs, calls, copied, decoded, merged] = turns(
        PARTITIONS,
        [
            &|at| timed(|| table.run(at)),
            &|at| timed(|| native(&rows[at])),
            &|at| timed(|| few.run(at)),
            // As many bytes as two columns that go in and one that comes out.
            &|at| {
                timed(|| {
                    pieces[at]
                        .iter()
                        .for_each(|piece| drop(black_box([(); 3].map(|()| copy(piece)))))
                })
            },
            &|at| timed(|| pieces[at].iter().map(decode).collect::<Vec<_>>()),
            &|at| timed(|| chunk::canonical(&field, &pieces[at]).unwrap()),
        ],
    );
    let case = "row-map `c = a * 2 + b`, warm, in memory";
    report(case, ours, "the same kernel, native", theirs);
    parts(
        ours,
        theirs,
        &[
            ("instances and calls", calls),
            ("copies in and out", copied),
            ("decode", decoded),
            ("merge", merged),
        ],
        "the guest, and caches it shares",
    );
}

/// A new column into the store, against BLAKE3 of its bytes.
fn hash_and_store(values: &[f64]) {
    let scratch = tempfile::tempdir().unwrap();
    let dir = Dir::open_ambient_dir(scratch.path(), ambient_authority()).unwrap();
    let store = Store::open(dir, pinion_tests::whole::key()).unwrap();
    let field = [Field::new("c", DataType::Float64, false)];
    let bytes: Vec<u8> = (0..BATCHES)
        .flat_map(|_| values.iter().flat_map(|value| value.to_le_bytes()))
        .collect();
    // New values each time: what is there already is not stored again.
    let number = std::cell::Cell::new(0.0);
    let fresh = || -> ArrayRef {
        number.set(number.get() + 1.0);
        Arc::new(Float64Array::from(vec![number.get(); PARTITION_ROWS]))
    };
    let [ours, theirs, digested, written] = turns(
        1,
        [
            &|_| {
                let columns = [fresh()];
                timed(|| store.put_chunks(&field, &columns).unwrap())
            },
            &|_| timed(|| blake3::hash(&bytes)),
            &|_| {
                let column = fresh();
                timed(|| chunk::digest(&column).unwrap())
            },
            &|_| timed(|| write(scratch.path(), &bytes)),
        ],
    );
    let case = "hash and store a new column of 1 MiB";
    report(case, ours, "BLAKE3 of its bytes", theirs);
    parts(
        ours,
        theirs,
        &[
            ("digest", digested),
            ("a new file of the bytes, renamed", written),
        ],
        "the rest",
    );
}

/// What no store can do without: the bytes in a new file, in place.
fn write(directory: &Path, bytes: &[u8]) {
    let (new, place) = (directory.join("new"), directory.join("place"));
    fs::write(&new, bytes).unwrap();
    fs::rename(&new, &place).unwrap();
}

/// A step and its units, one for each partition.
struct Units {
    step: Step,
    data: Arc<Memory>,
    units: Vec<Arc<Unit>>,
}

impl Units {
    fn new(partitions: &[RecordBatch], batch_rows: usize) -> Self {
        let mut memory = Memory::default();
        let rows = memory.table(partitions);
        let mut step = Step::new("scale-and-add", r#"{"a":"a","b":"b","c":"c"}"#);
        step.batch_rows = batch_rows as u32;
        let unit = |at| {
            let partition = Arc::new(rows.partition(at).unwrap());
            let unit = step.unit(Call::RowMap, &[("rows", table(&partition))]);
            let mut unit = Arc::unwrap_or_clone(unit.unwrap());
            unit.partition_batches = BATCHES as u32;
            Arc::new(unit)
        };
        let units = (0..partitions.len()).map(unit).collect();
        Self {
            units,
            data: Arc::new(memory),
            step,
        }
    }

    fn run(&self, at: usize) -> Done {
        self.step.execute(&self.units[at], &self.data).unwrap()
    }
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

/// What the work takes. Dropping what came of it counts.
fn timed<T>(work: impl FnOnce() -> T) -> Duration {
    let started = Instant::now();
    drop(black_box(work()));
    started.elapsed()
}

/// What each side takes for all of `count` pieces of work. Sides take turns, and the best time of each
/// piece counts, so that a machine with other work to do disturbs little.
fn turns<const N: usize>(count: usize, sides: [&dyn Fn(usize) -> Duration; N]) -> [Duration; N] {
    let mut best = [(); N].map(|()| vec![Duration::MAX; count]);
    for _ in 0..ROUNDS {
        for (best, side) in best.iter_mut().zip(sides) {
            for (at, best) in best.iter_mut().enumerate() {
                *best = side(at).min(*best);
            }
        }
    }
    best.map(|best| best.iter().sum())
}

fn report(case: &str, ours: Duration, baseline: &str, theirs: Duration) {
    let ratio = ours.as_secs_f64() / theirs.as_secs_f64();
    println!("{case}: {ours:.1?}, {ratio:.2} of {baseline} ({theirs:.1?}); goal {GOAL:.0}");
}

/// Parts of `ours`, as multiples of the baseline like the case itself.
fn parts(ours: Duration, theirs: Duration, parts: &[(&str, Duration)], rest: &str) {
    let multiple = |seconds: f64| seconds / theirs.as_secs_f64();
    let mut left = ours.as_secs_f64();
    for (part, took) in parts {
        left -= took.as_secs_f64();
        println!("  {:5.2} {part}", multiple(took.as_secs_f64()));
    }
    println!("  {:5.2} {rest}", multiple(left));
}

/// Most memory that this process ever had resident; 0 where the system does not say.
fn peak_bytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    kilobytes.unwrap_or_default() << 10
}
