"""Seeded trouble on two nodes that share an account's minutes, and what must hold after it."""

import asyncio
import itertools
import random
import shutil
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from sqlalchemy import insert

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_books import SqlQuotaBooks
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.adapters.sql_schema import accounts
from gateway.core.quota.lease import BudgetState, LeaseTerms
from gateway.runtime.recording_work import RETRY_MAX_S
from tests.adapters.quota.conftest import own
from tests.runtime.fakes import ACCOUNT
from tests.services.sqlite import put_migrated
from tests.simulator.frozen_time import FrozenTimeLoop, outside
from tests.simulator.node import Node, Stores

NODES = 2
STEPS = 45
CAPACITIES = (0, 25_000, 90_000, 400_000, 10_000_000)
DAY_S = 86_400.0


@dataclass
class Outcome:
    """What a run came to, for whoever looks on."""

    seed: int
    recordings: int = 0
    recorded_ms: int = 0
    deaths: int = 0
    story: list[str] = field(default_factory=list)


class Simulation:
    """One run. `play` raises `AssertionError` where something does not hold."""

    def __init__(self, seed: int, nodes: list[Node], shared: Database, chance: random.Random):
        self.outcome = Outcome(seed)
        self.nodes = nodes
        self.chance = chance
        self._shared = shared
        self._books = SqlQuotaBooks(shared)
        self._minutes = SqlMinutes(shared, LeaseTerms())
        self._recordings = SqlRecordings(shared)

    async def play(self) -> Outcome:
        """Live through the trouble, then calm down, and look."""
        await self.owns(self.chance.choice(CAPACITIES[1:]))
        for node in self.nodes:
            await node.start()
        for _ in range(STEPS):
            node = self.chance.choice(self.nodes)
            what = self._choose()
            self.outcome.story.append(f"{node.name}: {what.__name__}")
            await what(node)
            await node.agents_are_ready()
            await node.somebody_answers()
            await asyncio.sleep(self.chance.choice((0.05, 0.5, 3.0, 9.0)))
            await self.sums_hold()
        await self.calm()
        await self.nothing_is_left()
        for node in self.nodes:
            await node.kill()
            await node.meta.close()
        return self.outcome

    def _choose(self) -> Callable[[Node], Awaitable[None]]:
        weighted: dict[Callable[[Node], Awaitable[None]], int] = {
            self.user_calls: 10,
            self.agent_dials: 4,
            self.people_talk: 8,
            self.agents_hang_up: 4,
            self.users_hang_up: 3,
            self.capacity_changes: 4,
            self.gateway_dies: 3,
            self.worker_dies: 2,
            self.both_die: 1,
            self.database_is_cut_off: 3,
            self.answers_are_lost: 2,
            self.worker_is_cut_off: 2,
            self.clock_jumps: 2,
            self.disk_fails: 1,
        }
        return self.chance.choices(list(weighted), list(weighted.values()))[0]

    # --- what happens ------------------------------------------------------------------------

    async def user_calls(self, node: Node) -> None:
        await node.meta.user_calls()

    async def agent_dials(self, node: Node) -> None:
        await node.somebody_dials()

    async def people_talk(self, node: Node) -> None:
        await asyncio.sleep(self.chance.choice((5.0, 20.0, 45.0)))

    async def agents_hang_up(self, node: Node) -> None:
        await node.agents_hang_up()

    async def users_hang_up(self, node: Node) -> None:
        await node.users_hang_up()

    async def capacity_changes(self, node: Node) -> None:
        await self.owns(self.chance.choice(CAPACITIES))
        if node.gateway is not None:
            node.gateway.quota.balance_changed(ACCOUNT)

    async def gateway_dies(self, node: Node) -> None:
        await node.kill()
        self.outcome.deaths += 1
        await asyncio.sleep(self.chance.choice((0.2, 5.0)))
        await node.start()

    async def worker_dies(self, node: Node) -> None:
        self.outcome.deaths += 1
        node.worker.restart()

    async def both_die(self, node: Node) -> None:
        await node.kill()
        node.worker.restart()
        self.outcome.deaths += 2
        await asyncio.sleep(self.chance.choice((0.2, 5.0)))
        await node.start()

    async def database_is_cut_off(self, node: Node) -> None:
        node.weather.is_cut = True
        await asyncio.sleep(self.chance.choice((0.5, 3.0, 12.0)))
        node.weather.is_cut = False

    async def answers_are_lost(self, node: Node) -> None:
        node.weather.loses_answers = self.chance.choice((0.0, 0.1, 0.4))

    async def worker_is_cut_off(self, node: Node) -> None:
        node.worker.is_away = True
        await asyncio.sleep(self.chance.choice((0.3, 4.0)))
        node.worker.is_away = False
        node.worker.tell(node.worker.snapshot())

    async def clock_jumps(self, node: Node) -> None:
        node.clock.skew_s = self.chance.choice((0.0, 0.0, -DAY_S, DAY_S, 3_600.0, -7.0))

    async def disk_fails(self, node: Node) -> None:
        is_failing = node.assembler.fails_with is not None
        node.assembler.fails_with = None if is_failing else "disk_full"

    async def owns(self, capacity_ms: int) -> None:
        now = self.nodes[0].clock.wall()
        await outside(own(self._shared, ACCOUNT, capacity_ms, now))

    # --- what holds --------------------------------------------------------------------------

    async def sums_hold(self) -> None:
        """At every moment: each number follows from the entries, no frame without a grant."""
        wrong = await outside(self._books.verify(ACCOUNT))
        assert wrong == [], wrong
        for node in self.nodes:
            worker = node.worker
            budgets = {
                budget.budget_id: budget
                for budget in await outside(self._minutes.budgets_of(worker.worker_id))
            }
            for seen in worker.recorder.snapshot().budgets:
                assert seen.drawn_ms <= seen.granted_ms
                known = budgets.get(seen.budget_id)
                if known is not None and known.state is BudgetState.OPEN:
                    assert seen.granted_ms <= known.granted_ms - known.returned_ms, (
                        "the worker may write more than the ledger has granted"
                    )

    async def calm(self) -> None:
        """All works again, all hang up, and time passes until nothing is to be done."""
        for node in self.nodes:
            node.weather.is_cut, node.weather.loses_answers = False, 0.0
            node.worker.is_away, node.assembler.fails_with = False, None
            node.clock.skew_s = 0.0
            node.worker.tell(node.worker.snapshot())
        await asyncio.sleep(60)
        for node in self.nodes:
            await node.users_hang_up()
            await node.agents_hang_up()
        # A hold whose call never came to be ends by its age.
        await asyncio.sleep(120)
        # What failed often is tried again after a long pause.
        patience_s = 2 * RETRY_MAX_S
        while patience_s > 0 and any(node.worker.disk.files for node in self.nodes):
            await asyncio.sleep(30)
            patience_s -= 30

    async def nothing_is_left(self) -> None:
        """Nothing is reserved; what is used is what recordings hold, each charged once."""
        await self.sums_hold()
        minutes = await outside(self._minutes.view(ACCOUNT, now=self.nodes[0].clock.wall()))
        for node in self.nodes:
            assert not node.worker.disk.files, f"captures left on {node.name}"
            live = [leg.leg_id for leg in node.worker.whatsapp_legs()]
            assert live == [], f"legs left on {node.name}"
        assert minutes.balance.reserved_ms == 0, minutes
        assert minutes.budgets == ()
        kept_ms = 0
        for node in self.nodes:
            for call_id in set(node.assembler.made):
                recording = await outside(self._recordings.find(call_id))
                if recording is not None:
                    self.outcome.recordings += 1
                    kept_ms += recording.assembled.duration_ms
        self.outcome.recorded_ms = kept_ms
        assert minutes.balance.used_ms == kept_ms, (minutes.balance, kept_ms)


async def simulate(seed: int, template: Path, folder: Path) -> Outcome:
    """Play one seed on fresh copies of a migrated database; call it in a `FrozenTimeLoop`."""
    chance = random.Random(seed)
    ids = itertools.count(1)
    databases = [_copy(template, folder / f"{seed}-{n}.db") for n in range(NODES + 1)]
    shared = databases[0]
    stores = [
        Stores(own_calls, SqlMinutes(shared, LeaseTerms()), SqlRecordings(shared))
        for own_calls in databases[1:]
    ]
    nodes = [Node(f"node-{n}", each, chance, ids) for n, each in enumerate(stores)]
    simulation = Simulation(seed, nodes, shared, chance)
    try:
        return await simulation.play()
    except BaseException as error:
        error.add_note(f"seed {seed}; what happened: " + " | ".join(simulation.outcome.story))
        for node in nodes:
            with suppress(Exception):
                await node.kill()
                await node.meta.close()
        raise
    finally:
        for database in databases:
            await outside(database.close())


def run(seed: int, template: Path, folder: Path) -> Outcome:
    """Play one seed."""
    with asyncio.Runner(loop_factory=FrozenTimeLoop) as runner:
        return runner.run(simulate(seed, template, folder))


def make_template(path: Path) -> Path:
    """Write a migrated database with the account of the simulation."""

    async def make() -> None:
        put_migrated(path)
        database = Database(f"sqlite:///{path}")
        async with database.writing() as connection:
            await connection.execute(
                insert(accounts).values(
                    account_id=ACCOUNT, cid="C-1", name="Toko", timezone="UTC", created_at=0.0
                )
            )
        await database.close()

    asyncio.run(make())
    return path


def _copy(template: Path, path: Path) -> Database:
    shutil.copy(template, path)
    return Database(f"sqlite:///{path}")
