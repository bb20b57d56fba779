"""Long runs: `python -m tests.soak [pytest's options]`, which is `make soak`.

Runs the tests marked `soak` with their full rounds and keeps docs/measured.md up to date: the
rows of the tests that ran are replaced, all else on the page stays as it is. The whole run has
one seed; CALLGATE_TEST_SEED repeats it.
"""

import argparse
import os
import random
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "measured.md"
BEGIN = "<!-- soak: this table is written by `make soak` -->"
END = "<!-- soak: end -->"
HEAD = (
    "| Test | Rounds | Passed | Took | Date | Cores | Seed |\n"
    "| --- | --- | --- | --- | --- | --- | --- |\n"
)
TIMEOUT_S = 3600
"""Of one test that names no time-out of its own; its quick run has far less to do."""


@dataclass(slots=True)
class Result:
    """What came of one test, all its cases together."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    took_s: float = 0.0
    rounds: list[int] = field(default_factory=list)

    def row(self, test: str, *, seed: int) -> str:
        """Return its line of the table."""
        of = f"{self.passed} of {self.passed + self.failed}"
        cells = (
            f"`{test}`",
            " x ".join(f"{count:,}" for count in self.rounds) or "-",
            of + (f", {self.skipped} skipped" if self.skipped else ""),
            f"{self.took_s:,.0f} s",
            time.strftime("%Y-%m-%d"),
            str(os.cpu_count()),
            str(seed),
        )
        return f"| {' | '.join(cells)} |"


class Record:
    """A plugin of pytest that notes what came of each test."""

    def __init__(self) -> None:
        self.results: dict[str, Result] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note one phase of one case."""
        case = report.nodeid.partition("::")[2]
        name = f"{report.location[0]}::{case.partition('[')[0]}"
        result = self.results.setdefault(name, Result())
        result.took_s += report.duration
        if report.when == "call":
            result.rounds = result.rounds or [
                int(str(count)) for key, count in report.user_properties if key == "rounds"
            ]
            result.passed += report.passed
        result.failed += report.failed
        result.skipped += report.skipped


def updated(page: str, rows: Mapping[str, str]) -> str:
    """Return the page with these rows put in, and those of tests that are gone left out.

    Raises `ValueError` for a page without the table's two marks.
    """
    before, begin, rest = page.partition(BEGIN)
    table, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"the page needs the lines {BEGIN} and {END}")
    old = {line.split("`")[1]: line for line in table.splitlines() if line.startswith("| `")}
    kept = {test: line for test, line in old.items() if _exists(test)}
    lines = [line for _, line in sorted({**kept, **rows}.items())]
    return f"{before}{BEGIN}\n\n{HEAD}{_joined(lines)}\n{END}{after}"


def _exists(test: str) -> bool:
    path, _, name = test.partition("::")
    source = ROOT / path
    return source.is_file() and f"def {name.rpartition('::')[2]}(" in source.read_text()


def _joined(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def main(arguments: Sequence[str]) -> int:
    """Run, write the table, and return pytest's exit code."""
    parser = argparse.ArgumentParser(prog="tests.soak", description=__doc__)
    parser.add_argument("--page", type=Path, default=PAGE, help="the page with the table")
    asked, options = parser.parse_known_args(arguments)
    seed = int(os.environ.get("CALLGATE_TEST_SEED") or random.SystemRandom().getrandbits(32))
    os.environ |= {"CALLGATE_TEST_SOAK": "1", "CALLGATE_TEST_SEED": str(seed)}
    record = Record()
    code = pytest.main(
        [
            *("-c", str(ROOT / "pyproject.toml"), "--rootdir", str(ROOT)),
            *("-m", "soak", "--timeout", str(TIMEOUT_S), "--hypothesis-seed", str(seed)),
            *options,
        ],
        plugins=[record],
    )
    rows = {test: result.row(test, seed=seed) for test, result in record.results.items()}
    if rows:
        asked.page.write_text(updated(asked.page.read_text(), rows))
    sys.stdout.write(f"{len(rows)} tests on {asked.page}; CALLGATE_TEST_SEED={seed}\n")
    return int(code)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
