"""Column types that take what strangers send, alike on SQLite and PostgreSQL."""

import json

from sqlalchemy import String, Text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from typing_extensions import override

from gateway.ports import Json

_REPLACEMENT = "\ufffd"


def storable(text: str) -> str:
    """Replace what PostgreSQL refuses in text: NUL and lone surrogates."""
    return (
        text.replace("\x00", _REPLACEMENT)
        .encode("utf-16", "surrogatepass")
        .decode("utf-16", "replace")
    )


class OutsideText(TypeDecorator[str]):
    """Text from Meta, a browser or a user of WhatsApp.

    PostgreSQL refuses NUL, lone surrogates and text over the length of the column, which
    would make one crafted webhook fail on every retry. Here they are replaced and cut, in
    comparisons too.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        if value is None:
            return None
        kept = storable(value)
        return kept if self.length is None else kept[: self.length]


class JsonText(TypeDecorator[dict[str, Json]]):
    """A JSON object kept as text: nothing asks the database to look inside."""

    impl = Text
    cache_ok = True

    @override
    def process_bind_param(self, value: dict[str, Json] | None, dialect: Dialect) -> str | None:
        return None if value is None else json.dumps(value, separators=(",", ":"))

    @override
    def process_result_value(
        self, value: str | None, dialect: Dialect
    ) -> dict[str, Json] | None:
        if value is None:
            return None
        fields: dict[str, Json] = json.loads(value)
        return fields
