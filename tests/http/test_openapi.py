"""The OpenAPI document: current, valid, and true."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.http.app import TABLES
from gateway.http.openapi import openapi_text
from gateway.runtime.call_view import CallView as RuntimeView
from tests.http.fakes import a_view
from tests.http.site import Site, browser_of

DOCUMENT = Path(__file__).parents[2] / "docs" / "openapi.json"


def test_the_document_in_docs_is_current() -> None:
    """Write it anew with `python -m gateway.http > docs/openapi.json`."""
    assert DOCUMENT.read_text() == openapi_text(TABLES)


async def test_the_served_document_is_the_same(site: Site) -> None:
    async with (
        browser_of(site) as browser,
        await browser.ask("GET", "/openapi.json") as response,
    ):
        assert await response.json() == json.loads(openapi_text(TABLES))


def references(tree: Any) -> Iterator[str]:
    if isinstance(tree, dict):
        for key, value in tree.items():
            if key == "$ref":
                yield value
            yield from references(value)
    elif isinstance(tree, list):
        for value in tree:
            yield from references(value)


def test_every_reference_leads_somewhere() -> None:
    document = json.loads(openapi_text(TABLES))
    known = {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}
    assert set(references(document)) <= known


def test_every_route_is_described_with_a_summary_and_its_refusals() -> None:
    document = json.loads(openapi_text(TABLES))
    names = set()
    for path in document["paths"].values():
        for operation in path.values():
            names.add(operation["operationId"])
            assert operation["summary"].endswith(".")
            assert "503" in operation["responses"]
    assert names == {route.name for table in TABLES for route, _ in table.served}


def test_the_view_of_a_call_has_exactly_the_documented_fields() -> None:
    schema = json.loads(openapi_text(TABLES))["components"]["schemas"]["CallView"]
    assert set(schema["properties"]) == set(RuntimeView.__dataclass_fields__)
    assert set(a_view("c" * 26).as_json()) == set(schema["properties"])


@pytest.mark.parametrize("name", ["SnapshotMessage", "CallMessage", "NoticeMessage"])
def test_the_messages_of_the_socket_are_described(name: str) -> None:
    document = json.loads(openapi_text(TABLES))
    assert {"$ref": f"#/components/schemas/{name}"} in document["x-events"]["messages"]
