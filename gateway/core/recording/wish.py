"""What an account wants recorded, and what therefore is asked of Meta for one call."""

from dataclasses import dataclass

from gateway.core.errors import BadInput
from gateway.core.recording.announcement import Announcement, Kind, checked
from gateway.core.recording.facts import Mode
from gateway.core.recording.own_announcement import OwnAnnouncement
from gateway.core.recording.policy import Records
from gateway.core.whatsapp import Direction


@dataclass(frozen=True, slots=True)
class Wish:
    """An account's setting; `checked_wish` makes one that Meta will accept."""

    records: Records = Records.NONE
    mode: Mode = Mode.OFFICIAL
    purpose: str = ""
    language: str = "en"
    transcribes: bool = False
    """Meta writes down what was said, too."""
    transcribes_alone: bool = False
    """Also where a call is not recorded, for want of minutes or by choice."""

    def announcement(self, kind: Kind = Kind.RECORDING) -> Announcement:
        """Return what Meta will say."""
        return Announcement(self.language, self.purpose, kind)

    @property
    def spoken(self) -> str | None:
        """The sentence that both sides hear before a recorded call; None: Meta says none."""
        if self.mode is Mode.LOCAL or not self.purpose:
            return None
        kind = Kind.BOTH if self.transcribes else Kind.RECORDING
        return self.announcement(kind).sentence


def checked_wish(wish: Wish, *, has_announcement: bool) -> Wish:
    """Return the wish as it will be kept. Raises `BadInput` that says what to change.

    `has_announcement` says whether the account has one of its own.
    """
    if wish.transcribes_alone and not wish.transcribes:
        raise BadInput("transcription alone needs transcription to be switched on")
    if wish.transcribes and wish.mode is Mode.LOCAL:
        raise BadInput("only WhatsApp transcribes: choose the mode official, or no transcript")
    if wish.mode is Mode.LOCAL and wish.records is not Records.NONE and not has_announcement:
        raise BadInput(
            "upload the announcement first: both sides hear it before the gateway records"
        )
    asks_meta = wish.mode is Mode.OFFICIAL and wish.records is not Records.NONE
    if not asks_meta and not wish.transcribes and not wish.purpose:
        return wish
    announced = checked(wish.language, wish.purpose)
    return Wish(
        records=wish.records,
        mode=wish.mode,
        purpose=announced.purpose,
        language=announced.language,
        transcribes=wish.transcribes,
        transcribes_alone=wish.transcribes_alone,
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """What one call asks of Meta; fixed when the call starts."""

    recording: Announcement | None = None
    transcription: Announcement | None = None

    @property
    def announcement(self) -> Announcement | None:
        """The one announcement that is spoken; the recording's words win."""
        if self.recording is None:
            return self.transcription
        if self.transcription is None:
            return self.recording
        return Announcement(self.recording.language, self.recording.purpose, Kind.BOTH)


NOTHING_ASKED = Asked()


@dataclass(frozen=True, slots=True)
class Terms:
    """What an account's settings said when a call began; later changes do not touch it."""

    wish: Wish = Wish()
    records: Records = Records.NONE
    """Its number's choice, else its account's."""
    delay_ms: int = 0
    """How long after the pick-up a capture waits for WhatsApp's announcement to end."""
    own_announcement: OwnAnnouncement | None = None
    """What the gateway plays before it records by itself."""

    @property
    def lacks_announcement(self) -> bool:
        """Whether calls would be recorded that nobody was told of."""
        return self.wish.mode is Mode.LOCAL and self.own_announcement is None


@dataclass(frozen=True, slots=True)
class CallPlan:
    """What becomes of one call."""

    captures: bool = False
    mode: Mode = Mode.LOCAL
    asked: Asked = NOTHING_ASKED

    @property
    def is_announced(self) -> bool:
        """Whether Meta speaks first."""
        return self.asked.announcement is not None


def plan_call(
    wish: Wish, records: Records, direction: Direction, *, has_minutes: bool
) -> CallPlan:
    """Say what to ask for a call.

    `has_minutes` says that a hold was taken: without one nothing is announced that cannot be
    kept.
    """
    captures = records.covers(direction) and has_minutes
    transcribes = wish.transcribes and (captures or wish.transcribes_alone)
    # Without a purpose Meta cannot be asked; what is captured is then all there is.
    is_official = wish.mode is Mode.OFFICIAL and bool(wish.purpose)
    return CallPlan(
        captures=captures,
        mode=Mode.OFFICIAL if is_official else Mode.LOCAL,
        asked=Asked(
            recording=wish.announcement() if captures and is_official else None,
            transcription=wish.announcement(Kind.TRANSCRIPTION)
            if transcribes and is_official
            else None,
        ),
    )
