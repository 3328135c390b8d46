use arrow_array::Array;
use arrow_array::RecordBatch;
use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_schema::FieldRef;
use pinion_sdk::testing;

use super::*;

/// From `tests/oracles/machine_learning.py`.
#[derive(Deserialize)]
struct Oracle {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    reference: Vec<f64>,
    current: Vec<f64>,
    psi: f64,
    ks: f64,
    p_value: f64,
}

fn table(columns: Vec<(&str, ArrayRef)>) -> (Vec<FieldRef>, RecordBatch) {
    let columns = columns
        .into_iter()
        .map(|(name, column)| (name, column, true));
    let batch = RecordBatch::try_from_iter_with_nullable(columns).unwrap();
    (batch.schema().fields().to_vec(), batch)
}

fn drift(
    params: &serde_json::Value,
    reference: Vec<(&str, ArrayRef)>,
    current: Vec<(&str, ArrayRef)>,
) -> RecordBatch {
    let (fields, reference) = table(reference);
    let (current_fields, current) = table(current);
    let shapes = vec![
        Shape::table("rows", current_fields.clone()),
        Shape::table("reference", fields.clone()),
    ];
    let promised = MeasureDrift::check(
        serde_json::from_value(params.clone()).unwrap(),
        &Shapes::new(shapes),
    )
    .unwrap();
    // Cut into batches, which must make no difference.
    let half = current.num_rows() / 2;
    let cut = vec![
        current.slice(0, half),
        current.slice(half, current.num_rows() - half),
    ];
    let inputs = Inputs::default()
        .with_table("rows", Table::local(current_fields, cut))
        .with_table("reference", Table::local(fields, vec![reference]));
    let outputs = testing::whole_table::<MeasureDrift>(&params.to_string(), &inputs).unwrap();
    let written = outputs.into_table("drift").remove(0).remove(0);
    assert_eq!(
        promised,
        [Shape::table("drift", written.schema().fields().to_vec())]
    );
    written
}

fn numbers(values: &[f64]) -> ArrayRef {
    Arc::new(Float64Array::from(values.to_vec()))
}

fn figure(drift: &RecordBatch, column: &str, row: usize) -> Option<f64> {
    let figures = drift
        .column_by_name(column)
        .unwrap()
        .as_primitive::<Float64Type>();
    figures.is_valid(row).then(|| figures.value(row))
}

fn drifted(drift: &RecordBatch, row: usize) -> Option<bool> {
    let column = drift.column_by_name("drifted").unwrap().as_boolean();
    column.is_valid(row).then(|| column.value(row))
}

#[test]
fn figures_are_those_of_scipy() {
    let oracle: Oracle = serde_json::from_str(include_str!("../tests/data/scipy.json")).unwrap();
    for case in oracle.cases {
        let params = serde_json::json!({ "columns": ["x"] });
        let found = drift(
            &params,
            vec![("x", numbers(&case.reference))],
            vec![("x", numbers(&case.current))],
        );
        let psi = figure(&found, "psi", 0).unwrap();
        assert!(
            (psi - case.psi).abs() <= 1e-12 * (1.0 + case.psi),
            "{}: {psi} is not {}",
            case.name,
            case.psi
        );
        let ks = figure(&found, "ks", 0).unwrap();
        assert!(
            (ks - case.ks).abs() <= 1e-14,
            "{}: {ks} is not {}",
            case.name,
            case.ks
        );
        // The tail is exact; above 0.02 the p-value is an approximation, here as in its documentation.
        let p_value = figure(&found, "p_value", 0).unwrap();
        let tolerance = if case.p_value < 0.02 {
            1e-9 * case.p_value
        } else {
            3e-4
        };
        assert!(
            (p_value - case.p_value).abs() <= tolerance,
            "{}: {p_value} is not {}",
            case.name,
            case.p_value
        );
    }
}

#[test]
fn five_thousand_normal_values() {
    let (mut reference, mut current) = (Vec::new(), Vec::new());
    for line in include_str!("../tests/data/normal-5000.csv").lines() {
        let (left, right) = line.split_once(',').unwrap();
        reference.push(left.parse().unwrap());
        current.push(right.parse().unwrap());
    }
    let params = serde_json::json!({ "columns": ["x"] });
    let found = drift(
        &params,
        vec![("x", numbers(&reference))],
        vec![("x", numbers(&current))],
    );
    assert!((figure(&found, "psi", 0).unwrap() - 0.05613399631065609).abs() < 1e-14);
    assert!((figure(&found, "ks", 0).unwrap() - 0.0982).abs() < 1e-14);
    let p_value = figure(&found, "p_value", 0).unwrap();
    assert!(
        (p_value / 1.9464739358519546e-21 - 1.0).abs() < 1e-9,
        "{p_value}"
    );
    assert_eq!(drifted(&found, 0), Some(false));
    let strict = serde_json::json!({ "columns": ["x"], "p_value": 0.05 });
    let found = drift(
        &strict,
        vec![("x", numbers(&reference))],
        vec![("x", numbers(&current))],
    );
    assert_eq!(drifted(&found, 0), Some(true));
}

#[test]
fn categories_are_compared_by_value() {
    let text = |values: Vec<Option<&str>>| Arc::new(StringArray::from(values)) as ArrayRef;
    let month = |values: Vec<i64>| Arc::new(Int64Array::from(values)) as ArrayRef;
    let params = serde_json::json!({ "columns": ["carrier", "month"], "categorical": ["month"] });
    let found = drift(
        &params,
        vec![
            (
                "carrier",
                text(vec![Some("UA"), Some("AA"), None, Some("UA")]),
            ),
            ("month", month(vec![1, 1, 2, 2])),
        ],
        vec![
            ("carrier", text(vec![Some("UA"), None, None])),
            ("month", month(vec![2, 1, 2])),
        ],
    );
    let kinds = found.column_by_name("kind").unwrap().as_string::<i32>();
    assert_eq!(
        kinds.iter().flatten().collect::<Vec<_>>(),
        ["categorical", "categorical"]
    );
    let carrier = (1.0 - 2.0 / 3.0) * 1.5f64.ln() + (1e-4 - 1.0 / 3.0) * (3e-4f64).ln();
    assert!((figure(&found, "psi", 0).unwrap() - carrier).abs() < 1e-14);
    let month = (1.0 / 3.0 - 0.5) * (2.0f64 / 3.0).ln() + (2.0 / 3.0 - 0.5) * (4.0f64 / 3.0).ln();
    assert!((figure(&found, "psi", 1).unwrap() - month).abs() < 1e-14);
    assert_eq!(
        (figure(&found, "ks", 0), figure(&found, "p_value", 0)),
        (None, None)
    );
    assert_eq!(
        (drifted(&found, 0), drifted(&found, 1)),
        (Some(true), Some(false))
    );
    let missing = found
        .column_by_name("current_missing")
        .unwrap()
        .as_primitive::<Int64Type>();
    assert_eq!(missing.values().to_vec(), [2, 0]);
}

#[test]
fn nothing_is_said_of_a_side_without_values() {
    let params = serde_json::json!({ "columns": ["x"] });
    let found = drift(
        &params,
        vec![("x", numbers(&[1.0, 2.0]))],
        vec![("x", numbers(&[f64::NAN, f64::INFINITY]))],
    );
    assert_eq!(
        (
            figure(&found, "psi", 0),
            figure(&found, "ks", 0),
            drifted(&found, 0)
        ),
        (None, None, None)
    );
    let missing = found
        .column_by_name("current_missing")
        .unwrap()
        .as_primitive::<Int64Type>();
    assert_eq!(missing.value(0), 2);
}

#[test]
fn check_refuses_what_cannot_be_compared() {
    let shape = |port: &str, data_type| {
        Shape::table(port, vec![Arc::new(Field::new("x", data_type, true))])
    };
    let check = |params: &str, current, reference| {
        let shapes = Shapes::new(vec![shape("rows", current), shape("reference", reference)]);
        MeasureDrift::check(serde_json::from_str(params).unwrap(), &shapes)
            .map_err(|error| error.code)
    };
    assert!(check(r#"{"columns": ["x"]}"#, DataType::Int32, DataType::Float64).is_ok());
    assert_eq!(
        check(r#"{"columns": ["x"]}"#, DataType::Utf8, DataType::Float64),
        Err("wrong-type".to_owned())
    );
    assert_eq!(
        check(r#"{"columns": ["y"]}"#, DataType::Utf8, DataType::Utf8),
        Err("missing-column".to_owned())
    );
    assert_eq!(
        check(
            r#"{"columns": ["x"], "categorical": ["y"]}"#,
            DataType::Int32,
            DataType::Int32
        ),
        Err("bad-params".to_owned())
    );
}
