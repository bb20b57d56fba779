"""Answers of fake gateways, held against what the real one's OpenAPI document is made from."""

from typing import Any

from aiohttp import web

from gateway.http.shapes import Shape


def shaped(shape: type[Shape], fields: Any, *, status: int = 200) -> web.Response:
    """Answer with what the real gateway could have said; any other thing fails the test."""
    text = shape.model_validate(fields).model_dump_json(exclude_unset=True)
    return web.Response(text=text, status=status, content_type="application/json")
