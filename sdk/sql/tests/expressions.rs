//! What the comparison with DuckDB cannot show: errors, laziness, columns of other layouts.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;

use arrow_array::cast::AsArray;
use arrow_array::types::{Float64Type, Int32Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Float64Array, Int32Array, StringArray, UInt64Array,
};
use arrow_schema::{DataType, Field, TimeUnit};
use pinion_sql::{Expression, SqlError, Typed};

fn resolve(sql: &str, data_type: &DataType) -> Result<Typed, SqlError> {
    Expression::parse(sql)?.resolve(&|name| {
        let known = matches!(name, "a" | "b" | "air_time");
        known.then(|| Field::new(name, data_type.clone(), true))
    })
}

fn evaluate(sql: &str, column: impl Array + 'static) -> Result<ArrayRef, SqlError> {
    let column: ArrayRef = Arc::new(column);
    resolve(sql, column.data_type())?.evaluate(&|_| column.clone(), column.len())
}

fn message(result: Result<impl std::fmt::Debug, SqlError>) -> String {
    result.unwrap_err().to_string()
}

#[test]
fn columns_come_in_order_of_first_use() {
    let expression = Expression::parse("b + \"a b\" * b > Distance AND c").unwrap();
    assert_eq!(expression.columns(), ["b", "a b", "Distance", "c"]);
}

#[test]
fn syntax_errors_show_the_place() {
    assert_eq!(
        message(Expression::parse("a + * 2")),
        "the expression is not valid SQL: expected an expression, found `*`\n  in a + * 2\n         ^"
    );
    assert_eq!(
        message(Expression::parse("a +")),
        "the expression is not valid SQL: expected an expression, found the end\n  in a +\n        ^"
    );
    assert_eq!(
        message(Expression::parse("a\n  b")),
        "the expression is not valid SQL: expected the end of the expression, found `b`\n  in   b\n       ^"
    );
    assert_eq!(
        message(Expression::parse("a = 'b")),
        "the expression is not valid SQL: Unterminated string literal\n  in a = 'b\n         ^"
    );
    assert!(message(Expression::parse("")).starts_with("the expression is not valid SQL: "));
}

#[test]
fn what_is_not_supported_is_named() {
    for (sql, what) in [
        (
            "sqrt(a)",
            "the function `sqrt` is not supported\n  in sqrt(a)\n     ^",
        ),
        (
            "1 + sum(a) OVER ()",
            "the window of `sum` is not supported\n  in 1 + sum(a) OVER ()\n         ^",
        ),
        ("a IN (SELECT 1)", "a subquery is not supported"),
        ("a + INTERVAL '1 day'", "`INTERVAL` is not supported"),
        (
            "a.b",
            "the name with a dot `a.b` (quote a name that has one: `\"a.b\"`) is not supported",
        ),
        (
            "a::DECIMAL(10, 2)",
            "the type `DECIMAL(10,2)` is not supported",
        ),
        ("a & b", "the operator `&` is not supported"),
        (
            "extract(century FROM a)",
            "the date part `CENTURY` is not supported",
        ),
        ("round(a, 1, 2)", "`round` of 3 arguments is not supported"),
        (
            "1 < a < 3",
            "a chain of comparisons (join them with `AND`) is not supported",
        ),
        ("[1, 2]", "an array is not supported"),
        (
            "a = 99999999999999999999",
            "the integer `99999999999999999999`, which is wider than 64 bits, is not supported",
        ),
    ] {
        let found = message(resolve(sql, &DataType::Int32));
        assert!(found.starts_with(what), "{sql}: {found}");
    }
}

#[test]
fn unknown_columns_show_the_name_like_theirs() {
    let error = resolve("a > 0 AND airtime > 1", &DataType::Int32).unwrap_err();
    let error = error.suggest(["a", "b", "air_time"]);
    assert_eq!(
        error.to_string(),
        "there is no column `airtime`\n  in a > 0 AND airtime > 1\n               ^"
    );
    assert_eq!(error.hint().as_deref(), Some("did you mean `air_time`?"));
    assert_eq!(error.code(), "missing-column");
    assert_eq!(error.columns(), ["airtime"]);
}

#[test]
fn types_that_do_not_fit_are_refused_before_any_row() {
    for (sql, what) in [
        ("a + true", "`+` does not take `INTEGER` and `BOOLEAN`"),
        ("lower(a)", "`lower` does not take `INTEGER`"),
        (
            "a = DATE '2013-01-01'",
            "`INTEGER` and `DATE` cannot be compared without a cast",
        ),
        (
            "coalesce(a, b::VARCHAR)",
            "`INTEGER` and `VARCHAR` cannot be mixed in `coalesce` without a cast",
        ),
        ("a = 'x'", "`x` cannot be cast to `INTEGER`"),
        ("a::DATE", "`INTEGER` cannot be cast to `DATE`"),
        (
            "DATE '2013-02-29' = NULL",
            "`2013-02-29` cannot be cast to `DATE`",
        ),
        (
            "CASE WHEN a::VARCHAR THEN 1 END",
            "`VARCHAR` is not a condition",
        ),
    ] {
        let found = message(resolve(sql, &DataType::Int32));
        assert!(found.starts_with(what), "{sql}: {found}");
    }
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int32, true)));
    assert!(
        message(resolve("a IS NULL", &list))
            .starts_with("column `a`, of type `List(Int32)`, is not supported")
    );
    let zone = DataType::Timestamp(TimeUnit::Second, Some("America/New_York".into()));
    assert!(resolve("a IS NULL", &zone).is_err());
}

#[test]
fn types_that_do_not_fit_name_the_columns() {
    for (sql, columns) in [
        ("a + true", &["a"][..]),
        ("lower(b)", &["b"]),
        ("a > 0 AND b = DATE '2013-01-01'", &["b"]),
        ("1 = coalesce(a, b, 'x')", &["a", "b"]),
        ("a = 'x'", &["a"]),
        ("a BETWEEN 'x' AND b", &["a", "b"]),
        ("b::DATE", &["b"]),
        ("CASE WHEN a % 2 THEN lower(1) END", &[]),
    ] {
        let error = resolve(sql, &DataType::Int32).unwrap_err();
        assert_eq!(error.code(), "type-mismatch", "{sql}");
        assert_eq!(error.columns(), columns, "{sql}");
    }
    let list = DataType::List(Arc::new(Field::new("item", DataType::Int32, true)));
    let error = resolve("b IS NULL", &list).unwrap_err();
    assert_eq!(
        (error.code(), error.columns()),
        ("unsupported-type", &["b".to_owned()][..])
    );
}

#[test]
fn errors_of_values_name_the_expression_and_the_row() {
    let numbers = Int32Array::from(vec![Some(1), None, Some(i32::MAX), Some(i32::MAX)]);
    assert_eq!(
        message(evaluate("a * 2 + 1", numbers)),
        "2147483647 * 2 is out of the range of `INTEGER`\n  in `a * 2`, row 2 of the batch"
    );
    let texts = StringArray::from(vec!["1", "x"]);
    assert_eq!(
        message(evaluate("CAST(a AS INTEGER) > 0", texts)),
        "`x` cannot be cast to `INTEGER`\n  in `CAST(a AS INTEGER)`, row 1 of the batch"
    );
}

#[test]
fn rows_that_are_not_reached_raise_no_error() {
    let texts = || StringArray::from(vec![Some("1"), Some("x"), None, Some("3")]);
    for sql in [
        "CASE WHEN a <> 'x' THEN CAST(a AS INTEGER) ELSE -1 END",
        "CASE a WHEN 'x' THEN -1 ELSE CAST(a AS INTEGER) END",
        "coalesce(CASE WHEN a = 'x' THEN -1 END, CAST(a AS INTEGER))",
    ] {
        let found = evaluate(sql, texts()).unwrap();
        let expected = match sql.contains("ELSE -1") {
            true => vec![Some(1), Some(-1), Some(-1), Some(3)],
            false => vec![Some(1), Some(-1), None, Some(3)],
        };
        assert_eq!(
            found.as_primitive::<Int32Type>(),
            &Int32Array::from(expected),
            "{sql}"
        );
    }
    let and = evaluate("a <> 'x' AND CAST(a AS INTEGER) > 1", texts()).unwrap();
    assert_eq!(
        and.as_boolean(),
        &BooleanArray::from(vec![Some(false), Some(false), None, Some(true)])
    );
    let or = evaluate("a = 'x' OR CAST(a AS INTEGER) > 1", texts()).unwrap();
    assert_eq!(
        or.as_boolean(),
        &BooleanArray::from(vec![Some(false), Some(true), None, Some(true)])
    );
}

#[test]
fn rows_in_nested_branches_keep_their_numbers() {
    let texts = StringArray::from(vec!["skip", "1", "skip", "2", "bad"]);
    let sql = "CASE WHEN a <> 'skip' THEN CASE WHEN a <> '1' THEN a::INTEGER END END";
    assert!(message(evaluate(sql, texts)).ends_with("row 4 of the batch"));
}

#[test]
fn a_constant_that_no_row_reaches_raises_no_error() {
    let numbers = Int32Array::from(vec![1, 2]);
    let found = evaluate(
        "CASE WHEN a > 5 THEN CAST('x' AS INTEGER) ELSE 0 END",
        numbers,
    )
    .unwrap();
    assert_eq!(
        found.as_primitive::<Int32Type>(),
        &Int32Array::from(vec![0, 0])
    );
    assert!(evaluate("CAST('x' AS INTEGER)", Int32Array::from(vec![1])).is_err());
}

#[test]
fn no_rows_give_no_rows_of_the_same_type() {
    let found = evaluate(
        "CAST('x' AS INTEGER) + a",
        Int32Array::from(Vec::<i32>::new()),
    )
    .unwrap();
    assert_eq!((found.data_type(), found.len()), (&DataType::Int32, 0));
}

#[test]
fn text_in_any_layout_is_text() {
    let texts: ArrayRef = Arc::new(StringArray::from(vec![Some("UA"), None, Some("AA")]));
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Utf8));
    for layout in [DataType::LargeUtf8, DataType::Utf8View, dictionary] {
        let column = arrow_cast::cast(&texts, &layout).unwrap();
        let found = resolve("a = 'AA'", &layout)
            .unwrap()
            .evaluate(&|_| column.clone(), 3)
            .unwrap();
        assert_eq!(
            found.as_boolean(),
            &BooleanArray::from(vec![Some(false), None, Some(true)]),
            "{layout}"
        );
        assert_eq!(resolve("a", &layout).unwrap().data_type(), &DataType::Utf8);
    }
}

#[test]
fn unsigned_and_signed_64_bit_integers_compare_exactly() {
    let found = evaluate(
        "a > -1 AND a > 9223372036854775807",
        UInt64Array::from(vec![0, u64::MAX]),
    )
    .unwrap();
    assert_eq!(found.as_boolean(), &BooleanArray::from(vec![false, true]));
}

#[test]
fn nan_from_arithmetic_has_one_bit_pattern() {
    let found = evaluate("a - a", Float64Array::from(vec![f64::INFINITY, 1.0])).unwrap();
    let bits = found.as_primitive::<Float64Type>().value(0).to_bits();
    assert_eq!(bits, f64::NAN.to_bits());
}

#[test]
fn nullability_follows_from_the_columns() {
    let field = |name: &str| Some(Field::new(name, DataType::Int32, false));
    let nullable = |sql: &str| {
        Expression::parse(sql)
            .unwrap()
            .resolve(&field)
            .unwrap()
            .nullable()
    };
    for sql in [
        "a + 1",
        "a > 1 OR a < 0",
        "coalesce(NULL, a)",
        "CASE WHEN a > 0 THEN 1 ELSE 2 END",
        "a IS NULL",
    ] {
        assert!(!nullable(sql), "{sql}");
    }
    for sql in [
        "a / 2",
        "a % 2",
        "CASE WHEN a > 0 THEN 1 END",
        "TRY_CAST(a AS TINYINT)",
        "nullif(a, 1)",
        "a + NULL",
    ] {
        assert!(nullable(sql), "{sql}");
    }
}

#[test]
fn a_column_that_is_not_as_resolved_is_refused() {
    let typed = resolve("a + 1", &DataType::Int32).unwrap();
    let wrong: ArrayRef = Arc::new(Float64Array::from(vec![1.0]));
    assert_eq!(
        message(typed.evaluate(&|_| wrong.clone(), 1)),
        "column `a` is not as it was resolved\n  expected 1 values of Int32\n  found    1 values of Float64"
    );
    assert!(typed.evaluate_columns(&[], 1).is_err());
}

#[test]
fn deep_and_long_expressions_end_in_an_error_or_a_value() {
    let numbers = || Int32Array::from(vec![1, 700]);
    let long = (0..900)
        .map(|n| format!("a = {n}"))
        .collect::<Vec<_>>()
        .join(" OR ");
    assert_eq!(
        evaluate(&long, numbers()).unwrap().as_boolean(),
        &BooleanArray::from(vec![true, true])
    );
    let items = (0..20_000)
        .map(|n| n.to_string())
        .collect::<Vec<_>>()
        .join(", ");
    assert!(evaluate(&format!("a IN ({items})"), numbers()).is_ok());
    let sum = format!("a{}", " + 1::BIGINT".repeat(100));
    assert_eq!(
        evaluate(&sum, numbers())
            .unwrap()
            .as_primitive::<Int64Type>()
            .value(0),
        101
    );
    for deep in [
        format!("a{}", " + 1".repeat(1_000)),
        format!("{}a{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("{}a", "NOT ".repeat(3_000)),
        format!("{}a", "-".repeat(3_001)),
        "a = 1 OR ".repeat(3_000) + "b = 1",
    ] {
        let found = message(Expression::parse(&deep));
        assert!(
            found.contains("is not supported") || found.contains("not valid"),
            "{found}"
        );
    }
}
