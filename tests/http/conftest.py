"""A fresh site for each test, from a database that was migrated once."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.http.site import Browser, Site, Template, browser_of, make_template, site_from


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    path = tmp_path_factory.mktemp("http") / "template.db"
    with asyncio.Runner() as runner:
        return runner.run(make_template(path))


@pytest.fixture
async def site(template: Template, tmp_path: Path) -> AsyncIterator[Site]:
    async with site_from(template, tmp_path) as site:
        yield site


@pytest.fixture
async def browser(site: Site) -> AsyncIterator[Browser]:
    async with browser_of(site) as browser:
        yield browser
