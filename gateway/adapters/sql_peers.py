"""Finding what belongs to a customer, who is known by a phone number or a user id or both.

Each is read by an index of its own: one condition with OR would let SQLite walk through all of
an account.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, ColumnElement, Select, Subquery, false, select, union_all
from sqlalchemy.sql import ColumnCollection

from gateway.core.whatsapp import Peer

Columns = ColumnCollection[str, Any]
"""Of a table with `peer_phone`, `peer_user_id` and `call_id`."""


def ways_to(peer: Peer, columns: Columns) -> list[list[ColumnElement[bool]]]:
    """Return conditions for each index; a row is found by one of them only."""
    by_phone = columns.peer_phone == peer.phone
    by_user_id = columns.peer_user_id == peer.user_id
    if not peer.phone:
        return [[by_user_id if peer.user_id else false()]]
    if not peer.user_id:
        return [[by_phone]]
    return [[by_phone], [by_user_id, columns.peer_phone.is_distinct_from(peer.phone)]]


def newest(
    shown: Sequence[Column[Any]],
    at: Column[Any],
    conditions: Sequence[ColumnElement[bool]],
    peer: Peer | None,
    limit: int,
) -> Subquery:
    """Select the newest rows by `at`, then by call; of one customer, if there is one."""
    columns = at.table.columns
    ways = [[]] if peer is None else ways_to(peer, columns)

    def along(way: Sequence[ColumnElement[bool]]) -> Select[Any]:
        query = select(*shown).where(*conditions, *way)
        return query.order_by(at.desc(), columns.call_id.desc()).limit(limit)

    if len(ways) == 1:
        return along(ways[0]).subquery()
    both = union_all(*(select(along(way).subquery()) for way in ways)).subquery()
    order = (both.c[at.name].desc(), both.c.call_id.desc())
    return select(both).order_by(*order).limit(limit).subquery()
