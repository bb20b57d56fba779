"""An account with recordings in a database, on a clock that stands until it is moved."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import select

from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_minutes import SqlMinutes
from gateway.adapters.sql_quota_rotation import SqlRotation
from gateway.adapters.sql_recording_life import SqlRecordingLife
from gateway.adapters.sql_recording_schema import recordings as recordings_table
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.adapters.sql_stored_files import SqlStoredFiles
from gateway.core.ids import AccountId, CallId, NodeId
from gateway.core.quota.balance import Balance
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.quota.contract import AddOn, SubscriptionTerm
from gateway.core.quota.lease import LeaseTerms
from gateway.core.recording.files import peaks_key, recording_key
from gateway.core.recording.lifecycle import Why
from gateway.core.zones import start_of_day
from gateway.ports.audit import Deed, Order
from gateway.ports.quota import Purchase
from gateway.ports.recording_life import Ended
from gateway.ports.recordings import Assembled, Recording
from tests.adapters.quota.conftest import BOOK, Bench
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import a_call, fresh_id

NODE = NodeId("node")
ZONE = "Asia/Jakarta"
MINUTE_MS = 60_000


def at(day: str, time: str = "12:00", zone: str = ZONE) -> float:
    """The wall clock at a local time."""
    moment = datetime.fromisoformat(f"{day}T{time}")
    return moment.replace(tzinfo=ZoneInfo(zone)).timestamp()


@dataclass
class Shelf:
    """What one node knows of one account's recordings."""

    bench: Bench
    rotation_max: int = 20
    node_id: NodeId = NODE
    made: list[CallId] = field(default_factory=list)

    def __post_init__(self) -> None:
        database = self.database
        self.recordings = SqlRecordings(database, self.node_id)
        self.life = SqlRecordingLife(database)
        self.files = SqlStoredFiles(database, self.node_id)
        rotation = SqlRotation(BOOK, recordings_max=self.rotation_max)
        self.minutes = SqlMinutes(database, LeaseTerms(), rotation.make_room)
        self.calls = SqlCalls(database, self.wall)
        self.audit = SqlAudit(database)

    @property
    def database(self) -> Database:
        return self.bench.database

    @property
    def account_id(self) -> AccountId:
        return self.bench.account_id

    @property
    def wall(self) -> Wall:
        return self.bench.wall

    def move_to(self, day: str, time: str = "12:00") -> None:
        self.wall.now = at(day, time)

    async def subscribe(
        self,
        package: str | None = "service-suite-plus",
        users: int = 1,
        until: str = "2036-01-01",
    ) -> None:
        term = SubscriptionTerm(
            fresh_id(),
            package,
            users,
            self.wall.now,
            None if package is None else date.fromisoformat(until),
        )
        await self.bench.contracts.subscribe(
            self.account_id, term, stamp=Stamp(self.wall.now), allow_overdrawn=True
        )

    async def buy(self, until: str, packs: int = 1) -> AddOn:
        return await self.bench.contracts.add_on(
            self.account_id,
            Purchase(packs, self.wall.now, date.fromisoformat(until)),
            key=fresh_id(),
            stamp=Stamp(self.wall.now),
        )

    async def keep(self, minutes: float = 1.0, **call: object) -> CallId:
        """A call of so many minutes was recorded just now."""
        call_id = CallId(fresh_id())
        duration_ms = round(minutes * MINUTE_MS)
        row = a_call(
            self.account_id,
            **{"call_id": call_id, "state": "ended", "ended_at": self.wall.now, **call},
        )
        await self.calls.create(row)
        await self.recordings.keep(
            Recording(
                call_id, self.account_id, self.assembled(call_id, duration_ms), self.wall.now
            ),
            Recorded(duration_ms),
            Stamp(self.wall.now),
        )
        self.made.append(call_id)
        return call_id

    def assembled(self, call_id: CallId, duration_ms: int) -> Assembled:
        return Assembled(
            file=recording_key(self.account_id, call_id),
            peaks=peaks_key(self.account_id, call_id),
            duration_ms=duration_ms,
            bytes=duration_ms,
            sha256="0" * 64,
            began_at=self.wall.now - duration_ms / 1000,
            segments=(),
        )

    async def delete(self, call_id: CallId, why: Why = Why.HAND) -> Ended:
        return await self.life.delete(
            self.account_id, call_id, why=why, order=Order(self.wall.now)
        )

    async def balance(self) -> Balance:
        view = await self.minutes.view(self.account_id, now=self.wall.now)
        assert await self.bench.books.verify(self.account_id) == []
        return view.balance

    async def states(self) -> list[str]:
        """In the order they were made."""
        return [str((await self.row(call_id)).state) for call_id in self.made]

    async def row(self, call_id: CallId) -> Any:
        query = select(recordings_table).where(recordings_table.c.call_id == call_id)
        async with self.database.reading() as connection:
            return (await connection.execute(query)).one()

    async def deeds(self) -> Sequence[str]:
        """What the audit tells, oldest first."""
        entries = await self.audit.recent(self.account_id, limit=100)
        actions = [entry.action for entry in reversed(entries)]
        return [action for action in actions if action != Deed.ACCOUNT_ADDED]

    async def sweep(self) -> int:
        """Let the bytes go that are due, and return how many files that were."""
        due = await self.files.due(now=self.wall.now, limit=100)
        for file in due:
            assert await self.files.end(file, now=self.wall.now, remove=_nothing)
        return len(due)


async def _nothing() -> None:
    """There are no bytes here."""


def day_of(last_day: str) -> float:
    return start_of_day(date.fromisoformat(last_day), ZONE)
