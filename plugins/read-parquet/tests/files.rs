//! Reads what pyarrow wrote (`tests/oracles/parquet_files.py`) and compares it with what pyarrow reads.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{Int32Builder, Int64Builder, ListBuilder, MapBuilder, StringBuilder};
use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, StringArray, StructArray};
use arrow_ipc::reader::FileReader;
use arrow_schema::{Field, FieldRef};
use arrow_select::concat::concat_batches;
use bytes::Bytes;
use mutations::{COUNT, Corpus};
use parquet::arrow::ArrowWriter;
use parquet::basic::Encoding;
use parquet::data_type::{ByteArray, ByteArrayType, Int64Type};
use parquet::file::properties::{WriterProperties, WriterVersion};
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::file::writer::SerializedFileWriter;
use parquet::schema::parser::parse_message_type;
use pinion_sdk::testing::{fuzz_source, source};
use pinion_sdk::{Blob, Error, Range, Source, TableWriter};
use read_parquet::{Params, ReadParquet};

const MEDIA_TYPE: &str = "application/vnd.apache.parquet";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn blob(name: &str) -> Blob {
    Blob::local(
        MEDIA_TYPE,
        fs::read(data(&format!("{name}.parquet"))).unwrap(),
    )
}

fn arrow(name: &str) -> RecordBatch {
    let file = FileReader::try_new(File::open(data(&format!("{name}.arrow"))).unwrap(), None);
    let file = file.unwrap();
    let schema = file.schema();
    concat_batches(&schema, &file.map(Result::unwrap).collect::<Vec<_>>()).unwrap()
}

/// The fields, the rows and the number of rows in each range.
fn table(
    params: &str,
    bytes: &Blob,
    rows: u64,
) -> Result<(Vec<FieldRef>, RecordBatch, Vec<usize>), Error> {
    let (fields, ranges) = source::<ReadParquet>(params, bytes, rows)?;
    let lengths = ranges
        .iter()
        .map(|batches| batches.iter().map(RecordBatch::num_rows).sum());
    let lengths = lengths.collect();
    let batches: Vec<_> = ranges.into_iter().flatten().collect();
    let schema = batches.first().map(RecordBatch::schema).unwrap();
    Ok((fields, concat_batches(&schema, &batches).unwrap(), lengths))
}

#[track_caller]
fn compare(file: &str, expected: &str, rows: u64) {
    let expected = arrow(expected);
    let (fields, found, _) = table("{}", &blob(file), rows).unwrap();
    for (position, field) in expected.schema().fields().iter().enumerate() {
        let (found, expected) = (found.column(position), expected.column(position));
        if let (Some(found), Some(expected)) = (found.as_map_opt(), expected.as_map_opt()) {
            // What the entries of a map are called is nobody's business, and writers disagree on it.
            assert_eq!(found.offsets(), expected.offsets(), "{file}");
            assert_eq!(found.nulls(), expected.nulls(), "{file}");
            assert_eq!(
                found.entries().columns(),
                expected.entries().columns(),
                "{file}"
            );
            continue;
        }
        assert_eq!(&fields[position], field, "{file}");
        assert_eq!(found, expected, "{file}: {}", field.name());
    }
    assert_eq!(found.num_columns(), expected.num_columns());
}

#[test]
fn every_type_is_as_pyarrow_reads_it() {
    for name in [
        "types",
        "types-v2",
        "required",
        "encoded",
        "no-arrow-schema",
        "old-lists",
    ] {
        for rows in [1, 2, 100] {
            compare(name, name, rows);
        }
    }
}

#[test]
fn int96_is_nanoseconds() {
    compare("int96", "int96", 100);
}

#[test]
fn every_encoding() {
    for name in ["encodings-v1", "encodings-v2", "all-null"] {
        for rows in [1, 2, 100] {
            compare(name, name, rows);
        }
    }
}

#[test]
fn every_codec_and_page_version_in_pieces_of_any_size() {
    for codec in ["none", "snappy", "gzip", "brotli", "lz4", "zstd"] {
        for version in [1, 2] {
            for rows in [1, 7, 50, 160, 1000] {
                compare(&format!("rows-{codec}-v{version}"), "rows", rows);
            }
        }
    }
}

#[test]
fn groups_are_cut_and_small_neighbours_joined() {
    let bytes = blob("rows-zstd-v1");
    assert_eq!(table("{}", &bytes, 1000).unwrap().2, [400]);
    assert_eq!(table("{}", &bytes, 399).unwrap().2, [320, 80]);
    assert_eq!(table("{}", &bytes, 240).unwrap().2, [160, 240]);
    assert_eq!(table("{}", &bytes, 160).unwrap().2, [160, 160, 80]);
    assert_eq!(table("{}", &bytes, 100).unwrap().2, [100, 60, 100, 60, 80]);
    let ranges = ReadParquet::partition(&Params::default(), &bytes, 100).unwrap();
    assert_eq!(ranges[1].hint, "group=0 skip=100 take=60");
    for pair in ranges.windows(2) {
        assert_eq!(pair[0].offset + pair[0].len, pair[1].offset, "{pair:?}");
    }
}

#[test]
fn many_groups_of_one_row_are_few_ranges() {
    let rows: ArrayRef = Arc::new((0..5000).collect::<arrow_array::Int32Array>());
    let rows = RecordBatch::try_from_iter([("row", rows)]).unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
    for row in 0..rows.num_rows() {
        writer.write(&rows.slice(row, 1)).unwrap();
        writer.flush().unwrap();
    }
    let bytes = Blob::local(MEDIA_TYPE, writer.into_inner().unwrap());
    let (_, found, ranges) = table("{}", &bytes, 1500).unwrap();
    assert_eq!(ranges, [1500, 1500, 1500, 500]);
    assert_eq!(found.columns(), rows.columns());
}

#[test]
fn columns_are_kept_in_file_order_and_read_alone() {
    let expected = arrow("rows");
    let (fields, found, _) =
        table(r#"{"columns": ["list", "id"]}"#, &blob("rows-none-v2"), 100).unwrap();
    assert_eq!(
        fields
            .iter()
            .map(|field| field.name().as_str())
            .collect::<Vec<_>>(),
        ["id", "list"]
    );
    assert_eq!(found.column(0), expected.column(0));
    assert_eq!(found.column(1), expected.column(3));
}

#[test]
fn no_columns_still_count() {
    let bytes = blob("rows-snappy-v1");
    let ranges = ReadParquet::partition(&Params::default(), &bytes, 100).unwrap();
    let mut writer = TableWriter::local();
    ReadParquet::read(&Params::default(), &bytes, &ranges[1], &[], &mut writer).unwrap();
    let rows = writer
        .into_partitions()
        .iter()
        .flatten()
        .map(RecordBatch::num_rows)
        .sum::<usize>();
    assert_eq!(rows, 60);
}

#[test]
fn what_is_refused_and_how() {
    let probe = |params: &str, bytes: Vec<u8>| {
        source::<ReadParquet>(params, &Blob::local(MEDIA_TYPE, bytes), 100).unwrap_err()
    };
    let good = fs::read(data("required.parquet")).unwrap();
    let cut = probe("{}", good[..good.len() - 1].to_vec());
    assert_eq!(
        (cut.code.as_str(), cut.details[0].1.as_str()),
        ("bad-file", "`PAR1` at the end")
    );
    assert_eq!(probe("{}", Vec::new()).code, "bad-file");
    assert_eq!(probe("{}", b"PAR1PAR1".to_vec()).code, "bad-file");
    let missing = probe(r#"{"columns": ["price"]}"#, good);
    assert_eq!(missing.code, "missing-column");
    assert_eq!(missing.message, "the Parquet file has no column `price`");

    let bytes = blob("required");
    for hint in [
        "",
        "group=0",
        "group=1 skip=0 take=1",
        "group=0 skip=3 take=3",
        "group=0 skip=1 take=-1",
    ] {
        let range = Range {
            offset: 0,
            len: 0,
            hint: hint.to_owned(),
        };
        let mut writer = TableWriter::local();
        let found = ReadParquet::read(&Params::default(), &bytes, &range, &[], &mut writer);
        assert_eq!(found.unwrap_err().code, "bad-range", "{hint}");
    }
}

#[test]
fn a_dictionary_that_was_given_up_is_for_the_pages_that_refer_to_it() {
    let words = (0..400).map(|row| (row % 9 > 0).then(|| format!("word {}", row * row % 97)));
    let words: ArrayRef = Arc::new(StringArray::from_iter(words));
    let rows = RecordBatch::try_from_iter([("word", words)]).unwrap();
    let properties = WriterProperties::builder()
        .set_dictionary_page_size_limit(200)
        .set_data_page_row_count_limit(10)
        .set_write_batch_size(5);
    for version in [WriterVersion::PARQUET_1_0, WriterVersion::PARQUET_2_0] {
        let properties = properties.clone().set_writer_version(version).build();
        let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), Some(properties)).unwrap();
        writer.write(&rows).unwrap();
        let file = writer.into_inner().unwrap();
        let chunk = SerializedFileReader::new(Bytes::from(file.clone())).unwrap();
        let chunk = chunk.metadata().row_group(0).column(0).clone();
        let encodings: Vec<_> = chunk.encodings().collect();
        assert!(
            encodings.contains(&Encoding::RLE_DICTIONARY),
            "{encodings:?}"
        );
        assert!(encodings.len() > 2, "{encodings:?}");

        let bytes = Blob::local(MEDIA_TYPE, file.clone());
        for length in [1, 7, 100, 400] {
            let (_, found, _) = table("{}", &bytes, length).unwrap();
            assert_eq!(found.columns(), rows.columns());
        }
        // Without its dictionary the end can still be read, and the beginning cannot.
        let mut damaged = file;
        let start = chunk.dictionary_page_offset().unwrap() as usize + 20;
        damaged[start..start + 100].fill(0xff);
        let bytes = Blob::local(MEDIA_TYPE, damaged);
        let ranges = ReadParquet::partition(&Params::default(), &bytes, 100).unwrap();
        let read = |range| {
            let mut writer = TableWriter::local();
            let columns = ["word".to_owned()];
            ReadParquet::read(&Params::default(), &bytes, range, &columns, &mut writer)
        };
        assert_eq!(read(&ranges[0]).unwrap_err().code, "bad-file");
        read(&ranges[3]).unwrap();
    }
}

/// A file of two rows of maps, with the repetition levels of keys and of values.
fn file_of_maps(keys: &[i16], values: &[i16]) -> Vec<u8> {
    let schema = "message rows { optional group scores (MAP) { repeated group key_value {
        required binary key (UTF8); optional int64 value; } } }";
    let schema = Arc::new(parse_message_type(schema).unwrap());
    let mut file = SerializedFileWriter::new(Vec::new(), schema, Arc::default()).unwrap();
    let mut group = file.next_row_group().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let names = vec![ByteArray::from("a"); keys.len()];
    let writer = column.typed::<ByteArrayType>();
    writer
        .write_batch(&names, Some(&vec![2; keys.len()]), Some(keys))
        .unwrap();
    column.close().unwrap();
    let mut column = group.next_column().unwrap().unwrap();
    let numbers = vec![7; values.len()];
    let writer = column.typed::<Int64Type>();
    writer
        .write_batch(&numbers, Some(&vec![3; values.len()]), Some(values))
        .unwrap();
    column.close().unwrap();
    group.close().unwrap();
    file.into_inner().unwrap()
}

#[test]
fn maps_with_more_keys_than_values() {
    let read = |bytes| source::<ReadParquet>("{}", &Blob::local(MEDIA_TYPE, bytes), 100);
    let (_, ranges) = read(file_of_maps(&[0, 1, 0], &[0, 1, 0])).unwrap();
    let maps = ranges[0][0].column(0).as_map();
    assert_eq!(maps.value_offsets(), [0, 2, 3]);
    let error = read(file_of_maps(&[0, 1, 0], &[0, 0])).unwrap_err();
    assert_eq!(error.code, "bad-file");
    assert!(
        error.message.starts_with("row group 0 cannot be read: "),
        "{error}"
    );
}

#[test]
fn maps_in_maps_and_lists_and_structs() {
    let inner = || MapBuilder::new(None, StringBuilder::new(), Int64Builder::new());
    let mut outer = MapBuilder::new(None, Int32Builder::new(), inner());
    let mut list = ListBuilder::new(inner());
    for row in 0..20 {
        for key in 0..row % 3 {
            outer.keys().append_value(key);
            for maps in [outer.values(), list.values()] {
                maps.keys().append_value(format!("{row} {key}"));
                let value = (row % 4 > 0).then(|| i64::from(row * key));
                maps.values().append_option(value);
                maps.append(row % 5 > 0).unwrap();
            }
        }
        outer.append(row % 7 > 0).unwrap();
        list.append(row % 6 > 0);
    }
    let (outer, list): (ArrayRef, ArrayRef) = (Arc::new(outer.finish()), Arc::new(list.finish()));
    let pair = StructArray::from(vec![(
        Arc::new(Field::new("outer", outer.data_type().clone(), true)),
        Arc::clone(&outer),
    )]);
    let columns: [(&str, ArrayRef); 3] =
        [("outer", outer), ("list", list), ("pair", Arc::new(pair))];
    let rows = RecordBatch::try_from_iter_with_nullable(columns.map(|(name, it)| (name, it, true)));
    let rows = rows.unwrap();
    let mut writer = ArrowWriter::try_new(Vec::new(), rows.schema(), None).unwrap();
    writer.write(&rows).unwrap();
    let bytes = Blob::local(MEDIA_TYPE, writer.into_inner().unwrap());
    for length in [3, 100] {
        let (_, found, _) = table("{}", &bytes, length).unwrap();
        assert_eq!(found.columns(), rows.columns());
    }
}

#[test]
fn mutations_are_refused_or_read() {
    let corpus = Corpus::read(&data(""), |name| name.ends_with(".parquet"));
    corpus.check(COUNT, |bytes| {
        fuzz_source::<ReadParquet>("{}", MEDIA_TYPE, bytes)
    });
}
