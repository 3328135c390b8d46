"""Writes the Arrow files that `read-arrow` is tested on, and compares what Pinion makes of them with pyarrow.

    python tests/oracles/arrow_files.py plugins/read-arrow/tests/data
    python tests/oracles/arrow_files.py --compare target/debug/pinion plugins/read-arrow/tests/data

The second form runs a pipeline that reads every file, as one partition and as many, and exports it as Arrow: fields
and values have to be those that pyarrow reads, with views written out. Run with pyarrow 26 from the
repository's root.
"""

import datetime as dt
import decimal
import pathlib
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.ipc as ipc

UTC = dt.timezone.utc
DAY = dt.date(2024, 2, 29)
NOON = dt.datetime(2024, 2, 29, 12, 30, 15, 123456)
ROWS = 400


def every_type() -> pa.Table:
    """Five rows of every type that Arrow and Pinion both have, the last but one null."""
    d = decimal.Decimal
    seconds = NOON.replace(microsecond=0)
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
        "utf8_view": (pa.string_view(), ["", "plain", "zoë 🜁", None, "x" * 40]),
        "binary": (pa.binary(), [b"", b"\x00\xff", b"abc", None, b"z"]),
        "large_binary": (pa.large_binary(), [b"", b"\x00\xff", b"abc", None, b"z"]),
        "binary_view": (pa.binary_view(), [b"", b"\x00\xff", b"abc" * 5, None, b"z" * 12]),
        "fixed_binary": (pa.binary(3), [b"abc", b"\x00\xff\x01", b"   ", None, b"xyz"]),
        "date32": (pa.date32(), [DAY, dt.date(1969, 12, 31), dt.date(1, 1, 1), None, DAY]),
        "date64": (pa.date64(), [DAY, dt.date(1969, 12, 31), dt.date(1, 1, 1), None, DAY]),
        "time32_s": (pa.time32("s"), [seconds.time()] * 3 + [None, dt.time(0)]),
        "time32_ms": (pa.time32("ms"), [NOON.time().replace(microsecond=123000)] * 3 + [None, dt.time(0)]),
        "time64_us": (pa.time64("us"), [NOON.time()] * 3 + [None, dt.time(0)]),
        "time64_ns": (pa.time64("ns"), [NOON.time()] * 3 + [None, dt.time(0)]),
        "timestamp_s": (pa.timestamp("s"), [seconds] * 3 + [None, dt.datetime(1, 1, 1)]),
        "timestamp_ms": (pa.timestamp("ms"), [seconds] * 3 + [None, seconds]),
        "timestamp_us": (pa.timestamp("us"), [NOON] * 3 + [None, dt.datetime(1, 1, 1)]),
        "timestamp_ns": (pa.timestamp("ns"), [NOON] * 3 + [None, dt.datetime(1700, 1, 1)]),
        "timestamp_zone": (pa.timestamp("ms", "Europe/Vienna"), [seconds.replace(tzinfo=UTC)] * 3 + [None, seconds.replace(tzinfo=UTC)]),
        "duration_s": (pa.duration("s"), [dt.timedelta(days=1), dt.timedelta(seconds=-1), dt.timedelta(0), None, dt.timedelta(1)]),
        "duration_us": (pa.duration("us"), [dt.timedelta(days=1), dt.timedelta(microseconds=-1), dt.timedelta(0), None, dt.timedelta(1)]),
        "interval": (pa.month_day_nano_interval(), [pa.MonthDayNano([1, 2, 3]), pa.MonthDayNano([-1, 0, 0]), pa.MonthDayNano([0, 0, -9]), None, pa.MonthDayNano([0, 0, 0])]),
        "decimal32": (pa.decimal32(9, 2), [d("1.23"), d("-9999999.99"), d("0.00"), None, d("0.01")]),
        "decimal64": (pa.decimal64(18, 2), [d("1.23"), d("-9999999999999999.99"), d("0.00"), None, d("0.01")]),
        "decimal128": (pa.decimal128(38, 10), [d("1.23"), d("-1234567890123456789012345678.0123456789"), d("0"), None, d("0.01")]),
        "decimal256": (pa.decimal256(60, 5), [d("1.23"), d("-1" + "0" * 50), d("0"), None, d("0.01")]),
        "dictionary": (pa.dictionary(pa.int8(), pa.utf8()), ["a", "b", "a", None, "c"]),
        "dictionary_of_int": (pa.dictionary(pa.uint16(), pa.int64()), [7, 8, 7, None, 9]),
        "list": (pa.list_(pa.int32()), [[1, None, 3], [], [4], None, [5, 6]]),
        "large_list": (pa.large_list(pa.utf8()), [["a", None], [], ["b"], None, [""]]),
        "fixed_list": (pa.list_(pa.int16(), 2), [[1, 2], [3, None], [5, 6], None, [7, 8]]),
        "list_of_list": (pa.list_(pa.list_(pa.int64())), [[[1], []], [], [None, [2, 3]], None, [[4]]]),
        "list_of_dictionary": (pa.list_(pa.dictionary(pa.int32(), pa.utf8())), [["a", None], [], ["b"], None, ["a"]]),
        "struct": (pa.struct([("a", pa.int64()), ("b", pa.utf8())]), [{"a": 1, "b": "x"}, {"a": None, "b": "y"}, {"a": 3, "b": None}, None, {"a": 5, "b": ""}]),
        "list_of_struct": (pa.list_(pa.struct([("a", pa.int64()), ("b", pa.list_(pa.bool_()))])), [[{"a": 1, "b": [True]}], [], [{"a": None, "b": None}, None], None, [{"a": 2, "b": []}]]),
        "map": (pa.map_(pa.utf8(), pa.int64()), [[("a", 1), ("b", None)], [], [("c", 3)], None, [("", 4)]]),
    }
    arrays = [pa.array(values, type=type_) for type_, values in columns.values()]
    return pa.table(dict(zip(columns, arrays)))


def required() -> pa.Table:
    """Columns that may hold no nulls, and what a field may carry besides."""
    fields = [pa.field("id", pa.int64(), nullable=False, metadata={"unit": "m"}), pa.field("name", pa.utf8(), nullable=False)]
    return pa.table([pa.array(range(5)), pa.array(list("abcde"))], schema=pa.schema(fields, metadata={"about": "five rows"}))


def many_rows() -> pa.Table:
    """Rows whose buffers compress, with nulls, and with lists and views of changing length."""
    n = range(ROWS)
    return pa.table({
        "id": pa.array(n, pa.int64()),
        "even": pa.array([None if i % 17 == 0 else i % 2 == 0 for i in n]),
        "word": pa.array([None if i % 11 == 0 else f"word {i % 37}" for i in n]),
        "view": pa.array([None if i % 9 == 0 else "view" * (i % 7) + str(i) for i in n], pa.string_view()),
        "color": pa.array([None if i % 5 == 0 else ["red", "green", "blue"][i % 3] for i in n]).dictionary_encode(),
        "value": pa.array([None if i % 7 == 0 else i * 0.5 for i in n], pa.float64()),
        "list": pa.array([None if i % 13 == 0 else list(range(i % 5)) for i in n], pa.list_(pa.int32())),
        "pairs": pa.array([None if i % 19 == 0 else {"a": [i, i + 1], "b": str(i)} for i in n],
                          pa.struct([("a", pa.list_(pa.int16(), 2)), ("b", pa.large_utf8())])),
    })


def growing_dictionaries() -> list[pa.RecordBatch]:
    """Batches whose dictionary grows from one to the next."""
    words, type_ = [f"word {i}" for i in range(12)], pa.dictionary(pa.int32(), pa.utf8())
    batches = []
    for end in (3, 7, 12):
        keys = pa.array([None if i % 4 == 3 else i % end for i in range(20)], pa.int32())
        columns = {"word": pa.DictionaryArray.from_arrays(keys, pa.array(words[:end])), "id": pa.array(range(20))}
        batches.append(pa.record_batch(columns))
        assert batches[-1].schema.field("word").type == type_
    return batches


def changing_dictionaries() -> list[pa.RecordBatch]:
    """Batches with a dictionary each, as only a stream can have them."""
    return [pa.record_batch({"word": pa.array(words).dictionary_encode()}) for words in (["a", "b", "a"], ["c", None], ["b", "c", "d", "b"])]


def write(folder: pathlib.Path) -> None:
    def file(name: str, batches: list[pa.RecordBatch], **options) -> None:
        with ipc.new_file(folder / f"{name}.arrow", batches[0].schema, options=ipc.IpcWriteOptions(**options)) as out:
            for batch in batches:
                out.write_batch(batch)

    def stream(name: str, batches: list[pa.RecordBatch], **options) -> None:
        with ipc.new_stream(folder / f"{name}.arrows", batches[0].schema, options=ipc.IpcWriteOptions(**options)) as out:
            for batch in batches:
                out.write_batch(batch)

    folder.mkdir(parents=True, exist_ok=True)
    types, rows = every_type().to_batches(), many_rows()
    file("types", types)
    file("types-lz4", types, compression="lz4")
    file("types-old", types, metadata_version=ipc.MetadataVersion.V4, use_legacy_format=True)
    file("required", required().to_batches())
    # One batch, some of the same size, some of any size and one of no rows.
    file("rows", rows.to_batches())
    file("rows-zstd", rows.to_batches(), compression="zstd")
    file("rows-lz4-150", rows.to_batches(150), compression="lz4")
    whole = rows.to_batches()[0]
    cuts = [(0, 10), (10, 200), (210, 0), (210, 36), (246, 14), (260, 140)]
    file("rows-uneven", [whole.slice(start, length) for start, length in cuts])
    stream("rows", rows.to_batches(150))
    stream("rows-zstd", rows.to_batches(160), compression="zstd")
    feather.write_feather(rows, folder / "feather.arrow")
    file("deltas", growing_dictionaries(), emit_dictionary_deltas=True)
    stream("deltas", growing_dictionaries(), emit_dictionary_deltas=True)
    stream("replaced", changing_dictionaries())
    for name, schema in [("no-batches", rows.schema), ("no-columns", pa.schema([]))]:
        with ipc.new_file(folder / f"{name}.arrow", schema):
            pass
    # What is refused.
    refused = {
        "union": pa.UnionArray.from_sparse(pa.array([0, 0], pa.int8()), [pa.array([1, 2])]),
        "run-end": pa.RunEndEncodedArray.from_arrays(pa.array([2]), pa.array(["a"])),
        "list-view": pa.array([[1], [2]], pa.list_view(pa.int64())),
    }
    for name, array in refused.items():
        file(f"refused-{name}", [pa.record_batch({"column": array})])


def plain(type_: pa.DataType) -> pa.DataType:
    """The type without views, as a table holds it."""
    return {pa.string_view(): pa.utf8(), pa.binary_view(): pa.binary()}.get(type_, type_)


def decoded(table: pa.Table) -> pa.Table:
    """The values of a table, however they are encoded."""
    columns = {}
    for field in table.schema:
        type_ = field.type.value_type if pa.types.is_dictionary(field.type) else plain(field.type)
        columns[field.name] = pa.array(table[field.name].to_pylist(), type_)
    return pa.table(columns)


def compare(pinion: pathlib.Path, tables: dict[pathlib.Path, pa.Table], partition_batches: int) -> None:
    """Reads the columns of these tables from their files, in partitions of so many batches of 64 rows."""
    project = pathlib.Path(tempfile.mkdtemp())
    pipeline = ["[pipeline]", 'name = "arrow-files"', "batch_rows = 64", f"partition_batches = {partition_batches}"]
    for path, table in tables.items():
        (project / path.name).write_bytes(path.read_bytes())
        step = path.name.replace(".", "-")
        pipeline += [f"[sources.{step}]", f'path = "{path.name}"']
        pipeline += [f"[steps.read-{step}]", 'use = "std:read-arrow@0.1"', f'input = "sources.{step}"']
        pipeline += [f"params = {{ columns = {table.column_names} }}"]
    (project / "pinion.toml").write_text("\n".join(pipeline) + "\n")
    subprocess.run([pinion, "run", "-C", project, "--json"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True)
    for path, expected in tables.items():
        output = project / "out.arrow"
        step = "read-" + path.name.replace(".", "-")
        subprocess.run([pinion, "export", "-C", project, step, "-o", output], stderr=subprocess.DEVNULL, check=True)
        with pa.OSFile(str(output)) as source:
            found = ipc.open_file(source).read_all()
        for left, right in zip(expected.schema, found.schema, strict=True):
            assert (left.name, plain(left.type), left.nullable, left.metadata) == (right.name, right.type, right.nullable, right.metadata), (path, left, right)
        assert decoded(expected).equals(decoded(found)), path


def compare_all(pinion: pathlib.Path, folder: pathlib.Path) -> None:
    tables = {}
    for path in sorted(path for path in folder.glob("*.arrow*") if not path.name.startswith("refused-")):
        with pa.OSFile(str(path)) as source:
            tables[path] = (ipc.open_stream if path.suffix == ".arrows" else ipc.open_file)(source).read_all()
    for partition_batches in (1000, 2):
        compare(pinion, tables, partition_batches)
    print(f"{len(tables)} files are read as pyarrow reads them")


if __name__ == "__main__":
    if sys.argv[1] == "--compare":
        compare_all(pathlib.Path(sys.argv[2]).resolve(), pathlib.Path(sys.argv[3]))
    else:
        write(pathlib.Path(sys.argv[1]))
