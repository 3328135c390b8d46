//! Joins by the nearest time, by hand, as pandas finds them, and as a loop over all pairs does.

use arrow_array::types::Int8Type;
use arrow_array::{
    DictionaryArray, TimestampMillisecondArray, TimestampNanosecondArray, TimestampSecondArray,
};

use super::*;

const HOWS: [&str; 4] = ["inner", "left", "semi", "anti"];

/// A time column `t` and row numbers.
fn timed(time: ArrayRef, numbers: &str) -> RecordBatch {
    let rows: Int64Array = (0..time.len() as i64).map(Some).collect();
    RecordBatch::try_from_iter_with_nullable([
        ("t", time, true),
        (numbers, Arc::new(rows) as ArrayRef, true),
    ])
    .unwrap()
}

/// Params of a left join by `t`, with more of `nearest`.
fn by_time(more: &str) -> String {
    format!(r#"{{"how": "left", "nearest": {{"left": "t", "right": "t"{more}}}}}"#)
}

/// The matches of left rows with these times.
fn found(more: &str, left: ArrayRef, right: ArrayRef) -> Vec<Option<i64>> {
    let out = join(&by_time(more), &timed(left, "a"), &[timed(right, "b")]).unwrap();
    values(&out, "b")
}

fn refused(params: &str, left: ArrayRef, right: ArrayRef) -> pinion_sdk::Error {
    join(params, &timed(left, "a"), &[timed(right, "b")]).unwrap_err()
}

#[test]
fn the_match_is_not_later_unless_told() {
    // Neither side is in order.
    let (left, right) = (int64(vec![10, 1, 5]), int64(vec![7, 1, 3, 2, 6]));
    let found = |more| found(more, left.clone(), right.clone());
    let backward = [Some(0), Some(1), Some(2)];
    assert_eq!(found(""), backward);
    assert_eq!(found(r#", "direction": "backward""#), backward);
    assert_eq!(
        found(r#", "direction": "forward""#),
        [None, Some(1), Some(4)]
    );
    assert_eq!(
        found(r#", "direction": "nearest""#),
        [Some(0), Some(1), Some(4)]
    );
}

#[test]
fn the_same_time_is_a_match_unless_told() {
    let (left, right) = (int64(vec![4]), int64(vec![1, 4, 6]));
    for (direction, exact, other) in [("backward", 1, 0), ("forward", 1, 2), ("nearest", 1, 2)] {
        let found = |allow_exact| {
            let more = format!(r#", "direction": "{direction}", "allow_exact": {allow_exact}"#);
            found(&more, left.clone(), right.clone())
        };
        assert_eq!(found(true), [Some(exact)], "{direction}");
        assert_eq!(found(false), [Some(other)], "{direction}");
    }
}

#[test]
fn of_equal_times_the_row_next_to_the_gap_wins() {
    let (left, right) = (int64(vec![2, 5, 8, 0]), int64(vec![6, 2, 4, 2, 6, 1, 1]));
    let found = |direction| {
        let more = format!(r#", "direction": "{direction}""#);
        found(&more, left.clone(), right.clone())
    };
    assert_eq!(found("backward"), [Some(3), Some(2), Some(4), None]);
    assert_eq!(found("forward"), [Some(1), Some(0), None, Some(5)]);
    // 4 is as near to 5 as 6 is.
    assert_eq!(found("nearest"), [Some(3), Some(2), Some(4), Some(5)]);
}

#[test]
fn a_match_may_be_as_far_away_as_the_tolerance() {
    let seconds = |values: Vec<i64>| -> ArrayRef { Arc::new(TimestampSecondArray::from(values)) };
    let (left, right) = (seconds(vec![0, 100, 160, 161]), seconds(vec![100, 20]));
    let within = |direction: &str, tolerance: &str| {
        let more = format!(r#", "direction": "{direction}", "tolerance": "{tolerance}""#);
        found(&more, left.clone(), right.clone())
    };
    assert_eq!(within("backward", "1 min"), [None, Some(0), Some(0), None]);
    assert_eq!(within("forward", "20 s"), [Some(1), Some(0), None, None]);
    assert_eq!(within("forward", "19999 ms"), [None, Some(0), None, None]);
    assert_eq!(within("nearest", "60s"), [Some(1), Some(0), Some(0), None]);
    let (left, right) = (int64(vec![0, 13, 14]), int64(vec![10]));
    assert_eq!(
        found(r#", "tolerance": 3"#, left, right),
        [None, Some(0), None]
    );
}

#[test]
fn nulls_match_nothing_and_keys_must_be_equal() {
    let side = |keys: Vec<Option<&str>>, times: Vec<Option<i64>>, numbers: &str| {
        let rows: Int64Array = (0..keys.len() as i64).map(Some).collect();
        RecordBatch::try_from_iter_with_nullable([
            ("k", Arc::new(StringArray::from(keys)) as ArrayRef, true),
            ("t", int64(times), true),
            (numbers, Arc::new(rows) as ArrayRef, true),
        ])
        .unwrap()
    };
    let left = side(
        vec![Some("x"), Some("y"), None, Some("x"), Some("z")],
        vec![Some(5), Some(5), Some(5), None, Some(5)],
        "a",
    );
    let right = [side(
        vec![None, Some("x"), Some("y"), Some("y"), Some("x")],
        vec![Some(5), Some(1), Some(9), Some(3), None],
        "b",
    )];
    let found = |direction: &str, how: &str| {
        let params = format!(
            r#"{{"on": "k", "nearest": {{"left": "t", "right": "t", "direction": "{direction}"}}, "how": "{how}"}}"#
        );
        pairs(&join(&params, &left, &right).unwrap())
    };
    assert_eq!(
        found("backward", "left"),
        [(0, Some(1)), (1, Some(3)), (2, None), (3, None), (4, None)]
    );
    assert_eq!(found("backward", "inner"), [(0, Some(1)), (1, Some(3))]);
    assert_eq!(found("forward", "inner"), [(1, Some(2))]);
    assert_eq!(found("nearest", "inner"), [(0, Some(1)), (1, Some(3))]);
    assert_eq!(found("forward", "semi"), [(1, None)]);
    assert_eq!(
        found("forward", "anti"),
        [(0, None), (2, None), (3, None), (4, None)]
    );
}

#[test]
fn times_of_other_units_are_compared_exactly() {
    let seconds = |values: Vec<i64>| -> ArrayRef { Arc::new(TimestampSecondArray::from(values)) };
    let nanoseconds =
        |values: Vec<i64>| -> ArrayRef { Arc::new(TimestampNanosecondArray::from(values)) };
    // A nanosecond later is later, and before 1970 as well.
    let right = || nanoseconds(vec![10_000_000_001, 9_999_999_999, -10_000_000_001]);
    assert_eq!(
        found("", seconds(vec![10, -10]), right()),
        [Some(1), Some(2)]
    );
    assert_eq!(
        found(
            r#", "direction": "forward", "tolerance": "1 ms""#,
            seconds(vec![10, -10]),
            right()
        ),
        [Some(0), None]
    );
    // As far apart as can be.
    let extremes = seconds(vec![i64::MAX, i64::MIN]);
    assert_eq!(
        found("", extremes.clone(), nanoseconds(vec![0])),
        [Some(0), None]
    );
    let nearest = r#", "direction": "nearest""#;
    assert_eq!(
        found(nearest, extremes.clone(), extremes.clone()),
        [Some(0), Some(1)]
    );
    assert_eq!(
        found(nearest, seconds(vec![-1, 0]), extremes),
        [Some(1), Some(0)]
    );
    let unsigned: ArrayRef = Arc::new(UInt64Array::from(vec![u64::MAX, 0]));
    assert_eq!(
        found(nearest, int64(vec![i64::MIN, i64::MAX]), unsigned),
        [Some(1), Some(1)]
    );
    let days: ArrayRef = Arc::new(Date32Array::from(vec![1, 2, i32::MAX]));
    let other_days: ArrayRef = Arc::new(Date64Array::from(vec![86_400_000, 259_200_000]));
    assert_eq!(
        found(r#", "tolerance": "1 d""#, days, other_days),
        [Some(0), Some(0), None]
    );
    let written: DictionaryArray<Int8Type> = DictionaryArray::new(
        Int8Array::from(vec![Some(1), None, Some(0)]),
        int64(vec![3, 8]),
    );
    assert_eq!(
        found("", Arc::new(written), int64(vec![4, 2])),
        [Some(0), None, Some(1)]
    );
}

#[test]
fn times_are_both_with_a_zone_or_both_without() {
    let times = TimestampSecondArray::from(vec![7_200]);
    let zoned = |zone| -> ArrayRef { Arc::new(times.clone().with_timezone(zone)) };
    let plain: ArrayRef = Arc::new(times.clone());
    // The zone is how a time is shown, not when it is.
    assert_eq!(found("", zoned("+02:00"), zoned("UTC")), [Some(0)]);
    let error = refused(&by_time(""), zoned("+02:00"), plain.clone());
    assert_eq!(
        (error.code.as_str(), error.message.as_str()),
        (
            "wrong-type",
            "of times `t` and `t` only the left one has a zone"
        )
    );
    let error = refused(&by_time(""), plain.clone(), zoned("UTC"));
    assert_eq!(
        error.message,
        "of times `t` and `t` only the right one has a zone"
    );
    let days: ArrayRef = Arc::new(Date32Array::from(vec![0]));
    let error = refused(&by_time(""), plain, days);
    assert_eq!(error.message, "times `t` and `t` hold different things");
    for time in [
        text(vec!["2013-10-01"]),
        Arc::new(Float64Array::from(vec![1.0])),
        Arc::new(BooleanArray::from(vec![true])),
    ] {
        let error = refused(&by_time(""), time.clone(), time);
        assert_eq!(error.code, "wrong-type");
        assert!(error.to_string().contains("as times"), "{error}");
    }
}

#[test]
fn the_time_is_added_if_it_has_a_name_of_its_own() {
    let left = timed(int64(vec![5]), "a");
    let right = |time| {
        [batch(vec![
            ("k", int64(vec![0])),
            (time, int64(vec![4])),
            ("b", int64(vec![9])),
        ])]
    };
    let names = |params: &str, right: &[RecordBatch]| -> Vec<String> {
        let out = join(params, &left, right).unwrap();
        let fields = out.schema_ref().fields();
        fields.iter().map(|field| field.name().clone()).collect()
    };
    let measured = r#"{"nearest": {"left": "t", "right": "measured_at"}}"#;
    assert_eq!(
        names(measured, &right("measured_at")),
        ["t", "a", "k", "measured_at", "b"]
    );
    let same = r#"{"on": [], "nearest": {"left": "t", "right": "t"}}"#;
    assert_eq!(names(same, &right("t")), ["t", "a", "k", "b"]);
    let chosen =
        r#"{"nearest": {"left": "t", "right": "t"}, "columns": ["b", "t"], "prefix": "r_"}"#;
    assert_eq!(names(chosen, &right("t")), ["t", "a", "b", "r_t"]);
    let out = join(chosen, &left, &right("t")).unwrap();
    assert_eq!(values(&out, "r_t"), [Some(4)]);
}

#[test]
fn a_key_and_time_that_must_be_unique_are_checked() {
    let right = batch(vec![
        ("k", int64(vec![1, 1, 2, 1, 1])),
        ("t", int64(vec![9, 4, 4, 9, 4])),
    ]);
    let left = batch(vec![("k", int64(vec![1])), ("t", int64(vec![9]))]);
    let params = r#"{"on": "k", "nearest": {"left": "t", "right": "t"}, "unique": true}"#;
    let cut = [right.slice(0, 2), right.slice(2, 3)];
    for right in [&cut[..], std::slice::from_ref(&right)] {
        assert_eq!(
            join(params, &left, right).unwrap_err().to_string(),
            "two rows at port `right` have the same key and time\n  key k = 1, t = 9\n  rows 0 and 3"
        );
    }
    assert!(join(params, &left, &[right.slice(0, 3)]).is_ok());
    let params = params.replace(", \"unique\": true", "");
    assert!(join(&params, &left, &[right]).is_ok());
}

#[test]
fn an_empty_right_side_has_no_nearest_row() {
    let (left, none) = (int64(vec![1, 2]), int64(Vec::<i64>::new()));
    for direction in ["backward", "forward", "nearest"] {
        let more = format!(r#", "direction": "{direction}""#);
        assert_eq!(found(&more, left.clone(), none.clone()), [None, None]);
    }
}

#[test]
fn params_that_make_no_sense_are_refused() {
    let times = || -> ArrayRef { Arc::new(TimestampMillisecondArray::from(vec![1])) };
    let refused_params = [
        (r#"{"nearest": {"left": "t"}}"#, "missing field `right`"),
        (
            r#"{"nearest": {"left": "t", "right": "t", "by": "k"}}"#,
            "unknown field `by`",
        ),
        (
            &by_time(r#", "direction": "back""#),
            "unknown variant `back`",
        ),
        (&by_time(r#", "tolerance": 0"#), "`tolerance` is a duration"),
        (
            &by_time(r#", "tolerance": -3"#),
            "`tolerance` is a duration",
        ),
        (
            &by_time(r#", "tolerance": 1.5"#),
            "`tolerance` is a duration",
        ),
        (&by_time(r#", "tolerance": "0 s""#), "found `0 s`"),
        (&by_time(r#", "tolerance": "1 month""#), "found `1 month`"),
        (
            &by_time(r#", "tolerance": 30"#),
            "`tolerance` is none for the times in column `t`\n  expected a duration such as `90 s`",
        ),
        (
            r#"{"on": "t", "nearest": {"left": "t", "right": "u"}}"#,
            "`on` and `nearest` both name column `t`",
        ),
        (
            r#"{"on": {"u": "t"}, "nearest": {"left": "v", "right": "t"}}"#,
            "`on` and `nearest` both name column `t`",
        ),
        (
            r#"{"nearest": {"left": "t", "right": "t"}, "how": "semi", "columns": []}"#,
            "`columns` is given",
        ),
    ];
    for (params, message) in refused_params {
        let error = refused(params, times(), times());
        assert_eq!(error.code, "bad-params", "{params}");
        assert!(error.to_string().contains(message), "{params}: {error}");
    }
    let error = refused(
        &by_time(r#", "tolerance": "1 s""#),
        int64(vec![1]),
        int64(vec![1]),
    );
    assert_eq!(
        error.to_string(),
        "`tolerance` is none for the times in column `t`\n  expected a whole number\n  found `1 s`"
    );
    for (left, right) in [("z", "t"), ("t", "z")] {
        let params = format!(r#"{{"nearest": {{"left": "{left}", "right": "{right}"}}}}"#);
        assert_eq!(refused(&params, times(), times()).code, "missing-column");
    }
}

/// Rows of an oracle's file: keys, times in milliseconds, and row numbers.
pub(super) fn oracle_rows(columns: &serde_json::Value, numbers: &str) -> RecordBatch {
    let values = |column: usize| -> Vec<Option<i64>> {
        serde_json::from_value(columns[column].clone()).unwrap()
    };
    let times = values(1)
        .into_iter()
        .map(|time| time.map(|time| time * 1_000_000));
    let time: TimestampNanosecondArray = times.collect();
    let timed = timed(Arc::new(time), numbers);
    RecordBatch::try_from_iter_with_nullable([
        ("k", int64(values(0)), true),
        ("t", timed["t"].clone(), true),
        (numbers, timed[numbers].clone(), true),
    ])
    .unwrap()
}

/// A join in a file of `tests/oracles/joins.py`.
#[derive(serde::Deserialize)]
struct Case {
    on: Vec<String>,
    direction: String,
    allow_exact: bool,
    tolerance_min: Option<u32>,
    rows: Vec<Option<i64>>,
}

#[test]
fn nearest_rows_are_those_that_pandas_finds() {
    let oracle: serde_json::Value =
        serde_json::from_str(include_str!("../../tests/data/pandas.json")).unwrap();
    let left = oracle_rows(&oracle["left"], "a");
    let right = [oracle_rows(&oracle["right"], "b")];
    let cases: Vec<Case> = serde_json::from_value(oracle["cases"].clone()).unwrap();
    for case in cases {
        let mut nearest = serde_json::json!({
            "left": "t", "right": "t", "direction": case.direction, "allow_exact": case.allow_exact,
        });
        if let Some(minutes) = case.tolerance_min {
            nearest["tolerance"] = format!("{minutes} min").into();
        }
        let params = serde_json::json!({
            "on": case.on, "nearest": nearest, "how": "left", "columns": ["b"],
        })
        .to_string();
        let out = join(&params, &left, &right).unwrap();
        assert_eq!(values(&out, "b"), case.rows, "{params}");
    }
}

/// A key, and a time in half seconds.
type Row = (Option<i8>, Option<i64>);

/// The match of `left` as a loop over all of `right` finds it.
fn nearest_of(
    left: Row,
    right: &[Row],
    has_key: bool,
    direction: &str,
    allow_exact: bool,
    tolerance: Option<i64>,
) -> Option<i64> {
    let mut best: Option<(i64, i64)> = None;
    for (row, other) in (0..).zip(right) {
        let (Some(time), Some(other_time)) = (left.1, other.1) else {
            continue;
        };
        let gap = other_time - time;
        let is_match = (!has_key || (left.0.is_some() && left.0 == other.0))
            && match direction {
                "backward" => gap <= 0,
                "forward" => gap >= 0,
                _ => true,
            }
            && (allow_exact || gap != 0)
            && tolerance.is_none_or(|tolerance| gap.abs() <= tolerance);
        let is_better = best.is_none_or(|(best, _)| match (gap.abs(), best.abs()) {
            (near, best_near) if near != best_near => near < best_near,
            _ if gap != best => gap < best,
            // The same time: the last row not after the left one, the first one not before it.
            _ => gap < 0 || (gap == 0 && direction != "forward"),
        });
        if is_match && is_better {
            best = Some((gap, row));
        }
    }
    best.map(|(_, row)| row)
}

fn pieces(batch: &RecordBatch, piece: usize) -> Vec<RecordBatch> {
    let starts = (0..batch.num_rows()).step_by(piece);
    starts
        .map(|start| batch.slice(start, piece.min(batch.num_rows() - start)))
        .collect()
}

proptest! {
    /// The nearest row is what a loop over all pairs of rows finds, wherever either side is cut.
    #[test]
    fn nearest_rows_are_nested_loops(
        left in vec((option::weighted(0.9, 0..2i8), option::weighted(0.9, -6..6i64)), 1..25),
        right in vec((option::weighted(0.9, 0..2i8), option::weighted(0.9, -6..6i64)), 1..25),
        left_piece in 1..9usize,
        right_piece in 1..9usize,
        has_key: bool,
        direction in prop::sample::select(vec!["backward", "forward", "nearest"]),
        allow_exact: bool,
        tolerance in option::of(1..5i64),
        how in prop::sample::select(HOWS.to_vec()),
    ) {
        // Times of the left side are even, so that they are whole seconds.
        let left: Vec<Row> = left.into_iter().map(|(key, time)| (key, time.map(|time| 2 * (time / 2)))).collect();
        let side = |rows: &[Row], numbers: &str, times: ArrayRef| {
            let count: Int64Array = (0..rows.len() as i64).map(Some).collect();
            RecordBatch::try_from_iter_with_nullable([
                ("k", Arc::new(rows.iter().map(|row| row.0).collect::<Int8Array>()) as ArrayRef, true),
                ("t", times, true),
                (numbers, Arc::new(count), true),
            ]).unwrap()
        };
        let seconds: TimestampSecondArray = left.iter().map(|row| row.1.map(|time| time / 2)).collect();
        let milliseconds: TimestampMillisecondArray = right.iter().map(|row| row.1.map(|time| 500 * time)).collect();
        let lefts = pieces(&side(&left, "a", Arc::new(seconds)), left_piece);
        let rights = pieces(&side(&right, "b", Arc::new(milliseconds)), right_piece);

        let mut expected = Vec::new();
        for (row, left) in (0..).zip(&left) {
            let found = nearest_of(*left, &right, has_key, direction, allow_exact, tolerance);
            match (how, found) {
                ("inner", None) | ("semi", None) | ("anti", Some(_)) => {}
                ("semi" | "anti", _) => expected.push((row, None)),
                (_, found) => expected.push((row, found)),
            }
        }
        let on = if has_key { r#""on": "k", "# } else { "" };
        let within = tolerance.map(|half| format!(r#", "tolerance": "{} ms""#, 500 * half)).unwrap_or_default();
        let columns = if ["inner", "left"].contains(&how) { r#", "columns": ["b"]"# } else { "" };
        let params = format!(
            r#"{{{on}"nearest": {{"left": "t", "right": "t", "direction": "{direction}", "allow_exact": {allow_exact}{within}}}, "how": "{how}"{columns}}}"#
        );
        let side = Inputs::default().with_table("right", Table::local(rights[0].schema().fields().to_vec(), rights));
        let out = testing::row_map::<JoinTables>(&params, side, &lefts, "rows").unwrap();
        prop_assert_eq!(out.iter().flat_map(pairs).collect::<Vec<_>>(), expected);
    }
}
