"""Queries, bodies and answers about recordings, as pydantic models."""

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from gateway.core.ids import CallId
from gateway.http.days import Day
from gateway.http.quota_schemas import Amount
from gateway.http.schemas import (
    AgentView,
    DirectionName,
    Identity,
    Moment,
    PeerView,
    Phone,
    TraceLineView,
    VerdictName,
    WhatsAppUser,
)
from gateway.http.shapes import Shape

ARCHIVE_IDS_MAX = 1_000
DELETE_IDS_MAX = 200
NOTE_CHARS_MAX = 500

StateName = Literal["available", "trashed", "purged"]
Length = Annotated[int, Field(ge=0, le=10**9)]
NoteText = Annotated[str, StringConstraints(max_length=NOTE_CHARS_MAX)]


class RecordingsFilter(Shape):
    """Which recordings; what is left out lets all through. Days are of the account's zone."""

    since: Day | None = None
    """First day on which they began."""
    until: Day | None = None
    """Last day."""
    agent_id: Identity | None = None
    direction: DirectionName | None = None
    phone: Phone | None = None
    """Only with this number; with `user_id` too, with either."""
    user_id: WhatsAppUser | None = None
    min_duration_ms: Length | None = None
    max_duration_ms: Length | None = None
    verdict: VerdictName | None = None
    cut_by_quota: bool | None = None
    held: bool | None = None
    note: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    """Part of the note; capital letters do not matter."""
    state: StateName = "available"
    """What was deleted is for supervisors and admins alone."""


class RecordingsQuery(RecordingsFilter):
    """One page of them, newest first."""

    cursor: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    limit: int = Field(default=50, ge=1, le=200)


class RecordingsTable(RecordingsFilter):
    """All of them as CSV."""

    bom: bool = False
    """Begin with a byte order mark, by which Excel knows UTF-8."""


class HoldView(Shape):
    """While it is held nothing deletes it."""

    at: Moment
    by: str | None
    """Id of the person; null for the operator."""
    why: str


class EndingView(Shape):
    """How it was deleted."""

    at: Moment
    """Unreachable since; its minutes are back since then."""
    gone_after: Moment | None
    """Its bytes go then; until then they are kept from everybody."""
    by: str | None
    why: Literal["hand", "room", "retention", "erasure", ""]
    gone_at: Moment | None


class RecordingItem(Shape):
    """A recording in the list. Its id is that of its call."""

    id: str
    version: int
    state: StateName
    began_at: Moment
    duration_ms: Amount
    bytes: Amount
    direction: DirectionName | None
    agent: AgentView | None
    number: str | None
    """The business number, as people write it."""
    peer: PeerView
    verdict: VerdictName | None
    """Null until both recordings of the call have been compared."""
    cut_by_quota: bool
    note: str | None
    has_transcript: bool
    hold: HoldView | None
    purge_day: str
    """The day on which it goes by itself, unless it is held."""
    ending: EndingView | None


class RecordingPage(Shape):
    """One page."""

    items: list[RecordingItem]
    next_cursor: str | None


class PauseView(Shape):
    """A part of the call that was deliberately not recorded."""

    at_ms: Amount
    """Where it lies in the recording."""
    length_ms: Amount


class SegmentView(Shape):
    """One stretch of the recording."""

    begins_ms: Amount
    duration_ms: Amount
    end_reason: str | None
    """`quota` where the minutes ran out."""
    pauses: list[PauseView]


class RecordingDetail(RecordingItem):
    """Everything that is known of one recording."""

    sha256: str
    made_day: str
    segments: list[SegmentView]
    events: list[TraceLineView]
    """What happened to it in the call."""


class PeaksView(Shape):
    """What a player draws: the loudest of each step of each side."""

    per_second: int
    full: int
    """Full scale."""
    agent: list[int]
    customer: list[int]
    mixed: list[int]
    """Both together, where the recording has one channel; the sides are empty then."""


class NoteChange(Shape):
    """What to write beside a recording."""

    note: NoteText | None
    """Null or nothing but blanks takes the note away."""
    version: int | None = None
    """The version that was seen; another one in the store refuses the change."""


class RecordingIds(Shape):
    """Which recordings to pack."""

    ids: list[Identity] = Field(min_length=1, max_length=ARCHIVE_IDS_MAX)

    @property
    def call_ids(self) -> list[CallId]:
        """The ids, typed."""
        return [CallId(each) for each in self.ids]


class DeleteIds(Shape):
    """Which recordings to delete."""

    ids: list[Identity] = Field(min_length=1, max_length=DELETE_IDS_MAX)

    @property
    def call_ids(self) -> list[CallId]:
        """The ids, typed."""
        return [CallId(each) for each in self.ids]


class Deleted(Shape):
    """What a deletion did."""

    ids: list[str]
    returned_ms: Amount
    """Recording time that is free again."""
    gone_after: Moment
    """Until then the bytes are kept from everybody, then they are gone."""


class HoldChange(Shape):
    """Why a recording is held."""

    why: Annotated[str, StringConstraints(min_length=1, max_length=400, strip_whitespace=True)]
