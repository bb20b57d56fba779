"""Which calls an account has recorded."""

from enum import StrEnum

from gateway.core.whatsapp import Direction


class Records(StrEnum):
    """The choice of an account, or of one of its numbers instead of it."""

    NONE = "none"
    INBOUND = "inbound"
    """Calls that users make."""
    OUTBOUND = "outbound"
    """Calls that agents make."""
    BOTH = "both"

    def covers(self, direction: Direction) -> bool:
        """Whether calls of a direction are recorded."""
        return self is Records.BOTH or self.value == direction.value
