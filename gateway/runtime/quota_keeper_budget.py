"""One budget of one media worker: asks are answered, unspent time comes back; in order."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import structlog

from gateway.core.errors import MediaError, NotFound, StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.balance import FRAME_MS
from gateway.core.quota.lease import Answer, Ask, Budget, BudgetId, Refusal, WorkerId
from gateway.core.quota.live import LiveCapture
from gateway.ports.clock import Clock
from gateway.ports.quota import BudgetLine, LowBudget, Minutes
from gateway.runtime.tasks import Cancel, Tasks

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class KeeperBounds:
    """How long and how often."""

    store_patience_s: float = 4.0
    """An ask waits so long for the database; a worker's packets wait 5 s at most."""
    store_pause_s: float = 0.2
    """Between two tries."""
    picture_s: float = 1.0
    """A picture of each account that captures, at least so often."""
    change_s: float = 0.2
    """And after a change, but not more often than this."""
    resume_min_ms: int = 1_000
    """Captures that were stopped resume when so much is free: no segments of a few frames."""
    per_capture_ms: int = 15_000
    """A worker holds no more than this per capture once captures have ended."""
    hold_age_max_s: float = 900.0
    """A hold that nobody came back for is released after this."""


@dataclass(slots=True)
class Capturing:
    """A capture that draws from the budget."""

    written_ms: int = 0
    is_starved: bool = False
    """It was stopped for want of minutes."""
    is_paused: bool = False
    """It writes nothing for any other reason."""


@dataclass(slots=True)
class HeldBudget:
    """What the keeper knows of a budget. Totals are those of the ledger."""

    budget_id: BudgetId
    account_id: AccountId
    worker_id: WorkerId
    granted_ms: int
    returned_ms: int
    ask_number: int
    drawn_ms: int = 0
    grant_number: int = 0
    asked: int = 0
    """The worker's last ask; the ledger's asks are counted apart, so that we may ask too."""
    answered: int = 0
    """The last of the worker's asks that was answered."""
    must_answer: bool = False
    """The last answer is to be told, for the first time or again."""
    must_grant: bool = False
    """The total may have grown without an ask; the worker is to know it."""
    captures: dict[CallId, Capturing] = field(default_factory=dict)
    low: LowBudget | None = None
    """An ask that is not answered yet."""
    refusal: Refusal | None = None
    """The answer to the last one, if it was refused."""
    returned_told_ms: int = 0
    """What the ledger has heard of `returned_ms`."""
    closed_at_ms: int | None = None
    """What had been written when the worker closed it; the ledger is to be told."""
    is_trimming: bool = False
    is_gone: bool = False
    """Nothing more can be done here: closed, or its worker is away."""

    @classmethod
    def of(cls, budget: Budget) -> "HeldBudget":
        """Take over what the ledger holds."""
        return cls(
            budget_id=budget.budget_id,
            account_id=budget.account_id,
            worker_id=budget.worker_id,
            granted_ms=budget.granted_ms,
            returned_ms=budget.returned_ms,
            ask_number=budget.ask_number,
            drawn_ms=budget.drawn_ms,
            returned_told_ms=budget.returned_ms,
            refusal=budget.refusal,
        )

    @property
    def limit_ms(self) -> int:
        """Total that may be written."""
        return self.granted_ms - self.returned_ms

    @property
    def active(self) -> int:
        """Captures that write."""
        return sum(not (c.is_starved or c.is_paused) for c in self.captures.values())

    @property
    def hungry(self) -> int:
        """Captures that write or would if they could."""
        return sum(not c.is_paused for c in self.captures.values())

    def excess_ms(self, per_capture_ms: int) -> int:
        """Return what the worker holds beyond what its captures may need soon."""
        excess = self.limit_ms - self.drawn_ms - per_capture_ms * self.active
        return excess if excess >= FRAME_MS else 0

    def live_captures(self) -> list[LiveCapture]:
        """Return what each capture has taken."""
        return [
            LiveCapture(call_id, c.written_ms, is_stopped=c.is_starved or c.is_paused)
            for call_id, c in self.captures.items()
        ]


@dataclass(frozen=True, slots=True)
class Tools:
    """What tending a budget takes."""

    minutes: Minutes
    clock: Clock
    tasks: Tasks
    bounds: KeeperBounds
    changed: Callable[[AccountId], None]
    """Called after each change of an account's balance."""


class BudgetTender:
    """Carries out what a budget needs, one thing at a time; a failure waits for `nudge`."""

    def __init__(
        self, held: HeldBudget, line: BudgetLine, opening: asyncio.Lock, tools: Tools
    ) -> None:
        """`opening` is held by whoever opens or closes the worker's budget of the account."""
        self.held = held
        self._line = line
        self._opening = opening
        self._tools = tools
        self._cancel: Cancel | None = None

    def nudge(self) -> None:
        """Do what is to be done, if it is not being done already."""
        if self._cancel is None and self._next() is not None:
            self._cancel = self._tools.tasks.spawn(
                self._work(), name="budget", on_crash=self._rest
            )

    def low(self, low: LowBudget) -> None:
        """The worker asks; an ask that was answered gets its answer again."""
        held = self.held
        if low.ask < held.asked:
            return
        held.asked = low.ask
        held.drawn_ms = max(held.drawn_ms, low.drawn_ms)
        if low.ask <= held.answered:
            held.must_answer = True
        else:
            held.low = low
        self.nudge()

    def feed(self) -> None:
        """Something is free again: ask for captures that were stopped."""
        held = self.held
        if held.refusal in {None, Refusal.BUDGET_CLOSED} or held.low or not held.hungry:
            return
        held.low = LowBudget(held.budget_id, held.asked, held.hungry, held.drawn_ms)
        self.nudge()

    def abandon(self) -> None:
        """The worker is away: stop, also in mid-work. The ledger orders what was under way."""
        self.held.is_gone = True
        if self._cancel is not None:
            self._cancel()

    async def finish_closing(self) -> None:
        """Tell the ledger of a close that the worker carried out. Raises `StoreDown`."""
        held = self.held
        await self._tools.minutes.close_budget(held.budget_id, drawn_ms=held.closed_at_ms)
        held.is_gone = True
        self._tools.changed(held.account_id)

    async def _work(self) -> None:
        try:
            while (duty := self._next()) is not None:
                await duty()
        except (StoreDown, MediaError) as error:
            # The next tick, or the worker's return, tries again.
            _log.warning("a budget must wait", error_kind=type(error).__name__)
        self._rest()

    def _rest(self) -> None:
        self._cancel = None

    def _next(self) -> Callable[[], Awaitable[None]] | None:
        held = self.held
        if held.is_gone:
            return None
        duties = (
            (held.closed_at_ms is not None, self.finish_closing),
            (held.low is not None, self._answer),
            (held.must_answer, self._tell_answer),
            (held.must_grant, self._tell_total),
            (held.returned_told_ms < held.returned_ms, self._tell_returned),
            (not held.captures, self._close),
            (held.is_trimming, self._trim),
        )
        return next((duty for is_due, duty in duties if is_due), None)

    async def _answer(self) -> None:
        held, low = self.held, self.held.low
        assert low is not None
        answer = await self._renew(low)
        held.refusal = Refusal.LEDGER_UNREACHABLE if answer is None else answer.refusal
        held.answered = max(held.answered, low.ask)
        # The same ask may have come again meanwhile; it is answered by this.
        if held.low is not None and held.low.ask <= low.ask:
            held.low = None
        held.must_answer = True

    async def _tell_answer(self) -> None:
        held = self.held
        held.must_answer = False
        if held.refusal is None:
            await self._grant(held.limit_ms, answers=held.answered)
        else:
            await self._line.refuse(held.budget_id, answers=held.answered, refusal=held.refusal)

    async def _tell_total(self) -> None:
        self.held.must_grant = False
        await self._grant(self.held.limit_ms, answers=self.held.answered)

    async def _renew(self, low: LowBudget) -> Answer | None:
        """Ask the ledger, for a bounded time; None: it does not answer."""
        held, tools = self.held, self._tools
        ask = Ask(
            account_id=held.account_id,
            budget_id=held.budget_id,
            number=held.ask_number + 1,
            active_captures=max(1, low.captures),
            drawn_ms=low.drawn_ms,
        )
        give_up_at = tools.clock.monotonic() + tools.bounds.store_patience_s
        while True:
            try:
                answer = await tools.minutes.renew(ask, now=tools.clock.wall())
            except StoreDown:
                if tools.clock.monotonic() >= give_up_at:
                    return None
                await tools.clock.sleep(tools.bounds.store_pause_s)
            except NotFound:
                return Answer(held.budget_id, ask.number, 0, 0, Refusal.BUDGET_CLOSED)
            else:
                held.ask_number = ask.number
                held.granted_ms = max(held.granted_ms, answer.granted_ms)
                tools.changed(held.account_id)
                return answer

    async def _grant(self, limit_ms: int, *, answers: int) -> int:
        held = self.held
        held.grant_number += 1
        return await self._line.grant(
            held.budget_id, number=held.grant_number, limit_ms=limit_ms, answers=answers
        )

    async def _trim(self) -> None:
        """Take back what the remaining captures do not need."""
        held = self.held
        held.is_trimming = False
        excess = held.excess_ms(self._tools.bounds.per_capture_ms)
        if excess:
            granted = held.granted_ms
            in_force = await self._grant(held.limit_ms - excess, answers=held.answered)
            # The worker may have written on meanwhile: only what it gave up comes back.
            held.returned_ms = max(held.returned_ms, granted - in_force)

    async def _tell_returned(self) -> None:
        held = self.held
        returned = held.returned_ms
        await self._tools.minutes.give_back(
            held.budget_id, returned_ms=returned, drawn_ms=held.drawn_ms
        )
        held.returned_told_ms = returned
        self._tools.changed(held.account_id)

    async def _close(self) -> None:
        held = self.held
        async with self._opening:
            if not held.captures:
                held.closed_at_ms = await self._line.close(held.budget_id)
