"""The texts of the app in a language, for tests that look at it in each."""

import json
from functools import cache
from typing import Any

from tests.web.conftest import WEB


class Wording:
    """`wording("delete.confirm")` is what stands there."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = _read(language)

    def __call__(self, key: str, **blanks: object) -> str:
        found: Any = self._texts
        for part in key.split("."):
            found = found[part]
        text = str(found)
        for name, value in blanks.items():
            text = text.replace("{{" + name + "}}", str(value))
        return text


@cache
def _read(language: str) -> dict[str, Any]:
    texts: dict[str, Any] = json.loads((WEB / "src/i18n" / f"{language}.json").read_text())
    return texts
