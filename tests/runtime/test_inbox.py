"""Webhook events on their way from the inbox to the calls."""

import asyncio
import itertools
import random

import pytest

from gateway.core.ids import CallId, Wacid
from gateway.core.whatsapp import (
    CallStatus,
    FileAvailable,
    FileKind,
    StatusChanged,
    Terminated,
    WhatsAppEvent,
)
from gateway.ports.webhooks import InboxItem
from tests.runtime.fake_meta import SITI
from tests.runtime.fakes import NUMBER_ID
from tests.runtime.office import ANI, LIMITS, Office
from tests.runtime.virtual_time import in_virtual_time


def item(key: str) -> InboxItem:
    return InboxItem(key, "unknown", None, None, payload=key)


@in_virtual_time
async def test_what_is_no_news_of_a_call_is_kept_with_a_note() -> None:
    office = Office()
    file = FileAvailable(NUMBER_ID, Wacid("w"), 0.0, FileKind.RECORDING, "77")
    office.reader.events |= {"a": None, "b": file}
    async with office.open() as gateway:
        await office.store.add([item("a"), item("b")], received_at=0.0)
        gateway.wake_inbox()
        await asyncio.sleep(1)
    assert office.store.closed == {1: "no news of a call", 2: "kept for recordings"}


@in_virtual_time
async def test_a_poisoned_row_is_tried_a_few_times_and_blocks_nobody() -> None:
    office = Office()
    office.reader.events["bug"] = ZeroDivisionError("a bug of ours")
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        await office.store.add([item("bug"), item("unreadable")], received_at=0.0)
        call_id = await office.call()
        assert office.store.rows[call_id].state == "ringing"
        await asyncio.sleep(60)
        office.crashes_expected = LIMITS.inbox_tries_max
    assert list(office.store.parked.values()) == ["BadInput", "ZeroDivisionError"]


@in_virtual_time
async def test_a_status_of_a_call_nobody_knows_is_parked_after_some_tries() -> None:
    office = Office()
    async with office.open():
        at = office.clock.wall()
        await office.deliver(
            StatusChanged(NUMBER_ID, Wacid("wacid.x"), at, CallStatus.RINGING, None, SITI)
        )
        await asyncio.sleep(10)
        assert office.store.parked == {}
        await asyncio.sleep(30)
    assert list(office.store.parked.values()) == ["NotYet"]


@in_virtual_time
async def test_rows_are_worked_without_a_wake_up_too() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        office.gateway = None  # nobody is woken
        call_id = await office.call()
        assert office.store.rows[call_id].state == "ringing"


@in_virtual_time
async def test_more_rows_than_fit_in_hand_are_all_worked() -> None:
    office = Office()
    office.reader.events |= {f"row {n}": None for n in range(1000)}
    async with office.open() as gateway:
        items = [item(f"row {n}") for n in range(1000)]
        await office.store.add(items, received_at=0.0)
        gateway.wake_inbox()
        await asyncio.sleep(3)
    assert len(office.store.closed) == 1000


@in_virtual_time
async def test_a_store_that_is_down_delays_but_loses_nothing() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        await office.meta.user_calls()
        office.store.is_down = True
        await asyncio.sleep(9)
        assert office.store.rows == {}
        office.store.is_down = False
        await asyncio.sleep(3)
        [row] = office.store.rows.values()
        assert row.state == "ringing"


@pytest.mark.parametrize("order", [*itertools.permutations(range(4))])
@in_virtual_time
async def test_any_order_of_deliveries_of_our_call_leads_to_one_end(
    order: tuple[int, ...],
) -> None:
    """Each delivered twice, under two keys as Meta's own recovery would."""
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        call, _ = await office.dial(gateway.desk)
        await office.when(lambda: office.meta.calls != {})
        [at_meta] = office.meta.calls.values()
        at_meta.state = "over"  # Meta's own webhooks stay away; ours come in their place.
        now = office.clock.wall()
        events: list[WhatsAppEvent] = [
            StatusChanged(NUMBER_ID, at_meta.wacid, now, CallStatus.RINGING, None, SITI),
            StatusChanged(NUMBER_ID, at_meta.wacid, now, CallStatus.ACCEPTED, None, SITI),
            StatusChanged(NUMBER_ID, at_meta.wacid, now, CallStatus.REJECTED, None, SITI),
            Terminated(NUMBER_ID, at_meta.wacid, now, failed=False, start_at=now),
        ]
        for n in [*order, *random.Random(7).sample(order, 4)]:
            await office.deliver(events[n])
        await asyncio.sleep(120)
        view = await gateway.desk.one(ANI, CallId(call.id))
    assert (view.state, view.outcome) == ("ended", "completed")
    assert office.is_clean() == []
