"""The policy table against the running site: every route, everybody who might ask."""

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import WSServerHandshakeError, web
from pydantic import BaseModel

from gateway.http import app as app_module
from gateway.http import policy
from gateway.http.policy import FINER, POLICY, Who
from gateway.http.routing import Route, RouteTable
from gateway.http.typed import mount
from gateway.ports.accounts import Role
from tests.http.fakes import a_view
from tests.http.site import Browser, Site, browser_of

CALL = "c" * 26
LEG = "l" * 26
ROUTES = [pair for table in app_module.TABLES for pair in table.served]

# What each route is sent so that nothing but the policy can refuse it.
BODIES: dict[str, Any] = {
    "settings.calls_change": {
        "version": 0,
        "records": "none",
        "mode": "local",
        "purpose": "",
        "language": "en",
        "transcription": False,
        "transcription_alone": False,
    },
    "me.availability": {"availability": "away"},
    "agent_legs.open": {"offer": "v=0"},
    "calls.dial": {"to": {"phone": "628110000002"}, "leg_id": LEG},
    "calls.answer": {"leg_id": LEG},
    "calls.reattach": {"leg_id": LEG},
    "calls.decline": {},
    "calls.mute": {"muted": True},
    "calls.hold": {"held": True},
}


@pytest.fixture
async def browsers(site: Site) -> AsyncIterator[dict[Who, Browser]]:
    """A browser of each kind."""
    everyone = tuple(person.user_id for person in site.people.values())
    site.desk.add(site.account.account_id, a_view(CALL, offered_to=everyone))
    async with AsyncExitStack() as stack:
        found = {}
        for who in Who:
            found[who] = await stack.enter_async_context(browser_of(site))
            if who is not Who.ANONYMOUS:
                await found[who].sign_in(Role(who.value))
        yield found


async def test_every_route_lets_in_exactly_whom_the_table_names(
    browsers: dict[Who, Browser],
) -> None:
    for route, _ in ROUTES:
        if route.name == "session.login":
            continue  # Whoever may sign in is what its own tests are about.
        for who, browser in browsers.items():
            path = route.path.format(call_id=CALL, leg_id=LEG)
            async with await browser.ask(
                route.method, path, json=BODIES.get(route.name)
            ) as response:
                if who in POLICY[route.name]:
                    assert response.status < 400 or response.status == 409, (route, who)
                else:
                    code = json.loads(await response.text())["code"]
                    expected = (
                        (401, "not_signed_in") if who is Who.ANONYMOUS else (403, "forbidden")
                    )
                    assert (response.status, code) == expected, (route, who)
            if route.name == "session.logout" and who is not Who.ANONYMOUS:
                await browser.sign_in(Role(who.value))


async def test_the_event_socket_is_for_the_signed_in(browsers: dict[Who, Browser]) -> None:
    for who, browser in browsers.items():
        opening = browser.http.ws_connect(
            browser.site.api("/events"), headers={"Origin": browser.site.origin}
        )
        if who in POLICY["events.watch"]:
            async with opening as socket:
                assert (await socket.receive_json())["type"] == "snapshot"
        else:
            with pytest.raises(WSServerHandshakeError) as caught:
                await opening
            assert caught.value.status == 401


async def test_strangers_are_refused_before_their_body_is_looked_at(site: Site) -> None:
    async with browser_of(site) as stranger:
        for route, _ in ROUTES:
            if Who.ANONYMOUS in POLICY[route.name]:
                continue
            path = route.path.format(call_id=CALL, leg_id=LEG)
            async with await stranger.ask(
                route.method, path, data=b"{", headers={"Content-Type": "application/json"}
            ) as response:
                assert response.status == 401, route


def test_no_row_is_left_over() -> None:
    typed = {route.name for route, _ in ROUTES}
    plain = {
        "webhooks.handshake",
        "webhooks.deliver",
        "events.watch",
        "openapi.read",
        "health.live",
        "health.ready",
        "web.read",
    }
    assert typed | plain | FINER == POLICY.keys()


def test_a_route_without_a_row_does_not_start() -> None:
    table = RouteTable()

    @table.serve(Route("GET", "/secret", "secret.read"))
    async def secret(_: object) -> None: ...

    with pytest.raises(LookupError, match=r"secret\.read"):
        mount(web.Application(), [table])


def test_supervisors_and_admins_may_all_that_agents_may() -> None:
    for row, who in POLICY.items():
        if Who.AGENT in who:
            assert {Who.SUPERVISOR, Who.ADMIN} <= who, row
        assert policy.allows(row, None) is (Who.ANONYMOUS in who)


def test_every_shape_refuses_what_it_does_not_know() -> None:
    for route, _ in ROUTES:
        for shape in (route.body, route.query, route.out):
            if shape is not None:
                assert issubclass(shape, BaseModel)
                assert shape.model_config.get("extra") == "forbid"
