"""The OpenAPI 3.1 document, made from the typed routes and nothing else."""

import json
import re
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema

from gateway.http import policy
from gateway.http.cookies import SECURE_NAME
from gateway.http.event_schemas import EVENT_MESSAGES
from gateway.http.problems import CONTENT_TYPE
from gateway.http.routing import (
    API_PREFIX,
    PATH_PATTERNS,
    Handler,
    Route,
    RouteTable,
    summary_of,
)
from gateway.http.schemas import ProblemBody
from gateway.http.shapes import Nothing

API_VERSION = "1.0.0"
"""Of the interface, not of the program."""

_REF = "#/components/schemas/{model}"
_PART = re.compile(r"\{(\w+)\}")
Tree = dict[str, Any]


def openapi_document(tables: Sequence[RouteTable]) -> Tree:
    """Describe every typed route, and the messages of the browser's WebSocket."""
    served = [pair for table in tables for pair in table.served]
    models = {model for route, _ in served for model in (route.body, route.out) if model}
    models |= {ProblemBody, *EVENT_MESSAGES}
    models -= {Nothing}
    ordered = sorted(models, key=lambda model: model.__name__)
    _, schemas = models_json_schema([(m, "validation") for m in ordered], ref_template=_REF)
    paths: Tree = {}
    for route, handler in served:
        paths.setdefault(route.path, {})[route.method.lower()] = _operation(route, handler)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Callgate",
            "version": API_VERSION,
            "description": "WhatsApp Business calls for agents in the browser.",
        },
        "servers": [{"url": API_PREFIX}],
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "session": {"type": "apiKey", "in": "cookie", "name": SECURE_NAME},
                "token": {"type": "http", "scheme": "bearer"},
            },
        },
        "x-events": {
            "path": "/events",
            "description": "WebSocket: a snapshot, then numbered messages.",
            "messages": [_ref(model) for model in EVENT_MESSAGES],
        },
    }


def _operation(route: Route, handler: Handler) -> Tree:
    operation: Tree = {
        "operationId": route.name,
        "summary": summary_of(handler),
        "parameters": [*_path_parameters(route), *_query_parameters(route), *_headers(route)],
        "responses": _responses(route),
    }
    if route.body is not Nothing:
        content = {"application/json": {"schema": _ref(route.body)}}
        operation["requestBody"] = {"required": _needs_body(route), "content": content}
    if route.takes is not None:
        binary = {"schema": {"type": "string", "format": "binary"}}
        operation["requestBody"] = {"required": True, "content": {route.takes: binary}}
    if not policy.allows(route.name, None):
        operation["security"] = [{"session": []}]
        scopes = sorted(s for s, rows in policy.OPENS.items() if route.name in rows)
        if scopes:
            operation["security"].append({"token": scopes})
    return operation


def _needs_body(route: Route) -> bool:
    """Whether a request without a body, which counts as `{}`, is refused."""
    try:
        route.body.model_validate({})
    except ValidationError:
        return True
    return False


def _path_parameters(route: Route) -> list[Tree]:
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{PATH_PATTERNS[name]}$"},
        }
        for name in _PART.findall(route.path)
    ]


def _query_parameters(route: Route) -> list[Tree]:
    schema = route.query.model_json_schema(ref_template=_REF)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": _plain(part)}
        for name, part in schema.get("properties", {}).items()
    ]


def _plain(schema: Tree) -> Tree:
    """A query string cannot say null: leave the choice of it out."""
    options = [one for one in schema.get("anyOf", []) if one != {"type": "null"}]
    if len(options) == 1:
        return {"title": schema["title"], **options[0]}
    return schema


def _headers(route: Route) -> list[Tree]:
    return [
        {
            "name": header.name,
            "in": "header",
            "required": False,
            "description": header.what,
            "schema": {"type": "string", "pattern": header.pattern},
        }
        for header in route.headers
    ]


def _responses(route: Route) -> Tree:
    answer: Tree = {"description": HTTPStatus(route.status).phrase}
    if route.out is not None:
        answer["content"] = {"application/json": {"schema": _ref(route.out)}}
    if route.content is not None:
        answer["content"] = {route.content: {"schema": {"type": "string", "format": "binary"}}}
    refusal = {CONTENT_TYPE: {"schema": _ref(ProblemBody)}}
    answers = {
        str(status): answer | {"description": HTTPStatus(status).phrase}
        for status in (route.status, *route.also)
    }
    return answers | {
        str(status): {"description": HTTPStatus(status).phrase, "content": refusal}
        for status in sorted(_refusals(route))
    }


def _refusals(route: Route) -> set[int]:
    found = {503, *route.refusals}
    if not policy.allows(route.name, None):
        found |= {401, 403}
    if route.changes_state:
        found |= {400, 403, 413, 415, 422}
    if _PART.search(route.path):
        found.add(404)
    return found | {422}


def _ref(model: type[BaseModel]) -> Tree:
    return {"$ref": _REF.format(model=model.__name__)}


def openapi_text(tables: Sequence[RouteTable]) -> str:
    """The document as it is kept in `docs/openapi.json`."""
    return json.dumps(openapi_document(tables), indent=1, ensure_ascii=False) + "\n"
