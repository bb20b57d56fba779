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


class CleanText(TypeDecorator[str]):
    """Text of our own, which strangers may ask for: an id in a URL, an e-mail at log-in.

    PostgreSQL refuses NUL and lone surrogates even in a comparison; here they simply do not
    match. Too long a text is refused when stored: our own are not.
    """

    impl = String
    cache_ok = True

    def __init__(self, length: int | None = None) -> None:
        super().__init__(length)
        self.length = length

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)


class OutsideText(CleanText):
    """Text from Meta, a browser or a user of WhatsApp: also cut to the column's length.

    Otherwise one crafted webhook would fail on every retry. Cut in comparisons too.
    """

    cache_ok = True

    @override
    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        return None if value is None else storable(value)[: self.length]


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
