"""Budgets and captures through the engine: orders, answers, news and snapshots."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.media_engine import MediaSocketEngine
from gateway.adapters.media_engine_tags import read_tag
from gateway.core.errors import MediaRefused
from gateway.core.ids import AccountId, CallId, LegId
from gateway.core.quota.lease import BudgetId, Refusal, WorkerId
from gateway.ports import media as port
from gateway.ports.quota import BudgetSeen, LowBudget
from media import protocol_capture as recording
from media.capture_format import StopReason
from tests.adapters.media_engine.test_media_engine import engine_of, next_command, until
from tests.adapters.media_engine.worker_peer import WorkerPeer, worker_peer

BUDGET, CALL, LEG = BudgetId("budget-1"), CallId("c" * 26), LegId("leg-1")
ORDER = port.CaptureOrder(CALL, AccountId("a" * 26), LEG, BUDGET)


def budget(granted_ms: int, drawn_ms: int) -> recording.BudgetSnapshot:
    return recording.BudgetSnapshot(
        budget_id=BUDGET,
        granted_ms=granted_ms,
        drawn_ms=drawn_ms,
        grant_number=3,
        asked=2,
        is_asking=False,
    )


def capture(state: recording.CaptureState, **more: Any) -> recording.CaptureSnapshot:
    fields: dict[str, Any] = {"stop_reason": None, "segment": 0, "written_ms": 0, **more}
    return recording.CaptureSnapshot(
        capture_id=CALL, budget_id=BUDGET, whatsapp_leg_id=LEG, state=state, **fields
    )


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[WorkerPeer]:
    async with worker_peer(tmp_path) as peer:
        yield peer


@pytest.fixture
async def engine(peer: WorkerPeer) -> AsyncIterator[MediaSocketEngine]:
    async with engine_of(peer) as engine:
        await until(lambda: engine.is_connected)
        yield engine


async def test_a_budget_is_opened_granted_and_closed(
    peer: WorkerPeer, engine: MediaSocketEngine
) -> None:
    line = engine.budgets
    await line.open(BUDGET, limit_ms=1_000)
    opened = await next_command(peer, recording.OpenBudget)
    assert (opened.budget_id, opened.granted_ms) == (BUDGET, 1_000)

    peer.describes[recording.GrantBudget] = {"budget": budget(9_000, 2_500)}
    in_force = await line.grant(BUDGET, number=4, limit_ms=2_000, answers=2)
    assert in_force == 9_000, "the worker says what holds, not we"
    granted = await next_command(peer, recording.GrantBudget)
    assert (granted.number, granted.granted_ms, granted.answers) == (4, 2_000, 2)

    peer.describes[recording.CloseBudget] = {"budget": budget(9_000, 2_500)}
    assert await line.close(BUDGET) == 2_500


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (Refusal.QUOTA_USED_UP, StopReason.QUOTA),
        (Refusal.OVERDRAWN, StopReason.QUOTA),
        (Refusal.LEDGER_UNREACHABLE, StopReason.LEDGER_UNREACHABLE),
        (Refusal.BUDGET_CLOSED, StopReason.BUDGET_CLOSED),
    ],
)
async def test_each_refusal_stops_captures_for_its_own_reason(
    peer: WorkerPeer, engine: MediaSocketEngine, refusal: Refusal, reason: StopReason
) -> None:
    await engine.budgets.refuse(BUDGET, answers=7, refusal=refusal)
    refused = await next_command(peer, recording.RefuseBudget)
    assert (refused.answers, refused.reason) == (7, reason)


async def test_an_answer_without_its_budget_is_no_answer(engine: MediaSocketEngine) -> None:
    with pytest.raises(MediaRefused):
        await engine.budgets.close(BUDGET)


async def test_a_budget_the_worker_does_not_know_is_told_by_its_code(
    peer: WorkerPeer, engine: MediaSocketEngine
) -> None:
    peer.fails = ("no_such_budget", "no such budget")
    with pytest.raises(MediaRefused) as refused:
        await engine.budgets.grant(BUDGET, number=1, limit_ms=1, answers=0)
    assert refused.value.code == "no_such_budget"


async def test_a_capture_carries_whose_it_is_into_its_files(
    peer: WorkerPeer, engine: MediaSocketEngine
) -> None:
    await engine.start_capture(ORDER, epoch=7)
    started = await next_command(peer, recording.StartCapture)
    assert (started.capture_id, started.whatsapp_leg_id) == (CALL, LEG)
    assert (started.budget_id, started.epoch) == (BUDGET, 7)
    tag = read_tag(started.blob)
    assert (tag.call_id, tag.account_id) == (CALL, "a" * 26)


async def test_the_end_of_a_capture_tells_whether_its_files_are_finished(
    peer: WorkerPeer, engine: MediaSocketEngine
) -> None:
    assert await engine.stop_capture(CALL, epoch=7)
    ending = capture(recording.CaptureState.ENDING)
    peer.describes[recording.StopCapture] = {"capture": ending}
    assert not await engine.stop_capture(CALL, epoch=7)


async def test_news_of_captures_are_told_in_the_runtimes_words(
    peer: WorkerPeer, engine: MediaSocketEngine
) -> None:
    events = engine.events()
    assert isinstance(await anext(events), port.WorkerBack)
    say = peer.event
    say(recording.CaptureStarted, capture_id=CALL, segment=0, file="f")
    say(recording.BudgetLow, budget_id=BUDGET, ask=3, captures=2, granted_ms=9, drawn_ms=5)
    written = recording.WrittenMs(capture_id=CALL, written_ms=900)
    say(recording.CaptureWritten, captures=(written,), budgets=(budget(9_000, 950),))
    say(
        recording.CaptureStopped,
        capture_id=CALL,
        segment=0,
        reason=StopReason.QUOTA,
        recorded_ms=1_000,
        files=1,
        is_final=False,
        dropped_packets=0,
    )
    say(recording.SegmentFinished, capture_id=CALL, segment=0, file="f", duration_ms=1_000)
    assert [await anext(events) for _ in range(5)] == [
        port.CaptureWent(CALL, 1.0, 0),
        port.BudgetRanLow(LowBudget(BUDGET, 3, 2, 5)),
        port.CapturesWrote({CALL: 900}, {BUDGET: 950}),
        port.CaptureStopped(CALL, 1.0, "quota", 1_000, 1, is_final=False),
        port.SegmentFinished(CALL, 1.0, 0, 1_000),
    ]
    await events.aclose()  # type: ignore[attr-defined]


async def test_a_snapshot_shows_what_is_being_recorded(
    peer: WorkerPeer, engine: MediaSocketEngine
) -> None:
    stopped = capture(
        recording.CaptureState.STOPPED, stop_reason=StopReason.QUOTA, written_ms=700
    )
    peer.captures, peer.budgets = (stopped,), (budget(9_000, 700),)
    peer.boot_id = "boot-2"
    peer.hang_up()
    events = engine.events()
    back = await anext(events)
    async with asyncio.timeout(10):
        while not (isinstance(back, port.WorkerBack) and back.worker_id == "boot-2"):
            back = await anext(events)
    assert back.worker_id == WorkerId("boot-2")
    assert back.captures == (port.CaptureLive(CALL, port.CaptureState.STOPPED, "quota", 700),)
    assert back.budgets == (BudgetSeen(BUDGET, 700, 3, 2, (CALL,)),)
    await events.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("state", "seen"),
    [
        (recording.CaptureState.RECORDING, port.CaptureState.RECORDING),
        (recording.CaptureState.PAUSED, port.CaptureState.PAUSED),
        (recording.CaptureState.ENDING, port.CaptureState.RECORDING),
        (recording.CaptureState.ENDED, port.CaptureState.ENDED),
    ],
)
async def test_every_state_of_a_capture_is_known(
    peer: WorkerPeer,
    engine: MediaSocketEngine,
    state: recording.CaptureState,
    seen: port.CaptureState,
) -> None:
    peer.captures = (capture(state),)
    events = engine.events()
    back = await anext(events)
    assert isinstance(back, port.WorkerBack)
    assert [live.state for live in back.captures] == [seen]
    await events.aclose()  # type: ignore[attr-defined]
