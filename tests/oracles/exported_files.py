"""Opens what `pinion export` writes of a table in many partitions, in pyarrow and in polars.

The tables are those of the Arrow files that `read-arrow` is tested on. A Parquet file has to be what pyarrow
itself makes of the table, types included; an Arrow file has one dictionary for all partitions.

    python tests/oracles/exported_files.py target/debug/pinion plugins/read-arrow/tests/data
"""

import io
import pathlib
import subprocess
import sys
import tempfile

import polars as pl
import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

# What pyarrow cannot write as Parquet.
UNWRITABLE = ["interval"]


def exported(pinion: str, folder: pathlib.Path, stem: str, columns: list[str]) -> dict[str, bytes]:
    """The columns of an Arrow file, read in partitions of two rows, by extension of the file exported."""
    with tempfile.TemporaryDirectory() as directory:
        project = pathlib.Path(directory)
        (project / "rows.arrow").write_bytes((folder / f"{stem}.arrow").read_bytes())
        lines = ["[pipeline]", 'name = "exported"', "batch_rows = 2", "partition_batches = 1"]
        lines += ["[sources.rows]", 'path = "rows.arrow"', "[steps.rows]", 'use = "std:read-arrow@0.1"']
        lines += ['input = "sources.rows"', f"params = {{ columns = {columns} }}"]
        (project / "pinion.toml").write_text("\n".join(lines) + "\n")
        quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        subprocess.run([pinion, "run", "-C", directory], **quiet)
        files = {}
        for extension in ("parquet", "arrow"):
            file = project / f"out.{extension}"
            subprocess.run([pinion, "export", "-C", directory, "rows", "-o", file], **quiet)
            files[extension] = file.read_bytes()
        return files


def same(found: pa.Table, expected: pa.Table) -> None:
    found.validate(full=True)
    assert found.column_names == expected.column_names
    for name in expected.column_names:
        types = found.schema.field(name).type, expected.schema.field(name).type
        # Not the names of what is in a map: pyarrow names it anew.
        assert types[0].equals(types[1]), (name, *types)
        assert found[name].to_pylist() == expected[name].to_pylist(), name


def main(pinion: str, folder: pathlib.Path) -> None:
    for stem in ("types", "rows-uneven"):
        with pa.OSFile(str(folder / f"{stem}.arrow")) as source:
            table = ipc.open_file(source).read_all()
        # A table of Pinion has no views.
        for position, field in enumerate(table.schema):
            plain = {pa.string_view(): pa.utf8(), pa.binary_view(): pa.binary()}.get(field.type)
            if plain:
                table = table.set_column(position, field.name, table[field.name].cast(plain))
        table = table.select([name for name in table.column_names if name not in UNWRITABLE])
        files = exported(pinion, folder, stem, table.column_names)

        written = io.BytesIO()
        pq.write_table(table, written)
        same(pq.read_table(pa.BufferReader(files["parquet"])), pq.read_table(written))
        assert pq.ParquetFile(pa.BufferReader(files["parquet"])).metadata.num_rows == table.num_rows

        with ipc.open_file(files["arrow"]) as reader:
            assert reader.num_record_batches == (table.num_rows + 1) // 2
            same(reader.read_all(), table)
            assert reader.stats.num_replaced_dictionaries == reader.stats.num_dictionary_deltas == 0
        if stem == "rows-uneven":
            frame = pl.read_ipc(io.BytesIO(files["arrow"]), columns=["id", "color", "word"])
            assert frame.to_dict(as_series=False) == table.select(frame.columns).to_pydict()
    print("exported files are what pyarrow and polars expect")


main(str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]))
