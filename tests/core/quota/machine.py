"""Workers, calls and faults as hypothesis plays them against a store of minutes."""

import random
from collections.abc import Callable, Coroutine
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import FRAME_MS, THRESHOLDS, Balance, cross
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import Answer, Ask, BudgetId, BudgetState, Refusal, WorkerId
from gateway.core.quota.ledger import EntryKind, Totals, charge_of, fold
from tests.core.quota.book import Book, finish
from tests.core.quota.worker import Draw

Operation = Callable[..., Coroutine[Any, Any, Any]]

WORKERS = 4
CALLS = 12
amounts = st.integers(0, 200_000) | st.sampled_from([0, 1, 19, 20, 39, 60_000, 10_000_000])
calls = st.integers(0, CALLS - 1).map(lambda n: CallId(f"call-{n}"))
workers = st.integers(0, WORKERS - 1)


class MinutesMachine(RuleBasedStateMachine):
    """Checks the invariants after every step against `self.book`."""

    account = AccountId("account")

    def __init__(self) -> None:
        super().__init__()
        self.book = Book()
        self.now = 1_000_000.0
        self.boots = [0] * WORKERS
        self.draws: dict[int, Draw] = {}
        self.lost: list[Draw] = []
        self.asked: list[Ask] = []
        self.files: dict[CallId, int] = {}
        self.where: dict[CallId, Draw] = {}
        self.expected: dict[CallId, int] = {}
        self.gone: set[CallId] = set()
        self.level = 0
        self.seen_entries = 0
        self.fresh = 0

    # --- what a subclass may do besides ------------------------------------------------------

    def act(self, operation: str, *arguments: Any, **named: Any) -> Any:
        """Carry out one operation of the store."""
        method: Operation = getattr(self.book, operation)
        return finish(method(*arguments, **named))

    def own(self, capacity_ms: int) -> None:
        self.book.set_capacity(self.account, capacity_ms, self.now)

    def call(self, name: CallId) -> CallId:
        return name

    # --- steps -------------------------------------------------------------------------------

    @initialize(capacity=amounts)
    def begin(self, capacity: int) -> None:
        self.own(capacity)

    @rule(capacity=amounts)
    def capacity_changes(self, capacity: int) -> None:
        self.own(capacity)

    @rule(jump=st.sampled_from([-86_400.0, -3600.0, 1.0, 3600.0, 86_400.0]))
    def clock_jumps(self, jump: float) -> None:
        self.now += jump

    @rule(name=calls)
    def call_is_promised_a_recording(self, name: CallId) -> None:
        self.act("take_hold", self.account, self.call(name), now=self.now)

    @rule(name=calls)
    def promise_is_dropped(self, name: CallId) -> None:
        self.act("release_hold", self.call(name))

    @rule(name=calls, worker=workers)
    def capture_begins(self, name: CallId, worker: int) -> None:
        call = self.call(name)
        if call in self.where or call in self.expected or call in self.gone:
            return
        self.fresh += 1
        budget = self.act(
            "open_capture",
            call,
            self.account,
            self.worker_id(worker),
            fresh=BudgetId(f"{self.account[-12:]}-{self.fresh}"),
        )
        draw = self.draws.get(worker)
        if draw is None or draw.budget_id != budget.budget_id:
            draw = Draw(budget.budget_id, self.account, self.worker_id(worker))
            self.draws[worker] = draw
        draw.limit_ms = budget.granted_ms - budget.returned_ms
        draw.active.add(call)
        self.where[call] = draw
        draw.files.setdefault(call, 0)

    @rule(worker=workers, is_lost=st.booleans())
    def worker_asks(self, worker: int, is_lost: bool) -> None:
        draw = self.draws.get(worker)
        if draw is None or not draw.active:
            return
        ask = draw.outstanding_ask or draw.ask()
        self.asked.append(ask)
        is_new = ask.number > self.book.budgets[draw.budget_id].ask_number
        free = self.book.balances[self.account].free_ms
        answer: Answer = self.act("renew", ask, now=self.now)
        if is_new and answer.refusal is not Refusal.BUDGET_CLOSED:
            assert (free >= FRAME_MS) == (answer.refusal is None), "progress while free"
        if not is_lost:
            draw.hear(answer)

    @precondition(lambda self: self.asked)
    @rule(chance=st.randoms(use_true_random=False))
    def an_old_ask_comes_again(self, chance: random.Random) -> None:
        ask = chance.choice(self.asked)
        before = self.book.balances[self.account]
        self.act("renew", ask, now=self.now)
        assert self.book.balances[self.account].reserved_ms <= before.reserved_ms or (
            ask.number == self.book.budgets[ask.budget_id].ask_number
        )

    @rule(worker=workers, frames=st.integers(1, 400))
    def people_talk(self, worker: int, frames: int) -> None:
        draw = self.draws.get(worker)
        if draw is None:
            return
        for _ in range(frames):
            for call in sorted(draw.active):
                draw.write_frame(call)

    @rule(worker=workers, ms=st.integers(0, 20_000), is_told_twice=st.booleans())
    def worker_returns(self, worker: int, ms: int, is_told_twice: bool) -> None:
        draw = self.draws.get(worker)
        if draw is None:
            return
        budget = self.book.budgets[draw.budget_id]
        given = draw.give_back(ms)
        for _ in range(2 if is_told_twice else 1):
            self.act(
                "give_back",
                draw.budget_id,
                returned_ms=budget.returned_ms + given,
                drawn_ms=draw.drawn_ms,
            )

    @rule(name=calls)
    def call_ends(self, name: CallId) -> None:
        call = self.call(name)
        draw = self.where.get(call)
        if draw is not None and call in draw.active and draw not in self.lost:
            draw.active.discard(call)
            self.files[call] = draw.files[call]

    @rule(name=calls, late=st.integers(0, 90_000))
    def recording_is_settled(self, name: CallId, late: int) -> None:
        call = self.call(name)
        if call in self.expected:
            charge = self.expected[call]
            done = self.act(
                "settle", call, self.account, Recorded(late), Stamp(self.now, note="again")
            )
            assert done.is_repeat
            assert done.charge.charged_ms == charge
        elif call in self.files:
            self.settle_file(call, self.where[call].files[call])
        elif call not in self.where:
            free = self.book.balances[self.account].free_ms
            hold = self.book.holds.get(call)
            free_then = self.unheld(hold.amount_ms) if hold else free
            done = self.act("settle", call, self.account, Recorded(late), Stamp(self.now))
            wanted = 0 if call in self.gone else late
            assert done.charge.charged_ms == min(wanted, free_then)
            self.expected[call] = done.charge.charged_ms

    def unheld(self, amount: int) -> int:
        return self.book.balances[self.account].moved(reserved_ms=-amount).free_ms

    def settle_file(self, call: CallId, drawn_ms: int | None) -> None:
        recorded = self.files.pop(call)
        done = self.act(
            "settle", call, self.account, Recorded(recorded, drawn_ms), Stamp(self.now)
        )
        assert done.uncovered_ms == 0, "what was written had been granted"
        self.expected[call] = 0 if call in self.gone else recorded
        assert done.charge.charged_ms == self.expected[call]

    @rule(worker=workers)
    def idle_budget_closes(self, worker: int) -> None:
        draw = self.draws.get(worker)
        if draw is not None and not draw.active:
            self.act("close_budget", draw.budget_id, drawn_ms=draw.drawn_ms)
            del self.draws[worker]

    @rule(worker=workers)
    def worker_seems_gone_but_lives(self, worker: int) -> None:
        if worker in self.draws:
            self.act("suspend_worker", self.worker_id(worker))

    @rule(worker=workers, torn_frames=st.integers(0, 15))
    def worker_is_killed(self, worker: int, torn_frames: int) -> None:
        draw = self.draws.pop(worker, None)
        if draw is None:
            return
        for call in sorted(draw.active):
            self.files[call] = max(0, draw.files[call] - torn_frames * FRAME_MS)
        draw.active.clear()
        self.lost.append(draw)
        self.boots[worker] += 1
        self.act("suspend_worker", draw.worker_id)

    @precondition(lambda self: self.lost)
    @rule()
    def files_are_recovered(self) -> None:
        draw = self.lost.pop(0)
        for charge in self.act("unsettled", draw.worker_id):
            self.settle_file(charge.call_id, None)

    @rule(name=calls, wanted=st.integers(0, 120_000), key=st.sampled_from(["head", "late"]))
    def charge_is_corrected(self, name: CallId, wanted: int, key: str) -> None:
        call = self.call(name)
        if call not in self.expected:
            return
        charged, free = self.expected[call], self.book.balances[self.account].free_ms
        known = any(e.key == f"correct:{call}:{key}" for e in self.book.entries)
        self.act("correct", call, target_ms=wanted, key=key, stamp=Stamp(self.now))
        if not known and call not in self.gone:
            self.expected[call] = min(wanted, charged + free)

    @rule(name=calls, kind=st.sampled_from([EntryKind.DELETE, EntryKind.PURGE]))
    def recording_goes(self, name: CallId, kind: EntryKind) -> None:
        call = self.call(name)
        before = self.book.balances[self.account]
        self.act("return_minutes", call, self.account, kind=kind, stamp=Stamp(self.now))
        back = before.used_ms - self.book.balances[self.account].used_ms
        assert back == (0 if call in self.gone else self.expected.get(call, 0)), "once"
        self.gone.add(call)
        if call in self.expected:
            self.expected[call] = 0

    def worker_id(self, worker: int) -> WorkerId:
        return WorkerId(f"{self.account[-12:]}-{worker}-{self.boots[worker]}")

    # --- what holds after every step ---------------------------------------------------------

    @invariant()
    def sums_hold(self) -> None:
        b = self.book.balances.get(self.account, Balance())
        assert b.capacity_ms + b.overdrawn_ms == b.free_ms + b.reserved_ms + b.used_ms
        leased = sum(budget.outstanding_ms for budget in self.book.budgets.values())
        held = sum(hold.amount_ms for hold in self.book.holds.values())
        assert b.reserved_ms == leased + held

    @invariant()
    def used_is_the_fold_of_the_ledger_and_of_all_charges(self) -> None:
        b = self.book.balances.get(self.account, Balance())
        entries = self.book.entries
        shuffled = random.Random(len(entries)).sample(entries, len(entries))
        assert fold(shuffled) == Totals(b.capacity_ms, b.used_ms)
        assert b.used_ms == sum(self.expected.values())
        for call, charged in self.expected.items():
            assert charge_of(call, entries) == charged
        assert len(entries) >= self.seen_entries
        self.seen_entries = len(entries)

    @invariant()
    def nothing_is_written_without_a_grant(self) -> None:
        for draw in [*self.draws.values(), *self.lost]:
            budget = self.book.budgets[draw.budget_id]
            assert draw.drawn_ms <= draw.limit_ms <= budget.granted_ms
            unsettled = sum(ms for call, ms in draw.files.items() if call not in self.expected)
            assert unsettled <= budget.outstanding_ms

    @invariant()
    def thresholds_fire_once_per_crossing(self) -> None:
        b = self.book.balances.get(self.account, Balance())
        crossing = cross(self.level, b)
        assert all(self.level < t <= crossing.level for t in crossing.fired)
        assert cross(crossing.level, b).fired == ()
        assert crossing.level in {0, *THRESHOLDS}
        self.level = crossing.level

    def teardown(self) -> None:
        """After recovery nothing is reserved, and used is what the live files hold."""
        for worker in list(self.draws):
            draw = self.draws.pop(worker)
            self.files |= {c: draw.files[c] for c in draw.active}
            draw.active.clear()
            self.lost.append(draw)
            self.act("suspend_worker", draw.worker_id)
        for draw in self.lost:
            for charge in self.act("unsettled", draw.worker_id):
                self.settle_file(charge.call_id, None)
        for call in list(self.files):
            self.settle_file(call, None)
        for call in list(self.book.holds):
            self.act("release_hold", call)
        b = self.book.balances.get(self.account, Balance())
        assert b.reserved_ms == 0
        assert all(budget.state is BudgetState.CLOSED for budget in self.book.budgets.values())
        assert b.used_ms == sum(self.expected.values())
