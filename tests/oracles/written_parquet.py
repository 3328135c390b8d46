"""Opens what `write-parquet` writes with pyarrow, and compares it with the table it was written from.

The tables are those of the Arrow files that `read-arrow` is tested on, as `pinion export` gives them out: every
type, nested ones and nulls included. However a table is cut into partitions, the file is the same bytes.

    python tests/oracles/written_parquet.py target/debug/pinion plugins/read-arrow/tests/data
"""

import pathlib
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.ipc as ipc
import pyarrow.parquet as pq

# What the step refuses, since Parquet would give it back as something else.
REFUSED = ["date64", "time32_s", "timestamp_s", "interval"]
WRITES = {
    "plain": "{}",
    "small": '{ compression = "none", row_group_rows = 150 }',
}


def plain(type_: pa.DataType) -> pa.DataType:
    """The type with what dictionaries hold in their place."""
    if pa.types.is_dictionary(type_):
        return type_.value_type
    if pa.types.is_list(type_):
        return pa.list_(type_.value_field.with_type(plain(type_.value_type)))
    return type_


def run(pinion: str, files: dict[pathlib.Path, list[str]], batch_rows: int, with_tables: bool):
    """The bytes of every file, by name of the file and of the way in which it was written, and the tables."""
    with tempfile.TemporaryDirectory() as folder:
        project = pathlib.Path(folder)
        lines = ["[pipeline]", 'name = "written-parquet"', f"batch_rows = {batch_rows}", "partition_batches = 2"]
        for path, columns in files.items():
            (project / path.name).write_bytes(path.read_bytes())
            lines += [f"[sources.{path.stem}]", f'path = "{path.name}"', f"[steps.read-{path.stem}]"]
            lines += ['use = "std:read-arrow@0.1"', f'input = "sources.{path.stem}"', f"params = {{ columns = {columns} }}"]
            for name, params in WRITES.items():
                lines += [f"[steps.{name}-{path.stem}]", 'use = "std:write-parquet@0.1"']
                lines += [f'input = "read-{path.stem}"', f"params = {params}"]
        (project / "pinion.toml").write_text("\n".join(lines) + "\n")
        quiet = {"check": True, "stdout": subprocess.DEVNULL}
        subprocess.run([pinion, "run", "-C", folder], **quiet)
        written, tables = {}, {}
        for path in files:
            for name in WRITES:
                file = project / "file.parquet"
                subprocess.run([pinion, "export", "-C", folder, f"{name}-{path.stem}", "-o", file], **quiet)
                written[path.stem, name] = file.read_bytes()
            if with_tables:
                table = project / "table.arrow"
                subprocess.run([pinion, "export", "-C", folder, f"read-{path.stem}", "-o", table], **quiet)
                with pa.OSFile(str(table)) as source:
                    tables[path.stem] = ipc.open_file(source).read_all()
        return written, tables


def compare(name: tuple[str, str], table: pa.Table, file: bytes) -> None:
    found = pq.read_table(pa.BufferReader(file))
    found.validate(full=True)
    assert found.column_names == table.column_names, name
    for expected, field in zip(table.schema, found.schema, strict=True):
        # Not the metadata of types: pyarrow names what is in a map anew, also where it wrote the file itself.
        assert field.equals(expected.with_type(plain(expected.type))), (name, expected, field)
        assert field.metadata == expected.metadata, (name, expected, field)
        assert found[field.name].to_pylist() == table[field.name].to_pylist(), (name, field)
    groups = pq.ParquetFile(pa.BufferReader(file)).metadata
    assert groups.created_by.startswith("pinion version "), groups.created_by
    if name[1] == "small":
        sizes = [groups.row_group(number).num_rows for number in range(groups.num_row_groups)]
        whole, rest = divmod(table.num_rows, 150)
        assert sizes == [150] * whole + [rest] * (rest > 0), (name, sizes)


def main(pinion: str, folder: pathlib.Path) -> None:
    files = {}
    for stem in ("types", "rows", "required", "rows-uneven"):
        path = folder / f"{stem}.arrow"
        with pa.OSFile(str(path)) as source:
            files[path] = [name for name in ipc.open_file(source).schema.names if name not in REFUSED]
    whole, tables = run(pinion, files, 16384, with_tables=True)
    for name, file in whole.items():
        compare(name, tables[name[0]], file)
    for batch_rows in (2, 64):
        written, _ = run(pinion, files, batch_rows, with_tables=False)
        for name, file in written.items():
            assert file == whole[name], f"{name} is other bytes in batches of {batch_rows} rows"
    print(f"{len(whole)} files open in pyarrow and are the tables they were written from")


main(str(pathlib.Path(sys.argv[1]).resolve()), pathlib.Path(sys.argv[2]))
