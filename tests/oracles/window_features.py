"""Writes what pandas finds, for the native tests of `window-features`.

Run with the versions in `requirements.txt`; the file lands in `plugins/window-features/tests/data/`. The input is
made here from a fixed seed and stands in the file beside the features. Numbers are small halves, so that sums are
exact in whatever order they are added.
"""

import json
from pathlib import Path

import numpy as np
import pandas as pd

FILE = Path(__file__).resolve().parents[2] / "plugins" / "window-features" / "tests" / "data" / "pandas.json"
ROWS = 240
FIGURES = ["count", "sum", "mean", "std", "min", "max"]
WINDOWS = {"rows_1": 1, "rows_5": 5, "hours_6": "6h", "days_2": "2D"}


def table() -> pd.DataFrame:
    """Rows out of order, of three groups and the null one, with times that occur twice."""
    rng = np.random.default_rng(31)
    carrier = rng.choice(["UA", "AA", "9E"], ROWS).astype(object)
    carrier[::17] = None
    delay = rng.integers(-40, 41, ROWS) / 2
    delay[rng.random(ROWS) < 0.15] = np.nan
    hours = rng.integers(0, 24 * 14, ROWS)
    time = pd.Timestamp("2013-01-01") + pd.to_timedelta(hours, unit="h")
    return pd.DataFrame({"carrier": carrier, "time": time.astype("datetime64[us]"), "delay": delay})


def features(rows: pd.DataFrame, include_current: bool) -> dict[str, pd.Series]:
    """By name, in the order of the rows."""
    ordered = rows.sort_values("time", kind="stable")
    found = {f"lag_{k}": ordered.groupby("carrier", dropna=False)["delay"].shift(k) for k in (1, 3)}
    closed = "right" if include_current else "left"
    for name, window in WINDOWS.items():
        for figure in FIGURES:
            parts = []
            for _, group in ordered.groupby("carrier", dropna=False):
                values = group["delay"] if isinstance(window, int) else group.set_index("time")["delay"]
                rolling = values.rolling(window, min_periods=1, closed=closed)
                part = getattr(rolling, figure)()
                parts.append(pd.Series(part.to_numpy(), index=group.index))
            part = pd.concat(parts)
            found[f"{figure}_{name}"] = part.fillna(0) if figure == "count" else part
    return {name: series.sort_index() for name, series in found.items()}


def plain(values: pd.Series) -> list:
    return [None if pd.isna(value) else value for value in values.tolist()]


def main() -> None:
    rows = table()
    value = {
        "carrier": plain(rows["carrier"]),
        "time_us": rows["time"].astype("int64").tolist(),
        "delay": plain(rows["delay"]),
        "before": {name: plain(series) for name, series in features(rows, False).items()},
        "current": {name: plain(series) for name, series in features(rows, True).items()},
    }
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(value, allow_nan=False, separators=(",", ":")) + "\n")


main()
