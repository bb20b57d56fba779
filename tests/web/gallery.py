"""The screens of the app in every state worth looking at, for pictures and for axe."""

from collections.abc import AsyncIterator

from playwright.async_api import Page, expect

from tests.web import softphone
from tests.web.fake_gateway import FakeGateway

TRACE = [
    (0, "webhook", "connect", {"delivery": "first", "age_ms": 212}),
    (3, "machine", "ringing", {"state": "ringing", "offered": 2}),
    (9, "media", "whatsapp_leg_made", {"ice": "controlling"}),
    (41, "graph", "pre_accept", {"http_status": 200, "fbtrace_id": "AbCdEf123"}),
    (186, "media", "dtls_up", {"role": "client"}),
    (4_210, "agent", "answered", {"leg": "up"}),
    (4_212, "machine", "connecting", {}),
    (4_260, "media", "agent_heard", {"packets": 1}),
    (4_402, "graph", "accept", {"http_status": 200}),
    (4_405, "machine", "talking", {}),
    (65_250, "webhook", "terminate", {"status": "COMPLETED", "duration_s": 60}),
    (65_262, "machine", "ended", {"outcome": "completed"}),
]
LEG = {"loss": 0.001, "jitter_ms": 4.2, "round_trip_ms": 38.0, "bars": 5}
RECORDING = {"written_ms": None, "ends_at": None, "duration_ms": None}
BAD_LEG = {"loss": 0.062, "jitter_ms": 31.0, "round_trip_ms": 210.0, "bars": 2}


def fill(gateway: FakeGateway) -> str:
    """A past to look at; returns a call with a trace."""
    people = [
        {"name": "Ratna Dewanti", "phone": "6281311112222"},
        {"username": "kopi.senja", "user_id": "ID.998877665544"},
        {"phone": "14155552671"},
        {"name": "Budi Santoso", "phone": "6281234567890", "user_id": "ID.134912086553"},
    ]
    outcomes = ["completed", "missed", "unanswered", "completed", "failed", "declined"]
    sari = {"id": "u1", "name": "Sari Wulandari"}
    call_id = ""
    for index, outcome in enumerate(outcomes * 6):
        is_done = outcome == "completed"
        started = f"2026-05-04T0{1 + index % 8}:1{index % 6}:05.000Z"
        call_id = gateway.finished_call(
            peer=people[index % 4],
            direction="outbound" if outcome in {"unanswered", "failed"} else "inbound",
            outcome=outcome,
            created_at=started,
            answered_at=started if is_done else None,
            ended_at=started.replace(":05.", ":47.") if is_done else started,
            agent=sari if is_done else None,
        )
    gateway.traces[call_id] = [
        {"at": "2026-05-04T03:00:00.000Z", "offset_ms": ms, "source": s, "step": w, "fields": f}
        for ms, s, w, f in TRACE
    ]
    return call_id


async def screens(page: Page, gateway: FakeGateway) -> AsyncIterator[str]:
    """Walk the signed-in page through its screens; yields the name of each."""
    call_id = fill(gateway)
    await page.reload()
    await expect(page.get_by_role("heading", name="Recent calls")).to_be_visible()
    await gateway.presence("u2", "Dewi Lestari", "busy")
    await expect(page.get_by_text("In a call")).to_be_visible()
    yield "phone-not-ready"
    gateway.refuse("agent-legs", "media_away", 503)
    await page.get_by_role("button", name="Go ready").click()
    await expect(page.locator("[data-check=path][data-state=failed]")).to_be_visible()
    yield "phone-check-failed"
    await page.get_by_role("button", name="Try again").click()
    await softphone.expect_status(page, "Ready")
    yield "phone-ready"
    live = await gateway.ring(["u1", "u2"])
    await expect(softphone.incoming(page)).to_be_visible()
    yield "phone-incoming"
    await softphone.answer(page)
    await gateway.pick_up(live)
    await softphone.expect_talking(page)
    stopped = RECORDING | {"state": "stopped", "reason": "quota"}
    quality = {"agent": LEG, "whatsapp": BAD_LEG}
    await gateway.change(live, quality=quality, recording=stopped)
    await softphone.mute(page)
    await gateway.notify("store_down")
    yield "phone-in-call"
    await softphone.open_page(page, "Calls")
    await expect(page.get_by_role("button", name="Show more")).to_be_visible()
    yield "calls-in-call"
    meta = {"code": 138021, "message": "No media received", "details": "None for 20 s"}
    problem = {"code": "meta_failed", "detail": "It failed.", "meta": meta}
    await gateway.end(live, "failed", problem=problem)
    await softphone.open_page(page, "Phone")
    await expect(page.get_by_text("Call ended after")).to_be_visible()
    yield "phone-ended"
    await page.goto(f"/calls/{call_id}")
    await page.get_by_role("switch", name="Show details of the steps").check()
    await expect(page.get_by_text("pre accept")).to_be_visible()
    yield "call"
    await softphone.open_page(page, "Settings")
    await expect(page.get_by_role("heading", name="Sound")).to_be_visible()
    yield "settings"
    await page.keyboard.press("?")
    await expect(page.get_by_role("dialog")).to_be_visible()
    yield "keys"
