"""Deleting and holding recordings over REST: minutes at once, bytes later, holds respected."""

from typing import Any

import pytest
from sqlalchemy import select

from gateway.adapters.sql_recording_schema import recordings, stored_files
from gateway.adapters.sql_stored_files import FileOwner, MadeFile, keep_files
from gateway.core.ids import CallId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.recording.files import FileRole
from gateway.ports.accounts import Role
from gateway.ports.audit import Deed
from tests.adapters.quota.conftest import own
from tests.http.recorded import put
from tests.http.site import Browser, Site
from tests.http.test_library import deeds, elsewhere, got, ids

TALKED_MS = 61_500
OWNED_MS = 600_000
DAY_S = 86_400.0


@pytest.fixture
async def admin(site: Site, browser: Browser) -> Browser:
    await browser.sign_in(Role.ADMIN)
    await own(site.database, site.account.account_id, OWNED_MS, site.clock.wall())
    return browser


async def charged(site: Site, **columns: Any) -> CallId:
    """A recording whose minutes were charged and whose file has its row."""
    call_id = await put(site, duration_ms=TALKED_MS, **columns)
    account_id = site.account.account_id
    stamp = Stamp(site.clock.wall())
    await site.minutes.settle(call_id, account_id, Recorded(TALKED_MS), stamp)
    async with site.database.writing() as connection:
        made = MadeFile(f"{account_id}/{call_id}.ogg", FileRole.LOCAL, 11, "0" * 64)
        owner = FileOwner(call_id, account_id, None)
        await keep_files(connection, site.database, owner, [made], at=stamp.at)
    return call_id


async def asked(
    browser: Browser, method: str, path: str, status: int = 200, **body: Any
) -> Any:
    more = {"json": body} if body else {}
    async with await browser.ask(method, path, **more) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def free_ms(browser: Browser) -> int:
    return int((await got(browser, "/quota"))["free_ms"])


async def test_a_deleted_recording_is_unreachable_and_its_minutes_are_back_at_once(
    site: Site, admin: Browser
) -> None:
    call_id = await charged(site)
    assert await free_ms(admin) == OWNED_MS - TALKED_MS
    done = await asked(admin, "DELETE", f"/recordings/{call_id}")
    assert (done["ids"], done["returned_ms"]) == ([call_id], TALKED_MS)
    assert await free_ms(admin) == OWNED_MS
    assert site.returned == [site.account.account_id]
    assert await ids(admin) == []
    for path in ("/audio", "/download", "/audio.wav", "/peaks"):
        await got(admin, f"/recordings/{call_id}{path}", 404)
    ending = (await got(admin, f"/recordings/{call_id}"))["ending"]
    assert (ending["why"], ending["by"]) == ("hand", site.people[Role.ADMIN].user_id)
    assert ending["gone_after"] == done["gone_after"]
    assert await deeds(site, Deed.RECORDING_DELETED) == [call_id]


async def test_the_bytes_are_due_a_day_later(site: Site, admin: Browser) -> None:
    call_id = await charged(site)
    before = site.clock.wall()
    await asked(admin, "DELETE", f"/recordings/{call_id}")
    async with site.database.reading() as connection:
        rows = await connection.execute(select(stored_files.c.state, stored_files.c.due_at))
        [file] = rows.all()
    assert file.state == "doomed"
    assert before + DAY_S <= file.due_at <= site.clock.wall() + DAY_S


async def test_several_are_deleted_together(site: Site, admin: Browser) -> None:
    chosen = [await charged(site) for _ in range(3)]
    kept = await charged(site)
    done = await asked(admin, "POST", "/recordings/delete", ids=[*chosen, chosen[0]])
    assert (done["ids"], done["returned_ms"]) == (chosen, 3 * TALKED_MS)
    assert await ids(admin) == [kept]


async def test_a_held_recording_keeps_all_that_were_chosen_and_is_named(
    site: Site, admin: Browser
) -> None:
    free, held = await charged(site), await charged(site)
    await asked(admin, "PUT", f"/recordings/{held}/hold", why="court case 7")
    for method, path, body in (
        ("POST", "/recordings/delete", {"ids": [free, held]}),
        ("DELETE", f"/recordings/{held}", {}),
    ):
        problem = await asked(admin, method, path, 409, **body)
        assert problem["code"] == "recording_held"
        assert held in problem["detail"]
    assert sorted(await ids(admin)) == sorted([free, held])
    assert site.returned == []


async def test_a_hold_is_shown_and_ends_when_it_is_released(site: Site, admin: Browser) -> None:
    call_id = await charged(site)
    item = await asked(admin, "PUT", f"/recordings/{call_id}/hold", why=" court case 7 ")
    assert item["hold"]["why"] == "court case 7"
    assert item["hold"]["by"] == site.people[Role.ADMIN].user_id
    assert await ids(admin, "?held=true") == [call_id]
    for _ in range(2):
        item = await asked(admin, "DELETE", f"/recordings/{call_id}/hold")
        assert item["hold"] is None
    await asked(admin, "DELETE", f"/recordings/{call_id}")
    assert await deeds(site, Deed.RECORDING_HELD) == [call_id]
    assert await deeds(site, Deed.RECORDING_RELEASED) == [call_id]


@pytest.mark.parametrize("why", ["", "   ", "x" * 401])
async def test_a_hold_without_a_reason_is_refused(site: Site, admin: Browser, why: str) -> None:
    call_id = await charged(site)
    problem = await asked(admin, "PUT", f"/recordings/{call_id}/hold", 422, why=why)
    assert problem["field"] == "why"


async def test_what_is_not_there_is_not_deleted_nor_held(site: Site, admin: Browser) -> None:
    mine = await charged(site)
    gone = await charged(site)
    await asked(admin, "DELETE", f"/recordings/{gone}")
    for other in (CallId("z" * 26), await elsewhere(site), gone):
        await asked(admin, "DELETE", f"/recordings/{other}", 404)
        await asked(admin, "PUT", f"/recordings/{other}/hold", 404, why="mine")
        await asked(admin, "DELETE", f"/recordings/{other}/hold", 404)
        await asked(admin, "POST", "/recordings/delete", 404, ids=[mine, other])
    assert await ids(admin) == [mine]
    async with site.database.reading() as connection:
        held = await connection.scalar(select(recordings.c.held_at).limit(1))
    assert held is None


@pytest.mark.parametrize("wrong", [[], ["x"], ["c" * 26] * 201])
async def test_what_are_no_ids_is_refused(admin: Browser, wrong: list[str]) -> None:
    async with await admin.ask("POST", "/recordings/delete", json={"ids": wrong}) as response:
        assert response.status == 422


async def test_agents_delete_nothing_and_supervisors_hold_nothing(
    site: Site, browser: Browser
) -> None:
    call_id = await put(site)
    await browser.sign_in(Role.AGENT)
    await asked(browser, "DELETE", f"/recordings/{call_id}", 403)
    await asked(browser, "POST", "/recordings/delete", 403, ids=[call_id])
    await browser.sign_in(Role.SUPERVISOR)
    await asked(browser, "PUT", f"/recordings/{call_id}/hold", 403, why="x")
    await asked(browser, "DELETE", f"/recordings/{call_id}/hold", 403)
    assert await ids(browser) == [call_id]
