"""The policy table against the running site: every route, everybody who might ask."""

import json
from collections.abc import AsyncIterator

import pytest
from aiohttp import WSServerHandshakeError, web
from pydantic import BaseModel

from gateway.http import policy
from gateway.http.policy import FINER, OPENS, POLICY, Who
from gateway.http.routing import Route, RouteTable
from gateway.http.typed import mount
from gateway.ports.accounts import Role
from gateway.ports.tokens import NEEDS_PERSON, Scope
from tests.http.matrix import ROUTES, Asker, Crowd, crowd_of, names_in
from tests.http.site import Site, browser_of

# Whoever may sign in is what its own tests are about.
MATRIX = [route for route, _ in ROUTES if route.name != "session.login"]
# Anybody may end whatever browser session is their own, and the crowd names each its own.
OWN = {"session_id"}


@pytest.fixture
async def crowd(site: Site) -> AsyncIterator[Crowd]:
    async with crowd_of(site) as crowd:
        yield crowd


def expected(asker: Asker, route: Route) -> str:
    """What the table, and nothing else, says of one question."""
    if not asker.may(route.name):
        if asker.role is None and asker.scopes is None:
            return "401 not_signed_in"
        return "403 forbidden"
    if not asker.sees and names_in(route) - OWN:
        return "404 not_found"
    return "allowed"


def told(status: int, text: str) -> str:
    """What was answered, in the same words."""
    if status < 400 or status == 409:
        return "allowed"
    return f"{status} {json.loads(text)['code']}"


async def test_every_route_lets_in_exactly_whom_the_table_names(crowd: Crowd) -> None:
    wrong = []
    for route in MATRIX:
        for asker in crowd.askers:
            status, text = await crowd.ask(asker, route)
            wanted, got = expected(asker, route), told(status, text)
            if wanted != got:
                wrong.append(f"{route.name} by {asker.name}: {got} instead of {wanted}")
    assert not wrong, "\n".join(wrong)


async def test_nobody_of_another_account_is_told_of_what_is_not_theirs(crowd: Crowd) -> None:
    site = crowd.site
    theirs = {
        *crowd.names.values(),
        site.account.account_id,
        site.account.cid,
        *(person.user_id for person in site.people.values()),
        *(person.email for person in site.people.values()),
    }
    strangers = [asker for asker in crowd.askers if asker.name.startswith("other account")]
    assert len(strangers) == 2
    for asker in strangers:
        for route in MATRIX:
            _, text = await crowd.ask(asker, route)
            assert not [secret for secret in theirs if secret in text], (route, asker.name)


async def test_a_token_is_no_key_to_another_account_and_no_cookie_is_needed(
    crowd: Crowd,
) -> None:
    """A page that could send a token would still have to know it: no Origin is asked for."""
    crowd.askers = [asker for asker in crowd.askers if asker.scopes is not None]
    for asker in crowd.askers:
        asker.browser.origin = None
    for route in MATRIX:
        if Who.ANONYMOUS in POLICY[route.name]:
            continue
        for asker in crowd.askers:
            answer = told(*await crowd.ask(asker, route))
            assert answer == expected(asker, route), (route, asker.name)


async def test_the_event_socket_is_for_people_who_are_signed_in(crowd: Crowd) -> None:
    for asker in crowd.askers:
        browser = asker.browser
        opening = browser.http.ws_connect(
            browser.site.api("/events"),
            headers={"Origin": browser.site.origin, **asker.headers},
        )
        if asker.may("events.watch"):
            async with opening as socket:
                assert (await socket.receive_json())["type"] == "snapshot"
        else:
            with pytest.raises(WSServerHandshakeError) as caught:
                await opening
            assert caught.value.status == (401 if asker.scopes is None else 403)


async def test_strangers_are_refused_before_their_body_is_looked_at(crowd: Crowd) -> None:
    stranger = crowd.askers[0]
    for route in MATRIX:
        if Who.ANONYMOUS in POLICY[route.name]:
            continue
        status, _ = await crowd.ask(
            stranger, route, data=b"{", headers={"Content-Type": "application/json"}
        )
        assert status == 401, route


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


def test_scopes_open_rows_that_exist_and_never_what_is_of_a_browser_or_of_access() -> None:
    assert OPENS.keys() == set(Scope)
    opened = frozenset[str]().union(*OPENS.values())
    assert opened <= POLICY.keys()
    kept_shut = ("session.", "me.", "users.", "tokens.", "events.", "agent_legs.")
    assert not [row for row in opened if row.startswith(kept_shut)]
    assert not opened & {"settings.calls_change"}
    # What only admins may is for tokens that say so by name.
    for scope in set(Scope) - {Scope.AUDIT_READ}:
        for row in OPENS[scope]:
            assert policy.allows(row, Role.SUPERVISOR), (scope, row)
    assert set(Scope) >= NEEDS_PERSON


def test_every_shape_refuses_what_it_does_not_know() -> None:
    for route, _ in ROUTES:
        for shape in (route.body, route.query, route.out):
            if shape is not None:
                assert issubclass(shape, BaseModel)
                assert shape.model_config.get("extra") == "forbid"


async def test_what_another_account_names_is_not_there_for_it_to_read(site: Site) -> None:
    """The same answer for what is foreign and for what never was."""
    async with crowd_of(site) as crowd, browser_of(site):
        foreign = next(a for a in crowd.askers if a.name == "other account's admin")
        for route in MATRIX:
            if not names_in(route) - OWN:
                continue
            status, text = await crowd.ask(foreign, route)
            crowd.names, kept = dict.fromkeys(crowd.names, "z" * 26), crowd.names
            unknown = await crowd.ask(foreign, route)
            crowd.names = kept
            assert (status, text) == unknown, route
