use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{ArrayRef, Float64Array, Int32Array, RecordBatch};
use pinion_models::{Categories, ColumnCategories};
use pinion_sdk::{Blob, testing};

use super::*;

/// From `tests/oracles/machine_learning.py`.
#[derive(Deserialize)]
struct Oracle {
    alpha: f64,
    fit_intercept: bool,
    target: Vec<f64>,
    numeric: Vec<Vec<f64>>,
    categorical: Vec<Vec<Option<i32>>>,
    weights: Option<Vec<f64>>,
    coefficients: Vec<f64>,
    intercept: f64,
    objective: f64,
    rank: Option<u64>,
}

impl Oracle {
    fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap()
    }

    fn batch(&self) -> RecordBatch {
        let floats = |values: &Vec<f64>| Arc::new(Float64Array::from(values.clone())) as ArrayRef;
        let mut columns = vec![("y".to_owned(), floats(&self.target), true)];
        for (i, values) in self.numeric.iter().enumerate() {
            columns.push((format!("x{i}"), floats(values), true));
        }
        for (i, codes) in self.categorical.iter().enumerate() {
            columns.push((
                format!("c{i}"),
                Arc::new(Int32Array::from(codes.clone())),
                true,
            ));
        }
        if let Some(weights) = &self.weights {
            columns.push(("w".to_owned(), floats(weights), true));
        }
        RecordBatch::try_from_iter_with_nullable(columns).unwrap()
    }

    fn params(&self) -> serde_json::Value {
        let names = |letter: &str, count: usize| {
            (0..count)
                .map(|i| format!("{letter}{i}"))
                .collect::<Vec<_>>()
        };
        serde_json::json!({
            "target": "y",
            "features": names("x", self.numeric.len()),
            "categorical": names("c", self.categorical.len()),
            "sample_weight": self.weights.as_ref().map(|_| "w"),
            "alpha": self.alpha,
            "fit_intercept": self.fit_intercept,
        })
    }
}

/// The model of rows in partitions that end at `cuts`.
fn fit(
    params: &serde_json::Value,
    side: &Inputs,
    batch: &RecordBatch,
    cuts: &[usize],
) -> Result<Linear> {
    let rows = batch.num_rows();
    let ends = cuts.iter().map(|cut| (*cut).min(rows)).chain([rows]);
    let mut start = 0;
    let partitions: Vec<_> = ends
        .map(|end| {
            let piece = batch.slice(start, end - start);
            start = end;
            // Batches make no difference.
            let middle = piece.num_rows() / 3;
            vec![
                piece.slice(0, middle),
                piece.slice(middle, piece.num_rows() - middle),
            ]
        })
        .collect();
    let fields = batch.schema().fields().clone();
    let outputs = testing::reduce::<FitLinear>(&params.to_string(), side, &fields, &partitions)?;
    Linear::parse(outputs.written_blob("model").unwrap())
}

fn coefficients(model: &Linear) -> Vec<f64> {
    let numeric = model.numeric.iter().map(|feature| feature.coefficient);
    let categorical = model
        .categorical
        .iter()
        .flat_map(|feature| feature.coefficients.iter().copied());
    numeric.chain(categorical).collect()
}

/// Every coefficient, the intercept and the objective to within `tolerance` of their size, however the rows
/// are cut.
fn agrees(json: &str, tolerance: f64) {
    let oracle = Oracle::read(json);
    let cuts: [&[usize]; 4] = [&[], &[3], &[100, 200], &[1, 2, 2, 6, 9, 120, 240]];
    for cuts in cuts {
        let model = fit(&oracle.params(), &Inputs::default(), &oracle.batch(), cuts).unwrap();
        let found = coefficients(&model);
        assert_eq!(found.len(), oracle.coefficients.len());
        let largest = oracle
            .coefficients
            .iter()
            .fold(0.0, |largest: f64, value| largest.max(value.abs()));
        // Where there is no telling what is large, of its own size.
        let size = |expected: f64| match oracle.rank {
            None if oracle.alpha == 0.0 => expected.abs(),
            _ => largest,
        };
        for (i, (found, expected)) in found.iter().zip(&oracle.coefficients).enumerate() {
            assert!(
                (found - expected).abs() <= tolerance * size(*expected),
                "coefficient {i} with cuts {cuts:?}: {found} is not {expected}, by {:e}",
                found / expected - 1.0
            );
        }
        assert!(
            (model.intercept - oracle.intercept).abs()
                <= tolerance * oracle.intercept.abs().max(largest),
            "intercept with cuts {cuts:?}: {} is not {}",
            model.intercept,
            oracle.intercept
        );
        assert!(
            (model.fit.objective - oracle.objective).abs() <= tolerance * oracle.objective + 1e-20,
            "objective with cuts {cuts:?}: {} is not {}",
            model.fit.objective,
            oracle.objective
        );
        let rank = oracle.rank.unwrap_or(oracle.coefficients.len() as u64);
        assert_eq!(model.fit.rank, rank);
        assert_eq!(model.fit.rows, oracle.target.len() as u64);
        let weight: f64 = match &oracle.weights {
            Some(weights) => weights.iter().sum(),
            None => oracle.target.len() as f64,
        };
        assert_eq!(model.fit.weight, weight);
    }
}

#[test]
fn ill_conditioned_data_of_nist() {
    agrees(include_str!("../tests/data/longley.json"), 1e-12);
    // The condition number of the centred columns, scaled, is 4e9: sixteen digits less nine or ten are left.
    agrees(include_str!("../tests/data/filip.json"), 1e-6);
}

#[test]
fn columns_far_from_zero_and_of_other_scales() {
    agrees(include_str!("../tests/data/far.json"), 1e-12);
}

#[test]
fn least_squares() {
    agrees(include_str!("../tests/data/numbers.json"), 1e-12);
    agrees(include_str!("../tests/data/weights.json"), 1e-12);
    agrees(include_str!("../tests/data/no-intercept.json"), 1e-12);
}

#[test]
fn ridge() {
    agrees(include_str!("../tests/data/ridge.json"), 1e-12);
    agrees(include_str!("../tests/data/ridge-weights.json"), 1e-12);
    agrees(include_str!("../tests/data/ridge-no-intercept.json"), 1e-12);
}

#[test]
fn of_many_solutions_the_shortest() {
    agrees(include_str!("../tests/data/categories.json"), 1e-12);
    agrees(include_str!("../tests/data/collinear.json"), 1e-12);
    agrees(include_str!("../tests/data/wide.json"), 1e-12);
}

#[test]
fn the_encoder_tells_the_width() {
    let oracle = Oracle::read(include_str!("../tests/data/ridge-weights.json"));
    let encoder = |width: i64| {
        let categories = ColumnCategories {
            categories: Categories::Integer((0..width).collect()),
            missing: 0,
            rows: 0,
        };
        let columns = BTreeMap::from([("c0".to_owned(), categories)]);
        let bytes = Encoder { columns }.to_bytes().unwrap();
        Inputs::default().with_blob("encoder", Blob::local(Encoder::MEDIA_TYPE, bytes))
    };
    let run = |width| fit(&oracle.params(), &encoder(width), &oracle.batch(), &[150]);
    let model = run(12).unwrap();
    let carrier = &model.categorical[0].coefficients;
    // A category that no row has is left where the penalty wants it.
    assert_eq!((carrier.len(), &carrier[9..]), (12, [0.0; 3].as_slice()));
    assert!((carrier[3] - oracle.coefficients[5]).abs() < 1e-10);
    assert_eq!(run(8).unwrap_err().code, "bad-data");
}

#[test]
fn a_weight_counts_as_repetition_does() {
    let rows = |repeat: bool| {
        let [mut y, mut x, mut w] = [const { Vec::new() }; 3];
        for i in 0..20u16 {
            let (count, weight) = (i % 4, f64::from(i % 4));
            let times = if repeat { count } else { 1 };
            for _ in 0..times {
                y.push(f64::from(i * i % 11));
                x.push(f64::from(i));
                w.push(if repeat { 1.0 } else { weight });
            }
        }
        let columns = [("y", y), ("x", x), ("w", w)];
        let columns =
            columns.map(|(name, values)| (name, Arc::new(Float64Array::from(values)) as ArrayRef));
        RecordBatch::try_from_iter(columns).unwrap()
    };
    let params = serde_json::json!({ "target": "y", "features": ["x"], "sample_weight": "w" });
    let run = |repeat| fit(&params, &Inputs::default(), &rows(repeat), &[]).unwrap();
    let (weighted, repeated) = (run(false), run(true));
    assert!((weighted.numeric[0].coefficient - repeated.numeric[0].coefficient).abs() < 1e-13);
    assert!((weighted.intercept - repeated.intercept).abs() < 1e-13);
    assert_eq!((weighted.fit.rows, repeated.fit.rows), (20, 30));
    assert_eq!(weighted.fit.weight, repeated.fit.weight);
}

/// Columns `y`, `x` and `w`, in which `value` stands once.
fn with(column: &str, value: Option<f64>) -> RecordBatch {
    let columns = ["y", "x", "w"].map(|name| {
        let values = (0..10u8).map(|i| match i {
            7 if name == column => value,
            _ => Some(f64::from(i % 5)),
        });
        let values: Float64Array = values.collect();
        (name, Arc::new(values) as ArrayRef, true)
    });
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

#[test]
fn what_cannot_be_fitted_is_an_error() {
    let params = serde_json::json!({ "target": "y", "features": ["x"], "sample_weight": "w" });
    let refused = |column, value| {
        let error = fit(
            &params,
            &Inputs::default(),
            &with(column, Some(value)),
            &[4],
        )
        .unwrap_err();
        (error.code, error.message)
    };
    for column in ["y", "x", "w"] {
        let error = fit(&params, &Inputs::default(), &with(column, None), &[4]).unwrap_err();
        let message = format!("column `{column}` has missing values");
        assert_eq!(
            (error.code, error.message),
            ("missing-values".into(), message)
        );
        assert_eq!(refused(column, f64::NAN).0, "missing-values");
        let message = format!("column `{column}` has an infinite value");
        assert_eq!(
            refused(column, f64::INFINITY),
            ("not-finite".into(), message)
        );
    }
    let message = "column `w` has a value that cannot be used".into();
    assert_eq!(refused("w", -1.0), ("bad-data".into(), message));
    let message = "the target or the features are too large to add up".into();
    assert_eq!(refused("y", 1e308), ("not-finite".into(), message));
    let weightless = serde_json::json!({ "target": "y", "features": ["x"], "sample_weight": "z" });
    let zeros: ArrayRef = Arc::new(Float64Array::from(vec![0.0; 10]));
    let batch = with("y", None);
    let batch = RecordBatch::try_from_iter([
        ("y", batch["w"].clone()),
        ("x", batch["x"].clone()),
        ("z", zeros),
    ])
    .unwrap();
    let error = fit(&weightless, &Inputs::default(), &batch, &[4]).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        ("no-values", "the weights in column `z` add up to 0")
    );
}

#[test]
fn too_many_categories_are_an_error() {
    let codes: ArrayRef = Arc::new(Int32Array::from(vec![0, i32::MAX]));
    let y: ArrayRef = Arc::new(Float64Array::from(vec![0.0, 1.0]));
    let batch = RecordBatch::try_from_iter([("y", y), ("c", codes)]).unwrap();
    let params = serde_json::json!({ "target": "y", "categorical": ["c"] });
    let error = fit(&params, &Inputs::default(), &batch, &[]).unwrap_err();
    assert_eq!(
        error.message,
        "there are more coefficients than can be fitted"
    );
    assert_eq!(
        error.details[1],
        ("found".to_owned(), "2147483648".to_owned())
    );
}

#[test]
fn a_table_without_rows_is_an_error() {
    let batch = with("y", Some(1.0));
    let fields = batch.schema().fields().clone();
    let params = r#"{"target": "y", "features": ["x"]}"#;
    for partitions in [&[][..], &[vec![]], &[vec![batch.slice(0, 0)], vec![]]] {
        let found = testing::reduce::<FitLinear>(params, &Inputs::default(), &fields, partitions);
        assert_eq!(found.unwrap_err().code, "no-values");
    }
}

#[test]
fn partitions_without_rows_make_no_difference() {
    let oracle = Oracle::read(include_str!("../tests/data/categories.json"));
    let run = |cuts: &[usize]| fit(&oracle.params(), &Inputs::default(), &oracle.batch(), cuts);
    let (with, without) = (run(&[0, 150, 150]).unwrap(), run(&[150]).unwrap());
    for (left, right) in coefficients(&with).iter().zip(coefficients(&without)) {
        assert!((left - right).abs() < 1e-12);
    }
}

#[test]
fn params_that_make_no_sense_are_refused() {
    let fields = with("y", None).schema().fields().to_vec();
    let check = |params: serde_json::Value| {
        let shapes = Shapes::new(vec![Shape::table("rows", fields.clone())]);
        FitLinear::check(serde_json::from_value(params).unwrap(), &shapes)
    };
    let shapes = check(serde_json::json!({ "target": "y", "features": ["x"] })).unwrap();
    assert_eq!(shapes, [Shape::blob("model", Linear::MEDIA_TYPE)]);
    for (params, code) in [
        (serde_json::json!({ "target": "y" }), "bad-params"),
        (
            serde_json::json!({ "target": "y", "features": ["x"], "alpha": -1.0 }),
            "bad-params",
        ),
        (
            serde_json::json!({ "target": "y", "features": ["y"] }),
            "bad-params",
        ),
        (
            serde_json::json!({ "target": "y", "features": ["z"] }),
            "missing-column",
        ),
        (
            serde_json::json!({ "target": "y", "categorical": ["x"] }),
            "wrong-type",
        ),
    ] {
        assert_eq!(check(params).unwrap_err().code, code);
    }
}
