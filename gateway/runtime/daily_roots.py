"""Signs each day what was chained: one more thing that upkeep does, on any node."""

import structlog

from gateway.core.errors import SecretUnreadable
from gateway.ports.evidence import EvidenceBook
from gateway.runtime.upkeep import Purge

_log = structlog.get_logger(__name__)


class DailyRoots(Purge):
    """A day is signed once, whoever comes first; later ones find nothing left to do."""

    def __init__(self, book: EvidenceBook) -> None:
        self._book = book

    async def __call__(self, *, now: float) -> int:
        """Sign what is due; nothing is forgotten. Raises `StoreDown`."""
        try:
            count = await self._book.seal_day(now=now)
        except SecretUnreadable:
            _log.error("evidence is not signed: its key does not open with the key ring")
            return 0
        if count:
            _log.info("a day of evidence is signed", calls=count)
        return 0
