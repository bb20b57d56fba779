"""Meta's Graph API fails in every documented way, at every step of a call."""

from dataclasses import dataclass, field

import pytest

from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.sandbox_control import at_ms
from gateway.demo.stack import Stack
from tests.e2e.talks import (
    CUSTOMER,
    CUSTOMERS,
    SECOND,
    THIRD,
    TONE,
    Talk,
    eventually,
    media_ports,
    no_leg_left,
    reach,
    ring,
    take_call,
)

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(300),
    pytest.mark.asyncio(loop_scope="session"),
]
OUR_PATIENCE_S = 2
"""How long the shared stack waits for Graph (`full_options`); a time-out lasts longer."""


@dataclass(frozen=True)
class Failure:
    """An order to the sandbox."""

    kind: str
    times: int | None = 1
    after_effect: bool = False
    more: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        effect = "-after-effect" if self.after_effect else ""
        return f"{self.kind}{effect}{'-for-good' if self.times is None else ''}"

    async def strike(self, stack: Stack, action: str) -> None:
        """Have it happen to the next requests of that action."""
        order = {
            "kind": self.kind,
            "match": action,
            "times": self.times,
            "after_effect": self.after_effect,
            "seconds": OUR_PATIENCE_S + 2,
            "retry_after_s": 1,
        }
        await stack.sandbox.ask("POST", "/faults", order | self.more)


PASSING = [
    Failure("graph_server_error"),
    Failure("graph_html"),
    Failure("graph_rate_limited"),
    Failure("graph_reset"),
    Failure("graph_time_out"),
    Failure("graph_slow_body"),
    Failure("graph_server_error", after_effect=True),
    Failure("graph_reset", after_effect=True),
]


@pytest.mark.parametrize("failure", PASSING, ids=str)
async def test_a_failure_that_passes_costs_no_call(
    stack: Stack, agent: HeadlessAgent, failure: Failure
) -> None:
    ports = media_ports(stack)
    for action in ("calls.pre_accept", "calls.accept", "calls.terminate"):
        await failure.strike(stack, action)
    talk = await take_call(stack, agent)
    await talk.heard_both_ways()
    assert (await talk.hang_up())["outcome"] == "completed"
    report = await talk.report()
    assert report["outcome"]["ended_by"] == "business"
    assert report["faults"] == {}
    assert at_ms(report, "rtp.first_received") >= at_ms(report, "call.accepted")
    await no_leg_left(stack, ports)
    struck = (await stack.sandbox.ask("GET", "/faults"))["faults"]
    assert [fault["fired"] for fault in struck] == [1, 1, 1]


LASTING = {
    "graph_server_error": "meta_unclear",
    "graph_reset": "meta_unclear",
    "graph_time_out": "meta_unclear",
    "graph_rate_limited": "rate_limited",
    "graph_expired_token": "token_invalid",
}


@pytest.mark.parametrize(("kind", "code"), LASTING.items())
async def test_an_accept_that_fails_for_good_ends_the_call_in_plain_words(
    stack: Stack, agent: HeadlessAgent, kind: str, code: str
) -> None:
    ports = media_ports(stack)
    await Failure(kind, times=None).strike(stack, "calls.accept")
    talk = await ring(stack, agent)
    await agent.answer(talk.call_id)
    view = await talk.ended()
    assert view["outcome"] == "failed"
    check_words(view["problem"], code)
    report = await talk.report()
    assert report["outcome"]["ended_by"] == "business"
    assert report["received"] is None or report["received"]["packets"] == 0
    await no_leg_left(stack, ports)


def check_words(problem: dict[str, object], code: str) -> None:
    """An agent reads a sentence, and Meta's own code where it gave one."""
    assert problem["code"] == code
    assert len(str(problem["detail"])) > 20
    meta = problem["meta"]
    if code == "meta_unclear":
        assert meta is None
    else:
        assert isinstance(meta, dict)
        assert meta["code"] == {"rate_limited": 138005, "token_invalid": 190}[code]
        assert meta["message"]


@pytest.mark.parametrize("kind", ["graph_rate_limited", "graph_expired_token"])
async def test_a_connect_that_is_refused_is_told_at_once(
    stack: Stack, agent: HeadlessAgent, kind: str
) -> None:
    ports = media_ports(stack)
    await Failure(kind).strike(stack, "calls.connect")
    view = await agent.dial(CUSTOMERS[CUSTOMER])
    view = await agent.wait_state(view["id"], "ended")
    assert view["outcome"] == "failed"
    check_words(view["problem"], LASTING[kind])
    await no_leg_left(stack, ports)
    talk = await reach(stack, agent)
    assert (await talk.hang_up())["outcome"] == "completed"


async def test_a_refused_token_is_told_to_the_account_and_so_is_a_good_one(
    stack: Stack, agent: HeadlessAgent
) -> None:
    await Failure("graph_expired_token").strike(stack, "calls.connect")
    await agent.dial(CUSTOMERS[CUSTOMER])
    await agent.wait_notice("token_invalid")
    talk = await take_call(stack, agent, SECOND)
    await agent.wait_notice("token_back")
    await talk.hang_up()


async def test_a_connect_without_an_answer_is_never_repeated_and_given_up_in_time(
    stack: Stack,
) -> None:
    async with stack.agent(0) as ana, stack.agent(1) as budi, stack.agent(2) as citra:
        agents = (ana, budi, citra)
        for agent in agents:
            await agent.go_ready()
        ports = media_ports(stack)
        known = len(await stack.sandbox.calls())
        kinds = ("graph_server_error", "graph_reset", "graph_time_out")
        views = []
        for agent, user, kind in zip(agents, (CUSTOMER, SECOND, THIRD), kinds, strict=True):
            await Failure(kind).strike(stack, "calls.connect")
            views.append(await agent.dial(CUSTOMERS[user]))
            await eventually(lambda: have_struck(stack))
        for agent, view in zip(agents, views, strict=True):
            ended = await agent.wait_state(view["id"], "ended", within_s=60)
            assert ended["outcome"] == "failed"
            check_words(ended["problem"], "meta_unclear")
        # Nothing had its effect at WhatsApp, and nothing was tried again.
        assert len(await stack.sandbox.calls()) == known
        await no_leg_left(stack, ports)


async def have_struck(stack: Stack) -> bool:
    """Whether all orders have been carried out."""
    faults = (await stack.sandbox.ask("GET", "/faults"))["faults"]
    return all(fault["fired"] for fault in faults)


@pytest.mark.parametrize("kind", ["graph_server_error", "graph_reset", "graph_time_out"])
async def test_a_connect_that_worked_though_its_answer_was_lost_becomes_a_talk(
    stack: Stack, agent: HeadlessAgent, kind: str
) -> None:
    ports = media_ports(stack)
    known = len(await stack.sandbox.calls())
    await stack.sandbox.behave(CUSTOMER, answer_after_s=0.5, says=TONE)
    await Failure(kind, after_effect=True).strike(stack, "calls.connect")
    view = await agent.dial(CUSTOMERS[CUSTOMER])
    [call] = (await stack.sandbox.calls(count=known + 1))[known:]
    talk = Talk(stack, agent, view["id"], call["wacid"])
    await agent.wait_state(talk.call_id, "talking")
    await talk.heard_both_ways()
    assert (await talk.hang_up())["outcome"] == "completed"
    assert len(await stack.sandbox.calls()) == known + 1
    await no_leg_left(stack, ports)


async def test_a_hang_up_that_whatsapp_does_not_take_for_a_while_frees_the_agent_at_once(
    stack: Stack, agent: HeadlessAgent
) -> None:
    ports = media_ports(stack)
    talk = await take_call(stack, agent)
    await Failure("graph_server_error", times=4).strike(stack, "calls.terminate")
    await agent.hang_up(talk.call_id)
    await agent.wait_state(talk.call_id, "ended")
    await no_leg_left(stack, ports)
    second = await take_call(stack, agent, SECOND)
    await second.hang_up()
    await talk.ended()
    assert (await talk.report())["outcome"]["ended_by"] == "business"
