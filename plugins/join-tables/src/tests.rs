//! Joins of small tables, by hand.
#![expect(clippy::unwrap_used, reason = "tests")]

mod nearest;

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Date64Array, Float64Array, Int8Array, Int64Array,
    RecordBatch, StringArray, UInt64Array,
};
use pinion_sdk::{Content, testing};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

fn batch(columns: Vec<(&str, ArrayRef)>) -> RecordBatch {
    RecordBatch::try_from_iter(columns).unwrap()
}

fn int64(values: impl Into<Int64Array>) -> ArrayRef {
    Arc::new(values.into())
}

fn text(values: Vec<&str>) -> ArrayRef {
    Arc::new(StringArray::from(values))
}

fn join(params: &str, left: &RecordBatch, right: &[RecordBatch]) -> Result<RecordBatch> {
    let shapes = vec![shape("left", left), shape("right", &right[0])];
    let mut checked = testing::check_row_map::<JoinTables>(params, shapes)?;
    let Content::Table(promised) = checked.remove(0).content else {
        unreachable!()
    };
    let side = Inputs::default().with_table(
        "right",
        Table::local(right[0].schema().fields().to_vec(), right.to_vec()),
    );
    let out =
        testing::row_map::<JoinTables>(params, side, std::slice::from_ref(left), "rows")?.remove(0);
    for (promised, found) in promised.iter().zip(out.schema().fields()) {
        assert_eq!(
            (promised.name(), promised.data_type()),
            (found.name(), found.data_type())
        );
        assert!(promised.is_nullable() || !found.is_nullable(), "{promised}");
    }
    assert_eq!(promised.len(), out.num_columns());
    Ok(out)
}

fn shape(port: &str, batch: &RecordBatch) -> Shape {
    Shape::table(port, batch.schema().fields().to_vec())
}

fn values(batch: &RecordBatch, column: &str) -> Vec<Option<i64>> {
    batch[column].as_primitive::<Int64Type>().iter().collect()
}

/// Keys 1, 2, null, 3, 2.
fn left() -> RecordBatch {
    batch(vec![
        ("k", int64(vec![Some(1), Some(2), None, Some(3), Some(2)])),
        ("a", int64(vec![0, 1, 2, 3, 4])),
    ])
}

/// Keys 2, 1, null and then 2: in two batches.
fn right() -> Vec<RecordBatch> {
    let rows = |keys: Vec<Option<i8>>, values: Vec<i64>| {
        batch(vec![
            ("k", Arc::new(Int8Array::from(keys)) as _),
            ("b", int64(values)),
        ])
    };
    vec![
        rows(vec![Some(2), Some(1), None], vec![10, 11, 12]),
        rows(vec![Some(2)], vec![13]),
    ]
}

#[test]
fn an_inner_join_keeps_matches_in_left_then_right_order() {
    let out = join(r#"{"on": ["k"]}"#, &left(), &right()).unwrap();
    assert_eq!(values(&out, "a"), [0, 1, 1, 4, 4].map(Some));
    assert_eq!(values(&out, "b"), [11, 10, 13, 10, 13].map(Some));
}

#[test]
fn a_left_join_keeps_every_left_row() {
    let out = join(r#"{"on": "k", "how": "left"}"#, &left(), &right()).unwrap();
    assert_eq!(values(&out, "a"), [0, 1, 1, 2, 3, 4, 4].map(Some));
    assert_eq!(
        values(&out, "b"),
        [Some(11), Some(10), Some(13), None, None, Some(10), Some(13)]
    );
}

#[test]
fn a_semi_join_keeps_rows_with_a_match_once_each() {
    let out = join(r#"{"on": "k", "how": "semi"}"#, &left(), &right()).unwrap();
    assert_eq!(values(&out, "a"), [0, 1, 4].map(Some));
    assert_eq!(out.num_columns(), 2);
}

#[test]
fn an_anti_join_keeps_rows_without_a_match_and_null_keys() {
    let out = join(r#"{"on": "k", "how": "anti"}"#, &left(), &right()).unwrap();
    assert_eq!(values(&out, "a"), [2, 3].map(Some));
    assert_eq!(out.num_columns(), 2);
}

#[test]
fn params_about_matches_are_refused_if_only_their_existence_counts() {
    for how in ["semi", "anti"] {
        for (param, value, why) in [
            ("columns", r#"["b"]"#, "no columns are added"),
            ("prefix", r#""r_""#, "no columns are added"),
            ("suffix", r#""_r""#, "no columns are added"),
            ("unique", "true", "no row comes out twice"),
        ] {
            let params = format!(r#"{{"on": "k", "how": "{how}", "{param}": {value}}}"#);
            let error = join(&params, &left(), &right()).unwrap_err();
            assert_eq!(error.code, "bad-params");
            assert_eq!(
                error.message,
                format!("`{param}` is given, but with `how = \"{how}\"` {why}")
            );
        }
        let params = format!(r#"{{"on": "k", "how": "{how}", "unique": false}}"#);
        assert!(join(&params, &left(), &right()).is_ok());
    }
}

#[test]
fn a_left_join_makes_the_added_columns_nullable() {
    let one = batch(vec![("k", int64(vec![1])), ("b", int64(vec![1]))]);
    let nullable = |params| {
        let mut shapes = testing::check_row_map::<JoinTables>(
            params,
            vec![shape("left", &left()), shape("right", &one)],
        )
        .unwrap();
        let Content::Table(fields) = shapes.remove(0).content else {
            unreachable!()
        };
        fields
            .iter()
            .map(|field| (field.name().clone(), field.is_nullable()))
            .collect::<Vec<_>>()
    };
    let named =
        |names: [(&str, bool); 3]| names.map(|(name, nullable)| (name.to_owned(), nullable));
    assert_eq!(
        nullable(r#"{"on": "k", "how": "left"}"#),
        named([("k", true), ("a", false), ("b", true)])
    );
    assert_eq!(
        nullable(r#"{"on": "k"}"#),
        named([("k", true), ("a", false), ("b", false)])
    );
}

#[test]
fn an_empty_right_side_matches_nothing() {
    let empty = [right()[0].slice(0, 0)];
    assert_eq!(
        join(r#"{"on": "k"}"#, &left(), &empty).unwrap().num_rows(),
        0
    );
    assert_eq!(
        join(r#"{"on": "k", "how": "semi"}"#, &left(), &empty)
            .unwrap()
            .num_rows(),
        0
    );
    assert_eq!(
        join(r#"{"on": "k", "how": "anti"}"#, &left(), &empty).unwrap(),
        left()
    );
    let out = join(r#"{"on": "k", "how": "left"}"#, &left(), &empty).unwrap();
    assert_eq!((out.num_rows(), out["b"].null_count()), (5, 5));
}

#[test]
fn keys_may_have_other_names_and_be_several() {
    let flights = batch(vec![
        ("dest", text(vec!["JFK", "LAX", "JFK"])),
        ("day", Arc::new(Date32Array::from(vec![0, 0, 1]))),
        ("n", int64(vec![0, 1, 2])),
    ]);
    let weather = batch(vec![
        (
            "date",
            Arc::new(Date64Array::from(vec![86_400_000, 0])) as _,
        ),
        ("faa", text(vec!["JFK", "JFK"])),
        ("wind", int64(vec![7, 8])),
    ]);
    let out = join(
        r#"{"on": {"dest": "faa", "day": "date"}}"#,
        &flights,
        &[weather],
    )
    .unwrap();
    assert_eq!(
        (values(&out, "n"), values(&out, "wind")),
        (vec![Some(0), Some(2)], vec![Some(8), Some(7)])
    );
    assert_eq!(out.num_columns(), 4);
}

#[test]
fn clashing_names_are_refused_or_renamed() {
    let right = [batch(vec![
        ("k", int64(vec![1])),
        ("a", int64(vec![9])),
        ("c", int64(vec![8])),
    ])];
    let error = join(r#"{"on": "k"}"#, &left(), &right).unwrap_err();
    assert_eq!(
        (error.code.as_str(), error.details[0].1.as_str()),
        ("duplicate-column", "a")
    );
    let names = |params| {
        let out = join(params, &left(), &right).unwrap();
        out.schema()
            .fields()
            .iter()
            .map(|field| field.name().clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(r#"{"on": "k", "suffix": "_right"}"#),
        ["k", "a", "a_right", "c"]
    );
    assert_eq!(
        names(r#"{"on": "k", "prefix": "r_", "columns": ["c", "a", "k"]}"#),
        ["k", "a", "c", "r_a", "r_k"]
    );
    assert_eq!(names(r#"{"on": "k", "columns": ["c"]}"#), ["k", "a", "c"]);
    assert_eq!(names(r#"{"on": "k", "columns": []}"#), ["k", "a"]);
    let twice = [batch(vec![
        ("k", int64(vec![1])),
        ("a", int64(vec![9])),
        ("a_r", int64(vec![8])),
    ])];
    assert_eq!(
        join(r#"{"on": "k", "suffix": "_r"}"#, &left(), &twice)
            .unwrap_err()
            .code,
        "duplicate-column"
    );
}

#[test]
fn a_right_side_that_must_be_unique_is_checked() {
    let error = join(r#"{"on": "k", "unique": true}"#, &left(), &right()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "two rows at port `right` have the same key\n  key k = 2\n  rows 0 and 3"
    );
    assert_eq!(
        join(r#"{"on": "k", "unique": true}"#, &left(), &right()[..1])
            .unwrap()
            .num_rows(),
        3
    );
}

#[test]
fn more_rows_than_a_batch_come_out_as_one() {
    let many: Vec<i64> = (0..20_000).collect();
    let right = batch(vec![
        ("k", int64(vec![2; 20_000])),
        ("b", int64(many.clone())),
    ]);
    let out = join(r#"{"on": "k"}"#, &left(), &[right]).unwrap();
    assert_eq!(
        values(&out, "b"),
        many.iter()
            .chain(&many)
            .copied()
            .map(Some)
            .collect::<Vec<_>>()
    );
}

#[test]
fn keys_of_other_kinds_are_refused() {
    let right = |key: ArrayRef| [batch(vec![("k", key), ("b", int64(vec![1]))])];
    assert_eq!(
        join(r#"{"on": "k"}"#, &left(), &right(text(vec!["1"])))
            .unwrap_err()
            .code,
        "wrong-type"
    );
    assert_eq!(
        join(
            r#"{"on": "k"}"#,
            &left(),
            &right(Arc::new(Date32Array::from(vec![1])))
        )
        .unwrap_err()
        .code,
        "wrong-type"
    );
    assert!(
        join(
            r#"{"on": "k"}"#,
            &left(),
            &right(Arc::new(UInt64Array::from(vec![1])))
        )
        .is_ok()
    );
    let float = batch(vec![("k", Arc::new(Float64Array::from(vec![1.0])) as _)]);
    assert_eq!(
        join(
            r#"{"on": "k"}"#,
            &float,
            &right(Arc::new(Float64Array::from(vec![1.0])))
        )
        .unwrap_err()
        .code,
        "wrong-type"
    );
}

#[test]
fn bad_params_are_refused() {
    let refused = [
        r#"{"on": []}"#,
        r#"{"on": 3}"#,
        r#"{"on": ["k", "k"]}"#,
        r#"{"on": "k", "columns": ["b", "b"]}"#,
        r#"{"on": "k", "prefix": "l", "suffix": "r"}"#,
        r#"{"on": "k", "how": "outer"}"#,
        r#"{"on": "k", "howe": "left"}"#,
        "{}",
    ];
    for params in refused {
        assert_eq!(
            join(params, &left(), &right()).unwrap_err().code,
            "bad-params",
            "{params}"
        );
    }
    for params in [
        r#"{"on": "b"}"#,
        r#"{"on": "a"}"#,
        r#"{"on": "k", "columns": ["z"]}"#,
    ] {
        assert_eq!(
            join(params, &left(), &right()).unwrap_err().code,
            "missing-column",
            "{params}"
        );
    }
}

/// Row numbers of both sides; none of the right one if no columns are added.
fn pairs(out: &RecordBatch) -> Vec<(i64, Option<i64>)> {
    let left = values(out, "a").into_iter().flatten();
    match out.column_by_name("b") {
        Some(_) => left.zip(values(out, "b")).collect(),
        None => left.map(|left| (left, None)).collect(),
    }
}

fn keyed(rows: &[(Option<i64>, Option<bool>)], numbers: &str) -> RecordBatch {
    let (first, second): (Vec<_>, Vec<_>) = rows.iter().copied().unzip();
    RecordBatch::try_from_iter_with_nullable([
        ("k", int64(first), true),
        ("l", Arc::new(BooleanArray::from(second)) as ArrayRef, true),
        (
            numbers,
            int64((0..rows.len() as i64).collect::<Vec<_>>()),
            true,
        ),
    ])
    .unwrap()
}

#[test]
fn matches_are_those_that_duckdb_finds() {
    let oracle: serde_json::Value =
        serde_json::from_str(include_str!("../tests/data/duckdb.json")).unwrap();
    let [left, right] = [("left", "a"), ("right", "b")]
        .map(|(side, numbers)| nearest::oracle_rows(&oracle[side], numbers));
    let side = || Table::local(right.schema().fields().to_vec(), vec![right.clone()]);
    for how in ["inner", "left", "semi", "anti"] {
        let expected: Vec<(i64, Option<i64>)> =
            serde_json::from_value(oracle["pairs"][how].clone()).unwrap();
        let params = format!(r#"{{"on": ["k", "t"], "how": "{how}"}}"#);
        let side = Inputs::default().with_table("right", side());
        let left = std::slice::from_ref(&left);
        let out = testing::row_map::<JoinTables>(&params, side, left, "rows").unwrap();
        assert_eq!(pairs(&out[0]), expected, "{how}");
    }
}

proptest! {
    /// What comes out is what a loop over all pairs of rows finds, wherever either side is cut.
    #[test]
    fn joins_are_nested_loops(
        left in vec((option::of(0..4i64), option::of(any::<bool>())), 1..20),
        right in vec((option::of(0..4i64), option::of(any::<bool>())), 1..20),
        left_cut in any::<prop::sample::Index>(),
        right_cut in any::<prop::sample::Index>(),
        how in prop::sample::select(vec!["inner", "left", "semi", "anti"]),
    ) {
        let mut expected = Vec::new();
        for (row, key) in (0..).zip(&left) {
            let before = expected.len();
            let is_match = |other: &(Option<i64>, Option<bool>)| key.0.is_some() && key.1.is_some() && key == other;
            expected.extend((0..).zip(&right).filter(|(_, other)| is_match(other)).map(|(other, _)| (row, Some(other))));
            let is_matched = expected.len() > before;
            if !["inner", "left"].contains(&how) {
                expected.truncate(before);
            }
            if (how == "semi" && is_matched) || (["left", "anti"].contains(&how) && !is_matched) {
                expected.push((row, None));
            }
        }
        let cut = |batch: RecordBatch, at: prop::sample::Index| {
            let at = at.index(batch.num_rows());
            vec![batch.slice(0, at), batch.slice(at, batch.num_rows() - at)]
        };
        let (left, right) = (cut(keyed(&left, "a"), left_cut), cut(keyed(&right, "b"), right_cut));
        let side = Inputs::default().with_table("right", Table::local(right[0].schema().fields().to_vec(), right));
        let params = format!(r#"{{"on": ["k", "l"], "how": "{how}"}}"#);
        let out = testing::row_map::<JoinTables>(&params, side, &left, "rows").unwrap();
        let found: Vec<_> = out.iter().flat_map(pairs).collect();
        prop_assert_eq!(found, expected);
    }
}
