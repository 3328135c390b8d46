//! Every type of the support table through real components, files and the store.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch, RecordBatchOptions};
use arrow_schema::{DataType, Field, Schema};
use pinion_runtime::arrow::chunk::{canonical, canonical_field, digest};
use pinion_runtime::sandbox::StepError;
use pinion_runtime::unit::Call;
use pinion_tests::memory::Memory;
use pinion_tests::step::{Step, chain, rows, table};

use crate::arrow::samples::{Table, sweep, values};

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
        let expected = expected.column(position);
        assert_eq!(values(&whole), values(expected), "{}", context());
        let digests = [&whole, expected].map(|column| digest(column).unwrap());
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
