"""The REST interface: bad input is named, sessions hold, every refusal has its code."""

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession

from gateway.core.errors import (
    BadInput,
    BadSdp,
    CallgateError,
    Forbidden,
    MediaAway,
    MediaRefused,
    MetaFault,
    NotFound,
    NotOwner,
    Refused,
    StoreDown,
    VersionConflict,
    WhatsAppRefused,
    WhatsAppUnclear,
)
from gateway.core.ids import LegId
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.accounts import Role
from gateway.runtime.call_desk import LegChoice
from gateway.runtime.call_view import AgentView
from tests.http.fakes import a_view
from tests.http.site import PASSWORD, Browser, Site, Template, browser_of, site_from

CALL = "c" * 26
LEG = "l" * 26


async def problem(response: ClientResponse, status: int) -> dict[str, Any]:
    text = await response.text()
    assert response.status == status, text
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = json.loads(text)
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


@pytest.fixture
async def agent(site: Site, browser: Browser) -> Browser:
    await browser.sign_in(Role.AGENT)
    return browser


def ringing(site: Site, **changes: Any) -> None:
    me = site.people[Role.AGENT].user_id
    site.desk.add(site.account.account_id, a_view(CALL, offered_to=(me,), **changes))


# --- shapes --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "status", "code", "field"),
    [
        (b"", 422, "missing_field", "email"),
        (b"{", 400, "bad_json", None),
        (b"nope", 400, "bad_json", None),
        (b"\xff\xfe", 400, "bad_json", None),
        (b'{"email": NaN, "password": "x"}', 400, "bad_json", None),
        (b"[" * 30_000, 400, "bad_json", None),
        (b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400, "bad_json", None),
        (b"[]", 422, "wrong_type", ""),
        (b"null", 422, "wrong_type", ""),
        (b'{"email": "a@b.c"}', 422, "missing_field", "password"),
        (b'{"email": 7, "password": "x"}', 422, "wrong_type", "email"),
        (b'{"email": null, "password": "x"}', 422, "wrong_type", "email"),
        (b'{"email": ["a@b.c"], "password": "x"}', 422, "wrong_type", "email"),
        (b'{"email": "a", "password": "x"}', 422, "bad_value", "email"),
        (b'{"email": "a@b.c", "password": "x", "admin": true}', 422, "unknown_field", "admin"),
    ],
)
async def test_a_bad_body_is_refused_by_the_name_of_its_field(
    browser: Browser, raw: bytes, status: int, code: str, field: str | None
) -> None:
    headers = {"Content-Type": "application/json"}
    async with await browser.ask("POST", "/login", data=raw, headers=headers) as response:
        body = await problem(response, status)
    assert body["code"] == code
    assert body.get("field") == field


@pytest.mark.parametrize(
    ("path", "tree", "code", "field"),
    [
        ("/calls", {}, "missing_field", "to"),
        ("/calls", {"to": {}, "leg_id": LEG}, "bad_value", "to"),
        ("/calls", {"to": {"phone": "62811000"}}, "bad_value", ""),
        ("/calls", {"to": {"phone": "x"}, "leg_id": LEG}, "bad_value", "to.phone"),
        ("/calls", {"to": {"phone": "62811", "x": 1}, "leg_id": LEG}, "unknown_field", "to.x"),
        ("/calls", {"to": {"phone": "62811000"}, "leg_id": "../x"}, "bad_value", "leg_id"),
        ("/calls", {"to": {"phone": "62811000"}, "offer": ""}, "bad_value", "offer"),
        (f"/calls/{CALL}/answer", {}, "bad_value", ""),
        (f"/calls/{CALL}/answer", {"leg_id": LEG, "offer": "v=0"}, "bad_value", ""),
        (f"/calls/{CALL}/answer", {"offer": "v" * 32_769}, "bad_value", "offer"),
        (f"/calls/{CALL}/mute", {"muted": "true"}, "wrong_type", "muted"),
        (f"/calls/{CALL}/mute", {"muted": 1}, "wrong_type", "muted"),
        (f"/calls/{CALL}/hold", {}, "missing_field", "held"),
        (f"/calls/{CALL}/hangup", {"why": "x"}, "unknown_field", "why"),
        (f"/calls/{CALL}/decline", {"everyone": 0}, "wrong_type", "everyone"),
        ("/agent-legs", {"offer": 7}, "wrong_type", "offer"),
    ],
)
async def test_each_route_names_the_field_that_is_wrong(
    agent: Browser, path: str, tree: Any, code: str, field: str
) -> None:
    async with await agent.ask("POST", path, json=tree) as response:
        body = await problem(response, 422)
    assert (body["code"], body["field"]) == (code, field)


async def test_a_password_is_never_repeated_in_an_answer(browser: Browser) -> None:
    tree = {"email": "a", "password": "hunter2-secret"}
    async with await browser.ask("POST", "/login", json=tree) as response:
        assert "hunter2" not in await response.text()


@pytest.mark.parametrize(
    ("query", "code", "field"),
    [
        ("limit=0", "bad_value", "limit"),
        ("limit=x", "wrong_type", "limit"),
        ("limit=201", "bad_value", "limit"),
        ("direction=up", "bad_value", "direction"),
        ("live=maybe", "wrong_type", "live"),
        ("nope=1", "unknown_field", "nope"),
        ("limit=1&limit=2", "bad_value", "limit"),
        ("cursor=", "bad_value", "cursor"),
    ],
)
async def test_a_bad_query_is_refused_by_the_name_of_its_parameter(
    agent: Browser, query: str, code: str, field: str
) -> None:
    async with await agent.ask("GET", f"/calls?{query}") as response:
        body = await problem(response, 422)
    assert (body["code"], body["field"]) == (code, field)


@pytest.mark.parametrize(
    "content_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "", "x"],
)
async def test_what_a_form_could_send_is_refused(browser: Browser, content_type: str) -> None:
    headers = {"Content-Type": content_type}
    async with await browser.ask("POST", "/login", data=b"{}", headers=headers) as response:
        assert (await problem(response, 415))["code"] == "unsupported_media_type"


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        {"Content-Type": "application/json; charset=utf-16"},
    ],
)
async def test_only_plain_utf8_is_read(browser: Browser, headers: dict[str, str]) -> None:
    async with await browser.ask("POST", "/login", data=b"{}", headers=headers) as response:
        await problem(response, 415)


async def test_a_body_that_is_too_long_is_refused_before_it_is_read(browser: Browser) -> None:
    headers = {"Content-Type": "application/json"}
    raw = b'{"email":"' + b"a" * 300_000
    async with await browser.ask("POST", "/login", data=raw, headers=headers) as response:
        assert (await problem(response, 413))["code"] == "payload_too_large"


async def test_a_chunked_body_that_breaks_off_is_no_fault_of_ours(
    site: Site, browser: Browser
) -> None:
    async def broken() -> Any:
        yield b'{"email":'
        raise RuntimeError("the sender's own trouble")

    headers = {"Content-Type": "application/json"}
    with pytest.raises(Exception, match=r".*"):
        await browser.ask("POST", "/login", data=broken(), headers=headers)
    async with await browser.ask("GET", "/me") as response:
        await problem(response, 401)
    assert site.deps.metrics.requests.labels("/api/v1/login", "500")._value.get() == 0


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/nothing", 404),
        ("GET", f"/calls/{CALL.upper()}", 404),
        ("GET", "/calls/..%2f..%2fetc", 404),
        ("GET", f"/calls/{CALL}/nothing", 404),
        ("DELETE", "/calls", 405),
        ("GET", "/login", 405),
        ("PATCH", "/me", 405),
        ("OPTIONS", "/calls", 405),
        ("HEAD", "/calls", 405),
    ],
)
async def test_unknown_paths_and_methods_are_problems_too(
    browser: Browser, method: str, path: str, status: int
) -> None:
    async with await browser.ask(method, path) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"
        if status == 405:
            assert response.headers["Allow"]


# --- signing in ----------------------------------------------------------------------------


async def test_signing_in_sets_a_cookie_no_script_can_read(
    site: Site, browser: Browser
) -> None:
    me = await browser.sign_in(Role.AGENT)
    person = site.people[Role.AGENT]
    assert me == {
        "user": {
            "id": person.user_id,
            "name": "Agent",
            "email": "agent@example.com",
            "role": "agent",
        },
        "account": {"cid": "C-1", "name": "Toko Maju", "timezone": "Asia/Jakarta"},
        "numbers": [{"id": "200200200200200", "display": "+62 21 5090 0001"}],
        "availability": "away",
        "rtc": {"ice_servers": []},
        "limits": {"reattach_s": 45},
        "version": "0.1.0",
    }
    async with await browser.ask("GET", "/me") as response:
        assert await response.json() == me
        assert response.headers["Cache-Control"] == "no-store"
    entries = await site.deps.audit.recent(site.account.account_id, limit=10)
    assert "session.created" in {entry.action for entry in entries}


@pytest.mark.parametrize(
    ("headers", "name", "is_secure"),
    [
        ({}, "callgate", False),
        ({"Host": "localhost:8080"}, "callgate", False),
        ({"Host": "[::1]:8080"}, "callgate", False),
    ],
)
async def test_the_cookie_follows_the_scheme(
    browser: Browser, headers: dict[str, str], name: str, is_secure: bool
) -> None:
    origin = f"http://{headers['Host']}" if headers else browser.site.origin
    credentials = {"email": "agent@example.com", "password": PASSWORD}
    async with await browser.ask(
        "POST", "/login", json=credentials, headers={**headers, "Origin": origin}
    ) as response:
        assert response.status == 200
        cookie = response.headers["Set-Cookie"]
    assert cookie.startswith(f"{name}=")
    assert "HttpOnly" in cookie
    assert "SameSite=Strict" in cookie
    assert "Path=/" in cookie
    assert ("Secure" in cookie) is is_secure
    assert "Domain" not in cookie


async def test_a_password_in_clear_over_a_network_is_refused_unseen(browser: Browser) -> None:
    credentials = {"email": "agent@example.com", "password": PASSWORD}
    headers = {"Host": "calls.example.com", "Origin": "http://calls.example.com"}
    async with await browser.ask(
        "POST", "/login", json=credentials, headers=headers
    ) as response:
        assert (await problem(response, 403))["code"] == "insecure_origin"


async def test_wrong_and_unknown_look_the_same(browser: Browser) -> None:
    answers = []
    for email in ("agent@example.com", "nobody@example.com"):
        credentials = {"email": email, "password": "wrong password"}
        async with await browser.ask("POST", "/login", json=credentials) as response:
            answers.append(await problem(response, 401))
    assert answers[0] == answers[1]
    assert answers[0]["code"] == "wrong_password"


async def test_guessing_is_slowed_down(browser: Browser) -> None:
    credentials = {"email": "agent@example.com", "password": "wrong password"}
    for _ in range(40):
        async with await browser.ask("POST", "/login", json=credentials) as response:
            if response.status == 429:
                assert (await problem(response, 429))["code"] == "too_many_logins"
                assert int(response.headers["Retry-After"]) >= 1
                return
            await problem(response, 401)
    pytest.fail("nobody was stopped")


async def test_signing_out_ends_the_session_and_not_just_the_cookie(
    site: Site, browser: Browser
) -> None:
    await browser.sign_in(Role.AGENT)
    (cookie,) = browser.http.cookie_jar
    async with await browser.ask("POST", "/logout") as response:
        assert response.status == 204
    async with (
        ClientSession(cookies={"callgate": cookie.value}) as thief,
        thief.get(site.api("/me")) as response,
    ):
        assert (await problem(response, 401))["code"] == "not_signed_in"
    async with await browser.ask("POST", "/logout") as response:
        assert response.status == 204


async def test_a_planted_token_never_becomes_a_signed_in_one(
    site: Site, browser: Browser
) -> None:
    await browser.sign_in(Role.AGENT)
    (planted,) = browser.http.cookie_jar
    await browser.sign_in(Role.ADMIN)
    async with (
        ClientSession(cookies={"callgate": planted.value}) as thief,
        thief.get(site.api("/me")) as response,
    ):
        await problem(response, 401)


@pytest.mark.parametrize("token", ["", "x", "a" * 43, "a" * 5_000, "../../x"])
async def test_a_made_up_token_is_nobody(site: Site, token: str) -> None:
    async with (
        ClientSession() as http,
        http.get(site.api("/me"), headers={"Cookie": f"callgate={token}"}) as response,
    ):
        await problem(response, 401)


# --- origins -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "origin",
    [None, "null", "https://evil.example", "http://127.0.0.1", "https://127.0.0.1:{port}", ""],
)
async def test_another_sites_page_changes_nothing(
    site: Site, agent: Browser, origin: str | None
) -> None:
    ringing(site)
    agent.origin = None if origin is None else origin.format(port=site.port)
    for method, path in (
        ("POST", "/login"),
        ("POST", "/logout"),
        ("POST", f"/calls/{CALL}/hangup"),
        ("PUT", "/me/availability"),
        ("DELETE", f"/agent-legs/{LEG}"),
    ):
        async with await agent.ask(method, path) as response:
            assert (await problem(response, 403))["code"] == "foreign_origin"
    assert site.desk.done == []


# --- calls ---------------------------------------------------------------------------------


async def test_availability_is_kept(site: Site, agent: Browser) -> None:
    async with await agent.ask(
        "PUT", "/me/availability", json={"availability": "available"}
    ) as response:
        assert response.status == 204
    person = site.people[Role.AGENT]
    assert site.presence.chosen[person.user_id].value == "available"


async def test_dialling_hands_on_everything(site: Site, agent: Browser) -> None:
    async with await agent.ask(
        "POST",
        "/calls",
        json={
            "to": {"phone": "+628110000002", "user_id": "ID.77"},
            "number_id": "200200200200200",
            "offer": "v=0 offer",
        },
        headers={"Idempotency-Key": "try-1"},
    ) as response:
        assert response.status == 201
        body = await response.json()
    assert body["answer"] == "v=0 answer"
    assert body["call"]["state"] == "dialling"
    assert site.desk.done == [
        (
            "dial",
            Peer(phone="628110000002", user_id="ID.77"),
            "200200200200200",
            LegChoice(offer="v=0 offer"),
            "try-1",
        )
    ]


async def test_dialling_twice_with_one_key_is_one_call(agent: Browser) -> None:
    seen = set()
    for _ in range(2):
        async with await agent.ask(
            "POST",
            "/calls",
            json={"to": {"phone": "628110000002"}, "leg_id": LEG},
            headers={"Idempotency-Key": "the-key"},
        ) as response:
            body = await response.json()
            assert "answer" not in body
            seen.add(body["call"]["id"])
    assert len(seen) == 1


@pytest.mark.parametrize("key", ["", "k" * 201, "with space", "é"])
async def test_a_key_that_is_none_is_refused(agent: Browser, key: str) -> None:
    async with await agent.ask(
        "POST",
        "/calls",
        json={"to": {"phone": "628110000002"}, "leg_id": LEG},
        headers={"Idempotency-Key": key},
    ) as response:
        assert (await problem(response, 422))["field"] == "Idempotency-Key"


async def test_the_life_of_a_call(site: Site, agent: Browser) -> None:
    ringing(site)
    async with await agent.ask("GET", "/calls?live=true&direction=inbound&limit=7") as answer:
        page = await answer.json()
    assert [call["id"] for call in page["items"]] == [CALL]
    assert page["next_cursor"] is None
    async with await agent.ask("POST", f"/calls/{CALL}/answer", json={"leg_id": LEG}) as answer:
        taken = await answer.json()
    assert taken["call"]["agent"]["name"] == "Agent"
    for path, tree in (
        ("mute", {"muted": True}),
        ("hold", {"held": False}),
        ("decline", None),
        ("hangup", None),
        ("hangup", {}),
    ):
        async with await agent.ask("POST", f"/calls/{CALL}/{path}", json=tree) as answer:
            assert answer.status == 204, await answer.text()
            assert await answer.read() == b""
    async with await agent.ask(
        "POST", f"/calls/{CALL}/reattach", json={"offer": "v=0"}
    ) as answer:
        assert (await answer.json())["answer"] == "v=0 answer"
    assert [deed[0] for deed in site.desk.done] == [
        "page",
        "answer",
        "mute",
        "hold",
        "decline",
        "hang_up",
        "hang_up",
        "reattach",
    ]
    assert site.desk.done[0] == ("page", None, 7, Direction.INBOUND, True, None)
    assert site.desk.done[1] == ("answer", CALL, LegChoice(leg_id=LegId(LEG)))


@pytest.mark.parametrize(
    ("query", "peer"),
    [
        ("phone=%2B628110000002", Peer(phone="628110000002")),
        ("phone=628110000002", Peer(phone="628110000002")),
        ("user_id=ID.77", Peer(user_id="ID.77")),
        ("phone=628110000002&user_id=ID.77", Peer(phone="628110000002", user_id="ID.77")),
    ],
)
async def test_calls_with_one_person_are_asked_for(
    site: Site, agent: Browser, query: str, peer: Peer
) -> None:
    async with await agent.ask("GET", f"/calls?{query}") as answer:
        assert answer.status == 200, await answer.text()
    assert site.desk.done == [("page", None, 50, None, False, peer)]


async def test_ice_servers_reach_the_browser_without_empty_fields(
    template: Template, tmp_path: Path
) -> None:
    servers = (
        {"urls": ["stun:a"]},
        {"urls": ["turn:b", "turns:b"], "username": "u", "credential": "c"},
    )
    async with (
        site_from(template, tmp_path, ice_servers=servers) as site,
        browser_of(site) as browser,
    ):
        signed_in = await browser.sign_in(Role.AGENT)
        async with await browser.ask("GET", "/me") as response:
            assert signed_in == await response.json()
    assert signed_in["rtc"]["ice_servers"] == list(servers)


async def test_the_trace_counts_from_its_first_line(site: Site, agent: Browser) -> None:
    ringing(site)
    async with await agent.ask("GET", f"/calls/{CALL}/trace") as answer:
        lines = (await answer.json())["lines"]
    assert [(line["step"], line["offset_ms"]) for line in lines] == [
        ("connect", 0.0),
        ("accept", 250.0),
    ]
    assert lines[0]["at"].endswith(".250Z")


async def test_opening_and_closing_a_leg(agent: Browser) -> None:
    async with await agent.ask("POST", "/agent-legs", json={"offer": "v=0"}) as answer:
        assert answer.status == 201
        assert await answer.json() == {"leg_id": LEG, "answer": "v=0 answer"}
    async with await agent.ask("DELETE", f"/agent-legs/{LEG}") as answer:
        assert answer.status == 204


async def test_another_agents_call_is_not_there(site: Site, agent: Browser) -> None:
    other = AgentView("z" * 26, "Budi")
    site.desk.add(site.account.account_id, a_view(CALL, agent=other, state="talking"))
    for method, path, tree in (
        ("GET", "", None),
        ("GET", "/trace", None),
        ("POST", "/hangup", None),
        ("POST", "/mute", {"muted": True}),
        ("POST", "/answer", {"leg_id": LEG}),
    ):
        async with await agent.ask(method, f"/calls/{CALL}{path}", json=tree) as response:
            assert (await problem(response, 404))["code"] == "not_found"


async def test_only_leads_reject_for_everyone(site: Site) -> None:
    ringing(site)
    for role, status in ((Role.AGENT, 403), (Role.SUPERVISOR, 204), (Role.ADMIN, 204)):
        async with browser_of(site) as browser:
            await browser.sign_in(role)
            async with await browser.ask(
                "POST", f"/calls/{CALL}/decline", json={"everyone": True}
            ) as response:
                assert response.status == status


META = MetaFault(138006, "(#138006) no", "next call allowed at noon", fbtrace_id="T")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (Refused("call_taken", "Budi has taken it."), 409, "call_taken"),
        (Refused("agent_busy", "You are on a call."), 409, "agent_busy"),
        (BadSdp("There is no fingerprint."), 422, "bad_sdp"),
        (BadInput("That cursor is not ours."), 422, "bad_value"),
        (NotFound("x"), 404, "not_found"),
        (Forbidden("Not you."), 403, "forbidden"),
        (MediaAway("x"), 503, "media_away"),
        (MediaRefused("no_such_leg", "x"), 409, "leg_gone"),
        (MediaRefused("conflict", "not connected yet"), 409, "leg_not_ready"),
        (MediaRefused("limit", "full"), 503, "media_away"),
        (StoreDown("x"), 503, "store_down"),
        (VersionConflict("x"), 409, "conflict"),
        (NotOwner("x"), 409, "conflict"),
        (WhatsAppUnclear("x"), 503, "meta_unclear"),
        (WhatsAppRefused(META), 409, "no_permission"),
        (WhatsAppRefused(MetaFault(190, "expired")), 409, "token_invalid"),
        (WhatsAppRefused(MetaFault(100, "bad")), 409, "meta_refused"),
        (WhatsAppRefused(MetaFault(138005, "slow"), retry_after_s=9), 429, "rate_limited"),
        (WhatsAppRefused(MetaFault(0, "x"), retry_after_s=9), 503, "meta_unreachable"),
    ],
)
async def test_each_error_has_its_answer(
    site: Site, agent: Browser, error: CallgateError, status: int, code: str
) -> None:
    ringing(site)
    site.desk.raises = error
    async with await agent.ask("POST", f"/calls/{CALL}/hangup") as response:
        body = await problem(response, status)
    assert body["code"] == code
    fault = error.fault if isinstance(error, WhatsAppRefused) else None
    if fault is not None and fault.code:
        assert body["meta"] == {
            "code": fault.code,
            "message": fault.message,
            "details": fault.details,
        }
    if isinstance(error, WhatsAppRefused) and error.retry_after_s is not None:
        assert response.headers["Retry-After"] == "9"


async def test_a_fault_of_ours_is_answered_without_its_words(
    site: Site, agent: Browser
) -> None:
    ringing(site)
    site.desk.raises = KeyError("+628110000002")
    async with await agent.ask("POST", f"/calls/{CALL}/hangup") as response:
        body = await problem(response, 500)
    assert body["code"] == "internal"
    assert "628110000002" not in json.dumps(body)
