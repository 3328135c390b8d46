"""Shows on the flight-delays example that nothing of the held-out part reaches what is fitted.

    python tests/oracles/held_out.py target/debug/pinion

Changes one held-out flight and runs again: the imputer, the encoder, the scaler and the model must keep
their digests, and the metrics of the held-out part must not. Then reads the run's record: no step may
have read a column that is known only after departure, but for `arr_delay` where the label is made.
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

EXAMPLE = pathlib.Path(__file__).resolve().parents[2] / "examples" / "flight-delays"
FITTED = ["fit-imputer", "fit-encoder", "fit-scaler", "fit"]
AFTER_DEPARTURE = {"dep_time", "dep_delay", "arr_time", "air_time"}


def run(pinion, project):
    done = subprocess.run([pinion, "run", "-C", str(project), "--json"], stdout=subprocess.PIPE, check=True)
    steps = json.loads(done.stdout)["steps"]
    return {step["name"]: [output["digest"] for output in step["outputs"]] for step in steps}


def columns_read(project):
    record = sorted((project / ".pinion" / "runs").glob("*.jsonl"))[-1]
    lines = [json.loads(line) for line in record.read_text().splitlines()]
    read = {}
    for step in (line for line in lines if line["line"] == "step"):
        questions = [seen["question"] for unit in step["units"] for seen in unit["observations"]]
        columns = {q["column"]["name"] for q in questions if isinstance(q, dict) and "column" in q}
        read[step["name"]] = columns
    return read


def main():
    pinion = str(pathlib.Path(sys.argv[1]).resolve())
    project = pathlib.Path(tempfile.mkdtemp()) / "flight-delays"
    shutil.copytree(EXAMPLE, project, ignore=shutil.ignore_patterns(".pinion", "target"))
    before = run(pinion, project)

    read = columns_read(project)
    for step, columns in read.items():
        assert not columns & AFTER_DEPARTURE, f"step `{step}` read {columns & AFTER_DEPARTURE}"
        assert step == "label" or "arr_delay" not in columns, f"step `{step}` read `arr_delay`"
    assert "arr_delay" in read["label"], "the label is not made of `arr_delay`"

    flights = project / "data" / "flights.parquet"
    table = pq.read_table(flights)
    last = pc.max(pc.indices_nonzero(pc.is_valid(table["arr_delay"]))).as_py()
    for column, change in [("arr_delay", 200), ("distance", 1000)]:
        values = table[column].to_pylist()
        values[last] += change
        field = table.schema.field(column)
        table = table.set_column(table.schema.get_field_index(column), field, pa.array(values, field.type))
    pq.write_table(table, flights, row_group_size=131_072, compression="zstd")
    after = run(pinion, project)

    for step in FITTED:
        assert before[step] == after[step], f"step `{step}` saw a held-out flight"
    assert before["evaluate"] != after["evaluate"], "the changed flight did not reach the held-out metrics"
    assert before["evaluate-train"] == after["evaluate-train"], "the changed flight reached the training metrics"
    print(f"{len(FITTED)} fitted blobs unchanged, {len(read)} steps read nothing that is known after departure")


if __name__ == "__main__":
    main()
