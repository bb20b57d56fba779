"""Keys that seal the files of accounts, in SQL, sealed with the key ring (port `DataKeys`)."""

import base64
import os
from typing import Any

from sqlalchemy import Row, insert, select
from typing_extensions import override

from gateway.adapters.secrets_key_ring import KeyRing
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_quota_rows import lock_account
from gateway.adapters.sql_recording_schema import data_keys
from gateway.core.errors import NotFound
from gateway.core.ids import AccountId
from gateway.ports.clock import NewId
from gateway.ports.storage import DataKey, DataKeyId, DataKeys

_KEY_BYTES = 32


class SqlDataKeys(DataKeys):
    """The latest key of an account is the one to seal with; older ones still open."""

    def __init__(self, database: Database, keys: KeyRing, new_id: NewId) -> None:
        self._database = database
        self._keys = keys
        self._new_id = new_id

    @override
    async def current(self, account_id: AccountId, *, now: float) -> DataKey:
        async with self._database.writing() as connection:
            # Two nodes that begin at the same time must seal with the same key.
            await lock_account(connection, self._database, account_id, now=now)
            newest = (
                select(data_keys)
                .where(data_keys.c.account_id == account_id)
                .order_by(data_keys.c.created_at.desc(), data_keys.c.data_key_id)
                .limit(1)
            )
            row = (await connection.execute(newest)).first()
            if row is not None:
                return self._opened(row)
            fresh = DataKey(DataKeyId(self._new_id()), os.urandom(_KEY_BYTES))
            ring_key_id, sealed = self._keys.seal(
                base64.b64encode(fresh.key).decode(), bound_to=_bound(fresh.data_key_id)
            )
            await connection.execute(
                insert(data_keys).values(
                    data_key_id=fresh.data_key_id,
                    account_id=account_id,
                    ring_key_id=ring_key_id,
                    sealed=sealed,
                    created_at=now,
                )
            )
            return fresh

    @override
    async def find(self, data_key_id: DataKeyId) -> DataKey:
        query = select(data_keys).where(data_keys.c.data_key_id == data_key_id)
        async with self._database.reading() as connection:
            row = (await connection.execute(query)).first()
        if row is None:
            raise NotFound("there is no such data key")
        return self._opened(row)

    def _opened(self, row: Row[Any]) -> DataKey:
        text = self._keys.unseal(row.ring_key_id, row.sealed, bound_to=_bound(row.data_key_id))
        return DataKey(DataKeyId(row.data_key_id), base64.b64decode(text))


def _bound(data_key_id: str) -> str:
    return f"data key {data_key_id}"
