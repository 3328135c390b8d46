"""Digests of tables, from their values in Arrow.

As the module documentation of `arrow::format`, `arrow::chunk` and `table` describes them. Arrays may be any: slices,
with any bytes in null slots, with dictionaries in any order. They are brought into canonical form here.
"""

import pyarrow as pa
import pyarrow.compute as pc

from digests.structured import Facts

# Types and fields: `arrow::format`, `arrow::chunk`.

FORMATS = {
    pa.null(): "n", pa.bool_(): "b", pa.int8(): "c", pa.uint8(): "C", pa.int16(): "s", pa.uint16(): "S",
    pa.int32(): "i", pa.uint32(): "I", pa.int64(): "l", pa.uint64(): "L", pa.float16(): "e", pa.float32(): "f",
    pa.float64(): "g", pa.binary(): "z", pa.large_binary(): "Z", pa.utf8(): "u", pa.large_utf8(): "U",
    pa.date32(): "tdD", pa.date64(): "tdm", pa.month_day_nano_interval(): "tin",
}  # fmt: skip


def is_list(type_: pa.DataType) -> bool:
    return pa.types.is_list(type_) or pa.types.is_large_list(type_)


def is_bytes(type_: pa.DataType) -> bool:
    return type_ in (pa.utf8(), pa.large_utf8(), pa.binary(), pa.large_binary())


def canonical_type(type_: pa.DataType) -> pa.DataType:
    """Views are plain, children have their canonical names and no metadata."""
    if type_ == pa.string_view():
        return pa.utf8()
    if type_ == pa.binary_view():
        return pa.binary()
    if is_list(type_) or pa.types.is_fixed_size_list(type_):
        item = pa.field("item", canonical_type(type_.value_type), type_.value_field.nullable)
        if pa.types.is_fixed_size_list(type_):
            return pa.list_(item, type_.list_size)
        return pa.list_(item) if pa.types.is_list(type_) else pa.large_list(item)
    if pa.types.is_map(type_):
        value = pa.field("value", canonical_type(type_.item_type), type_.item_field.nullable)
        return pa.map_(canonical_type(type_.key_type), value)
    if pa.types.is_struct(type_):
        return pa.struct([pa.field(f.name, canonical_type(f.type), f.nullable) for f in type_.fields])
    if pa.types.is_dictionary(type_):
        return pa.dictionary(type_.index_type, canonical_type(type_.value_type))
    return type_


def format_of(type_: pa.DataType) -> str:
    """The Arrow C Data Interface format string."""
    if type_ in FORMATS:
        return FORMATS[type_]
    if pa.types.is_dictionary(type_):
        return format_of(type_.index_type)
    if pa.types.is_decimal(type_):
        width = "" if type_.bit_width == 128 else f",{type_.bit_width}"
        return f"d:{type_.precision},{type_.scale}{width}"
    if pa.types.is_timestamp(type_):
        return f"ts{type_.unit[0]}:{type_.tz or ''}"
    if pa.types.is_time(type_):
        return f"tt{type_.unit[0]}"
    if pa.types.is_duration(type_):
        return f"tD{type_.unit[0]}"
    if pa.types.is_fixed_size_binary(type_):
        return f"w:{type_.byte_width}"
    if pa.types.is_fixed_size_list(type_):
        return f"+w:{type_.list_size}"
    names = {"+l": pa.types.is_list, "+L": pa.types.is_large_list, "+m": pa.types.is_map, "+s": pa.types.is_struct}
    return next(name for name, is_type in names.items() if is_type(type_))


def children(type_: pa.DataType) -> list[pa.Field]:
    if pa.types.is_dictionary(type_):
        return [pa.field("dictionary", type_.value_type)]
    return [type_.field(at) for at in range(type_.num_fields)]


def flat(field: pa.Field) -> list[dict]:
    """A field and its children in pre-order, as manifests have them."""
    metadata = sorted((key.decode(), value.decode()) for key, value in (field.metadata or {}).items())
    own = {"name": field.name, "format": format_of(field.type), "nullable": field.nullable}
    below = children(field.type)
    own |= {"children": len(below), "metadata": [list(pair) for pair in metadata]}
    return [own, *(row for child in below for row in flat(child))]


def add_field(facts: Facts, field: pa.Field) -> None:
    for row in flat(field):
        facts.text(row["name"]).text(row["format"]).option(row["nullable"])
        facts.list(row["children"]).list(len(row["metadata"]))
        for key, value in row["metadata"]:
            facts.text(key).text(value)


def field_digest(field: pa.Field) -> str:
    facts = Facts("pinion field 1")
    add_field(facts, field)
    return facts.finish()


def schema_digest(fields: list[pa.Field]) -> str:
    facts = Facts("pinion schema 1").list(len(fields))
    for field in fields:
        add_field(facts, field)
    return facts.finish()


# Values: `arrow::chunk`.


def bits(array: pa.Array, at: int) -> int:
    """The bits of an array's buffer of bits, of the first value lowest."""
    buffer = array.buffers()[at]
    every = (1 << len(array)) - 1
    return every if buffer is None else int.from_bytes(buffer, "little") >> array.offset & every


def pack(bits: int, length: int) -> bytes:
    return bits.to_bytes((length + 7) // 8, "little")


def raw(array: pa.Array, start: int = 0, end: int | None = None) -> memoryview:
    """The bytes of values of fixed width."""
    width = array.type.bit_width // 8
    end = len(array) if end is None else end
    return memoryview(array.buffers()[1] or b"")[(array.offset + start) * width : (array.offset + end) * width]


def under(child: pa.Array, valid: list[bool]) -> pa.Array:
    """The child, null where its parent is."""
    if all(valid):
        return child
    return child.take(pa.array([at if is_valid else None for at, is_valid in enumerate(valid)], pa.int64()))


def distinct(array: pa.Array) -> list:
    """What tells the values of a dictionary apart, to the bit; none for nulls."""
    values = array.to_pylist()
    if is_bytes(array.type) or pa.types.is_boolean(array.type):
        return values
    return [None if value is None else bytes(raw(array, at, at + 1)) for at, value in enumerate(values)]


def canonical(array: pa.Array) -> tuple[int, list, list[pa.Array]]:
    """Null count and buffers in canonical form, and children that are yet to be brought into it."""
    type_, length = array.type, len(array)
    if pa.types.is_null(type_):
        return length, [], []
    if pa.types.is_dictionary(type_):
        words = distinct(array.dictionary)
        found = [None if key is None else words[key] for key in array.indices.to_pylist()]
        order = {word: key for key, word in enumerate(dict.fromkeys(word for word in found if word is not None))}
        keys = pa.array([None if word is None else order[word] for word in found], type_.index_type)
        first = [words.index(word) for word in order]
        nulls, buffers, _ = canonical(keys)
        return nulls, buffers, [array.dictionary.take(pa.array(first, pa.int64()))]

    bitmap = bits(array, 0) if array.null_count else (1 << length) - 1
    nulls = length - bitmap.bit_count()
    buffers = [pack(bitmap, length) if nulls else b""]
    if pa.types.is_boolean(type_):
        return nulls, [*buffers, pack(bits(array, 1) & bitmap, length)], []
    valid = array.is_valid().to_pylist() if pa.types.is_nested(type_) else []
    if pa.types.is_struct(type_):
        return nulls, buffers, [under(array.field(at), valid) for at in range(type_.num_fields)]
    if pa.types.is_fixed_size_list(type_):
        size = type_.list_size
        child = array.values.slice(array.offset * size, length * size)
        return nulls, buffers, [under(child, [is_valid for is_valid in valid for _ in range(size)])]
    if is_list(type_) or pa.types.is_map(type_):
        ends, kept, offsets = array.offsets.to_pylist(), [], [0]
        for start, end, is_valid in zip(ends, ends[1:], valid):
            kept.extend(range(start, end) if is_valid else [])
            offsets.append(len(kept))
        offsets = raw(pa.array(offsets, array.offsets.type))
        return nulls, [*buffers, offsets], [array.values.take(pa.array(kept, pa.int64()))]
    if is_bytes(type_):
        lengths = pc.binary_length(array).fill_null(0)
        offsets = pa.concat_arrays([pa.array([0], lengths.type), pc.cumulative_sum(lengths)])
        kept = array.drop_null()
        ends = memoryview(kept.buffers()[1] or bytes(8)).cast("q" if lengths.type == pa.int64() else "i")
        data = memoryview(kept.buffers()[2] or b"")[ends[kept.offset] : ends[kept.offset + len(kept)]]
        return nulls, [*buffers, raw(offsets), data], []
    values = raw(array)
    if nulls:
        values, width = bytearray(values), type_.bit_width // 8
        for at in pc.indices_nonzero(array.is_null()).to_pylist():
            values[at * width : (at + 1) * width] = bytes(width)
    return nulls, [*buffers, values], []


def chunk_digest(array: pa.Array) -> str:
    """The digest of one column of one partition."""
    facts = Facts("pinion chunk 1")

    def add(array: pa.Array, type_: pa.DataType, child: pa.Field | None) -> None:
        nulls, buffers, arrays = canonical(array)
        facts.text(format_of(type_))
        if child is not None:
            facts.text(child.name).option(child.nullable)
        facts.list(len(arrays)).u64(len(array)).u64(nulls).list(len(buffers))
        for buffer in buffers:
            facts.bytes(buffer)
        for array, field in zip(arrays, children(type_), strict=True):
            add(array, field.type, field)

    type_ = canonical_type(array.type)
    add(array.cast(type_) if "view" in str(array.type) else array, type_, None)
    return facts.finish()


# Tables: `table`.


class Table:
    """Fields, and for each partition its number of rows and the digests of its columns."""

    def __init__(self, fields: list[pa.Field], partitions: list[tuple[int, list[str]]]) -> None:
        self.fields, self.partitions = fields, partitions

    def rows(self) -> int:
        return sum(rows for rows, _ in self.partitions)

    def digest(self) -> str:
        facts = Facts("pinion table v1").digest(schema_digest(self.fields)).list(len(self.partitions))
        for rows, columns in self.partitions:
            facts.u64(rows).list(len(columns))
            for column in columns:
                facts.digest(column)
        return facts.finish()

    def without(self, columns: list[str]) -> "Table":
        stays = [at for at, field in enumerate(self.fields) if field.name not in columns]
        fields = [self.fields[at] for at in stays]
        return Table(fields, [(rows, [digests[at] for at in stays]) for rows, digests in self.partitions])

    def column_digest(self, position: int) -> str:
        facts = Facts("pinion column v1").list(len(self.partitions))
        for rows, columns in self.partitions:
            facts.u64(rows).digest(columns[position])
        return facts.finish()


def joined(column: pa.ChunkedArray) -> pa.Array:
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks or [pa.array([], column.type)])


def table_of(values: pa.Table, rows: list[int]) -> Table:
    """The table of these values, cut into partitions of so many rows."""
    assert sum(rows) == values.num_rows, f"partitions of {rows} rows of a table of {values.num_rows}"
    partitions, start = [], 0
    for count in rows:
        columns = values.slice(start, count).columns
        partitions.append((count, [chunk_digest(joined(column)) for column in columns]))
        start += count
    return Table([field.with_type(canonical_type(field.type)) for field in values.schema], partitions)
