"""What Meta tells us about calls, as facts (Calling API, "Webhooks" reference)."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.core.errors import MetaFault
from gateway.core.ids import CallId, PhoneNumberId, Wacid


class Direction(StrEnum):
    """Who started the call; taken from Meta's `direction` and from nothing else."""

    INBOUND = "inbound"
    """The WhatsApp user called us (UIC)."""
    OUTBOUND = "outbound"
    """We called the user (BIC)."""


@dataclass(frozen=True, slots=True)
class Peer:
    """The WhatsApp user of a call. A user may have no phone number, or no BSUID yet."""

    phone: str | None = None
    """Digits of the international number, without a plus."""
    user_id: str | None = None
    """Business-scoped user id (BSUID)."""
    parent_user_id: str | None = None
    name: str | None = None
    username: str | None = None


@dataclass(frozen=True, slots=True)
class UserConnect:
    """A user is calling: `connect` with an offer."""

    phone_number_id: PhoneNumberId
    wacid: Wacid
    at: float
    """Meta's timestamp, seconds since the epoch."""
    peer: Peer
    offer: str
    deeplink_payload: str | None = None
    cta_payload: str | None = None


@dataclass(frozen=True, slots=True)
class BusinessConnect:
    """Media of a call that we started is ready: `connect` with an answer. Not the pick-up."""

    phone_number_id: PhoneNumberId
    wacid: Wacid
    at: float
    answer: str
    call_id: CallId | None
    """Our `biz_opaque_callback_data`, if it came back."""


class CallStatus(StrEnum):
    """Progress of a call that we started."""

    RINGING = "RINGING"
    ACCEPTED = "ACCEPTED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class StatusChanged:
    """`statuses[]` of type call."""

    phone_number_id: PhoneNumberId
    wacid: Wacid
    at: float
    status: CallStatus
    call_id: CallId | None
    peer: Peer


@dataclass(frozen=True, slots=True)
class Terminated:
    """The call is over at Meta's side. Whether it was ever answered: `start_at`."""

    phone_number_id: PhoneNumberId
    wacid: Wacid
    at: float
    failed: bool
    start_at: float | None = None
    end_at: float | None = None
    duration_s: int | None = None
    faults: tuple[MetaFault, ...] = ()
    call_id: CallId | None = None


class FileKind(StrEnum):
    """What Meta makes of a call afterwards."""

    RECORDING = "recording"
    TRANSCRIPT = "transcript"


@dataclass(frozen=True, slots=True)
class FileAvailable:
    """A call's recording or transcript can be fetched, for some days."""

    phone_number_id: PhoneNumberId
    wacid: Wacid
    at: float
    kind: FileKind
    media_id: str
    sha256: str | None = None
    mime_type: str | None = None
    url: str | None = None
    """Works for a few minutes."""


WhatsAppEvent = UserConnect | BusinessConnect | StatusChanged | Terminated | FileAvailable
