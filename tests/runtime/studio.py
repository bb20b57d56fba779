"""An office whose calls are recorded."""

import asyncio
from dataclasses import replace

from typing_extensions import override

from gateway.core.ids import CallId
from gateway.core.quota.balance import Balance
from gateway.core.quota.lease import BudgetState
from gateway.core.recording.policy import Records
from gateway.runtime.call_desk import CallDesk
from gateway.runtime.call_view import RecordingView
from tests.runtime.fakes import ACCOUNT, NUMBER_ID
from tests.runtime.office import ANI, Office


class Studio(Office):
    """An office whose account has all its calls recorded, and owns so many minutes."""

    def __init__(self, capacity_ms: int = 3_600_000, records: Records = Records.BOTH) -> None:
        super().__init__()
        self.choose(records)
        self.book.set_capacity(ACCOUNT, capacity_ms)

    def choose(self, records: Records) -> None:
        number = self.directory.by_id[NUMBER_ID]
        self.directory.by_id[NUMBER_ID] = replace(number, records=records)

    @property
    def balance(self) -> Balance:
        return self.book.balances[ACCOUNT]

    def kept_ms(self, call_id: CallId) -> int:
        recording = self.recordings.kept.get(call_id)
        return 0 if recording is None else recording.assembled.duration_ms

    async def recording(self, desk: CallDesk, call_id: CallId) -> RecordingView:
        shown = (await self.view(desk, call_id)).recording
        assert shown is not None
        return shown

    async def hang_up(self, desk: CallDesk, call_id: CallId) -> None:
        """Ani hangs up; returns when the recording is made and told."""
        await desk.hang_up(ANI, call_id)
        await self.settled()
        await asyncio.sleep(5)

    async def settled(self) -> None:
        """Wait until nothing is reserved and no capture file waits to be a recording."""
        await self.when(
            lambda: not (self.balance.reserved_ms or self.worker.disk.files), within_s=600
        )

    @override
    def is_clean(self) -> list[str]:
        left = super().is_clean()
        left += [f"hold of {call_id}" for call_id in self.book.holds]
        left += [f"capture of {call_id}" for call_id in self.worker.disk.files]
        budgets = self.book.budgets.values()
        left += [f"budget {b.budget_id}" for b in budgets if b.state is not BudgetState.CLOSED]
        if self.balance.reserved_ms:
            left.append(f"reserved {self.balance.reserved_ms}")
        kept_ms = sum(r.assembled.duration_ms for r in self.recordings.kept.values())
        if self.balance.used_ms != kept_ms:
            left.append(f"used {self.balance.used_ms}, but kept {kept_ms}")
        return left

    def adds_up(self) -> None:
        """What is used is what recordings hold, and nothing else is taken."""
        assert self.is_clean() == []
