"""Whether old recordings make room for new ones when the minutes are used up."""

from gateway.core.quota.contract import (
    SEATS,
    Contract,
    Standing,
    capacity_at,
    standing,
)
from gateway.core.quota.plan import PlanBook
from gateway.core.recording.retention import WhenFull


def may_rotate(contract: Contract, book: PlanBook, when_full: WhenFull, now: float) -> bool:
    """Whether the oldest recordings may go to make room, at `now`.

    Never for a customer who has left or whose contract has lapsed: nothing new is recorded
    then. Unless the account has chosen: only once an add-on has lapsed, its grace is over, and
    no other add-on counts.
    """
    if standing(contract, book, now) not in {Standing.ACTIVE, Standing.GRACE}:
        return False
    counted = capacity_at(contract, book, now)
    if not counted or when_full is WhenFull.STOP:
        return False
    if when_full is WhenFull.ROTATE:
        return True
    begun = any(add_on.starts_at <= now for add_on in contract.add_ons)
    return begun and not counted.keys() - {SEATS}
