"""Cursors of lists that are read newest first: a moment, and the id that tells rivals apart."""

import base64
import binascii

from gateway.core.errors import BadInput


def cursor_of(at: float, identity: str) -> str:
    """Write where a page ended."""
    place = f"{at.hex()} {identity}"
    return base64.urlsafe_b64encode(place.encode()).decode().rstrip("=")


def position_of(cursor: str) -> tuple[float, str]:
    """Read where the next page begins. Raises `BadInput` for a cursor not made here."""
    try:
        place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
        at, identity = place.split(" ")
        position = float.fromhex(at), identity
    except (ValueError, OverflowError, binascii.Error):
        raise BadInput("this cursor was not made here; begin without one") from None
    return position
