"""Recordings from the store as the REST interface shows them."""

from collections.abc import Sequence
from typing import Any, get_args

from gateway.core.ids import AccountId, UserId
from gateway.core.recording.lifecycle import Life
from gateway.core.whatsapp import Direction, Peer
from gateway.http.call_views import peer_view, trace_views
from gateway.http.days import begin_of, end_of
from gateway.http.library_schemas import (
    EndingView,
    HoldView,
    PauseView,
    RecordingDetail,
    RecordingItem,
    RecordingsFilter,
    SegmentView,
)
from gateway.http.schemas import AgentView, VerdictName
from gateway.ports.calls import TraceLine
from gateway.ports.library import Ending, LibraryFilter, Shelved
from gateway.runtime.call_view import moment

VERDICTS = frozenset(get_args(VerdictName))
REASONS = frozenset(get_args(EndingView.model_fields["why"].annotation))


def filter_of(query: RecordingsFilter, account_id: AccountId, zone: str) -> LibraryFilter:
    """Read what is asked for; days begin and end at midnight of the zone."""
    phone = None if query.phone is None else query.phone.removeprefix("+")
    is_with = phone is not None or query.user_id is not None
    return LibraryFilter(
        account_id=account_id,
        agent_id=None if query.agent_id is None else UserId(query.agent_id),
        since=begin_of(query.since, zone),
        until=end_of(query.until, zone),
        direction=None if query.direction is None else Direction(query.direction),
        peer=Peer(phone=phone, user_id=query.user_id) if is_with else None,
        shortest_ms=query.min_duration_ms,
        longest_ms=query.max_duration_ms,
        verdict=query.verdict,
        cut_by_quota=query.cut_by_quota,
        noted=query.note,
        is_held=query.held,
        state=Life(query.state),
    )


def item_of(row: Shelved) -> RecordingItem:
    """Show a recording in a list."""
    return RecordingItem(**_shown(row))


def detail_of(row: Shelved, trace: Sequence[TraceLine]) -> RecordingDetail:
    """Show one recording with all that is known of it."""
    return RecordingDetail(
        **_shown(row),
        sha256=row.sha256,
        made_day=row.made_day,
        segments=[_segment(each) for each in row.segments if isinstance(each, dict)],
        events=trace_views(trace, source="recording"),
    )


def _shown(row: Shelved) -> dict[str, Any]:
    hold = row.hold
    return {
        "id": row.call_id,
        "version": row.version,
        "state": row.state.value,
        "began_at": moment(row.began_at),
        "duration_ms": row.duration_ms,
        "bytes": row.bytes,
        "direction": None if row.direction is None else row.direction.value,
        "agent": _agent(row),
        "number": row.number_display,
        "peer": peer_view(row.peer),
        "verdict": row.verdict if row.verdict in VERDICTS else None,
        "cut_by_quota": row.cut_by_quota,
        "note": row.note,
        "has_transcript": row.has_transcript,
        "hold": None
        if hold is None
        else HoldView(at=moment(hold.at), by=hold.by, why=hold.why),
        "purge_day": row.purge_day,
        "ending": None if row.ending is None else _ending(row.ending),
    }


def _agent(row: Shelved) -> AgentView | None:
    if row.agent_id is None:
        return None
    return AgentView(id=row.agent_id, name=row.agent_name or "")


def _ending(ending: Ending) -> EndingView:
    return EndingView(
        at=moment(ending.trashed_at),
        gone_after=None if ending.gone_after is None else moment(ending.gone_after),
        by=ending.by,
        why=ending.why if ending.why in REASONS else "",  # type: ignore[arg-type]  # one of them
        gone_at=None if ending.purged_at is None else moment(ending.purged_at),
    )


def _segment(stored: dict[str, Any]) -> SegmentView:
    return SegmentView(
        begins_ms=stored.get("begins_ms", 0),
        duration_ms=stored.get("duration_ms", 0),
        end_reason=stored.get("end_reason"),
        pauses=[
            PauseView(at_ms=at_ms, length_ms=length_ms)
            for at_ms, length_ms in stored.get("pauses", ())
        ],
    )
