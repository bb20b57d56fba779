"""What a gateway says about recording over one connection, and what the files then hold."""

import json
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from media.capture_files import capture_files
from media.capture_format import LENGTH_BYTES, PACKET, StopReason
from media.capture_scan import CaptureContent, scan
from media.protocol_capture import (
    BudgetLow,
    BudgetSnapshot,
    CaptureSnapshot,
    CaptureStopped,
    CloseBudget,
    GrantBudget,
    OpenBudget,
    PauseCapture,
    RefuseBudget,
    ResumeCapture,
    SegmentFinished,
    StartCapture,
    StopCapture,
)
from tests.media.eventually import eventually
from tests.media.gateway_client import GatewayClient

PLENTY_MS = 10**9
PROCESS_S = 60.0


@dataclass
class Books:
    """The recording side of a gateway, with one budget."""

    gateway: GatewayClient
    budget_id: str = "b"

    async def open(self, granted_ms: int = PLENTY_MS) -> BudgetSnapshot:
        return await self._budget(
            OpenBudget(id=self._id(), budget_id=self.budget_id, granted_ms=granted_ms)
        )

    async def grant(self, number: int, granted_ms: int, *, answers: int) -> BudgetSnapshot:
        return await self._budget(
            GrantBudget(
                id=self._id(),
                budget_id=self.budget_id,
                number=number,
                granted_ms=granted_ms,
                answers=answers,
            )
        )

    async def refuse(self, answers: int) -> BudgetSnapshot:
        return await self._budget(
            RefuseBudget(
                id=self._id(),
                budget_id=self.budget_id,
                answers=answers,
                reason=StopReason.QUOTA,
            )
        )

    async def close(self) -> BudgetSnapshot:
        return await self._budget(CloseBudget(id=self._id(), budget_id=self.budget_id))

    def start_order(self, capture_id: str = "call", leg_id: str = "wa") -> StartCapture:
        return StartCapture(
            id=self._id(),
            epoch=self.gateway.epoch,
            whatsapp_leg_id=leg_id,
            capture_id=capture_id,
            budget_id=self.budget_id,
            blob=f"blob of {capture_id}",
        )

    async def start(self, capture_id: str = "call", leg_id: str = "wa") -> CaptureSnapshot:
        return await self._capture(self.start_order(capture_id, leg_id))

    async def pause(self, capture_id: str = "call") -> CaptureSnapshot:
        return await self._capture(
            PauseCapture(id=self._id(), epoch=self.gateway.epoch, capture_id=capture_id)
        )

    async def resume(self, capture_id: str = "call") -> CaptureSnapshot:
        return await self._capture(
            ResumeCapture(id=self._id(), epoch=self.gateway.epoch, capture_id=capture_id)
        )

    async def stop(self, capture_id: str = "call") -> CaptureStopped:
        """End a capture; returns its last word once all its files are finished."""
        await self.gateway.do(
            StopCapture(id=self._id(), epoch=self.gateway.epoch, capture_id=capture_id)
        )
        return await self.over(capture_id)

    async def over(self, capture_id: str = "call") -> CaptureStopped:
        """Return a capture's last word once all its files are finished."""
        final = await self.gateway.wait_for(
            CaptureStopped, lambda event: event.capture_id == capture_id and event.is_final
        )
        await eventually(lambda: len(self.finished(capture_id)) == final.files)
        return final

    async def stopped(self, reason: StopReason, capture_id: str = "call") -> CaptureStopped:
        return await self.gateway.wait_for(
            CaptureStopped,
            lambda event: event.capture_id == capture_id and event.reason is reason,
        )

    async def asked(self, ask: int = 1) -> BudgetLow:
        return await self.gateway.wait_for(
            BudgetLow, lambda event: event.budget_id == self.budget_id and event.ask >= ask
        )

    def finished(self, capture_id: str = "call") -> list[SegmentFinished]:
        return [
            event
            for event in self.gateway.of(SegmentFinished)
            if event.capture_id == capture_id
        ]

    async def _budget(
        self, command: OpenBudget | GrantBudget | RefuseBudget | CloseBudget
    ) -> BudgetSnapshot:
        answer = await self.gateway.do(command)
        assert answer.budget is not None
        return answer.budget

    async def _capture(
        self, command: StartCapture | PauseCapture | ResumeCapture
    ) -> CaptureSnapshot:
        answer = await self.gateway.do(command)
        assert answer.capture is not None
        return answer.capture

    def _id(self) -> str:
        return self.gateway.next_id()


@dataclass(frozen=True)
class Kept:
    """A packet as a capture file holds it."""

    at_ms: int
    timestamp: int
    sequence: int
    payload: bytes


def kept(content: CaptureContent, places: Iterable[int]) -> list[Kept]:
    """The packets at `places` of a file."""
    packets = []
    for place in places:
        length, _, at_ms, timestamp, sequence = PACKET.unpack_from(content.content, place)
        begin = place + PACKET.size
        end = place + length + LENGTH_BYTES
        packets.append(Kept(at_ms, timestamp, sequence, content.content[begin:end]))
    return packets


def files(directory: Path) -> list[CaptureContent]:
    return [scan(path.read_bytes()) for path in capture_files(directory)]


def run_module(module: str, *arguments: str | Path) -> list[dict[str, Any]]:
    """Run `python -m module` to its good end; returns its lines of JSON."""
    done = subprocess.run(
        [sys.executable, "-m", module, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=PROCESS_S,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]
