"""Evidence as it is read, rooted and signed, in SQL (port `EvidenceBook`)."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Row, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from typing_extensions import override

from gateway.adapters import sql_evidence
from gateway.adapters.ed25519_keys import Ed25519Signer, key_id_of, new_secret, pem_of
from gateway.adapters.secrets_key_ring import KeyRing
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_evidence_schema import (
    evidence_chains,
    evidence_events,
    evidence_keys,
    evidence_leaves,
    evidence_roots,
)
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.evidence import (
    GENESIS,
    Happening,
    Leaf,
    Root,
    digest_of,
    moment,
    proof_of,
    statement_of,
    tree_of,
)
from gateway.ports.evidence import EvidenceBook, PublicKey, SignedRoot

LEAVES_MAX = 10_000
"""Of one root; a day with more calls has several."""
_ROWS_AT_ONCE = 1_000


class SqlEvidenceBook(EvidenceBook):
    """Chains, roots and keys."""

    def __init__(
        self, database: Database, keys: KeyRing, *, leaves_max: int = LEAVES_MAX
    ) -> None:
        self._database = database
        self._keys = keys
        self._leaves_max = leaves_max

    @override
    async def record(
        self, account_id: AccountId, call_id: CallId, happenings: Sequence[Happening]
    ) -> None:
        async with self._database.writing() as connection:
            await sql_evidence.append(connection, account_id, call_id, happenings)

    @override
    async def chain(self, account_id: AccountId, call_id: CallId) -> Sequence[str]:
        query = (
            select(evidence_events.c.line)
            .join(evidence_chains, evidence_chains.c.call_id == evidence_events.c.call_id)
            .where(
                evidence_events.c.call_id == call_id,
                evidence_chains.c.account_id == account_id,
            )
            .order_by(evidence_events.c.seq)
        )
        async with self._database.reading() as connection:
            return list((await connection.execute(query)).scalars())

    @override
    async def roots_of(self, call_id: CallId) -> Sequence[SignedRoot]:
        mine = (
            select(evidence_roots)
            .join(evidence_leaves, evidence_leaves.c.root_number == evidence_roots.c.number)
            .where(evidence_leaves.c.call_id == call_id)
            .order_by(evidence_roots.c.number)
        )
        async with self._database.reading() as connection:
            rows = (await connection.execute(mine)).all()
            return [await _signed_root(connection, row, call_id) for row in rows]

    @override
    async def signer(self, *, now: float) -> Ed25519Signer:
        async with self._database.reading() as connection:
            row = await _current_key(connection)
        if row is None:
            await self._add_key(1, now)
            async with self._database.reading() as connection:
                row = await _current_key(connection)
        assert row is not None, "one was added"
        return self._opened(row)

    @override
    async def renew_key(self, *, now: float) -> PublicKey:
        before = await self.public_keys()
        await self._add_key(len(before) + 1, now)
        return (await self.public_keys())[-1]

    @override
    async def public_keys(self) -> Sequence[PublicKey]:
        query = select(evidence_keys).order_by(evidence_keys.c.number)
        async with self._database.reading() as connection:
            rows = (await connection.execute(query)).all()
        return [
            PublicKey(row.key_id, row.public, pem_of(row.public), row.since) for row in rows
        ]

    async def reseal_keys(self) -> int:
        """Seal the keys that sign with the ring's current key; return how many were changed.

        Raises `SecretUnreadable`.
        """
        query = select(evidence_keys).where(
            evidence_keys.c.ring_key_id != self._keys.current_id
        )
        async with self._database.writing() as connection:
            rows = (await connection.execute(query)).all()
            for row in rows:
                await connection.execute(
                    update(evidence_keys)
                    .where(evidence_keys.c.number == row.number)
                    .values(**self._sealed(self._unsealed(row), row.key_id))
                )
        return len(rows)

    @override
    async def seal_day(self, *, now: float) -> int:
        day = datetime.fromtimestamp(now, UTC).date() - timedelta(days=1)
        total = 0
        while True:
            sealed = await self._seal_some(day.isoformat(), now)
            total += sealed
            if sealed < self._leaves_max:
                return total

    async def _seal_some(self, day: str, now: float) -> int:
        signer = await self.signer(now=now)
        try:
            async with self._database.writing() as connection:
                last = await _last_root(connection)
                if last is not None and last.day >= day and last.leaves < self._leaves_max:
                    return 0
                leaves = await _unrooted(connection, self._leaves_max)
                if not leaves:
                    return 0
                root = _root_after(last, leaves, day, signer.key_id, now)
                await _write(connection, root, leaves, signer, now)
                return len(leaves)
        except IntegrityError:
            return 0  # Another node was faster: that root is the day's.

    async def _add_key(self, number: int, now: float) -> None:
        """Add a key, unless somebody else has added this one meanwhile."""
        secret = new_secret()
        public = Ed25519Signer(secret).public
        key_id = key_id_of(public)
        fresh = self._database.insert_new(evidence_keys).values(
            number=number,
            key_id=key_id,
            public=public,
            since=now,
            **self._sealed(secret, key_id),
        )
        async with self._database.writing() as connection:
            await connection.execute(fresh.on_conflict_do_nothing())

    def _sealed(self, secret: bytes, key_id: str) -> dict[str, Any]:
        text = base64.b64encode(secret).decode()
        ring_key_id, sealed = self._keys.seal(text, bound_to=f"evidence:{key_id}")
        return {"ring_key_id": ring_key_id, "sealed": sealed}

    def _unsealed(self, row: Row[Any]) -> bytes:
        text = self._keys.unseal(row.ring_key_id, row.sealed, bound_to=f"evidence:{row.key_id}")
        return base64.b64decode(text)

    def _opened(self, row: Row[Any]) -> Ed25519Signer:
        return Ed25519Signer(self._unsealed(row))


async def _current_key(connection: AsyncConnection) -> Row[Any] | None:
    query = select(evidence_keys).order_by(evidence_keys.c.number.desc()).limit(1)
    return (await connection.execute(query)).first()


async def _last_root(connection: AsyncConnection) -> Row[Any] | None:
    query = select(evidence_roots).order_by(evidence_roots.c.number.desc()).limit(1)
    return (await connection.execute(query)).first()


async def _unrooted(connection: AsyncConnection, limit: int) -> list[Leaf]:
    """Return the ends of chains that no root vouches for, by call.

    No clock decides what belongs into a root: what was chained by a node whose clock is late,
    or committed while a root was made, is simply in the next one.
    """
    query = (
        select(evidence_chains)
        .where(evidence_chains.c.rooted_seq < evidence_chains.c.seq)
        .order_by(evidence_chains.c.call_id)
        .limit(limit)
    )
    rows = (await connection.execute(query)).all()
    return _in_order(rows)


def _in_order(rows: Sequence[Row[Any]]) -> list[Leaf]:
    """Return leaves as they stand in the tree; databases sort letters in ways of their own."""
    leaves = [Leaf(row.call_id, row.seq, row.head) for row in rows]
    return sorted(leaves, key=lambda leaf: leaf.call_id)


def _root_after(
    last: Row[Any] | None, leaves: Sequence[Leaf], day: str, key_id: str, now: float
) -> Root:
    return Root(
        number=1 if last is None else last.number + 1,
        day=day,
        made_at=moment(now),
        leaves=len(leaves),
        tree=tree_of(leaves),
        previous=GENESIS if last is None else digest_of(last.statement),
        key_id=key_id,
    )


async def _write(
    connection: AsyncConnection,
    root: Root,
    leaves: Sequence[Leaf],
    signer: Ed25519Signer,
    now: float,
) -> None:
    statement = statement_of(root)
    await connection.execute(
        insert(evidence_roots).values(
            number=root.number,
            day=root.day,
            made_at=now,
            leaves=root.leaves,
            statement=statement,
            signature=signer.sign(statement.encode()),
        )
    )
    for first in range(0, len(leaves), _ROWS_AT_ONCE):
        some = leaves[first : first + _ROWS_AT_ONCE]
        await connection.execute(
            insert(evidence_leaves),
            [
                {
                    "root_number": root.number,
                    "call_id": leaf.call_id,
                    "seq": leaf.seq,
                    "head": leaf.head,
                }
                for leaf in some
            ],
        )
    of_root = evidence_leaves.c.root_number == root.number
    seq = (
        select(evidence_leaves.c.seq)
        .where(of_root, evidence_leaves.c.call_id == evidence_chains.c.call_id)
        .scalar_subquery()
    )
    # A chain that has grown meanwhile stays unrooted beyond what is in this root.
    await connection.execute(
        update(evidence_chains)
        .where(evidence_chains.c.call_id.in_(select(evidence_leaves.c.call_id).where(of_root)))
        .values(rooted_seq=seq)
    )


async def _signed_root(
    connection: AsyncConnection, row: Row[Any], call_id: CallId
) -> SignedRoot:
    query = select(evidence_leaves).where(evidence_leaves.c.root_number == row.number)
    found = (await connection.execute(query)).all()
    leaves = _in_order(found)
    place = next(at for at, leaf in enumerate(leaves) if leaf.call_id == call_id)
    return SignedRoot(row.statement, row.signature, leaves[place], proof_of(leaves, place))
