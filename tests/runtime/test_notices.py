"""What is wrong with the gateway itself is told once, and once when it is over."""

import asyncio
from dataclasses import replace

from gateway.core.errors import MetaFault
from gateway.core.ids import AccountId, CallId, PhoneNumberId
from gateway.ports.accounts import Number
from tests.runtime.fakes import ACCOUNT, NUMBER_ID
from tests.runtime.office import ANI, Office
from tests.runtime.virtual_time import in_virtual_time

STRANGER = replace(ANI, account_id=AccountId("another account"))


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
async def test_browsers_hear_that_redis_went_and_came() -> None:
    office = Office()
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        gateway.redis_link_changed(False)
        gateway.redis_link_changed(True)
    assert told(office) == ["redis_down", "redis_back"]
    assert all(event.is_local for event in office.bus.of_kind("notice"))


@in_virtual_time
async def test_who_comes_while_a_part_is_down_is_told_until_it_is_back() -> None:
    office = Office()
    async with office.open() as gateway:
        gateway.media_link_changed(False)
        gateway.redis_link_changed(False)
        await office.ready(gateway.desk, ANI)
        standing = gateway.desk.notices(ANI)
        assert [each.code for each in standing] == ["media_away", "redis_down"]
        assert all(each.detail for each in standing)
        gateway.media_link_changed(True)
        assert [each.code for each in gateway.desk.notices(ANI)] == ["redis_down"]
    assert told(office) == ["media_back"]


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
            assert [each.code for each in gateway.desk.notices(ANI)] == ["token_invalid"]
            assert not gateway.desk.notices(STRANGER)
        del office.meta.faults.refuse["connect"]
        await office.dial(gateway.desk)
        await asyncio.sleep(1)
        assert not gateway.desk.notices(ANI)
    assert told(office) == ["token_invalid", "token_back"]
    assert not any(event.is_local for event in office.bus.of_kind("notice"))


@in_virtual_time
async def test_one_notice_names_all_numbers_whose_token_is_refused() -> None:
    office = Office()
    second = Number(PhoneNumberId("second"), ACCOUNT, "waba", "+62 21 7000", "token")
    office.directory.by_id[second.phone_number_id] = second
    async with office.open() as gateway:
        await office.ready(gateway.desk, ANI)
        for is_refused in (True, False):
            if is_refused:
                office.meta.faults.refuse["connect"] = MetaFault(190, "expired")
            else:
                del office.meta.faults.refuse["connect"]
            for number_id in (NUMBER_ID, second.phone_number_id):
                call, _ = await office.dial(gateway.desk, number_id=number_id)
                await asyncio.sleep(1)
                await gateway.desk.hang_up(ANI, CallId(call.id))
                await office.until(CallId(call.id), "ended")
    notices = [event.body for event in office.bus.of_kind("notice")]
    of_two = str(notices[1]["detail"])
    assert [notice["code"] for notice in notices] == [*["token_invalid"] * 3, "token_back"]
    assert second.display in of_two
    assert office.directory.by_id[NUMBER_ID].display in of_two
    assert str(notices[2]["detail"]).count("+") == 1
