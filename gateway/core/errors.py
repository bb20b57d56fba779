"""The exception tree. Who is to blame stands in the type.

CallgateError
├── BadInput            the caller's fault: a request that cannot be served as it is
│   ├── BadSdp          a session description we will not work with
│   ├── NotFound        no such thing, or not yours to see
│   ├── Forbidden       yours to see, not yours to do
│   └── Refused         valid, but the state of the world forbids it (taken, ended, busy…)
├── WhatsAppError       Meta answered with an error, or not at all
│   ├── WhatsAppRefused an error envelope
│   └── WhatsAppUnclear no usable answer: the effect is unknown
├── MediaError          the media worker refused, or is away
│   ├── MediaRefused
│   └── MediaAway
└── StoreError          the database
    ├── StoreDown       cannot be reached or does not answer in time
    ├── VersionConflict somebody else wrote first
    ├── NotOwner        the call belongs to another node, or to a later life of this one
    └── SecretUnreadable  sealed with a key that is not in the key ring
"""

from dataclasses import dataclass


class CallgateError(Exception):
    """Base of all errors of this program; never raised itself."""


class BadInput(CallgateError):
    """The request cannot be served as it is. The text is fit for the person who sent it."""


class BadSdp(BadInput):
    """A session description we will not work with; the text says why in plain words."""


class NotFound(BadInput):
    """No such thing, or not the caller's to see: the two are not told apart."""


class Forbidden(BadInput):
    """The caller may see it but not do this."""


class Refused(BadInput):
    """Valid, but the state of the world forbids it.

    `code` is stable and translated by the web app, for example `call_taken`.
    """

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


@dataclass(frozen=True, slots=True)
class MetaFault:
    """What Meta said, kept whole for the agent and the trace (error envelope of Graph)."""

    code: int
    message: str
    details: str = ""
    subcode: int | None = None
    http_status: int | None = None
    fbtrace_id: str = ""


class WhatsAppError(CallgateError):
    """Meta answered with an error, or not at all."""


class WhatsAppRefused(WhatsAppError):
    """Meta answered with an error envelope: the request had no effect."""

    def __init__(self, fault: MetaFault, *, retry_after_s: float | None = None) -> None:
        super().__init__(f"Meta refused with code {fault.code}")
        self.fault = fault
        self.retry_after_s = retry_after_s


class WhatsAppUnclear(WhatsAppError):
    """Time-out, broken connection or unreadable answer: the request may have had its effect."""


class MediaError(CallgateError):
    """The media worker refused, or is away."""


class MediaRefused(MediaError):
    """The worker answered `Failed`; `code` is its code, the text its plain reason."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class MediaAway(MediaError):
    """No worker is connected, or it did not answer in time."""


class StoreError(CallgateError):
    """The database."""


class StoreDown(StoreError):
    """It cannot be reached, or did not answer in time; nothing was written."""


class VersionConflict(StoreError):
    """Somebody else wrote this row first; nothing was written."""


class NotOwner(StoreError):
    """The call belongs to another node or to a later life of this one; nothing was written."""


class SecretUnreadable(StoreError):
    """Sealed with a key that is not in the key ring, or tampered with; `doctor` names it."""
