"""The app in front of a real gateway's REST, with real stores, for tests of whole pages."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page

from gateway.ports.accounts import Role
from tests.http.site import PASSWORD, Site, Template, make_template, site_from
from tests.web import softphone


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    return await make_template(tmp_path_factory.mktemp("access") / "template.db")


@pytest_asyncio.fixture(loop_scope="session")
async def site(template: Template, tmp_path: Path, dist: Path) -> AsyncIterator[Site]:
    async with site_from(template, tmp_path, web_root=dist) as site:
        yield site


@pytest_asyncio.fixture(loop_scope="session")
async def admin(browser: Browser, site: Site) -> AsyncIterator[Page]:
    context = await softphone.context_for(browser, site.origin)
    page = await context.new_page()
    await sign_in(page, Role.ADMIN)
    yield page
    await context.close()


async def sign_in(page: Page, role: Role) -> None:
    await page.goto("/")
    await softphone.login(page, f"{role}@example.com", PASSWORD)
