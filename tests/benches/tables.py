"""The tables of the benchmarks, the work of their pipelines in pandas, Polars and numpy, and the comparison.

    python tests/benches/tables.py make-wide data 1 arrow 7812500 8
    python tests/benches/tables.py add-columns data/1-000.arrow columns.arrow
    python tests/benches/tables.py compare columns.arrow exported.arrow

Each command imports what it needs and nothing else, since as a baseline it is timed from its start. Results
are written only where a file for them is named, which is where they are compared, not where they are timed.
"""

import sys
import time
from pathlib import Path

# What a full partition holds, so that a row group or batch is one.
GROUP_ROWS = 131_072

# What the row-map steps add, each from the one before it. The text is SQL and Python alike.
ADDED = {
    "d1": "c0 * 2.5 + c1",
    "d2": "d1 * 0.5 - c2",
    "d3": "d2 * d2 + c3",
    "d4": "(d3 - c4) * 0.25",
    "d5": "d4 + c5 * c6",
}


def make_wide(directory, seed, extension, rows, files):
    """Writes files of together `rows` rows of 16 columns of floats, 128 bytes a row."""
    import numpy as np

    rng = np.random.default_rng(int(seed))
    rows, files = int(rows), int(files)
    for file in range(files):
        groups = group_sizes(rows // files + (file < rows % files))
        batches = ({f"c{column}": rng.random(size) for column in range(16)} for size in groups)
        write(Path(directory) / f"{seed}-{file:03}.{extension}", batches)


def make_keyed(directory, extension, rows):
    """Writes `left`, whose keys repeat about ten times, and `right`, which has each key once."""
    import numpy as np

    rng = np.random.default_rng(1)
    rows, keys = int(rows), int(rows) // 10

    def left(size):
        # Halves, so that sums are exact in whatever order they are added.
        x = rng.integers(-4000, 4000, size) / 2
        return {"k": rng.integers(0, keys, size), "t": rng.integers(0, 1 << 40, size), "x": x, "y": rng.random(size)}

    write(Path(directory) / f"left.{extension}", (left(size) for size in group_sizes(rows)))
    order = rng.permutation(keys)
    parts = (order[start : start + GROUP_ROWS] for start in range(0, keys, GROUP_ROWS))
    write(Path(directory) / f"right.{extension}", ({"k": part, "z": rng.random(len(part))} for part in parts))


def group_sizes(rows):
    """The rows of each row group of a table."""
    return [min(GROUP_ROWS, rows - start) for start in range(0, rows, GROUP_ROWS)]


def write(path, batches):
    """Writes columns, batch by batch, to an Arrow IPC or an uncompressed, plain Parquet file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for columns in batches:
        table = pa.table(columns)
        if writer is None and path.suffix == ".arrow":
            writer = pa.ipc.new_file(path, table.schema)
        elif writer is None:
            writer = pq.ParquetWriter(path, table.schema, use_dictionary=False, compression="none")
        writer.write_table(table)
    writer.close()


def mapped(path):
    """An Arrow IPC file as a table that is not read before it is used."""
    import pyarrow as pa

    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()


def add_columns(path, output=None):
    """The row-map pipeline in pandas: reads a file, adds five columns one after the other."""
    import pandas as pd

    frame = mapped(path).to_pandas() if path.endswith(".arrow") else pd.read_parquet(path)
    for name, expression in ADDED.items():
        frame[name] = eval(expression, {}, frame)
    if output:
        import pyarrow as pa

        with pa.ipc.new_file(output, pa.Schema.from_pandas(frame, preserve_index=False)) as writer:
            writer.write_table(pa.Table.from_pandas(frame, preserve_index=False))


def kernel(rows, rounds):
    """The arithmetic of the row-map steps in numpy, partition by partition; prints its seconds."""
    import numpy as np

    rng = np.random.default_rng(1)
    partitions = [{f"c{column}": rng.random(size) for column in range(7)} for size in group_sizes(int(rows))]
    start = time.perf_counter()
    for _ in range(int(rounds)):
        for partition in partitions:
            columns = dict(partition)
            for name, expression in ADDED.items():
                columns[name] = eval(expression, {}, columns)
    print(time.perf_counter() - start)


def polars(step, directory, extension, output=None):
    """What `sort-rows`, `group-rows` and `join-large-tables` do, in Polars."""
    import polars as pl

    def read(name):
        path = f"{directory}/{name}.{extension}"
        return pl.read_ipc(path) if extension == "arrow" else pl.read_parquet(path)

    left = read("left")
    if step == "sort":
        result = left.sort("t", maintain_order=True)
    elif step == "group":
        x = pl.col("x")
        figures = [
            pl.len().cast(pl.Int64).alias("n"),
            x.sum().alias("total"),
            x.mean().alias("mean"),
            x.max().alias("top"),
        ]
        result = left.group_by("k").agg(figures).sort("k")
    else:
        result = left.join(read("right"), on="k", how="inner", maintain_order="left_right")
    if output:
        result.write_ipc(output, compat_level=pl.CompatLevel.oldest())


def compare(left, right):
    """Ends with an error unless two Arrow files have the same columns, bit for bit, in whatever order."""
    import pyarrow as pa

    left, right = mapped(left), mapped(right)
    names = sorted(left.column_names)
    if names != sorted(right.column_names) or left.num_rows != right.num_rows:
        sys.exit(f"{left.num_rows} rows of {names}, {right.num_rows} of {sorted(right.column_names)}")

    def bits(column):
        return pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())

    for name in names:
        if left[name].null_count + right[name].null_count > 0 or bits(left[name]) != bits(right[name]):
            sys.exit(f"column `{name}` differs")


COMMANDS = [make_wide, make_keyed, add_columns, kernel, polars, compare]

if __name__ == "__main__":
    {command.__name__.replace("_", "-"): command for command in COMMANDS}[sys.argv[1]](*sys.argv[2:])
