"""A business number as its calls know it."""

from collections.abc import Awaitable, Callable

from gateway.core.call.start import Line
from gateway.core.recording.wish import Terms
from gateway.ports.accounts import Number
from gateway.runtime.world import RuntimeSettings

TermsOf = Callable[[Number], Awaitable[Terms]]
"""Tells what an account wants of a number's calls; raises `StoreDown`."""


class Lines:
    """What a new call of a number takes along for its whole life."""

    def __init__(self, settings: RuntimeSettings, terms_of: TermsOf) -> None:
        self.timing = settings.timing
        self.limits = settings.limits
        self._terms_of = terms_of

    async def of(self, number: Number) -> Line:
        """Return a number's line as it is now. Raises `StoreDown`."""
        return Line(
            account_id=number.account_id,
            phone_number_id=number.phone_number_id,
            display=number.display,
            timing=self.timing,
            records=number.records,
            terms=await self._terms_of(number),
        )
