"""Contract of `EvidenceBook`, on both engines: chains without gaps, roots made once."""

import asyncio
import json
import random
from collections.abc import Sequence

import pytest
from sqlalchemy import text

from gateway.adapters import sql_evidence
from gateway.adapters.ed25519_keys import is_signed, pem_of, public_of_pem
from gateway.adapters.secrets_key_ring import KeyRing, new_key
from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_evidence_book import SqlEvidenceBook
from gateway.core.errors import SecretUnreadable
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.evidence import (
    GENESIS,
    Happening,
    digest_of,
    led_to,
    read_chain,
    read_statement,
)
from gateway.ports import Json
from gateway.ports.audit import AuditEntry, Deed
from gateway.ports.calls import TraceLine
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import a_call, an_account, fresh_id, next_step

pytestmark = pytest.mark.services

RING = KeyRing.parse(new_key())
OURS = AccountId("a" * 26)
DAY = 24 * 3600.0


@pytest.fixture
def book(database: Database) -> SqlEvidenceBook:
    return SqlEvidenceBook(database, RING)


def a_call_id() -> CallId:
    return CallId(fresh_id())


def events_of(lines: Sequence[str]) -> list[str]:
    return [json.loads(line)["kind"] for line in lines]


async def test_what_is_recorded_is_a_sound_chain(book: SqlEvidenceBook) -> None:
    call_id = a_call_id()
    await book.record(OURS, call_id, [Happening("one", 1.0), Happening("two", 2.0)])
    await book.record(OURS, call_id, [])
    await book.record(OURS, call_id, [Happening("three", 0.5, {"kept": [[0, 60_000]]})])
    lines = await book.chain(OURS, call_id)
    events, _ = read_chain(lines, call_id)
    assert [each.kind for each in events] == ["one", "two", "three"]
    assert await book.chain(AccountId("b" * 26), call_id) == []
    assert await book.chain(OURS, a_call_id()) == []


async def test_many_writers_of_one_chain_leave_no_gap_and_lose_nothing(
    rivals: list[Database],
) -> None:
    books = [SqlEvidenceBook(each, RING) for each in rivals]
    call_id = a_call_id()
    await asyncio.gather(
        *(
            book.record(OURS, call_id, [Happening(f"{n}.{m}", 1.0) for m in range(3)])
            for n, book in enumerate(books * 4)
        )
    )
    events, _ = read_chain(await books[0].chain(OURS, call_id), call_id)
    kinds = [each.kind for each in events]
    assert sorted(kinds) == sorted(f"{n}.{m}" for n in range(16) for m in range(3))
    for n in range(16):
        at = kinds.index(f"{n}.0")
        assert kinds[at : at + 3] == [f"{n}.{m}" for m in range(3)]


async def test_what_breaks_off_before_its_end_leaves_the_chain_as_it_was(
    book: SqlEvidenceBook, database: Database
) -> None:
    call_id = a_call_id()
    await book.record(OURS, call_id, [Happening("one", 1.0)])
    with pytest.raises(RuntimeError):
        await _die_while_writing(database, call_id)
    await book.record(OURS, call_id, [Happening("two", 3.0)])
    events, _ = read_chain(await book.chain(OURS, call_id), call_id)
    assert [each.kind for each in events] == ["one", "two"]


async def _die_while_writing(database: Database, call_id: CallId) -> None:
    async with database.writing() as connection:
        await sql_evidence.append(connection, OURS, call_id, [Happening("lost", 2.0)])
        raise RuntimeError("the process died here")


async def test_a_line_changed_in_the_database_is_noticed(
    book: SqlEvidenceBook, database: Database
) -> None:
    call_id = a_call_id()
    await book.record(OURS, call_id, [Happening(kind, 1.0) for kind in ("one", "two")])
    async with database.writing() as connection:
        await connection.execute(
            text("UPDATE evidence_events SET line = replace(line, 'one', 'eno')")
        )
    with pytest.raises(Exception, match="does not follow"):
        read_chain(await book.chain(OURS, call_id), call_id)


# --- roots -----------------------------------------------------------------------------------


async def test_a_day_is_signed_once_and_vouches_for_every_call(
    book: SqlEvidenceBook, wall: Wall
) -> None:
    calls = [a_call_id() for _ in range(7)]
    for each in calls:
        await book.record(OURS, each, [Happening("one", wall())])
    assert await book.seal_day(now=wall() + DAY) == 7
    assert await book.seal_day(now=wall() + DAY) == 0
    (key,) = await book.public_keys()
    for each in calls:
        (root,) = await book.roots_of(each)
        assert is_signed(root.statement.encode(), root.signature, public=key.raw)
        read = read_statement(root.statement)
        assert (read.number, read.leaves, read.previous) == (1, 7, GENESIS)
        assert led_to(root.leaf, root.proof) == read.tree
        _, links = read_chain(await book.chain(OURS, each), each)
        assert (root.leaf.seq, root.leaf.head) == (links[-1].seq, links[-1].head)


async def test_what_comes_later_whatever_its_clock_says_is_in_the_next_root(
    book: SqlEvidenceBook, wall: Wall
) -> None:
    call_id, other = a_call_id(), a_call_id()
    await book.record(OURS, call_id, [Happening("one", wall())])
    await book.seal_day(now=wall() + DAY)
    # A node whose clock is days late writes into a day that is signed already.
    await book.record(OURS, call_id, [Happening("two", wall() - 3 * DAY)])
    await book.record(OURS, other, [Happening("one", wall() + 9 * DAY)])
    assert await book.seal_day(now=wall() + DAY) == 0
    assert await book.seal_day(now=wall() - 2 * DAY) == 0
    assert await book.seal_day(now=wall() + 2 * DAY) == 2
    first, second = await book.roots_of(call_id)
    assert (first.leaf.seq, second.leaf.seq) == (1, 2)
    assert read_statement(second.statement).previous == digest_of(first.statement)
    # Days without anything need no root.
    assert await book.seal_day(now=wall() + 9 * DAY) == 0


async def test_a_day_with_many_calls_has_several_roots(database: Database, wall: Wall) -> None:
    book = SqlEvidenceBook(database, RING, leaves_max=3)
    calls = [a_call_id() for _ in range(7)]
    for each in calls:
        await book.record(OURS, each, [Happening("one", wall())])
    assert await book.seal_day(now=wall() + DAY) == 7
    numbers = [
        read_statement((await book.roots_of(each))[0].statement).number for each in calls
    ]
    assert sorted(numbers) == [1, 1, 1, 2, 2, 2, 3]
    assert await book.seal_day(now=wall() + DAY) == 0


async def test_of_many_nodes_that_sign_at_once_one_does_and_writers_go_on(
    rivals: list[Database], wall: Wall
) -> None:
    books = [SqlEvidenceBook(each, RING) for each in rivals]
    calls = [a_call_id() for _ in range(10)]
    for each in calls:
        await books[0].record(OURS, each, [Happening("one", wall())])

    async def write(book: SqlEvidenceBook) -> int:
        for each in random.sample(calls, len(calls)):
            await book.record(OURS, each, [Happening("more", wall())])
        return 0

    await asyncio.gather(
        *(book.seal_day(now=wall() + DAY) for book in books),
        *(write(book) for book in books),
    )
    assert len(await books[0].public_keys()) == 1
    await books[0].seal_day(now=wall() + 2 * DAY)
    for each in calls:
        _, links = read_chain(await books[0].chain(OURS, each), each)
        assert len(links) == 5
        roots = await books[0].roots_of(each)
        assert roots[-1].leaf.seq == 5
        for root in roots:
            assert root.leaf.head == links[root.leaf.seq - 1].head


# --- keys ------------------------------------------------------------------------------------


async def test_the_key_is_made_once_sealed_and_renewed(
    book: SqlEvidenceBook, database: Database, wall: Wall
) -> None:
    first = await book.signer(now=wall())
    assert (await book.signer(now=wall())).key_id == first.key_id
    async with database.reading() as connection:
        row = (await connection.execute(text("SELECT * FROM evidence_keys"))).one()
    assert first._key.private_bytes_raw() not in bytes(row.sealed)
    renewed = await book.renew_key(now=wall() + 1)
    assert (await book.signer(now=wall() + 2)).key_id == renewed.key_id != first.key_id
    assert [each.key_id for each in await book.public_keys()] == [first.key_id, renewed.key_id]
    assert public_of_pem(pem_of(renewed.raw)) == renewed.raw


async def test_keys_move_with_the_key_ring(database: Database, wall: Wall) -> None:
    old, new = new_key(), new_key()
    signer = await SqlEvidenceBook(database, KeyRing.parse(old)).signer(now=wall())
    with pytest.raises(SecretUnreadable):
        await SqlEvidenceBook(database, KeyRing.parse(new)).signer(now=wall())
    both = SqlEvidenceBook(database, KeyRing.parse(f"{new},{old}"))
    assert await both.reseal_keys() == 1
    assert await both.reseal_keys() == 0
    again = await SqlEvidenceBook(database, KeyRing.parse(new)).signer(now=wall())
    assert again.key_id == signer.key_id


# --- who writes ------------------------------------------------------------------------------


async def test_steps_of_a_call_are_chained_with_them_or_not_at_all(
    database: Database, book: SqlEvidenceBook, wall: Wall
) -> None:
    account = await an_account(database, wall)
    calls = SqlCalls(database, wall)
    row = a_call(account.account_id)
    await calls.create(row, evidence=[Happening("call.started", 1.0)])
    after = next_step(row)
    await calls.save(after, evidence=[Happening("call.answered", 2.0)])
    with pytest.raises(Exception, match="changed in between"):
        await calls.save(after, evidence=[Happening("call.answered", 3.0)])
    went = TraceLine(
        row.call_id, 4.0, "media", "capture_went", {"segment": 1}, is_evidence=True
    )
    unknown = TraceLine(a_call_id(), 4.0, "media", "capture_went", is_evidence=True)
    await calls.add_trace([went, unknown, TraceLine(row.call_id, 5.0, "media", "leg_up")])
    lines = await book.chain(account.account_id, row.call_id)
    assert events_of(lines) == ["call.started", "call.answered", "capture.went"]
    read_chain(lines, row.call_id)


async def test_who_plays_holds_or_deletes_is_part_of_the_chain_without_free_words(
    database: Database, book: SqlEvidenceBook, wall: Wall
) -> None:
    call_id = a_call_id()
    audit = SqlAudit(database)
    deeds: list[tuple[Deed, dict[str, Json]]] = [
        (Deed.RECORDING_PLAYED, {"from_ms": 0}),
        (Deed.RECORDING_HELD, {"reason": "Complaint of Bu Siti"}),
        (Deed.RECORDING_DELETED, {"why": "hand", "returned_ms": 60_000}),
        (Deed.RECORDING_NOTED, {"note": "not of the chain"}),
    ]
    for deed, fields in deeds:
        await audit.record(AuditEntry(OURS, None, deed, call_id, wall(), fields))
    await audit.record(AuditEntry(OURS, None, Deed.RECORDING_PLAYED, "short", wall()))
    lines = await book.chain(OURS, call_id)
    assert events_of(lines) == ["recording.played", "recording.held", "recording.deleted"]
    assert "Siti" not in "".join(lines)
    assert json.loads(lines[2])["facts"]["returned_ms"] == 60_000
