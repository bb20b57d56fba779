"""A worker's captures on virtual time, writing real files."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from media.capture import Capture
from media.capture_book import CaptureOrder
from media.capture_files import capture_files
from media.capture_format import StopReason
from media.capture_scan import CaptureContent, scan
from media.capture_writer import CaptureWriter
from media.captures import Captures
from media.protocol_capture import BudgetLow, CaptureEvent
from media.settings import CaptureSettings

FRAME_S = 0.02
Event = TypeVar("Event", bound=CaptureEvent)


class Rig:
    """Drives `Captures` through virtual time; every capture gets numbered frames both ways.

    `on_ask` is the gateway: it is called with each `BudgetLow` right when it is published.
    """

    def __init__(self, writer: CaptureWriter, directory: Path) -> None:
        self.writer = writer
        self.directory = directory
        self.events: list[CaptureEvent] = []
        self.now = 1000.0
        self.on_ask: Callable[[BudgetLow], object] = lambda ask: None
        self.settings = CaptureSettings()
        self.captures = Captures(writer, self._publish, self.settings)
        self.taps: dict[str, Capture] = {}
        self.frames = 0

    def _publish(self, build: Callable[[int, float], CaptureEvent]) -> None:
        event = build(len(self.events) + 1, self.now)
        self.events.append(event)
        if isinstance(event, BudgetLow):
            self.on_ask(event)

    def start(self, name: str, budget: str = "b", *, first_segment: int = 0) -> Capture:
        order = CaptureOrder(name, budget, f"leg of {name}", f"blob of {name}", first_segment)
        self.taps[name] = self.captures.start(self.now, 1_700_000_000_000, order)
        return self.taps[name]

    def end(self, name: str) -> None:
        self.captures.end(self.now, name, StopReason.COMMAND)

    def run(self, seconds: float) -> None:
        """Let time pass, a frame in each direction every 20 ms, ticks as often as promised."""
        per_tick = round(self.settings.flush_interval_s / FRAME_S)
        for _ in range(round(seconds / FRAME_S)):
            self.frame()
            self.now = round(self.now + FRAME_S, 6)
            if self.frames % per_tick == 0:
                self.captures.tick(self.now)

    def frame(self) -> None:
        number = self.frames
        for tap in self.taps.values():
            tap.on_customer_packet(self.now, number * 960, number, b"\x08customer")
            tap.on_agent_packet(self.now, number * 960 + 7, number + 100, b"\x08agent")
        self.frames += 1

    def tick(self) -> None:
        self.captures.tick(self.now)

    def settle(self) -> None:
        """Wait until everything handed over so far is written."""
        deadline = time.monotonic() + 30
        while self.writer.backlog_bytes:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    def flush(self) -> None:
        """Wait until the writer has done what it was given; the last of it is in the files."""
        assert self.writer.stop(timeout_s=30)
        self.tick()

    def finish(self) -> list[CaptureContent]:
        """End everything; return what the files hold, in order of their names."""
        self.captures.end_all(self.now)
        self.flush()
        return self.files()

    def files(self) -> list[CaptureContent]:
        return [scan(path.read_bytes()) for path in capture_files(self.directory)]

    def of(self, kind: type[Event]) -> list[Event]:
        return [event for event in self.events if isinstance(event, kind)]


@contextmanager
def rig(
    directory: Path, *, backlog_bytes_max: int = 32 << 20, free_bytes_min: int = 0
) -> Iterator[Rig]:
    """A rig whose threads have ended when the context has."""
    writer = CaptureWriter(
        directory, backlog_bytes_max=backlog_bytes_max, free_bytes_min=free_bytes_min
    )
    try:
        yield Rig(writer, directory)
    finally:
        assert writer.stop(timeout_s=30)
