"""Sessions, API tokens and the audit, as people and programs meet them."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, WSMsgType

from gateway.adapters.sql_login_limit import LoginBounds, SqlLoginLimit
from gateway.http.deps import HttpLimits
from gateway.http.request_rates import BUCKETS_MAX, RequestRates
from gateway.ports.accounts import Role
from gateway.ports.audit import Deed
from tests.http.site import Browser, Site, Template, browser_of, site_from

DAY = 24 * 3600.0


@pytest.fixture
async def admin(site: Site, browser: Browser) -> Browser:
    await browser.sign_in(Role.ADMIN)
    return browser


@pytest.fixture
async def other(site: Site) -> AsyncIterator[Browser]:
    async with browser_of(site) as browser:
        yield browser


async def tree_of(response: ClientResponse, status: int = 200) -> Any:
    text = await response.text()
    assert response.status == status, text
    return json.loads(text)


async def read(browser: Browser, path: str) -> Any:
    async with await browser.ask("GET", path) as response:
        return await tree_of(response)


async def make_token(admin: Browser, **more: Any) -> Any:
    order = {"name": "CRM", "scopes": ["quota.read"], **more}
    async with await admin.ask("POST", "/tokens", json=order) as response:
        return await tree_of(response, 201)


async def with_token(browser: Browser, secret: str, path: str = "/quota") -> ClientResponse:
    headers = {"Authorization": f"Bearer {secret}"}
    return await browser.ask("GET", path, headers=headers)


async def deeds(browser: Browser, query: str = "") -> list[tuple[str, str | None]]:
    found = await read(browser, f"/audit?{query}")
    return [(each["action"], (each["actor"] or {}).get("name")) for each in found["items"]]


# --- tokens ----------------------------------------------------------------------------------


async def test_a_token_is_made_used_listed_and_revoked(admin: Browser, other: Browser) -> None:
    made = await make_token(admin, expires_in_days=30)
    secret, token = made["secret"], made["token"]
    assert (token["state"], token["scopes"], token["last_used_at"]) == (
        "live",
        ["quota.read"],
        None,
    )
    async with await with_token(other, secret) as response:
        assert (await tree_of(response))["capacity_ms"] == 0
    listed = await read(admin, "/tokens")
    assert secret not in json.dumps(listed)
    (found,) = listed["items"]
    assert found["last_used_at"]
    assert found["prefix"] == secret[: len(found["prefix"])]
    assert found["created_by"]["name"] == "Admin"
    async with await admin.ask("DELETE", f"/tokens/{token['id']}") as response:
        assert response.status == 204
    async with await with_token(other, secret) as response:
        body = await tree_of(response, 401)
        assert body["code"] == "bad_token"
        assert response.headers["WWW-Authenticate"] == "Bearer"
    assert (await read(admin, "/tokens"))["items"][0]["state"] == "revoked"


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic YTpi", "Bearer nothing", "Bearer " + "x" * 200],
)
async def test_what_is_no_token_opens_nothing_even_beside_a_live_session(
    admin: Browser, header: str
) -> None:
    headers = {"Authorization": header}
    async with await admin.ask("GET", "/quota", headers=headers) as response:
        assert (await tree_of(response, 401))["code"] == "bad_token"


async def test_a_token_in_clear_over_a_network_is_refused(
    admin: Browser, other: Browser
) -> None:
    secret = (await make_token(admin))["secret"]
    headers = {"Authorization": f"Bearer {secret}", "Host": "calls.example.com"}
    async with await other.ask("GET", "/quota", headers=headers) as response:
        assert (await tree_of(response, 403))["code"] == "insecure_origin"


async def test_a_token_in_the_address_or_a_cookie_opens_nothing(
    admin: Browser, other: Browser
) -> None:
    secret = (await make_token(admin))["secret"]
    for query in (f"?token={secret}", f"?access_token={secret}"):
        async with await other.ask("GET", f"/quota{query}") as response:
            await tree_of(response, 401)
    async with await other.ask(
        "GET", "/quota", headers={"Cookie": f"callgate={secret}"}
    ) as response:
        await tree_of(response, 401)


@pytest.mark.parametrize(
    ("more", "status", "code"),
    [
        ({"name": ""}, 422, "bad_value"),
        ({"name": "   "}, 422, "bad_value"),
        ({"scopes": []}, 422, "bad_value"),
        ({"scopes": ["everything"]}, 422, "bad_value"),
        ({"scopes": ["calls.dial"]}, 422, "bad_value"),
        ({"expires_in_days": 0}, 422, "bad_value"),
        ({"expires_in_days": 3_000}, 422, "bad_value"),
        ({"acts_for": "z" * 26}, 404, "not_found"),
    ],
)
async def test_an_order_that_cannot_be_is_named(
    admin: Browser, more: dict[str, Any], status: int, code: str
) -> None:
    order = {"name": "CRM", "scopes": ["quota.read"], **more}
    async with await admin.ask("POST", "/tokens", json=order) as response:
        assert (await tree_of(response, status))["code"] == code
    assert (await read(admin, "/tokens"))["items"] == []


async def test_a_token_that_acts_for_an_agent_may_no_more_than_the_agent(
    site: Site, admin: Browser, other: Browser
) -> None:
    agent = site.people[Role.AGENT]
    made = await make_token(
        admin, scopes=["calls.dial", "calls.read", "quota.read"], acts_for=agent.user_id
    )
    async with await with_token(other, made["secret"], "/quota") as response:
        assert (await tree_of(response, 403))["code"] == "forbidden"
    async with await with_token(other, made["secret"], "/calls") as response:
        await tree_of(response)
    dial = {"to": {"phone": "628110000002"}, "offer": "v=0"}
    headers = {"Authorization": f"Bearer {made['secret']}"}
    async with await other.ask("POST", "/calls", json=dial, headers=headers) as response:
        call = (await tree_of(response, 201))["call"]
    assert call["agent"]["name"] == agent.name


async def test_a_token_that_asks_too_often_has_to_wait(
    template: Template, tmp_path: Path
) -> None:
    limits = HttpLimits(token_requests_max=3)
    async with site_from(template, tmp_path, limits=limits) as site, browser_of(site) as admin:
        await admin.sign_in(Role.ADMIN)
        secret = (await make_token(admin))["secret"]
        for _ in range(3):
            async with await with_token(admin, secret) as response:
                await tree_of(response)
        async with await with_token(admin, secret) as response:
            assert (await tree_of(response, 429))["code"] == "rate_limited"
            assert 1 <= int(response.headers["Retry-After"]) <= 20
        await read(admin, "/quota")  # People are not counted with it.
        site.clock.shift_s += 21
        async with await with_token(admin, secret) as response:
            await tree_of(response)


def test_buckets_refill_and_are_bounded() -> None:
    rates = RequestRates(60)
    assert [rates.take("a", 0.0) for _ in range(60)] == [0.0] * 60
    assert rates.take("a", 0.0) == pytest.approx(1.0)
    assert rates.take("b", 0.0) == 0.0
    assert rates.take("a", 1.0) == 0.0
    assert rates.take("a", 0.5) > 0  # A clock that goes back gives nothing.
    for each in range(BUCKETS_MAX + 10):
        rates.take(f"other {each}", 2.0)
    assert len(rates._buckets) == BUCKETS_MAX


# --- sessions --------------------------------------------------------------------------------


async def test_a_person_sees_their_browsers_and_ends_one(
    site: Site, browser: Browser, other: Browser
) -> None:
    await browser.sign_in(Role.AGENT)
    await other.sign_in(Role.AGENT)
    sessions = (await read(browser, "/me/sessions"))["items"]
    assert [each["current"] for each in sessions].count(True) == 1
    foreign = next(each["id"] for each in sessions if not each["current"])
    async with await browser.ask("DELETE", f"/me/sessions/{foreign}") as response:
        assert response.status == 204
    async with await other.ask("GET", "/me") as response:
        await tree_of(response, 401)
    assert len((await read(browser, "/me/sessions"))["items"]) == 1


async def test_ending_all_others_keeps_this_one_and_closes_their_windows(
    site: Site, browser: Browser, other: Browser
) -> None:
    await browser.sign_in(Role.AGENT)
    await other.sign_in(Role.AGENT)
    async with other.http.ws_connect(
        site.api("/events"), headers={"Origin": site.origin}
    ) as socket:
        assert (await socket.receive_json())["type"] == "snapshot"
        async with await browser.ask("DELETE", "/me/sessions") as response:
            assert await tree_of(response) == {"count": 1}
        async for message in socket:
            assert message.type is WSMsgType.TEXT
        assert socket.close_code == 4401
    assert len((await read(browser, "/me/sessions"))["items"]) == 1


async def test_nobody_ends_what_is_not_their_own_session(
    browser: Browser, other: Browser
) -> None:
    await browser.sign_in(Role.AGENT)
    await other.sign_in(Role.ADMIN)
    theirs = (await read(other, "/me/sessions"))["items"][0]["id"]
    for wanted in (theirs, "0" * 64):
        async with await browser.ask("DELETE", f"/me/sessions/{wanted}") as response:
            assert (await tree_of(response, 404))["code"] == "not_found"
    await read(other, "/me")


async def test_an_admin_signs_a_person_out_everywhere(
    site: Site, admin: Browser, other: Browser
) -> None:
    await other.sign_in(Role.AGENT)
    people = (await read(admin, "/users"))["items"]
    agent = next(each for each in people if each["role"] == "agent")
    assert (agent["email"], agent["disabled"]) == ("agent@example.com", False)
    (session,) = (await read(admin, f"/users/{agent['id']}/sessions"))["items"]
    assert session["current"] is False
    async with await admin.ask("DELETE", f"/users/{agent['id']}/sessions") as response:
        assert await tree_of(response) == {"count": 1}
    async with await other.ask("GET", "/me") as response:
        await tree_of(response, 401)
    assert (await deeds(admin, f"subject={agent['id']}"))[0] == (
        Deed.SESSIONS_REVOKED,
        "Admin",
    )


async def test_too_many_wrong_passwords_are_told_how_long_to_wait(
    template: Template, tmp_path: Path
) -> None:
    async with site_from(template, tmp_path) as probe:
        limit = SqlLoginLimit(probe.database, key=b"k" * 32, bounds=LoginBounds(tries_max=2))
        folder = tmp_path / "second"
        folder.mkdir()
        async with (
            site_from(template, folder, login_limit=limit) as site,
            browser_of(site) as browser,
        ):
            wrong = {"email": "agent@example.com", "password": "wrong"}
            for _ in range(2):
                async with await browser.ask("POST", "/login", json=wrong) as response:
                    await tree_of(response, 401)
            async with await browser.ask("POST", "/login", json=wrong) as response:
                assert (await tree_of(response, 429))["code"] == "too_many_logins"
                assert 60 < int(response.headers["Retry-After"]) <= 900


# --- the audit -------------------------------------------------------------------------------


async def test_the_audit_tells_of_logins_refused_ones_and_tokens(
    site: Site, admin: Browser, other: Browser
) -> None:
    for email in ("agent@example.com", "nobody@example.com"):
        wrong = {"email": email, "password": "wrong"}
        async with await other.ask("POST", "/login", json=wrong) as response:
            await tree_of(response, 401)
    await other.sign_in(Role.SUPERVISOR)
    async with await other.ask("POST", "/logout") as response:
        assert response.status == 204
    made = await make_token(admin, scopes=["audit.read"])
    async with await with_token(other, made["secret"], "/audit") as response:
        lines = (await tree_of(response))["items"]
    known = {(each["action"], (each["actor"] or {}).get("name")) for each in lines}
    assert known >= {
        (Deed.SESSION_CREATED, "Admin"),
        (Deed.SESSION_REFUSED, None),
        (Deed.SESSION_CREATED, "Supervisor"),
        (Deed.SESSION_ENDED, "Supervisor"),
        (Deed.TOKEN_CREATED, "Admin"),
        (Deed.TOKEN_FIRST_USED, None),
    }
    refused = [each for each in lines if each["action"] == Deed.SESSION_REFUSED]
    assert [each["subject"] for each in refused] == [site.people[Role.AGENT].user_id]
    (first_use,) = [each for each in lines if each["action"] == Deed.TOKEN_FIRST_USED]
    assert first_use["token"] == {"id": made["token"]["id"], "name": "CRM"}
    assert made["secret"] not in json.dumps(lines)
    assert "wrong" not in json.dumps(lines)


async def test_the_audit_is_paged_and_filtered(admin: Browser) -> None:
    for name in ("one", "two", "three"):
        await make_token(admin, name=name)
    first = await read(admin, "/audit?action=token.created&limit=2")
    rest = await read(
        admin, f"/audit?action=token.created&limit=2&cursor={first['next_cursor']}"
    )
    names = [each["fields"]["name"] for each in first["items"] + rest["items"]]
    assert names == ["three", "two", "one"]
    assert rest["next_cursor"] is None
    today = first["items"][0]["at"][:10]
    assert await deeds(admin, "until=2020-01-01") == []
    assert await deeds(admin, f"since={today}&limit=1") != []
    assert await deeds(admin, "until=9999-12-31&since=0001-01-01&limit=1") != []
    refused = (
        "cursor=nonsense",
        "limit=0",
        "action=DROP",
        "since=yesterday",
        "until=0",
        "actor=x",
    )
    for query in refused:
        async with await admin.ask("GET", f"/audit?{query}") as response:
            await tree_of(response, 422)


def test_every_kind_of_deed_has_words() -> None:
    for language in ("en", "id"):
        page = Path(__file__).parents[2] / "web" / "src" / "i18n" / f"{language}.json"
        words = json.loads(page.read_text())["access"]["deed"]
        missing = [deed for deed in Deed if deed.replace(".", "_") not in words]
        assert not missing
