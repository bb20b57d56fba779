"""House rules that a person would otherwise have to repeat in review."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("gateway", "media", "sandbox")
LINES_MAX = 400
FUNCTION_LINES_MAX = 50
BANNED_WORDS = {"manager", "helper", "helpers", "util", "utils", "misc", "obj", "info"}


def tracked(*suffixes: str) -> Iterator[Path]:
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    for line in listing.splitlines():
        path = ROOT / line
        if path.suffix in suffixes and path.is_file():
            yield path


def modules() -> list[Path]:
    return [p for p in tracked(".py") if p.relative_to(ROOT).parts[0] in PACKAGES]


def test_every_module_is_small_and_says_what_it_is_for() -> None:
    faults = []
    for path in modules():
        text = path.read_text()
        if text.count("\n") > LINES_MAX and "migrations" not in path.parts:
            faults.append(f"{path.relative_to(ROOT)}: {text.count(chr(10))} lines")
        if not ast.get_docstring(ast.parse(text)):
            faults.append(f"{path.relative_to(ROOT)}: no module docstring")
    assert not faults, "\n".join(faults)


def test_every_function_fits_on_a_screen() -> None:
    faults = []
    for path in modules():
        if "migrations" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES_MAX:
                    faults.append(
                        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length}"
                    )
    assert not faults, "\n".join(faults)


def test_names_say_what_a_thing_is() -> None:
    faults = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                words = set(re.sub(r"([a-z])([A-Z])", r"\1_\2", node.name).lower().split("_"))
                if words & BANNED_WORDS:
                    faults.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert not faults, "\n".join(faults)


def test_tasks_are_made_in_one_place_of_the_gateway() -> None:
    allowed = ROOT / "gateway/runtime/tasks.py"
    faults = [
        str(path.relative_to(ROOT))
        for path in modules()
        if path.is_relative_to(ROOT / "gateway/runtime")
        and path != allowed
        and re.search(r"\b(create_task|ensure_future)\(", path.read_text())
    ]
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("word", ["TODO", "FIXME", "XXX"])
def test_nothing_is_left_for_later_in_a_comment(word: str) -> None:
    here = Path(__file__)
    faults = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in tracked(".py", ".ts", ".tsx")
        if path != here
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.search(rf"\b{word}\b", line)
    ]
    assert not faults, "\n".join(faults)


# npm repeats in its lock file where a package asks for donations: an object, or a list.
FUNDING = re.compile(r'"funding": (\{[^}]*\}|\[[^\]]*\])')


def test_lock_files_name_no_host() -> None:
    locks = [*ROOT.glob("requirements/*.txt"), *tracked(".json")]
    faults = [
        str(path.relative_to(ROOT))
        for path in locks
        if (path.name == "package-lock.json" or path.suffix == ".txt")
        and re.search(r"https?://", FUNDING.sub("", path.read_text()))
    ]
    assert not faults, "\n".join(faults)


def test_migrations_have_one_head_and_unique_numbers() -> None:
    versions = ROOT / "gateway/adapters/migrations/versions"
    names = [p.name.split("_")[0] for p in versions.glob("[0-9]*.py")]
    assert names
    assert len(names) == len(set(names))
