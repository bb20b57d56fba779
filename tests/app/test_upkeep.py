"""A gateway forgets what has served its time."""

from pathlib import Path

import pytest

from gateway.adapters.sql_inbox import SqlTombstones
from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import PhoneNumberId, Wacid
from gateway.foundation import open_foundation
from tests.app.conftest import gateway, settings_in, until

NUMBER = PhoneNumberId("106540352242922")


@pytest.mark.timeout(180)
async def test_what_is_old_is_gone_soon_after_the_start(folder: Path) -> None:
    settings = settings_in(folder)
    async with open_foundation(settings, SystemClock()) as stores:
        await stores.migrate()
        long_ago = SqlTombstones(stores.database, lambda: 0.0)
        await long_ago.bury(NUMBER, Wacid("wacid.old"), None)
        await stores.tombstones.bury(NUMBER, Wacid("wacid.new"), None)

        async def is_forgotten() -> bool:
            return not await stores.tombstones.is_buried(NUMBER, Wacid("wacid.old"))

        assert not await is_forgotten()
        async with gateway(settings):
            await until(is_forgotten)
        assert await stores.tombstones.is_buried(NUMBER, Wacid("wacid.new"))
