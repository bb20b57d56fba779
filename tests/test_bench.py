"""`python -m bench` runs every bench and hands on what each found."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from bench.__main__ import names

ROOT = Path(__file__).parent.parent
GOOD = """
import json, sys
print("a table")
print(json.dumps({"bench": "good", "args": sys.argv[1:]}))
"""


@pytest.fixture
def benches(tmp_path: Path) -> Path:
    """A folder with the real runner and made-up benches."""
    package = tmp_path / "bench"
    package.mkdir()
    shutil.copy(ROOT / "bench/__main__.py", package)
    (package / "__init__.py").touch()
    (package / "good.py").write_text(GOOD)
    (package / "good_part.py").write_text("raise SystemExit('a part was run')")
    return package


def run(benches: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=benches.parent,
        capture_output=True,
        text=True,
        check=False,
        timeout=50,
    )


def test_every_bench_is_run_and_its_parts_are_not(benches: Path) -> None:
    (benches / "better.py").write_text(GOOD.replace("good", "better"))

    ran = run(benches)

    assert ran.returncode == 0
    assert ran.stdout.count("a table") == 2
    assert json.loads(ran.stdout.splitlines()[-1]) == {
        "better": {"bench": "better", "args": []},
        "good": {"bench": "good", "args": []},
    }


def test_one_bench_can_be_chosen_and_made_short(benches: Path) -> None:
    (benches / "better.py").write_text("raise SystemExit(1)")

    ran = run(benches, "good", "--quick")

    assert ran.returncode == 0
    assert json.loads(ran.stdout.splitlines()[-1]) == {
        "good": {"bench": "good", "args": ["--quick"]}
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("raise SystemExit(7)", "ended with exit code 7"),
        ("print('no figures')", "printed no JSON object as its last line"),
        ("print('[1]')", "printed no JSON object as its last line"),
        ("pass", "printed no JSON object as its last line"),
    ],
)
def test_a_bench_that_fails_is_named_and_the_others_still_run(
    benches: Path, text: str, reason: str
) -> None:
    (benches / "bad.py").write_text(text)

    ran = run(benches)

    assert ran.returncode == 1
    assert f"bench.bad failed: it {reason}" in ran.stdout
    figures = json.loads(ran.stdout.splitlines()[-1])
    assert figures["bad"] == {"failed": reason}
    assert figures["good"]["bench"] == "good"


def test_a_name_that_is_no_bench_is_refused(benches: Path) -> None:
    ran = run(benches, "goood")

    assert ran.returncode == 2
    assert "no bench is called goood; there are good" in ran.stderr


def test_the_benches_of_this_project_are_found() -> None:
    assert {"assembly", "leases", "media", "webhooks"} <= set(names())
