"""Messages of the browser's WebSocket, as pydantic models."""

from typing import Literal

from gateway.http.quota_schemas import QuotaView
from gateway.http.schemas import (
    CallView,
    Me,
    Moment,
    PresenceName,
    QualityView,
    RecordingView,
)
from gateway.http.shapes import Shape


class PresenceView(Shape):
    """Who is here."""

    user_id: str
    name: str
    state: PresenceName


class SnapshotMessage(Shape):
    """First message of a connection."""

    seq: Literal[1]
    type: Literal["snapshot"]
    at: Moment
    me: Me
    calls: list[CallView]
    presence: list[PresenceView]


class CallMessage(Shape):
    """A call changed; a version not above the one held is old news."""

    seq: int
    type: Literal["call"]
    call: CallView


class PresenceMessage(Shape):
    """A person's presence changed."""

    seq: int
    type: Literal["presence"]
    user_id: str
    name: str
    state: PresenceName


class QualityMessage(Shape):
    """How a call fares now; not a new version of it."""

    seq: int
    type: Literal["quality"]
    call_id: str
    quality: QualityView | None


class RecordingMessage(Shape):
    """What a call's recording does now; not a new version of the call."""

    seq: int
    type: Literal["recording"]
    call_id: str
    recording: RecordingView | None


class QuotaMessage(QuotaView):
    """How the account's minutes stand: about once a second while something is recorded, and
    on every change. For supervisors and admins.
    """

    seq: int
    type: Literal["quota"]


class ThresholdMessage(Shape):
    """Use of the minutes has risen to a threshold; once per crossing. For the same people."""

    seq: int
    type: Literal["quota_threshold"]
    threshold: Literal[80, 95, 100]
    at: Moment


class NoticeMessage(Shape):
    """Something about the gateway itself, such as `media_away` and `media_back`."""

    seq: int
    type: Literal["notice"]
    code: str
    detail: str


class AliveMessage(Shape):
    """What the browser says every 5 s; it may say nothing else."""

    type: Literal["alive"]


EVENT_MESSAGES = (
    SnapshotMessage,
    CallMessage,
    PresenceMessage,
    QualityMessage,
    RecordingMessage,
    QuotaMessage,
    ThresholdMessage,
    NoticeMessage,
    AliveMessage,
)
