"""From contract to capacity: dates, grace, renewal, churn, clocks."""

from datetime import date

import pytest

from gateway.adapters.plan_file import load_plans
from gateway.core.errors import BadInput
from gateway.core.quota.contract import (
    SEATS,
    AddOn,
    CapacityStep,
    Contract,
    PlannedChange,
    Standing,
    SubscriptionTerm,
    capacity_at,
    capacity_steps,
    check_add_on,
    check_term,
    due,
    lapses_at,
    standing,
)
from gateway.core.quota.ledger import EntryKind
from gateway.core.quota.plan import MS_PER_MINUTE
from gateway.core.zones import start_of_day

BOOK = load_plans(None)
ZONE = "Asia/Jakarta"
DAY = 86_400.0
START = start_of_day(date(2026, 1, 1), ZONE)
END = date(2026, 12, 31)
PLUS_5 = SubscriptionTerm("t1", "sales-suite-plus", 5, START, END)


def an_add_on(name: str = "a1", packs: int = 1, **changes: object) -> AddOn:
    values: dict[str, object] = {
        "add_on_id": name,
        "packs": packs,
        "pack_ms": BOOK.add_on.pack_ms,
        "price_idr": BOOK.add_on.price_idr,
        "starts_at": START,
        "ends_on": END,
    }
    return AddOn(**(values | changes))  # type: ignore[arg-type]  # any field


def minutes(contract: Contract, at: float) -> int:
    total, rest = divmod(sum(capacity_at(contract, BOOK, at).values()), MS_PER_MINUTE)
    assert rest == 0
    return total


def test_capacity_is_free_quota_plus_add_ons() -> None:
    contract = Contract(ZONE, (PLUS_5,), (an_add_on(packs=2),))
    assert minutes(contract, START) == 400 + 2000
    assert minutes(contract, START - 1) == 0


def test_minutes_count_through_thirty_days_of_grace_and_not_longer() -> None:
    contract = Contract(ZONE, (PLUS_5,), (an_add_on(),))
    lapse = start_of_day(date(2027, 1, 31), ZONE)
    assert minutes(contract, lapse - 1) == 1400
    assert minutes(contract, lapse) == 0
    end = lapses_at(END, ZONE, 0)
    assert standing(contract, BOOK, end - 1) is Standing.ACTIVE
    assert standing(contract, BOOK, end) is Standing.GRACE
    assert standing(contract, BOOK, lapse - 1) is Standing.GRACE
    assert standing(contract, BOOK, lapse) is Standing.LAPSED


def test_a_renewed_contract_does_not_renew_its_add_ons() -> None:
    renewed = SubscriptionTerm(
        "t2", "sales-suite-plus", 5, START + 300 * DAY, date(2027, 12, 31)
    )
    contract = Contract(ZONE, (PLUS_5, renewed), (an_add_on(),))
    assert minutes(contract, start_of_day(date(2027, 1, 30), ZONE)) == 1400
    assert minutes(contract, start_of_day(date(2027, 1, 31), ZONE)) == 400


def test_a_renewed_add_on_takes_the_place_of_the_former_ones_grace() -> None:
    longer = SubscriptionTerm("t2", "sales-suite-plus", 5, START + DAY, date(2027, 12, 31))
    again = an_add_on(
        "a2", starts_at=lapses_at(END, ZONE, 0), ends_on=date(2027, 12, 31), renews="a1"
    )
    contract = Contract(ZONE, (PLUS_5, longer), (an_add_on(), again))
    for day in range(0, 400, 5):
        assert minutes(contract, START + (day + 1) * DAY) == 1400


def test_add_ons_that_run_at_the_same_time_add_up() -> None:
    contract = Contract(ZONE, (PLUS_5,), (an_add_on("a1"), an_add_on("a2", 3)))
    assert minutes(contract, START) == 4400


def test_a_churned_account_owns_nothing_and_keeps_its_past() -> None:
    gone = SubscriptionTerm("t2", None, 0, START + 10 * DAY, None)
    contract = Contract(ZONE, (PLUS_5, gone), (an_add_on(),))
    assert minutes(contract, START + 10 * DAY - 1) == 1400
    assert minutes(contract, START + 10 * DAY) == 0
    assert standing(contract, BOOK, START + 11 * DAY) is Standing.CHURNED


def test_an_account_without_a_subscription_owns_nothing() -> None:
    assert minutes(Contract(ZONE), START) == 0
    assert standing(Contract(ZONE), BOOK, START) is Standing.NONE


def test_a_package_without_free_quota_records_with_an_add_on_only() -> None:
    listed = SubscriptionTerm("t1", "old-qss", 50, START, END)
    assert minutes(Contract(ZONE, (listed,)), START) == 0
    assert minutes(Contract(ZONE, (listed,), (an_add_on(),)), START) == 1000


def test_more_seats_from_a_later_day_are_a_step_of_that_day() -> None:
    later = START + 90 * DAY
    contract = Contract(
        ZONE, (PLUS_5, SubscriptionTerm("t2", "sales-suite-plus", 8, later, END))
    )
    lapse = lapses_at(END, ZONE, 30)
    assert capacity_steps(contract, BOOK, {}, START) == [
        CapacityStep(START, SEATS, EntryKind.CAPACITY_CHANGE, 400 * MS_PER_MINUTE),
        CapacityStep(later, SEATS, EntryKind.CAPACITY_CHANGE, 240 * MS_PER_MINUTE),
        CapacityStep(lapse, SEATS, EntryKind.EXPIRY, -640 * MS_PER_MINUTE),
    ]


def test_planning_again_changes_nothing() -> None:
    contract = Contract(ZONE, (PLUS_5,), (an_add_on(),))
    now = START + 5 * DAY
    first = capacity_steps(contract, BOOK, {}, now)
    counted = {s.source: s.amount_ms for s in first if s.effective_at <= now}
    again = capacity_steps(contract, BOOK, counted, now)
    assert again == [s for s in first if s.effective_at > now]


def test_steps_lead_to_the_capacity_in_force_at_every_moment() -> None:
    contract = Contract(
        ZONE,
        (PLUS_5, SubscriptionTerm("t2", "qontak-360", 2, START + 40 * DAY, date(2026, 6, 30))),
        (an_add_on(), an_add_on("a2", 2, ends_on=date(2026, 3, 31))),
    )
    steps = capacity_steps(contract, BOOK, {"a9": 5_000}, START - DAY)
    for day in range(-1, 500):
        at = START + day * DAY
        total = 5_000 + sum(s.amount_ms for s in steps if s.effective_at <= at)
        assert total == sum(capacity_at(contract, BOOK, at).values())


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Jakarta", date(2026, 3, 29), 24),
        # Daylight saving skips midnight itself here.
        ("Asia/Beirut", date(2026, 3, 29), 23),
    ],
)
def test_days_end_by_the_accounts_zone_also_when_the_clocks_change(
    zone: str, day: date, hours: int
) -> None:
    assert lapses_at(day, zone, 0) - start_of_day(day, zone) == hours * 3600


def a_change(
    number: int, at: float, *, is_applied: bool, was_scheduled: bool = True
) -> PlannedChange:
    step = CapacityStep(at, SEATS, EntryKind.EXPIRY, -1)
    return PlannedChange(number, step, is_applied=is_applied, was_scheduled=was_scheduled)


def test_changes_are_due_in_the_order_of_their_time() -> None:
    changes = [a_change(n, at, is_applied=False) for n, at in [(1, 30.0), (2, 10.0), (3, 99.0)]]
    assert [c.change_id for c in due(changes, 50.0)] == [2, 1]


def test_a_clock_set_back_a_day_takes_back_what_came_a_day_too_early() -> None:
    early = a_change(1, START + DAY, is_applied=True)
    assert due([early], START + DAY) == []
    assert due([early], START + DAY - 60) == []
    assert due([early], START) == [early]
    at_once = a_change(2, START + DAY, is_applied=True, was_scheduled=False)
    assert due([at_once], START) == []


def refuse_term(contract: Contract, term: SubscriptionTerm, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check_term(contract, term, BOOK, START + DAY)


def test_terms_that_cannot_be_are_refused() -> None:
    nothing, bought = Contract(ZONE), Contract(ZONE, (PLUS_5,), (an_add_on(),))
    term = SubscriptionTerm
    refuse_term(nothing, term("t", "sales-plus", 5, START, END), "no package")
    refuse_term(nothing, term("t", "qontak-360", 0, START, END), "licensed users")
    refuse_term(nothing, term("t", "qontak-360", -3, START, END), "licensed users")
    refuse_term(
        nothing, term("t", "qontak-360", 2, START, date(2025, 12, 31)), "before the start"
    )
    refuse_term(
        nothing, term("t", "qontak-360", 2, START - 9 * DAY, date(2025, 12, 31)), "past"
    )
    refuse_term(nothing, term("t", "qontak-360", 2, START, date(2126, 1, 1)), "absurdly")
    refuse_term(nothing, term("t", "qontak-360", 2, START, date.max), "absurdly")
    refuse_term(nothing, term("t", None, 0, START, None), "no subscription")
    refuse_term(bought, term("t", "broadcast", 2, START, END), "add-ons still run: a1")
    check_term(bought, term("t", "qontak-360", 2, START, END), BOOK, START)
    check_term(bought, term("t", None, 0, START + DAY, None), BOOK, START)


def refuse_add_on(contract: Contract, add_on: AddOn, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check_add_on(contract, add_on, BOOK, START + DAY)


def test_add_ons_that_cannot_be_are_refused() -> None:
    bought = Contract(ZONE, (PLUS_5,), (an_add_on(),))
    never = Contract(ZONE, (SubscriptionTerm("t", "broadcast", 2, START, END),))
    gone = Contract(ZONE, (PLUS_5, SubscriptionTerm("t2", None, 0, START + 60.0, None)))
    refuse_add_on(Contract(ZONE), an_add_on(), "needs a subscription")
    refuse_add_on(gone, an_add_on(), "needs a subscription")
    refuse_add_on(never, an_add_on(), "cannot record")
    refuse_add_on(bought, an_add_on(packs=0), "packs must be from 1")
    refuse_add_on(bought, an_add_on(packs=10**8), "packs must be from 1")
    refuse_add_on(bought, an_add_on(ends_on=date(2027, 1, 1)), "no longer than the contract")
    refuse_add_on(bought, an_add_on(ends_on=date(2025, 6, 1)), "before the start")
    refuse_add_on(bought, an_add_on("a2", renews="a7"), "no add-on a7")
    refuse_add_on(bought, an_add_on("a2", renews="a1"), "must end later")
    check_add_on(bought, an_add_on("a2"), BOOK, START + DAY)


def test_an_add_on_can_be_renewed_once() -> None:
    longer = SubscriptionTerm("t2", "sales-suite-plus", 5, START, date(2028, 12, 31))
    again = an_add_on("a2", ends_on=date(2027, 12, 31), renews="a1")
    bought = Contract(ZONE, (PLUS_5, longer), (an_add_on(),))
    check_add_on(bought, again, BOOK, START)
    both = Contract(ZONE, (PLUS_5, longer), (an_add_on(), again))
    third = an_add_on("a3", ends_on=date(2028, 6, 1), renews="a1")
    refuse_add_on(both, third, "renewed already")
