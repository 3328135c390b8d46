//! What a port promises: kept in every unit, or the unit fails.

use std::sync::Arc;

use arrow_array::{ArrayRef, Int64Array, RecordBatch};
use pinion_runtime::sandbox::{Done, StepError};
use pinion_runtime::table::Table;
use pinion_runtime::unit::{Call, Unit};
use pinion_tests::memory::Memory;
use pinion_tests::step::{Step, rows, table};

fn batch(start: i64, len: i64) -> RecordBatch {
    let column =
        |start: i64| -> ArrayRef { Arc::new(Int64Array::from_iter_values(start..start + len)) };
    RecordBatch::try_from_iter([("a", column(start)), ("b", column(100 + start))]).unwrap()
}

/// Partitions of these lengths.
fn numbers(data: &mut Memory, lens: &[i64]) -> Arc<Table> {
    let mut start = 0;
    let batches = lens.iter().map(|len| {
        start += len;
        batch(start - len, *len)
    });
    data.table(&batches.collect::<Vec<_>>())
}

fn row_map(mode: &str, rows: i64) -> (Result<Done, StepError>, Arc<Unit>, Arc<Memory>) {
    let mut data = Memory::default();
    let numbers = numbers(&mut data, &[rows]);
    let data = Arc::new(data);
    let step = Step::new("promise-rows", &format!(r#"{{"mode":"{mode}"}}"#));
    let unit = step
        .unit(Call::RowMap, &[("rows", table(&numbers))])
        .unwrap();
    (step.execute(&unit, &data), unit, data)
}

fn whole_table(mode: &str, lens: &[i64]) -> (Result<Done, StepError>, Arc<Unit>, Arc<Memory>) {
    let mut data = Memory::default();
    let numbers = numbers(&mut data, lens);
    let data = Arc::new(data);
    let step = Step::new("promise-table", &format!(r#"{{"mode":"{mode}"}}"#));
    let inputs = [("rows", table(&numbers)), ("other", table(&numbers))];
    let unit = step.unit(Call::Run, &inputs).unwrap();
    (step.execute(&unit, &data), unit, data)
}

fn message(done: Result<Done, StepError>) -> String {
    match done {
        Ok(_) => "kept".to_owned(),
        Err(error @ StepError::BadOutput(_)) => error.to_string(),
        Err(error) => panic!("{error:?}"),
    }
}

#[test]
fn a_row_map_keeps_its_rows_whichever_way_it_names_them() {
    for mode in ["keep", "take-all", "filter-all"] {
        for count in [0, 1, 3, 9] {
            let (done, unit, data) = row_map(mode, count);
            let done = done.unwrap();
            let made = rows(&done, &unit, 0, &data);
            assert_eq!(made[0].num_rows(), count as usize, "{mode}");
            assert!(
                unit.outputs[0]
                    .promise
                    .as_ref()
                    .is_some_and(|promise| promise.passed.len() == 3)
            );
            let metadata = made[0].schema();
            let mut fields = metadata.fields().iter();
            assert!(fields.all(|field| field.metadata().is_empty()), "{mode}");
        }
    }
}

#[test]
fn a_row_map_that_breaks_its_promise_fails() {
    let modes = [
        "drop-first",
        "drop-all",
        "turn",
        "repeat",
        "other-column",
        "make-it",
        "pass-it",
    ];
    let messages = modes.map(|mode| format!("{mode}: {}", message(row_map(mode, 9).0)));
    insta::assert_snapshot!(messages.join("\n"), @"
    drop-first: the step broke its contract: it promised the rows of input `rows`, in order, and does otherwise
      expected 9 rows
      found    6
    drop-all: the step broke its contract: it promised the rows of input `rows`, in order, and does otherwise
      expected 9 rows
      found    0
    turn: the step broke its contract: it promised the rows of input `rows`, in order, and does otherwise
      expected rows 0 to 9 in column `a`
      found    others, or in another order
    repeat: the step broke its contract: it promised the rows of input `rows`, in order, and does otherwise
      expected rows 0 to 9 in column `a`
      found    others, or in another order
    other-column: the step broke its contract: it promised what it passes on, and does otherwise
      expected column `a` to be column `a` of input `rows`, passed on
      found    column `b` of input `rows`, passed on
    make-it: the step broke its contract: it promised what it passes on, and does otherwise
      expected column `y` to be column `b` of input `rows`, passed on
      found    made
    pass-it: the step broke its contract: it promised what it passes on, and does otherwise
      expected column `made` to be made
      found    column `a` of input `rows`, passed on
    ");
}

#[test]
fn a_whole_table_is_cut_as_its_input_is() {
    for mode in ["keep", "cut"] {
        for lens in [&[5, 3, 4][..], &[0, 5, 0, 0, 9, 0], &[0], &[1]] {
            let (done, unit, data) = whole_table(mode, lens);
            let made = rows(&done.unwrap(), &unit, 0, &data);
            let found: Vec<i64> = made.iter().map(|batch| batch.num_rows() as i64).collect();
            assert_eq!(found, lens, "{mode}");
        }
    }
}

#[test]
fn a_whole_table_that_breaks_its_promise_fails() {
    let modes = [
        "turn",
        "lag-all",
        "other-lag",
        "last-row",
        "nothing",
        "twice",
    ];
    let messages =
        modes.map(|mode| format!("{mode}: {}", message(whole_table(mode, &[5, 3, 4]).0)));
    insta::assert_snapshot!(messages.join("\n"), @"
    turn: the step broke its contract: it promised the rows of input `rows`, in order, and does otherwise
      expected rows 0 to 5 in column `a`
      found    others, or in another order
    lag-all: the step broke its contract: it promised the rows of input `rows`, in order, and does otherwise
      expected rows 0 to 5 in column `a`
      found    others, or in another order
    other-lag: the step broke its contract: it promised what it passes on, and does otherwise
      expected column `lag` to be column `a` of input `rows`, passed on
      found    column `a` of input `other`, passed on
    last-row: the step broke its contract: it promised the rows of input `rows`, in order, and does otherwise
      expected 12 rows
      found    11
    nothing: the step broke its contract: it promised the rows of input `rows`, in order, and does otherwise
      expected 12 rows
      found    0
    twice: the step broke its contract: it promised the rows of input `rows`, in order, and does otherwise
      expected rows 0 to 5 in column `a`
      found    others, or in another order
    ");
}
