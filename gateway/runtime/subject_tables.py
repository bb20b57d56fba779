"""A customer's calls as lines of CSV, with what people see of each and of its recording."""

from dataclasses import dataclass

from gateway.core.call.call import Call
from gateway.core.call.ending import outcome_of
from gateway.core.csv_text import Cell
from gateway.core.ids import CallId
from gateway.core.recording.file_names import file_stem
from gateway.core.zones import local_time
from gateway.ports.library import Shelved

COLUMNS = (
    "call_id",
    "direction",
    "state",
    "outcome",
    "created_at",
    "answered_at",
    "ended_at",
    "customer_name",
    "customer_phone",
    "customer_user_id",
    "customer_parent_user_id",
    "customer_username",
    "agent",
    "number",
    "recording",
    "recorded_at",
    "recorded_ms",
    "verdict",
    "note",
    "held",
    "purge_day",
    "deleted_at",
    "deleted_why",
)
UNREADABLE = "unreadable"


@dataclass(frozen=True, slots=True)
class CallOfSubject:
    """A call with a customer, and its recording."""

    call_id: CallId
    call: Call | None
    """None: it is damaged in the database."""
    row: Shelved | None
    """None: nothing was recorded, or it is not made yet."""
    is_over: bool = True
    """Nobody has anything to do for it any more."""

    def stem(self, zone: str) -> str:
        """Name the files of the call."""
        if self.row is not None:
            return file_stem(self.call_id, self.row.began_at, zone, self.row.peer.name or "")
        if self.call is None:
            return self.call_id
        identity = self.call.identity
        return file_stem(self.call_id, identity.created_at, zone, identity.peer.name or "")

    def cells(self, zone: str) -> tuple[Cell, ...]:
        """Return what stands under `COLUMNS`; times are ISO 8601 in the zone."""
        return (self.call_id, *self._of_call(zone), *self._of_recording(zone))

    def _of_call(self, zone: str) -> tuple[Cell, ...]:
        call = self.call
        if call is None:
            return (None, UNREADABLE, *(None,) * 11)
        identity, peer, outcome = call.identity, call.identity.peer, outcome_of(call)
        return (
            identity.direction.value,
            call.state.value,
            None if outcome is None else outcome.value,
            _moment(identity.created_at, zone),
            _moment(call.answered_at, zone),
            _moment(call.end.at, zone),
            peer.name,
            peer.phone,
            peer.user_id,
            peer.parent_user_id,
            peer.username,
            None if call.agent is None else call.agent.name,
            identity.number_display,
        )

    def _of_recording(self, zone: str) -> tuple[Cell, ...]:
        row = self.row
        if row is None:
            return (None,) * 9
        ending = row.ending
        return (
            row.state.value,
            _moment(row.began_at, zone),
            row.duration_ms,
            row.verdict,
            row.note,
            "no" if row.hold is None else "yes",
            row.purge_day,
            None if ending is None else _moment(ending.trashed_at, zone),
            None if ending is None else ending.why,
        )


def _moment(at: float | None, zone: str) -> str | None:
    return None if at is None else local_time(at, zone).isoformat(timespec="milliseconds")
