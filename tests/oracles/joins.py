"""Writes what DuckDB and pandas find, for the native tests of `join-tables`.

Run with the versions in `requirements.txt`; the files land in `plugins/join-tables/tests/data/`. Joins by equal keys
are DuckDB's, joins by the nearest time those of pandas; where DuckDB can tell the same, it is held against them.
Inputs are made here from fixed seeds and stand in the files beside the matches.
"""

import itertools
import json
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

DATA = Path(__file__).resolve().parents[2] / "plugins" / "join-tables" / "tests" / "data"
HALF_HOUR_MS = 1_800_000


def write(file: str, value: object) -> None:
    DATA.mkdir(parents=True, exist_ok=True)
    (DATA / file).write_text(json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n")


def side(seed: int, rows: int) -> pd.DataFrame:
    """Rows with a key `k` and a time `t` in milliseconds, in no order, with nulls and with equal times."""
    rng = np.random.default_rng(seed)
    keys = pd.array(rng.integers(0, 3, rows), dtype="Int64")
    times = pd.array(rng.integers(-48, 48, rows) * HALF_HOUR_MS, dtype="Int64")
    keys[rng.random(rows) < 0.1] = pd.NA
    times[rng.random(rows) < 0.1] = pd.NA
    return pd.DataFrame({"row": range(rows), "k": keys, "t": times})


def plain(values: pd.Series) -> list:
    return [None if pd.isna(value) else int(value) for value in values]


def equal(connection: duckdb.DuckDBPyConnection) -> dict[str, list]:
    """Pairs of rows with the same key and time; no right row if it adds nothing."""
    found = {}
    for how in ("inner", "left", "semi", "anti"):
        right, order = ("r.row", "l.row, r.row") if how in ("inner", "left") else ("null", "l.row")
        query = f"select l.row, {right} from l {how} join r on l.k = r.k and l.t = r.t order by {order}"
        found[how] = [list(pair) for pair in connection.execute(query).fetchall()]
    return found


def nearest(left: pd.DataFrame, right: pd.DataFrame, keys: list[str], options: dict) -> list:
    """By left row its match, as pandas finds it. It takes no nulls, and tables in order only."""
    known = []
    for rows in (left, right):
        rows = rows.dropna(subset=[*keys, "t"])
        rows = rows.assign(time=rows["t"].astype("int64").astype("datetime64[ms]"))
        known.append(rows.sort_values("time", kind="stable")[["row", "time", *keys]])
    found = pd.merge_asof(*known, on="time", by=keys or None, suffixes=("", "_right"), **options)
    return plain(found.set_index("row")["row_right"].reindex(left["row"]))


def as_of(connection: duckdb.DuckDBPyConnection, rows: int, keys: list[str], comparison: str) -> list:
    """By left row its match, as DuckDB finds it."""
    on = " and ".join([f"l.{key} = d.{key}" for key in keys] + [f"l.t {comparison} d.t"])
    found = dict(connection.execute(f"select l.row, d.row from l asof join d on {on}").fetchall())
    return [found.get(row) for row in range(rows)]


def main() -> None:
    connection = duckdb.connect()
    left, right = side(81, 120), side(82, 60)
    connection.register("l", left)
    connection.register("r", right)
    tables = {name: [plain(rows["k"]), plain(rows["t"])] for name, rows in (("left", left), ("right", right))}
    write("duckdb.json", {**tables, "pairs": equal(connection)})

    cases = []
    directions = {"backward": ">", "forward": "<", "nearest": None}
    for keys, direction, exact, minutes in itertools.product(([], ["k"]), directions, (True, False), (None, 90)):
        options = {"direction": direction, "allow_exact_matches": exact}
        if minutes is not None:
            options["tolerance"] = pd.Timedelta(minutes=minutes)
        cases.append(
            {
                "on": keys,
                "direction": direction,
                "allow_exact": exact,
                "tolerance_min": minutes,
                "rows": nearest(left, right, keys, options),
            }
        )
        if directions[direction] is not None and minutes is None:
            # Of several rows of one time, DuckDB does not say which one it takes.
            distinct = right.drop_duplicates([*keys, "t"])
            connection.register("d", distinct)
            found = as_of(connection, len(left), keys, directions[direction] + ("=" if exact else ""))
            assert found == nearest(left, distinct, keys, options), f"DuckDB differs: {keys}, {options}"
    write("pandas.json", {**tables, "cases": cases})


if __name__ == "__main__":
    main()
