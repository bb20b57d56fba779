"""Messages of the browser's WebSocket, as pydantic models."""

from typing import Literal

from gateway.http.schemas import CallView, Me, Moment, PresenceName, QualityView
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
    NoticeMessage,
    AliveMessage,
)
