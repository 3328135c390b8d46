//! Every kind of step through the real runtime: what comes out, what was asked, what was used.

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, UInt64Type};
use arrow_array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt64Array};
use pinion_runtime::expression::Expression;
use pinion_runtime::sandbox::{Done, Kind, Made, Returned, StepError};
use pinion_runtime::table::Table;
use pinion_runtime::unit::{Call, Observation, Question, ShapeContent, Unit};
use pinion_tests::fixtures;
use pinion_tests::memory::Memory;
use pinion_tests::step::{NEVER, Step, blob, program, rows, sandbox, table};

fn batch(columns: &[(&str, ArrayRef)]) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(
        columns
            .iter()
            .map(|(name, values)| (*name, Arc::clone(values), true)),
    )
    .unwrap()
}

fn ints(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(values.iter().copied().collect::<Int64Array>())
}

fn words(values: &[&str]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn floats(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn questions(observations: &[Observation]) -> Vec<&Question> {
    observations
        .iter()
        .map(|observation| &observation.question)
        .collect()
}

/// The questions in one line each, as the key reads them.
fn asked(done: &Done) -> Vec<String> {
    questions(&done.observations)
        .iter()
        .map(|question| format!("{question:?}"))
        .collect()
}

fn same(left: &Done, right: &Done) {
    assert_eq!(left.observations, right.observations);
    assert_eq!(left.usage, right.usage);
    assert_eq!(left.returned, right.returned);
    assert_eq!(left.log, right.log);
    assert_eq!(
        (left.read_bytes, left.copied_bytes),
        (right.read_bytes, right.copied_bytes)
    );
    assert_eq!(
        format!("{:?}", left.outputs),
        format!("{:?}", right.outputs)
    );
}

/// Seven rows; `a` is what steps ask for.
fn flights(data: &mut Memory) -> Arc<Table> {
    data.table(&[batch(&[
        (
            "a",
            ints(&[Some(1), Some(5), None, Some(3), Some(9), Some(-2), Some(4)]),
        ),
        ("b", words(&["p", "q", "r", "s", "t", "u", "v"])),
        ("c", floats(&[0.5, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5])),
    ])])
}

fn add_one() -> Step {
    Step::new("add-one", r#"{"at_least":4,"column":"a"}"#)
}

#[test]
fn fixtures_describe_themselves_as_what_they_export() {
    let kinds: Vec<(&str, Kind)> = fixtures::names()
        .into_iter()
        .filter(|name| *name != "sockets")
        .map(|name| {
            (
                name,
                sandbox()
                    .describe(&program(fixtures::component(name)).unwrap(), &NEVER)
                    .unwrap()
                    .kind,
            )
        })
        .collect();
    let expected = [
        ("add-one", Kind::RowMap),
        ("audit", Kind::RowMap),
        ("barrage", Kind::WholeTable),
        ("c-scale", Kind::RowMap),
        ("count-lines", Kind::Source),
        ("echo", Kind::RowMap),
        ("hoard", Kind::WholeTable),
        ("misbehave", Kind::RowMap),
        ("miscut", Kind::Source),
        ("moments", Kind::Reduce),
        ("promise-rows", Kind::RowMap),
        ("promise-table", Kind::WholeTable),
        ("scale-and-add", Kind::RowMap),
        ("sort-rows", Kind::WholeTable),
        ("tell", Kind::WholeTable),
        ("tell-all", Kind::Reduce),
        ("tell-each", Kind::RowMap),
    ];
    assert_eq!(kinds, expected);
}

#[test]
fn row_map_reads_one_column_and_passes_the_others() {
    let mut data = Memory::default();
    let flights = flights(&mut data);
    let data = Arc::new(data);
    let step = add_one();
    let unit = step
        .unit(Call::RowMap, &[("rows", table(&flights))])
        .unwrap();
    let done = step.execute(&unit, &data).unwrap();

    assert_eq!(
        data.fetched(),
        ["a"],
        "two batches, one fetch, no other column"
    );
    insta::assert_snapshot!(asked(&done).join("\n"), @r#"
    Rows { port: "rows" }
    BatchRows
    Field { port: "rows", name: "a" }
    Column { port: "rows", name: "a" }
    "#);

    // What was passed stays a reference to the input; what was made is there once.
    let Made::Table(kept) = &done.outputs[0] else {
        panic!("a table")
    };
    let Some(Expression::With(of, _)) = &kept[0].expression else {
        panic!("{:?}", kept[0].expression)
    };
    assert_eq!(**of, Expression::Input("rows".to_owned()));
    assert_eq!(kept[0].made.len(), 1);
    let Made::Table(rest) = &done.outputs[1] else {
        panic!("a table")
    };
    assert_eq!(
        rest[0].expression,
        Some(Expression::Input("rows".to_owned()))
    );
    assert_eq!(rest[0].made.len(), 0);

    let expected = batch(&[
        ("a", ints(&[Some(6), Some(4), Some(10), Some(5)])),
        ("b", words(&["q", "s", "t", "v"])),
        ("c", floats(&[1.5, 3.5, 4.5, 6.5])),
    ]);
    assert_eq!(rows(&done, &unit, 0, &data), [expected]);
    let expected = batch(&[
        ("a", ints(&[Some(1), None, Some(-2)])),
        ("b", words(&["p", "r", "u"])),
        ("c", floats(&[0.5, 2.5, 5.5])),
    ]);
    assert_eq!(rows(&done, &unit, 1, &data), [expected]);
}

#[test]
fn row_map_does_not_notice_where_batches_are_cut() {
    let mut data = Memory::default();
    let flights = flights(&mut data);
    let data = Arc::new(data);
    let results: Vec<_> = [1, 2, 3, 7, 1000]
        .into_iter()
        .map(|batch_rows| {
            let step = Step {
                batch_rows,
                ..add_one()
            };
            let unit = step
                .unit(Call::RowMap, &[("rows", table(&flights))])
                .unwrap();
            let done = step.execute(&unit, &data).unwrap();
            (
                rows(&done, &unit, 0, &data),
                rows(&done, &unit, 1, &data),
                format!("{:?}", done.outputs),
            )
        })
        .collect();
    for other in &results[1..] {
        assert_eq!(results[0], *other);
    }
}

#[test]
fn row_map_of_no_rows_is_never_applied() {
    let mut data = Memory::default();
    let empty = data.table(&[batch(&[("a", ints(&[]))])]);
    let data = Arc::new(data);
    let step = add_one();
    let unit = step.unit(Call::RowMap, &[("rows", table(&empty))]).unwrap();
    let done = step.execute(&unit, &data).unwrap();
    assert_eq!(rows(&done, &unit, 0, &data)[0].num_rows(), 0);
    assert_eq!(data.fetched(), [] as [&str; 0]);
}

#[test]
fn check_refuses_what_apply_would() {
    let mut data = Memory::default();
    let flights = flights(&mut data);
    let step = Step {
        params: r#"{"at_least":4,"column":"d"}"#.into(),
        ..add_one()
    };
    let error = step
        .unit(Call::RowMap, &[("rows", table(&flights))])
        .unwrap_err();
    assert!(
        matches!(&error, StepError::Refused { code, .. } if code == "missing-column"),
        "{error:?}"
    );
    let step = Step {
        params: r#"{"at_least":4,"column":"b"}"#.into(),
        ..add_one()
    };
    let error = step
        .unit(Call::RowMap, &[("rows", table(&flights))])
        .unwrap_err();
    assert!(
        matches!(&error, StepError::Refused { code, .. } if code == "wrong-type"),
        "{error:?}"
    );
    let step = Step {
        params: r#"{"at_most":4}"#.into(),
        ..add_one()
    };
    let error = step
        .unit(Call::RowMap, &[("rows", table(&flights))])
        .unwrap_err();
    assert!(
        matches!(&error, StepError::Refused { code, .. } if code == "bad-params"),
        "{error:?}"
    );
}

#[test]
fn guest_in_c_scales_a_column() {
    let mut data = Memory::default();
    let flights = flights(&mut data);
    let data = Arc::new(data);
    let step = Step::new("c-scale", r#"{"column":"c","factor":-3}"#);
    let unit = step
        .unit(Call::RowMap, &[("rows", table(&flights))])
        .unwrap();
    let done = step.execute(&unit, &data).unwrap();
    assert_eq!(data.fetched(), ["c"]);
    insta::assert_snapshot!(asked(&done).join("\n"), @r#"
    Rows { port: "rows" }
    BatchRows
    Field { port: "rows", name: "c" }
    Column { port: "rows", name: "c" }
    "#);
    let result = rows(&done, &unit, 0, &data).remove(0);
    let scaled: Vec<f64> = result["c"].as_primitive::<Float64Type>().values().to_vec();
    assert_eq!(scaled, [-1.5, -4.5, -7.5, -10.5, -13.5, -16.5, -19.5]);
    assert_eq!(&result["b"], &words(&["p", "q", "r", "s", "t", "u", "v"]));

    for (params, expected) in [
        (r#"{"column":"d","factor":2}"#, "missing-column"),
        (r#"{"column":"b","factor":2}"#, "wrong-type"),
        (r#"{"column":"c"}"#, "bad-params"),
        (r#"{"column":"c","factor":"2"}"#, "bad-params"),
    ] {
        let step = Step::new("c-scale", params);
        let error = step
            .unit(Call::RowMap, &[("rows", table(&flights))])
            .unwrap_err();
        assert_eq!(error.code(), expected, "{params}");
    }
}

/// A unit of a source over `text`, and the ranges of about `rows` rows.
fn count_lines(text: &[u8], rows: u64) -> (Step, Arc<Memory>, Vec<Arc<Unit>>) {
    let mut data = Memory::default();
    let bytes = data.blob("text/plain", text);
    let data = Arc::new(data);
    let step = Step::new("count-lines", "{}");
    let inputs = step.bind(&[("source", blob(&bytes))]);
    let unit = Arc::new(step.unchecked(Call::Run, inputs.clone(), Vec::new()));
    let fields = sandbox()
        .probe(
            &step.program,
            Arc::clone(&unit),
            Arc::clone(&data) as _,
            &NEVER,
        )
        .unwrap();
    let probed = pinion_runtime::unit::Shape::new("probe".into(), ShapeContent::Table(fields));
    let outputs = step.check(&[probed]).unwrap();
    let ranges = sandbox()
        .partition(&step.program, unit, Arc::clone(&data) as _, rows, &NEVER)
        .unwrap();
    let units = ranges
        .into_iter()
        .map(|range| Arc::new(step.unchecked(Call::Read(range), inputs.clone(), outputs.clone())));
    let units = units.collect();
    (step, data, units)
}

#[test]
fn source_reads_range_by_range() {
    let (step, data, units) = count_lines("one\nthree\n\nünf\nlast".as_bytes(), 2);
    assert_eq!(units.len(), 3);
    let mut lines = Vec::new();
    for unit in &units {
        let done = step.execute(unit, &data).unwrap();
        insta::allow_duplicates! {
            insta::assert_snapshot!(asked(&done).join("\n"), @r#"Blob { port: "source" }"#);
        }
        for batch in rows(&done, unit, 0, &data) {
            let length = batch["length"]
                .as_primitive::<UInt64Type>()
                .values()
                .to_vec();
            lines.extend(
                batch["line"]
                    .as_string::<i32>()
                    .iter()
                    .map(|line| line.unwrap().to_owned())
                    .zip(length),
            );
        }
    }
    let expected = [("one", 3), ("three", 5), ("", 0), ("ünf", 4), ("last", 4)];
    assert_eq!(
        lines,
        expected.map(|(line, length)| (line.to_owned(), length))
    );
}

#[test]
fn source_is_asked_only_for_the_columns_that_are_wanted() {
    let (step, data, units) = count_lines(b"one\nthree\n", 10);
    let mut unit = (*units[0]).clone();
    if let ShapeContent::Table(fields) = &mut unit.outputs[0].content {
        fields.remove(0);
    }
    let unit = Arc::new(unit);
    let done = step.execute(&unit, &data).unwrap();
    let result = rows(&done, &unit, 0, &data).remove(0);
    assert_eq!(result.num_columns(), 1);
    assert_eq!(
        result["length"]
            .as_primitive::<UInt64Type>()
            .values()
            .to_vec(),
        [3, 5]
    );
}

#[test]
fn source_refuses_bytes_that_are_not_its_own() {
    let (step, data, units) = count_lines(b"\xff\n", 10);
    let error = step.execute(&units[0], &data).unwrap_err();
    assert_eq!(
        (error.code(), error.to_string()),
        ("bad-file", "the text is not UTF-8".to_owned())
    );
}

/// All calls of a reduce step, as a run makes them; two partitions.
fn moments(with_origin: bool) -> (Vec<Done>, RecordBatch, Vec<u8>) {
    let mut data = Memory::default();
    let parts = [
        batch(&[("x", floats(&[1.0, 2.0, 3.0]))]),
        batch(&[("x", floats(&[4.0, 10.0]))]),
    ];
    let whole = data.table(&parts);
    let origin = data.table(&[batch(&[
        ("value", floats(&[1.0])),
        ("note", words(&["unread"])),
    ])]);
    let data = Arc::new(data);
    let step = Step::new("moments", r#"{"column":"x"}"#);
    let main = |partition: usize| {
        (
            "rows",
            table(&Arc::new(whole.partition(partition).unwrap())),
        )
    };
    let mut inputs = vec![main(0)];
    if with_origin {
        inputs.push(("origin", table(&origin)));
    }
    let outputs = step.unit(Call::Init, &inputs).unwrap().outputs.clone();
    let run = |call: Call, inputs: &[_]| {
        step.execute(
            &Arc::new(step.unchecked(call, step.bind(inputs), outputs.clone())),
            &data,
        )
        .unwrap()
    };
    let bytes = |done: &Done| -> Arc<[u8]> {
        match &done.returned {
            Returned::Bytes(bytes) | Returned::Next(bytes) | Returned::Done(bytes) => {
                bytes.to_vec().into()
            }
            other => panic!("{other:?}"),
        }
    };
    let mut all = Vec::new();
    all.push(run(Call::Init, &inputs[1..]));
    let mut state = bytes(&all[0]);
    let mut carries: Vec<Arc<[u8]>> = vec![Vec::new().into(); 2];
    for round in 0..2 {
        let mut partials: Vec<Arc<[u8]>> = Vec::new();
        for (partition, carried) in carries.iter_mut().enumerate() {
            let call = Call::Partial {
                round,
                state: Arc::clone(&state),
                carry: Arc::clone(carried),
            };
            let done = run(call, &[main(partition)]);
            let Returned::Share { partial, carry } = &done.returned else {
                panic!("{done:?}")
            };
            *carried = carry.to_vec().into();
            partials.push(partial.to_vec().into());
            all.push(done);
        }
        let merged = run(
            Call::Merge {
                left: Arc::clone(&partials[0]),
                right: Arc::clone(&partials[1]),
            },
            &[],
        );
        let updated = run(
            Call::Update {
                round,
                state,
                merged: Some(bytes(&merged)),
            },
            &[],
        );
        assert_eq!(matches!(updated.returned, Returned::Done(_)), round == 1);
        state = bytes(&updated);
        all.extend([merged, updated]);
    }
    let unit = Arc::new(step.unchecked(Call::Finish { state }, Vec::new(), outputs.clone()));
    let done = step.execute(&unit, &data).unwrap();
    let summary = rows(&done, &unit, 0, &data).remove(0);
    let Made::Blob(model) = &done.outputs[1] else {
        panic!("a blob")
    };
    let model = model.clone();
    all.push(done);
    let seed = unit.seed_bits(7);
    assert_eq!(
        summary["seed"]
            .as_primitive::<UInt64Type>()
            .values()
            .to_vec(),
        [seed]
    );
    (all, summary, model)
}

#[test]
fn reduce_runs_rounds_with_carry() {
    let (all, summary, model) = moments(true);
    let value = |name: &str| summary[name].as_primitive::<Float64Type>().value(0);
    // Of 0, 1, 2, 3, 9: the mean is 3, the squared deviations 9 + 4 + 1 + 0 + 36 over 5.
    assert_eq!((value("mean"), value("variance")), (3.0, 10.0));
    assert_eq!(summary["rows"].as_primitive::<UInt64Type>().value(0), 5);
    assert_eq!(model, 3.0_f64.to_le_bytes());
    let asked: Vec<String> = all.iter().map(|done| asked(done).join(" ")).collect();
    insta::assert_snapshot!(asked.join("\n"), @r#"
    Layout { port: "origin" } BatchRows Field { port: "origin", name: "value" } Column { port: "origin", name: "value" } Seed { substream: 7 }
    Rows { port: "rows" } Layout { port: "rows" } BatchRows Field { port: "rows", name: "x" } Column { port: "rows", name: "x" }
    Rows { port: "rows" } Layout { port: "rows" } BatchRows Field { port: "rows", name: "x" } Column { port: "rows", name: "x" }


    Rows { port: "rows" }
    Rows { port: "rows" }
    "#);
}

#[test]
fn reduce_lives_without_an_optional_input() {
    let (_, summary, _) = moments(false);
    assert_eq!(summary["mean"].as_primitive::<Float64Type>().value(0), 4.0);
}

fn sort(data: &mut Memory) -> (Step, Arc<Unit>) {
    let part = |keys: &[Option<i64>], names: &[&str]| {
        batch(&[("key", ints(keys)), ("name", words(names))])
    };
    let unsorted = data.table(&[
        part(
            &[Some(5), Some(1), None, Some(4), Some(2)],
            &["five", "one", "none", "four", "two"],
        ),
        part(
            &[Some(3), Some(1), Some(9), Some(0), Some(7)],
            &["three", "uno", "nine", "zero", "seven"],
        ),
    ]);
    let step = Step::new("sort-rows", r#"{"by":"key"}"#);
    let unit = step.unit(Call::Run, &[("rows", table(&unsorted))]).unwrap();
    (step, unit)
}

#[test]
fn whole_table_makes_two_passes_and_two_outputs() {
    let mut data = Memory::default();
    let (step, unit) = sort(&mut data);
    let data = Arc::new(data);
    let done = step.execute(&unit, &data).unwrap();
    assert_eq!(
        data.fetched(),
        ["key", "key"],
        "one chunk of each partition, once"
    );
    insta::assert_snapshot!(asked(&done).join("\n"), @r#"
    Layout { port: "rows" }
    BatchRows
    Field { port: "rows", name: "key" }
    Column { port: "rows", name: "key" }
    Rows { port: "rows" }
    "#);

    // Nothing was made: sorted rows are row numbers over the input. Partitions have two batches of four.
    let Made::Table(sorted) = &done.outputs[0] else {
        panic!("a table")
    };
    assert_eq!(
        sorted
            .iter()
            .map(|partition| (partition.rows, partition.made.len()))
            .collect::<Vec<_>>(),
        [(8, 0), (2, 0)]
    );
    let names: Vec<String> = rows(&done, &unit, 0, &data)
        .iter()
        .flat_map(|batch| {
            batch["name"]
                .as_string::<i32>()
                .iter()
                .map(|name| name.unwrap().to_owned())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(
        names,
        [
            "zero", "one", "uno", "two", "three", "four", "five", "seven", "nine", "none"
        ]
    );
    let Made::Blob(order) = &done.outputs[1] else {
        panic!("a blob")
    };
    assert_eq!(
        String::from_utf8_lossy(order),
        "8\n1\n6\n4\n5\n3\n0\n9\n7\n2\n"
    );
}

#[test]
fn equal_units_give_equal_results_on_every_thread() {
    let mut data = Memory::default();
    let flights = flights(&mut data);
    let (sort, sorting) = sort(&mut data);
    let data = Arc::new(data);
    let add = add_one();
    let adding = add
        .unit(Call::RowMap, &[("rows", table(&flights))])
        .unwrap();
    for (step, unit) in [(&add, &adding), (&sort, &sorting)] {
        let first = step.execute(unit, &data).unwrap();
        assert!(first.usage.fuel > 0 && first.usage.memory_bytes > 0);
        assert!(first.usage.memory_bytes <= step.limits.memory_bytes);
        std::thread::scope(|scope| {
            let runs: Vec<_> = (0..4)
                .map(|_| scope.spawn(|| step.execute(unit, &data).unwrap()))
                .collect();
            for run in runs {
                same(&first, &run.join().unwrap());
            }
        });
    }
}

#[test]
fn data_that_is_gone_is_said_to_be() {
    let mut data = Memory::default();
    let flights = flights(&mut data);
    let step = add_one();
    let unit = step
        .unit(Call::RowMap, &[("rows", table(&flights))])
        .unwrap();
    let error = step
        .execute(&unit, &Arc::new(Memory::default()))
        .unwrap_err();
    insta::assert_snapshot!(pinion_tests::step::chain(&error), @r"
    data that the step asked for cannot be read
    caused by: column `a` is gone
    ");
}

#[test]
fn nobody_waits_for_what_is_cancelled() {
    let mut data = Memory::default();
    let flights = flights(&mut data);
    let step = add_one();
    let unit = step
        .unit(Call::RowMap, &[("rows", table(&flights))])
        .unwrap();
    static CANCELLED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(true);
    let error = sandbox()
        .execute(&step.program, &unit, Arc::new(data), &CANCELLED)
        .unwrap_err();
    assert!(matches!(error, StepError::Cancelled));
}

#[test]
fn row_map_of_uint64_survives_the_wall_unchanged() {
    // The largest values and a bitmap that ends in the middle of a byte.
    let mut data = Memory::default();
    let values: ArrayRef = Arc::new(UInt64Array::from(vec![Some(u64::MAX), None, Some(0)]));
    let given = data.table(&[batch(&[
        ("a", ints(&[Some(i64::MAX), None, Some(i64::MIN)])),
        ("u", values),
    ])]);
    let data = Arc::new(data);
    let step = Step {
        params: format!(r#"{{"at_least":{},"column":"a"}}"#, i64::MIN).into(),
        ..add_one()
    };
    let unit = step.unit(Call::RowMap, &[("rows", table(&given))]).unwrap();
    let done = step.execute(&unit, &data).unwrap();
    let expected = batch(&[
        ("a", ints(&[Some(i64::MIN), Some(i64::MIN + 1)])),
        ("u", Arc::new(UInt64Array::from(vec![u64::MAX, 0]))),
    ]);
    assert_eq!(rows(&done, &unit, 0, &data), [expected]);
}
