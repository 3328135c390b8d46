"""Child processes and what they used."""

import os
import subprocess
import sys
import tempfile
import threading
import time
from typing import NamedTuple

# How often the anonymous memory of a child is looked at.
SAMPLE_SECONDS = 0.02


class Used(NamedTuple):
    """What a process used, and what it printed."""

    wall: float  # seconds
    cpu: float  # seconds, user and system
    peak: int  # bytes resident, mapped files included
    anonymous: int  # bytes resident that no file backs; 0 if not sampled
    output: str  # what it printed


def run(command, sample=False, environment=None):
    """Runs a command to its end; ends this process if it fails."""
    return finish(start(command, environment), sample)


def start(command, environment=None):
    """Starts a command. The wall time of what it uses counts from here."""
    output, errors = tempfile.TemporaryFile("w+"), tempfile.TemporaryFile("w+")
    started = time.perf_counter()
    environment = {**os.environ, **(environment or {})}
    child = subprocess.Popen(command, stdout=output, stderr=errors, env=environment)
    return child, output, errors, started


def finish(running, sample=False):
    """Waits for a command that was started."""
    child, output, errors, started = running
    anonymous, ended = [0], threading.Event()
    sampler = threading.Thread(target=watch, args=(child.pid, anonymous, ended))
    if sample:
        sampler.start()
    _, status, usage = os.wait4(child.pid, 0)
    wall = time.perf_counter() - started
    child.returncode = os.waitstatus_to_exitcode(status)
    if sample:
        ended.set()
        sampler.join()
    if child.returncode != 0:
        errors.seek(0)
        sys.exit(f"{child.args} failed with {child.returncode}:\n{errors.read()}")
    output.seek(0)
    # This process is small, so that what a child has of it before it becomes another does not count.
    return Used(wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024, anonymous[0], output.read())


def watch(pid, anonymous, ended):
    """Keeps the most anonymous memory that a process has at a time."""
    while not ended.wait(SAMPLE_SECONDS):
        try:
            with open(f"/proc/{pid}/status") as status:
                found = [line.split() for line in status if line.startswith("RssAnon:")]
        except OSError:
            return
        for _, kilobytes, _ in found:
            anonymous[0] = max(anonymous[0], int(kilobytes) * 1024)
