"""The pages of supervisors and admins in the states worth looking at, in any language."""

from collections.abc import AsyncIterator
from typing import Any

from playwright.async_api import Locator, Page, expect

from gateway.http.schemas import CallView
from tests.web.fake_gateway import FakeGateway, Json
from tests.web.fake_library import MINUTE_MS, a_line, a_quota
from tests.web.fake_office import going_on
from tests.web.gallery import fill
from tests.web.wording import Wording

OUTCOME: Json = {
    "verdict": "trimmed_to_quota",
    "final": False,
    "record": "official",
    "stored_ms": 38_020,
    "official_ms": 60_100,
    "local_ms": 38_020,
    "offset_ms": 120,
    "digest": "verified",
    "cut_by_quota": True,
}
PHONE = "6281311112222"
CUSTOMER: Json = {
    "names": ["Ratna Dewanti"],
    "calls": 9,
    "recordings": 6,
    "bytes": 4_812_331,
    "held": 1,
    "not_over": 1,
    "first_at": "2025-02-06T01:10:00.000Z",
    "last_at": "2026-05-04T03:00:00.000Z",
    "fits": True,
}
AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/141.0.0.0 Safari/537.36"
SARI: Json = {"id": "u1", "name": "Sari Wulandari"}
AYU: Json = {"id": "u4", "name": "Ayu Rahma"}


def fill_office(gateway: FakeGateway) -> str:
    """Recordings, minutes and all that admins see; returns a recorded call with words."""
    fill(gateway)
    recorded = [c for c in gateway.calls.values() if c["outcome"] == "completed"][:6]
    for place, call in enumerate(recorded):
        facts: dict[str, Any] = {"duration_ms": 42_000 + place * 61_000}
        if place == 1:
            facts |= {"verdict": "trimmed_to_quota", "cut_by_quota": True}
        if place == 2:
            facts["note"] = (
                "Promised a refund until Friday; call back if it has not come by then"
            )
        if place == 3:
            hold = {"at": "2026-05-04T04:00:00.000Z", "by": "u4", "why": "Court case 7"}
            facts |= {"hold": hold, "verdict": None}
        gateway.library.put(call["id"], **facts)
    gateway.quota = a_quota()
    kept = recorded[-1]["id"]
    gateway.library.lines = [
        a_line("settle", 38_020, kept),
        a_line("delete", -4 * MINUTE_MS, recorded[0]["id"], actor_id="u3"),
        a_line("top_up", 1_000 * MINUTE_MS, note="Add-on ADD-2026-7"),
    ]
    call = gateway.calls[kept]
    call["recording"] |= {"outcome": OUTCOME, "duration_ms": 38_020}
    call["transcript"] = True
    CallView.model_validate(call)
    gateway.library.transcripts[kept] = {
        "language": "id",
        "passages": [
            {"speaker": "business", "begin_ms": 400, "end_ms": 2_100, "text": "Selamat pagi."},
            {
                "speaker": "customer",
                "begin_ms": 2_400,
                "end_ms": 9_000,
                "text": "Pagi. Pesanan saya belum sampai, padahal sudah lima hari.",
            },
        ],
    }
    fill_desk(gateway, kept)
    return str(kept)


def fill_desk(gateway: FakeGateway, call_id: str) -> None:
    """Keeping, data requests, access and reconciliation."""
    office = gateway.office
    office.days = [going_on("2026-05-09", 4), going_on("2026-05-21", 12, held=1)]
    office.if_days = {"90": [going_on("2026-05-04", 1_204, held=3), going_on("2026-05-20", 40)]}
    office.kept = going_on("", 2_310, held=3) | {}
    del office.kept["on"]
    office.customers = {PHONE: CUSTOMER}
    office.tokens = [
        {
            "id": f"t{place}",
            "name": name,
            "prefix": "cg_4fK2",
            "scopes": ["calls.read", "recordings.read"],
            "acts_for": None,
            "created_by": AYU,
            "created_at": "2026-03-01T02:00:00.000Z",
            "expires_at": "2027-03-01T02:00:00.000Z",
            "last_used_at": None if place else "2026-05-04T02:11:00.000Z",
            "state": "revoked" if place else "live",
        }
        for place, name in enumerate(["CRM of the shop", "Old export"])
    ]
    office.deeds = [
        {
            "at": "2026-05-04T03:20:00.000Z",
            "action": action,
            "actor": actor,
            "token": None,
            "subject": subject,
            "fields": fields,
        }
        for action, actor, subject, fields in (
            ("recording.deleted", SARI, call_id, {"why": "hand", "returned_ms": 240_000}),
            ("settings.calls_changed", AYU, "a1", {"when_full": "stop", "encrypts": True}),
            ("customer.erased", AYU, "a1", {"calls": 3}),
            ("session.created", SARI, "u1", {}),
            ("recording.purged", None, call_id, {"why": "retention"}),
        )
    ]
    office.sessions = [
        {
            "id": f"{place:064x}",
            "created_at": "2026-05-03T01:00:00.000Z",
            "last_seen_at": "2026-05-04T03:00:00.000Z",
            "expires_at": "2026-06-03T01:00:00.000Z",
            "browser": AGENT,
            "current": place == 0,
        }
        for place in range(2)
    ]
    person = {"name": "Ratna Dewanti", "phone": PHONE}
    office.open = [
        {
            "call_id": call_id,
            "direction": "inbound",
            "peer": person,
            "ended_at": "2026-05-04T02:00:00.000Z",
            "verdict": None,
            "waits_for": waits_for,
            "until": until,
            "at_risk": until is None,
            "tries": tries,
            "trouble": "503 from Meta" if tries else "",
            "next_try_at": None,
        }
        for waits_for, until, tries in (
            ("fetch", "2026-05-11T02:00:00.000Z", 4),
            ("lost", None, 0),
        )
    ]
    office.report = [
        {
            "day": f"2026-05-0{day}",
            "calls": 40 + day,
            "undecided": day % 2,
            "verdicts": {"matched": 38, "trimmed_to_quota": day, "local_only": 1},
            "stored_ms": 7_412_000,
            "charged_ms": 7_100_000,
            "official_ms": 7_500_000,
            "local_ms": 7_411_000,
            "difference_ms": -320,
        }
        for day in range(1, 4)
    ]


async def login_in(page: Page, say: Wording, email: str) -> None:
    """Sign in where the app speaks that language."""
    await page.goto("/")
    await page.get_by_label(say("login.email")).fill(email)
    await page.get_by_role("textbox", name=say("login.password")).fill("secret")
    await page.get_by_role("button", name=say("login.submit")).click()
    await expect(
        page.get_by_role("navigation", name=say("app.navigation")).first
    ).to_be_visible()


async def office_screens(page: Page, gateway: FakeGateway, say: Wording) -> AsyncIterator[str]:
    """Walk an admin's page through the screens; yields the name of each."""
    kept = fill_office(gateway)
    async for name in _recordings(page, say):
        yield name
    await page.goto("/calls")
    await expect(page.get_by_test_id("quota-panel")).to_be_visible()
    await expect(page.get_by_role("table")).to_be_visible()
    yield "calls-of-admin"
    await page.goto(f"/calls/{kept}")
    await expect(page.get_by_test_id("verdict")).to_be_visible()
    await expect(page.get_by_test_id("waves")).to_be_visible()
    await expect(page.get_by_text("Selamat pagi.")).to_be_visible()
    yield "call-recorded"
    await page.goto("/minutes")
    await expect(page.get_by_role("table")).to_have_count(2)
    yield "minutes"
    await page.goto("/reconciliation")
    await expect(page.get_by_role("table")).to_have_count(2)
    yield "reconciliation"
    async for name in _settings(page, say):
        yield name
    async for name in _access(page, say):
        yield name
    async for name in _data_requests(page, say):
        yield name


async def _recordings(page: Page, say: Wording) -> AsyncIterator[str]:
    await page.goto("/recordings")
    rows = page.get_by_test_id("recording-row")
    await expect(rows).to_have_count(6)
    yield "recordings"
    first = rows.first
    who = await first.locator("strong").inner_text()
    await first.get_by_role("button", name=say("player.open", who=who)).click()
    await expect(page.get_by_test_id("waves")).to_be_visible()
    await dialog(page).get_by_role("button", name=say("player.pause")).click()
    yield "recordings-player"
    await page.keyboard.press("Escape")
    await first.get_by_role("checkbox").check()
    await rows.nth(2).get_by_role("checkbox").check()
    yield "recordings-chosen"
    await first.get_by_role("button", name=say("library.delete_of", who=who)).click()
    await expect(dialog(page)).to_be_visible()
    yield "recordings-delete"
    await page.keyboard.press("Escape")
    await first.get_by_role("button", name=say("library.hold_of", who=who)).click()
    await expect(dialog(page)).to_be_visible()
    yield "recordings-hold"
    await page.keyboard.press("Escape")


async def _settings(page: Page, say: Wording) -> AsyncIterator[str]:
    await page.goto("/settings")
    await page.get_by_role("tab", name=say("settings.recording")).click()
    await expect(page.get_by_test_id("going")).to_be_visible()
    await page.get_by_role("radio", name=say("keeping.own_days")).check()
    await page.get_by_text(say("keeping.by_day")).click()
    yield "settings-recording"
    await page.get_by_label(say("keeping.days"), exact=True).fill("90")
    keeping = page.locator("section[aria-labelledby=keeping]")
    await keeping.get_by_role("button", name=say("keeping.save")).click()
    await expect(page.get_by_test_id("would-go")).to_be_visible()
    yield "settings-keeping-shorter"


async def _access(page: Page, say: Wording) -> AsyncIterator[str]:
    await page.goto("/access")
    await expect(page.get_by_role("table")).to_be_visible()
    yield "access-tokens"
    await page.get_by_role("tab", name=say("access.people")).click()
    await expect(page.get_by_text("dewi@example.test")).to_be_visible()
    yield "access-people"
    await page.get_by_role("tab", name=say("access.audit")).click()
    await expect(page.get_by_role("table")).to_be_visible()
    yield "access-audit"
    await page.goto("/sessions")
    await expect(page.get_by_role("table")).to_be_visible()
    yield "sessions"


async def _data_requests(page: Page, say: Wording) -> AsyncIterator[str]:
    await page.goto("/data-requests")
    await page.get_by_label(say("customers.phone")).fill(f"+{PHONE}")
    await page.get_by_role("button", name=say("customers.find")).click()
    await expect(page.get_by_test_id("found")).to_be_visible()
    yield "data-requests"
    await page.get_by_role("button", name=say("customers.erase")).click()
    await dialog(page).get_by_label(say("customers.type", name=PHONE)).fill(PHONE)
    yield "data-requests-erase"
    await dialog(page).get_by_role("button", name=say("customers.confirm")).click()
    await expect(page.get_by_text(say("customers.erased_in_part"))).to_be_visible()
    yield "data-requests-erased"


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog")
