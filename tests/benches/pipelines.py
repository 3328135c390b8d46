"""Times whole pipelines next to the same work in pandas, Polars and numpy, and prints a table.

    python tests/benches/pipelines.py target/debug/pinion            # some minutes
    python tests/benches/pipelines.py target/debug/pinion --full     # the sizes of the goals, 12 GB of disk
    python tests/benches/pipelines.py target/debug/pinion --cases plan,steps

Needs the packages of tests/oracles/requirements.txt, and Linux. Both sides are whole processes that take
turns; of several runs the fastest counts, since whatever else the machine does only ever adds. What they
made is compared before a ratio is printed. Compiled code of the components is there already, and files
were just written, so that neither side waits for the disk.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

import process
from tables import ADDED

TABLES = [sys.executable, str(Path(__file__).with_name("tables.py"))]
NOTHING = [sys.executable, "-S", "-c", "pass"]
MIB = 1 << 20
WIDE_ROW_BYTES = 128
# Up to here a pipeline is to stay below 128 MiB, with smaller partitions than usual; beyond it below 512 MiB.
SMALL_BYTES = 300_000_000

# Cases whose goal was missed.
MISSED = []

# Rounds of what takes seconds, and of what takes milliseconds.
FEW, MANY = 3, 31


class Project:
    """A pipeline in a directory of its own, and the binary that runs it."""

    def __init__(self, options, directory, text):
        self.pinion, self.directory = options.pinion, Path(directory)
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "data").mkdir(exist_ok=True)
        (self.directory / "pinion.toml").write_text(text)

    def run(self, *arguments, store="store", verb="run", sample=False):
        place = ["-C", str(self.directory), "--store", str(self.directory / store), "--json"]
        return process.run([self.pinion, verb, *place, *arguments], sample)

    def export(self, output, store="store"):
        """Writes a step's output to an Arrow file, and says which."""
        path = self.directory / f"{output}.arrow"
        path.unlink(missing_ok=True)
        self.run(output, "-o", str(path), verb="export", store=store)
        return str(path)

    def drop(self, store="store"):
        shutil.rmtree(self.directory / store, ignore_errors=True)


def tables(*arguments, environment=None):
    return process.run([*TABLES, *map(str, arguments)], environment=environment)


def fastest(runs):
    return min(run.wall for run in runs)


def row(case, pinion, baseline, ratio, goal, reached):
    """Prints a row of the table as soon as it is known."""
    if not reached:
        MISSED.append(case)
    print(f"| {case} | {pinion} | {baseline} | {ratio:.2f} | {goal} | {'yes' if reached else '**no**'} |", flush=True)


def seconds(value):
    return f"{value:.2f} s" if value >= 1 else f"{value * 1000:.1f} ms"


def peak(run):
    """Seconds, and what was resident at most."""
    return f"{seconds(run.wall)}, {run.peak // MIB} MiB"


def step(name, component, reads, params=""):
    """The text of a step, which reads one output or those of several ports."""
    text = f'[steps.{name}]\nuse = "std:{component}@0.1"\n'
    if isinstance(reads, str):
        text += f'input = "{reads}"\n'
    else:
        text += "".join(f'inputs.{port} = "{output}"\n' for port, output in reads.items())
    return text + (f"params = {{ {params} }}\n" if params else "")


def header(**sources):
    text = '[pipeline]\nname = "benchmark"\n'
    return text + "".join(f'[sources.{name}]\npath = "{path}"\n' for name, path in sources.items())


def wide(options, path):
    """Reads a table and adds five columns, a step each."""
    text = header(rows=path) + step("rows", f"read-{options.source}", "sources.rows")
    before = "rows"
    for name, expression in ADDED.items():
        text += step(f"add-{name}", "derive-columns", before, f'columns = {{ {name} = "{expression}" }}')
        before = f"add-{name}"
    return text


def make_wide(options, project, rows, files=1, seed=1):
    tables("make-wide", project.directory / "data", seed, options.source, rows, files)


def make_keyed(options, project, rows):
    tables("make-keyed", project.directory / "data", options.source, rows)


def warmed(options, directory, text, make):
    """The project of `text` once its components are compiled, which a run on a small table does."""
    small = Project(options, Path(directory) / "small", text)
    make(options, small, 1000)
    small.run()
    shutil.rmtree(small.directory)
    return Project(options, Path(directory) / "project", text)


def add_columns(options, scratch):
    """Five steps that add a column each, cold and cached, next to pandas."""
    text = wide(options, f"data/*.{options.source}")
    project = warmed(options, scratch, text, make_wide)
    make_wide(options, project, options.wide_bytes // WIDE_ROW_BYTES)
    data = project.directory / "data" / f"1-000.{options.source}"
    cold, pandas = [], []
    for _ in range(FEW):
        project.drop()
        cold.append(project.run())
        pandas.append(tables("add-columns", data))
    expected = project.directory / "expected.arrow"
    tables("add-columns", data, expected)
    tables("compare", expected, project.export("add-d5"))
    ratio = fastest(cold) / fastest(pandas)
    size = f"{options.wide_bytes / 1e9:.1f} GB"
    row(f"5 steps on {size}, cold / pandas", peak(min(cold)), peak(min(pandas)), ratio, "2.0", ratio <= 2)
    cached(project, f"5 steps on {size}, fully cached / `python3 -S`", 3)


def cached(project, case, goal):
    """A run of which everything is known, next to starting a process."""
    # A file that changed a moment ago is hashed again.
    time.sleep(3)
    summary = json.loads([project.run() for _ in range(2)][-1].output)
    if any(part["outcome"] != "cached" for part in summary["steps"]):
        sys.exit(f"not all of {case} is cached")
    runs = [(project.run(), process.run(NOTHING)) for _ in range(MANY)]
    ours, nothing = min(run for run, _ in runs), min(run for _, run in runs)
    ratio = ours.wall / nothing.wall
    row(case, peak(ours), seconds(nothing.wall), ratio, f"{goal:.1f}", ratio <= goal)


def append(options, scratch):
    """One more file with a hundredth of the rows, next to a run of everything."""
    text = wide(options, f"data/*.{options.source}")
    project = warmed(options, scratch, text, make_wide)
    rows = options.wide_bytes // WIDE_ROW_BYTES
    make_wide(options, project, rows, files=10)
    project.run()
    time.sleep(3)
    project.run()
    again = []
    for number in range(FEW):
        make_wide(options, project, rows // 100, seed=2 + number)
        again.append(project.run())
    everything = [(project.drop(), project.run())[1] for _ in range(2)]
    if json.loads(again[-1].output)["run_digest"] != json.loads(everything[-1].output)["run_digest"]:
        sys.exit("after an append the results are others than of a run of everything")
    ratio = fastest(again) / fastest(everything)
    row("1 % of the rows more / a full run", peak(min(again)), peak(min(everything)), ratio, "0.05", ratio <= 0.05)


def threads(options, scratch):
    """What a second thread gains, next to what a second processor gains the bare kernel."""
    text = wide(options, f"data/*.{options.source}")
    project = warmed(options, scratch, text, make_wide)
    make_wide(options, project, options.wide_bytes // WIDE_ROW_BYTES, files=4)
    project.run("rows")
    ours, digests, native = {1: [], 2: []}, set(), {1: [], 2: []}
    kernel = [*TABLES, "kernel", str(1 << 20), "40"]
    for _ in range(FEW):
        for count in (1, 2):
            fork_store(project, "store", "forked")
            ours[count].append(project.run("--threads", str(count), store="forked"))
            digests.add(json.loads(ours[count][-1].output)["run_digest"])
            copies = [process.start(kernel) for _ in range(count)]
            native[count].append(max(float(process.finish(copy).output) for copy in copies))
    if len(digests) != 1:
        sys.exit("results depend on the number of threads")
    gain = fastest(ours[1]) / fastest(ours[2])
    most = 2 * min(native[1]) / min(native[2])
    row(
        "gain of 2 threads, 5 steps / gain of 2 native kernels",
        f"{gain:.2f}",
        f"{most:.2f}",
        gain / most,
        "0.9 or more",
        gain >= 0.9 * most,
    )


def fork_store(project, of, to):
    """A store with what another one has: objects are never changed in place, so they can be shared."""
    project.drop(to)
    shutil.copytree(project.directory / of, project.directory / to, copy_function=os.link)


def no_op(count):
    """A pipeline of steps that rename a column of a table of 3 rows."""
    text = header(rows="rows.csv") + step("step-0", "read-csv", "sources.rows")
    for number in range(1, count):
        old = "a" if number == 1 else f"a{number - 1}"
        text += step(f"step-{number}", "select-columns", f"step-{number - 1}", f'rename = {{ {old} = "a{number}" }}')
    return text


def no_op_project(options, scratch, count):
    project = Project(options, Path(scratch) / f"no-op-{count}", no_op(count))
    (project.directory / "rows.csv").write_text("a,b\n1,2\n3,4\n5,6\n")
    return project


def steps(options, scratch):
    """What a step costs, run and cached."""
    projects = {count: no_op_project(options, scratch, count) for count in (10, 20, 110)}
    for project in projects.values():
        project.run()
    runs = [
        ({count: project.run("--no-cache") for count, project in projects.items()}, process.run(NOTHING))
        for _ in range(MANY)
    ]
    nothing = min(run.wall for _, run in runs)
    walls = {count: min(run[count].wall for run, _ in runs) for count in projects}
    for count in (20, 110):
        each = (walls[count] - walls[10]) / (count - 10)
        row(
            f"a no-op step, from {count} against 10 / `python3 -S`",
            seconds(each),
            seconds(nothing),
            each / nothing,
            "0.10",
            each <= 0.1 * nothing,
        )
    cached(projects[10], "10 steps on 3 rows, fully cached / `python3 -S`", 2)


def plan(options, scratch):
    """`pinion plan` of many steps, of which none has run yet and of which all are cached."""
    projects = {count: no_op_project(options, scratch, count) for count in (1000, 10_000)}
    for state in ("never ran", "all cached"):
        for project in projects.values():
            project.run(verb="plan" if state == "never ran" else "run")
        runs = [{count: project.run(verb="plan") for count, project in projects.items()} for _ in range(FEW)]
        small, large = min(run[1000] for run in runs), min(run[10_000] for run in runs)
        ratio = large.wall / small.wall
        row(
            f"plan of 10,000 steps / of 1,000, {state}",
            peak(large),
            peak(small),
            ratio,
            "12, and 1 s",
            ratio <= 12 and large.wall <= 1,
        )


def large_tables(options, scratch):
    """Sorting, grouping and joining on one thread, next to Polars on one thread."""
    figures = 'n = { function = "count" }, ' + ", ".join(
        f'{name} = {{ column = "x", function = "{function}" }}'
        for name, function in [("total", "sum"), ("mean", "mean"), ("top", "max")]
    )
    both = {"left": "left", "right": "right"}
    cases = {
        "sort": step("result", "sort-rows", "left", 'by = ["t"]'),
        "group": step("result", "group-rows", "left", f'by = ["k"], aggregates = {{ {figures} }}'),
        "join": step("result", "join-large-tables", both, 'on = ["k"], how = "inner"'),
    }
    one = {"POLARS_MAX_THREADS": "1"}
    for case, result in cases.items():
        names = ["left", "right"] if case == "join" else ["left"]
        text = header(**{name: f"data/{name}.{options.source}" for name in names})
        text += "".join(step(name, f"read-{options.source}", f"sources.{name}") for name in names) + result
        project = warmed(options, scratch, text, make_keyed)
        data = project.directory / "data"
        make_keyed(options, project, options.keyed_rows)
        project.run(*names, store="read")
        cold, stored, polars = [], [], []
        for _ in range(FEW):
            project.drop()
            cold.append(project.run("--threads", "1"))
            fork_store(project, "read", "forked")
            stored.append(project.run("--threads", "1", store="forked"))
            polars.append(tables("polars", case, data, options.source, environment=one))
        expected = project.directory / "expected.arrow"
        tables("polars", case, data, options.source, expected, environment=one)
        tables("compare", expected, project.export("result"))
        for state, runs in (("cold", cold), ("source stored", stored)):
            ratio = fastest(runs) / fastest(polars)
            name = f"{case} of {options.keyed_rows / 1e6:g} M rows, {state} / Polars"
            row(name, peak(min(runs)), peak(min(polars)), ratio, "3.0", ratio <= 3)
        shutil.rmtree(project.directory)


def memory(options, scratch):
    """The most anonymous memory at a time of a pipeline on more rows than fit into its limits."""
    text = header(rows=f"data/*.{options.source}") + step("rows", f"read-{options.source}", "sources.rows")
    if options.memory_bytes <= SMALL_BYTES:
        text = text.replace("\nname", "\npartition_batches = 2\nname", 1)
    text += step("add-1", "derive-columns", "rows", 'columns = { d1 = "c0 * 2.5 + c1" }')
    text += step("add-2", "derive-columns", "add-1", 'columns = { d2 = "d1 * 0.5 - c2" }')
    # Every bit of a random float, so that the key is unique, and a million groups.
    keys = 'columns = { id = "CAST(c3 * 9007199254740992 AS BIGINT)", g = "CAST(c4 * 1000000 AS BIGINT)" }'
    text += step("keys", "derive-columns", "add-2", keys)
    text += step("fit", "fit-scaler", "keys", 'columns = ["d1", "d2"]')
    text += step("sort", "sort-rows", "keys", 'by = ["d2"]')
    text += step(
        "group",
        "group-rows",
        "keys",
        'by = ["g"], aggregates = { n = { function = "count" }, mean = { column = "d1", function = "mean" } }',
    )
    text += step(
        "join",
        "join-large-tables",
        {"left": "keys", "right": "sort"},
        'on = ["id"], columns = ["d1"], prefix = "sorted_"',
    )
    runs = {}
    for part in (4, 1):
        project = warmed(options, scratch, text, make_wide)
        rows = options.memory_bytes // WIDE_ROW_BYTES // part
        make_wide(options, project, rows)
        run = project.run(sample=True)
        found = {part["name"]: part["rows"] for part in json.loads(run.output)["steps"]}
        if found["sort"] != rows or found["join"] < rows:
            sys.exit(f"of {rows} rows there are {found}")
        runs[part] = run
        shutil.rmtree(project.directory)
    whole, quarter = runs[1], runs[4]
    ratio, goal = whole.anonymous / quarter.anonymous, 128 if options.memory_bytes <= SMALL_BYTES else 512

    def most(run):
        return f"{seconds(run.wall)}, {run.anonymous // MIB} MiB"

    case = f"anonymous memory at {options.memory_bytes / 1e9:.1f} GB / at a quarter"
    reached = ratio <= 1.15 and whole.anonymous < goal * MIB
    row(case, most(whole), most(quarter), ratio, f"1.15, and {goal} MiB", reached)


CASES = {
    "steps": steps,
    "plan": plan,
    "add-columns": add_columns,
    "append": append,
    "threads": threads,
    "large-tables": large_tables,
    "memory": memory,
}


def main():
    parser = argparse.ArgumentParser(description="Times whole pipelines next to the same work elsewhere.")
    parser.add_argument("pinion", help="the binary")
    parser.add_argument("--source", choices=["arrow", "parquet"], default="arrow", help="the format of the files")
    parser.add_argument("--full", action="store_true", help="use the sizes of the goals: 1 GB, 10 million rows, 4 GB")
    parser.add_argument("--cases", default=",".join(CASES), help="which cases, in this order")
    parser.add_argument("--gigabytes", type=float, help="how large the table is that does not fit into memory")
    parser.add_argument("--strict", action="store_true", help="fail if a goal is missed")
    options = parser.parse_args()
    options.pinion = str(Path(options.pinion).resolve())
    options.wide_bytes = 1_000_000_000 if options.full else 200_000_000
    options.keyed_rows = 10_000_000 if options.full else 1_000_000
    options.memory_bytes = int((options.gigabytes or (4 if options.full else 0.3)) * 1e9)
    print("| case | Pinion | baseline | ratio | goal | reached |\n|---|---|---|---|---|---|", flush=True)
    for case in options.cases.split(","):
        with tempfile.TemporaryDirectory() as scratch:
            CASES[case](options, scratch)
    if options.strict and MISSED:
        sys.exit(f"missed: {', '.join(MISSED)}")


if __name__ == "__main__":
    main()
