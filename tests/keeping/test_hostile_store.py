"""A store that is slow, refuses, lies or is full at any request of a move: nothing is lost."""

import asyncio
from collections.abc import Callable

import pytest
from aiohttp import web

from gateway.adapters import object_store
from gateway.core.ids import CallId
from tests.keeping.keep import Keep
from tests.keeping.test_storing import file_size_at_most
from tests.services.object_store import (
    Fault,
    FaultyStore,
    answering,
    breaking,
    silent,
)

OF_A_MOVE = ["PUT", "HEAD", "GET"]
"""Stored, its size asked, read back."""


def only(method: str, fault: Fault) -> Fault:
    async def answer(request: web.Request) -> web.StreamResponse | None:
        return await fault(request) if request.method == method else None

    return answer


async def mended(keep: Keep, faulty: FaultyStore, call_id: CallId) -> None:
    """The recording is here still and heard; as soon as the store behaves, it moves."""
    assert keep.on_disk() == [keep.key(call_id)]
    assert (await keep.file(call_id)).fault is None
    faulty.fault = faulty.spoil = None
    assert await keep.heard(call_id) == keep.contents[keep.key(call_id)]
    assert await keep.move(order=False) == ["moved"]
    assert await keep.heard(call_id) == keep.contents[keep.key(call_id)]
    assert (keep.on_disk(), await keep.in_store()) == ([], [keep.key(call_id)])


async def test_a_slow_store_is_waited_for(stored: Keep, faulty: FaultyStore) -> None:
    async def slow(_: web.Request) -> None:
        await asyncio.sleep(0.2)

    faulty.fault = slow
    call_id = await stored.record()
    assert await stored.move() == ["moved"]
    assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]


@pytest.mark.parametrize("method", OF_A_MOVE)
async def test_one_request_without_an_answer_costs_time_alone(
    stored: Keep, faulty: FaultyStore, method: str
) -> None:
    call_id = await stored.record()
    faulty.fault = only(method, silent)
    [told] = await stored.move()
    assert told.startswith("outage")
    await mended(stored, faulty, call_id)


@pytest.mark.parametrize(
    ("methods", "status", "code", "told"),
    [
        ("PUT", 403, "AccessDenied", "refused: the object store refuses our keys"),
        ("PUT", 403, "RequestTimeTooSkewed", "refused: the object store finds our clock wrong"),
        ("PUT", 404, "NoSuchBucket", "refused: the object store has no such bucket"),
        ("PUT", 503, "SlowDown", "outage"),
        ("PUT", 507, None, "outage: the object store is full"),
        ("HEAD", 403, None, "refused: the object store refuses our keys"),
        # The answer to HEAD has no body: only the next one tells what is missing.
        ("HEAD GET", 404, "NoSuchBucket", "refused: the object store has no such bucket"),
        ("GET", 403, "AccessDenied", "refused: the object store refuses our keys"),
        ("GET", 503, "SlowDown", "outage"),
    ],
)
async def test_one_request_refused_costs_time_alone(
    stored: Keep, faulty: FaultyStore, methods: str, status: int, code: str | None, told: str
) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse | None:
        is_meant = request.method in methods.split()
        return await answering(status, code)(request) if is_meant else None

    call_id = await stored.record()
    faulty.fault = refuse
    [found] = await stored.move()
    assert found.startswith(told)
    await mended(stored, faulty, call_id)


@pytest.mark.parametrize("fault", [answering(403, "AccessDenied"), answering(503), silent])
async def test_what_else_lies_there_cannot_be_removed_yet(
    stored: Keep, faulty: FaultyStore, fault: Fault
) -> None:
    call_id = await stored.record()
    faulty.fault = only("POST", fault)
    [told] = await stored.move()
    assert told.startswith(("refused", "outage"))
    assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]
    assert (await stored.keeping.count_files()).to_move == 1, "it is not forgotten"
    faulty.fault = None
    assert await stored.move(order=False) == ["moved"]
    assert (await stored.keeping.count_files()).to_move == 0
    assert (stored.on_disk(), await stored.in_store()) == ([], [stored.key(call_id)])


async def test_a_store_that_says_done_and_does_nothing_is_found_out(
    stored: Keep, faulty: FaultyStore
) -> None:
    async def pretend(request: web.Request) -> web.StreamResponse:
        await request.read()
        return web.Response(headers={"ETag": '"1"'})

    call_id = await stored.record()
    faulty.fault = only("PUT", pretend)
    assert await stored.move() == ["damaged: read back it is another"]
    await mended(stored, faulty, call_id)


@pytest.mark.parametrize("size", [0, 5, 10_000_000])
async def test_a_store_that_lies_about_the_size_is_found_out(
    stored: Keep, faulty: FaultyStore, size: int
) -> None:
    async def lie(_: web.Request) -> web.StreamResponse:
        headers = {
            "Content-Length": str(size),
            "ETag": '"1"',
            "Last-Modified": "Sat, 21 Nov 2026 10:00:00 GMT",
        }
        return web.Response(headers=headers)

    call_id = await stored.record()
    faulty.fault = only("HEAD", lie)
    [told] = await stored.move()
    assert told.startswith(("damaged", "outage"))
    await mended(stored, faulty, call_id)


@pytest.mark.parametrize("change", [lambda read: read[:-1], lambda read: read + b"?"])
async def test_a_store_that_gives_back_more_or_less_is_found_out(
    stored: Keep, faulty: FaultyStore, change: Callable[[bytes], bytes]
) -> None:
    call_id = await stored.record()
    faulty.spoil = lambda request, content: (
        change(content) if request.method == "GET" and "ogg" in request.path else content
    )
    [told] = await stored.move()
    assert told.startswith(("damaged", "outage"))
    await mended(stored, faulty, call_id)


@pytest.mark.parametrize("fault", [answering(507), breaking])
async def test_trouble_in_the_middle_of_a_large_upload_leaves_nothing_half_done(
    stored: Keep, faulty: FaultyStore, monkeypatch: pytest.MonkeyPatch, fault: Fault
) -> None:
    monkeypatch.setattr(object_store, "SINGLE_BYTES_MAX", 1 << 20)
    monkeypatch.setattr(object_store, "_PART_BYTES", 5 << 20)
    call_id = await stored.record(11 << 20)

    async def at_the_second_part(request: web.Request) -> web.StreamResponse | None:
        return await fault(request) if request.query.get("partNumber") == "2" else None

    faulty.fault = at_the_second_part
    [told] = await stored.move()
    assert told.startswith(("outage", "refused"))
    assert await stored.in_store() == [], "half an object is none"
    await mended(stored, faulty, call_id)


async def sealed_on_a_full_disk(keep: Keep) -> None:
    await keep.encrypt()
    call_id = await keep.record(4 << 20)
    with file_size_at_most(2 << 20):
        [told] = await keep.move()
    assert told.startswith("outage")
    assert keep.on_disk() == [keep.key(call_id)]
    assert await keep.move(order=False) == ["moved"]
    assert await keep.heard(call_id) == keep.contents[keep.key(call_id)]


async def test_a_full_disk_while_it_is_sealed_for_the_store_loses_nothing(
    stored: Keep,
) -> None:
    await sealed_on_a_full_disk(stored)
    assert stored.on_disk() == []


async def test_a_full_disk_while_it_is_sealed_in_the_folder_loses_nothing(
    alone: Keep,
) -> None:
    await sealed_on_a_full_disk(alone)
    assert len(alone.on_disk()) == 1


async def test_a_store_that_is_away_for_long_costs_the_folder_room_and_nothing_else(
    stored: Keep, faulty: FaultyStore
) -> None:
    calls = [await stored.record() for _ in range(3)]
    faulty.fault = answering(503)
    for is_first in (True, False, False):
        assert len(await stored.move(order=is_first)) == 3
    assert len(stored.on_disk()) == 3
    assert (await stored.keeping.count_files()).to_move == 3
    faulty.fault = None
    assert await stored.move(order=False) == ["moved"] * 3
    for call_id in calls:
        assert await stored.heard(call_id) == stored.contents[stored.key(call_id)]
    assert stored.on_disk() == []
