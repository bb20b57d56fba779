"""Recordings of a library, made up."""

import hashlib
from dataclasses import replace

from gateway.core.ids import AccountId, CallId, UserId
from gateway.core.recording.lifecycle import Life
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.library import Shelved

AT = 1_790_000_000.0


def a_shelved(number: int = 1, content: bytes = b"", **changes: object) -> Shelved:
    row = Shelved(
        call_id=CallId(f"{number:026d}"),
        account_id=AccountId("a" * 26),
        version=1,
        state=Life.AVAILABLE,
        file=f"{'a' * 26}/{number:026d}.ogg",
        peaks=None,
        direction=Direction.INBOUND,
        agent_id=UserId("u" * 26),
        agent_name="Ana",
        number_display="+62 21 5090 0001",
        peer=Peer(phone="628111222333", name="Budi Santoso"),
        began_at=AT + number * 60,
        duration_ms=61_500,
        bytes=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        verdict="matched",
        cut_by_quota=False,
        note=None,
        made_day="2026-09-21",
        purge_day="2028-09-22",
        has_transcript=False,
    )
    return replace(row, **changes)  # type: ignore[arg-type]  # any field
