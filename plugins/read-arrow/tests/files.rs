//! Reads what pyarrow wrote (`tests/oracles/arrow_files.py`) and compares it with what arrow-rs reads.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use arrow_array::cast::AsArray;
use arrow_array::{Array, ArrayRef, RecordBatch, RecordBatchReader};
use arrow_cast::cast;
use arrow_ipc::reader::{FileReader, StreamReader};
use arrow_schema::{ArrowError, DataType, FieldRef};
use arrow_select::concat::concat_batches;
use flatbuffers::{FlatBufferBuilder, ForwardsUOffset};
use mutations::{COUNT, Corpus};
use pinion_sdk::testing::{fuzz_source, source};
use pinion_sdk::{Blob, Error, Range, Source, TableWriter};
use read_arrow::{Params, ReadArrow};

const MEDIA_TYPE: &str = "application/vnd.apache.arrow.file";

fn data(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/data")
        .join(name)
}

fn bytes(name: &str) -> Vec<u8> {
    fs::read(data(name)).unwrap()
}

fn blob(name: &str) -> Blob {
    Blob::local(MEDIA_TYPE, bytes(name))
}

/// All rows as arrow-rs reads them.
fn expected(name: &str) -> RecordBatch {
    let file = BufReader::new(File::open(data(name)).unwrap());
    match name.ends_with('s') {
        true => together(StreamReader::try_new(file, None).unwrap()),
        false => together(FileReader::try_new(file, None).unwrap()),
    }
}

fn together(reader: impl RecordBatchReader) -> RecordBatch {
    let schema = reader.schema();
    let batches: Vec<_> = reader.collect::<Result<_, ArrowError>>().unwrap();
    concat_batches(&schema, &batches).unwrap()
}

/// The values without views.
fn plain(values: &ArrayRef) -> ArrayRef {
    match values.data_type() {
        DataType::Utf8View => cast(values, &DataType::Utf8).unwrap(),
        DataType::BinaryView => cast(values, &DataType::Binary).unwrap(),
        _ => values.clone(),
    }
}

/// The fields, the rows and the number of rows in each range.
fn table(
    params: &str,
    bytes: &Blob,
    rows: u64,
) -> Result<(Vec<FieldRef>, RecordBatch, Vec<usize>), Error> {
    let (fields, ranges) = source::<ReadArrow>(params, bytes, rows)?;
    let lengths = ranges
        .iter()
        .map(|batches| batches.iter().map(RecordBatch::num_rows).sum());
    let lengths = lengths.collect();
    let batches: Vec<_> = ranges.into_iter().flatten().collect();
    let schema = batches.first().map(RecordBatch::schema).unwrap();
    Ok((fields, concat_batches(&schema, &batches).unwrap(), lengths))
}

/// Compares a file with another one that arrow-rs can read, at several sizes of partitions.
#[track_caller]
fn compare(name: &str, like: &str) {
    let expected = expected(like);
    for rows in [1, 7, 8, 100, 150, 1000] {
        let (fields, found, _) = table("{}", &blob(name), rows).unwrap();
        assert_eq!(found.num_columns(), expected.num_columns());
        for (position, field) in expected.schema().fields().iter().enumerate() {
            let values = plain(expected.column(position));
            let (found, name) = (found.column(position), field.name());
            assert_eq!(fields[position].name(), name);
            assert_eq!(fields[position].is_nullable(), field.is_nullable());
            assert_eq!(fields[position].metadata(), field.metadata());
            assert_eq!(fields[position].data_type(), values.data_type());
            assert_eq!(found, &values, "`{name}` in ranges of {rows} rows");
        }
    }
}

#[test]
fn every_type_is_as_arrow_reads_it() {
    compare("types.arrow", "types.arrow");
    compare("types-lz4.arrow", "types.arrow");
    compare("types-old.arrow", "types.arrow");
    compare("required.arrow", "required.arrow");
}

#[test]
fn batches_of_any_size_and_codec() {
    for name in [
        "rows.arrow",
        "rows.arrows",
        "rows-uneven.arrow",
        "rows-zstd.arrow",
        "rows-zstd.arrows",
        "rows-lz4-150.arrow",
        "feather.arrow",
    ] {
        compare(name, "rows.arrow");
    }
}

#[test]
fn dictionaries_grow_and_change() {
    let words = |name: &str, rows| {
        let (_, found, _) = table("{}", &blob(name), rows).unwrap();
        let words = cast(found.column(0), &DataType::Utf8).unwrap();
        let words = words.as_string::<i32>().iter();
        words
            .map(|word| word.unwrap_or("-").to_owned())
            .collect::<Vec<_>>()
    };
    let grown: Vec<_> = [3, 7, 12]
        .iter()
        .flat_map(|end| {
            (0..20).map(move |row| match row % 4 {
                3 => "-".to_owned(),
                _ => format!("word {}", row % end),
            })
        })
        .collect();
    for rows in [1, 20, 100] {
        assert_eq!(words("deltas.arrow", rows), grown);
        assert_eq!(words("deltas.arrows", rows), grown);
        let replaced = ["a", "b", "a", "c", "-", "b", "c", "d", "b"];
        assert_eq!(words("replaced.arrows", rows), replaced);
    }
}

#[test]
fn batches_are_cut_and_joined() {
    let lengths = |name: &str, rows| table("{}", &blob(name), rows).unwrap().2;
    assert_eq!(lengths("rows.arrow", 150), [150, 150, 100]);
    assert_eq!(
        lengths("rows-uneven.arrow", 100),
        [10, 100, 100, 50, 100, 40]
    );
    assert_eq!(lengths("rows-uneven.arrow", 210), [210, 190]);
    assert_eq!(lengths("rows-uneven.arrow", 200), [10, 200, 190]);

    // Record batches of few rows are written together, those with other dictionaries apart.
    let written = |name: &str| source::<ReadArrow>("{}", &blob(name), 1000).unwrap().1[0].len();
    assert_eq!(written("rows-uneven.arrow"), 1);
    assert_eq!(written("rows-zstd.arrows"), 1);
    assert_eq!(written("deltas.arrow"), 1);
    assert_eq!(written("deltas.arrows"), 3);

    for name in ["rows-uneven.arrow", "rows.arrows"] {
        let bytes = blob(name);
        let ranges = ReadArrow::partition(&Params::default(), &bytes, 100).unwrap();
        for pair in ranges.windows(2) {
            assert!(pair[0].offset + pair[0].len <= pair[1].offset, "{pair:?}");
        }
        assert!(ranges.iter().all(|range| range.len > 0));
    }
    let ranges = ReadArrow::partition(&Params::default(), &blob("rows-uneven.arrow"), 100).unwrap();
    let hints: Vec<_> = ranges.iter().map(|range| range.hint.as_str()).collect();
    assert_eq!(
        hints,
        [
            "batch=0 skip=0 take=10",
            "batch=1 skip=0 take=100",
            "batch=1 skip=100 take=100",
            "batch=3 skip=0 take=50",
            "batch=5 skip=0 take=100",
            "batch=5 skip=100 take=40",
        ]
    );
}

#[test]
fn columns_are_kept_in_file_order_and_read_alone() {
    let expected = expected("rows.arrow");
    for name in ["rows-uneven.arrow", "rows-zstd.arrow"] {
        let (fields, found, _) = table(r#"{"columns": ["list", "id"]}"#, &blob(name), 70).unwrap();
        let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["id", "list"]);
        assert_eq!(found.column(0), expected.column_by_name("id").unwrap());
        assert_eq!(found.column(1), expected.column_by_name("list").unwrap());
    }
}

#[test]
fn no_columns_still_count() {
    let bytes = blob("rows-uneven.arrow");
    let ranges = ReadArrow::partition(&Params::default(), &bytes, 100).unwrap();
    let mut writer = TableWriter::local();
    ReadArrow::read(&Params::default(), &bytes, &ranges[3], &[], &mut writer).unwrap();
    let partitions = writer.into_partitions();
    let rows = partitions.iter().flatten().map(RecordBatch::num_rows);
    assert_eq!(rows.sum::<usize>(), 50);
}

#[test]
fn a_file_without_batches_is_an_empty_table() {
    let (fields, ranges) = source::<ReadArrow>("{}", &blob("no-batches.arrow"), 100).unwrap();
    assert_eq!((fields.len(), ranges.len()), (8, 0));
    let (fields, ranges) = source::<ReadArrow>("{}", &blob("no-columns.arrow"), 100).unwrap();
    assert_eq!((fields.len(), ranges.len()), (0, 0));
}

#[track_caller]
fn refusal(params: &str, bytes: Vec<u8>) -> Error {
    source::<ReadArrow>(params, &Blob::local(MEDIA_TYPE, bytes), 100).unwrap_err()
}

#[test]
fn what_is_refused_and_how() {
    let text = |bytes| {
        let error = refusal("{}", bytes);
        format!("{}: {}", error.code, error.message)
    };
    let not_arrow = "bad-file: the source is not an Arrow IPC file";
    assert_eq!(text(Vec::new()), not_arrow);
    assert_eq!(text(b"PAR1 and so on PAR1".to_vec()), not_arrow);
    assert_eq!(
        text(b"FEA1 and so on FEA1".to_vec()),
        "unsupported: the source is a Feather version 1 file, which is not supported: \
         write it again with `pyarrow.feather.write_feather`"
    );
    let good = bytes("required.arrow");
    let cut = "bad-file: the Arrow file was cut short: it does not end with `ARROW1`";
    assert_eq!(text(b"ARROW1".to_vec()), cut);
    assert_eq!(text(good[..good.len() - 1].to_vec()), cut);
    let length = good[good.len() - 10] as usize | (good[good.len() - 9] as usize) << 8;
    let footer = &good[good.len() - 10 - length..];
    assert_eq!(
        text([&good[..100], footer].concat()),
        "bad-file: the footer of the Arrow file is damaged: it tells of messages that are not in the file"
    );
    let longer = [&good[..8], &footer[100..]].concat();
    assert_eq!(
        text(longer.clone()),
        format!(
            "bad-file: the footer of the Arrow file is damaged: \
             it is {length} bytes long in a file of {}",
            longer.len()
        )
    );
    let stream = bytes("replaced.arrows");
    assert_eq!(
        text(stream[..stream.len() - 20].to_vec()),
        "bad-file: the Arrow file was cut short: the message at byte 1064 ends behind it"
    );
    // Without the mark that it ends, and in the middle of what would be the next message's length.
    let whole = stream.len() - 8;
    assert!(table("{}", &Blob::local(MEDIA_TYPE, stream[..whole].to_vec()), 9).is_ok());
    assert!(text(stream[..whole + 3].to_vec()).contains("cut short"));

    let unsupported = |name: &str, what: &str| {
        assert_eq!(
            text(bytes(&format!("refused-{name}.arrow"))),
            format!("unsupported: column `column` has type {what}, which is not supported")
        );
    };
    unsupported("union", "union");
    unsupported("run-end", "run-end encoded");
    unsupported("list-view", "list view");

    let missing = refusal(r#"{"columns": ["price"]}"#, good);
    assert_eq!(missing.code, "missing-column");
    assert_eq!(missing.message, "the Arrow file has no column `price`");
}

#[test]
fn another_byte_order() {
    let mut builder = FlatBufferBuilder::new();
    let fields = builder.create_vector::<ForwardsUOffset<arrow_ipc::Field<'_>>>(&[]);
    let mut schema = arrow_ipc::SchemaBuilder::new(&mut builder);
    schema.add_fields(fields);
    schema.add_endianness(arrow_ipc::Endianness::Big);
    let schema = schema.finish();
    let mut message = arrow_ipc::MessageBuilder::new(&mut builder);
    message.add_version(arrow_ipc::MetadataVersion::V5);
    message.add_header_type(arrow_ipc::MessageHeader::Schema);
    message.add_header(schema.as_union_value());
    let message = message.finish();
    builder.finish(message, None);
    let message = builder.finished_data();
    let stream = [
        &[0xff; 4],
        &(message.len() as u32).to_le_bytes()[..],
        message,
    ]
    .concat();
    let found = refusal("{}", stream);
    assert_eq!(found.code, "unsupported");
    assert_eq!(
        found.message,
        "the Arrow file is big-endian, which is not supported: write it again on a little-endian machine"
    );
}

#[test]
fn ranges_that_are_not_of_the_file() {
    let bytes = blob("required.arrow");
    for hint in [
        "",
        "batch=0",
        "batch=1 skip=0 take=1",
        "batch=0 skip=3 take=3",
        "batch=0 skip=5 take=1",
        "batch=0 skip=1 take=-1",
        "batch=0 skip=18446744073709551615 take=18446744073709551615",
    ] {
        let range = Range {
            offset: 0,
            len: 0,
            hint: hint.to_owned(),
        };
        let mut writer = TableWriter::local();
        let found = ReadArrow::read(&Params::default(), &bytes, &range, &[], &mut writer);
        assert_eq!(found.unwrap_err().code, "bad-range", "{hint}");
    }
}

#[test]
fn mutations_are_refused_or_read() {
    let corpus = Corpus::read(&data(""), |_| true);
    corpus.check(COUNT, |bytes| {
        fuzz_source::<ReadArrow>("{}", MEDIA_TYPE, bytes)
    });
}
