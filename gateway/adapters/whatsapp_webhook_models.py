"""Shapes of the inner events that tell about calls (Calling API, "Webhooks").

Lenient on purpose: unknown fields are ignored, numbers may be strings, people may lack a phone
number, a user id or a contact entry.
"""

import json
import unicodedata
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, field_validator

SDP_CHARS_MAX = 64 * 1024
TEXT_CHARS_MAX = 1_024
SECONDS_MAX = 1 << 40

_UNPRINTABLE = {"Cc", "Cs"}
"""Control characters and lone surrogates; joiners stay, for emoji and Arabic need them."""


def _seconds(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.strip().isdigit():
        return int(value)
    return value


def _text_or_none(value: object) -> str | None:
    """Keep usable text; a wrong type in a field we can do without is no reason to fail."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str):
        return None
    cleaned = "".join(c for c in value if unicodedata.category(c) not in _UNPRINTABLE).strip()
    return cleaned[:TEXT_CHARS_MAX] or None


def _seconds_or_none(value: object) -> int | None:
    seconds = _seconds(value)
    if not isinstance(seconds, int) or isinstance(seconds, bool):
        return None
    return seconds if 0 <= seconds <= SECONDS_MAX else None


Seconds = Annotated[int, BeforeValidator(_seconds), Field(ge=0, le=SECONDS_MAX)]
SecondsOrNone = Annotated[int | None, BeforeValidator(_seconds_or_none)]
Text = Annotated[str | None, BeforeValidator(_text_or_none)]


def _description(value: object) -> object:
    if not isinstance(value, str):
        return value
    # A lone surrogate cannot be written to anybody; a question mark can.
    return value[: SDP_CHARS_MAX + 1].encode(errors="replace").decode()


Description = Annotated[str, BeforeValidator(_description)]
"""An SDP. One that is empty or too long (and so is clipped to one that still is) comes through:
whoever reads it refuses it, and with it the call; unread, the caller would be left waiting."""


class Part(BaseModel):
    """What all shapes share."""

    model_config = ConfigDict(extra="ignore", frozen=True, populate_by_name=True)


class Session(Part):
    """A session description and whose turn it is."""

    sdp_type: Literal["offer", "answer"]
    sdp: Description


class Profile(Part):
    """What a user shows of themselves."""

    name: Text = None
    username: Text = None


class Contact(Part):
    """A person a delivery speaks of."""

    profile: Profile = Profile()
    wa_id: Text = None
    user_id: Text = None
    parent_user_id: Text = None

    @field_validator("profile", mode="before")
    @classmethod
    def _profile(cls, value: object) -> object:
        return value if isinstance(value, dict) else {}


class Fault(Part):
    """An error of a webhook."""

    code: int
    title: Text = None
    message: Text = None
    error_data: Any = None

    @property
    def details(self) -> str:
        """The sentence that tells most."""
        told = self.error_data.get("details") if isinstance(self.error_data, dict) else None
        return _text_or_none(told) or ""


class Connect(Part):
    """`calls[]` with event `connect`."""

    id: str
    timestamp: Seconds
    direction: Literal["USER_INITIATED", "BUSINESS_INITIATED"]
    from_phone: Text = Field(default=None, alias="from")
    from_user_id: Text = None
    from_parent_user_id: Text = None
    session: Session
    deeplink_payload: Text = None
    cta_payload: Text = None
    biz_opaque_callback_data: Text = None


class Terminate(Part):
    """`calls[]` with event `terminate`; the times stand there only if it was picked up."""

    id: str
    timestamp: Seconds
    status: Text = None
    start_time: SecondsOrNone = None
    end_time: SecondsOrNone = None
    duration: SecondsOrNone = None
    errors: tuple[Fault, ...] = ()
    biz_opaque_callback_data: Text = None


class StoredFile(Part):
    """A file that Meta keeps for us."""

    id: str = Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")
    sha256: Text = None
    mime_type: Text = None
    url: str | None = Field(default=None, max_length=4_096)


class Recording(Part):
    """`call_recording`; its `type` has always been audio."""

    audio: StoredFile


class Transcript(Part):
    """`call_transcript`."""

    document: StoredFile


class Available(Part):
    """`calls[]` with an event that tells of a file; one of the two is there."""

    id: str
    timestamp: Seconds
    call_recording: Recording | None = None
    call_transcript: Transcript | None = None


class Status(Part):
    """`statuses[]` of type call."""

    id: str
    timestamp: Seconds
    status: str
    recipient_id: Text = None
    recipient_user_id: Text = None
    recipient_parent_user_id: Text = None
    biz_opaque_callback_data: Text = None


def with_session(item: dict[str, Any]) -> dict[str, Any]:
    """Give a `connect` that only has the legacy `connection.webrtc.sdp` a session.

    There the SDP hides in a JSON string: `{"type": "offer"|"answer", "sdp": …}`.
    """
    if isinstance(item.get("session"), dict):
        return item
    connection = item.get("connection")
    webrtc = connection.get("webrtc") if isinstance(connection, dict) else None
    packed = webrtc.get("sdp") if isinstance(webrtc, dict) else None
    if not isinstance(packed, str) or len(packed) > 2 * SDP_CHARS_MAX:
        return item
    try:
        unpacked = json.loads(packed)
    except (ValueError, RecursionError):
        return item
    if not isinstance(unpacked, dict):
        return item
    kind = unpacked.get("type") or _type_by_direction(item.get("direction"))
    return {**item, "session": {"sdp_type": kind, "sdp": unpacked.get("sdp")}}


def _type_by_direction(direction: object) -> str:
    return "answer" if direction == "BUSINESS_INITIATED" else "offer"
