"""What `/readyz` and `/metrics` say of a whole gateway while its parts go and come."""

import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession
from prometheus_client.parser import text_string_to_metric_families

from gateway.app import Running
from gateway.demo.processes import listener_pid
from tests.app.conftest import gateway, settings_in, until
from tests.app.media_unit import media_unit

pytestmark = pytest.mark.timeout(180)

ALL_WELL = {"database": "ok", "media": "ok", "redis": "ok"}


async def readiness(where: Running) -> tuple[int, dict[str, Any]]:
    url = f"http://127.0.0.1:{where.port}/readyz"
    async with ClientSession() as http, http.get(url) as response:
        return response.status, await response.json()


async def figures(where: Running) -> dict[str, float]:
    """Return what `/metrics` shows, by name and labels."""
    url = f"http://127.0.0.1:{where.internal_port}/metrics"
    async with ClientSession() as http, http.get(url) as response:
        text = await response.text()
    return {
        " ".join((sample.name, *sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def says(where: Running, status: str) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return bool((await readiness(where))[1]["status"] == status)

    return check


async def test_without_redis_a_gateway_is_degraded_and_goes_on(folder: Path) -> None:
    settings = settings_in(folder)
    async with gateway(settings) as where:
        assert await readiness(where) == (200, {"status": "ok", "parts": ALL_WELL})
        server = listener_pid(settings.redis_directory / "valkey.sock")
        assert server is not None
        os.kill(server, signal.SIGSTOP)  # replaced after a while: frozen is as good as gone
        await until(says(where, "degraded"))
        assert (await readiness(where))[0] == 200
        await until(says(where, "ok"))


async def test_without_a_worker_a_gateway_takes_no_calls(folder: Path) -> None:
    settings = settings_in(folder, media_start_worker=False)
    async with media_unit(folder) as unit, gateway(settings) as where:
        assert (await readiness(where))[0] == 200
        assert (await figures(where))["callgate_media_link_up"] == 1
        unit.terminate()
        await unit.wait()
        await until(says(where, "down"))
        status, told = await readiness(where)
        assert (status, told["parts"]) == (503, ALL_WELL | {"media": "down"})
        assert (await figures(where))["callgate_media_link_up"] == 0
        async with media_unit(folder):
            await until(says(where, "ok"))


async def test_nodes_that_share_a_redis_count_each_other(folder: Path) -> None:
    first, second = folder / "a", folder / "b"
    settings = settings_in(first)
    url = f"unix://{settings.redis_directory / 'valkey.sock'}"
    async with (
        gateway(settings) as where,
        gateway(settings_in(second, redis_url=url)) as other,
    ):

        async def both_know() -> bool:
            shown = [await figures(one) for one in (where, other)]
            return all(each["callgate_nodes"] == 2 for each in shown)

        await until(both_know)


async def test_the_metrics_show_every_part_and_start_at_nothing(folder: Path) -> None:
    async with gateway(settings_in(folder)) as where:

        async def has_looked() -> bool:
            return (await figures(where))["callgate_recordings_lost"] == 0

        await until(has_looked)
        shown = await figures(where)
    assert shown["callgate_redis_up"] == 1
    assert shown["callgate_inbox_waiting"] == 0
    assert shown["callgate_calls inbound ringing"] == 0
    assert shown["callgate_calls_ended_total outbound completed"] == 0
    assert shown["callgate_task_crashes_total"] == 0
    assert shown["callgate_agent_legs"] == 0
    assert shown["callgate_recordings_stuck"] == 0
    assert shown["callgate_official_files_at_risk fetch_recording"] == 0
    assert shown["callgate_jobs_waiting fetch_transcript"] == 0
    assert shown["callgate_recordings_compared_total matched"] == 0
    assert shown["callgate_recording_moves_total outage"] == 0
    assert shown["callgate_recording_files_to_move"] == 0
    assert shown["callgate_recording_files_faulty damaged"] == 0
    assert shown["process_open_fds"] > 0
