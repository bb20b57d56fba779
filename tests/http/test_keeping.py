"""How long recordings are kept and what goes when, over REST."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import insert

from gateway.adapters.sql_quota_schema import charges
from gateway.core.ids import CallId
from gateway.core.zones import local_day
from gateway.ports.accounts import Role
from tests.http.recorded import put
from tests.http.site import Browser, Site

MINUTE_MS = 60_000
CHANGE = {"version": 0, "when_full": "stop", "retention_days": 90, "encrypts": True}


@pytest.fixture
async def admin(browser: Browser) -> Browser:
    await browser.sign_in(Role.ADMIN)
    return browser


async def saved(browser: Browser, body: Any, status: int = 200) -> Any:
    async with await browser.ask("PUT", "/settings/keeping", json=body) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def got(browser: Browser, path: str = "", status: int = 200) -> Any:
    async with await browser.ask("GET", f"/settings/keeping{path}") as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


def today(site: Site) -> date:
    return local_day(site.clock.wall(), site.account.timezone)


async def made(site: Site, days_ago: int, **columns: Any) -> CallId:
    """A recording of a minute, made some days ago, under the rule of two years."""
    day = today(site) - timedelta(days=days_ago)
    columns = {"purge_day": "2090-01-01", "made_day": day.isoformat(), **columns}
    call_id = await put(site, b"1234567890", **columns)
    async with site.database.writing() as connection:
        row = {
            "call_id": call_id,
            "account_id": site.account.account_id,
            "settled_at": 1.0,
            "charged_ms": MINUTE_MS,
        }
        await connection.execute(insert(charges).values(row))
    return call_id


def counted(going: dict[str, Any]) -> tuple[int, int, int, int]:
    return going["recordings"], going["returned_ms"], going["bytes"], going["held"]


async def test_until_somebody_chooses_it_is_two_years_as_the_contract_has_it(
    browser: Browser,
) -> None:
    await browser.sign_in(Role.SUPERVISOR)
    assert await got(browser) == {
        "version": 0,
        "when_full": "auto",
        "retention_days": None,
        "encrypts": False,
        "retention_days_max": 36_600,
    }


async def test_a_change_moves_the_days_of_all_that_is_kept_and_is_audited(
    site: Site, admin: Browser
) -> None:
    call_id = await made(site, 10)
    shown = await saved(admin, CHANGE)
    assert shown == {**CHANGE, "version": 1, "retention_days_max": 36_600}
    assert await got(admin) == shown
    found = await site.deps.recording_life.find(site.account.account_id, call_id)
    assert found.purge_on == today(site) + timedelta(days=81)
    [entry] = [
        each
        for each in await site.deps.audit.recent(site.account.account_id, limit=20)
        if each.action == "settings.calls_changed"
    ]
    assert entry.actor == site.people[Role.ADMIN].user_id
    assert entry.fields == {"when_full": "stop", "retention_days": 90, "encrypts": True}
    back = await saved(admin, CHANGE | {"version": 1, "retention_days": None})
    assert (back["version"], back["retention_days"]) == (2, None)


async def test_of_two_who_change_at_once_the_second_is_told(admin: Browser) -> None:
    await saved(admin, CHANGE)
    assert (await saved(admin, CHANGE | {"retention_days": 5}, 409))[
        "code"
    ] == "settings_changed"
    assert (await got(admin))["retention_days"] == 90


@pytest.mark.parametrize("days", [0, -1, 36_601, 10**30])
async def test_no_such_time_is_refused_and_says_what_to_do(admin: Browser, days: int) -> None:
    refused = await saved(admin, CHANGE | {"retention_days": days}, 422)
    assert "1 to 36,600 days" in refused["detail"]
    assert "to remove them now, delete them" in refused["detail"]
    assert (await got(admin))["version"] == 0
    asked = await got(admin, f"/forecast?if_days={days}", 422)
    assert asked["detail"] == refused["detail"]


@pytest.mark.parametrize(
    "change",
    [
        {"retention_days": 1.5},
        {"retention_days": "90"},
        {"retention_days": True},
        {"when_full": "burst"},
        {"encrypts": "yes"},
        {"version": -1},
        {"more": 1},
    ],
)
async def test_what_is_no_rule_is_refused_by_name(
    admin: Browser, change: dict[str, Any]
) -> None:
    refused = await saved(admin, CHANGE | change, 422)
    assert refused["field"] == next(iter(change))
    assert (await got(admin))["version"] == 0


async def test_what_goes_is_told_by_day_with_its_minutes_and_what_is_held_apart(
    site: Site, admin: Browser
) -> None:
    for _ in range(2):
        await made(site, 80)
    await made(site, 80, held_at=1.0)
    await made(site, 5)
    await made(site, 80, state="trashed", trashed_at=1.0)
    await saved(admin, CHANGE)
    told = await got(admin, "/forecast?within_days=30")
    [day] = told["days"]
    assert day["on"] == str(today(site) + timedelta(days=11))
    assert counted(day) == counted(told["going"]) == (2, 2 * MINUTE_MS, 20, 1)
    assert counted(told["at_once"]) == (0, 0, 0, 0)
    assert counted(told["kept"]) == (3, 3 * MINUTE_MS, 30, 1)
    assert (told["today"], told["retention_days"]) == (str(today(site)), 90)
    assert told["until"] == str(today(site) + timedelta(days=30))
    whole = await got(admin, "/forecast?within_days=366")
    assert [day["recordings"] for day in whole["days"]] == [2, 1]


async def test_before_it_is_saved_a_shorter_time_tells_what_would_go(
    site: Site, admin: Browser
) -> None:
    for age in (700, 400, 20, 0):
        await made(site, age)
    assert (await got(admin, "/forecast"))["days"] == []
    shorter = await got(admin, "/forecast?if_days=365")
    assert counted(shorter["at_once"]) == (2, 2 * MINUTE_MS, 20, 0)
    assert shorter["retention_days"] == 365
    month = await got(admin, "/forecast?if_days=30&within_days=20")
    assert [(day["on"], day["recordings"]) for day in month["days"]] == [
        (str(today(site)), 2),
        (str(today(site) + timedelta(days=11)), 1),
    ]
    await saved(admin, CHANGE | {"retention_days": 365})
    assert counted((await got(admin, "/forecast"))["at_once"]) == counted(shorter["at_once"])
    longer = await got(admin, "/forecast?if_two_years=true")
    assert (longer["at_once"]["recordings"], longer["retention_days"]) == (0, None)
    assert (await got(admin))["version"] == 1, "asking changes nothing"


@pytest.mark.parametrize("days", ["-1", "367", "soon", ""])
async def test_how_far_ahead_is_bounded(admin: Browser, days: str) -> None:
    refused = await got(admin, f"/forecast?within_days={days}", 422)
    assert refused["field"] == "within_days"


async def test_supervisors_read_and_do_not_change_and_agents_see_nothing(
    site: Site, browser: Browser
) -> None:
    await browser.sign_in(Role.SUPERVISOR)
    await got(browser)
    await got(browser, "/forecast")
    await saved(browser, CHANGE, 403)
    await browser.sign_in(Role.AGENT)
    await got(browser, "", 403)
    await got(browser, "/forecast", 403)
    await saved(browser, CHANGE, 403)
    assert (await site.deps.recording_life.rules(site.account.account_id)).version == 0
