"""A business number as its calls know it."""

from gateway.core.call.call import CallTiming
from gateway.core.call.start import Line
from gateway.ports.accounts import Number


def line_of(number: Number, timing: CallTiming) -> Line:
    """Return what a new call of the number takes along for its whole life."""
    return Line(
        account_id=number.account_id,
        phone_number_id=number.phone_number_id,
        display=number.display,
        timing=timing,
        records=number.records,
    )
