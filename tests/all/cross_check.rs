//! Two engines do the same, and where they do not it is said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch};
use arrow_buffer::Buffer;
use arrow_schema::Field;
use bytes::Bytes;
use cap_std::ambient_authority;
use cap_std::fs::Dir;
use pinion_runtime::arrow::values::Values;
use pinion_runtime::digest::{ComponentDigest, Digest};
use pinion_runtime::record::Artifact;
use pinion_runtime::sandbox::{Data, DataError, Done, Sandbox, Share, StepError};
use pinion_runtime::store::Store;
use pinion_runtime::table::{Chunk, Table};
use pinion_runtime::unit::Call;
use pinion_runtime::verify::{Place, first_place};
use pinion_tests::fixtures;
use pinion_tests::memory::Memory;
use pinion_tests::step::{NEVER, Step, table};
use pinion_tests::whole::{Whole, key};

use crate::days;

/// `c = a * 2 + b` over data in memory, by a sandbox with two engines.
fn run(data: Arc<dyn Data>, given: &Arc<Table>) -> (Result<Done, StepError>, Sandbox) {
    let sandbox = Sandbox::cross_checking(2, None, Arc::new(|| 0), Share::ALL).unwrap();
    let component = fixtures::component("scale-and-add");
    let digest = ComponentDigest::of(component);
    let program = sandbox.program(digest, &|| Ok(component.to_vec())).unwrap();
    let step = Step::new("scale-and-add", r#"{"a":"a","b":"b","c":"c"}"#);
    let unit = step.unit(Call::RowMap, &[("rows", table(given))]).unwrap();
    let done = sandbox.execute(&program, &unit, data, &NEVER);
    (done, sandbox)
}

fn given(data: &mut Memory) -> Arc<Table> {
    let column = |values: [f64; 4]| -> ArrayRef { Arc::new(Float64Array::from(values.to_vec())) };
    let noisy = f64::from_bits(0xfff4_0000_0000_1234);
    data.table(&[RecordBatch::try_from_iter([
        ("a", column([1.5, f64::NAN, 5e-324, noisy])),
        ("b", column([0.1, f64::INFINITY, -0.0, 1.0])),
    ])
    .unwrap()])
}

#[test]
fn what_is_done_alike_is_counted() {
    let mut data = Memory::default();
    let given = given(&mut data);
    let (done, sandbox) = run(Arc::new(data), &given);
    done.unwrap();
    let checked = sandbox.cross_checked().unwrap();
    assert_eq!((checked.units, checked.of), (1, 1));
}

/// A host that is not deterministic: whoever asks for `b` the second time is told other values.
struct Fickle {
    memory: Memory,
    asked: AtomicU64,
}

impl Data for Fickle {
    fn column(&self, field: &Field, chunk: &Chunk) -> Result<Values, DataError> {
        if field.name() == "b" && self.asked.fetch_add(1, Ordering::Relaxed) > 0 {
            let other = Float64Array::from(vec![0.1, f64::INFINITY, 0.5, 1.0]);
            return Ok(Values::Array(Arc::new(other)));
        }
        self.memory.column(field, chunk)
    }

    fn blob(&self, digest: &Digest) -> Result<Bytes, DataError> {
        self.memory.blob(digest)
    }

    fn spill(&self, buffers: &[Buffer]) -> Result<Vec<Buffer>, DataError> {
        self.memory.spill(buffers)
    }
}

#[test]
fn the_first_row_that_is_done_otherwise_is_named() {
    let mut memory = Memory::default();
    let given = given(&mut memory);
    let fickle = Fickle {
        memory,
        asked: AtomicU64::new(0),
    };
    let (done, sandbox) = run(Arc::new(fickle), &given);
    let error = done.unwrap_err();
    assert_eq!(error.code(), "diverged");
    insta::assert_snapshot!(error, @"
    two engines do not do the same: column `c`, row 2 of output `rows`
      compiled    1e-323
      interpreted 0.5
    ");
    assert_eq!(sandbox.cross_checked().unwrap().units, 0);
}

#[test]
fn a_run_is_verified_on_both_engines() {
    let project = days::project();
    days::run(&project, &[]);
    let verdict = project
        .pinion(&["verify", "--json", "--cross-check", "100%"])
        .succeeded()
        .json();
    assert_eq!(verdict["equal"], true);
    let units = verdict["cross_checked_units"].as_u64().unwrap();
    let few = project
        .pinion(&["verify", "--json", "--cross-check", "0.01%"])
        .succeeded()
        .json();
    let few = few["cross_checked_units"].as_u64().unwrap();
    assert!(units > 20 && few > 0 && few < units, "{few} of {units}");
    for share in ["0%", "101%", "5", "-1%", "0.001%", "NaN%", "%"] {
        let said = project.pinion(&["verify", &format!("--cross-check={share}")]);
        assert_eq!(said.code, Some(2), "{share}");
    }
}

/// Hands out what a store has, but for one answer: the second time that `a` is asked for.
struct Once {
    data: Arc<dyn Data>,
    asked: AtomicU64,
}

impl Data for Once {
    fn column(&self, field: &Field, chunk: &Chunk) -> Result<Values, DataError> {
        let values = self.data.column(field, chunk)?;
        if field.name() != "a" || self.asked.fetch_add(1, Ordering::Relaxed) != 1 {
            return Ok(values);
        }
        let others = (0..values.len() as i64).map(|row| 1000 + row);
        Ok(Values::Array(Arc::new(Int64Array::from_iter_values(
            others,
        ))))
    }

    fn blob(&self, digest: &Digest) -> Result<Bytes, DataError> {
        self.data.blob(digest)
    }

    fn spill(&self, buffers: &[Buffer]) -> Result<Vec<Buffer>, DataError> {
        self.data.spill(buffers)
    }
}

/// A whole run beside one by a host that is not deterministic: the digests tell, and the place is where that host
/// first answered otherwise.
#[test]
fn a_host_that_once_answers_otherwise_is_found_where_it_did() {
    let pipeline = r#"
[pipeline]
name = "fickle"
batch_rows = 4
partition_batches = 2

[sources.rows]
path = "rows.csv"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.rows"

[steps.double]
use = "std:derive-columns@0.1"
input = "read"
params = { columns = { twice = "a * 2" } }
"#;
    let rows: String = (0..20).map(|row| format!("{row}\n")).collect();
    let whole = Whole::new(pipeline, &[("rows.csv", &format!("a\n{rows}"))]);
    let id = "20261123-061530-0001".parse().unwrap();
    let directories = [(); 2].map(|()| tempfile::tempdir().unwrap());
    let stores = directories.each_ref().map(|directory| {
        let dir = Dir::open_ambient_dir(directory.path(), ambient_authority()).unwrap();
        Arc::new(Store::open(dir, key()).unwrap())
    });
    let honest = whole.run(&stores[0], &id, 1).unwrap();
    let fickle = whole.run_handing(&stores[1], &id, 1, |data| {
        let asked = AtomicU64::new(0);
        Arc::new(Once { data, asked })
    });
    let fickle = fickle.unwrap();
    assert_ne!(honest.run, fickle.run);
    let differing: Vec<_> = honest
        .outputs
        .iter()
        .filter(|(output, artifact)| fickle.outputs[*output] != **artifact)
        .map(|((step, _), _)| step.as_str())
        .collect();
    assert_eq!(differing, ["double"]);
    let [expected, found] =
        [(&stores[0], &honest), (&stores[1], &fickle)].map(|(store, results)| {
            let mut outputs = results.outputs.iter();
            let (_, artifact) = outputs.find(|((step, _), _)| step == "double").unwrap();
            let Artifact::Table(table) = artifact else {
                panic!("{artifact:?} is no table")
            };
            (&**store, store.present_table(&table.digest).unwrap())
        });
    let place = first_place((expected.0, &expected.1), (found.0, &found.1));
    let Some(Place::Value {
        partition,
        column,
        difference,
    }) = place.unwrap()
    else {
        panic!("no value differs")
    };
    assert_eq!(
        (partition, column.as_str(), difference.row),
        (1, "twice", 8)
    );
    assert_eq!((&*difference.expected, &*difference.found), ("16", "2000"));
}
