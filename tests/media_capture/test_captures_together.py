"""Any interleaving of captures, grants and refusals: never more than granted, all adds up."""

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from media.capture_format import PACKET, StopReason
from media.capture_scan import CaptureContent
from media.capture_writer import CaptureWriter
from media.protocol_capture import BudgetLow, CaptureStopped, SegmentFinished
from tests.media_capture.rig import FRAME_S, Rig

NAMES = tuple(f"call{number}" for number in range(6))


class Together(RuleBasedStateMachine):
    """One budget, up to six captures, a gateway that answers early, late, wrongly or never."""

    @initialize(granted=st.integers(0, 3_000))
    def begin(self, granted: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        directory = Path(self.folder.name)
        self.rig = Rig(CaptureWriter(directory), directory)
        self.rig.captures.open_budget("b", granted)
        self.total = granted
        self.most_granted = granted
        self.number = 0
        self.asked = 0
        self.rig.on_ask = self.note_ask
        self.started: set[str] = set()

    def note_ask(self, ask: BudgetLow) -> None:
        assert ask.ask >= self.asked
        self.asked = ask.ask
        assert ask.drawn_ms <= ask.granted_ms

    @rule(frames=st.integers(1, 400))
    def time_passes(self, frames: int) -> None:
        self.rig.run(frames * FRAME_S)

    @rule(frames=st.integers(1, 400))
    def the_loop_stalls(self, frames: int) -> None:
        self.rig.now += frames * FRAME_S
        self.rig.tick()

    @precondition(lambda self: len(self.started) < len(NAMES))
    @rule()
    def start(self) -> None:
        name = NAMES[len(self.started)]
        self.started.add(name)
        self.rig.start(name)

    @rule(name=st.sampled_from(NAMES), after=st.integers(0, 19))
    def pause(self, name: str, after: int) -> None:
        if self.is_known(name):
            self.rig.captures.pause(self.rig.now + after / 1000, name)

    @rule(name=st.sampled_from(NAMES), after=st.integers(0, 19))
    def resume(self, name: str, after: int) -> None:
        if self.is_known(name):
            self.rig.captures.resume(self.rig.now + after / 1000, name)

    @rule(name=st.sampled_from(NAMES))
    def end(self, name: str) -> None:
        self.rig.end(name)

    @rule(more=st.integers(0, 4_000))
    def grant(self, more: int) -> None:
        self.number += 1
        self.set_total(self.total + more)

    @rule(keep=st.integers(0, 1_000))
    def take_back(self, keep: int) -> None:
        self.number += 1
        drawn = self.rig.captures.snapshot()[1][0].drawn_ms
        self.set_total(min(self.total, drawn + keep))

    @rule(more=st.integers(0, 9_000))
    def repeat_an_old_grant(self, more: int) -> None:
        before = self.rig.captures.snapshot()[1][0].granted_ms
        after = self.rig.captures.grant(self.rig.now, "b", self.number, self.total + more, 0)
        assert after.granted_ms == before

    @rule()
    def refuse(self) -> None:
        self.rig.captures.refuse("b", max(1, self.asked))

    def set_total(self, total: int) -> None:
        held = self.rig.captures.grant(self.rig.now, "b", self.number, total, self.asked)
        assert held.granted_ms == max(total, held.drawn_ms)
        self.total = held.granted_ms
        self.most_granted = max(self.most_granted, self.total)

    def is_known(self, name: str) -> bool:
        return name in {each.capture_id for each in self.rig.captures.snapshot()[0]}

    def teardown(self) -> None:
        if not hasattr(self, "rig"):
            return
        try:
            files = self.rig.finish()
            self.check(files)
        finally:
            self.rig.writer.stop(timeout_s=30)
            self.folder.cleanup()

    def check(self, files: list[CaptureContent]) -> None:
        closed = self.rig.captures.close_budget("b")
        held = [file.duration_ms for file in files]
        assert sum(held) == closed.drawn_ms <= closed.granted_ms <= self.most_granted
        assert all(file.end_reason is not None and file.damaged_bytes == 0 for file in files)
        for file in files:
            assert file.duration_ms > 0
            for place in (*file.customer, *file.agent):
                assert PACKET.unpack_from(file.content, place)[2] < file.duration_ms
        finished = self.rig.of(SegmentFinished)
        assert sorted(e.file or "" for e in finished) == sorted(
            f"{file.header.capture_id}.{file.header.segment:03}.capture" for file in files
        )
        last = {e.capture_id: e for e in self.rig.of(CaptureStopped) if e.is_final}
        assert set(last) == self.started
        assert sum(e.recorded_ms for e in last.values()) == sum(held)
        assert sum(e.files for e in last.values()) == len(files)
        assert all(e.reason in StopReason for e in last.values())


TestTogether = Together.TestCase
TestTogether.settings = settings(stateful_step_count=30)
