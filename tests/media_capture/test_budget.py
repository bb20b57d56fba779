"""Budgets: never more than granted, nothing lost, asks that are answered once."""

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from media.budget import ASK_REPEAT_S, Budget, share_out
from media.capture_format import StopReason


def budget(granted_ms: int) -> Budget:
    made = Budget("b")
    made.grant(0, granted_ms, answers=0)
    return made


def test_asks_when_half_of_the_last_grant_is_gone() -> None:
    held = budget(10_000)
    held.draw(4_999)
    assert held.ask(0.0, captures=3) is None
    held.draw(1)
    assert held.ask(0.0, captures=3) == 1


def test_repeats_an_unanswered_ask_under_its_number() -> None:
    held = budget(0)
    assert held.ask(0.0, captures=1) == 1
    assert held.ask(ASK_REPEAT_S / 2, captures=1) is None
    assert held.ask(ASK_REPEAT_S, captures=1) == 1
    held.grant(1, 100, answers=1)
    assert not held.is_asking
    held.draw(50)
    assert held.ask(ASK_REPEAT_S, captures=1) == 2


def test_asks_for_nobody_never() -> None:
    assert budget(0).ask(0.0, captures=0) is None


def test_is_quiet_after_a_refusal_until_there_is_more() -> None:
    held = budget(1000)
    held.draw(600)
    held.ask(0.0, captures=1)
    held.refuse(1, StopReason.QUOTA)
    assert held.refusal is StopReason.QUOTA
    assert not held.is_asking
    held.draw(400)
    assert held.ask(99.0, captures=1) is None
    assert held.grant(1, 1500, answers=1)
    held.draw(250)
    assert held.ask(99.0, captures=1) == 2


def test_a_closed_budget_is_never_asked_for_again() -> None:
    held = budget(1000)
    held.refuse(0, StopReason.BUDGET_CLOSED)
    held.draw(1000)
    assert held.ask(0.0, captures=1) is None


def test_a_refusal_of_an_older_ask_is_ignored() -> None:
    held = budget(0)
    held.ask(0.0, captures=1)
    held.grant(1, 10, answers=1)
    held.draw(10)
    held.ask(0.0, captures=1)
    held.refuse(1, StopReason.QUOTA)
    assert held.is_asking


def test_a_grant_repeated_or_overtaken_has_no_effect() -> None:
    held = budget(1000)
    assert held.grant(2, 3000, answers=0)
    assert not held.grant(2, 9000, answers=0)
    assert not held.grant(1, 9000, answers=0)
    assert held.granted_ms == 3000


def test_time_already_drawn_cannot_be_taken_back() -> None:
    held = budget(1000)
    held.draw(700)
    assert not held.grant(1, 0, answers=0)
    assert (held.granted_ms, held.remaining_ms) == (700, 0)


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**5), max_size=40))
def test_sharing_gives_all_there_is_and_nobody_more_than_wished(
    available: int, wishes: list[int]
) -> None:
    shares = share_out(available, wishes)
    assert sum(shares) == min(available, sum(wishes))
    assert all(0 <= share <= wish for share, wish in zip(shares, wishes, strict=True))


@given(st.integers(0, 10**6), st.lists(st.integers(0, 10**5), min_size=2, max_size=40))
def test_sharing_is_fair_to_the_millisecond(available: int, wishes: list[int]) -> None:
    shares = share_out(available, wishes)
    unmet = [share for share, wish in zip(shares, wishes, strict=True) if share < wish]
    if unmet:
        assert max(unmet) - min(unmet) <= 1
        assert max(shares) <= max(unmet) + 1


class BudgetLife(RuleBasedStateMachine):
    """Any order of what a gateway and captures may do."""

    @initialize(granted=st.integers(0, 5000))
    def open(self, granted: int) -> None:
        self.budget = budget(granted)
        self.granted = granted
        self.number = 0
        self.taken: list[int] = []
        self.now = 0.0

    @rule(wanted=st.integers(-5, 3000))
    def draw(self, wanted: int) -> None:
        before = self.budget.remaining_ms
        got = self.budget.draw(wanted)
        assert got == min(max(wanted, 0), before)
        self.taken.append(got)

    @rule()
    def put_back(self) -> None:
        if self.taken:
            self.budget.put_back(self.taken.pop())

    @rule(step=st.integers(-1, 2), total=st.integers(0, 20_000), late=st.integers(0, 2))
    def grant(self, step: int, total: int, late: int) -> None:
        number = self.number + step
        in_force = number > self.number
        before = self.budget.granted_ms
        self.budget.grant(number, total, answers=max(0, self.budget.asked - late))
        if in_force:
            self.number = number
            assert self.budget.granted_ms == max(total, sum(self.taken))
        else:
            assert self.budget.granted_ms == before

    @rule(late=st.integers(0, 2))
    def refuse(self, late: int) -> None:
        self.budget.refuse(self.budget.asked - late, StopReason.QUOTA)

    @rule(captures=st.integers(0, 5), later=st.floats(0, 3))
    def ask(self, captures: int, later: float) -> None:
        self.now += later
        before = self.budget.asked
        ask = self.budget.ask(self.now, captures)
        if ask is not None:
            assert ask in (before, before + 1)
            assert ask > 0
            assert self.budget.is_asking

    @invariant()
    def adds_up(self) -> None:
        if hasattr(self, "budget"):
            assert self.budget.drawn_ms == sum(self.taken)
            assert self.budget.remaining_ms >= 0
            assert self.budget.granted_ms == self.budget.drawn_ms + self.budget.remaining_ms


TestBudgetLife = BudgetLife.TestCase
