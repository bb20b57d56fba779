"""Reading what a request carries: bounded in size and time, strict in shape."""

import asyncio
import json
from typing import NoReturn, TypeVar

from aiohttp import web
from multidict import MultiMapping
from pydantic import BaseModel, ValidationError

from gateway.http.problems import Refusal, problem_of_shape, refuse

READ_TIMEOUT_S = 10.0
_WHOLE_MAX = 2**53
"""Beyond that a number with a point is not exact."""

Model = TypeVar("Model", bound=BaseModel)


async def read_capped(
    request: web.Request, bytes_max: int, *, timeout_s: float = READ_TIMEOUT_S
) -> bytes:
    """Return the raw body. Raises `Refusal` if it is too long, or too slow in coming."""
    if (request.content_length or 0) > bytes_max:
        raise _too_large(bytes_max)
    body = bytearray()
    try:
        async with asyncio.timeout(timeout_s):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > bytes_max:
                    raise _too_large(bytes_max)
    except TimeoutError:
        raise refuse(408, "too_slow", "The body did not arrive in time.") from None
    return bytes(body)


async def read_body(request: web.Request, shape: type[Model], bytes_max: int) -> Model:
    """Return the body as `shape`; an absent one counts as `{}`. Raises `Refusal`."""
    if not request.body_exists:
        return parse_body(b"{}", shape)
    raw = await read_capped(request, bytes_max)
    if not raw:
        return parse_body(b"{}", shape)
    check_is_json(request)
    return parse_body(raw, shape)


def check_is_json(request: web.Request) -> None:
    """Refuse what does not call itself plain JSON. Raises `Refusal`."""
    encoding = request.headers.get("Content-Encoding", "identity").strip().lower()
    charset = (request.charset or "utf-8").lower()
    is_plain = encoding == "identity" and charset in {"utf-8", "utf8"}
    if request.content_type != "application/json" or not is_plain:
        detail = "Send application/json in UTF-8, without compression."
        raise refuse(415, "unsupported_media_type", detail)


def parse_body(raw: bytes, shape: type[Model]) -> Model:
    """Return the JSON text as `shape`. Raises `Refusal` naming the field."""
    whole: list[int] = []
    try:
        value = json.loads(
            raw, parse_constant=_no_constant, parse_float=lambda text: _number(text, whole)
        )
    except (ValueError, RecursionError):
        raise refuse(400, "bad_json", "The body is not valid JSON.") from None
    if whole:
        raw = json.dumps(value).encode()
    try:
        return shape.model_validate_json(raw, strict=True)
    except ValidationError as error:
        if any(part["type"] == "json_invalid" for part in error.errors(include_input=False)):
            raise refuse(400, "bad_json", "The body is not valid JSON.") from None
        raise Refusal(problem_of_shape(error)) from None


def parse_query(query: MultiMapping[str], shape: type[Model]) -> Model:
    """Return the query string as `shape`. Raises `Refusal` naming the parameter."""
    for name in query:
        if len(query.getall(name)) > 1:
            raise refuse(422, "bad_value", f"{name} is given more than once.", field=name)
    try:
        return shape.model_validate(dict(query))
    except ValidationError as error:
        raise Refusal(problem_of_shape(error)) from None


def _too_large(bytes_max: int) -> Refusal:
    return refuse(413, "payload_too_large", f"The body may have {bytes_max} bytes.")


def _number(text: str, whole: list[int]) -> float:
    """Read 5.0 as 5 and note that: JSON knows no whole numbers (json-schema.org, `integer`)."""
    number = float(text)
    if not number.is_integer() or abs(number) > _WHOLE_MAX:
        return number
    whole.append(int(number))
    return int(number)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
