"""An office that records its calls by itself, after its own announcement."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from typing_extensions import override

from gateway.core.errors import NotFound, StoreDown
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.facts import Declined, Fact, LocalCopy, Mode
from gateway.core.recording.own_announcement import AnnouncementId, OwnAnnouncement
from gateway.core.recording.policy import Records
from gateway.core.recording.wish import Wish
from gateway.ports.announcements import StoredAnnouncement
from gateway.ports.cases import Case, Opening
from gateway.ports.wishes import StoredWish
from gateway.runtime.world import Official, World
from tests.runtime.fake_jobs import FakeJobs
from tests.runtime.office import Fuse
from tests.runtime.studio import Studio

OWN = OwnAnnouncement(AnnouncementId("sound"), 4_000)


@dataclass
class FakeWishes:
    """What the account wants."""

    wish: Wish = field(default_factory=lambda: Wish(Records.BOTH, mode=Mode.LOCAL))

    async def of_account(self, account_id: AccountId) -> StoredWish:
        return StoredWish(self.wish, 1)


@dataclass
class FakeAnnouncements:
    """The account's announcement. `failures` reads of its sound fail first."""

    own: OwnAnnouncement | None = OWN
    sounds: dict[AnnouncementId, bytes] = field(
        default_factory=lambda: {OWN.announcement_id: b"ogg"}
    )
    failures: int = 0
    reads: int = 0

    async def current(self, account_id: AccountId) -> StoredAnnouncement | None:
        return None if self.own is None else StoredAnnouncement(self.own, 0.0)

    async def sound(self, account_id: AccountId, announcement_id: AnnouncementId) -> bytes:
        await asyncio.sleep(0.001)
        self.reads += 1
        if self.failures:
            self.failures -= 1
            raise StoreDown("the fake store is down")
        if announcement_id not in self.sounds:
            raise NotFound("there is no such announcement")
        return self.sounds[announcement_id]


@dataclass
class FakeCases:
    """Remembers what was opened and told; concludes nothing."""

    opened: dict[CallId, Opening] = field(default_factory=dict)
    told: dict[CallId, list[Fact]] = field(default_factory=dict)

    async def open(self, opening: Opening) -> None:
        self.opened.setdefault(opening.call_id, opening)

    async def load(self, call_id: CallId) -> Case | None:
        return None

    async def tell(self, call_id: CallId, fact: Fact, *, now: float) -> bool:
        self.told.setdefault(call_id, []).append(fact)
        return call_id in self.opened

    async def due(self, *, now: float, limit: int) -> Sequence[CallId]:
        return ()


class FakeBooks:
    """Nothing is in trouble, and nothing is concluded."""

    async def outcomes(self, call_ids: Collection[CallId]) -> Mapping[CallId, Any]:
        return {}

    async def transcribed(self, call_ids: Collection[CallId]) -> Collection[CallId]:
        return frozenset()

    async def in_trouble(self, **_wanted: object) -> Sequence[Any]:
        return ()


class LocalStudio(Studio):
    """Its minutes, worker and calls are those of a studio."""

    def __init__(self, capacity_ms: int = 3_600_000) -> None:
        super().__init__(capacity_ms)
        self.wishes = FakeWishes()
        self.announcements = FakeAnnouncements()
        self.cases = FakeCases()

    @override
    def _world(self, fuse: Fuse) -> World:
        nobody: Any = object()
        wishes: Any = self.wishes
        announcements: Any = self.announcements
        cases: Any = self.cases
        books: Any = FakeBooks()
        official = Official(
            wishes=wishes,
            announcements=announcements,
            cases=cases,
            books=books,
            jobs=FakeJobs(),
            transcripts=nobody,
            media=nobody,
            files=nobody,
        )
        return replace(super()._world(fuse), official=official)

    def is_declined(self, call_id: CallId) -> bool:
        facts = self.cases.told.get(call_id, [])
        is_missing = any(isinstance(f, LocalCopy) and not f.is_there for f in facts)
        was_told = self.cases.opened[call_id].is_declined or Declined() in facts
        return was_told and is_missing
