"""The chains of what happened to recordings, and the signatures over them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from gateway.core.ids import AccountId, CallId
from gateway.core.recording.evidence import Happening, Leaf, ProofStep


@dataclass(frozen=True, slots=True)
class PublicKey:
    """What signatures of this installation are checked with."""

    key_id: str
    """Made from the key itself."""
    raw: bytes
    """The 32 bytes of an Ed25519 key (RFC 8032)."""
    pem: str
    """The same, as OpenSSL reads it."""
    since: float


class Signer(Protocol):
    """The installation's current key."""

    @property
    def key_id(self) -> str:
        """Which key it is."""

    def sign(self, content: bytes) -> bytes:
        """Return a signature of 64 bytes (Ed25519)."""


@dataclass(frozen=True, slots=True)
class SignedRoot:
    """A daily root that vouches for a call, and the way from the call's leaf to it."""

    statement: str
    signature: bytes = field(repr=False)
    leaf: Leaf
    proof: tuple[ProofStep, ...]


class EvidenceBook(Protocol):
    """Append-only. Every method raises `StoreDown`.

    What happens to a call or recording is chained by the stores in the transaction that makes
    it so; `record` is for what has no other place.
    """

    async def record(
        self, account_id: AccountId, call_id: CallId, happenings: Sequence[Happening]
    ) -> None:
        """Add to a call's chain, in this order and without gaps whoever else adds at once."""

    async def chain(self, account_id: AccountId, call_id: CallId) -> Sequence[str]:
        """Return a call's lines in order; none if nothing is known of it in this account."""

    async def roots_of(self, call_id: CallId) -> Sequence[SignedRoot]:
        """Return the daily roots that vouch for parts of a call's chain, oldest first."""

    async def signer(self, *, now: float) -> Signer:
        """Return the current key; the first one is made here, once for all nodes.

        Raises `SecretUnreadable`.
        """

    async def renew_key(self, *, now: float) -> PublicKey:
        """Make a new key, which signs from now on; what was signed stays valid."""

    async def public_keys(self) -> Sequence[PublicKey]:
        """Return all keys there ever were, oldest first."""

    async def seal_day(self, *, now: float) -> int:
        """Sign what was chained up to the last midnight in UTC, and maybe later; return how
        many calls' heads. Doing it again, on any node, changes nothing.
        """
