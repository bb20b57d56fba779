"""How many files wait or are faulty, in SQL (port `FileCounter`), and which those are."""

from sqlalchemy import ColumnElement, and_, func, literal_column, or_, select
from typing_extensions import override

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_recording_schema import (
    FAULTY,
    KEPT,
    PLAIN,
    recording_rules,
    stored_files,
)
from gateway.core.ids import NodeId
from gateway.core.recording.files import Fault
from gateway.ports.storage import FileCounter, FileCounts

# Literals, not parameters: only then do both databases use the partial indexes.
is_kept: ColumnElement[bool] = literal_column(f"stored_files.{KEPT}")
_table = stored_files.c


def is_here(node_id: NodeId) -> ColumnElement[bool]:
    """In this node's folder, or in the store with no copy left in another's."""
    return or_(_table.node_id == node_id, _table.node_id.is_(None))


def wants_sealing(node_id: NodeId, made_before: float) -> ColumnElement[bool]:
    """Plain, of an account that wants its files sealed."""
    encrypting = select(recording_rules.c.account_id).where(recording_rules.c.encrypts)
    is_plain: ColumnElement[bool] = literal_column(f"stored_files.{PLAIN}")
    return and_(
        _is_old(made_before), is_plain, _table.account_id.in_(encrypting), is_here(node_id)
    )


def belongs_in_store(node_id: NodeId, made_before: float) -> ColumnElement[bool]:
    """In this node's folder; what has moved lies with no node any more."""
    return and_(_is_old(made_before), _table.node_id == node_id)


def _is_old(made_before: float) -> ColumnElement[bool]:
    return and_(is_kept, _table.made_at < made_before, _table.fault.is_(None))


class SqlFileCounter(FileCounter):
    """Counts for one node what it may do with the files of all."""

    def __init__(self, database: Database, node_id: NodeId) -> None:
        self._database = database
        self._node_id = node_id

    @override
    async def count(self, *, made_before: float, has_store: bool) -> FileCounts:
        waiting = [wants_sealing(self._node_id, made_before)]
        if has_store:
            # Apart, so that each is read by its index; none is counted twice.
            waiting = [
                and_(waiting[0], _table.node_id.is_(None)),
                belongs_in_store(self._node_id, made_before),
            ]
        faulty = (
            select(_table.fault, func.count())
            .where(is_kept, literal_column(f"stored_files.{FAULTY}"))
            .group_by(_table.fault)
        )
        async with self._database.reading() as connection:
            count = 0
            for each in waiting:
                query = select(func.count()).select_from(stored_files).where(each)
                count += await connection.scalar(query) or 0
            found = {Fault(fault): n for fault, n in await connection.execute(faulty)}
        return FileCounts(count, found)
