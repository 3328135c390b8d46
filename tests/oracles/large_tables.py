"""Writes what DuckDB finds, for the native tests of the steps that sort, group and join tables.

Run with the versions in `requirements.txt`; the files land in `plugins/<name>/tests/data/`. The inputs
are made here from a fixed seed and stand in the files beside the results. All numbers are small halves,
so that sums are exact in whatever order they are added.
"""

import json
from pathlib import Path

import duckdb
import numpy as np

PLUGINS = Path(__file__).resolve().parents[2] / "plugins"


def write(plugin: str, value: object) -> None:
    path = PLUGINS / plugin / "tests" / "data" / "duckdb.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n")


def table(connection: duckdb.DuckDBPyConnection, name: str, seed: int, rows: int) -> list[list]:
    """Columns `row`, `k` (integers), `t` (text) and `x` (floats), each but the first with nulls."""
    rng = np.random.default_rng(seed)
    some = lambda values: [None if null else value for value, null in zip(values, rng.random(rows) < 0.1)]
    columns = [
        list(range(rows)),
        some(rng.integers(-6, 7, rows).tolist()),
        some(rng.choice(["", "a", "aa", "b", "é", "z"], rows).tolist()),
        some((rng.integers(-40, 41, rows) / 2).tolist()),
    ]
    connection.execute(f"create table {name} (row bigint, k bigint, t varchar, x double)")
    connection.executemany(f"insert into {name} values (?, ?, ?, ?)", [list(row) for row in zip(*columns)])
    return columns


def main() -> None:
    connection = duckdb.connect()
    left, right = table(connection, "l", 21, 200), table(connection, "r", 22, 60)
    query = lambda sql: [list(row) for row in connection.execute(sql).fetchall()]

    orders = {
        "x": "x asc nulls last",
        "t": "t desc nulls first",
        "k, t": "k asc nulls first, t desc nulls last",
    }
    sorted_rows = {by: [row for (row,) in query(f"select row from l order by {order}, row")] for by, order in orders.items()}
    write("sort-rows", {"columns": left, "rows": sorted_rows})

    groups = query(
        "select k, t, count(*), count(x), sum(x), avg(x), min(x), max(x), sum(row), arg_min(row, row),"
        " count(distinct x), count(distinct t)"
        " from l group by k, t order by k asc nulls last, t asc nulls last"
    )
    groups = [[*row[:8], int(row[8]), *row[9:]] for row in groups]
    write("group-rows", {"columns": left, "groups": groups})

    pairs = {
        how: query(f"select l.row, r.row from l {how} join r on l.k = r.k and l.t = r.t order by l.row, r.row")
        for how in ("inner", "left")
    }
    rows = {
        how: [row for (row,) in query(f"select l.row from l {how} join r on l.k = r.k and l.t = r.t order by l.row")]
        for how in ("semi", "anti")
    }
    write("join-large-tables", {"left": left, "right": right, "pairs": pairs, "rows": rows})


if __name__ == "__main__":
    main()
