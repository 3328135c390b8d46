"""Times the flight-delays example as a whole process, next to the same job in pandas and scikit-learn.

    python tests/benches/example.py target/release/pinion

Needs the packages of tests/oracles/requirements.txt. Every figure is the median of several runs in
which the two sides take turns; compare the ratios, the seconds are this machine's.
"""

import json
import pathlib
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "examples" / "flight-delays"
RUNS = 3


def timed(command):
    """Wall and CPU seconds of a process and its children."""
    before, start = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    wall, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode != 0:
        sys.exit(f"{command} failed:\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, done.stdout


def median(runs, index):
    return statistics.median(run[index] for run in runs)


def main():
    pinion = str(pathlib.Path(sys.argv[1]).resolve())
    scratch = pathlib.Path(tempfile.mkdtemp())
    run = [pinion, "run", "-C", str(EXAMPLE), "--locked", "--json"]
    baseline = [sys.executable, str(ROOT / "tests" / "benches" / "flight_delays_pandas.py"), str(scratch)]
    timed([*run, "--store", str(scratch / "warm")])  # Compiles the components once, as any first run does.
    cold, cached, pandas = [], [], []
    for number in range(RUNS):
        cold.append(timed([*run, "--store", str(scratch / f"cold-{number}")]))
        cached.append(timed([*run, "--store", str(scratch / "warm")]))
        pandas.append(timed(baseline))
    summary = json.loads(cold[-1][2])

    print("| case | wall s | CPU s | wall / pandas |")
    print("|---|---|---|---|")
    base = median(pandas, 0)
    for name, runs in [("cold", cold), ("fully cached", cached), ("pandas + scikit-learn", pandas)]:
        wall = median(runs, 0)
        print(f"| {name} | {wall:.2f} | {median(runs, 1):.2f} | {wall / base:.2f} |")

    read = sum(step["bytes"]["read"] for step in summary["steps"])
    copied = sum(step["bytes"]["copied"] for step in summary["steps"])
    stored = sum(step["bytes"]["stored"] for step in summary["steps"])
    print(f"\nbytes read {read}, across the wall {copied}, stored {stored}")
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
