"""Recording minutes over REST: what supervisors see is what the ledger holds."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from gateway.core.ids import CallId, UserId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import BudgetId, WorkerId
from gateway.core.quota.ledger import EntryKind
from gateway.ports.accounts import Role
from tests.adapters.quota.conftest import own
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import an_account
from tests.http.site import Browser, Site

JAKARTA = ZoneInfo("Asia/Jakarta")


@pytest.fixture
async def supervisor(site: Site, browser: Browser) -> Browser:
    await browser.sign_in(Role.SUPERVISOR)
    await own(site.database, site.account.account_id, 600_000, site.clock.wall())
    return browser


async def charge(site: Site, call: str, recorded_ms: int, *, at: float | None = None) -> None:
    stamp = Stamp(site.clock.wall() if at is None else at)
    recorded = Recorded(recorded_ms)
    await site.minutes.settle(CallId(call), site.account.account_id, recorded, stamp)


async def got(browser: Browser, path: str, status: int = 200) -> Any:
    async with await browser.ask("GET", path) as response:
        assert response.status == status, await response.text()
        return await response.json(content_type=None)


async def test_the_balance_adds_up(site: Site, supervisor: Browser) -> None:
    await charge(site, "one", 61_500)
    account_id = site.account.account_id
    assert await site.minutes.take_hold(account_id, CallId("two"), now=site.clock.wall())
    quota = await got(supervisor, "/quota")
    assert (quota["capacity_ms"], quota["used_ms"], quota["reserved_ms"]) == (
        600_000,
        61_500,
        1_000,
    )
    assert quota["free_ms"] == 600_000 - 61_500 - 1_000
    assert (quota["overdrawn_ms"], quota["suspense_ms"], quota["level"]) == (0, 0, 0)
    assert (quota["empty_at"], quota["captures"]) == (None, [])


async def test_an_account_without_minutes_has_zeros(site: Site, browser: Browser) -> None:
    await browser.sign_in(Role.ADMIN)
    quota = await got(browser, "/quota")
    assert quota["capacity_ms"] == quota["free_ms"] == quota["version"] == 0
    assert await got(browser, "/quota/ledger") == {"items": [], "next_cursor": None}
    assert (await got(browser, "/quota/usage"))["days"] == []


async def test_minutes_of_a_dead_worker_are_told_apart(site: Site, supervisor: Browser) -> None:
    account_id, call, worker = site.account.account_id, CallId("two"), WorkerId("w")
    await site.minutes.take_hold(account_id, call, now=site.clock.wall())
    await site.minutes.open_capture(call, account_id, worker, fresh=BudgetId("b"))
    await site.minutes.suspend_worker(worker)
    quota = await got(supervisor, "/quota")
    assert quota["suspense_ms"] == quota["reserved_ms"] == 1_000


async def test_every_entry_is_listed_once_newest_first(site: Site, supervisor: Browser) -> None:
    for number in range(5):
        await charge(site, f"call-{number}", 1_000 * (number + 1))
    actor = site.people[Role.SUPERVISOR].user_id
    stamp = Stamp(site.clock.wall(), actor=UserId(actor), note="by hand")
    await site.minutes.return_minutes(
        CallId("call-4"), site.account.account_id, kind=EntryKind.DELETE, stamp=stamp
    )
    seen: list[dict[str, Any]] = []
    cursor = ""
    while True:
        page = await got(supervisor, f"/quota/ledger?limit=2{cursor}")
        assert len(page["items"]) <= 2
        seen += page["items"]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert [line["kind"] for line in seen] == ["delete", *["settle"] * 5, "capacity_change"]
    newest, oldest = seen[0], seen[-1]
    assert (newest["amount_ms"], newest["actor_id"], newest["note"]) == (
        -5_000,
        actor,
        "by hand",
    )
    assert (newest["capacity_ms"], newest["used_ms"]) == (600_000, 10_000)
    assert (oldest["amount_ms"], oldest["call_id"], oldest["actor_id"]) == (600_000, None, None)
    quota = await got(supervisor, "/quota")
    assert quota["used_ms"] == newest["used_ms"]


async def test_use_is_counted_by_the_accounts_own_day(site: Site, supervisor: Browser) -> None:
    midnight = datetime(2026, 3, 10, tzinfo=JAKARTA)
    await charge(site, "late", 1_000, at=(midnight - timedelta(seconds=1)).timestamp())
    await charge(site, "early", 2_500, at=midnight.timestamp())
    usage = await got(supervisor, "/quota/usage?until=2026-03-10&days=2")
    assert usage["timezone"] == "Asia/Jakarta"
    first, second = usage["days"]
    assert (first["day"], first["recorded_ms"], first["calls"]) == ("2026-03-09", 1_000, 1)
    assert (second["day"], second["recorded_ms"], second["calls"]) == ("2026-03-10", 2_500, 1)


async def test_without_days_the_last_month_is_shown(site: Site, supervisor: Browser) -> None:
    usage = await got(supervisor, "/quota/usage")
    today = datetime.fromtimestamp(site.clock.wall(), UTC).astimezone(JAKARTA).date()
    assert usage["until"] == today.isoformat()
    assert usage["since"] == (today - timedelta(days=30)).isoformat()


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("/quota/usage?until=yesterday", "until"),
        ("/quota/usage?until=2026-02-30", "until"),
        ("/quota/usage?until=10000-01-01", "until"),
        ("/quota/usage?days=0", "days"),
        ("/quota/usage?days=367", "days"),
        ("/quota/usage?since=2026-03-10", "since"),
        ("/quota/usage?until=0", "until"),
        ("/quota/ledger?limit=0", "limit"),
        ("/quota/ledger?limit=201", "limit"),
        ("/quota/ledger?limit=many", "limit"),
        ("/quota/ledger?cursor=", "cursor"),
        ("/quota/ledger?cursor=%C2%B2", "cursor"),
        ("/quota/ledger?cursor=-1", "cursor"),
        (f"/quota/ledger?cursor={'9' * 30}", "cursor"),
    ],
)
async def test_what_cannot_be_asked_is_named(
    supervisor: Browser, path: str, field: str
) -> None:
    problem = await got(supervisor, path, status=422)
    assert problem["field"] == field
    assert problem["detail"]


@pytest.mark.parametrize("until", ["0001-01-01", "9999-12-31"])
async def test_days_at_the_ends_of_the_calendar_are_empty(
    supervisor: Browser, until: str
) -> None:
    assert (await got(supervisor, f"/quota/usage?until={until}&days=366"))["days"] == []


async def test_nobody_sees_another_accounts_minutes(site: Site, supervisor: Browser) -> None:
    other = await an_account(site.database, Wall())
    now = site.clock.wall()
    await own(site.database, other.account_id, 5_000, now)
    await site.minutes.settle(CallId("far"), other.account_id, Recorded(4_000), Stamp(now))
    assert (await got(supervisor, "/quota"))["capacity_ms"] == 600_000
    assert (await got(supervisor, "/quota/usage"))["days"] == []
    lines = (await got(supervisor, "/quota/ledger"))["items"]
    assert [line["kind"] for line in lines] == ["capacity_change"]
