"""The account's call settings over REST."""

from typing import Any

import pytest

from gateway.ports.accounts import Role
from tests.http.site import Browser, Site

CHANGE = {
    "version": 0,
    "records": "both",
    "mode": "official",
    "purpose": " quality  assurance ",
    "language": "es",
    "transcription": True,
    "transcription_alone": False,
}


async def put(browser: Browser, body: dict[str, Any], status: int = 200) -> Any:
    async with await browser.ask("PUT", "/settings/calls", json=body) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def got(browser: Browser) -> Any:
    async with await browser.ask("GET", "/settings/calls") as response:
        assert response.status == 200
        return await response.json()


async def test_nothing_is_recorded_until_somebody_chooses(browser: Browser) -> None:
    await browser.sign_in(Role.SUPERVISOR)
    shown = await got(browser)
    assert (shown["records"], shown["spoken"], shown["version"]) == ("none", None, 0)
    codes = [each["code"] for each in shown["languages"]]
    assert len(codes) == len(set(codes)) == 18
    assert shown["languages"][0]["recording"].endswith("for the following purpose:")


async def test_a_change_shows_what_will_be_spoken_and_is_audited(
    site: Site, browser: Browser
) -> None:
    me = await browser.sign_in(Role.ADMIN)
    shown = await put(browser, CHANGE)
    assert shown["version"] == 1
    assert shown["purpose"] == "quality assurance"
    assert shown["spoken"] == (
        "El audio de esta llamada se grabará y transcribirá con el siguiente propósito: "
        "quality assurance"
    )
    assert await got(browser) == shown
    [entry] = [
        each
        for each in await site.deps.audit.recent(site.account.account_id, limit=20)
        if each.action == "settings.calls_changed"
    ]
    assert entry.actor == me["user"]["id"]
    assert entry.fields["language"] == "es"


async def test_of_two_who_change_at_once_the_second_is_told(browser: Browser) -> None:
    await browser.sign_in(Role.ADMIN)
    await put(browser, CHANGE)
    refused = await put(browser, CHANGE | {"records": "none"}, 409)
    assert refused["code"] == "settings_changed"
    shown = await put(browser, CHANGE | {"version": 1, "records": "none"})
    assert (shown["version"], shown["records"]) == (2, "none")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"language": "id"}, "does not announce in 'id'"),
        ({"purpose": ""}, "write the purpose"),
        ({"purpose": "x" * 251}, "251 characters"),
        ({"mode": "local"}, "only WhatsApp transcribes"),
        ({"transcription": False, "transcription_alone": True}, "needs transcription"),
    ],
)
async def test_what_meta_would_refuse_is_refused_in_plain_words(
    browser: Browser, change: dict[str, Any], says: str
) -> None:
    await browser.sign_in(Role.ADMIN)
    refused = await put(browser, CHANGE | change, 422)
    assert says in refused["detail"]
    assert (await got(browser))["version"] == 0


async def test_local_recording_needs_an_announcement_and_no_words(browser: Browser) -> None:
    await browser.sign_in(Role.ADMIN)
    local = CHANGE | {"mode": "local", "purpose": "", "transcription": False}
    refused = await put(browser, local, 422)
    assert "upload the announcement first" in refused["detail"]
    shown = await put(browser, local | {"records": "none"})
    assert shown["version"] == 1
    async with await browser.ask(
        "PUT", "/settings/calls/announcement", data=b"4000"
    ) as response:
        assert response.status == 200
    shown = await put(browser, local | {"version": 1})
    assert shown["spoken"] is None
    assert shown["announcement"]["duration_ms"] == 4_000


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
async def test_only_admins_change_settings(browser: Browser, role: Role) -> None:
    await browser.sign_in(role)
    await put(browser, CHANGE, 403)
