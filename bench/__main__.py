"""Every bench in turn: `python -m bench [NAME …] [--quick]`, which is `make bench`.

A bench is a module of this package whose name has no underscore; `NAME_part.py` is a part of
`NAME.py`. Each prints its table and, as its last line, one JSON object. The last line of all
is one JSON object with the figures of each by its name. Exits with 1 if one failed.
"""

import argparse
import json
import os
import platform
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
QUICK = {"assembly": ("--minutes", "5")}
"""What makes a bench short, where that is not `--quick`."""
TIME_MAX_S = 1800.0
"""A bench that takes longer is ended."""


class BenchFailed(Exception):
    """Says why there are no figures."""


def names() -> list[str]:
    """Name all benches."""
    return sorted(path.stem for path in HERE.glob("*.py") if "_" not in path.stem)


def run(name: str, *, is_quick: bool) -> dict[str, Any]:
    """Run one bench, showing what it prints, and return its figures. Raises `BenchFailed`."""
    options = QUICK.get(name, ("--quick",)) if is_quick else ()
    process = subprocess.Popen(  # noqa: S603 (our own modules)
        [sys.executable, "-m", f"bench.{name}", *options],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    bound = threading.Timer(TIME_MAX_S, _end, (process,))
    bound.start()
    last = ""
    try:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            last = line
        code = process.wait()
    finally:
        bound.cancel()
        _end(process)
    if code:
        raise BenchFailed(f"ended with exit code {code}")
    return _figures(last)


def _end(process: subprocess.Popen[str]) -> None:
    """End a bench and all that it started."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _figures(line: str) -> dict[str, Any]:
    try:
        figures = json.loads(line)
    except ValueError:
        figures = None
    if not isinstance(figures, dict):
        raise BenchFailed("printed no JSON object as its last line")
    return figures


def main() -> int:
    """Run the chosen benches; return the exit code."""
    known = names()
    parser = argparse.ArgumentParser(prog="bench", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(known)}")
    parser.add_argument("--quick", action="store_true", help="short runs, for a first look")
    asked = parser.parse_args()
    unknown = sorted(set(asked.names) - set(known))
    if unknown:
        parser.error(f"no bench is called {', '.join(unknown)}; there are {', '.join(known)}")
    print(f"{os.cpu_count()} cores, Python {platform.python_version()}, "
          f"load average {os.getloadavg()[0]:.2f}")  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    failed = []
    for name in asked.names or known:
        print(f"\n== {name}", flush=True)
        try:
            found[name] = run(name, is_quick=asked.quick)
        except BenchFailed as failure:
            failed.append(f"bench.{name} failed: it {failure}")
            found[name] = {"failed": str(failure)}
    print()
    for line in failed:
        print(line)
    print(json.dumps(found), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
