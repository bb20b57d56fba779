"""Webhook events between Meta's POST and our work on them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.core.ids import InboxId, PhoneNumberId, Wacid
from gateway.core.whatsapp import WhatsAppEvent


@dataclass(frozen=True, slots=True)
class InboxItem:
    """One inner event of a delivery, as it will be stored."""

    dedup_key: str
    """Hash over number, call, event, status, timestamp, media id; equal for a redelivery."""
    kind: str
    """connect | terminate | status | call_recording_available | … | unknown"""
    phone_number_id: PhoneNumberId | None
    wacid: Wacid | None
    payload: str
    """JSON `{field, metadata, contacts, errors, item}` of this inner event alone."""
    is_news: bool = True
    """False: kept for the record, and nobody has to work on it (receipts of messages…)."""


@dataclass(frozen=True, slots=True)
class InboxRow:
    """A stored inner event that waits for its work."""

    inbox_id: InboxId
    received_at: float
    item: InboxItem
    tries: int


class Inbox(Protocol):
    """Webhook events between Meta's POST and our work on them. Raises `StoreDown`."""

    async def add(self, items: Sequence[InboxItem], *, received_at: float) -> int:
        """Store what is new in one transaction; return how many were new."""

    async def waiting(self, *, limit: int) -> Sequence[InboxRow]:
        """Return the oldest rows not yet done and due, oldest first."""

    async def done(self, inbox_id: InboxId, *, note: str = "") -> None:
        """Mark a row worked off (or ignored, with the reason in `note`)."""

    async def failed(self, inbox_id: InboxId, *, error: str, retry_at: float | None) -> None:
        """Count a failed try; without `retry_at` the row is parked as failed for good."""


class ReadWebhook(Protocol):
    """Turns a stored inner event into a fact about a call."""

    def __call__(self, item: InboxItem) -> WhatsAppEvent | None:
        """Return None for what is no news of a call; raises `BadInput` if unreadable."""
