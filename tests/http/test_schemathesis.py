"""Requests generated from the OpenAPI document: none makes the gateway fail or lie."""

import asyncio
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.core.transport import Response
from schemathesis.specs.openapi.checks import positive_data_acceptance

from gateway.http.app import TABLES
from gateway.http.openapi import openapi_document
from gateway.ports.accounts import Role
from tests.http.fakes import a_view
from tests.http.site import PASSWORD, Template, site_from

document = openapi_document(TABLES)
for path in document["paths"].values():
    for operation in path.values():
        # Every request here is signed in; who may do what is the policy matrix's to prove.
        operation.pop("security", None)
REFUSALS = ["400", "401", "403", "404", "405", "409", "413", "415", "422", "429", "503"]
CONFIG = schemathesis.Config.from_dict(
    {"checks": {"negative_data_rejection": {"expected-statuses": REFUSALS}}}
)
schema = schemathesis.openapi.from_dict(document, config=CONFIG)


@dataclass
class Live:
    """A site in a thread of its own, and the cookie of an admin, who may do most."""

    origin: str
    cookie: str


@pytest.fixture(scope="module")
def live(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    ready: list[str] = []
    is_up, stop = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(
        target=loop.run_until_complete,
        args=(_serve(template, tmp_path_factory.mktemp("live"), ready, is_up, stop),),
    )
    thread.start()
    assert is_up.wait(50)
    (origin,) = ready
    signed_in = requests.post(
        f"{origin}/api/v1/login",
        json={"email": "admin@example.com", "password": PASSWORD},
        headers={"Origin": origin},
        timeout=30,
    )
    yield Live(origin, f"callgate={signed_in.cookies['callgate']}")
    loop.call_soon_threadsafe(stop.set)
    thread.join(50)
    loop.close()


async def _serve(
    template: Template,
    folder: Path,
    ready: list[str],
    is_up: threading.Event,
    stop: asyncio.Event,
) -> None:
    async with site_from(template, folder) as site:
        everyone = (site.people[Role.ADMIN].user_id,)
        for letter in "abc":
            site.desk.add(site.account.account_id, a_view(letter * 26, offered_to=everyone))
        ready.append(site.origin)
        is_up.set()
        await stop.wait()


@schema.parametrize()
@settings(
    max_examples=settings().max_examples // 4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
def test_no_request_makes_it_fail(case: schemathesis.Case[Any], live: Live) -> None:
    headers = {"Origin": live.origin}
    if case.path != "/logout":
        headers["Cookie"] = live.cookie
    response = case.call(base_url=f"{live.origin}/api/v1", headers=headers)
    case.validate_response(response, excluded_checks=_beyond_the_schema(response))


def _beyond_the_schema(response: Response) -> list[Any]:
    """What a schema can say is refused with the field; rules that none can say, without."""
    is_rule = response.status_code == 422 and "field" not in response.json()
    return [positive_data_acceptance] if is_rule else []
