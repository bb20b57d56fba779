"""What the pages name exists: commands, make verbs, files, tests."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from gateway.cli_app import app

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *ROOT.glob("docs/**/*.md")],
)


@pytest.fixture(params=PAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def page(request: pytest.FixtureRequest) -> str:
    path: Path = request.param
    return path.read_text()


def code(text: str) -> Iterator[str]:
    """What stands between backticks, and each line of the blocks."""
    blocks = re.findall(r"```\w*\n(.*?)```", text, re.DOTALL)
    for block in blocks:
        yield from (line.strip() for line in block.splitlines())
    yield from re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", text, flags=re.DOTALL))


def is_command(words: list[str]) -> bool:
    found = get_command(app)
    while words and isinstance(found, TyperGroup):
        known = found.commands.get(words.pop(0))
        if known is None:
            return False
        found = known
    return True


def test_commands_that_a_page_names_exist(page: str) -> None:
    named = [
        match[0]
        for line in code(page)
        if (match := re.match(r"callgate( [a-z][a-z-]*)+", line))
    ]
    unknown = [line for line in named if not is_command(line.split()[1:])]
    assert not unknown


def test_make_verbs_that_a_page_names_exist(page: str) -> None:
    verbs = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {match[1] for line in code(page) if (match := re.match(r"make ([a-z-]+)", line))}
    assert not named - verbs


def test_files_that_a_page_links_to_exist(request: pytest.FixtureRequest, page: str) -> None:
    here = ROOT / request.node.callspec.id.rpartition("/")[0]
    links = re.findall(r"(?<!!)\[[^\]]*\]\(([^)#:]+)\)", page)
    assert not [link for link in links if not (here / link).exists()]


@pytest.mark.parametrize("name", ["architecture.md", "threat-model.md"])
def test_proofs_that_a_page_names_exist(name: str) -> None:
    page = (ROOT / "docs" / name).read_text()
    tests = {path: path.read_text() for path in ROOT.glob("tests/**/test_*.py")}
    files = re.findall(r"`([\w/]*test_\w+\.py)`([^|;`]*)", page)
    assert files
    assert not [file for file, _ in files if ROOT / "tests" / file not in tests]
    missing = [
        f"{file}: {proof}"
        for file, proofs in files
        for proof in re.findall(r"\b[a-z0-9]+(?:_[a-z0-9]+)+\b", proofs)
        if f"def test_{proof}(" not in tests[ROOT / "tests" / file]
    ]
    assert not missing
