"""What is wrong with the gateway itself is told once, and once when it is over."""

import asyncio

from gateway.core.errors import MetaFault
from gateway.core.ids import CallId
from tests.runtime.office import ANI, Office
from tests.runtime.virtual_time import in_virtual_time


def told(office: Office) -> list[object]:
    return [event.body["code"] for event in office.bus.of_kind("notice")]


@in_virtual_time
async def test_browsers_hear_that_the_worker_went_and_came() -> None:
    office = Office()
    async with office.open() as gateway:
        gateway.media_link_changed(True)
        await office.ready(gateway.desk, ANI)
        gateway.media_link_changed(False)
        gateway.media_link_changed(False)
        gateway.media_link_changed(True)
    assert told(office) == ["media_away", "media_back"]


@in_virtual_time
async def test_browsers_hear_that_the_store_went_and_came() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        office.store.is_down = True
        await asyncio.sleep(10)
        office.store.is_down = False
        await asyncio.sleep(3)
    assert told(office) == ["store_down", "store_back"]


@in_virtual_time
async def test_an_account_hears_that_its_token_is_refused_until_it_is_taken() -> None:
    office = Office()
    office.meta.faults.refuse["connect"] = MetaFault(190, "expired")
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        for _ in range(2):
            call, _ = await office.dial(gateway.desk)
            await office.until(CallId(call.id), "ended")
        del office.meta.faults.refuse["connect"]
        await office.dial(gateway.desk)
        await asyncio.sleep(1)
    assert told(office) == ["token_invalid", "token_back"]
