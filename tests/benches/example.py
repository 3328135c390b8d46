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

NO_OP = """
[pipeline]
name = "no-op"
[sources.rows]
path = "rows.csv"
[steps.step-0]
use = "std:read-csv@0.1"
input = "sources.rows"
"""


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

    walls = {}
    for steps in (10, 20, 110):
        project = scratch / f"no-op-{steps}"
        project.mkdir()
        (project / "rows.csv").write_text("a,b\n1,2\n3,4\n5,6\n")
        text = NO_OP
        for step in range(1, steps):
            text += f'[steps.step-{step}]\nuse = "std:select-columns@0.1"\ninput = "step-{step - 1}"\n'
            text += f'params = {{ rename = {{ {"a" if step == 1 else f"a{step - 1}"} = "a{step}" }} }}\n'
        (project / "pinion.toml").write_text(text)
        command = [pinion, "run", "-C", str(project), "--json", "--no-cache"]
        timed(command)
        # The smallest: whatever else the machine does only ever adds.
        walls[steps] = min(timed(command)[0] for _ in range(31))
    python = min(timed([sys.executable, "-S", "-c", "pass"])[0] for _ in range(31))
    print(f"`python -S -c pass`: {python * 1000:.1f} ms; 10 no-op steps on 3 rows: {walls[10] * 1000:.1f} ms")
    for steps in (20, 110):
        step = (walls[steps] - walls[10]) / (steps - 10)
        print(f"a step, from {steps} against 10: {step * 1000:.2f} ms, {step / python:.3f} of `python -S -c pass`")
    shutil.rmtree(scratch)


if __name__ == "__main__":
    main()
