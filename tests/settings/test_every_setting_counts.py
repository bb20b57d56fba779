"""No knob without an effect, and no name in the pages that does not exist."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from gateway.settings import Settings
from gateway.settings_sources import CONFIG_VARIABLE, ENV_PREFIX, secret_names

ROOT = Path(__file__).parent.parent.parent
MODEL = ROOT / "gateway" / "settings.py"
ONLY_LOOKING = {"settings.py", "settings_docs.py"}
"""Besides these the doctor looks at settings without being ruled by them."""


def attributes(tree: ast.AST) -> set[str]:
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}


def read_by_the_program() -> set[str]:
    """Every attribute that is read, with what the model's own properties read in turn."""
    read: set[str] = set()
    for path in (ROOT / "gateway").rglob("*.py"):
        if path.name not in ONLY_LOOKING and not path.name.startswith("cli_doctor"):
            read |= attributes(ast.parse(path.read_text()))
    model = ast.parse(MODEL.read_text())
    methods = [node for node in ast.walk(model) if isinstance(node, ast.FunctionDef)]
    for _ in methods:
        read |= {
            name for method in methods if method.name in read for name in attributes(method)
        }
    return read


def test_every_setting_is_read_by_the_program() -> None:
    unread = set(Settings.model_fields) - read_by_the_program()
    assert not unread, f"nobody reads {sorted(unread)}"


def pages() -> Iterator[Path]:
    yield ROOT / "README.md"
    yield ROOT / "CONTRIBUTING.md"
    yield from (ROOT / "docs").rglob("*.md")
    yield from (ROOT / name for name in ("compose.yaml", "Dockerfile"))


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.name)
def test_every_setting_that_a_page_names_exists(page: Path) -> None:
    known = {f"{ENV_PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {f"{ENV_PREFIX}{name.upper()}_FILE" for name in secret_names(Settings)}
    known |= {CONFIG_VARIABLE, f"{ENV_PREFIX}TEST_SOAK"}
    named = set(re.findall(rf"\b{ENV_PREFIX}[A-Z0-9_]*[A-Z0-9]\b", page.read_text()))
    assert not named - known
