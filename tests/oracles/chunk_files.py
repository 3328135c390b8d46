"""Opens the chunk files of a store with pyarrow, and compares them with the table that they make up.

Any Arrow tool is meant to open what Pinion stores. The pipeline reads one CSV file in many partitions,
so its chunk files are the partitions of the table that `pinion export` writes.

    python tests/oracles/chunk_files.py target/debug/pinion
"""

import pathlib
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc

ROWS = 5000
PIPELINE = """\
[pipeline]
name = "chunk-files"
batch_rows = 256
partition_batches = 2

[sources.rows]
path = "rows.csv"

[steps.read]
use = "std:read-csv@0.1"
input = "sources.rows"
"""


def word(n: int) -> str:
    """Empty, absent, plain and non-ASCII words in turn."""
    return ["", "plain", f"zoë {n}", '"quoted, with a comma"'][n % 4]


def chunk_tables(store: pathlib.Path) -> list[pa.Table]:
    """Every chunk file as a table, checked in full."""
    tables = []
    for path in sorted((store / "chunks").rglob("*.arrow")):
        with pa.memory_map(str(path)) as mapped:
            table = ipc.open_file(mapped).read_all()
            table.validate(full=True)
            tables.append(table)
    return tables


def main(pinion: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder)
        lines = [f"{n},{n * 0.25},{'' if n % 3 == 0 else n % 7},{word(n)}" for n in range(ROWS)]
        (project / "rows.csv").write_text("id,half,small,word\n" + "\n".join(lines) + "\n")
        (project / "pinion.toml").write_text(PIPELINE)
        run = [pinion, "run", "-C", folder]
        export = [pinion, "export", "-C", folder, "read", "-o", str(project / "read.arrow")]
        for command in (run, export):
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        whole = ipc.open_file(project / "read.arrow").read_all()
        chunks = chunk_tables(project / ".pinion")
        assert len(chunks) > 3, f"the table has {len(chunks)} partitions, and several are needed"
        chunks.sort(key=lambda table: pc.min(table["id"]).as_py())
        found = pa.concat_tables([table.select(whole.column_names) for table in chunks])
        assert found.num_rows == ROWS == whole.num_rows
        assert found.to_pydict() == whole.to_pydict()
        print(f"{len(chunks)} chunk files of {ROWS} rows open in pyarrow and are the exported table")


main(str(pathlib.Path(sys.argv[1]).resolve()))
