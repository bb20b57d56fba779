"""Parts of a call that several pages show."""

from collections.abc import Sequence

from gateway.core.whatsapp import Peer
from gateway.http.schemas import PeerView, TraceLineView
from gateway.ports.calls import TraceLine
from gateway.runtime.call_view import moment


def peer_view(peer: Peer) -> PeerView:
    """Show the WhatsApp user."""
    return PeerView(
        name=peer.name, phone=peer.phone, user_id=peer.user_id, username=peer.username
    )


def trace_views(
    lines: Sequence[TraceLine], *, source: str | None = None
) -> list[TraceLineView]:
    """Show what happened, in time from the first line on; with `source` only its lines."""
    return [
        TraceLineView(
            at=moment(line.at),
            offset_ms=round((line.at - lines[0].at) * 1000, 1),
            source=line.source,
            step=line.step,
            fields=dict(line.fields),
        )
        for line in lines
        if source in {None, line.source}
    ]
