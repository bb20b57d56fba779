"""The Graph API's call actions."""

from collections.abc import Callable
from typing import Protocol

from gateway.core.ids import CallId, Wacid
from gateway.core.recording.wish import NOTHING_ASKED, Asked
from gateway.core.whatsapp import Peer
from gateway.ports.accounts import Number
from gateway.ports.calls import TraceLine

OnGraphRequest = Callable[[TraceLine], None]
"""Called by the WhatsApp adapter with one redacted line per request and answer."""


class WhatsAppApi(Protocol):
    """The Graph API's `/calls` actions.

    All raise `WhatsAppRefused` (no effect) or `WhatsAppUnclear` (unknown effect). Retries
    happen inside and only where repeating is safe: never for `connect`. Every request
    reports itself to `on_request` for the call's trace.
    """

    async def connect(
        self,
        number: Number,
        *,
        call_id: CallId,
        to: Peer,
        offer: str,
        asked: Asked = NOTHING_ASKED,
    ) -> Wacid:
        """Start a call; our id goes along as `biz_opaque_callback_data`.

        `asked` is what Meta shall announce and then make of it.
        """

    async def pre_accept(
        self, number: Number, *, call_id: CallId, wacid: Wacid, answer: str
    ) -> None:
        """Let ICE and DTLS come up while it rings."""

    async def accept(
        self,
        number: Number,
        *,
        call_id: CallId,
        wacid: Wacid,
        answer: str,
        asked: Asked = NOTHING_ASKED,
    ) -> None:
        """Take the call; `answer` must be the pre-accepted one byte for byte.

        A time-out is repeated once with the identical body; "already in progress" is success.
        """

    async def reject(self, number: Number, *, call_id: CallId, wacid: Wacid) -> None:
        """Refuse a ringing call; "already ended" is success."""

    async def terminate(self, number: Number, *, call_id: CallId, wacid: Wacid) -> None:
        """End a call; "already ended" is success."""

    def clock_offset_s(self) -> float:
        """Meta's clock minus ours, learned from `Date` headers; 0 before the first answer."""
