"""Which recordings a page of the library has, read by the index that leaves the fewest."""

from typing import Any

from sqlalchemy import ColumnElement, Subquery, UnaryExpression, literal_column, tuple_
from sqlalchemy.sql.operators import custom_op

from gateway.adapters.sql_peers import newest
from gateway.adapters.sql_recording_schema import recordings
from gateway.core.recording.lifecycle import Life
from gateway.ports.library import LibraryFilter

# Literals, not parameters: only then do both databases use the partial indexes.
is_available = recordings.c.state == literal_column("'available'")
_is_over = recordings.c.state != literal_column("'available'")
# What pages show; the segments of one recording can be many.
SHOWN = [column for column in recordings.c if column.name != "segments"]


def on_page(
    wanted: LibraryFilter, place: tuple[float, str] | None, limit: int, *, is_sqlite: bool
) -> Subquery:
    """Select the newest recordings that are wanted, from below `place` on."""
    conditions = _conditions(wanted, is_sqlite=is_sqlite)
    if place is not None:
        conditions.append(tuple_(recordings.c.began_at, recordings.c.call_id) < tuple_(*place))
    return newest(SHOWN, recordings.c.began_at, conditions, wanted.peer, limit)


def _conditions(wanted: LibraryFilter, *, is_sqlite: bool) -> list[ColumnElement[bool]]:
    column = recordings.c
    found = [column.account_id == wanted.account_id, *_of_state(wanted.state)]
    agent_id: ColumnElement[Any] = column.agent_id
    verdict: ColumnElement[Any] = column.verdict
    if is_sqlite:
        # It does not know how many rows a value has: left alone, it takes any index. The
        # fewest are those of a customer, or with a note, or held; then those of an agent.
        is_narrow = (wanted.peer, wanted.noted, wanted.is_held or None) != (None, None, None)
        agent_id = _no_index(agent_id) if is_narrow else agent_id
        verdict = _no_index(verdict) if is_narrow or wanted.agent_id is not None else verdict
    for where, value in (
        (agent_id, wanted.agent_id),
        (column.direction, wanted.direction),
        (verdict, wanted.verdict),
    ):
        if value is not None:
            found.append(where == value)
    if wanted.since is not None:
        found.append(column.began_at >= wanted.since)
    if wanted.until is not None:
        found.append(column.began_at < wanted.until)
    if wanted.shortest_ms is not None:
        found.append(column.duration_ms >= wanted.shortest_ms)
    if wanted.longest_ms is not None:
        found.append(column.duration_ms <= wanted.longest_ms)
    return [*found, *_marks(wanted)]


def _no_index(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """Keep SQLite from choosing an index by this (sqlite.org/optoverview.html, 2.2)."""
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def _of_state(state: Life) -> list[ColumnElement[bool]]:
    if state is Life.AVAILABLE:
        return [is_available]
    return [_is_over, recordings.c.state == state.value]


def _marks(wanted: LibraryFilter) -> list[ColumnElement[bool]]:
    column = recordings.c
    found: list[ColumnElement[bool]] = []
    if wanted.cut_by_quota is not None:
        found.append(column.cut_by_quota.is_(wanted.cut_by_quota))
    if wanted.noted is not None:
        part = wanted.noted.casefold()
        found += [
            column.note_folded.is_not(None),
            column.note_folded.contains(part, autoescape=True),
        ]
    if wanted.is_held is not None:
        is_held = column.held_at.is_not(None)
        found.append(is_held if wanted.is_held else column.held_at.is_(None))
    return found
