"""A keeper, a store of minutes and media workers that count as the real ones do."""

import asyncio
import itertools
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast

from typing_extensions import override

from gateway.core.errors import MediaAway, MediaRefused, StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import Balance
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.lease import BudgetId, Refusal, WorkerId
from gateway.core.quota.live import LiveQuota
from gateway.ports.quota import BudgetLine, BudgetSeen, LowBudget, Minutes, QuotaNews
from gateway.runtime.quota_keeper import QuotaKeeper
from gateway.runtime.quota_keeper_budget import KeeperBounds
from gateway.runtime.tasks import Tasks
from media.budget import Budget
from media.capture_format import StopReason
from tests.core.quota.book import Book
from tests.runtime.virtual_time import VirtualClock

ACCOUNT = AccountId("account")
FRAME_MS = 20
TRIP_S = 0.002
STOP_REASONS = {
    Refusal.QUOTA_USED_UP: StopReason.QUOTA,
    Refusal.OVERDRAWN: StopReason.QUOTA,
    Refusal.LEDGER_UNREACHABLE: StopReason.LEDGER_UNREACHABLE,
    Refusal.BUDGET_CLOSED: StopReason.BUDGET_CLOSED,
}


@dataclass
class News(QuotaNews):
    """Remembers."""

    pictures: list[LiveQuota] = field(default_factory=list)
    thresholds: list[int] = field(default_factory=list)

    @override
    def picture(self, quota: LiveQuota) -> None:
        self.pictures.append(quota)

    @override
    def crossed(self, account_id: AccountId, threshold: int) -> None:
        self.thresholds.append(threshold)


@dataclass
class Talk:
    """One captured call: what its file holds, what waits, and when it was stopped."""

    budget_id: BudgetId
    file_ms: int = 0
    waiting_ms: int = 0
    is_stopped: bool = False
    is_paused: bool = False
    segments: int = 1
    stops: list[float] = field(default_factory=list)


@dataclass
class Worker(BudgetLine):
    """Draws from real media budgets, frame by frame, in virtual time."""

    worker_id: WorkerId
    keeper: QuotaKeeper
    clock: VirtualClock
    budgets: dict[BudgetId, Budget] = field(default_factory=dict)
    talks: dict[CallId, Talk] = field(default_factory=dict)
    refusals: list[Refusal] = field(default_factory=list)
    is_away: bool = False
    refuses_to_open: bool = False
    grants_lost: int = 0
    closes: int = 0

    async def capture(self, call_id: CallId, account_id: AccountId = ACCOUNT) -> Talk:
        budget_id = await self.keeper.open_capture(call_id, account_id, self.worker_id)
        self.talks[call_id] = Talk(budget_id)
        self.keeper.capture_going(call_id)
        return self.talks[call_id]

    def hang_up(self, call_id: CallId) -> Recorded:
        talk = self.talks.pop(call_id)
        self.keeper.capture_over(call_id)
        return Recorded(talk.file_ms, talk.file_ms)

    async def talk(self, seconds: float) -> None:
        """Everybody talks for so long."""
        for number in range(round(seconds * 1000) // FRAME_MS):
            if self.is_away:
                return
            for call_id, talk in self.talks.items():
                self.frame(call_id, talk)
            self.ask()
            if number % 50 == 0:
                self.report()
            await self.clock.sleep(FRAME_MS / 1000)

    def frame(self, call_id: CallId, talk: Talk) -> None:
        if talk.is_stopped or talk.is_paused:
            return
        budget = self.budgets[talk.budget_id]
        talk.waiting_ms += FRAME_MS
        got = budget.draw(talk.waiting_ms - talk.waiting_ms % FRAME_MS)
        talk.file_ms += got
        talk.waiting_ms -= got
        if talk.waiting_ms and not budget.is_asking and budget.refusal:
            talk.waiting_ms = 0
            talk.is_stopped = True
            talk.stops.append(self.clock.monotonic())
            self.keeper.capture_stopped(call_id, for_want_of_minutes=True)

    def ask(self) -> None:
        for budget_id, budget in self.budgets.items():
            drawing = sum(
                t.budget_id == budget_id and not (t.is_stopped or t.is_paused)
                for t in self.talks.values()
            )
            ask = budget.ask(self.clock.monotonic(), drawing)
            if ask is not None:
                low = LowBudget(budget_id, ask, drawing, budget.drawn_ms)
                self.keeper.budget_low(low)

    def report(self) -> None:
        self.keeper.written(
            {call_id: talk.file_ms for call_id, talk in self.talks.items()},
            {budget_id: budget.drawn_ms for budget_id, budget in self.budgets.items()},
        )

    def seen(self) -> list[BudgetSeen]:
        return [
            BudgetSeen(
                budget_id,
                budget.drawn_ms,
                budget.grant_number,
                budget.asked,
                tuple(c for c, t in self.talks.items() if t.budget_id == budget_id),
            )
            for budget_id, budget in self.budgets.items()
        ]

    @override
    async def open(self, budget_id: BudgetId, *, limit_ms: int) -> None:
        await self._trip()
        if self.refuses_to_open:
            raise MediaRefused("limit", "too many budgets")
        if budget_id not in self.budgets:
            self.budgets[budget_id] = Budget(budget_id)
            self.budgets[budget_id].grant(0, limit_ms, answers=0)

    @override
    async def grant(
        self, budget_id: BudgetId, *, number: int, limit_ms: int, answers: int
    ) -> int:
        await self._trip()
        if self.grants_lost:
            self.grants_lost -= 1
            raise MediaAway("the connection broke")
        budget = self.budgets[budget_id]
        if budget.grant(number, limit_ms, answers=answers):
            for call_id, talk in self.talks.items():
                if talk.budget_id == budget_id and talk.is_stopped:
                    talk.is_stopped = False
                    talk.segments += 1
                    self.keeper.capture_going(call_id)
        return budget.granted_ms

    @override
    async def refuse(self, budget_id: BudgetId, *, answers: int, refusal: Refusal) -> None:
        await self._trip()
        self.refusals.append(refusal)
        self.budgets[budget_id].refuse(answers, STOP_REASONS[refusal])

    @override
    async def close(self, budget_id: BudgetId) -> int:
        await self._trip()
        if any(talk.budget_id == budget_id for talk in self.talks.values()):
            raise MediaRefused("conflict", "a capture still draws from it")
        self.closes += 1
        return self.budgets.pop(budget_id).drawn_ms

    async def _trip(self) -> None:
        await self.clock.sleep(TRIP_S)
        if self.is_away:
            raise MediaAway("the worker is gone")


class Distance:
    """Puts a distance between the keeper and its store: everything takes its time.

    With `loses_answers` some operations take effect and then fail.
    """

    def __init__(self, book: Book, clock: VirtualClock, chance: random.Random) -> None:
        self._book = book
        self._clock = clock
        self._chance = chance
        self.loses_answers = 0.0

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = getattr(self._book, name)

        async def carry(*arguments: Any, **named: Any) -> Any:
            await self._clock.sleep(self._chance.choice([0.0, 0.001, 0.02]))
            result = await operation(*arguments, **named)
            await self._clock.sleep(self._chance.choice([0.0, 0.001, 0.02]))
            if self._chance.random() < self.loses_answers:
                raise StoreDown("the answer was lost")
            return result

        return carry


class Room:
    """A node: `async with Room() as room`. `restart` makes a new keeper on the same store."""

    def __init__(self, capacity_ms: int, chance: random.Random | None = None) -> None:
        self.book = Book()
        self.clock = VirtualClock()
        self.distance = Distance(self.book, self.clock, chance or random.Random(1))
        self.minutes = self.book if chance is None else cast("Minutes", self.distance)
        self.news = News()
        self.workers: list[Worker] = []
        self._ids = itertools.count(1)
        self.book.set_capacity(ACCOUNT, capacity_ms)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.tasks.close()
        assert self.tasks.crash_count == 0

    def start(self) -> None:
        self.tasks = Tasks(self.clock)
        self.keeper = QuotaKeeper(
            minutes=self.minutes,
            news=self.news,
            clock=self.clock,
            tasks=self.tasks,
            new_id=lambda: f"budget-{next(self._ids)}",
            bounds=KeeperBounds(),
        )
        self.tasks.keep_running(self.keeper.run, name="quota keeper")

    async def restart(self) -> None:
        """The gateway dies and comes back; the workers live."""
        await self.tasks.close()
        self.start()
        for worker in self.workers:
            worker.keeper = self.keeper
            await self.keeper.worker_back(worker.worker_id, worker, worker.seen())

    async def worker(self, name: str = "w") -> Worker:
        worker = Worker(WorkerId(name), self.keeper, self.clock)
        self.workers.append(worker)
        await self.keeper.worker_back(worker.worker_id, worker, [])
        return worker

    async def talk(self, seconds: float) -> None:
        await asyncio.gather(*(worker.talk(seconds) for worker in self.workers))

    async def settle(self, call_id: CallId, recorded: Recorded) -> None:
        await self.keeper.settle(call_id, ACCOUNT, recorded, Stamp(self.clock.wall()))

    async def recover(self, worker: Worker, files: Mapping[CallId, Recorded]) -> None:
        """What the media side does with what a dead worker left."""
        for charge in await self.minutes.unsettled(worker.worker_id):
            await self.settle(charge.call_id, files.get(charge.call_id, Recorded(0)))
        assert await self.keeper.recovered(worker.worker_id)

    @property
    def balance(self) -> Balance:
        return self.book.balances[ACCOUNT]
