"""Whatever code a browser may be shown has words in the web app."""

import ast
import json
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
SOURCES = ("gateway/http", "gateway/core/call", "gateway/runtime")
TEXTS = ROOT / "web" / "src" / "i18n" / "en.json"

# Said to Meta's webhooks and to other programs, never to a browser's person.
NOT_FOR_PEOPLE = {"bad_signature", "webhooks_off", "method_not_allowed", "bad_token"}


def calls() -> Iterator[tuple[str, ast.Call]]:
    for folder in SOURCES:
        for path in (ROOT / folder).rglob("*.py"):
            if "quota" in path.name:
                continue
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                    yield node.func.id, node


def codes(*makers: str) -> set[str]:
    """The first text among the arguments of whatever makes a refusal or a problem."""
    found = set()
    for name, call in calls():
        texts = [
            argument.value
            for argument in call.args
            if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
        ]
        if name in makers and texts:
            found.add(texts[0])
    return found


def test_every_problem_has_words() -> None:
    texts = json.loads(TEXTS.read_text())["problem"]
    made = codes("Problem", "refuse", "Refused")
    assert len(made) > 20
    assert not made - set(texts) - NOT_FOR_PEOPLE
