"""ICE-lite (RFC 8445 section 2.5): answers checks, sends none, follows the nomination."""

import secrets
import string
from base64 import b64encode
from dataclasses import dataclass, field

from sandbox.stun import (
    Address,
    BadStun,
    encode_role_conflict,
    encode_success,
    parse_binding_request,
)

_UFRAG_LETTERS = string.ascii_letters + string.digits + "+/"
_VALID_MAX = 32


@dataclass(frozen=True, slots=True)
class IceCredentials:
    """User fragment and password of one side."""

    ufrag: str
    password: str

    @classmethod
    def random(cls) -> "IceCredentials":
        """Make a pair of Meta's shape: 16 characters, and 16 bytes as padded base64."""
        ufrag = "".join(secrets.choice(_UFRAG_LETTERS) for _ in range(16))
        return cls(ufrag=ufrag, password=b64encode(secrets.token_bytes(16)).decode())


@dataclass(slots=True)
class IceCounts:
    """What the responder has seen so far."""

    checks: int = 0
    answered: int = 0
    dropped: int = 0
    role_conflicts: int = 0
    nominations: int = 0
    aggressive_nominations: int = 0
    pair_changes: int = 0


@dataclass(slots=True)
class IceLite:
    """The responder of one call.

    It has no way to send on its own: `answer` returns what to send back, or nothing.
    """

    local: IceCredentials
    remote: IceCredentials | None = None
    selected: Address | None = None
    last_validated: Address | None = None
    answered_at: float | None = None
    counts: IceCounts = field(default_factory=IceCounts)
    _valid: set[Address] = field(default_factory=set)

    def answer(self, datagram: bytes, source: Address, now: float) -> bytes | None:
        """Return the answer to a check from `source`, or None: strangers get no reply.

        Before the peer's description is known no check can be verified, so all are dropped.
        """
        self.counts.checks += 1
        try:
            request = parse_binding_request(datagram)
        except BadStun:
            self.counts.dropped += 1
            return None
        expected = f"{self.local.ufrag}:{self.remote.ufrag}" if self.remote else None
        if request.username != expected or not request.is_signed_with(self.local.password):
            self.counts.dropped += 1
            return None
        if request.is_controlled:
            self.counts.role_conflicts += 1
            return encode_role_conflict(request.transaction_id, self.local.password)
        self.counts.answered += 1
        self.answered_at = now
        if request.is_nominating:
            self._nominate(source)
        if len(self._valid) < _VALID_MAX:
            self._valid.add(source)
        self.last_validated = source
        return encode_success(request.transaction_id, source, self.local.password)

    def has_validated(self, source: Address) -> bool:
        """Tell whether a check from this address was authentic."""
        return source in self._valid

    def _nominate(self, source: Address) -> None:
        self.counts.nominations += 1
        if source not in self._valid:
            # Regular nomination repeats a check that succeeded; this one skipped that.
            self.counts.aggressive_nominations += 1
        if self.selected not in {None, source}:
            self.counts.pair_changes += 1
        self.selected = source
