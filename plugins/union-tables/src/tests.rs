use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, StructArray,
};
use pinion_sdk::{Content, Table, testing};

use super::*;

fn batch(columns: Vec<(&str, ArrayRef, bool)>) -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

fn integers(values: &[i64]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

fn table(batch: &RecordBatch, piece: usize) -> Table {
    let starts = (0..batch.num_rows()).step_by(piece);
    let batches = starts.map(|start| batch.slice(start, piece.min(batch.num_rows() - start)));
    Table::local(batch.schema().fields().to_vec(), batches.collect())
}

/// All rows of a union of `tables`, whatever the pieces they come in, and what `check` promised.
fn union_of(params: &str, tables: &[&RecordBatch]) -> Result<RecordBatch> {
    let bound = || PORTS.iter().zip(tables);
    let shapes = bound().map(|(port, batch)| Shape::table(port, batch.schema().fields().to_vec()));
    let shapes = Shapes::new(shapes.collect());
    let promised = UnionTables::check(pinion_sdk::guest::params(params)?, &shapes)?;
    let Content::Table(fields) = &promised[0].content else {
        panic!("a table was promised");
    };
    let schema = Arc::new(arrow_schema::Schema::new(fields.clone()));
    let run = |piece: usize| -> Result<RecordBatch> {
        let inputs = bound().fold(Inputs::default(), |inputs, (port, batch)| {
            inputs.with_table(port, table(batch, piece))
        });
        let outputs = testing::whole_table::<UnionTables>(params, &inputs)?;
        // Nullability is the promise's: the host looks at values.
        let batches = outputs.into_table("rows").into_iter().flatten();
        let batches = batches.map(|batch| {
            RecordBatch::try_new(Arc::clone(&schema), batch.columns().to_vec()).unwrap()
        });
        let batches: Vec<_> = batches.map(Batch::from).collect();
        if batches.is_empty() {
            return Ok(RecordBatch::new_empty(Arc::clone(&schema)));
        }
        let whole = Batch::concat(&batches)?;
        let columns = fields.iter().map(|field| whole.array(field.name()));
        let columns = columns.collect::<Result<Vec<_>>>()?;
        Ok(RecordBatch::try_new(Arc::clone(&schema), columns).unwrap())
    };
    let whole = run(100)?;
    for piece in 1..4 {
        assert_eq!(run(piece)?, whole);
    }
    Ok(whole)
}

fn a() -> RecordBatch {
    batch(vec![
        ("x", integers(&[1, 2, 3]), false),
        ("t", Arc::new(StringArray::from(vec!["a", "b", "c"])), false),
    ])
}

/// The columns of `a` the other way round, and `t` with nulls.
fn b() -> RecordBatch {
    batch(vec![
        (
            "t",
            Arc::new(StringArray::from(vec![None, Some("d")])),
            true,
        ),
        ("x", integers(&[4, 5]), false),
    ])
}

fn values(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch[column].as_primitive::<Int64Type>().iter().collect()
}

fn text<'a>(batch: &'a RecordBatch, column: &str) -> Vec<Option<&'a str>> {
    batch[column].as_string::<i32>().iter().collect()
}

#[test]
fn columns_are_matched_by_name() {
    let rows = union_of("{}", &[&a(), &b(), &a()]).unwrap();
    let names: Vec<_> = rows
        .schema()
        .fields()
        .iter()
        .map(|f| f.name().clone())
        .collect();
    assert_eq!(names, ["x", "t"]);
    assert_eq!(values(&rows, "x"), [1, 2, 3, 4, 5, 1, 2, 3].map(Some));
    assert_eq!(
        text(&rows, "t")[2..6],
        [Some("c"), None, Some("d"), Some("a")]
    );
    let schema = rows.schema();
    assert!(!schema.field(0).is_nullable() && schema.field(1).is_nullable());
}

#[test]
fn columns_that_are_missing_are_refused_or_null() {
    let c = batch(vec![
        ("x", integers(&[6]), false),
        ("y", Arc::new(Float64Array::from(vec![0.5])), false),
    ]);
    let error = union_of("{}", &[&a(), &c]).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there is no column `y`\n  column y\n  port first\n  param `missing = \"null\"` fills what some \
         input has not with nulls"
    );
    // What only the first has is missing in the second.
    let error = union_of("{}", &[&b(), &c]).unwrap_err();
    assert!(
        error
            .details
            .contains(&("port".to_owned(), "first".to_owned()))
    );
    let x = batch(vec![("x", integers(&[6]), false)]);
    let error = union_of("{}", &[&a(), &x]).unwrap_err();
    assert!(
        error
            .details
            .contains(&("port".to_owned(), "second".to_owned()))
    );

    let rows = union_of(r#"{"missing": "null"}"#, &[&a(), &c]).unwrap();
    assert_eq!(values(&rows, "x"), [1, 2, 3, 6].map(Some));
    assert_eq!(text(&rows, "t"), [Some("a"), Some("b"), Some("c"), None]);
    assert_eq!(rows["y"].null_count(), 3);
    let schema = rows.schema();
    assert!(schema.field(1).is_nullable() && schema.field(2).is_nullable());
}

#[test]
fn nested_columns_are_filled_as_well() {
    let field = |name| Field::new(name, DataType::Int64, true);
    let inner = StructArray::from(vec![(Arc::new(field("i")), integers(&[7]))]);
    let nested = batch(vec![
        ("x", integers(&[9]), false),
        ("s", Arc::new(inner), true),
    ]);
    let x = batch(vec![("x", integers(&[1, 2]), false)]);
    let rows = union_of(r#"{"missing": "null"}"#, &[&x, &nested]).unwrap();
    assert_eq!(rows["s"].null_count(), 2);
    assert!(rows["s"].is_valid(2));
}

#[test]
fn a_column_can_say_where_rows_come_from() {
    let rows = union_of(r#"{"origin": "from"}"#, &[&a(), &b()]).unwrap();
    let [first, second] = ["first", "second"].map(Some);
    assert_eq!(text(&rows, "from"), [first, first, first, second, second]);
    let labels = r#"{"origin": "from", "labels": {"second": "2013"}}"#;
    let rows = union_of(labels, &[&a(), &b()]).unwrap();
    assert_eq!(text(&rows, "from")[2..4], [first, Some("2013")]);
    assert!(!rows.schema().field(2).is_nullable());
}

#[test]
fn inputs_without_rows_add_none() {
    let none = a().slice(0, 0);
    assert_eq!(union_of("{}", &[&none, &none]).unwrap().num_rows(), 0);
    let rows = union_of(r#"{"origin": "from"}"#, &[&none, &b(), &none]).unwrap();
    assert_eq!(text(&rows, "from"), [Some("second"); 2]);
}

#[test]
fn partitions_stay_as_they_are() {
    let inputs = Inputs::default()
        .with_table("first", table(&a(), 2))
        .with_table("second", table(&b(), 2));
    let outputs = testing::whole_table::<UnionTables>("{}", &inputs).unwrap();
    let rows = |partition: &Vec<RecordBatch>| partition.iter().map(RecordBatch::num_rows).sum();
    let partitions: Vec<usize> = outputs.into_table("rows").iter().map(rows).collect();
    assert_eq!(partitions, [2, 1, 2]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let text = batch(vec![
        ("x", Arc::new(StringArray::from(vec!["1"])), false),
        ("t", Arc::new(StringArray::from(vec!["a"])), false),
    ]);
    assert_eq!(
        union_of("{}", &[&a(), &a(), &text])
            .unwrap_err()
            .to_string(),
        "column `x` is of one type in `first` and of another in `third`\n  column x\n  port third\n  \
         expected Int64, as in `first`\n  found Utf8"
    );
    for (params, code) in [
        (r#"{"origin": "t"}"#, "duplicate-column"),
        (r#"{"labels": {"first": "a"}}"#, "bad-params"),
        (r#"{"origin": "o", "labels": {"third": "a"}}"#, "bad-params"),
        (r#"{"missing": "drop"}"#, "bad-params"),
    ] {
        let error = union_of(params, &[&a(), &b()]).unwrap_err();
        assert_eq!(error.code, code, "{params}");
    }
}

/// What DuckDB finds, from `tests/oracles/tables.py`.
#[test]
fn rows_are_those_that_duckdb_finds() {
    let oracle: serde_json::Value =
        serde_json::from_str(include_str!("../tests/data/duckdb.json")).unwrap();
    let column = |values: &serde_json::Value, name: &str| -> ArrayRef {
        let values = values.as_array().unwrap().iter();
        match name {
            "t" => Arc::new(values.map(|value| value.as_str()).collect::<StringArray>()),
            "x" => Arc::new(values.map(|value| value.as_f64()).collect::<Float64Array>()),
            _ => Arc::new(values.map(|value| value.as_i64()).collect::<Int64Array>()),
        }
    };
    let table = |of: &serde_json::Value| {
        let names: Vec<String> = serde_json::from_value(of["names"].clone()).unwrap();
        let columns = of["columns"].as_array().unwrap();
        let columns = names
            .iter()
            .zip(columns)
            .map(|(name, values)| (name.as_str(), column(values, name), true));
        batch(columns.collect())
    };
    let inputs: Vec<RecordBatch> = oracle["inputs"]
        .as_array()
        .unwrap()
        .iter()
        .map(table)
        .collect();
    let rows = union_of(r#"{"missing": "null"}"#, &inputs.iter().collect::<Vec<_>>()).unwrap();
    let expected = table(&oracle["union"]);
    assert!(expected.num_rows() > 100);
    assert_eq!(rows.schema().fields(), expected.schema().fields());
    assert_eq!(rows, expected);
}
