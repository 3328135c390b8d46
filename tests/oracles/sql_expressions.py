"""Evaluates SQL expressions with DuckDB and writes what `pinion-sql` must agree with.

    python sql_expressions.py
        writes ../../sdk/sql/tests/duckdb.jsonl

The first line of the file is the table: every column's name, type and values. Every other line is an
expression with the type and the values that DuckDB gives for it, or `"fails": true` if DuckDB refuses
it or some row has no result. Floats are written as Python's `repr`, which is exact; dates and timestamps as
the number that Arrow stores.

What is set in DuckDB, because a pipeline wants it:

- division by zero gives NULL, for integers (`error_on_division_by_zero`) and floats
  (`ieee_floating_point_ops`). By default DuckDB 2.0 raises an error and gives infinity;
- the session's time zone is UTC.

What is rewritten: a literal such as `1.5` is a DECIMAL in DuckDB and a DOUBLE here, so DuckDB is given
`1.5e0`. DEVIATIONS lists what else differs, and why.
"""

import itertools
import json
import pathlib
import re

import duckdb
import pyarrow as pa

GOLDEN = pathlib.Path(__file__).parents[2] / "sdk" / "sql" / "tests" / "duckdb.jsonl"

nan, inf = float("nan"), float("inf")
US = 1_000_000
DAY = 86_400 * US
MOMENTS = [15979 * DAY + 3_723_500_000, 0, None, -1, 15979 * DAY, -14_182_940 * US, 18_627 * DAY + 1, None,
           15979 * DAY + 86_399_999_999, 11_016 * DAY + 43_200 * US]  # fmt: skip


def moments(ticks_per_second):
    return [None if m is None else m * ticks_per_second // US for m in MOMENTS]


# Ten rows. Columns `m…` hold extremes, so arithmetic on them overflows.
TABLE = {
    "i8": (pa.int8(), [1, -2, None, 0, 7, -11, 10, 3, None, 5]),
    "i16": (pa.int16(), [3, 0, -4, None, 2, 9, -10, 1, None, 5]),
    "i32": (pa.int32(), [5, 2, 0, -7, None, 11, 1, -3, None, 5]),
    "i64": (pa.int64(), [0, -1, 8, 4, 2, None, -9, 6, None, 5]),
    "u8": (pa.uint8(), [1, 2, None, 0, 7, 11, 10, 3, None, 5]),
    "u16": (pa.uint16(), [9, 3, 0, None, 4, 8, 1, 2, None, 5]),
    "u32": (pa.uint32(), [2, 0, 6, 3, None, 7, 1, 9, None, 5]),
    "u64": (pa.uint64(), [0, 1, 8, 4, 2, None, 9, 6, None, 5]),
    "f32": (pa.float32(), [1.5, -0.5, None, 0.0, nan, inf, -2.25, 0.1, None, 5.0]),
    "f64": (pa.float64(), [2.5, -0.0, 0.1, None, nan, -inf, 3.75, -1.5, None, 5.0]),
    "g64": (pa.float64(), [0.0, 0.0, 0.3, 1e300, nan, inf, None, -2.5, None, 1e-300]),
    "m8": (pa.int8(), [-128, 127, None, 0, 1, -1, 100, -100, 50, 5]),
    "m32": (pa.int32(), [-(2**31), 2**31 - 1, None, 0, 1, -1, 16777217, -100, 50, 5]),
    "m64": (pa.int64(), [-(2**63), 2**63 - 1, None, 0, 2**53 + 1, -1, 2**31, -(2**53) - 1, 50, 5]),
    "mu8": (pa.uint8(), [0, 255, None, 128, 127, 1, 2, 3, 4, 5]),
    "mu64": (pa.uint64(), [0, 2**64 - 1, None, 2**63, 2**63 - 1, 2**53 + 1, 1, 3, 4, 5]),
    "b": (pa.bool_(), [True, True, True, False, False, False, None, None, None, True]),
    "c": (pa.bool_(), [True, False, None, True, False, None, True, False, None, True]),
    "s": (pa.string(), ["abc", "", None, "ABC", "héllo wörld", "a%c", "  x  ", "ß", "日本語", "a_c"]),
    "t": (pa.string(), ["abd", "a", None, "abc", "", "a%", None, "ß", "日本", "A\\_C"]),
    "n": (pa.string(), ["1", " 2 ", None, "-3.5", "1e2", "x", "", "nan", "2.5", "0x1F"]),
    "w": (pa.string(), ["2013-10-01", "2013-10-01 12:30:00", None, "1969-12-31", "x", "", "2012-2-29",
                        "2013-02-29", " 2013-10-01 ", "2013-10-01T01:02:03.123456789Z"]),
    "d": (pa.date32(), [15979, 0, None, -1, 15340, 11016, 18627, None, -719_162, 15979]),
    "e": (pa.date32(), [15980, 0, 1, None, 15339, 11016, -400, None, 18628, 15979]),
    "ts": (pa.timestamp("us"), MOMENTS),
    "ts_s": (pa.timestamp("s"), moments(1)),
    "ts_ms": (pa.timestamp("ms"), moments(1_000)),
    "ts_ns": (pa.timestamp("ns"), [m if m is None or m < 0 else m + 289 for m in moments(1_000_000_000)]),
    "tz": (pa.timestamp("us", "UTC"), list(reversed(MOMENTS))),
}  # fmt: skip

# Patterns of expressions whose result here is not DuckDB's, and why.
DEVIATIONS = {
    r".*\bm?u64 (\+|-|\*|//|%) -[13]|-3 (\+|-|\*|//|%) u64|(coalesce|least|greatest)\(u64, i8\)|round\(m?u64\b.*":
        "DuckDB gives a HUGEINT, which no Arrow type is; here it is refused, and `round` gives a UBIGINT",
    r"i32::DECIMAL.*": "there are no decimals here",
    r"TRY_CAST\(i32 AS DATE\)": "what can never be cast is refused before any row is read, not turned into nulls",
    r"round\(0\.1, 23\)": "DuckDB takes the power of ten from the C library, where 10^23 is not the nearest double",
    r"(ts_ns (<|<=|>|>=) tz|tz (<|<=|>|>=) ts_ns)": "DuckDB has no instants in nanoseconds, so it compares none; it does for `=`",
    r"(TRY_)?CAST\(ts_ns AS TIMESTAMP_S\)": "DuckDB has every such cast but this one",
    r".*'1969-12-31 23:59:59\.999999789'::TIMESTAMP_NS.*":
        "DuckDB rounds nanoseconds to microseconds before it takes them apart, which gives 1970",
    r"(extract\(epoch FROM tz\)|date_part\('epoch', tz\))": "DuckDB adds seconds and their fraction, and loses digits",
    r"extract\(year FROM NULL\)": "DuckDB does not know which `extract` is meant; here they are all null",
    r"d \+ m32": "DuckDB keeps the last day there is for infinity",
    r".*ESCAPE 'é'": "DuckDB wants a character of one byte",
    r"'2013-10-01 00:00:00 \+02:00'::TIMESTAMPTZ": "DuckDB allows a space here for a TIMESTAMP only",
    r"i8 \+ '1'": "text is no number here, however it is written",
    r"trim\(LEADING FROM s\)|E'a\\tb'": "the parser here does not read it",
}  # fmt: skip

SMALL_INTEGERS = ["i8", "i16", "i32", "i64", "u8", "u16", "u32"]
INTEGERS = SMALL_INTEGERS + ["u64"]
FLOATS = ["f32", "f64", "g64"]
EXTREMES = ["m8", "m32", "m64", "mu8", "mu64"]
TIMES = ["d", "e", "ts", "ts_s", "ts_ms", "ts_ns", "tz"]
COMPARISONS = ["=", "<>", "<", "<=", ">", ">="]
TYPES = ["BOOLEAN", "TINYINT", "SMALLINT", "INTEGER", "BIGINT", "UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT",
         "FLOAT", "DOUBLE", "VARCHAR", "DATE", "TIMESTAMP", "TIMESTAMP_S", "TIMESTAMP_MS", "TIMESTAMP_NS",
         "TIMESTAMPTZ"]  # fmt: skip
PARTS = ["year", "quarter", "month", "week", "day", "dow", "isodow", "doy", "hour", "minute", "second", "epoch"]


def expressions():
    yield from TABLE
    yield from arithmetic()
    yield from comparisons()
    yield from logic()
    yield from casts()
    yield from conditionals()
    yield from functions()
    yield from times()
    yield from grammar()


def arithmetic():
    operators = ["+", "-", "*", "/", "//", "%"]
    for left, op, right in itertools.product(SMALL_INTEGERS + FLOATS, operators, SMALL_INTEGERS + FLOATS):
        yield f"{left} {op} {right}"
    for op in operators:
        yield f"u64 {op} u64"
        yield f"u64 {op} u8"
        yield f"u64 {op} f64"
        for extreme in EXTREMES:
            yield f"{extreme} {op} {extreme}"
            yield f"{extreme} {op} 1"
            yield f"{extreme} {op} 0"
            yield f"{extreme} {op} -1"
        for column, literal in itertools.product(["i8", "i32", "u8", "u64", "f32", "f64"],
                                                 ["2", "-3", "0", "1000", "3000000000", "2.5", "-0.0", "NULL"]):
            if column != "f32" or "." not in literal:
                yield f"{column} {op} {literal}"
                yield f"{literal} {op} {column}"
        yield f"NULL {op} NULL"
        yield f"b {op} 1"
        yield f"s {op} 1"
        yield f"7 {op} 2"
        yield f"-7 {op} 2"
        yield f"7 {op} 0"
        yield f"2147483647 {op} 2"
        yield f"3000000000 {op} 4000000000"
    for column in INTEGERS + FLOATS + EXTREMES:
        yield f"-{column}"
        yield f"+{column}"
        for function in ["abs", "round", "floor", "ceil"]:
            yield f"{function}({column})"
        for digits in ["0", "1", "2", "-1", "-2", "i32", "NULL", "-19", "-20", "25"]:
            yield f"round({column}, {digits})"
    for value in ["2.5", "-2.5", "0.5", "-0.5", "2.675", "1.005", "1234.5678", "-1250.0", "1e300", "0.1", "1e-5"]:
        for digits in ["0", "1", "2", "3", "-2", "22", "23", "30", "300", "309", "-300", "-309"]:
            yield f"round({value}, {digits})"


def comparisons():
    numbers = INTEGERS + FLOATS + EXTREMES
    for left, op, right in itertools.product(["i8", "u8", "f32", "f64"] + EXTREMES, ["=", "<"], numbers):
        yield f"{left} {op} {right}"
    groups = [["i32", "m64", "mu64", "g64"], ["f32", "f64", "g64"], ["s", "t"], ["b", "c", "i8"], TIMES]
    for group in groups:
        for left, op, right in itertools.product(group, COMPARISONS, group):
            yield f"{left} {op} {right}"
        for left, right in itertools.product(group, group):
            yield f"{left} IS DISTINCT FROM {right}"
            yield f"{left} IS NOT DISTINCT FROM {right}"
    literals = {
        "i8": ["5", "-1", "1000", "2.5", "'5'", "NULL", "true"],
        "u64": ["5", "-1", "'8'", "2.5"],
        "mu64": ["-1", "18446744073709551615", "9223372036854775807"],
        "m32": ["2147483648", "-2147483648"],
        "f32": ["1.5", "0.1", "0", "'nan'", "16777217"],
        "f64": ["2.5", "0", "-0.0", "'inf'", "'-inf'", "'nan'"],
        "s": ["'abc'", "''", "'日'", "NULL"],
        "b": ["true", "false", "1", "'t'", "NULL"],
        "d": ["'2013-10-01'", "DATE '2013-10-01'", "TIMESTAMP '2013-10-01 00:00:01'", "NULL"],
        "ts": ["'2013-10-01'", "'2013-10-01 01:02:03.5'", "TIMESTAMP '2013-10-01'", "DATE '2013-10-01'"],
        "tz": ["'2013-10-01'", "TIMESTAMP '2013-10-01'", "'2013-10-01 02:00:00+02'"],
        "ts_ns": ["TIMESTAMP '2013-10-01'", "'2013-10-01 01:02:03.500000789'"],
    }
    for column, values in literals.items():
        for op, value in itertools.product(COMPARISONS, values):
            yield f"{column} {op} {value}"
            yield f"{value} {op} {column}"
    for column, items in [("i32", "5, 2, 0"), ("i32", "5, NULL"), ("i8", "1, 1000"), ("f64", "0, 2.5, 'nan'"),
                          ("s", "'abc', 'ß'"), ("s", "'abc', NULL"), ("s", "t, 'abc'"), ("i32", "i8, i16"),
                          ("i32", "NULL"), ("NULL", "1"), ("b", "true"), ("d", "'2013-10-01', e"), ("i32", "2.0"),
                          ("m64", "mu64"), ("3", "i8, u8"), ("3", "1, 3"), ("tz", "ts, d")]:  # fmt: skip
        yield f"{column} IN ({items})"
        yield f"{column} NOT IN ({items})"
    for column, low, high in [("i32", "0", "5"), ("i32", "i8", "i16"), ("i32", "NULL", "5"), ("i32", "0", "NULL"),
                              ("f64", "0", "g64"), ("f64", "0", "'nan'"), ("s", "'A'", "'b'"), ("i8", "-1.5", "1000"),
                              ("d", "'2000-01-01'", "e"), ("ts", "d", "'2014-01-01'"), ("3", "i8", "5"),
                              ("NULL", "1", "2"), ("m64", "mu64", "50"), ("3", "1", "5")]:  # fmt: skip
        yield f"{column} BETWEEN {low} AND {high}"
        yield f"{column} NOT BETWEEN {low} AND {high}"


def logic():
    operands = ["b", "c", "true", "false", "NULL", "i32 > 0"]
    for left, op, right in itertools.product(operands, ["AND", "OR"], operands):
        yield f"{left} {op} {right}"
    for operand in operands + ["i8", "f64", "'true'", "s"]:
        yield f"NOT {operand}"
        for test in ["NULL", "TRUE", "FALSE"]:
            yield f"{operand} IS {test}"
            yield f"{operand} IS NOT {test}"
    for column in TABLE:
        yield f"{column} IS NULL"
        yield f"{column} IS NOT NULL"
    yield from ["b AND c OR i8 > 0", "b AND c AND i8 > 0 AND true", "b OR c OR NULL", "i8 AND b", "s AND b", "b AND 'no'",
                "NOT b AND c", "NOT (b AND c)", "s NOTNULL", "f64 AND true", "b = c", "b < c", "b IS NULL AND c IS NULL"]
    patterns = ["'a%'", "'%c'", "'%b%'", "'a_c'", "'_'", "''", "'%'", "'A%'", "'%L%o%'", "'%ö%'", "'ß'", "'a\\_c'",
                "'__ %'", "t", "NULL", "t || '%'"]  # fmt: skip
    for negated, op, pattern in itertools.product(["", "NOT "], ["LIKE", "ILIKE"], patterns):
        yield f"s {negated}{op} {pattern}"
    for pattern, escape in [("a!%c", "!"), ("a!_c", "!"), ("a!bc", "!"), ("abc!", "!"), ("a%c", ""), ("a%c", "%"),
                            ("a%%c", "%"), ("aéc", "é"), ("a%c", "xx")]:  # fmt: skip
        yield f"s LIKE '{pattern}' ESCAPE '{escape}'"
        yield f"s NOT ILIKE '{pattern}' ESCAPE '{escape}'"
    yield from ["NULL LIKE 'a'", "1 LIKE '1'", "'abc' LIKE s", "'abc' LIKE 'a%'", "'a' LIKE ''"]


def casts():
    numbers = INTEGERS + FLOATS + EXTREMES + ["b", "c"]
    for column, to in itertools.product(TABLE, TYPES):
        yield f"CAST({column} AS {to})"
        impossible = (column in numbers and to.startswith(("DATE", "TIMESTAMP"))) or (column in TIMES and to in TYPES[:11])
        if not impossible:
            yield f"TRY_CAST({column} AS {to})"
    texts = {
        "INTEGER": ["12", " 12 ", "1.5", "2.5", "-2.5", "1e3", "1e-1", "15e-1", "1_000", "+5", "5.", ".5", "", "0x10",
                    "-0", "1 2", "2147483647", "2147483648", "-2147483648", "1__0", "_1", "1e", "--1", "0.4999", "-0.5",
                    "9e9", "0b11", "1,5", "١"],
        "UTINYINT": ["255", "256", "-1", "-0", "254.5", "255.5"],
        "BIGINT": ["9223372036854775807", "9223372036854775808", "-9223372036854775808", "1e18", "9223372036854775806.6"],
        "DOUBLE": ["1.5", " 1.5 ", "1e400", "inf", "Infinity", "-INF", "nan", "NaN", "+1.5", "1.", ".5", ".", "1e",
                   "1_0.5", "", "1e-400", "0.1", "123456789012345678", "4.9e-324", "1e5 ", "infinit", "1.5x"],
        "FLOAT": ["0.1", "1e39", "16777217", "3.4028235e38", "1e-46"],
        "BOOLEAN": ["true", "t", "TRUE", "1", "yes", "y", "on", "no", " true ", "f", "0", "n", "False", "", "2"],
        "DATE": ["2013-10-01", "2013-1-5", "2013/1/5", "2013-02-30", " 2013-01-01 ", "2013-10-01 12:00:00",
                 "2013-10-01 xx", "20131001", "0001-01-01", "10000-01-01", "2012-02-29", "1900-02-29", "2000-02-29",
                 "2013-13-01", "2013-00-01", "2013-01-00", "2013-01/05", "13-01-05", "", "2013-10", "0000-01-01"],
        "TIMESTAMP": ["2013-10-01", "2013-10-01 1:2:3", "2013-10-01 01:02", "2013-10-01 01", "2013-10-01T00:00:00Z",
                      "2013-10-01 01:02:03.1234567", "2013-10-01 01:02:03.9999999", "2013-10-01 24:00:00",
                      "2013-10-01 23:59:60", "2013-10-01 00:60:00", "2013-10-01 00:00:00.", "2013-10-01 00:00:00.5",
                      " 2013-10-01 00:00:00 ", "2013-10-01  00:00:00", "1969-12-31 23:59:59.999999", "x"],
        "TIMESTAMPTZ": ["2013-10-01", "2013-10-01 00:00:00+01", "2013-10-01 00:00:00-05:30", "2013-10-01 00:00:00Z",
                        "2013-10-01 00:00:00 +02:00", "2013-10-01T12:00:00+00:00"],
        "TIMESTAMP_NS": ["2013-10-01 01:02:03.123456789", "2013-10-01 01:02:03.1234567891", "1600-01-01"],
        "TIMESTAMP_S": ["2013-10-01 01:02:03", "2013-10-01 01:02:03.6", "1969-12-31 23:59:59.5"],
    }  # fmt: skip
    for to, values in texts.items():
        for value in values:
            yield f"'{value}'::{to}"
    numbers = ["0.5", "1.5", "2.5", "-0.5", "-1.5", "-2.5", "126.5", "127.4", "127.5", "-128.4", "-128.5", "-128.6",
               "254.5", "255.4", "1e10", "2147483646.5", "2147483647.4", "2147483647.5", "9.2e18", "9.3e18", "1e300",
               "1e38", "3.5e38", "'nan'::DOUBLE", "'inf'::DOUBLE", "0.1"]  # fmt: skip
    for number, to in itertools.product(numbers, ["TINYINT", "UTINYINT", "INTEGER", "BIGINT", "UBIGINT", "FLOAT", "BOOLEAN"]):
        yield f"CAST(({number}) AS {to})"
        yield f"TRY_CAST(({number}) AS {to})"
    for number in ["1e20", "1e15", "1e16", "123456789012345678.0", "0.0001", "0.00001", "1.5", "1.5e300", "1e-300",
                   "0.0", "-0.0", "1.0", "100000.0", "'inf'::DOUBLE", "'-inf'::DOUBLE", "'nan'::DOUBLE", "0.1", "5e-324",
                   "123.456", "9999999999999998.0", "0.00012345", "-1e-7", "1e100", "2e-5"]:  # fmt: skip
        yield f"CAST(({number}) AS VARCHAR)"
        yield f"TRY_CAST(({number}) AS FLOAT)::VARCHAR"
    yield from ["'abc'::VARCHAR(2)", "5::TINYINT", "-5::TINYINT", "128::TINYINT", "(-128)::TINYINT", "CAST(NULL AS INTEGER)",
                "i32::DECIMAL(5,2)", "i32::BLOB", "d::INTEGER", "i32::DATE", "s::INTEGER", "n::DOUBLE", "w::DATE",
                "TRY_CAST(i32 AS DATE)", "i32::TEXT || '!'", "CAST('5' AS INT) + 1"]  # fmt: skip


def conditionals():
    yield from [
        "CASE WHEN b THEN i8 END", "CASE WHEN b THEN i8 ELSE i64 END", "CASE WHEN b THEN i8 ELSE 5 END",
        "CASE WHEN b THEN i8 ELSE 500 END", "CASE WHEN b THEN i8 ELSE 2.5 END", "CASE WHEN b THEN f32 ELSE 2 END",
        "CASE WHEN b THEN 1 WHEN c THEN 2 ELSE 3 END", "CASE WHEN b THEN NULL ELSE s END", "CASE WHEN i8 THEN 1 ELSE 0 END",
        "CASE WHEN b THEN 'x' ELSE s END", "CASE WHEN b THEN d ELSE ts END", "CASE WHEN b THEN d ELSE '2013-01-01' END",
        "CASE WHEN b THEN u8 ELSE i8 END", "CASE WHEN b THEN u32 ELSE i8 END", "CASE WHEN b THEN b ELSE i8 END",
        "CASE i32 WHEN 5 THEN 'five' WHEN 2 THEN 'two' END", "CASE i32 WHEN i64 THEN 'same' ELSE 'other' END",
        "CASE s WHEN 'abc' THEN 1 WHEN NULL THEN 2 ELSE 3 END", "CASE NULL WHEN NULL THEN 1 ELSE 2 END",
        "CASE f64 WHEN 'nan' THEN 'not a number' WHEN 0 THEN 'zero' ELSE 'other' END", "CASE WHEN NULL THEN 1 END",
        "CASE WHEN i32 <> 0 THEN 10 // i32 ELSE -1 END", "CASE WHEN true THEN NULL END", "CASE WHEN false THEN 1 ELSE 'a' END",
        "CASE WHEN b THEN CASE WHEN c THEN 1 ELSE 2 END ELSE CASE WHEN c THEN 3 ELSE 4 END END",
        "CASE WHEN b THEN s ELSE i8 END", "CASE WHEN m32 > 0 THEN m32 - 1 ELSE m32 + 1 END", "CASE b WHEN true THEN c END",
        "CASE WHEN ts > '2000-01-01' THEN 'new' ELSE 'old' END", "CASE 3 WHEN i8 THEN 'three' END",
        "CASE WHEN n = '1' THEN CAST(n AS INTEGER) ELSE 0 END",
        "coalesce(i8, 0)", "coalesce(i8, 1000)", "coalesce(i8, i16, i32)", "coalesce(i8, 2.5)", "coalesce(f32, i64)",
        "coalesce(f32, 16777217)", "coalesce(NULL, NULL, i8)", "coalesce(NULL, NULL)", "coalesce(s, t, 'none')",
        "coalesce(s, 1)", "coalesce(d, ts)", "coalesce(ts_s, ts_ms)", "coalesce(ts_ns, ts)", "coalesce(ts, tz)",
        "coalesce(b, i8)", "coalesce(u8, i8)", "coalesce(u64, i8)", "coalesce(i8)", "coalesce(d, '2013-01-01')",
        "coalesce(i8, '12')", "coalesce(s, NULL)", "ifnull(i8, 0)", "coalesce(u64, 5)",
        "nullif(i8, 5)", "nullif(i8, i16)", "nullif(f64, 'nan')", "nullif(f64, 0)", "nullif(i8, 1000)", "nullif(i8, 5.0)",
        "nullif(s, 'abc')", "nullif(s, t)", "nullif(NULL, 1)", "nullif(1, NULL)", "nullif(1, 1)", "nullif(d, '2013-10-01')",
        "nullif(d, ts)", "nullif(b, true)", "nullif(m64, mu64)", "nullif('a', s)", "nullif(1, i8)",
    ]  # fmt: skip
    for function in ["least", "greatest"]:
        for arguments in ["i8, i16", "i8, 3", "i8, 1000", "i8, f64", "f32, f64", "f64, g64", "g64, f64", "f64, 0", "s, t",
                          "s, 'b'", "b, c", "d, e", "d, ts", "ts, tz", "i8, NULL", "NULL, NULL", "i8", "i8, i16, i32, i64",
                          "u8, i8", "u64, 5", "s, 1", "i8, '3'", "1, 2", "ts_s, ts_ns", "0.0, -0.0", "f32, 2",
                          "u64, i8"]:  # fmt: skip
            yield f"{function}({arguments})"


def functions():
    for function, column in itertools.product(["lower", "upper", "length", "trim", "ltrim", "rtrim"],
                                              ["s", "t", "w", "NULL", "'ÀÉ  '", "i8", "s || t", "'ŉǆᾳİΑΣẞÿﬁµıßſKÅ'"]):
        yield f"{function}({column})"
    yield from ["trim(s, 'a')", "trim(s, 'ac')", "trim(s, '')", "trim(s, NULL)", "trim(s, t)", "ltrim(s, 'a')", "rtrim(s, 'c ')",
                "trim(LEADING 'a' FROM s)", "trim(TRAILING 'c' FROM s)", "trim(BOTH ' ' FROM s)", "trim(LEADING FROM s)",
                "trim('日本語', '語日')", "char_length(s)", "length('👨‍👩‍👧')", "trim('\u3000 x\u00a0')", "trim('\t x')"]
    numbers = ["1", "2", "0", "-1", "-3", "-100", "100", "NULL", "i8"]
    for start in numbers:
        yield f"substr(s, {start})"
        for length in ["0", "1", "2", "100", "-1", "-2", "NULL", "i16"]:
            yield f"substr(s, {start}, {length})"
    yield from ["substring(s FROM 2 FOR 2)", "substring(s FROM 2)", "substring(s, 2)", "substr('日本語', 2, 1)", "substr(s, 1.5)",
                "substr(s, u8)", "substr(s, i64)", "substr(i8, 1)", "substr('héllo', i8, 2)"]
    for left, right in itertools.product(["s", "i8", "f64", "NULL", "'x'", "b"], ["t", "1", "d", "f32", "ts", "tz", "NULL"]):
        yield f"{left} || {right}"
        yield f"concat({left}, {right})"
    yield from ["s || '-' || t || '-' || i8", "concat(s)", "concat(NULL)", "concat('a', NULL, 1, 2.5, true)", "'a' || 'b'",
                "concat(s, t, s, t)", "concat(ts_s, ts_ms, ts_ns)", "concat(m64, mu64, m8)"]
    yield from ["abs('5')", "abs(b)", "floor(s)", "round(s)", "round(f64, 1.5)", "floor(NULL)", "abs(NULL)", "ceiling(f64)"]


def times():
    for part, column in itertools.product(PARTS, TIMES):
        yield f"extract({part} FROM {column})"
        yield f"date_part('{part}', {column})"
    for text in ["2012-01-01", "2012-12-31", "2013-01-01", "2020-12-31", "2021-01-03", "2021-01-04", "1969-12-28", "0001-01-01",
                 "2000-02-29", "1900-03-01", "9999-12-31"]:  # fmt: skip
        for part in ["year", "quarter", "month", "week", "day", "dow", "isodow", "doy", "epoch"]:
            yield f"extract({part} FROM DATE '{text}')"
    yield from ["date_part('YEAR', d)", "EXTRACT(YEAR FROM ts)", "extract('year' FROM d)", "extract(fortnight FROM d)",
                "date_part('nothing', d)", "extract(year FROM s)", "'1969-12-31 23:59:59.5'::TIMESTAMP::TIMESTAMP_S", "'1969-12-31 23:59:58.5'::TIMESTAMP::TIMESTAMP_S",
                "'1969-12-31 23:59:58.4'::TIMESTAMP::TIMESTAMP_S", "'1969-12-31 23:59:58.4999995'::TIMESTAMP_NS::TIMESTAMP",
                "'2013-01-01 23:59:58.4999995'::TIMESTAMP_NS::TIMESTAMP",
                "extract(year FROM '1969-12-31 23:59:59.999999789'::TIMESTAMP_NS)", "extract(year FROM NULL)", "extract(year FROM i8)"]
    yield from ["d + 1", "1 + d", "d - 1", "d + i8", "d - i32", "d + i16", "d + u8", "d - e", "e - d", "d + i64", "d + 2.5",
                "d * 2", "d + NULL", "NULL + d", "d - NULL", "d + '1'", "d + e", "d + 2147483647", "d + m32", "DATE '2013-10-02' - DATE '2013-10-01'",
                "d - 1 = '2013-09-30'", "d + u32", "d + 3000000000"]


def grammar():
    yield from [
        "i8 + i16 * i32", "(i8 + i16) * i32", "i8 - i16 - i32", "i8 * i16 % 4", "-i8 * 2", "- i8 % 3", "-(-i8)", "- -i8",
        "i8 + i16 || s", "s || i8 + i16", "s || t = 'abcabd'", "s || t LIKE 'a%'", "s LIKE 'a' || '%'", "i8 < i16 AND i16 < i32",
        "NOT i8 = 1", "NOT b IS NULL", "NOT i8 IN (1)", "i8 = 1 OR i8 = 3 AND b", "i8 = 1 IS NULL", "i8 IS NULL = b",
        "b = i8 IN (1, 3)", "b = i8 BETWEEN 0 AND 5", "i8 BETWEEN 0 AND 5 AND b", "i8 BETWEEN 0 + 1 AND 2 * 3", "b = s LIKE 'a%'",
        "s LIKE 'a%' = b", "i8 BETWEEN 0 AND 5 = b", "i8 IN (1) = b", "i8 + 1 IN (2, 3)", "i8 + 1 BETWEEN 2 AND 4",
        "i8 == 1", "i8 != 1", "i8::DOUBLE / 2", "-i8::DOUBLE", "i8 + 1::SMALLINT", "1 < 2 = true", "i8 < i16 < i32",
        "b IS TRUE AND c", "b IS NOT TRUE OR c", "i8 IS DISTINCT FROM 1 AND b", "i8 - 1 IS NULL", "\"i8\" + 1",
        "1e3", ".5", "5.", "1_000", "2147483647", "2147483648", "-2147483648", "9223372036854775807", "-9223372036854775808",
        "'it''s'", "E'a\\tb'", "''", "true", "NULL", "TIMESTAMP '2013-10-01'", "DATE '2013-10-01'", "TIMESTAMPTZ '2013-10-01'",
        "DATE '2013-13-01'", "i8 /* note */ + 1", "i8 -- note\n + 1", "CAST(i8 AS VARCHAR) || '%'", "((i8))", "((i8 + 1)) * 2",
        "i8 // 2 * 3", "i8 * 3 // 2", "12 // 5 // 2", "7 % 4 % 2", "f64 * 2 - 1 > 3", "NOT NOT b", "NOT b = c", "b AND NOT c",
        "CASE WHEN i8 > 0 THEN 1 ELSE 0 END + 1", "i8 IN (1, 2) AND i16 NOT IN (3) OR b", "1 + 1 = 2", "'a' < 'b'", "NULL = NULL",
        "i8 IS NULL IS NULL", "i8 IS NULL OR i8 IS NOT NULL", "s IS NOT NULL AND s <> ''", "b IS NOT DISTINCT FROM c = true",
        "'a' IN ('a', 1)", "i8 = '1'", "i8 = 'x'", "s = 1", "b = 'true'", "i8 + '1'", "'1.5' * f64", "i8 + 'x'", "u64 / i8", "'5' + 1", "-'5'", "'5' * '2'",
        "no_such_column", "no_such_function(i8)", "i8 +", "(i8", "i8)", "i8 i16",
    ]  # fmt: skip


LITERAL = re.compile(r"'(?:[^']|'')*'|(?<![\w.])(?:\d[\d_]*\.\d*|\.\d+)(?![\w.])")


def for_duckdb(expression):
    """The expression with decimal literals as doubles."""
    return LITERAL.sub(lambda m: m[0] if m[0].startswith("'") else m[0] + "e0", expression)


def encode(values):
    """Values of an Arrow array as JSON."""
    kind = values.type
    if pa.types.is_floating(kind):
        return [None if value is None else repr(value) for value in values.to_pylist()]
    if pa.types.is_date(kind):
        return values.cast(pa.int32()).to_pylist()
    if pa.types.is_timestamp(kind):
        return values.cast(pa.int64()).to_pylist()
    if pa.types.is_decimal(kind):
        return [None if value is None else str(value) for value in values.to_pylist()]
    return values.to_pylist()


def main():
    connection = duckdb.connect()
    for setting in ["TimeZone = 'UTC'", "error_on_division_by_zero = false", "ieee_floating_point_ops = false", "threads = 1"]:
        connection.execute(f"SET {setting}")
    table = pa.table({name: pa.array(values, type=kind) for name, (kind, values) in TABLE.items()})
    connection.register("given", table)
    connection.execute("CREATE TABLE fixture AS SELECT * FROM given")
    known, used = set(), set()
    fails = 0
    with GOLDEN.open("w", encoding="utf-8", newline="\n") as golden:
        columns = [{"name": name, "type": str(table[name].type), "values": encode(table[name].combine_chunks())}
                   for name in TABLE]  # fmt: skip
        golden.write(json.dumps({"duckdb": duckdb.__version__, "columns": columns}, ensure_ascii=False) + "\n")
        for expression in expressions():
            if expression in known:
                continue
            known.add(expression)
            line = {"sql": expression}
            try:
                query = f"SELECT ({for_duckdb(expression)}\n) AS result FROM fixture"
                line["type"] = connection.execute(f"DESCRIBE {query}").fetchone()[1]
                result = connection.execute(query).to_arrow_reader().read_all()["result"].combine_chunks()
                line["values"] = encode(result)
            except duckdb.Error:
                line = {"sql": expression, "fails": True}
                fails += 1
            for pattern, reason in DEVIATIONS.items():
                if re.fullmatch(pattern, expression):
                    line["deviation"] = reason
                    used.add(pattern)
            golden.write(json.dumps(line, ensure_ascii=False) + "\n")
    assert fails < len(known) / 5, fails
    assert used == set(DEVIATIONS), set(DEVIATIONS) - used
    print(f"{len(known)} expressions, of which DuckDB refuses {fails}")


if __name__ == "__main__":
    main()
