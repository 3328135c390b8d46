"""Rows that have all that a canonical form evens out."""

import itertools
import random

import pyarrow as pa

MOST_ROWS = 300


def uneven(draw: random.Random) -> pa.RecordBatch:
    """Rows in which much lies that is no value: under nulls, in null parents, in dictionaries that nobody uses."""
    n = draw.randrange(1, MOST_ROWS)
    mask = pa.array([draw.random() < 0.3 for _ in range(n)])
    validity = pa.array([not null for null in mask.to_pylist()]).buffers()[1]

    def under_nulls(type_: pa.DataType, *buffers: bytes) -> pa.Array:
        return pa.Array.from_buffers(type_, n, [validity, *map(pa.py_buffer, buffers)])

    def words(count: int) -> pa.Array:
        return pa.array([draw.choice(["", "a", "zoë", "🜁 and more", None]) for _ in range(count)])

    def offsets() -> pa.Array:
        return pa.array([0, *itertools.accumulate(draw.randrange(4) for _ in range(n))], pa.int32())

    def keys(values: int, type_: pa.DataType) -> pa.Array:
        return pa.array([draw.choice([None, *range(values)]) for _ in range(n)], type_)

    # NaNs with payloads and signs, both zeros, infinities: bits in any case.
    patterns = [0x7FF8000000000000, 0x7FF8000000000001, 0xFFF8DEAD00000000, 0, 1 << 63, 0x7FF << 52, 0x3FF << 52]
    doubles = b"".join(draw.choice(patterns).to_bytes(8, "little") for _ in range(n))
    singles = b"".join(draw.choice([0x7FC00001, 0xFFC0BEEF, 0, 1 << 31, 1]).to_bytes(4, "little") for _ in range(n))
    floats = b"".join(bits.to_bytes(8, "little") for bits in patterns)
    floats = pa.Array.from_buffers(pa.float64(), len(patterns), [None, pa.py_buffer(floats)])
    ends = offsets()
    count = ends[-1].as_py()
    pairs = pa.array([2 * row for row in range(n + 1)]).buffers()[1]
    inner = pa.DictionaryArray.from_arrays(keys(4, pa.int8()), pa.array(["b", "a", None, "b"]))
    lists = pa.ListArray.from_arrays(ends, words(count), mask=mask)
    numbers = pa.array(range(n), pa.int16())
    required = [
        pa.field("number", pa.int16(), nullable=False),
        pa.field("list", lists.type),
        pa.field("word", inner.type),
    ]
    columns = {
        "id": pa.array(draw.sample(range(10_000), n)),
        "double": pa.Array.from_buffers(pa.float64(), n, [None, pa.py_buffer(doubles)]),
        "single": under_nulls(pa.float32(), singles),
        "boolean": under_nulls(pa.bool_(), draw.randbytes(n)),
        "decimal": under_nulls(pa.decimal128(38, 3), b"".join(draw.randbytes(15) + b"\x00" for _ in range(n))),
        "zone": under_nulls(pa.timestamp("ns", "America/New_York"), draw.randbytes(8 * n)),
        "fixed": under_nulls(pa.binary(3), draw.randbytes(3 * n)),
        "binary": under_nulls(pa.large_binary(), pairs, draw.randbytes(2 * n)),
        "word": words(n),
        "list": lists,
        "large_list": pa.LargeListArray.from_arrays(ends.cast(pa.int64()), pa.array(range(count)), mask=mask),
        "pair": pa.FixedSizeListArray.from_arrays(words(2 * n), list_size=2, mask=mask),
        "map": pa.MapArray.from_arrays(ends, pa.array(map(str, range(count)), pa.utf8()), words(count)),
        "struct": pa.StructArray.from_arrays([numbers, lists, inner], fields=required, mask=mask),
        "dictionary": pa.DictionaryArray.from_arrays(keys(5, pa.int16()), words(20).drop_null()[:5]),
        "floats": pa.DictionaryArray.from_arrays(keys(7, pa.uint8()), floats),
        "nothing": pa.nulls(n),
    }
    fields = [pa.field(name, column.type, metadata={"z": "1", "a": name}) for name, column in columns.items()]
    fields[0] = fields[0].with_nullable(False)
    return pa.record_batch(list(columns.values()), pa.schema(fields))
