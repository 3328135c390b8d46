use std::fs::File;
use std::path::Path;

use arrow_array::cast::AsArray;
use arrow_array::types::Int64Type;
use arrow_array::{Array, ArrayRef, Float64Array, Int64Array, StringArray};
use arrow_cast::display::{ArrayFormatter, FormatOptions};
use arrow_ipc::reader::FileReader;
use arrow_schema::{Fields, IntervalUnit};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaDataReader;
use pinion_sdk::testing;

use super::*;

/// The bytes for a table in these batches.
fn written(params: &str, batches: &[RecordBatch]) -> Vec<u8> {
    let fields = batches[0].schema().fields().to_vec();
    let inputs = Inputs::default().with_table("rows", Table::local(fields, batches.to_vec()));
    let outputs = testing::whole_table::<WriteParquet>(params, &inputs).unwrap();
    outputs.written_blob("file").unwrap().to_vec()
}

/// The table that a file holds.
fn read(bytes: &[u8]) -> RecordBatch {
    let builder = ParquetRecordBatchReaderBuilder::try_new(Bytes::copy_from_slice(bytes)).unwrap();
    let schema = Arc::clone(builder.schema());
    let batches: Vec<_> = builder
        .build()
        .unwrap()
        .collect::<std::result::Result<_, _>>()
        .unwrap();
    concat_batches(&schema, &batches).unwrap()
}

/// The table in an Arrow file among the tests of another plugin.
fn arrow_file(path: &str) -> RecordBatch {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    let reader = FileReader::try_new(File::open(path).unwrap(), None).unwrap();
    let schema = reader.schema();
    let batches: Vec<_> = reader.collect::<std::result::Result<_, _>>().unwrap();
    concat_batches(&schema, &batches).unwrap()
}

/// Many rows, in which a dictionary grows too large and pages end.
fn rows(count: i64) -> RecordBatch {
    let words: StringArray = (0..count)
        .map(|n| (n % 11 != 0).then(|| format!("word {} of many", n % 50_000)))
        .collect();
    let values: Float64Array = (0..count)
        .map(|n| (n % 7 != 0).then_some(n as f64 * 0.5))
        .collect();
    RecordBatch::try_from_iter_with_nullable([
        (
            "id",
            Arc::new((0..count).collect::<Int64Array>()) as ArrayRef,
            false,
        ),
        ("word", Arc::new(words), true),
        ("value", Arc::new(values), true),
    ])
    .unwrap()
}

fn cut(batch: &RecordBatch, rows: usize) -> Vec<RecordBatch> {
    (0..batch.num_rows())
        .step_by(rows)
        .map(|start| batch.slice(start, rows.min(batch.num_rows() - start)))
        .collect()
}

#[test]
fn every_type_comes_back() {
    for file in [
        "read-parquet/tests/data/types.arrow",
        "read-parquet/tests/data/required.arrow",
        "read-parquet/tests/data/all-null.arrow",
        "read-arrow/tests/data/types.arrow",
    ] {
        let table = arrow_file(file);
        let fields = table.schema().fields().clone();
        let writable = (0..fields.len()).filter(|position| check(&fields[*position]).is_ok());
        let table = table.project(&writable.collect::<Vec<_>>()).unwrap();
        assert!(table.num_columns() + 7 > fields.len());
        for params in ["{}", r#"{"compression": "none", "row_group_rows": 2}"#] {
            let found = read(&written(params, std::slice::from_ref(&table)));
            for (position, field) in table.schema().fields().iter().enumerate() {
                assert_eq!(*found.schema().field(position), *plain(field), "{file}");
                let (found, expected) = (found.column(position), table.column(position));
                if *plain(field) == **field {
                    assert_eq!(found, expected, "{file} {}", field.name());
                    continue;
                }
                // A dictionary and what it stands for look the same.
                let text = |array: &ArrayRef| {
                    let options = FormatOptions::new().with_null("null");
                    let formatter = ArrayFormatter::try_new(array, &options).unwrap();
                    let values = (0..array.len()).map(|row| formatter.value(row).to_string());
                    values.collect::<Vec<_>>()
                };
                assert_eq!(text(found), text(expected), "{file} {}", field.name());
            }
        }
    }
}

#[test]
fn batches_make_no_difference() {
    let table = rows(150_000);
    for params in [
        "{}",
        r#"{"compression": "none"}"#,
        r#"{"row_group_rows": 1500}"#,
    ] {
        let whole = written(params, std::slice::from_ref(&table));
        assert_eq!(read(&whole).columns(), table.columns());
        for rows in [1000, 8192, 8193, 70_001] {
            assert!(
                written(params, &cut(&table, rows)) == whole,
                "{params} {rows}"
            );
        }
    }
}

#[test]
fn row_groups_have_the_rows_asked_for() {
    let groups = |params, rows: &RecordBatch| {
        let bytes = Bytes::from(written(params, std::slice::from_ref(rows)));
        let metadata = ParquetMetaDataReader::new()
            .parse_and_finish(&bytes)
            .unwrap();
        let groups = metadata.row_groups().iter();
        assert_eq!(
            metadata.file_metadata().created_by(),
            Some(concat!("pinion version ", env!("CARGO_PKG_VERSION")))
        );
        groups.map(|group| group.num_rows()).collect::<Vec<_>>()
    };
    let table = rows(10_000);
    assert_eq!(groups("{}", &table), [10_000]);
    assert_eq!(
        groups(r#"{"row_group_rows": 4000}"#, &table),
        [4000, 4000, 2000]
    );
    assert_eq!(groups(r#"{"row_group_rows": 5000}"#, &table), [5000, 5000]);
}

#[test]
fn a_table_without_rows_is_a_file() {
    let empty = rows(1).slice(0, 0);
    let found = read(&written("{}", std::slice::from_ref(&empty)));
    assert_eq!(found.num_rows(), 0);
    assert_eq!(found.schema().fields(), empty.schema().fields());
    let no_batches = Inputs::default().with_table(
        "rows",
        Table::local(empty.schema().fields().to_vec(), vec![]),
    );
    let outputs = testing::whole_table::<WriteParquet>("{}", &no_batches).unwrap();
    assert_eq!(
        outputs.written_blob("file").unwrap(),
        written("{}", &[empty])
    );
}

#[test]
fn compression_is_smaller() {
    let table = rows(10_000);
    let bytes = |params| written(params, std::slice::from_ref(&table)).len();
    assert!(bytes("{}") < bytes(r#"{"compression": "none"}"#));
    assert_eq!(
        read(&written("{}", std::slice::from_ref(&table)))["id"]
            .as_primitive::<Int64Type>()
            .value(9999),
        9999
    );
}

#[test]
fn what_parquet_cannot_hold_is_refused() {
    let check = |params: &str, fields: Vec<Field>| {
        let fields = fields.into_iter().map(Arc::new).collect();
        let shapes = Shapes::new(vec![Shape::table("rows", fields)]);
        WriteParquet::check(serde_json::from_str(params).unwrap(), &shapes)
    };
    let number = || Field::new("n", DataType::Int64, true);
    assert_eq!(
        check("{}", vec![number()]).unwrap(),
        [Shape::blob("file", MEDIA_TYPE)]
    );
    let interval = DataType::Interval(IntervalUnit::DayTime);
    let list = DataType::List(Arc::new(Field::new("item", interval.clone(), true)));
    let seconds = DataType::Timestamp(TimeUnit::Second, None);
    let dictionary = DataType::Dictionary(Box::new(DataType::Int8), Box::new(DataType::Date64));
    let empty = DataType::Struct(Fields::empty());
    for data_type in [interval, list, seconds, dictionary, empty] {
        let error = check("{}", vec![number(), Field::new("x", data_type, true)]).unwrap_err();
        assert_eq!(error.code, "wrong-type");
        assert!(
            error
                .message
                .starts_with("column `x` cannot be written as Parquet: "),
            "{error}"
        );
    }
    assert_eq!(check("{}", vec![]).unwrap_err().code, "bad-data");
    let none = check(r#"{"row_group_rows": 0}"#, vec![number()]);
    assert_eq!(none.unwrap_err().code, "bad-params");
    assert!(serde_json::from_str::<Params>(r#"{"compression": "zstd"}"#).is_err());
}
