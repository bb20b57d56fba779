"""A customer who wants to be forgotten: nothing is left in any table, but what is held."""

from dataclasses import replace

import pytest
from sqlalchemy import select, text

from gateway.adapters.sql_cases import SqlCases
from gateway.adapters.sql_inbox import SqlInbox, SqlTombstones
from gateway.adapters.sql_jobs import SqlJobs
from gateway.adapters.sql_library import SqlLibrary
from gateway.adapters.sql_schema import metadata
from gateway.adapters.sql_subjects import SqlSubjects
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.core.call.call import CallAgent
from gateway.core.call.start import dial
from gateway.core.errors import BadInput
from gateway.core.ids import AccountId, CallId, Wacid
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.recording.facts import Mode
from gateway.core.recording.lifecycle import Life
from gateway.core.recording.transcript import Passage, Transcript
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.audit import AuditEntry, Deed, Order
from gateway.ports.calls import TraceLine
from gateway.ports.cases import Opening
from gateway.ports.jobs import JobKind, NewJob
from gateway.ports.recordings import Recording
from gateway.runtime.codec import call_to_json
from gateway.runtime.subject_erasure import Erasure, SubjectErasure
from tests.adapters.recordings.shelf import MINUTE_MS, NODE, Shelf
from tests.adapters.sql.rows import NUMBER, a_call, an_account, an_item, fresh_id
from tests.core.scenes import ANI, LINE, warm

pytestmark = pytest.mark.services

PHONE, USER_ID, NAME = "6281234567890", "ID.31415926535", "Budi Santoso"
BUDI = Peer(phone=PHONE, user_id=USER_ID, name=NAME)
OTHER = Peer(phone="6289876543210", user_id="ID.27182818284", name="Siti")
TRACES = (PHONE, USER_ID, NAME, NAME.casefold(), "siapa pun", "wacid.BUDI")


async def a_recorded_call(shelf: Shelf, peer: Peer = BUDI) -> CallId:
    """With all that a call with somebody leaves behind."""
    call_id, wacid = CallId(fresh_id()), Wacid(f"wacid.BUDI{fresh_id()}")
    agent = CallAgent(ANI, "Ani", warm())
    line = replace(LINE, account_id=shelf.account_id)
    call, _ = dial(call_id, line, peer, agent=agent, now=shelf.wall.now)
    call = replace(call, wacid=wacid)
    row = a_call(
        shelf.account_id,
        call_id=call_id,
        wacid=wacid,
        peer=peer,
        direction=Direction.OUTBOUND,
        state="ended",
        ended_at=shelf.wall.now,
        snapshot=call_to_json(call),
    )
    await shelf.calls.create(row)
    await shelf.calls.add_trace([TraceLine(call_id, shelf.wall.now, "webhook", "siapa pun")])
    await _record(shelf, call_id)
    await _note(shelf, call_id, f"{NAME} wants a refund")
    words = Transcript("id", (Passage("customer", 0, 900, f"nama saya {NAME}"),))
    await SqlTranscripts(shelf.database).keep(call_id, shelf.account_id, words, now=1.0)
    await _webhooks(shelf, wacid, peer)
    cases = SqlCases(shelf.database, NODE)
    await cases.open(Opening(call_id, shelf.account_id, Mode.OFFICIAL, shelf.wall.now))
    return call_id


async def _record(shelf: Shelf, call_id: CallId) -> None:
    made = shelf.assembled(call_id, MINUTE_MS)
    recording = Recording(call_id, shelf.account_id, made, shelf.wall.now)
    await shelf.recordings.keep(recording, Recorded(MINUTE_MS), Stamp(shelf.wall.now))
    shelf.made.append(call_id)


async def _note(shelf: Shelf, call_id: CallId, note: str) -> None:
    deed = AuditEntry(shelf.account_id, None, Deed.RECORDING_NOTED, call_id, shelf.wall.now)
    library = SqlLibrary(shelf.database)
    await library.set_note(shelf.account_id, call_id, note, seen=None, deed=deed)


async def _webhooks(shelf: Shelf, wacid: Wacid, peer: Peer) -> None:
    inbox = SqlInbox(shelf.database, shelf.wall)
    payload = f'{{"from":"{peer.phone}","name":"{peer.name}"}}'
    items = [
        an_item(fresh_id(), wacid=wacid, payload=payload),
        an_item(fresh_id(), wacid=None, payload=payload),
    ]
    await inbox.add(items, received_at=shelf.wall.now)
    for row in await inbox.waiting(limit=100):
        await inbox.done(row.inbox_id)
    await SqlTombstones(shelf.database, shelf.wall).bury(NUMBER, wacid, None)
    await SqlJobs(shelf.database, fresh_id).add(
        NewJob(JobKind.FETCH_RECORDING, fresh_id(), {"wacid": wacid}, 9e9, shelf.account_id),
        now=shelf.wall.now,
    )


async def erase(shelf: Shelf, peer: Peer, account_id: AccountId | None = None) -> Erasure:
    erasure = SubjectErasure(SqlSubjects(shelf.database), shelf.life, shelf.audit)
    return await erasure.erase(
        account_id or shelf.account_id, peer, order=Order(shelf.wall.now)
    )


async def left(shelf: Shelf) -> list[str]:
    """Every table with something of the customer in any column."""
    found = []
    async with shelf.database.reading() as connection:
        for table in metadata.sorted_tables:
            rows = (await connection.execute(select(text("*")).select_from(table))).all()
            values = [str(value) for row in rows for value in row]
            if any(trace in value for value in values for trace in TRACES):
                found.append(table.name)
    return found


@pytest.fixture
async def shop(shelf: Shelf) -> Shelf:
    await shelf.bench.own(600 * MINUTE_MS)
    async with shelf.database.writing() as connection:
        await connection.execute(
            text(
                "INSERT INTO numbers (phone_number_id, account_id, waba_id, display,"
                " token_key_id, token_sealed, created_at) VALUES (:number, :account, 'w', 'd',"
                " 'k', :token, 0)"
            ),
            {"number": NUMBER, "account": shelf.account_id, "token": b"t"},
        )
    return shelf


@pytest.mark.parametrize("peer", [Peer(phone=PHONE), BUDI])
async def test_nothing_of_the_customer_is_left_anywhere(shop: Shelf, peer: Peer) -> None:
    await a_recorded_call(shop)
    await a_recorded_call(shop)
    assert set(await left(shop)) >= {
        *("calls", "call_trace", "recordings", "transcripts"),
        *("webhook_inbox", "tombstones", "jobs"),
    }
    done = await erase(shop, peer)
    assert done.is_complete
    assert (done.calls, done.recordings) == (2, 2)
    assert await left(shop) == []
    assert (await shop.balance()).used_ms == 0
    assert await shop.sweep() == 4, "the bytes go at once"
    assert await shop.states() == [Life.PURGED] * 2
    assert (await shop.deeds())[-1] == "customer.erased"


async def test_of_other_customers_nothing_is_touched(shop: Shelf) -> None:
    await a_recorded_call(shop)
    other = await a_recorded_call(shop, OTHER)
    await erase(shop, BUDI)
    row = await shop.calls.load(other)
    assert row is not None
    assert row.peer == OTHER
    assert await shop.states() == [Life.TRASHED, Life.AVAILABLE]
    assert await SqlTranscripts(shop.database).find(other) is not None


async def test_of_other_accounts_nothing_is_touched(shop: Shelf) -> None:
    await a_recorded_call(shop)
    other = await an_account(shop.database, shop.wall)
    assert (await erase(shop, BUDI, other.account_id)).calls == 0
    assert await shop.states() == [Life.AVAILABLE]


async def test_what_is_held_stays_with_its_call_and_is_told(shop: Shelf) -> None:
    held, other = await a_recorded_call(shop), await a_recorded_call(shop)
    await shop.life.hold(shop.account_id, held, reason="case", order=Order(shop.wall.now))
    done = await erase(shop, BUDI)
    assert (done.held, done.calls) == ([held], 1)
    assert (await shop.deeds())[-1] == "customer.erased"
    row = await shop.calls.load(held)
    assert row is not None
    assert row.peer.phone == PHONE
    forgotten = await shop.calls.load(other)
    assert forgotten is not None
    assert forgotten.peer == Peer()
    await shop.life.release(shop.account_id, held, order=Order(shop.wall.now))
    assert (await erase(shop, BUDI)).is_complete
    assert await left(shop) == []


async def test_a_call_that_goes_on_is_told(shop: Shelf) -> None:
    live = a_call(shop.account_id, peer=BUDI)
    await shop.calls.create(live)
    done = await erase(shop, BUDI)
    assert (done.not_over, done.is_complete) == ([live.call_id], False)


async def test_what_was_deleted_by_hand_does_not_wait_for_its_day(shop: Shelf) -> None:
    call_id = await a_recorded_call(shop)
    await shop.delete(call_id)
    assert await shop.sweep() == 0
    await erase(shop, BUDI)
    assert await shop.sweep() == 2
    assert await shop.states() == [Life.PURGED]


async def test_done_again_nothing_changes(shop: Shelf) -> None:
    await a_recorded_call(shop)
    await erase(shop, BUDI)
    again = await erase(shop, BUDI)
    assert (again.calls, again.recordings, again.is_complete) == (0, 0, True)


async def test_nobody_in_particular_cannot_be_forgotten(shop: Shelf) -> None:
    with pytest.raises(BadInput):
        await erase(shop, Peer())
