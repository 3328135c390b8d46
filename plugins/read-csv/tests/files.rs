//! Reads small CSV files through the step's own interface.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::path::Path;
use std::sync::Arc;

use arrow_array::{
    Array, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Float64Array, Int8Array,
    Int64Array, RecordBatch, StringArray, TimestampMicrosecondArray, TimestampMillisecondArray,
    TimestampSecondArray,
};
use arrow_schema::{DataType, TimeUnit};
use arrow_select::concat::concat_batches;
use mutations::{COUNT, Corpus};
use pinion_sdk::testing::{fuzz_source, source};
use pinion_sdk::{Blob, Error, Range, Source, TableWriter};
use read_csv::{Params, ReadCsv};

fn blob(bytes: impl AsRef<[u8]>) -> Blob {
    Blob::local("text/csv", bytes.as_ref().to_vec())
}

/// The batches of all ranges in one, and the number of rows in each range.
fn table(
    params: &str,
    bytes: impl AsRef<[u8]>,
    rows: u64,
) -> Result<(RecordBatch, Vec<usize>), Error> {
    let (_, ranges) = source::<ReadCsv>(params, &blob(bytes), rows)?;
    let lengths = ranges
        .iter()
        .map(|batches| batches.iter().map(RecordBatch::num_rows).sum());
    let lengths = lengths.collect();
    let batches: Vec<_> = ranges.into_iter().flatten().collect();
    Ok((
        concat_batches(&batches[0].schema(), &batches).unwrap(),
        lengths,
    ))
}

#[track_caller]
fn assert_columns(params: &str, bytes: impl AsRef<[u8]>, expected: &[(&str, ArrayRef)]) {
    for rows in [1, 2, 100] {
        let (found, _) = table(params, bytes.as_ref(), rows).unwrap();
        let schema = found.schema();
        let names: Vec<_> = schema
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(
            names,
            expected.iter().map(|(name, _)| *name).collect::<Vec<_>>()
        );
        for ((name, expected), found) in expected.iter().zip(found.columns()) {
            assert_eq!(found, expected, "{name}");
        }
    }
}

fn strings(values: &[Option<&str>]) -> ArrayRef {
    Arc::new(StringArray::from(values.to_vec()))
}

fn integers(values: &[Option<i64>]) -> ArrayRef {
    Arc::new(Int64Array::from(values.to_vec()))
}

#[test]
fn types_are_inferred() {
    let text = "\
flag,count,mixed,share,day,second,milli,stamp,text,nothing,long
true,1,1,0.5,2024-02-29,2024-02-29 12:30:15,2024-02-29T12:30:15.5,2024-02-29,x,,99999999999999999999
FALSE,-2,2.5,1e3,1969-12-31,1970-01-01T00:00:01,2024-02-29T12:30:15,2024-02-29T00:00:01.000001,1,,1
,,,nan,,,,,,,
";
    let stamp = 1_709_209_815;
    let millis = vec![Some(stamp * 1000 + 500), Some(stamp * 1000), None];
    let micros = vec![
        Some(1_709_164_800_000_000),
        Some(1_709_164_801_000_001),
        None,
    ];
    let expected: [(&str, ArrayRef); 11] = [
        (
            "flag",
            Arc::new(BooleanArray::from(vec![Some(true), Some(false), None])),
        ),
        ("count", integers(&[Some(1), Some(-2), None])),
        (
            "mixed",
            Arc::new(Float64Array::from(vec![Some(1.0), Some(2.5), None])),
        ),
        (
            "share",
            Arc::new(Float64Array::from(vec![0.5, 1000.0, f64::NAN])),
        ),
        (
            "day",
            Arc::new(Date32Array::from(vec![Some(19_782), Some(-1), None])),
        ),
        (
            "second",
            Arc::new(TimestampSecondArray::from(vec![Some(stamp), Some(1), None])),
        ),
        ("milli", Arc::new(TimestampMillisecondArray::from(millis))),
        ("stamp", Arc::new(TimestampMicrosecondArray::from(micros))),
        ("text", strings(&[Some("x"), Some("1"), None])),
        ("nothing", strings(&[None, None, None])),
        (
            "long",
            strings(&[Some("99999999999999999999"), Some("1"), None]),
        ),
    ];
    assert_columns("{}", text, &expected);
}

#[test]
fn types_are_given() {
    let params = r#"{"types": {"a": "int8", "b": "decimal128(5, 2)", "c": "utf8", "d": "timestamp[ms, UTC]"}}"#;
    let text = "a,b,c,d\n1,1.5,007,2024-02-29T13:30:15+01:00\n-128,-999.99,,2024-02-29 12:30:15\n";
    let stamps = TimestampMillisecondArray::from(vec![1_709_209_815_000; 2]).with_timezone("UTC");
    let decimals = Decimal128Array::from(vec![150, -99_999]).with_precision_and_scale(5, 2);
    let expected: [(&str, ArrayRef); 4] = [
        ("a", Arc::new(Int8Array::from(vec![1, -128]))),
        ("b", Arc::new(decimals.unwrap())),
        ("c", strings(&[Some("007"), None])),
        ("d", Arc::new(stamps)),
    ];
    assert_columns(params, text, &expected);
    let (fields, _) = source::<ReadCsv>(params, &blob(text), 10).unwrap();
    let utc = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    assert_eq!(fields[3].data_type(), &utc);
}

#[test]
fn a_column_that_is_null_at_first_loses_nothing() {
    let (found, _) = table(r#"{"infer_rows": 2}"#, "a,b\n1,\n2,\n3,late\n", 10).unwrap();
    assert_eq!(found.column(1), &strings(&[None, None, Some("late")]));
}

#[test]
fn dialects() {
    let expected = [
        ("a", integers(&[Some(1), None])),
        ("b", strings(&[Some("x;\n\"y\""), Some("")])),
    ];
    assert_columns(
        r#"{"delimiter": ";", "quote": "'", "escape": "\\", "comment": "%", "nulls": ["NA", "-"]}"#,
        "% made by hand; 'odd\r\n\r\na;b\r\n1;'x;\n\"y\"'\r\n% NA;'\r\nNA;\r\n",
        &expected,
    );
    let expected = [
        ("a", strings(&[Some("it's"), Some("x")])),
        ("b", strings(&[Some("''"), Some("-")])),
    ];
    // A comment that ends the file without ending its line is no record.
    let commented = r##"{"header": false, "comment": "#"}"##;
    assert_columns(
        commented,
        "1\n2\n# two",
        &[("column_1", integers(&[Some(1), Some(2)]))],
    );
    let params = r#"{"quote": "'", "escape": "\\", "nulls": []}"#;
    assert_columns(params, "a,b\n'it\\'s',''''''\nx,-", &expected);
}

#[test]
fn headers() {
    let expected = |a, b| {
        [
            (a, integers(&[Some(1), Some(3)])),
            (b, integers(&[Some(2), Some(4)])),
        ]
    };
    assert_columns("{}", "\u{feff}a,b\n1,2\n3,4", &expected("a", "b"));
    assert_columns("{}", "\n\"a\",\n1,2\n3,4\n\n", &expected("a", "column_2"));
    assert_columns(
        r#"{"header": false}"#,
        "1,2\r3,4\r",
        &expected("column_1", "column_2"),
    );
    let named = r#"{"header": false, "names": ["x", "y"]}"#;
    assert_columns(named, "1,2\n3,4\n", &expected("x", "y"));
    assert_columns(
        r#"{"names": ["x", "y"]}"#,
        "a,b\n1,2\n3,4\n",
        &expected("x", "y"),
    );
}

#[test]
fn no_rows_make_no_ranges() {
    let named = r#"{"header": false, "names": ["a", "b"]}"#;
    for (params, text) in [("{}", "a,b\n"), ("{}", "a,b"), (named, "")] {
        let (fields, ranges) = source::<ReadCsv>(params, &blob(text), 10).unwrap();
        assert_eq!(fields.len(), 2, "{text}");
        assert!(
            fields
                .iter()
                .all(|field| field.data_type() == &DataType::Utf8)
        );
        assert_eq!(ranges.len(), 0, "{text}");
    }
}

#[test]
fn ranges_hold_whole_records_and_survive_an_append() {
    let mut text = String::from("id,text\n");
    for id in 0..1000 {
        text += &format!("{id},\"line {id}\nand \"\"more\"\", of it\"\n");
    }
    let partition = |text: &str| ReadCsv::partition(&Params::default(), &blob(text), 64).unwrap();
    let ranges = partition(&text);
    assert_eq!(
        ranges[1].hint,
        r#"{"row":65,"line":130,"types":["int64","utf8"]}"#
    );
    for pair in ranges.windows(2) {
        assert_eq!(pair[0].offset + pair[0].len, pair[1].offset);
    }
    let (found, lengths) = table("{}", &text, 64).unwrap();
    assert_eq!(lengths[..15], [64; 15]);
    assert_eq!(lengths[15..], [40]);
    assert_eq!(
        found.column(0),
        &integers(&(0..1000).map(Some).collect::<Vec<_>>())
    );
    let appended = partition(&(text + "1000,x\n"));
    assert_eq!(ranges[..15], appended[..15]);
    assert!(appended[15].len > ranges[15].len);
}

#[test]
fn more_rows_than_one_batch_and_more_bytes_than_one_piece() {
    let rows = 40_000;
    let text: String = (0..rows)
        .map(|id| format!("{id},\"some text, quoted\",{}\n", id * 2))
        .collect();
    let (found, lengths) = table("{}", format!("a,b,c\n{text}"), 35_000).unwrap();
    assert_eq!(lengths, [35_000, 5_000]);
    let doubled: Vec<_> = (0..rows).map(|id| Some(id * 2)).collect();
    assert_eq!(found.column(2), &integers(&doubled));
}

#[test]
fn columns_are_read_alone() {
    let bytes = blob("a,b,c\n1,x,2.5\n2,y,3.5\n");
    let params = Params::default();
    let ranges = ReadCsv::partition(&params, &bytes, 10).unwrap();
    let read = |columns: &[&str]| {
        let columns: Vec<_> = columns.iter().map(|name| (*name).to_owned()).collect();
        let mut writer = TableWriter::local();
        ReadCsv::read(&params, &bytes, &ranges[0], &columns, &mut writer).unwrap();
        writer.into_partitions().remove(0).remove(0)
    };
    assert_eq!(read(&["a", "c"]).column(1).data_type(), &DataType::Float64);
    assert_eq!(read(&["b"]).column(0), &strings(&[Some("x"), Some("y")]));
    assert_eq!((read(&[]).num_columns(), read(&[]).num_rows()), (0, 2));
}

/// The code, the message and the details of a refusal.
fn refused(params: &str, bytes: impl AsRef<[u8]>) -> (String, String, String) {
    let error = source::<ReadCsv>(params, &blob(bytes), 3).unwrap_err();
    let details = error
        .details
        .iter()
        .map(|(label, value)| format!("{label} {value}"));
    (
        error.code,
        error.message,
        details.collect::<Vec<_>>().join("; "),
    )
}

#[test]
fn records_of_the_wrong_length() {
    let short = "a,b\n1,\"x\ny\"\n\n# no comment\n2,y\n";
    let late = "a,b\n1,x\n2,y\n3,z\n4,w\n5,v,more\n";
    for (params, text, message) in [
        (
            "{}",
            short,
            "line 5 of the CSV file (row 2) has 1 field instead of 2",
        ),
        (
            "{}",
            late,
            "line 6 of the CSV file (row 5) has 3 fields instead of 2",
        ),
        (
            r#"{"infer_rows": 1}"#,
            late,
            "line 6 of the CSV file (row 5) has 3 fields instead of 2",
        ),
        (
            r#"{"header": false, "infer_rows": 1}"#,
            late,
            "line 6 of the CSV file (row 6) has 3 fields instead of 2",
        ),
    ] {
        let expected = ("bad-file".to_owned(), message.to_owned(), String::new());
        assert_eq!(refused(params, text), expected, "{params}");
    }
}

#[test]
fn values_of_the_wrong_type() {
    let params = r#"{"types": {"price": "utf8", "id": "int64"}}"#;
    let text = "id,price\n1,2\n2,3\n\n3,\"4\n\"\nx,\"five, or so\"\n";
    let (code, message, details) = refused(params, text);
    assert_eq!(code, "bad-file");
    assert_eq!(
        message,
        "`x` on line 7 of the CSV file (row 4), in column `id`, is not `int64`"
    );
    assert_eq!(
        details,
        "hint give `id` another type under `types`, or put `x` under `nulls`"
    );
    let late = refused(r#"{"infer_rows": 1}"#, "a\n1\n2\n3\n4.5\n");
    assert_eq!(
        late.1,
        "`4.5` on line 5 of the CSV file (row 4), in column `a`, is not `int64`"
    );
    let long = format!("a\n1\n\"a\tb\n{}\"\n", "é".repeat(100));
    assert_eq!(
        refused(r#"{"infer_rows": 1}"#, long).1,
        format!(
            "`a\\tb\\n{}…` on line 3 of the CSV file (row 2), in column `a`, is not `int64`",
            "é".repeat(36)
        )
    );
}

#[test]
fn bytes_that_are_not_text() {
    let given = r#"{"types": {"a": "utf8", "b": "utf8"}}"#;
    for params in ["{}", r#"{"infer_rows": 1}"#, given] {
        let (code, message, details) = refused(params, b"a,b\n1,x\n2,\"c,\ncaf\xe9\"\n");
        assert_eq!(
            (code.as_str(), details.as_str()),
            ("bad-file", "found `\\xe9\\\"\\n`")
        );
        assert_eq!(
            message,
            "line 4 of the CSV file (row 2) is not UTF-8 in column `b`"
        );
        // Halves of one character in neighbouring fields.
        let (_, message, details) = refused(params, b"a,b\n1,x\n\xc3,\xa9\n");
        assert_eq!(
            message,
            "line 3 of the CSV file (row 2) is not UTF-8 in column `a`"
        );
        assert_eq!(details, "found `\\xc3,\\xa9\\n`");
    }
    let header = b"a,\xff\n1,2\n";
    for (params, message) in [
        (
            "{}",
            "line 1 of the CSV file (the header) is not UTF-8 in column `column_2`",
        ),
        (
            r#"{"header": false, "names": ["a", "b"]}"#,
            "line 1 of the CSV file (row 1) is not UTF-8 in column `b`",
        ),
    ] {
        assert_eq!(refused(params, header).1, message);
    }
}

#[test]
fn files_that_are_no_tables() {
    let open = refused("{}", "a,b\n1,x\n2,\"y\n3,z\n");
    assert_eq!(open.0, "bad-file");
    assert_eq!(
        open.1,
        "the quoted field that starts on line 3 of the CSV file does not end"
    );
    assert_eq!(
        refused("{}", "a,a\n1,2\n").1,
        "the CSV file has two columns `a`"
    );
    assert_eq!(refused("{}", "").1, "the CSV file is empty");
}

#[test]
fn params_that_make_no_sense() {
    for (params, code, message) in [
        (
            r#"{"delimiter": "||"}"#,
            "bad-params",
            "`delimiter` must be one ASCII character",
        ),
        (
            r#"{"quote": ""}"#,
            "bad-params",
            "`quote` must be one ASCII character",
        ),
        (
            r#"{"comment": ","}"#,
            "bad-params",
            "`delimiter` and `comment` are the same character",
        ),
        (
            r#"{"names": ["x"]}"#,
            "bad-params",
            "`names` has the wrong number of names",
        ),
        (
            r#"{"types": {"a": "money"}}"#,
            "bad-params",
            "`money`, the type of column `a`, is not a type",
        ),
        (
            r#"{"types": {"c": "utf8"}}"#,
            "missing-column",
            "the CSV file has no column `c`",
        ),
    ] {
        let found = refused(params, "a,b\n1,2\n");
        assert_eq!(
            (found.0.as_str(), found.1.as_str()),
            (code, message),
            "{params}"
        );
    }
    assert!(source::<ReadCsv>(r#"{"separator": ";"}"#, &blob("a\n1\n"), 1).is_err());
    let range = Range {
        offset: 0,
        len: 4,
        hint: "line=1".to_owned(),
    };
    let mut writer = TableWriter::local();
    let read = ReadCsv::read(
        &Params::default(),
        &blob("a\n1\n"),
        &range,
        &[],
        &mut writer,
    );
    assert_eq!(read.unwrap_err().code, "bad-range");
}

/// Random text from an alphabet of trouble: an error or a table, and the same rows however they are cut.
#[test]
fn any_bytes_and_any_cut() {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = move |below: usize| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state % below as u64) as usize
    };
    // The last two are rare.
    let alphabet: [&[u8]; 12] = [
        b"a",
        b"1",
        b",",
        b"\n",
        b"\r\n",
        b"\r",
        b"\"",
        b"#",
        b"\\",
        b" ",
        b"\xc3\xa9",
        b"\xc3",
    ];
    let dialects = [
        r#"{"header": false}"#,
        r##"{"header": false, "comment": "#", "escape": "\\", "nulls": ["1", ""]}"##,
        r#"{"infer_rows": 1}"#,
    ];
    let mut tables = 0;
    for round in 0..4_000 {
        let known = if round % 4 == 0 { 12 } else { 10 };
        let bytes: Vec<u8> = (0..random(24))
            .flat_map(|_| alphabet[random(known)].to_vec())
            .collect();
        let params = dialects[random(3)];
        let shown = bytes.escape_ascii().to_string();
        let read = |rows| {
            source::<ReadCsv>(params, &blob(&bytes), rows).map(|(_, ranges)| {
                let batches = ranges.iter().flatten();
                let rows =
                    batches.flat_map(|batch| (0..batch.num_rows()).map(|row| batch.slice(row, 1)));
                let rows: Vec<_> = rows.map(|row| format!("{:?}", row.columns())).collect();
                (rows, ranges.len())
            })
        };
        match (read(1), read(2), read(1000)) {
            (Ok((one, ranges)), Ok((two, _)), Ok((all, _))) => {
                assert_eq!((&one, &two), (&all, &all), "{shown}");
                assert_eq!(ranges, all.len(), "{shown}");
                tables += usize::from(!all.is_empty());
            }
            (Err(one), Err(two), Err(all)) => {
                assert_eq!((&one, &two), (&all, &all), "{shown}");
                assert!(!all.message.contains("cannot be read"), "{all} {shown}");
            }
            (one, two, all) => panic!("{shown}: {one:?} {two:?} {all:?}"),
        }
    }
    assert!(tables > 500, "{tables}");
}

#[test]
fn mutations_are_refused_or_read() {
    let data = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data");
    let corpus = Corpus::read(&data, |_| true);
    // The dialect that is guessed, and one that is told.
    let told =
        r##"{"delimiter": ";", "comment": "#", "escape": "\\", "nulls": ["-"], "infer_rows": 2}"##;
    corpus.check(COUNT, |bytes| {
        let body = |params| fuzz_source::<ReadCsv>(params, "text/csv", bytes);
        body("{}") | body(told)
    });
}

#[test]
fn what_is_wrong_in_a_file_of_many_columns_is_found() {
    let header: Vec<String> = (0..20_000).map(|n| format!("c{n}")).collect();
    let mut values = vec!["1"; 20_000];
    let sound = format!("{}\n{}\n", header.join(","), values.join(","));
    let (found, _) = table("{}", &sound, 100).unwrap();
    assert_eq!((found.num_columns(), found.num_rows()), (20_000, 1));
    values[17] = "x";
    values[19_998] = "y";
    let error = table(
        r#"{"infer_rows": 1}"#,
        format!("{sound}{}\n", values.join(",")),
        100,
    );
    assert_eq!(
        error.unwrap_err().message,
        "`x` on line 3 of the CSV file (row 2), in column `c17`, is not `int64`"
    );
    let error = table(r#"{"types": {"c": "utf8"}}"#, &sound, 100).unwrap_err();
    assert_eq!(error.message, "the CSV file has no column `c`");
    assert!(
        error.to_string().len() < 1000,
        "{}",
        error.to_string().len()
    );
}
