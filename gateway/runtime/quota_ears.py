"""Hears from other nodes what they capture, for accounts whose minutes are used here too."""

from functools import partial

import structlog

from gateway.core.ids import AccountId
from gateway.ports import Json
from gateway.runtime.quota_keeper import QuotaKeeper
from gateway.runtime.quota_view import BUDGETS, Told
from gateway.runtime.tasks import Cancel, Tasks
from gateway.runtime.world import NodeLife, World

LOOK_S = 1.0

_log = structlog.get_logger(__name__)


class QuotaEars:
    """Listens while an account has a budget on this node; `run` must be kept running.

    Without Redis nothing comes, and pictures are as old as the ledger's knowledge of other
    nodes: a lease at most.
    """

    def __init__(self, keeper: QuotaKeeper, world: World, life: NodeLife, tasks: Tasks) -> None:
        self._keeper = keeper
        self._bus = world.bus
        self._clock = world.clock
        self._node_id = life.node_id
        self._tasks = tasks
        self._listening: dict[AccountId, Cancel] = {}

    async def run(self) -> None:
        """Begin and end listening as budgets come and go."""
        while True:
            wanted = self._keeper.accounts()
            for account_id in wanted - self._listening.keys():
                self._listening[account_id] = self._tasks.keep_running(
                    partial(self._listen, account_id), name="quota ears"
                )
            for account_id in self._listening.keys() - wanted:
                self._listening.pop(account_id)()
            await self._clock.sleep(LOOK_S)

    async def _listen(self, account_id: AccountId) -> None:
        async with self._bus.subscribe(account_id) as news:
            async for event in news:
                if event.kind == BUDGETS:
                    self._hear(account_id, event.body)
        # The stream of a slow reader ends: begin anew at the next look.
        self._listening.pop(account_id, None)

    def _hear(self, account_id: AccountId, body: dict[str, Json]) -> None:
        try:
            told = Told.read(body)
        except ValueError:
            _log.warning("another node tells of its budgets in other words")
            return
        # What this node told comes back, too.
        if told.node != self._node_id:
            self._keeper.hear(account_id, told.budgets())
