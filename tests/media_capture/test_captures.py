"""Captures over their life: the exact stop, late grants, refusals, pauses, segments."""

from pathlib import Path

import pytest

from media.capture import Capture
from media.capture_format import PACKET, Kind, StopReason
from media.capture_scan import CaptureContent
from media.protocol_capture import (
    BudgetLow,
    CaptureStarted,
    CaptureState,
    CaptureStopped,
    CaptureWritten,
    SegmentFinished,
)
from tests.media_capture.rig import Rig, rig


def positions(content: CaptureContent) -> list[int]:
    both = sorted([*content.customer, *content.agent])
    return [PACKET.unpack_from(content.content, place)[2] for place in both]


def answer_with(up: Rig, granted: list[int]) -> None:
    """Grant these totals one after another, then refuse."""
    totals = iter(enumerate(granted, 1))

    def answer(ask: BudgetLow) -> None:
        step = next(totals, None)
        if step is None:
            up.captures.refuse(ask.budget_id, ask.ask)
        else:
            number, total = step
            up.captures.grant(up.now, ask.budget_id, number, total, ask.ask)

    up.on_ask = answer


def test_one_minute_left_and_a_call_of_ten_minutes_yields_one_minute(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        answer_with(up, [30_000, 45_000, 52_500, 56_250, 60_000])
        up.captures.open_budget("b", 15_000)
        up.start("call")
        up.run(600)
        (file,) = up.finish()
    assert file.duration_ms == 60_000
    assert file.end_reason is StopReason.QUOTA
    assert len(file.customer) == len(file.agent) == 3_000
    assert max(positions(file)) == 59_980
    (stopped,) = up.of(CaptureStopped)[:1]
    assert (stopped.recorded_ms, stopped.reason) == (60_000, StopReason.QUOTA)


def test_stops_at_the_very_millisecond_granted(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        answer_with(up, [])
        up.captures.open_budget("b", 12_345)
        up.start("call")
        up.run(20)
        (file,) = up.finish()
    assert file.duration_ms == 12_345
    assert max(positions(file)) == 12_340


def test_without_a_grant_no_byte_is_written(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        answer_with(up, [])
        up.captures.open_budget("b", 0)
        up.start("call")
        up.run(2)
        assert up.finish() == []
    assert list(tmp_path.iterdir()) == []
    assert not up.of(CaptureStarted)
    assert up.of(CaptureStopped)[0].reason is StopReason.QUOTA


def test_a_late_grant_leaves_no_hole(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 1_000)
        up.start("call")
        up.run(5.5)
        up.settle()
        assert up.files()[0].duration_ms <= 1_000
        up.captures.grant(up.now, "b", 1, 20_000, 1)
        up.run(1)
        (file,) = up.finish()
    assert file.duration_ms == 6_500
    assert len(file.customer) == len(file.agent) == 325
    assert not [e for e in up.of(CaptureStopped) if e.reason is not StopReason.WORKER_CLOSING]


def test_a_refusal_discards_what_waited(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 1_000)
        tap = up.start("call")
        up.run(3)
        up.captures.refuse("b", 1)
        up.run(1)
        (file,) = up.finish()
    assert (file.duration_ms, file.end_reason) == (1_000, StopReason.QUOTA)
    assert tap.discarded_packets >= 2 * 100


def test_a_refusal_says_why(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.on_ask = lambda ask: up.captures.refuse(
            ask.budget_id, ask.ask, StopReason.LEDGER_UNREACHABLE
        )
        up.captures.open_budget("b", 1_000)
        up.start("call")
        up.run(3)
        (stopped,) = up.of(CaptureStopped)
        assert (stopped.reason, stopped.recorded_ms) == (StopReason.LEDGER_UNREACHABLE, 1_000)
        up.captures.grant(up.now, "b", 1, 1_500, 1)
        up.run(1)
        first, second = up.finish()
    assert first.end_reason is StopReason.LEDGER_UNREACHABLE
    assert (first.duration_ms, second.duration_ms) == (1_000, 500)


def test_nobody_answering_ends_the_capture_with_its_own_reason(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 1_000)
        up.start("call")
        up.run(5.9)
        assert not up.of(CaptureStopped)
        up.run(0.6)
        (stopped,) = up.of(CaptureStopped)
        assert (stopped.reason, stopped.recorded_ms) == (StopReason.GRANT_LATE, 1_000)
        up.run(2)
        asks = up.of(BudgetLow)
        assert {ask.ask for ask in asks} == {1}
        assert len(asks) >= 7
        up.captures.grant(up.now, "b", 1, 3_000, 1)
        up.run(1)
        first, second = up.finish()
    assert (first.duration_ms, second.duration_ms) == (1_000, 1_000)
    assert second.header.segment == 1
    assert second.header.offset_ms == 8_500
    assert second.header.started_unix_ms - first.header.started_unix_ms == 8_500


def test_a_capture_started_later_waits_its_own_time(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 1_000)
        up.start("early")
        up.run(8)
        up.start("late")
        up.run(3)
        (stopped,) = up.of(CaptureStopped)
        assert stopped.capture_id == "early"
        up.captures.grant(up.now, "b", 1, 60_000, 1)
        up.run(1)
        durations = [file.duration_ms for file in up.finish()]
    assert durations == [1_000, 1_000, 4_000]


def test_more_minutes_resume_a_stopped_capture_in_a_new_segment(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        answer_with(up, [])
        up.captures.open_budget("b", 2_000)
        up.start("call")
        up.run(5)
        answer_with(up, [5_000])
        up.captures.grant(up.now, "b", 1, 4_500, 1)
        up.run(10)
        files = up.finish()
    assert [file.duration_ms for file in files] == [2_000, 2_500]
    assert [file.header.segment for file in files] == [0, 1]
    assert [event.file for event in up.of(SegmentFinished)] == [
        "call.000.capture",
        "call.001.capture",
    ]


def test_silence_is_charged_and_packets_are_not(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        answer_with(up, [])
        up.captures.open_budget("b", 9_000)
        up.start("silent")
        up.taps.clear()
        up.run(20)
        (file,) = up.finish()
    assert file.duration_ms == 9_000
    assert not file.customer


def test_a_pause_takes_no_time_and_leaves_no_packet(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 60_000)
        up.start("call")
        up.run(2)
        up.captures.pause(up.now, "call")
        up.run(7)
        up.captures.resume(up.now, "call")
        up.run(1)
        (file,) = up.finish()
    assert file.duration_ms == 3_000
    assert [(p.position_ms, p.paused_ms) for p in file.pauses] == [(2_000, 7_000)]
    assert len(file.customer) == 150
    assert up.captures.snapshot()[1][0].drawn_ms == 3_000


def test_a_call_that_ends_while_its_grant_is_late_waits_for_it(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 1_000)
        up.start("call")
        up.run(2.5)
        up.end("call")
        up.run(1)
        waiting = up.captures.find("call")
        assert waiting is not None
        assert waiting.state is CaptureState.ENDING
        up.captures.grant(up.now, "b", 1, 9_000, 1)
        up.tick()
        up.flush()
        (file,) = up.files()
        assert up.captures.close_budget("b").drawn_ms == 2_500
    assert (file.duration_ms, file.end_reason) == (2_500, StopReason.COMMAND)
    (stopped,) = up.of(CaptureStopped)
    assert stopped.is_final


def test_all_captures_of_a_budget_stop_together_and_share_evenly(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        answer_with(up, [60_000])
        up.captures.open_budget("b", 30_000)
        for number in range(30):
            up.start(f"call{number:02}")
        up.run(10)
        files = up.finish()
    durations = [file.duration_ms for file in files]
    assert sum(durations) == 60_000
    assert max(durations) - min(durations) <= 1
    quota = [event for event in up.of(CaptureStopped) if not event.is_final]
    assert len(quota) == 30
    assert {event.at for event in quota} == {quota[0].at}


def test_two_budgets_do_not_touch_each_other(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        answer_with(up, [])
        up.captures.open_budget("poor", 1_000)
        up.captures.open_budget("rich", 60_000)
        up.start("a", "poor")
        up.start("b", "rich")
        up.run(5)
        a, b = up.finish()
    assert (a.duration_ms, b.duration_ms) == (1_000, 5_000)


def test_lowering_a_grant_takes_back_what_is_unused(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        answer_with(up, [])
        up.captures.open_budget("b", 60_000)
        up.start("call")
        up.run(3)
        up.tick()
        assert up.captures.grant(up.now, "b", 1, 0, 0).granted_ms == 3_000
        up.run(2)
        (file,) = up.finish()
    assert file.duration_ms == 3_000


def test_written_time_is_told_once_a_second_and_never_runs_ahead(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 60_000)
        up.start("call")
        for _ in range(10):
            up.run(1)
            up.settle()
        up.finish()
    told = [event.captures[0].written_ms for event in up.of(CaptureWritten)]
    assert 8 <= len(told) <= 10
    assert told == sorted(told)
    assert told[-1] <= 10_000
    assert up.of(CaptureWritten)[-1].budgets[0].drawn_ms <= 10_000


def test_a_stopped_capture_that_ends_is_told_once_more_as_final(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        answer_with(up, [])
        up.captures.open_budget("b", 1_000)
        up.start("call")
        up.run(3)
        up.end("call")
        up.end("call")
        up.flush()
    assert [(e.is_final, e.files) for e in up.of(CaptureStopped)] == [(False, 1), (True, 1)]
    assert not up.captures.snapshot()[0]


def test_a_start_repeated_returns_the_same_tap(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 1_000)
        assert up.start("call") is up.start("call")


def test_the_tap_survives_what_does_not_fit(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 60_000)
        tap = up.start("call")
        tap.on_customer_packet(up.now, -1, 1 << 40, b"\x08")
        tap.on_customer_packet(up.now, 1 << 40, -5, memoryview(b"\x08abc").tobytes())
        tap.on_customer_packet(up.now - 5, 0, 0, b"\x08")
        tap.on_agent_packet(up.now, 0, 0, b"")
        tap.on_agent_packet(up.now, 0, 0, bytes(1501))
        up.now += 1
        (file,) = up.finish()
    assert tap.dropped_packets == 2
    fields = [PACKET.unpack_from(file.content, place) for place in file.customer]
    assert [each[1] for each in fields] == [Kind.CUSTOMER] * 3
    assert [each[3] for each in fields] == [0xFFFFFFFF, 0, 0]
    assert [each[4] for each in fields] == [0, 0xFFFB, 0]


def test_memory_is_bounded_while_a_grant_is_late(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        up.captures.open_budget("b", 0)
        tap = up.start("flood")
        for _ in range(5_000):
            tap.on_customer_packet(up.now, 0, 0, b"\x08")
        assert tap.dropped_packets == 5_000 - up.settings.records_max
        up.finish()


def test_a_mistake_with_one_account_costs_no_other_its_recording(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    position_ms = Capture.position_ms

    def failing(capture: Capture, now: float) -> int:
        if capture.capture_id == "bad":
            raise ZeroDivisionError
        return position_ms(capture, now)

    with rig(tmp_path) as up:
        for name in ("bad", "good"):
            up.captures.open_budget(name, 10_000)
            up.start(name, name)
        up.run(1)
        monkeypatch.setattr(Capture, "position_ms", failing)
        up.run(1)
        up.settle()
        bad, good = up.files()
        assert bad.duration_ms <= 1_000 < good.duration_ms
        assert up.captures.failures > 1
        monkeypatch.undo()
        bad, good = up.finish()
    assert good.duration_ms == 2_000
    assert bad.duration_ms == 2_000
