"""`python -m tests.soak` runs full rounds and keeps the page of what was measured."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.soak import BEGIN, END, updated

ROOT = Path(__file__).parent.parent
PAGE = f"# Measured\n\nBy hand.\n\n{BEGIN}\n{END}\n\nBy hand too.\n"
SAMPLE = """
import pytest

@pytest.mark.parametrize("case", ["a", "b"])
def test_repeated(rounds, seed, case):
    assert rounds(quick=3, soak=1_500) == 1_500
    assert seed == 7

@pytest.mark.soak
def test_broken_in_the_long_run():
    assert False

def test_short():
    raise AssertionError("a test without rounds was run")
"""


@pytest.fixture
def page(tmp_path: Path) -> Path:
    path = tmp_path / "measured.md"
    path.write_text(PAGE)
    return path


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    path = tmp_path / "test_sample.py"
    path.write_text(SAMPLE)
    return path


def soak(page: Path, sample: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.soak", "--page", str(page), str(sample)]
    return subprocess.run(
        [*command, "-p", "tests.conftest", *options],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "CALLGATE_TEST_SEED": "7"},
        capture_output=True,
        text=True,
        check=False,
        timeout=55,
    )


def row(page: Path, test: str) -> list[str]:
    (line,) = [line for line in page.read_text().splitlines() if f"::{test}`" in line]
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_full_rounds_are_run_and_written_down_beside_what_was_written_by_hand(
    page: Path, sample: Path
) -> None:
    ran = soak(page, sample)

    assert ran.returncode == 1, ran.stdout
    assert "test_short" not in page.read_text()
    assert row(page, "test_repeated")[1:3] == ["1,500", "2 of 2"]
    assert row(page, "test_repeated")[-1] == "7"
    assert row(page, "test_broken_in_the_long_run")[1:3] == ["-", "0 of 1"]
    assert page.read_text().startswith("# Measured\n\nBy hand.\n")
    assert page.read_text().endswith("\nBy hand too.\n")


def test_a_part_of_the_runs_leaves_the_other_rows_as_they_are(page: Path, sample: Path) -> None:
    soak(page, sample)
    before = row(page, "test_broken_in_the_long_run")
    sample.write_text(SAMPLE.replace('["a", "b"]', '["a"]'))

    ran = soak(page, sample, "-k", "repeated")

    assert ran.returncode == 0, ran.stdout
    assert row(page, "test_repeated")[2] == "1 of 1"
    assert row(page, "test_broken_in_the_long_run") == before


def test_rows_of_tests_that_are_gone_are_left_out(page: Path, sample: Path) -> None:
    soak(page, sample)
    sample.write_text(SAMPLE.replace("test_broken_in_the_long_run", "test_renamed"))

    soak(page, sample, "-k", "repeated")

    assert "test_broken_in_the_long_run" not in page.read_text()


def test_a_run_of_nothing_fails_and_writes_nothing(page: Path, sample: Path) -> None:
    ran = soak(page, sample, "-k", "no_such_test")

    assert ran.returncode != 0
    assert page.read_text() == PAGE


def test_a_page_without_a_place_for_the_table_is_refused() -> None:
    with pytest.raises(ValueError, match="the page needs the lines"):
        updated("# Measured\n", {})


def test_the_project_s_page_has_a_place_for_the_table() -> None:
    page = (ROOT / "docs/measured.md").read_text()
    assert BEGIN in page
    assert END in page
