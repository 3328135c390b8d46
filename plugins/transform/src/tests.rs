use std::collections::BTreeMap;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, Float64Array, Int32Array, Int64Array, RecordBatch, StringArray,
};
use pinion_models::{Categories, ColumnCategories, Fill, ImputedColumn, ScaledColumn};
use pinion_sdk::{Blob, testing};

use super::*;

fn rows() -> RecordBatch {
    RecordBatch::try_from_iter_with_nullable([
        (
            "id",
            Arc::new(Int64Array::from(vec![1, 2, 3])) as ArrayRef,
            false,
        ),
        (
            "temp",
            Arc::new(Int64Array::from(vec![Some(10), None, Some(30)])),
            true,
        ),
        (
            "wind",
            Arc::new(Float64Array::from(vec![Some(4.0), None, Some(f64::NAN)])),
            true,
        ),
        (
            "carrier",
            Arc::new(StringArray::from(vec![Some("UA"), None, Some("ZZ")])),
            true,
        ),
    ])
    .unwrap()
}

fn side() -> Inputs {
    let imputed = |fill, strategy: &str| ImputedColumn {
        fill,
        missing: 1,
        rows: 3,
        strategy: strategy.to_owned(),
    };
    let imputer = Imputer {
        columns: BTreeMap::from([
            ("temp".to_owned(), imputed(Fill::Number(20.0), "mean")),
            (
                "carrier".to_owned(),
                imputed(Fill::Text("AA".to_owned()), "constant"),
            ),
        ]),
    };
    let scaled = ScaledColumn {
        center: 10.0,
        missing: 0,
        rows: 3,
        scale: 4.0,
    };
    let scaler = Scaler {
        columns: BTreeMap::from([
            ("temp".to_owned(), scaled.clone()),
            ("wind".to_owned(), scaled),
        ]),
        method: "standard".to_owned(),
    };
    let categories = Categories::Text(vec!["AA".to_owned(), "UA".to_owned()]);
    let encoder = Encoder {
        columns: BTreeMap::from([(
            "carrier".to_owned(),
            ColumnCategories {
                categories,
                missing: 1,
                rows: 3,
            },
        )]),
    };
    Inputs::default()
        .with_blob(
            "imputer",
            Blob::local(Imputer::MEDIA_TYPE, imputer.to_bytes().unwrap()),
        )
        .with_blob(
            "scaler",
            Blob::local(Scaler::MEDIA_TYPE, scaler.to_bytes().unwrap()),
        )
        .with_blob(
            "encoder",
            Blob::local(Encoder::MEDIA_TYPE, encoder.to_bytes().unwrap()),
        )
}

fn shapes() -> Vec<Shape> {
    vec![
        Shape::table("rows", rows().schema().fields().to_vec()),
        Shape::blob("imputer", Imputer::MEDIA_TYPE),
        Shape::blob("scaler", Scaler::MEDIA_TYPE),
        Shape::blob("encoder", Encoder::MEDIA_TYPE),
    ]
}

const PARAMS: &str =
    r#"{"impute": ["temp", "carrier"], "scale": ["temp", "wind"], "encode": ["carrier"]}"#;

#[test]
fn imputes_then_scales_then_encodes() {
    let out = testing::row_map::<Transform>(PARAMS, side(), &[rows()], "rows")
        .unwrap()
        .remove(0);
    let expected: [(&str, ArrayRef); 4] = [
        ("id", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ("temp", Arc::new(Float64Array::from(vec![0.0, 2.5, 5.0]))),
        (
            "wind",
            Arc::new(Float64Array::from(vec![Some(-1.5), None, None])),
        ),
        (
            "carrier",
            Arc::new(Int32Array::from(vec![Some(1), Some(0), None])),
        ),
    ];
    for (position, (name, values)) in expected.into_iter().enumerate() {
        assert_eq!(out.schema().field(position).name(), name);
        assert_eq!(out.column(position).to_data(), values.to_data(), "{name}");
    }
    let promised = testing::check_row_map::<Transform>(PARAMS, shapes()).unwrap();
    assert_eq!(
        promised,
        [Shape::table("rows", out.schema().fields().to_vec())]
    );
    let nullable: Vec<bool> = out
        .schema()
        .fields()
        .iter()
        .map(|field| field.is_nullable())
        .collect();
    assert_eq!(nullable, [false, false, true, true]);
}

#[test]
fn columns_and_models_come_in_pairs() {
    let check = |params: &str, shapes| {
        testing::check_row_map::<Transform>(params, shapes)
            .unwrap_err()
            .code
    };
    assert_eq!(
        check(r#"{"impute": ["temp"], "scale": ["temp"]}"#, shapes()),
        "bad-params"
    );
    assert_eq!(check(PARAMS, shapes()[..3].to_vec()), "missing-port");
    let both = r#"{"impute": ["temp"], "scale": ["temp"], "encode": ["temp"]}"#;
    assert_eq!(check(both, shapes()), "bad-params");
    let twice = r#"{"impute": ["temp", "temp"], "scale": ["wind"], "encode": ["carrier"]}"#;
    assert_eq!(check(twice, shapes()), "bad-params");
}

#[test]
fn a_column_that_the_model_lacks_is_an_error() {
    let refused =
        |params| testing::row_map::<Transform>(params, side(), &[rows()], "rows").unwrap_err();
    let error = refused(r#"{"impute": ["wind"]}"#);
    assert_eq!(error.code, "column-not-in-model");
    assert_eq!(error.message, "the imputer was not fitted on column `wind`");
    assert_eq!(refused(r#"{"encode": ["id"]}"#).code, "column-not-in-model");
}
