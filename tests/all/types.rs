//! Every type of the support table through real components, files and the store.

use std::collections::BTreeSet;
use std::io::Cursor;
use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int8Type;
use arrow_array::{
    ArrayRef, DictionaryArray, Float64Array, Int64Array, RecordBatch, RecordBatchOptions,
    StringArray, UInt64Array,
};
use arrow_cast::cast;
use arrow_ipc::reader::FileReader;
use arrow_ipc::writer::FileWriter;
use arrow_schema::{DataType, Field, Schema};
use arrow_select::take::take_record_batch;
use pinion_runtime::arrow::chunk::{canonical, canonical_field, digest};
use pinion_runtime::sandbox::StepError;
use pinion_runtime::unit::Call;
use pinion_tests::fixtures;
use pinion_tests::memory::Memory;
use pinion_tests::project::Project;
use pinion_tests::step::{NEVER, Step, blob, chain, rows, sandbox, table};

use crate::arrow::samples::sweep::{Table, sweep};
use crate::arrow::samples::types::types;
use crate::arrow::samples::{Random, build, random_field, random_values, values};
use crate::arrow::support::{Kept, Kind};

/// The rows of a table as they are stored.
fn stored(table: &Table) -> RecordBatch {
    let columns = table.fields.iter().zip(&table.columns);
    let columns: Vec<_> = columns
        .map(|(field, column)| canonical(field, &[Arc::clone(column)]).unwrap())
        .collect();
    let fields: Vec<Field> = table.fields.iter().map(canonical_field).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(table.values[0].len()));
    let schema = Arc::new(Schema::new(fields));
    RecordBatch::try_new_with_options(schema, columns, &options).unwrap()
}

/// Compares fields and values with what they were before, to the bit.
#[track_caller]
fn assert_same(found: &[RecordBatch], expected: &RecordBatch, context: &str) {
    for (position, field) in expected.schema().fields().iter().enumerate() {
        let context = || format!("{}, {context}", field.name());
        for batch in found {
            assert_eq!(batch.num_columns(), expected.num_columns());
            assert_eq!(batch.schema().field(position), &**field, "{}", context());
        }
        let pieces: Vec<ArrayRef> = found
            .iter()
            .map(|batch| Arc::clone(batch.column(position)))
            .collect();
        let whole = canonical(field, &pieces).unwrap();
        let expected = canonical(field, &[Arc::clone(expected.column(position))]).unwrap();
        assert_eq!(values(&whole), values(&expected), "{}", context());
        let digests = [whole, expected].map(|column| digest(&column).unwrap());
        assert_eq!(digests[0], digests[1], "{}", context());
    }
}

/// Runs the rows through the guest `echo`, in two partitions.
fn echoed(how: &str, batch: &RecordBatch) -> Result<Vec<RecordBatch>, StepError> {
    let step = Step {
        batch_rows: 5,
        ..Step::new("echo", &format!(r#"{{"how":"{how}"}}"#))
    };
    let mut data = Memory::default();
    let cut = batch.num_rows() * 2 / 3;
    let parts = [
        batch.slice(0, cut),
        batch.slice(cut, batch.num_rows() - cut),
    ];
    let input = data.table(&parts);
    let data = Arc::new(data);
    let unit = step.unit(Call::RowMap, &[("rows", table(&input))])?;
    let done = step.execute(&unit, &data)?;
    Ok(rows(&done, &unit, 0, &data))
}

#[track_caller]
fn assert_echoed(how: &str, table: &Table, batch: &RecordBatch) {
    let context = format!("{}, {how}", table.name);
    let found = echoed(how, batch);
    let found = found.unwrap_or_else(|error| panic!("{context}: {}", chain(&error)));
    assert_same(&found, batch, &context);
}

#[test]
fn every_type_goes_through_a_guest_and_comes_back() {
    for table in sweep() {
        let batch = stored(&table);
        for how in ["turned", "rebuilt", "sliced", "views"] {
            assert_echoed(how, &table, &batch);
        }
    }
}

#[test]
fn types_three_deep_go_through_a_guest_and_come_back() {
    let mut random = Random(1);
    for number in 0..40 {
        let rows = random.below(20);
        let fields = (0..20).map(|column| random_field(&format!("{column}"), 3, &mut random));
        let fields: Vec<Field> = fields.collect();
        let values = fields
            .iter()
            .map(|field| random_values(field, rows, &mut random));
        let values: Vec<_> = values.collect();
        let columns = fields.iter().zip(&values);
        let columns = columns.map(|(field, values)| build(field, values, &mut random));
        let table = Table {
            name: format!("table {number}"),
            columns: columns.collect(),
            fields,
            values,
        };
        for how in ["turned", "rebuilt", "sliced", "views"] {
            assert_echoed(how, &table, &stored(&table));
        }
    }
}

#[test]
fn views_may_cross_the_wall_as_they_are() {
    for table in sweep() {
        let batch = stored(&table);
        let schema = batch.schema();
        let plain = schema.fields().iter().enumerate().filter(|(_, field)| {
            let data_type = field.data_type();
            matches!(data_type, DataType::Utf8 | DataType::Binary)
        });
        let plain: Vec<usize> = plain.map(|(position, _)| position).collect();
        if !plain.is_empty() {
            assert_echoed("sent-views", &table, &batch.project(&plain).unwrap());
        }
    }
}

/// One table of the columns of many, and the Arrow file of their arrays as they were generated: with views,
/// slices and children of any name.
fn together(tables: &[Table]) -> (RecordBatch, Vec<u8>) {
    let (mut fields, mut columns, mut generated) = (Vec::new(), Vec::new(), Vec::new());
    for (position, table) in tables.iter().enumerate() {
        let batch = stored(table);
        for (field, column) in batch.schema().fields().iter().zip(batch.columns()) {
            let name = format!("{position} {}", field.name());
            fields.push(Field::clone(field).with_name(name));
            columns.push(Arc::clone(column));
        }
        generated.extend(table.columns.iter().cloned());
    }
    let as_generated = fields.iter().zip(&generated);
    let as_generated = as_generated
        .map(|(field, column)| field.clone().with_data_type(column.data_type().clone()));
    let schema = Arc::new(Schema::new(as_generated.collect::<Vec<_>>()));
    let mut file = FileWriter::try_new(Vec::new(), &schema).unwrap();
    file.write(&RecordBatch::try_new(schema, generated).unwrap())
        .unwrap();
    let table = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).unwrap();
    (table, file.into_inner().unwrap())
}

const READS: &str = r#"
[pipeline]
name = "types"
batch_rows = 5
partition_batches = 1

[sources.rows]
path = "rows.arrow"

[steps.read]
use = "std:read-arrow@0.1"
input = "sources.rows"
"#;

/// The batches of an Arrow file.
fn batches(file: Vec<u8>) -> Vec<RecordBatch> {
    let reader = FileReader::try_new(Cursor::new(file), None).unwrap();
    reader.collect::<Result<_, _>>().unwrap()
}

#[test]
fn every_type_is_read_from_an_arrow_file_and_exported_to_one() {
    let (empty, full): (Vec<Table>, Vec<Table>) = sweep()
        .into_iter()
        .partition(|table| table.values[0].is_empty());
    for tables in [full, empty] {
        let (table, file) = together(&tables);
        let project = Project::with(&[("pinion.toml", READS)]);
        project.write("rows.arrow", &file);
        project.pinion(&["run"]).succeeded();
        project
            .pinion(&["export", "read", "-o", "out.arrow"])
            .succeeded();
        let found = batches(project.read("out.arrow"));
        assert_eq!(found.len(), table.num_rows().div_ceil(5));
        assert_same(&found, &table, "exported");
    }
}

/// Ten thousand columns of 40 rows.
fn wide() -> RecordBatch {
    let text = |row: usize| (!row.is_multiple_of(7)).then(|| format!("word {}", row % 5));
    let words: ArrayRef = Arc::new((0..40).map(text).collect::<StringArray>());
    let tags: DictionaryArray<Int8Type> = words.as_string::<i32>().iter().collect();
    let tags: ArrayRef = Arc::new(tags);
    let columns = (0..10_000).map(|column| {
        let values: ArrayRef = match column % 4 {
            0 => Arc::new((0..40).map(|row| row * column).collect::<Int64Array>()),
            1 => Arc::new(
                (0..40)
                    .map(|row| row as f64 * 0.5)
                    .collect::<Float64Array>(),
            ),
            2 => Arc::clone(&words),
            _ => Arc::clone(&tags),
        };
        (format!("c{column}"), values, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[test]
fn ten_thousand_columns_go_through_a_pipeline() {
    let table = wide();
    let mut file = FileWriter::try_new(Vec::new(), &table.schema()).unwrap();
    file.write(&table).unwrap();
    let pipeline = READS.to_owned()
        + r#"
[steps.filter]
use = "std:filter-rows@0.1"
input = "read"
params = { where = "c4 >= 40" }

[steps.select]
use = "std:select-columns@0.1"
input = "filter"
params = { drop = ["c1"], rename = { c2 = "second" } }

[steps.derive]
use = "std:derive-columns@0.1"
input = "select"
params = { columns = { sum = "c0 + c4" } }

[steps.sort]
use = "std:sort-rows@0.1"
input = "derive"
params = { by = [{ column = "c8", descending = true }] }

[steps.write]
use = "std:write-parquet@0.1"
input = "sort"
"#;
    let project = Project::with(&[("pinion.toml", &pipeline)]);
    project.write("rows.arrow", &file.into_inner().unwrap());
    project.pinion(&["run"]).succeeded();
    let export = |step: &str, file: &str| {
        project.pinion(&["export", step, "-o", file]).succeeded();
        project.read(file)
    };
    assert_same(&batches(export("read", "read.arrow")), &table, "read");

    let rows = UInt64Array::from_iter_values((10..40).rev());
    let rows = take_record_batch(&table, &rows).unwrap();
    let schema = rows.schema();
    let kept = schema.fields().iter().zip(rows.columns());
    let kept = kept.filter(|(field, _)| field.name() != "c1");
    let mut kept: Vec<_> = kept
        .map(|(field, column)| match field.name().as_str() {
            "c2" => ("second", Arc::clone(column)),
            name => (name, Arc::clone(column)),
        })
        .collect();
    let sum: Int64Array = (10..40).rev().map(|row| row * 4).collect();
    kept.push(("sum", Arc::new(sum)));
    let kept = kept.into_iter().map(|(name, column)| (name, column, true));
    let expected = RecordBatch::try_from_iter_with_nullable(kept).unwrap();
    assert_same(
        &batches(export("sort", "sorted.arrow")),
        &expected,
        "sorted",
    );

    // Parquet has no dictionaries.
    export("write", "written.parquet");
    let schema = expected.schema();
    let plain = schema.fields().iter().zip(expected.columns());
    let plain = plain.map(|(field, column)| match field.data_type() {
        DataType::Dictionary(_, value) => {
            (field.name().clone(), cast(column, value).unwrap(), true)
        }
        _ => (field.name().clone(), Arc::clone(column), true),
    });
    let plain = RecordBatch::try_from_iter_with_nullable(plain).unwrap();
    let again = READS.replace("rows.arrow", "written.parquet");
    let again = again.replace("read-arrow", "read-parquet");
    project.write("pinion.toml", again.as_bytes());
    project.pinion(&["run"]).succeeded();
    assert_same(&batches(export("read", "again.arrow")), &plain, "again");
}

#[test]
fn a_table_may_have_rows_and_no_columns() {
    let numbers: ArrayRef = Arc::new((0..12).collect::<Int64Array>());
    let table = RecordBatch::try_from_iter([("n", numbers)]).unwrap();
    let mut file = FileWriter::try_new(Vec::new(), &table.schema()).unwrap();
    file.write(&table).unwrap();
    let pipeline = READS.to_owned()
        + r#"
[steps.nothing]
use = "std:select-columns@0.1"
input = "read"
params = { keep = [] }

[steps.whole]
use = "std:coalesce@0.1"
input = "nothing"

[steps.one]
use = "std:derive-columns@0.1"
input = "whole"
params = { columns = { one = "1" } }
"#;
    let project = Project::with(&[("pinion.toml", &pipeline)]);
    project.write("rows.arrow", &file.into_inner().unwrap());
    project.pinion(&["run"]).succeeded();
    let shape = |step: &str| {
        project
            .pinion(&["export", step, "-o", "out.arrow"])
            .succeeded();
        let found = batches(project.read("out.arrow"));
        let rows: usize = found.iter().map(RecordBatch::num_rows).sum();
        (rows, found[0].num_columns())
    };
    assert_eq!(
        [shape("nothing"), shape("whole"), shape("one")],
        [(12, 0), (12, 0), (12, 1)]
    );

    // What was exported is a source again.
    let again = READS.replace("rows.arrow", "out.arrow");
    project
        .pinion(&["export", "nothing", "-o", "out.arrow"])
        .succeeded();
    project.write("pinion.toml", again.as_bytes());
    let run = project.pinion(&["run", "--json"]).succeeded().json();
    assert_eq!(run["steps"][0]["outputs"][0]["rows"], 12, "{run:#}");

    let refused = project.pinion(&["export", "read", "-o", "out.parquet"]);
    insta::assert_snapshot!(refused.snapshot(), @"
    exit 2
    --- stderr
    error: `read.table` cannot be written as Parquet
      found no columns

    hint: write an `.arrow` file
    ");
}

/// The types that no table has, alone and below others.
fn refused() -> Vec<Field> {
    let item = Field::new("item", DataType::Int64, true);
    let kinds = Kind::ALL.iter();
    let kinds = kinds.filter(|kind| kind.kept() == Kept::Refused);
    let types = kinds.flat_map(|kind| [types(*kind, None), types(*kind, Some(&item))].concat());
    let alone = types.map(|data_type| Field::new("x", data_type, true));
    alone
        .flat_map(|field| {
            let list = DataType::List(Arc::new(field.clone().with_name("item")));
            let below = DataType::Struct(vec![Field::new("y", list, true)].into());
            [field, Field::new("x", below, true)]
        })
        .collect()
}

#[test]
fn a_file_with_a_type_that_no_table_has_is_refused_by_column_and_type() {
    let step = Step::of(fixtures::standard("read-arrow"), "{}");
    let mut messages = BTreeSet::new();
    for field in refused() {
        let schema = Schema::new(vec![Field::new("n", DataType::Int8, true), field]);
        let mut file = FileWriter::try_new(Vec::new(), &schema).unwrap();
        file.finish().unwrap();
        let mut data = Memory::default();
        let bytes = data.blob(
            "application/vnd.apache.arrow.file",
            &file.into_inner().unwrap(),
        );
        let input = step.bind(&[("source", blob(&bytes))]);
        let unit = Arc::new(step.unchecked(Call::Run, input, Vec::new()));
        let probed = sandbox().probe(&step.program, unit, Arc::new(data), &NEVER);
        messages.insert(chain(&probed.unwrap_err()));
    }
    let messages: Vec<String> = messages.into_iter().collect();
    insta::assert_snapshot!(messages.join("\n"), @"
    column `x.y.item` has type list view, which is not supported
    column `x.y.item` has type run-end encoded, which is not supported
    column `x.y.item` has type union, which is not supported
    column `x` has type list view, which is not supported
    column `x` has type run-end encoded, which is not supported
    column `x` has type union, which is not supported
    ");
}

#[test]
fn what_no_table_has_is_refused_by_column_and_type() {
    let number: ArrayRef = Arc::new(Int64Array::from(vec![1, 2]));
    let batch = RecordBatch::try_from_iter([("n", number)]).unwrap();
    let refused = ["run-end", "union", "list-view"].map(|how| {
        let error = echoed(how, &batch).unwrap_err();
        format!("{how}: {}", chain(&error))
    });
    insta::assert_snapshot!(refused.join("\n"), @"
    run-end: the step broke its contract: the schema of port `rows` is not valid: field `x` has a type that is not supported
      found `+r`, run-end encoded
    union: the step broke its contract: the schema of port `rows` is not valid: field `x` has a type that is not supported
      found `+us:0`, union
    list-view: the step broke its contract: the schema of port `rows` is not valid: field `x` has a type that is not supported
      found `+vl`, list view
    ");
}
