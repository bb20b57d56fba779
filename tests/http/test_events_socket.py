"""The browser's WebSocket: snapshot and news, and every reason to be sent away."""

import asyncio
import dataclasses
import json
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientWebSocketResponse, WSMsgType, WSServerHandshakeError

from gateway.adapters.sql_sessions import SessionBounds, SqlSessions
from gateway.core.errors import StoreDown
from gateway.core.ids import UserId
from gateway.http import events_socket, socket_register
from gateway.http.deps import HttpLimits
from gateway.ports.accounts import Role
from gateway.ports.live import LiveEvent
from gateway.runtime.call_view import AgentView, CallView
from gateway.runtime.notices import Notice
from tests.http.fakes import a_view
from tests.http.site import Browser, Site, Template, browser_of, site_from

CALL = "c" * 26


@pytest.fixture(autouse=True)
def close_timeout_s(monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ends share one loop here, which a busy machine holds up for longer than a second."""
    for module in (events_socket, socket_register):
        monkeypatch.setattr(module, "CLOSE_TIMEOUT_S", 10.0)


@asynccontextmanager
async def events_of(
    browser: Browser, *, origin: str | None = "own"
) -> AsyncIterator[ClientWebSocketResponse]:
    headers = {}
    if origin is not None:
        headers["Origin"] = browser.site.origin if origin == "own" else origin
    async with browser.http.ws_connect(
        browser.site.api("/events"), headers=headers, autoping=True
    ) as socket:
        yield socket


@asynccontextmanager
async def watching(
    site: Site, role: Role
) -> AsyncIterator[tuple[ClientWebSocketResponse, dict[str, Any]]]:
    async with browser_of(site) as browser:
        await browser.sign_in(role)
        async with events_of(browser) as socket:
            yield socket, await socket.receive_json()


async def test_who_comes_late_is_told_after_the_snapshot_what_is_wrong(site: Site) -> None:
    site.desk.standing = [Notice("redis_down", "Redis is away."), Notice("media_away", "Gone.")]
    async with watching(site, Role.AGENT) as (socket, _):
        assert [await socket.receive_json() for _ in range(2)] == [
            {"seq": 2, "type": "notice", "code": "redis_down", "detail": "Redis is away."},
            {"seq": 3, "type": "notice", "code": "media_away", "detail": "Gone."},
        ]


async def closing_code(socket: ClientWebSocketResponse) -> int | None:
    async for _ in socket:
        pass
    return socket.close_code


def news(site: Site, view: CallView, audience: tuple[str, ...] | None = ()) -> None:
    people = None if audience is None else tuple(UserId(one) for one in audience)
    site.bus.publish(LiveEvent(site.account.account_id, "call", view.as_json(), people))


async def test_the_snapshot_comes_first_and_everything_is_numbered(site: Site) -> None:
    me = site.people[Role.AGENT]
    site.desk.add(site.account.account_id, a_view(CALL, offered_to=(me.user_id,)))
    site.desk.add(site.account.account_id, a_view("d" * 26))
    site.desk.add(
        site.account.account_id, a_view("e" * 26, state="ended", offered_to=(me.user_id,))
    )
    async with watching(site, Role.AGENT) as (socket, snapshot):
        assert (snapshot["seq"], snapshot["type"]) == (1, "snapshot")
        assert snapshot["at"].endswith("Z")
        assert snapshot["me"]["user"]["id"] == me.user_id
        assert [call["id"] for call in snapshot["calls"]] == [CALL]
        assert [one["user_id"] for one in snapshot["presence"]] == [me.user_id]
        news(site, a_view(CALL, version=2, offered_to=(me.user_id,)), (me.user_id,))
        site.bus.publish(
            LiveEvent(
                site.account.account_id,
                "presence",
                {"user_id": "u", "name": "Budi", "state": "busy"},
            )
        )
        site.bus.publish(
            LiveEvent(
                site.account.account_id, "notice", {"code": "media_away", "detail": "No audio."}
            )
        )
        first, second, third = [await socket.receive_json() for _ in range(3)]
        assert (first["seq"], first["type"], first["call"]["version"]) == (2, "call", 2)
        assert second == {
            "seq": 3,
            "type": "presence",
            "user_id": "u",
            "name": "Budi",
            "state": "busy",
        }
        assert third == {
            "seq": 4,
            "type": "notice",
            "code": "media_away",
            "detail": "No audio.",
        }


async def test_what_happens_while_the_snapshot_is_read_is_not_lost(site: Site) -> None:
    me = site.people[Role.AGENT].user_id
    original = site.desk.live_calls

    async def reads_slowly(person: Any) -> Any:
        views = await original(person)
        news(site, a_view(CALL, version=7), (me,))
        return views

    site.desk.live_calls = reads_slowly  # type: ignore[method-assign]
    async with watching(site, Role.AGENT) as (socket, snapshot):
        assert snapshot["calls"] == []
        assert (await socket.receive_json())["call"]["version"] == 7


@pytest.mark.parametrize("role", list(Role))
async def test_agents_hear_of_their_calls_and_leads_of_all(site: Site, role: Role) -> None:
    me = site.people[role].user_id
    async with watching(site, role) as (socket, _):
        news(site, a_view(CALL, version=2), ("somebody else",))
        news(site, a_view(CALL, version=3), (me, "somebody else"))
        news(site, a_view(CALL, version=4), None)
        site.bus.publish(LiveEvent(site.account.account_id, "notice", {"code": "end"}))
        seen = []
        while (message := await socket.receive_json())["type"] == "call":
            seen.append(message["call"]["version"])
        assert seen == ([3, 4] if role is Role.AGENT else [2, 3, 4])


async def test_what_is_personal_reaches_its_person_alone(site: Site) -> None:
    agent = site.people[Role.AGENT].user_id
    async with (
        watching(site, Role.AGENT) as (own, _),
        watching(site, Role.ADMIN) as (other, _),
    ):
        account = site.account.account_id
        body = {"code": "leg_gone", "detail": "Make it again."}
        site.bus.publish(LiveEvent(account, "notice", {**body}, (agent,), is_personal=True))
        site.bus.publish(LiveEvent(account, "notice", {"code": "end", "detail": ""}))
        assert (await own.receive_json())["code"] == "leg_gone"
        while (message := await other.receive_json())["type"] == "presence":
            pass
        assert message["code"] == "end"


async def test_other_accounts_news_stay_theirs(site: Site) -> None:
    async with watching(site, Role.ADMIN) as (socket, _):
        other = dataclasses.replace(site.account, account_id="b" * 26)  # type: ignore[arg-type]
        site.bus.publish(LiveEvent(other.account_id, "notice", {"code": "theirs"}))
        site.bus.publish(LiveEvent(site.account.account_id, "notice", {"code": "ours"}))
        assert (await socket.receive_json())["code"] == "ours"


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example"])
async def test_another_sites_page_is_not_let_in(site: Site, origin: str | None) -> None:
    async with browser_of(site) as browser:
        await browser.sign_in(Role.AGENT)
        with pytest.raises(WSServerHandshakeError) as caught:
            async with events_of(browser, origin=origin):
                pass
        assert caught.value.status == 403


async def test_a_token_in_the_address_opens_nothing(site: Site) -> None:
    async with browser_of(site) as owner, browser_of(site) as thief:
        await owner.sign_in(Role.AGENT)
        (cookie,) = owner.http.cookie_jar
        with pytest.raises(WSServerHandshakeError) as caught:
            await thief.http.ws_connect(
                site.api(f"/events?token={cookie.value}&callgate={cookie.value}"),
                headers={"Origin": site.origin},
            )
        assert caught.value.status == 401


async def test_presence_lasts_as_long_as_a_window(site: Site) -> None:
    key = (site.account.account_id, site.people[Role.AGENT].user_id)
    async with watching(site, Role.AGENT):
        async with watching(site, Role.AGENT):
            assert site.presence.here[key] == 2
        while site.presence.here[key] == 2:  # noqa: ASYNC110 - the server's own time
            await asyncio.sleep(0.01)
        assert site.presence.here[key] == 1
    while key in site.presence.here:  # noqa: ASYNC110 - the server's own time
        await asyncio.sleep(0.01)


async def test_a_revoked_session_is_sent_away(site: Site) -> None:
    person = site.people[Role.AGENT]
    async with watching(site, Role.AGENT) as (socket, _):
        await site.deps.sessions.revoke_all(person.user_id, now=site.clock.wall())
        assert await closing_code(socket) == 4401


async def test_signing_out_closes_this_browsers_windows_and_no_others(site: Site) -> None:
    async with watching(site, Role.AGENT) as (other, _), browser_of(site) as browser:
        await browser.sign_in(Role.AGENT)
        async with events_of(browser) as socket:
            await socket.receive_json()
            async with await browser.ask("POST", "/logout") as response:
                assert response.status == 204
            assert await closing_code(socket) == 4401
        await other.send_json({"type": "alive"})
        site.bus.publish(LiveEvent(site.account.account_id, "notice", {"code": "still"}))
        assert (await other.receive_json())["code"] == "still"


async def test_the_connection_stays_until_the_browser_has_taken_its_leave(site: Site) -> None:
    async with browser_of(site) as browser:
        await browser.sign_in(Role.AGENT)
        async with browser.http.ws_connect(
            site.api("/events"), headers={"Origin": site.origin}, autoclose=False
        ) as socket:
            await socket.receive_json()
            async with await browser.ask("POST", "/logout") as response:
                assert response.status == 204
            message = await socket.receive()
            assert (message.type, message.data) == (WSMsgType.CLOSE, 4401)
            connection = socket._response.connection
            assert connection is not None
            transport = connection.transport
            assert transport is not None
            for _ in range(100):
                await asyncio.sleep(0)
            assert not transport.is_closing()
            await socket.close()
            assert (socket.close_code, socket.exception()) == (4401, None)


async def test_a_browser_that_says_nothing_is_sent_away(site: Site) -> None:
    async with watching(site, Role.AGENT) as (silent, _):
        site.clock.shift_s += 14
        async with watching(site, Role.SUPERVISOR) as (talking, _):
            for _ in range(3):
                await talking.send_json({"type": "alive"})
            site.clock.shift_s += 2
            assert await closing_code(silent) == 1001
            site.bus.publish(LiveEvent(site.account.account_id, "notice", {"code": "here"}))
            assert (await talking.receive_json())["code"] == "here"


@pytest.mark.parametrize(
    "message",
    [
        "",
        "{",
        "alive",
        '{"type":"dead"}',
        '{"type":"alive","x":1}',
        "[]",
        "NaN",
        "[" * 900,
        b'{"type":"alive"}',
    ],
)
async def test_anything_but_alive_ends_the_conversation(
    site: Site, message: str | bytes
) -> None:
    async with watching(site, Role.AGENT) as (socket, _):
        if isinstance(message, bytes):
            await socket.send_bytes(message)
        else:
            await socket.send_str(message)
        assert await closing_code(socket) == 1008


async def test_an_oversized_message_ends_the_conversation(site: Site) -> None:
    async with watching(site, Role.AGENT) as (socket, _):
        await socket.send_str("x" * 5_000)
        assert await closing_code(socket) in {1008, 1009}


async def test_a_browser_that_reads_too_slowly_is_cut_off(site: Site) -> None:
    async with watching(site, Role.ADMIN) as (socket, _):
        wide = a_view(CALL, version=2)
        wide = dataclasses.replace(wide, offered_to=tuple("x" * 26 for _ in range(2_000)))
        for _ in range(60):
            for _ in range(20):
                news(site, wide, None)
            await asyncio.sleep(0.005)
        code = None
        count = 0
        async for message in socket:
            assert message.type is WSMsgType.TEXT
            count += 1
        code = socket.close_code
        assert count < 60 * 20, "nothing may queue up without bound"
        assert code in {4429, 1006}, "by the close frame, or cut off where even that is stuck"


class CountedSessions(SqlSessions):
    """Sessions that tell how often the watch over the sockets has looked at them."""

    looks = 0

    async def ended(self, session_ids: Collection[str], *, now: float) -> frozenset[str]:
        self.looks += 1
        return await super().ended(session_ids, now=now)


async def test_nobody_is_signed_out_in_the_middle_of_a_call(
    template: Template, tmp_path: Path
) -> None:
    limits = HttpLimits(alive_within_s=100_000)
    bounds = SessionBounds(idle_max_s=200, age_max_s=300)
    async with site_from(
        template, tmp_path, limits=limits, sessions_of=lambda db: CountedSessions(db, bounds)
    ) as site:
        person = site.people[Role.AGENT]
        own = a_view(CALL, state="talking", agent=AgentView(person.user_id, person.name))
        site.desk.add(site.account.account_id, own)
        async with watching(site, Role.AGENT) as (talking, _), browser_of(site) as idle:
            await idle.sign_in(Role.AGENT)
            await let_pass(site, 900)
            async with await idle.ask("GET", "/me") as response:
                assert response.status == 401
            over = dataclasses.replace(own, state="ended", version=9)
            news(site, over, (person.user_id,))
            assert (await talking.receive_json())["call"]["state"] == "ended"
            code = asyncio.create_task(closing_code(talking))
            await let_pass(site, 400)
            assert await code == 4401


async def let_pass(site: Site, seconds: float) -> None:
    """Let time pass in steps, each seen whole by the watch over the sockets."""
    sessions = site.deps.sessions
    assert isinstance(sessions, CountedSessions)
    for _ in range(int(seconds / 20)):
        site.clock.shift_s += 20
        looks = sessions.looks
        while sessions.looks < looks + 2 and site.sockets_open():  # noqa: ASYNC110 - the server's own time
            await asyncio.sleep(0.005)


async def test_without_the_store_open_windows_stay_open(site: Site) -> None:
    async with watching(site, Role.AGENT) as (socket, _):
        looks = 0

        async def down(*_: object, **__: object) -> frozenset[str]:
            nonlocal looks
            looks += 1
            raise StoreDown("gone")

        site.deps.sessions.ended = down  # type: ignore[method-assign]
        while looks < 3:  # noqa: ASYNC110 - the server's own time
            await asyncio.sleep(0.005)
        site.bus.publish(LiveEvent(site.account.account_id, "notice", {"code": "store_down"}))
        assert (await socket.receive_json())["code"] == "store_down"


async def test_a_snapshot_that_cannot_be_read_sends_the_browser_away(site: Site) -> None:
    site.desk.raises = StoreDown("gone")
    async with browser_of(site) as browser:
        await browser.sign_in(Role.AGENT)
        async with events_of(browser) as socket:
            assert await closing_code(socket) == 1001


async def test_one_person_has_a_bounded_number_of_windows(site: Site) -> None:
    async with browser_of(site) as browser:
        await browser.sign_in(Role.AGENT)
        opened = [
            await browser.http.ws_connect(site.api("/events"), headers={"Origin": site.origin})
            for _ in range(socket_register.SOCKETS_OF_PERSON_MAX)
        ]
        with pytest.raises(WSServerHandshakeError) as caught:
            async with events_of(browser):
                pass
        assert caught.value.status == 429
        for socket in opened:
            await socket.close()


async def test_a_plain_request_is_told_that_this_is_a_socket(site: Site) -> None:
    async with browser_of(site) as browser:
        await browser.sign_in(Role.AGENT)
        headers = {"Origin": site.origin}
        async with await browser.ask("GET", "/events", headers=headers) as response:
            assert response.status == 400
            assert json.loads(await response.text())["code"] == "bad_value"


def test_the_bounds_are_those_of_the_contract() -> None:
    assert HttpLimits().alive_within_s == 15
    assert socket_register.TICK_S <= 2
    assert (events_socket.TOO_SLOW, events_socket.BAD_MESSAGE) == (4429, 1008)
    assert (socket_register.SESSION_ENDED, socket_register.GOING_AWAY) == (4401, 1001)
