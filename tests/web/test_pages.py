"""The pages around the phone: calls, one call, settings; narrow screens; accessibility."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.conftest import Rounds
from tests.web import softphone
from tests.web.conftest import WEB, OpenPage
from tests.web.fake_gateway import BUDI, FakeGateway
from tests.web.gallery import fill, screens

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]

AXE = WEB / "node_modules" / "axe-core" / "axe.min.js"
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21aa", "wcag22aa"]}}


async def serious_faults(page: Page) -> list[str]:
    """What axe finds of serious or critical impact; before an open dialog, in it alone."""
    await page.evaluate(AXE.read_text())
    # Colours fade in; contrast counts once they have arrived.
    await page.evaluate(
        "Promise.all(document.getAnimations().map(a => a.finished.catch(() => 0)))"
    )
    found: dict[str, Any] = await page.evaluate(
        "rules => axe.run(document.querySelector('[aria-modal=true]') ?? document, rules)",
        RULES,
    )
    return [
        f"{fault['id']}: {node['html']} {node['failureSummary']}"
        for fault in found["violations"]
        if fault["impact"] in {"serious", "critical"}
        for node in fault["nodes"]
    ]


SIGHTS = [(1280, "light"), (400, "dark"), (1280, "dark"), (400, "light")]


@pytest.mark.soak
@pytest.mark.parametrize(("width", "scheme"), SIGHTS)
async def test_every_screen_is_accessible_and_fits(
    open_page: OpenPage, gateway: FakeGateway, scheme: str, width: int, rounds: Rounds
) -> None:
    if (width, scheme) not in SIGHTS[: rounds(quick=2, soak=4)]:
        pytest.skip("the other two pairs of width and appearance are for the long run")
    page = await open_page(
        viewport={"width": width, "height": 800}, color_scheme=scheme, reduced_motion="reduce"
    )
    await page.goto("/")
    await expect(page.get_by_role("heading", name="Sign in")).to_be_visible()
    faults = [f"login: {fault}" for fault in await serious_faults(page)]
    await softphone.login(page, "sari@example.test", "secret")
    async for name in screens(page, gateway):
        faults += [f"{name}: {fault}" for fault in await serious_faults(page)]
        needed = await page.evaluate("document.documentElement.scrollWidth")
        if needed > width:
            faults.append(f"{name}: needs {needed} px")
    assert not faults, "\n".join(faults)


async def test_indonesian_is_complete_and_accessible(
    open_page: OpenPage, gateway: FakeGateway
) -> None:
    call_id = fill(gateway)
    page = await open_page(locale="id-ID")
    await page.goto("/")
    await page.get_by_label("Email").fill("sari@example.test")
    await page.get_by_role("textbox", name="Kata sandi").fill("secret")
    await page.get_by_role("button", name="Masuk").click()
    await expect(page.get_by_role("button", name="Saya siap")).to_be_visible()
    for path in ("/", "/calls", f"/calls/{call_id}", "/settings"):
        await page.goto(path)
        await expect(page.get_by_role("heading", level=1)).to_have_count(1)
        await expect(page.get_by_label("Memuat…")).to_have_count(0)
        faults = await serious_faults(page)
        assert not faults, "\n".join(faults)
    await expect(page.get_by_role("heading", name="Pengaturan")).to_be_visible()


async def test_the_list_pages_on_and_filters(page: Page, gateway: FakeGateway) -> None:
    fill(gateway)
    await softphone.open_page(page, "Calls")
    table = page.get_by_role("table")
    rows = table.locator("tbody tr")
    await expect(rows).to_have_count(25)
    await page.get_by_role("button", name="Show more").click()
    await expect(rows).to_have_count(36)
    await expect(page.get_by_role("button", name="Show more")).to_have_count(0)
    direction = page.get_by_role("radiogroup", name="Direction")
    await direction.get_by_text("Outbound").click()
    await expect(rows).to_have_count(12)
    await page.get_by_role("switch", name="Live only").check()
    await expect(page.get_by_text("No calls match.")).to_be_visible()


async def test_who_answered_is_shown_to_supervisors_only(
    page: Page, open_page: OpenPage, gateway: FakeGateway
) -> None:
    fill(gateway)
    await softphone.open_page(page, "Calls")
    await expect(page.get_by_role("table")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="Agent")).to_have_count(0)
    supervisor = await open_page()
    await softphone.login(supervisor, "agus@example.test", "secret")
    await softphone.open_page(supervisor, "Calls")
    await expect(supervisor.get_by_role("columnheader", name="Agent")).to_be_visible()


async def test_a_supervisor_may_reject_a_call_for_everyone(
    open_page: OpenPage, gateway: FakeGateway
) -> None:
    page = await open_page()
    await softphone.login(page, "agus@example.test", "secret")
    call_id = await gateway.ring(["u1", "u3"])
    await softphone.incoming(page).get_by_role("button", name="Reject for everyone").click()
    await expect(softphone.incoming(page)).to_have_count(0)
    assert gateway.calls[call_id]["outcome"] == "rejected"


async def test_the_trace_reads_as_a_ladder(page: Page, gateway: FakeGateway) -> None:
    call_id = fill(gateway)
    await page.goto(f"/calls/{call_id}")
    steps = page.get_by_role("list", name="What happened").get_by_role("listitem")
    await expect(steps).to_have_count(12)
    await expect(steps.nth(0)).to_contain_text("+0.000 s")
    await expect(steps.nth(0)).to_contain_text("Meta to Gateway")
    await expect(steps.nth(3)).to_contain_text("Gateway to Meta")
    await expect(steps.nth(5)).to_contain_text("Browser to Gateway")
    await expect(steps.nth(10)).to_contain_text("+1:05.250")
    await expect(steps.nth(3)).not_to_contain_text("AbCdEf123")
    await page.get_by_role("switch", name="Show details").check()
    await expect(steps.nth(3)).to_contain_text("AbCdEf123")


async def test_a_trace_that_is_not_for_this_role_is_said(
    page: Page, gateway: FakeGateway
) -> None:
    call_id = fill(gateway)
    gateway.forbid_trace = True
    await page.goto(f"/calls/{call_id}")
    await expect(page.get_by_text("shown to supervisors and administrators")).to_be_visible()


async def test_a_foreign_call_and_a_foreign_address_are_said(page: Page) -> None:
    await page.goto("/calls/call_nothing")
    await expect(page.get_by_text("There is no such call")).to_be_visible()
    await page.goto("/nowhere")
    await expect(page.get_by_role("heading", name="There is no such page.")).to_be_visible()


async def test_colleagues_show_with_what_they_do(page: Page, gateway: FakeGateway) -> None:
    await gateway.presence("u2", "Dewi Lestari", "busy")
    team = page.locator("section").filter(has=page.get_by_role("heading", name="Team"))
    dewi = team.get_by_role("listitem").filter(has_text="Dewi Lestari")
    await expect(dewi).to_contain_text("In a call")
    await gateway.presence("u2", "Dewi Lestari", "offline")
    await expect(dewi).to_have_count(0)


async def test_shortcuts_can_be_switched_off(page: Page, gateway: FakeGateway) -> None:
    await softphone.open_page(page, "Settings")
    await page.get_by_role("switch", name="Keyboard shortcuts").uncheck()
    await softphone.open_page(page, "Phone")
    await softphone.go_ready(page)
    await gateway.ring(["u1"])
    await expect(softphone.incoming(page)).to_be_visible()
    await page.keyboard.press("d")
    await page.keyboard.press("?")
    await expect(softphone.incoming(page)).to_contain_text(str(BUDI["name"]))
    await expect(page.get_by_role("dialog")).to_have_count(0)


async def test_nothing_is_left_on_the_window(page: Page) -> None:
    clean = await page.context.new_page()
    await clean.goto("/api/v1/me")
    plain = set(await clean.evaluate("Object.keys(window)"))
    ours = set(await page.evaluate("Object.keys(window)")) - plain
    assert ours == set()
