"""Writes what DuckDB and Python find, for the native tests of the steps that put tables together and apart.

Run with the versions in `requirements.txt`; the files land in `plugins/<name>/tests/data/`. Unions and
distinct rows are DuckDB's. Samples and splits are computed here from the formulas in the documentation of
the steps, with integers of Python and the reference implementation of XXH64. Inputs are made from fixed
seeds and stand in the files beside the results.
"""

import json
import struct
from fractions import Fraction
from pathlib import Path

import duckdb
import numpy as np
import xxhash

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"
PARTS = ["train", "validation", "test"]
DAY = 86_400_000_000_000


def write(plugin: str, file: str, value: object) -> None:
    path = PLUGINS / plugin / "tests" / "data" / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n")


class Random:
    """Columns of random values, a tenth of them null."""

    def __init__(self, seed: int, rows: int) -> None:
        self.rng, self.rows = np.random.default_rng(seed), rows

    def nullable(self, values) -> list:
        return [None if null else value for value, null in zip(values.tolist(), self.rng.random(self.rows) < 0.1)]

    def integers(self, low: int, high: int) -> list:
        return self.nullable(self.rng.integers(low, high, self.rows))

    def text(self) -> list:
        return self.nullable(self.rng.choice(["", "a", "aa", "b", "é", "z"], self.rows))

    def halves(self) -> list:
        return self.nullable(self.rng.integers(-9, 10, self.rows) / 2)


# Unions and distinct rows.

TYPES = {"row": "bigint", "k": "bigint", "n": "bigint", "t": "varchar", "x": "double"}


def load(connection: duckdb.DuckDBPyConnection, name: str, columns: dict[str, list]) -> None:
    fields = ", ".join(f"{column} {TYPES[column]}" for column in columns)
    connection.execute(f"create table {name} ({fields})")
    marks = ", ".join("?" for _ in columns)
    connection.executemany(f"insert into {name} values ({marks})", [list(row) for row in zip(*columns.values())])


def union(connection: duckdb.DuckDBPyConnection) -> None:
    inputs = []
    for at, names in enumerate([["row", "k", "t"], ["t", "row", "x"], ["n", "k", "row"]]):
        rows = 50 - 5 * at
        random = Random(30 + at, rows)
        make = {
            "row": lambda: list(range(1000 * at, 1000 * at + rows)),
            "k": lambda: random.integers(-5, 6),
            "n": lambda: random.integers(0, 3),
            "t": random.text,
            "x": random.halves,
        }
        columns = {name: make[name]() for name in names}
        load(connection, f"u{at}", columns)
        inputs.append({"names": names, "columns": list(columns.values())})
    # Row numbers ascend from input to input.
    result = connection.execute(
        "select * from (select * from u0 union all by name select * from u1 union all by name select * from u2) order by row"
    )
    names = [column[0] for column in result.description]
    columns = [list(column) for column in zip(*result.fetchall())]
    write("union-tables", "duckdb.json", {"inputs": inputs, "union": {"names": names, "columns": columns}})


def distinct(connection: duckdb.DuckDBPyConnection) -> None:
    random = Random(41, 200)
    columns = {"row": list(range(200)), "k": random.integers(-3, 4), "t": random.text(), "x": random.halves()}
    load(connection, "d", columns)
    rows = {}
    for by in ("k", "x", "k, t", "t, x, k"):
        found = {}
        for keep, function in (("first", "min"), ("last", "max")):
            query = f"select {function}(row) as row from d group by {by} order by row"
            found[keep] = [row for (row,) in connection.execute(query).fetchall()]
        rows[by] = found
    write("distinct-rows", "duckdb.json", {"columns": list(columns.values()), "rows": rows})


# Samples.

WORD = 2**64


def split_mix(seed: int, row: int) -> int:
    z = (seed + (row + 1) * 0x9E3779B97F4A7C15) % WORD
    z = (z ^ z >> 30) * 0xBF58476D1CE4E5B9 % WORD
    z = (z ^ z >> 27) * 0x94D049BB133111EB % WORD
    return z ^ z >> 31


def sample() -> None:
    rows = 600
    # As the test's own rows are made.
    groups = [["a", "b", "a", None][row % 4] for row in range(rows)]

    def drawn(params: dict) -> list[int]:
        numbers = {row: split_mix(params["seed"], row) for row in range(rows)}
        if "by" not in params and "fraction" in params:
            return [row for row in range(rows) if Fraction(numbers[row], WORD) < Fraction(params["fraction"])]
        strata: dict = {}
        for row in range(rows):
            strata.setdefault(groups[row] if "by" in params else 0, []).append(row)
        chosen = []
        for members in strata.values():
            count = params.get("rows")
            if count is None:
                count = int(Fraction(params["fraction"]) * len(members) + Fraction(1, 2))
            chosen += sorted(members, key=numbers.get)[:count]
        return sorted(chosen)

    cases = [
        {"fraction": 0.25, "seed": 0},
        {"fraction": 0.1, "seed": 2**64 - 1},
        {"rows": 17, "seed": 3},
        {"rows": 500, "seed": 4},
        {"rows": 9, "by": ["group"], "seed": 5},
        {"fraction": 0.05, "by": ["group"], "seed": 6},
    ]
    write("sample-rows", "python.json", {"rows": rows, "samples": [{"params": case, "rows": drawn(case)} for case in cases]})


# Splits.


def encode(kind: str, value: object) -> bytes:
    """The bytes of one value, as `sdk/tables/src/split.rs` promises them."""
    if value is None:
        return b"\x00"
    integer = lambda value: value.to_bytes(16, "little", signed=True)
    if kind == "boolean":
        body = bytes([value])
    elif kind in ("int64", "decimal"):
        body = integer(value)
    elif kind == "date32":
        body = integer(value * DAY)
    elif kind == "timestamp":
        body = integer(value * 1000)
    elif kind == "float64":
        number = struct.unpack(">d", bytes.fromhex(value))[0]
        number = float("nan") if number != number else number + 0.0
        body = bytes.fromhex("000000000000f87f") if number != number else struct.pack("<d", number)
    else:
        body = struct.pack("<Q", len(value.encode())) + value.encode()
    return b"\x01" + body


def row_hashes(columns: list[tuple[str, list]], seed: int) -> list[int]:
    kinds = [kind for kind, _ in columns]
    rows = zip(*(values for _, values in columns))
    keys = (b"".join(encode(kind, value) for kind, value in zip(kinds, row)) for row in rows)
    return [xxhash.xxh64_intdigest(key, seed=seed) for key in keys]


def cumulated(weights: dict[str, float]) -> list[int]:
    """Ends of the parts in units of 2^-64, in the arithmetic of floats that is promised."""
    shares = [float(weights.get(part, 0)) for part in PARTS]
    total = (shares[0] + shares[1]) + shares[2]
    sums = [shares[0], shares[0] + shares[1], total]
    return [int(part / total * 2.0**64) for part in sums]


def split_by_hash() -> None:
    random = Random(51, 40)
    bits = [struct.pack(">d", value).hex() for value in random.rng.normal(size=36)]
    floats = bits + ["8000000000000000", "0000000000000000", "fff8000000000001", "7ff8000000000000"]
    columns = {
        "b": ("boolean", random.nullable(random.rng.random(40) < 0.5)),
        "i": ("int64", random.nullable(random.rng.integers(-(2**62), 2**62, 40))),
        "m": ("decimal", random.integers(-(10**9), 10**9)),
        "d": ("date32", random.integers(-20_000, 20_000)),
        "s": ("timestamp", random.integers(-(10**15), 2 * 10**15)),
        "f": ("float64", floats),
        "t": ("text", random.text()),
        "y": ("binary", random.nullable(random.rng.choice(["", "é", "a b"], 40))),
    }
    cases = []
    keys = [["i"], ["m"], ["d"], ["s"], ["f"], ["b", "t", "y"], ["t", "i"], ["i", "t"]]
    for at, by in enumerate(keys):
        params = {"by": by, "weights": {"train": 0.6, "test": 0.4}}
        if at % 2 == 1:
            params |= {"weights": {"train": 7, "validation": 2, "test": 5}, "salt": "été"}
        seed = xxhash.xxh64_intdigest(params.get("salt", "").encode())
        ends = cumulated(params["weights"])
        hashes = row_hashes([columns[name] for name in by], seed)
        parts = [next(part for part, end in enumerate(ends) if hash < end) for hash in hashes]
        described = [{"name": name, "type": columns[name][0], "values": columns[name][1]} for name in by]
        cases.append({"params": params, "columns": described, "parts": parts})
    write("split-by-hash", "python.json", {"cases": cases})


def split_by_group() -> None:
    random = Random(61, 300)
    keys = random.nullable((random.rng.random(300) ** 3 * 40).astype(int))
    cases = []
    for params in (
        {"weights": {"train": 0.8, "test": 0.2}, "seed": 1},
        {"weights": {"train": 5, "validation": 2, "test": 3}, "seed": 2},
        {"weights": {"train": 0.75, "test": 0.25}, "count": "rows", "seed": 3},
        {"weights": {"train": 6, "validation": 1, "test": 1}, "count": "rows", "seed": 4},
    ):
        params = {"by": ["k"], **params}
        hashes = row_hashes([("int64", keys)], params["seed"])
        rows = {hash: hashes.count(hash) for hash in sorted(hashes)}
        length = {hash: size if params.get("count") == "rows" else 1 for hash, size in rows.items()}
        total = sum(length.values())
        ends = [Fraction(end, WORD) for end in cumulated(params["weights"])]
        start, part_of = 0, {}
        for hash, size in length.items():
            middle = (start + Fraction(size, 2)) / total
            part_of[hash] = next(part for part, end in enumerate(ends) if middle < end)
            start += size
        cases.append({"params": params, "parts": [part_of[hash] for hash in hashes]})
    write("split-by-group", "python.json", {"keys": keys, "cases": cases})


def main() -> None:
    connection = duckdb.connect()
    union(connection)
    distinct(connection)
    sample()
    split_by_hash()
    split_by_group()


if __name__ == "__main__":
    main()
