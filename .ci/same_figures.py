"""Compares the JSON files of two directories, where floats may differ in their last bits.

    python same_figures.py EXPECTED FOUND

A fit ends at the same optimum on every processor, but by other roundings: exit code 1 says that more
than these differ.
"""

import json
import math
import pathlib
import sys

# Between kernels of one BLAS library the fits here differ by at most 1e-10.
RELATIVE = 1e-8

# What is zero but for roundings, such as the squared error of a fit through all points, has no digits to
# compare. The tests of the steps leave it as much.
ABSOLUTE = 1e-20


def differences(expected, found, at):
    """Yields the place of every value that differs."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        for key in expected:
            yield from differences(expected[key], found[key], f"{at}.{key}")
    elif isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        for index, pair in enumerate(zip(expected, found, strict=True)):
            yield from differences(*pair, f"{at}[{index}]")
    elif isinstance(expected, float) and isinstance(found, float):
        if not math.isclose(expected, found, rel_tol=RELATIVE, abs_tol=ABSOLUTE):
            yield f"{at}: expected {expected!r}, found {found!r}"
    elif expected != found or type(expected) is not type(found):
        yield f"{at}: expected {expected!r}, found {found!r}"


def main():
    expected, found = (pathlib.Path(directory) for directory in sys.argv[1:])
    names = sorted(path.name for path in expected.glob("*.json"))
    if not names or names != sorted(path.name for path in found.glob("*.json")):
        raise SystemExit(f"{expected} and {found} hold other files")
    failed = False
    for name in names:
        pair = (json.loads((directory / name).read_text()) for directory in (expected, found))
        for difference in differences(*pair, name):
            print(difference, file=sys.stderr)
            failed = True
    print(f"{len(names)} files compared")
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
