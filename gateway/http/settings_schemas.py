"""The call settings of an account, as pydantic models."""

from typing import Annotated, Literal

from pydantic import Field

from gateway.core.recording.announcement import PURPOSE_CHARS_MAX
from gateway.http.schemas import Moment
from gateway.http.shapes import Shape
from gateway.ports.announcements import StoredAnnouncement
from gateway.runtime.call_view import moment

RecordsName = Literal["none", "inbound", "outbound", "both"]
ModeName = Literal["official", "local"]


class CallSettingsChange(Shape):
    """What is wanted from the next call on; calls that run keep what they began with."""

    version: int = Field(ge=0, le=2**31 - 1)
    """Of the settings that were shown when the change was made."""
    records: RecordsName
    """Which calls are recorded."""
    mode: ModeName
    """`official`: WhatsApp announces and records, the gateway keeps a safety copy. `local`:
    only the gateway records."""
    purpose: Annotated[str, Field(max_length=4 * PURPOSE_CHARS_MAX)]
    """Spoken to both sides after WhatsApp's own words, in the language chosen."""
    language: Annotated[str, Field(max_length=16)]
    transcription: bool
    """WhatsApp writes down what was said, too."""
    transcription_alone: bool
    """Also where a call is not recorded."""


class AnnouncedLanguage(Shape):
    """A language in which WhatsApp announces; the purpose follows its words."""

    code: str
    recording: str
    recording_and_transcription: str


class AnnouncementView(Shape):
    """The account's own announcement."""

    id: str
    duration_ms: int
    uploaded_at: Moment


class CallSettingsView(CallSettingsChange):
    """The settings in force."""

    spoken: str | None
    """What both sides hear before a recorded call; null if WhatsApp says nothing."""
    announcement: AnnouncementView | None
    """What both sides hear in the mode `local`; null if nothing was uploaded."""
    announcement_max_s: float
    announcement_bytes_max: int
    purpose_chars_max: int
    languages: list[AnnouncedLanguage]


def announcement_view(stored: StoredAnnouncement) -> AnnouncementView:
    """Show an announcement."""
    return AnnouncementView(
        id=stored.own.announcement_id,
        duration_ms=stored.own.duration_ms,
        uploaded_at=moment(stored.uploaded_at),
    )
