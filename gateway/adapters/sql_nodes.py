"""Lives of nodes: each start of a gateway gets an epoch above all earlier ones."""

from collections.abc import Callable

from sqlalchemy import insert

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_schema import node_lives
from gateway.core.ids import NodeId


class SqlNodes:
    """Hands out epochs."""

    def __init__(self, database: Database, wall: Callable[[], float]) -> None:
        """`wall` gives seconds since the epoch."""
        self._database = database
        self._wall = wall

    async def next_epoch(self, node_id: NodeId) -> int:
        """Begin a life of the node and return its epoch. Raises `StoreDown`."""
        begin = (
            insert(node_lives)
            .values(node_id=node_id, started_at=self._wall())
            .returning(node_lives.c.epoch)
        )
        async with self._database.writing() as connection:
            return int((await connection.execute(begin)).scalar_one())
