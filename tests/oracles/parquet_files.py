"""Writes the Parquet files that `read-parquet` is tested on, and what pyarrow reads from each.

Every `<name>.parquet` has a `<name>.arrow` beside it: the same table in Arrow IPC, as pyarrow sees it
once views and dictionaries are decoded. All `rows-<codec>-v<version>.parquet` hold what `rows.arrow` does. Run with pyarrow 26 from the repository's root:

    python tests/oracles/parquet_files.py plugins/read-parquet/tests/data
"""

import datetime as dt
import decimal
import pathlib
import sys

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

UTC = dt.timezone.utc
DAY = dt.date(2024, 2, 29)
NOON = dt.datetime(2024, 2, 29, 12, 30, 15, 123456)


def every_type() -> pa.Table:
    """Five rows of every type that Parquet and Pinion both have, the last but one null."""
    d = decimal.Decimal
    columns = {
        "null": (pa.null(), [None] * 5),
        "boolean": (pa.bool_(), [True, False, True, None, False]),
        "int8": (pa.int8(), [-128, 127, 0, None, 1]),
        "int16": (pa.int16(), [-(2**15), 2**15 - 1, 0, None, 1]),
        "int32": (pa.int32(), [-(2**31), 2**31 - 1, 0, None, 1]),
        "int64": (pa.int64(), [-(2**63), 2**63 - 1, 0, None, 1]),
        "uint8": (pa.uint8(), [0, 255, 7, None, 1]),
        "uint16": (pa.uint16(), [0, 2**16 - 1, 7, None, 1]),
        "uint32": (pa.uint32(), [0, 2**32 - 1, 7, None, 1]),
        "uint64": (pa.uint64(), [0, 2**64 - 1, 7, None, 1]),
        "float16": (pa.float16(), [0.5, -1.5, 65504.0, None, -0.0]),
        "float32": (pa.float32(), [0.5, -1.5, float("inf"), None, -0.0]),
        "float64": (pa.float64(), [0.1, -1e308, float("-inf"), None, -0.0]),
        "utf8": (pa.utf8(), ["", "plain", "zoë 🜁", None, "x" * 40]),
        "large_utf8": (pa.large_utf8(), ["", "plain", "zoë 🜁", None, "x" * 40]),
        "binary": (pa.binary(), [b"", b"\x00\xff", b"abc", None, b"z"]),
        "fixed_binary": (pa.binary(3), [b"abc", b"\x00\xff\x01", b"   ", None, b"xyz"]),
        "date32": (pa.date32(), [DAY, dt.date(1969, 12, 31), dt.date(1, 1, 1), None, DAY]),
        "time32_ms": (pa.time32("ms"), [NOON.time().replace(microsecond=123000)] * 3 + [None, dt.time(0)]),
        "time64_us": (pa.time64("us"), [NOON.time()] * 3 + [None, dt.time(0)]),
        "timestamp_ms": (pa.timestamp("ms"), [NOON.replace(microsecond=123000)] * 3 + [None, NOON.replace(microsecond=0)]),
        "timestamp_us": (pa.timestamp("us"), [NOON] * 3 + [None, dt.datetime(1, 1, 1)]),
        "timestamp_ns": (pa.timestamp("ns"), [NOON] * 3 + [None, dt.datetime(1700, 1, 1)]),
        "timestamp_utc": (pa.timestamp("us", "UTC"), [NOON.replace(tzinfo=UTC)] * 3 + [None, NOON.replace(tzinfo=UTC)]),
        "timestamp_zone": (pa.timestamp("ms", "Europe/Vienna"), [NOON.replace(microsecond=0, tzinfo=UTC)] * 3 + [None, NOON.replace(microsecond=0, tzinfo=UTC)]),
        "duration_us": (pa.duration("us"), [dt.timedelta(days=1), dt.timedelta(microseconds=-1), dt.timedelta(0), None, dt.timedelta(1)]),
        "decimal_9_2": (pa.decimal128(9, 2), [d("1.23"), d("-9999999.99"), d("0.00"), None, d("0.01")]),
        "decimal_38_10": (pa.decimal128(38, 10), [d("1.23"), d("-1234567890123456789012345678.0123456789"), d("0"), None, d("0.01")]),
        "decimal_60_5": (pa.decimal256(60, 5), [d("1.23"), d("-1" + "0" * 50), d("0"), None, d("0.01")]),
        "list": (pa.list_(pa.int32()), [[1, None, 3], [], [4], None, [5, 6]]),
        "large_list": (pa.large_list(pa.utf8()), [["a", None], [], ["b"], None, [""]]),
        "fixed_list": (pa.list_(pa.int16(), 2), [[1, 2], [3, None], [5, 6], None, [7, 8]]),
        "list_of_list": (pa.list_(pa.list_(pa.int64())), [[[1], []], [], [None, [2, 3]], None, [[4]]]),
        "struct": (pa.struct([("a", pa.int64()), ("b", pa.utf8())]), [{"a": 1, "b": "x"}, {"a": None, "b": "y"}, {"a": 3, "b": None}, None, {"a": 5, "b": ""}]),
        "list_of_struct": (pa.list_(pa.struct([("a", pa.int64()), ("b", pa.list_(pa.bool_()))])), [[{"a": 1, "b": [True]}], [], [{"a": None, "b": None}, None], None, [{"a": 2, "b": []}]]),
        "map": (pa.map_(pa.utf8(), pa.int64()), [[("a", 1), ("b", None)], [], [("c", 3)], None, [("", 4)]]),
    }
    arrays = [pa.array(values, type=type_) for type_, values in columns.values()]
    return pa.table(dict(zip(columns, arrays)))


def required() -> pa.Table:
    """Columns that may hold no nulls."""
    fields = [pa.field("id", pa.int64(), nullable=False), pa.field("name", pa.utf8(), nullable=False)]
    return pa.table([pa.array(range(5)), pa.array(list("abcde"))], schema=pa.schema(fields))


def encoded() -> pa.Table:
    """Views and dictionaries: what a file's Arrow schema may ask for and a Pinion table does not hold."""
    words = ["red", None, "green", "red", "blue"]
    return pa.table({
        "dictionary": pa.array(words).dictionary_encode(),
        "utf8_view": pa.array(words, pa.string_view()),
        "binary_view": pa.array([b"a", None, b"bb", b"", b"c" * 20], pa.binary_view()),
        "list_of_dictionary": pa.array([["a"], ["b", "a"], [], None, ["a"]], pa.list_(pa.dictionary(pa.int32(), pa.utf8()))),
    })


def decoded(table: pa.Table) -> pa.Table:
    """`encoded()` as a Pinion table holds it."""
    types = {"dictionary": pa.utf8(), "utf8_view": pa.utf8(), "binary_view": pa.binary(), "list_of_dictionary": pa.list_(pa.field("element", pa.utf8()))}
    arrays = [pa.array(table[name].to_pylist(), type=type_) for name, type_ in types.items()]
    return pa.table(dict(zip(types, arrays)))


def many_rows() -> pa.Table:
    """400 rows whose pages compress, with nulls and lists of changing length."""
    n = range(400)
    return pa.table({
        "id": pa.array(n, pa.int64()),
        "word": pa.array([None if i % 11 == 0 else f"word {i % 37}" for i in n]),
        "value": pa.array([None if i % 7 == 0 else i * 0.5 for i in n], pa.float64()),
        "list": pa.array([None if i % 13 == 0 else list(range(i % 5)) for i in n], pa.list_(pa.int32())),
    })


def main(folder: pathlib.Path) -> None:
    def write(name: str, table: pa.Table, expected: pa.Table | None = None, **options) -> None:
        path = folder / f"{name}.parquet"
        pq.write_table(table, path, **options)
        expected = pq.read_table(path) if expected is None else expected
        with ipc.new_file(folder / f"{name}.arrow", expected.schema.remove_metadata()) as file:
            file.write_table(expected.replace_schema_metadata(None).combine_chunks())

    folder.mkdir(parents=True, exist_ok=True)
    types = every_type()
    write("types", types, compression="none")
    write("types-v2", types, compression="zstd", data_page_version="2.0", use_dictionary=False)
    write("required", required(), compression="none")
    write("encoded", encoded(), decoded(encoded()), compression="none")
    plain = types.select([n for n in types.column_names if n not in ("duration_us", "null")])
    # No Arrow schema in the file: what Parquet's own types say.
    write("no-arrow-schema", plain, compression="none", store_schema=False)
    stamps = types.select(["timestamp_ns"])
    write("int96", stamps, compression="none", use_deprecated_int96_timestamps=True, store_schema=False)
    write("rows", many_rows())
    write("old-lists", types.select(["list", "list_of_struct"]), compression="none", use_compliant_nested_type=False)
    coded = {"boolean": "RLE", "int32": "DELTA_BINARY_PACKED", "int64": "DELTA_BINARY_PACKED", "float32": "BYTE_STREAM_SPLIT",
             "float64": "BYTE_STREAM_SPLIT", "utf8": "DELTA_BYTE_ARRAY", "large_utf8": "DELTA_LENGTH_BYTE_ARRAY",
             "binary": "DELTA_LENGTH_BYTE_ARRAY", "fixed_binary": "BYTE_STREAM_SPLIT"}
    for version in ("1.0", "2.0"):
        write(f"encodings-v{version[0]}", types.select(list(coded)), compression="none", use_dictionary=False,
              column_encoding=coded, data_page_version=version)
    nothing = pa.table({name: pa.array([None] * 4, type_) for name, type_ in [("a", pa.utf8()), ("b", pa.int64()), ("c", pa.list_(pa.utf8()))]})
    write("all-null", nothing, compression="snappy", data_page_version="2.0")
    for codec in ("none", "snappy", "gzip", "brotli", "lz4", "zstd"):
        for version in ("1.0", "2.0"):
            pq.write_table(many_rows(), folder / f"rows-{codec}-v{version[0]}.parquet", compression=codec,
                           data_page_version=version, row_group_size=160, data_page_size=256,
                           write_batch_size=32, write_page_checksum=codec == "snappy")


main(pathlib.Path(sys.argv[1]))
