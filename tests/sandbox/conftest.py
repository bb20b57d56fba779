from collections.abc import AsyncIterator

import pytest

from tests.sandbox.business import Business


@pytest.fixture
async def business() -> AsyncIterator[Business]:
    async with Business() as business:
        yield business
