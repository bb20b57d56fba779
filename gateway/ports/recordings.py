"""Recordings: made from capture files, kept as files, known to SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.errors import CallgateError
from gateway.core.ids import AccountId, CallId, NodeId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import WorkerId
from gateway.ports import Json
from gateway.ports.quota import ChargedCall


@dataclass(frozen=True, slots=True)
class Assembled:
    """A stereo file (agent left, customer right), durable under its name."""

    file: str
    """Relative to the folder of recordings."""
    peaks: str | None
    """The same, of what a player draws."""
    duration_ms: int
    bytes: int
    sha256: str
    began_at: float
    """Wall clock when its first segment began, seconds."""
    segments: tuple[Json, ...]
    """Where each segment lies in it, and why it ended."""


@dataclass(frozen=True, slots=True)
class NothingRecorded:
    """The captures hold no recorded time, or there are none."""


@dataclass(frozen=True, slots=True)
class NotAssembled:
    """No file was made; the captures are as they were. `code` is stable."""

    code: str
    reason: str


class Assembler(Protocol):
    """Makes recordings of this node's capture files, beside the calls and below them."""

    async def assemble(
        self, call_id: CallId, account_id: AccountId
    ) -> Assembled | NothingRecorded | NotAssembled:
        """Make one file of a call's captures; doing it again replaces it by the same."""

    async def recover(self) -> bool:
        """Close the files that dead workers left open; False if one could not be judged."""

    async def discard(self, call_id: CallId) -> None:
        """Delete a call's capture files; the recording stands for them now."""

    async def left_over(self) -> Sequence[CallId]:
        """Return the calls of which capture files are there, being written or not."""


@dataclass(frozen=True, slots=True)
class Recording:
    """The durable record of one call's recording."""

    call_id: CallId
    account_id: AccountId
    assembled: Assembled
    finished_at: float
    """Wall clock, seconds."""


class GivenUp(CallgateError):
    """The files were expected so long ago that they were removed: make them once more."""


class RecordingStore(Protocol):
    """Recordings and the workers that make them. Every method raises `StoreDown`."""

    async def expect(self, call_id: CallId, account_id: AccountId, *, now: float) -> None:
        """Note the files of a recording before they are made; again is fine."""

    async def keep(self, recording: Recording, recorded: Recorded, stamp: Stamp) -> ChargedCall:
        """Note a recording and charge its call, as one; a second time nothing changes.

        Raises `GivenUp`, and then nothing is noted or charged.
        """

    async def find(self, call_id: CallId) -> Recording | None:
        """Return the recording of a call."""

    async def note_worker(self, worker_id: WorkerId, node_id: NodeId, *, now: float) -> None:
        """Remember that a worker may write captures on a node; twice is fine.

        Must be done before its first budget is opened.
        """

    async def unrecovered(self, node_id: NodeId) -> Sequence[WorkerId]:
        """Return the workers of a node whose captures may not all be recordings yet."""

    async def note_recovered(self, worker_id: WorkerId, *, now: float) -> None:
        """All that a dead worker wrote is settled."""
