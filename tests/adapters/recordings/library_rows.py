"""Rows of recordings as the gateway writes them."""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import insert

from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_recording_schema import recordings
from gateway.core.ids import AccountId, CallId, UserId
from gateway.core.whatsapp import Direction, Peer
from tests.adapters.sql.rows import a_call, fresh_id

BUDI = Peer(phone="628111222333", user_id="ID.1349", name="Budi Santoso", username="budi")


@dataclass(slots=True)
class LibraryRows:
    """Puts recordings there, each a minute later than the one before."""

    database: Database
    account_id: AccountId
    at: float = 1_790_000_000.0
    put: list[CallId] = field(default_factory=list)
    """In the order they were put there: oldest first."""

    async def add(
        self,
        *,
        agent_id: UserId | None = None,
        direction: Direction = Direction.INBOUND,
        peer: Peer = BUDI,
        **columns: Any,
    ) -> CallId:
        """Put one there; `columns` are those of the table."""
        call_id = CallId(fresh_id())
        self.at += 60.0
        row = a_call(
            self.account_id,
            call_id=call_id,
            agent_id=agent_id,
            direction=direction,
            peer=peer,
            created_at=self.at,
            ended_at=self.at + 60,
            state="ended",
        )
        await SqlCalls(self.database, lambda: self.at).create(row)
        values = {
            "call_id": call_id,
            "account_id": self.account_id,
            "state": "available",
            "file": f"{self.account_id}/{call_id}.ogg",
            "duration_ms": 60_000,
            "bytes": 1_000,
            "sha256": "0" * 64,
            "began_at": self.at,
            "finished_at": self.at + 61,
            "segments": {"segments": []},
            "direction": direction.value,
            "agent_id": agent_id,
            "peer_phone": peer.phone,
            "peer_user_id": peer.user_id,
        }
        async with self.database.writing() as connection:
            await connection.execute(insert(recordings).values(**values | columns))
        self.put.append(call_id)
        return call_id
