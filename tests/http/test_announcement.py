"""The account's own announcement over REST."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.announcement_files import AnnouncementFiles
from gateway.http.deps import HttpLimits
from gateway.ports.accounts import Role
from tests.adapters.recordings.test_announcement_files import sound
from tests.http.site import Browser, Site, Template, browser_of, site_from
from tests.http.test_call_settings import CHANGE, got, put

PATH = "/settings/calls/announcement"
LOCAL = CHANGE | {"mode": "local", "purpose": "", "transcription": False}


async def upload(browser: Browser, content: bytes, status: int = 200) -> Any:
    async with await browser.ask("PUT", PATH, data=content) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def heard(browser: Browser, status: int = 200) -> bytes:
    async with await browser.ask("GET", PATH) as response:
        assert response.status == status
        if status == 200:
            assert response.content_type == "audio/ogg"
            assert response.headers["Cache-Control"] == "private, no-store"
            assert response.headers["X-Content-Type-Options"] == "nosniff"
        return await response.read()


async def remove(browser: Browser, status: int = 204) -> Any:
    async with await browser.ask("DELETE", PATH) as response:
        assert response.status == status
        return await response.json(content_type=None) if status != 204 else None


async def test_what_was_uploaded_last_is_shown_and_played(site: Site, browser: Browser) -> None:
    me = await browser.sign_in(Role.ADMIN)
    assert (await got(browser))["announcement"] is None
    await heard(browser, 404)
    for content in (b"4000", b"2500"):
        shown = await upload(browser, content)
        assert shown["duration_ms"] == int(content)
        assert (await got(browser))["announcement"] == shown
        assert await heard(browser) == b"OggS" + content
    deeds = await site.deps.audit.recent(site.account.account_id, limit=9)
    changed = [each for each in deeds if each.action == "announcement.changed"]
    assert [each.actor for each in changed] == [me["user"]["id"]] * 2
    assert (await got(browser))["announcement_max_s"] == 60
    await remove(browser)
    await remove(browser)
    assert (await got(browser))["announcement"] is None


@pytest.mark.parametrize("code", ["no_audio", "silent", "too_long", "too_large"])
async def test_what_is_no_announcement_is_refused_and_leaves_the_old_one(
    browser: Browser, code: str
) -> None:
    await browser.sign_in(Role.ADMIN)
    await upload(browser, b"4000")
    refused = await upload(browser, code.encode(), 422)
    assert (refused["code"], refused["detail"]) == (
        f"announcement_{code}",
        f"refused as {code}",
    )
    assert await heard(browser) == b"OggS4000"


async def test_an_empty_upload_and_our_own_trouble_are_told_apart(browser: Browser) -> None:
    await browser.sign_in(Role.ADMIN)
    assert (await upload(browser, b"", 422))["code"] == "announcement_no_audio"
    assert (await upload(browser, b"down", 503))["code"] == "announcement_not_made"


async def test_an_upload_that_is_too_large_is_not_read_to_its_end(
    template: Template, tmp_path: Path
) -> None:
    limits = HttpLimits(announcement_bytes_max=1_000)
    async with site_from(template, tmp_path, limits=limits) as site, browser_of(site) as admin:
        await admin.sign_in(Role.ADMIN)
        await upload(admin, b"1" * 1_000)
        assert (await upload(admin, b"1" * 1_001, 413))["code"] == "payload_too_large"

        async def endless() -> Any:
            for _ in range(100):
                yield b"1" * 100
                await asyncio.sleep(0)

        async with await admin.ask("PUT", PATH, data=endless()) as response:
            assert response.status == 413


async def test_it_stays_while_calls_are_recorded_after_it(browser: Browser) -> None:
    await browser.sign_in(Role.ADMIN)
    await upload(browser, b"4000")
    await put(browser, LOCAL)
    refused = await remove(browser, 409)
    assert refused["code"] == "announcement_in_use"
    await put(browser, LOCAL | {"version": 1, "records": "none"})
    await remove(browser)


async def test_a_real_sound_file_is_taken_and_can_be_played(
    template: Template, tmp_path: Path
) -> None:
    maker = AnnouncementFiles(longest_s=5.0)
    async with (
        site_from(template, tmp_path, announcement_maker=maker) as site,
        browser_of(site) as admin,
    ):
        await admin.sign_in(Role.ADMIN)
        assert (await upload(admin, sound(2.0)))["duration_ms"] == 2_020
        assert (await heard(admin)).startswith(b"OggS")
        refused = await upload(admin, sound(6.0), 422)
        assert refused["code"] == "announcement_too_long"
        assert "5 seconds" in refused["detail"]


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
async def test_only_admins_change_it_and_supervisors_hear_it(
    site: Site, browser: Browser, role: Role
) -> None:
    async with browser_of(site) as admin:
        await admin.sign_in(Role.ADMIN)
        await upload(admin, b"4000")
    await browser.sign_in(role)
    await upload(browser, b"4000", 403)
    await remove(browser, 403)
    await heard(browser, 200 if role is Role.SUPERVISOR else 403)
