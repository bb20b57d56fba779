"""Access in the browser, against a real gateway's REST: tokens, people, the audit, sessions."""

import pytest
from aiohttp import ClientSession
from playwright.async_api import Browser, Page, expect

from gateway.ports.accounts import Role
from tests.http.site import Site
from tests.web import softphone
from tests.web.real_site import admin, sign_in, site, template
from tests.web.test_pages import serious_faults

pytestmark = [
    pytest.mark.browser,
    pytest.mark.timeout(240),
    pytest.mark.asyncio(loop_scope="session"),
]


__all__ = ["admin", "site", "template"]


async def status_with(site: Site, secret: str) -> int:
    headers = {"Authorization": f"Bearer {secret}"}
    async with (
        ClientSession() as http,
        http.get(site.api("/quota"), headers=headers) as response,
    ):
        return response.status


async def test_an_admin_makes_a_token_sees_its_secret_once_and_revokes_it(
    admin: Page, site: Site
) -> None:
    await admin.get_by_role("button", name="Account of Admin").click()
    await admin.get_by_role("menuitem", name="Access and audit").click()
    await expect(admin.get_by_text("There are no tokens yet.")).to_be_visible()
    await admin.get_by_role("button", name="New token").click()
    form = admin.get_by_role("dialog")
    make = form.get_by_role("button", name="Make the token")
    await expect(make).to_be_disabled()
    await form.get_by_role("textbox", name="Name").fill("CRM of the shop")
    await form.get_by_label("Start and end calls").check()
    await expect(make).to_be_disabled()
    await form.get_by_label("Start and end calls").uncheck()
    await form.get_by_label("See recording minutes").check()
    assert await serious_faults(admin) == []
    await make.click()
    secret = await admin.get_by_test_id("secret").inner_text()
    assert await status_with(site, secret) == 200
    assert await serious_faults(admin) == []
    await admin.get_by_role("button", name="I have it").click()
    row = admin.get_by_role("row", name="CRM of the shop")
    await expect(row).to_contain_text("Live")
    await expect(admin.get_by_text(secret)).to_have_count(0)
    await row.get_by_role("button", name="Revoke CRM of the shop").click()
    await admin.get_by_role("dialog").get_by_role("button", name="Revoke").click()
    await expect(row).to_contain_text("Revoked")
    assert await status_with(site, secret) == 401


async def test_the_audit_tells_who_did_what_and_filters(admin: Page, site: Site) -> None:
    await admin.goto("/access")
    await admin.get_by_role("tab", name="Audit").click()
    table = admin.get_by_role("table", name="Audit")
    await expect(table.get_by_role("row", name="Signed in")).to_be_visible()
    assert await serious_faults(admin) == []
    await admin.get_by_label("From", exact=True).fill("2099-01-01")
    await expect(admin.get_by_text("Nothing matches.")).to_be_visible()


async def test_an_admin_signs_somebody_out_and_people_end_their_own_sessions(
    admin: Page, browser: Browser, site: Site
) -> None:
    context = await softphone.context_for(browser, site.origin)
    agent = await context.new_page()
    await sign_in(agent, Role.AGENT)
    await agent.get_by_role("button", name="Account of Agent").click()
    await expect(agent.get_by_role("menuitem", name="Access and audit")).to_have_count(0)
    await agent.get_by_role("menuitem", name="Where I am signed in").click()
    await expect(agent.get_by_text("This one")).to_be_visible()
    assert await serious_faults(agent) == []
    await admin.goto("/access")
    await admin.get_by_role("tab", name="People").click()
    assert await serious_faults(admin) == []
    await admin.get_by_role("button", name="Sign out Agent").click()
    await admin.get_by_role("dialog").get_by_role("button", name="Sign out").click()
    await expect(agent.get_by_role("heading", name="Sign in")).to_be_visible()
    await sign_in(agent, Role.AGENT)
    other = await browser.new_context(base_url=site.origin)
    elsewhere = await other.new_page()
    await sign_in(elsewhere, Role.AGENT)
    await agent.goto("/sessions")
    await agent.get_by_role("button", name="Sign out everywhere else").click()
    await expect(elsewhere.get_by_role("heading", name="Sign in")).to_be_visible()
    await expect(agent.get_by_role("row")).to_have_count(2)
    await context.close()
    await other.close()
