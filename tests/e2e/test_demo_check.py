"""What `callgate demo --check` checks holds, in both directions of calling."""

import os

import pytest

from gateway.demo.check import check_calls
from gateway.demo.check_minutes import check_minutes
from gateway.demo.check_official import check_official
from gateway.demo.stack import Stack
from tests.e2e.conftest import OpenStack

pytestmark = [pytest.mark.timeout(600), pytest.mark.asyncio(loop_scope="session")]


async def test_a_tone_is_heard_both_ways_in_both_directions_of_calling(stack: Stack) -> None:
    facts = await check_calls(stack)

    assert [each.name for each in facts] == ["user calls us", "we call the user"]
    for each in facts:
        assert each.faults == ()
        assert each.packets_to_customer > 150
        assert each.packets_from_customer > 150


@pytest.mark.soak
@pytest.mark.skipif(
    not os.environ.get("CALLGATE_TEST_SOAK"), reason="`make demo-check` does just this"
)
async def test_whatsapps_recording_agrees_with_ours_and_stops_where_the_minutes_do(
    open_stack: OpenStack,
) -> None:
    async with open_stack() as fresh:
        official = await check_official(fresh)
        minutes = await check_minutes(fresh)

    assert official.faults == ()
    assert official.verdicts[-1] == "matched"
    assert official.digest == "verified"
    assert abs(official.official_ms - official.local_ms) <= 1_000
    assert minutes.faults == ()
    assert abs(minutes.charged_ms - 12_000) <= 20
    assert abs(minutes.played_ms - 12_000) <= 20
    assert minutes.talked_ms >= 20_000
    assert minutes.verdict == "trimmed_to_quota"
    assert minutes.official_ms > 12_000
