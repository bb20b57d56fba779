"""What `callgate demo --check` checks holds, in both directions of calling."""

import pytest

from gateway.demo.check import check_calls
from gateway.demo.check_minutes import check_minutes
from gateway.demo.stack import Stack

pytestmark = [pytest.mark.timeout(180), pytest.mark.asyncio(loop_scope="session")]


async def test_a_tone_is_heard_both_ways_in_both_directions_of_calling(stack: Stack) -> None:
    facts = await check_calls(stack)

    assert [each.name for each in facts] == ["user calls us", "we call the user"]
    for each in facts:
        assert each.faults == ()
        assert each.packets_to_customer > 150
        assert each.packets_from_customer > 150


async def test_the_minutes_of_the_check_run_out_and_its_call_goes_on(stack: Stack) -> None:
    facts = await check_minutes(stack)

    assert facts.faults == ()
    assert abs(facts.charged_ms - 12_000) <= 20
    assert facts.talked_ms >= 20_000
