"""Compares the processor time of two versions of `pinion` on the same work.

    python tests/benches/versions.py OLD NEW
    python tests/benches/versions.py OLD NEW --rounds 41 --cases example,steps

OLD and NEW are checkouts that were built (`cargo build`). Each runs its own copy of the example and of some
pipelines as `pipelines.py` makes them; both take turns, and which one begins changes with every round. Of
each round the ratio new / old of the seconds, user and system, is kept. Printed are the median of the ratios
and its 95 % confidence interval, from ranks of the binomial distribution: Conover, Practical Nonparametric
Statistics, section 3.2. With a lower end above `--most` the exit code is 1.

Needs Linux, 2 GB of memory for files, and the packages of tests/oracles/requirements.txt. Takes some
minutes.
"""

import argparse
import math
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pipelines
import process
from pipelines import Project, header, make_keyed, make_wide, step, wide

# A file system in memory: where files were just removed, ext4 looks for a free inode for longer than a step takes.
MEMORY = "/dev/shm"
EXAMPLE = Path("examples", "flight-delays")


def example(version, scratch):
    """The committed example, from files to figures."""
    directory = Path(scratch) / "example"
    shutil.copytree(version.checkout / EXAMPLE, directory, ignore=shutil.ignore_patterns(".pinion", "target"))
    return [version.pinion, "run", "-C", str(directory), "--frozen"], directory / "store"


def generated(text, make):
    """A pipeline over a generated table."""

    def case(version, scratch):
        project = Project(version, Path(scratch) / "project", text(version))
        make(version, project)
        return [version.pinion, "run", "-C", str(project.directory)], project.directory / "store"

    return case


def no_ops(version, scratch):
    """A hundred steps on three rows: what a step costs."""
    project = pipelines.no_op_project(version, scratch, 100)
    return [version.pinion, "run", "-C", str(project.directory)], project.directory / "store"


def keyed(result, *names):
    def text(version):
        sources = header(**{name: f"data/{name}.{version.source}" for name in names})
        return sources + "".join(step(name, f"read-{version.source}", f"sources.{name}") for name in names) + result

    return generated(text, lambda version, project: make_keyed(version, project, 2_000_000))


def row_map(version):
    return wide(version, f"data/*.{version.source}")


AGGREGATES = 'n = { function = "count" }, mean = { column = "x", function = "mean" }'
JOINED = {"left": "left", "right": "right"}
CASES = {
    "example": example,
    "steps": no_ops,
    "add-columns": generated(row_map, lambda version, project: make_wide(version, project, 2_000_000)),
    "sort": keyed(step("result", "sort-rows", "left", 'by = ["t"]'), "left"),
    "group": keyed(step("result", "group-rows", "left", f'by = ["k"], aggregates = {{ {AGGREGATES} }}'), "left"),
    "join": keyed(step("result", "join-large-tables", JOINED, 'on = ["k"], how = "inner"'), "left", "right"),
}


def interval(values):
    """The values between which the median lies with at least 95 %."""
    count, below = len(values), 0.0
    for rank in range(count):
        below += math.comb(count, rank) / 2**count
        if below > 0.025:
            return sorted(values)[max(rank - 1, 0)], sorted(values)[count - max(rank, 1)]
    raise AssertionError("the probabilities of all ranks are 1 together")


def main():
    parser = argparse.ArgumentParser(description="Compares the processor time of two versions of pinion.")
    parser.add_argument("old", type=Path, help="a checkout that was built")
    parser.add_argument("new", type=Path, help="another one")
    parser.add_argument("--rounds", type=int, default=21, help="how often each runs")
    parser.add_argument("--cases", default=",".join(CASES), help="which cases, in this order")
    parser.add_argument("--most", type=float, default=1.05, help="what the lower end may be")
    options = parser.parse_args()
    if options.rounds < 6:
        parser.error("fewer than 6 rounds have no interval of 95 %")
    versions = [
        SimpleNamespace(checkout=checkout.resolve(), pinion=str(checkout.resolve() / "target/debug/pinion"), source="arrow")
        for checkout in (options.old, options.new)
    ]
    slower = []
    print("| case | old | new | new / old | 95 % |\n|---|---|---|---|---|")
    for name in options.cases.split(","):
        with tempfile.TemporaryDirectory(dir=MEMORY) as scratch:
            sides = []
            for number, version in enumerate(versions):
                command, store = CASES[name](version, Path(scratch) / str(number))
                command += ["--store", str(store), "--threads", "1"]
                process.run(command)  # The components are compiled, once.
                sides.append((command, store))
            seconds = ([], [])
            for turn in range(options.rounds):
                for side in (0, 1) if turn % 2 == 0 else (1, 0):
                    command, store = sides[side]
                    shutil.rmtree(store)
                    seconds[side].append(process.run(command).cpu)
        ratios = [new / old for old, new in zip(*seconds, strict=True)]
        low, high = interval(ratios)
        old, new = map(statistics.median, seconds)
        ratio = statistics.median(ratios)
        print(f"| {name} | {old:.2f} s | {new:.2f} s | {ratio:.3f} | {low:.3f} to {high:.3f} |", flush=True)
        if low > options.most:
            slower.append(name)
    if slower:
        sys.exit(f"slower: {', '.join(slower)}")


if __name__ == "__main__":
    main()
