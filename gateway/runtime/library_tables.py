"""Recordings as lines of CSV: the export of a list, and the manifest of an archive."""

from collections.abc import AsyncIterator, Sequence

from gateway.core.csv_text import BYTE_ORDER_MARK, Cell, csv_line
from gateway.core.zones import local_time
from gateway.ports.library import Shelved

COLUMNS = (
    "recording_id",
    "began_at",
    "direction",
    "customer_name",
    "customer_phone",
    "customer_user_id",
    "agent",
    "number",
    "duration_ms",
    "bytes",
    "sha256",
    "verdict",
    "cut_by_quota",
    "note",
    "held",
    "purge_day",
)


def cells_of(row: Shelved, zone: str) -> tuple[Cell, ...]:
    """Return what stands under `COLUMNS`; times are ISO 8601 in the zone."""
    began_at = local_time(row.began_at, zone)
    return (
        row.call_id,
        began_at.isoformat(timespec="milliseconds"),
        None if row.direction is None else row.direction.value,
        row.peer.name,
        row.peer.phone,
        row.peer.user_id,
        row.agent_name,
        row.number_display,
        row.duration_ms,
        row.bytes,
        row.sha256,
        row.verdict,
        _yes(is_so=row.cut_by_quota),
        row.note,
        _yes(is_so=row.hold is not None),
        row.purge_day,
    )


async def list_as_csv(
    pages: AsyncIterator[Sequence[Shelved]], zone: str, *, marked: bool = False
) -> AsyncIterator[bytes]:
    """Yield a list as CSV, a page at a time; `marked` lets Excel know that it is UTF-8."""
    yield (BYTE_ORDER_MARK * marked + csv_line(COLUMNS)).encode()
    async for rows in pages:
        yield "".join(csv_line(cells_of(row, zone)) for row in rows).encode()


def _yes(*, is_so: bool) -> str:
    return "yes" if is_so else "no"
