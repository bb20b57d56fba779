"""Everything at once, from a seed: outages, lost answers, restarts, dead workers, top-ups."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field

import pytest

from gateway.core.errors import MediaError, StoreDown
from gateway.core.ids import CallId
from gateway.core.quota.balance import Balance
from gateway.core.quota.charge import Recorded
from gateway.core.quota.lease import BudgetState
from tests.conftest import Rounds
from tests.runtime.quota_room import ACCOUNT, Room, Worker
from tests.runtime.virtual_time import in_virtual_time

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

TRIES_MAX = 100


@dataclass
class Storm:
    """One run."""

    room: Room
    chance: random.Random
    files: dict[CallId, Recorded] = field(default_factory=dict)
    dead: list[tuple[Worker, dict[CallId, Recorded]]] = field(default_factory=list)
    where: dict[CallId, Worker] = field(default_factory=dict)
    calls: int = 0
    boots: int = 0

    async def blow(self, steps: int) -> None:
        for _ in range(2):
            await self.worker_starts()
        for _ in range(steps):
            # Calls begin and end often, the rest seldom.
            what = self.chance.choice(
                [
                    *(3 * [self.call_begins, self.call_ends, self.talk]),
                    self.worker_dies,
                    self.gateway_restarts,
                    self.store_fails,
                    self.grants_are_lost,
                    self.capacity_changes,
                    self.files_are_recovered,
                ]
            )
            await what()
            self.check()

    async def talk(self) -> None:
        await self.room.talk(self.chance.choice([0.1, 1.0, 8.0, 20.0]))

    async def call_begins(self) -> None:
        worker = self.chance.choice(self.room.workers)
        self.calls += 1
        call = CallId(f"call-{self.calls}")
        with suppress(StoreDown):
            await self.room.keeper.hold(ACCOUNT, call)
        try:
            await worker.capture(call)
        except (StoreDown, MediaError):
            # The ledger may know of it; what is no file will be settled as nothing.
            self.files[call] = Recorded(0, 0)

    async def call_ends(self) -> None:
        worker = self.chance.choice(self.room.workers)
        if worker.talks:
            call = self.chance.choice(sorted(worker.talks))
            self.files[call] = worker.hang_up(call)
            self.where[call] = worker

    async def worker_starts(self) -> None:
        self.boots += 1
        await self.certainly(self.room.worker(f"w{self.boots}"))

    async def worker_dies(self) -> None:
        worker = self.chance.choice(self.room.workers)
        self.room.workers.remove(worker)
        worker.is_away = True
        lost = self.chance.choice([0, 20, 300])
        files = {c: Recorded(max(0, t.file_ms - lost)) for c, t in worker.talks.items()}
        files |= {c: r for c, r in self.files.items() if self.where.get(c) is worker}
        self.dead.append((worker, files))
        await self.room.keeper.worker_gone(worker.worker_id)
        await self.worker_starts()

    async def certainly(self, work: object) -> None:
        """What the media side repeats until it is done."""
        self.room.book.is_down = False
        self.room.distance.loses_answers = 0.0
        assert asyncio.iscoroutine(work)
        await work

    async def gateway_restarts(self) -> None:
        await self.certainly(self.room.restart())

    async def store_fails(self) -> None:
        self.room.book.is_down = self.chance.random() < 0.4
        self.room.distance.loses_answers = self.chance.choice([0.0, 0.0, 0.3])

    async def grants_are_lost(self) -> None:
        self.chance.choice(self.room.workers).grants_lost = self.chance.randint(1, 3)

    async def capacity_changes(self) -> None:
        self.room.book.set_capacity(ACCOUNT, self.chance.choice([0, 30_000, 200_000, 10**7]))

    async def files_are_recovered(self) -> None:
        if self.dead:
            worker, files = self.dead[0]
            try:
                await self.room.recover(worker, files)
            except StoreDown:
                return
            self.dead.pop(0)
            self.files |= files

    def check(self) -> None:
        balance = self.room.balance
        book = self.room.book
        leased = sum(b.outstanding_ms for b in book.budgets.values())
        held = sum(h.amount_ms for h in book.holds.values())
        assert balance.reserved_ms == leased + held
        for worker in self.room.workers:
            for budget_id, budget in worker.budgets.items():
                known = book.budgets[budget_id]
                assert budget.granted_ms <= known.granted_ms - known.returned_ms

    async def calm(self) -> None:
        """Everything works again, everybody hangs up, all files are settled."""
        self.room.book.is_down = False
        self.room.distance.loses_answers = 0.0
        for worker in self.room.workers:
            worker.grants_lost = 0
            for call in sorted(worker.talks):
                self.files[call] = worker.hang_up(call)
        while self.dead:
            await self.files_are_recovered()
        for call, recorded in self.files.items():
            await self.room.settle(call, recorded)
        await self.room.clock.sleep(1000)


@in_virtual_time
async def storm(seed: int) -> None:
    chance = random.Random(seed)
    async with Room(chance.choice([20_000, 300_000, 10**7]), chance) as room:
        weather = Storm(room, chance)
        await weather.blow(steps=40)
        await weather.calm()
        used = sum(recorded.recorded_ms for recorded in weather.files.values())
        assert room.balance == Balance(room.balance.capacity_ms, used, 0)
        states = {budget.state for budget in room.book.budgets.values()}
        assert states <= {BudgetState.CLOSED}


def test_after_any_storm_nothing_is_reserved_and_used_is_what_the_files_hold(
    rounds: Rounds, seed: int
) -> None:
    for number in range(rounds(quick=5, soak=500)):
        try:
            storm(seed + number)
        except BaseException as error:
            error.add_note(f"seed {seed + number}")
            raise
