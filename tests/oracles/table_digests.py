"""Computes the digests of a run again, from values that pyarrow reads, and compares them with what Pinion says.

    python tests/oracles/table_digests.py target/debug/pinion examples/flight-delays examples/flight-delays/.pinion

Follows the module documentation, to show that it suffices; what recomputes is in `digests/`, and
needs nothing but pyarrow and blake3. Values come out of source files and of what `pinion export` writes,
never out of chunk files: every column of every partition is brought into canonical form and hashed here. Then
follow schemas, tables, blobs, components, what units observed, and the run digest. First for the last run of the
project and store given, then for a pipeline over tables of every type, in several partitions.
"""

import collections
import hashlib
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.ipc as ipc
import pyarrow.parquet as pq
from blake3 import blake3

from digests.runs import question_of, run_digest, source_digest
from digests.structured import Facts
from digests.tables import Table, field_digest, flat, schema_digest, table_of
from digests.uneven import uneven

DATA = pathlib.Path(__file__).resolve().parents[2] / "plugins" / "read-arrow" / "tests" / "data"
MEDIA_TYPES = {".parquet": "application/vnd.apache.parquet", ".arrow": "application/vnd.apache.arrow.file"}


class Run:
    """The last run in a store, and what was found of it so far."""

    def __init__(self, pinion: str, project: pathlib.Path, store: pathlib.Path) -> None:
        self.pinion, self.project, self.store = pinion, project, store
        record = max((store / "runs").glob("*.jsonl"))
        lines = [json.loads(line) for line in record.read_text().splitlines()]
        self.start, self.end = lines[0], lines[-1]
        assert self.end["line"] == "outcome", f"the run of {record} has not ended"
        self.steps = {line["name"]: line for line in lines if line["line"] == "step"}
        self.folder = tempfile.TemporaryDirectory()
        # Tables and blobs by their digests.
        self.tables: dict[str, Table] = {}
        self.blobs: dict[str, dict] = {}
        self.compared, self.differences = collections.Counter(), []

    def same(self, kind: str, where: str, expected: object, found: object) -> None:
        self.compared[kind] += 1
        if expected != found:
            self.differences.append(f"{kind} of {where} differs\n  expected {expected}\n  found    {found}")

    def exported(self, port: str, extension: str) -> pathlib.Path:
        file = pathlib.Path(self.folder.name) / f"exported.{extension}"
        command = [self.pinion, "export", "-C", self.project, "--store", self.store.resolve(), port, "-o", file]
        subprocess.run([*command, "--json"], check=True, stdout=subprocess.DEVNULL)
        return file

    def compare(self, sources: dict[str, pa.Table]) -> None:
        """Everything that the record names. `sources` are tables by the step that puts them out."""
        for files in self.start["sources"].values():
            for file in files:
                found = (self.project / file["path"]).read_bytes()
                self.same("blob", f"`{file['path']}`", file["digest"], f"blake3:{blake3(found).hexdigest()}")
        for name in self.start["steps"]:
            step = self.steps[name]
            component = next((self.store / "components").rglob(f"{step['digest'][7:]}.wasm")).read_bytes()
            self.same("component", f"step `{name}`", step["digest"], f"sha256:{hashlib.sha256(component).hexdigest()}")
            for port in step["inputs"]:
                if port["from"].startswith("sources."):
                    files = self.start["sources"][port["from"].removeprefix("sources.")]
                    self.same("source", f"step `{name}`", port["digest"], source_digest(files))
            for port in step["outputs"]:
                self.compare_output(f"{name}.{port['port']}", port["artifact"], sources.get(name))
            for unit in step["units"]:
                self.compare_observations(step, unit)
        self.same("run", self.start["pipeline"], self.end["run_digest"], run_digest(self.start, self.steps))

    def compare_output(self, port: str, artifact: dict, source: pa.Table | None) -> None:
        if "blob" in artifact:
            blob = artifact["blob"]
            found = self.exported(port, "bin").read_bytes()
            self.same("blob", f"`{port}`", blob["digest"], f"blake3:{blake3(found).hexdigest()}")
            self.blobs[blob["digest"]] = blob
            return
        digest = artifact["table"]["digest"]
        # A manifest is a line with its seal, and then the object.
        stored = self.store / "tables" / digest[7:9] / f"{digest[7:]}.json"
        manifest = json.loads(stored.read_text().partition("\n")[2])
        # In one file, dictionaries of several partitions may have wider keys.
        plain = all(field["name"] != "dictionary" for field in manifest["fields"])
        if source is not None:
            self.compare_table(port, digest, manifest, source)
        if source is None or plain or len(manifest["partitions"]) < 2:
            with pa.OSFile(str(self.exported(port, "arrow"))) as file:
                self.compare_table(port, digest, manifest, ipc.open_file(file).read_all())

    def compare_table(self, port: str, digest: str, manifest: dict, values: pa.Table) -> None:
        partitions = manifest["partitions"]
        table = table_of(values, [partition["rows"] for partition in partitions])
        self.same("schema", f"`{port}`", manifest["fields"], [row for field in table.fields for row in flat(field)])
        for at, (partition, (_, found)) in enumerate(zip(partitions, table.partitions)):
            for field, chunk, column in zip(table.fields, partition["columns"], found, strict=True):
                where = f"`{port}`, partition {at}, column `{field.name}`"
                self.same("chunk", where, chunk["digest"], column)
        self.same("table", f"`{port}`", digest, table.digest())
        self.tables[digest] = table

    def compare_observations(self, step: dict, unit: dict) -> None:
        """What the unit was told. Not whether an expression is valid, nor its seeds."""
        for observation in unit["observations"]:
            kind, about = question_of(observation)
            facts = Facts("pinion answer v1")
            if kind in ("valid", "seed"):
                continue
            if kind == "batch-rows":
                facts.u64(self.start["layout"]["batch_rows"])
            else:
                self.answer(facts, step, unit, kind, about)
            where = f"step `{step['name']}`, unit {unit['position']}, {kind} {about}"
            self.same("observation", where, observation["answer"], facts.finish())

    def answer(self, facts: Facts, step: dict, unit: dict, kind: str, about: dict) -> None:
        port = next(port for port in step["inputs"] if port["port"] == about["port"])
        if kind == "blob":
            if port["from"].startswith("sources."):
                file = self.start["sources"][port["from"].removeprefix("sources.")][unit["position"] >> 24]
                media_type = MEDIA_TYPES.get(pathlib.PurePath(file["path"]).suffix, "application/octet-stream")
                facts.option(True).digest(file["digest"]).u64(file["size_bytes"]).text(media_type)
            else:
                blob = self.blobs[port["digest"]]
                facts.option(True).digest(blob["digest"]).u64(blob["len"]).text(blob["media_type"])
            return
        table = self.tables[port["digest"]].without(port["withheld"])
        if unit["call"] == "row-map" and port["main"]:
            table = Table(table.fields, [table.partitions[unit["position"]]])
        position = {field.name: at for at, field in enumerate(table.fields)}.get(about.get("name"))
        if kind == "layout":
            facts.list(len(table.partitions))
            for rows, _ in table.partitions:
                facts.u64(rows)
            return
        facts.option(kind in ("rows", "schema") or position is not None)
        if kind == "rows":
            facts.u64(table.rows())
        elif kind == "schema":
            facts.digest(schema_digest(table.fields))
        elif position is not None:
            facts.digest(field_digest(table.fields[position]))
            if kind == "column":
                facts.digest(table.column_digest(position))


def read(path: pathlib.Path) -> pa.Table:
    with pa.OSFile(str(path)) as file:
        return (ipc.open_stream if path.suffix == ".arrows" else ipc.open_file)(file).read_all()


def every_type(pinion: str, project: pathlib.Path) -> Run:
    """Runs the pipeline, and compares every table with what pyarrow makes of the same files."""
    draw = random.Random(7)
    batches = [uneven(draw) for _ in range(4)]
    with ipc.new_stream(project / "uneven.arrows", batches[0].schema) as out:
        for batch in batches:
            out.write_batch(batch)
    for path in DATA.glob("*.arrow*"):
        if not path.name.startswith("refused-"):
            (project / path.name).write_bytes(path.read_bytes())

    lines = ["[pipeline]", 'name = "every-type"', "batch_rows = 64", "partition_batches = 2"]
    tables = {}
    for path in sorted(project.glob("*.arrow*")):
        name = path.name.replace(".", "-")
        tables[name] = read(path)
        lines += [f"[sources.{name}]", f'path = "{path.name}"', f"[steps.{name}]"]
        lines += ['use = "std:read-arrow@0.1"', f'input = "sources.{name}"']

    whole = tables["uneven-arrows"]
    half, none, order = pc.less(whole["id"], 5000), pc.less(whole["id"], 0), pc.sort_indices(whole["id"])
    tables |= {"half": whole.filter(half), "none": whole.filter(none), "sorted": whole.take(order)}
    for step, use, params in [
        ("half", "filter-rows", '{ where = "id < 5000" }'),
        ("none", "filter-rows", '{ where = "id < 0" }'),
        ("sorted", "sort-rows", '{ by = ["id"] }'),
    ]:
        lines += [f"[steps.{step}]", f'use = "std:{use}@0.1"', 'input = "uneven-arrows"', f"params = {params}"]
    tables["kept"] = whole.select(["id", "struct", "floats"]).filter(half)
    lines += ["[steps.kept]", 'use = "std:filter-rows@0.1"', "params = { where = \"id < 5000\" }"]
    lines += ['input = { from = "uneven-arrows", columns = ["id", "struct", "floats"] }']
    (project / "pinion.toml").write_text("\n".join(lines) + "\n")
    subprocess.run([pinion, "run", "-C", project, "--json"], check=True, stdout=subprocess.DEVNULL)
    run = Run(pinion, project, project / ".pinion")
    run.compare(tables)
    return run


def report(run: Run) -> bool:
    for difference in run.differences[:20]:
        print(difference)
    counts = ", ".join(f"{count} {kind}s" for kind, count in sorted(run.compared.items()))
    print(f"{run.start['pipeline']}: compared {counts}; {len(run.differences)} differ")
    return not run.differences


def parquet(run: Run) -> dict[str, pa.Table]:
    """What the steps that read Parquet files put out."""
    tables = {}
    for name, step in run.steps.items():
        if step["component"].startswith("std:read-parquet@") and step["params"] == "{}":
            files = run.start["sources"][step["inputs"][0]["from"].removeprefix("sources.")]
            tables[name] = pa.concat_tables(pq.read_table(run.project / file["path"]) for file in files)
    return tables


def main(pinion: str, project: pathlib.Path, store: pathlib.Path) -> None:
    given = Run(pinion, project, store)
    given.compare(parquet(given))
    with tempfile.TemporaryDirectory() as folder:
        same = [report(given), report(every_type(pinion, pathlib.Path(folder)))]
    sys.exit(0 if all(same) else 1)


main(str(pathlib.Path(sys.argv[1]).resolve()), *map(pathlib.Path, sys.argv[2:]))
