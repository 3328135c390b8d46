//! What reading files costs in the sandbox: the standard sources against the crates they are made of.
//!
//! ```sh
//! cargo bench --profile dev -p pinion-tests --bench readers
//! cargo bench --profile dev -p pinion-tests --bench readers -- "Parquet, snappy"
//! ```
//!
//! Both sides read the same bytes in memory with one thread and the allocator of the command line, and take
//! turns; the best of all rounds counts. A word on the command line picks the files whose names begin with it.
//! Nothing is printed before the values are equal. The sandboxed side does more: it cuts the file into ranges,
//! reads each in an instance of its own, and checks every value that comes out.

#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a program for people at a terminal"
)]

use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arrow_array::{
    ArrayRef, BooleanArray, Float64Array, Int32Array, Int64Array, RecordBatch, RecordBatchReader,
    StringArray, TimestampSecondArray,
};
use arrow_cast::cast;
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{ArrowError, SchemaRef};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use mimalloc::MiMalloc;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use pinion_runtime::sandbox::Done;
use pinion_runtime::unit::{Call, Limits, Shape, ShapeContent, Unit};
use pinion_tests::fixtures;
use pinion_tests::memory::Memory;
use pinion_tests::step::{self, NEVER, Step, sandbox};

#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// Rows of a batch, a partition and the table, as pipelines have them.
const BATCH_ROWS: usize = 16_384;
const PARTITION_ROWS: usize = 8 * BATCH_ROWS;
const ROWS: usize = 8 * PARTITION_ROWS;

const ROUNDS: usize = 15;

fn main() {
    let table = table();
    let wanted = std::env::args()
        .skip(1)
        .find(|word| !word.starts_with("--"));
    let wanted = |name: &str| wanted.as_ref().is_none_or(|word| name.starts_with(word));
    println!("| file | size | ranges | fetched | sandboxed | native | ratio |");
    println!("|---|---|---|---|---|---|---|");
    if wanted("CSV") {
        let file = csv(&table);
        case("CSV", "read-csv", &file, &|| {
            read_csv(&file, table.schema())
        });
    }
    for (name, group, codec) in [
        ("Parquet", PARTITION_ROWS, Compression::UNCOMPRESSED),
        ("Parquet, snappy", PARTITION_ROWS, Compression::SNAPPY),
        ("Parquet, one row group", ROWS, Compression::UNCOMPRESSED),
    ] {
        if wanted(name) {
            let file = parquet(&table, group, codec);
            case(name, "read-parquet", &file, &|| read_parquet(&file));
        }
    }
    for (name, rows) in [
        ("Arrow", PARTITION_ROWS),
        ("Arrow, one record batch", ROWS),
        ("Arrow, small record batches", 1000),
    ] {
        if wanted(name) {
            let file = arrow(&table, rows);
            case(name, "read-arrow", &file, &|| read_arrow(&file));
        }
    }
}

/// Times one file on both sides, after comparing them.
fn case(name: &str, component: &str, file: &Bytes, native: &dyn Fn() -> Vec<RecordBatch>) {
    let source = Reading::new(component, file);
    let done = source.run();
    let found: Vec<RecordBatch> = done
        .iter()
        .zip(&source.units)
        .flat_map(|(done, unit)| step::rows(done, unit, 0, &source.data))
        .collect();
    let (found, expected) = (together(&found), together(&native()));
    for (field, expected) in expected.schema().fields().iter().zip(expected.columns()) {
        let found = found.column_by_name(field.name()).unwrap();
        let found = cast(found, field.data_type()).unwrap();
        assert_eq!(&found, expected, "column `{}` of {name}", field.name());
    }

    let (mut ours, mut theirs) = (Duration::MAX, Duration::MAX);
    for _ in 0..ROUNDS {
        let started = Instant::now();
        drop(source.run());
        ours = ours.min(started.elapsed());
        let started = Instant::now();
        drop(native());
        theirs = theirs.min(started.elapsed());
    }
    let size = file.len() as f64 / 1e6;
    let fetched: u64 = done.iter().map(|done| done.read_bytes).sum();
    println!(
        "| {name} | {size:.1} MB | {} | {:.1} MB | {ours:.1?} | {theirs:.1?} | {:.2} |",
        source.units.len(),
        fetched as f64 / 1e6,
        ours.as_secs_f64() / theirs.as_secs_f64()
    );
}

fn together(batches: &[RecordBatch]) -> RecordBatch {
    concat_batches(&batches[0].schema(), batches).unwrap()
}

/// A file in the sandbox, cut into ranges.
struct Reading {
    step: Step,
    units: Vec<Arc<Unit>>,
    data: Arc<Memory>,
}

impl Reading {
    fn new(component: &str, file: &Bytes) -> Self {
        let mut step = Step::of(fixtures::standard(component), "{}");
        step.batch_rows = BATCH_ROWS as u32;
        step.limits = Limits {
            fuel: u64::MAX / 2,
            memory_bytes: 1 << 30,
            output_bytes: 1 << 30,
            ..step.limits
        };
        let mut memory = Memory::default();
        let blob = memory.blob("application/octet-stream", file);
        let port = step.descriptor.inputs[0].name.clone();
        let inputs = step.bind(&[(port.as_str(), step::blob(&blob))]);
        let data = Arc::new(memory);
        let unit = |call, outputs| {
            let mut unit = step.unchecked(call, inputs.clone(), outputs);
            unit.partition_batches = (PARTITION_ROWS / BATCH_ROWS) as u32;
            Arc::new(unit)
        };
        let whole = unit(Call::Init, Vec::new());
        let fields = sandbox()
            .probe(
                &step.program,
                Arc::clone(&whole),
                Arc::clone(&data) as _,
                &NEVER,
            )
            .unwrap();
        let probed = Shape::new("probe".into(), ShapeContent::Table(fields));
        let shapes = step.check(&[probed]);
        let shapes = shapes.unwrap();
        let ranges = sandbox().partition(
            &step.program,
            whole,
            Arc::clone(&data) as _,
            PARTITION_ROWS as u64,
            &NEVER,
        );
        let units = ranges.unwrap().into_iter();
        let units = units.map(|range| unit(Call::Read(range), shapes.clone()));
        let units = units.collect();
        Self { step, units, data }
    }

    fn run(&self) -> Vec<Done> {
        let units = self.units.iter();
        units
            .map(|unit| self.step.execute(unit, &self.data).unwrap())
            .collect()
    }
}

/// Trips through a city: numbers, words that repeat, words that do not, times, and some nulls.
fn table() -> RecordBatch {
    let mut state = 7_u64;
    let mut next = move |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let rows = 0..ROWS as i64;
    let cities: Vec<String> = (0..40).map(|city| format!("city {city}")).collect();
    let city: Vec<_> = rows.clone().map(|_| &cities[next(40) as usize]).collect();
    let note: Vec<_> = rows
        .clone()
        .map(|_| format!("trip {:x}", next(1 << 30)))
        .collect();
    let start = rows.clone().map(|row| 1_700_000_000 + row * 7);
    let km = rows.clone().map(|_| next(100_000) as f64 / 1000.0);
    let km: Float64Array = km.map(Some).map(|km| km.filter(|km| *km > 5.0)).collect();
    let minutes: Int32Array = rows.clone().map(|_| next(300) as i32).map(Some).collect();
    let late: BooleanArray = rows.clone().map(|_| Some(next(5) == 0)).collect();
    let columns: [(&str, ArrayRef); 7] = [
        ("id", Arc::new(Int64Array::from_iter_values(rows))),
        (
            "start",
            Arc::new(TimestampSecondArray::from_iter_values(start)),
        ),
        ("city", Arc::new(StringArray::from_iter_values(city))),
        ("note", Arc::new(StringArray::from_iter_values(note))),
        ("km", Arc::new(km)),
        ("minutes", Arc::new(minutes)),
        ("late", Arc::new(late)),
    ];
    let columns = columns.map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn csv(table: &RecordBatch) -> Bytes {
    let mut writer = arrow_csv::Writer::new(Vec::new());
    writer.write(table).unwrap();
    writer.into_inner().into()
}

fn read_csv(file: &Bytes, schema: SchemaRef) -> Vec<RecordBatch> {
    let reader = arrow_csv::ReaderBuilder::new(schema)
        .with_header(true)
        .with_batch_size(BATCH_ROWS)
        .build_buffered(Cursor::new(file));
    all(reader.unwrap())
}

fn parquet(table: &RecordBatch, group_rows: usize, codec: Compression) -> Bytes {
    let properties = WriterProperties::builder()
        .set_max_row_group_row_count(Some(group_rows))
        .set_compression(codec)
        .build();
    let mut writer = ArrowWriter::try_new(Vec::new(), table.schema(), Some(properties)).unwrap();
    writer.write(table).unwrap();
    writer.into_inner().unwrap().into()
}

fn read_parquet(file: &Bytes) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file.clone()).unwrap();
    all(reader.with_batch_size(BATCH_ROWS).build().unwrap())
}

fn arrow(table: &RecordBatch, batch_rows: usize) -> Bytes {
    let mut writer = FileWriter::try_new(Vec::new(), &table.schema()).unwrap();
    for start in (0..table.num_rows()).step_by(batch_rows) {
        let rows = batch_rows.min(table.num_rows() - start);
        writer.write(&table.slice(start, rows)).unwrap();
    }
    writer.into_inner().unwrap().into()
}

fn read_arrow(file: &Bytes) -> Vec<RecordBatch> {
    all(FileReader::try_new(Cursor::new(file), None).unwrap())
}

fn all(reader: impl RecordBatchReader) -> Vec<RecordBatch> {
    reader.collect::<Result<_, ArrowError>>().unwrap()
}
