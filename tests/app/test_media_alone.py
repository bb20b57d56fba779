"""`callgate media`: a worker of its own, which the gateway finds and does not replace."""

from pathlib import Path

import pytest

from gateway.demo.processes import listener_pid
from tests.app.conftest import gateway, settings_in
from tests.app.media_unit import media_process, media_unit

pytestmark = pytest.mark.timeout(180)


async def test_the_gateway_works_with_a_worker_that_runs_on_its_own(folder: Path) -> None:
    settings = settings_in(folder, media_start_worker=False)
    async with media_unit(folder) as unit:
        async with gateway(settings):
            assert listener_pid(settings.media_socket) == unit.pid
        assert await unit.wait() == 0
    assert not (folder / "media" / "worker.log").exists()


async def test_a_second_worker_on_the_same_socket_refuses(folder: Path) -> None:
    async with media_unit(folder) as first, media_process(folder) as second:
        assert await second.wait() == 2
        assert first.returncode is None
