"""The engine against a worker that loses connections, events, answers and its memory."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gateway.adapters.media_engine import EngineSettings, MediaSocketEngine, WorkerAddress
from gateway.adapters.media_engine_tags import read_tag, tag_text
from gateway.core.errors import BadSdp, MediaAway, MediaRefused
from gateway.core.ids import AccountId, CallId, LegId, UserId
from gateway.core.quota.lease import WorkerId
from gateway.ports import media as port
from media import protocol as wire
from tests.adapters.media_engine.worker_peer import TOKEN, WorkerPeer, leg, worker_peer

PATIENT = EngineSettings(
    command_timeout_s=30, away_wait_s=30, reconnect_first_s=0.01, reconnect_max_s=0.05
)
HASTY = EngineSettings(
    command_timeout_s=0.2, away_wait_s=0.1, reconnect_first_s=0.01, reconnect_max_s=0.05
)
LEG = LegId("leg-1")
EMPTY = port.WorkerBack((), WorkerId("boot-1"))
TAG = port.LegTag(call_id=CallId("c" * 26), account_id=AccountId("a" * 26))


@asynccontextmanager
async def engine_of(
    peer: WorkerPeer, settings: EngineSettings = PATIENT, **more: Any
) -> AsyncIterator[MediaSocketEngine]:
    numbers = itertools.count()
    engine = MediaSocketEngine(
        WorkerAddress(peer.socket, peer.token_file),
        gateway_epoch=7,
        new_id=lambda: f"id-{next(numbers)}",
        settings=settings,
        **more,
    )
    async with engine:
        yield engine


@pytest.fixture
async def peer(tmp_path: Path) -> AsyncIterator[WorkerPeer]:
    async with worker_peer(tmp_path) as peer:
        yield peer


async def until(condition: Callable[[], object]) -> None:
    while not condition():  # noqa: ASYNC110 - the state belongs to the engine
        await asyncio.sleep(0.005)


async def next_command(peer: WorkerPeer, kind: type[Any]) -> Any:
    while True:
        command = await peer.commands.get()
        if isinstance(command, kind):
            return command


async def test_hello_carries_the_secret_of_the_file_and_our_epoch(peer: WorkerPeer) -> None:
    async with engine_of(peer) as engine:
        await until(lambda: engine.is_connected)
        (hello,) = peer.hellos
        assert (hello.token, hello.gateway_epoch) == (TOKEN, 7)


async def test_each_order_becomes_its_command(peer: WorkerPeer) -> None:
    async with engine_of(peer) as engine:
        assert await engine.answer_agent(LEG, TAG, epoch=3, offer="v=0 o") == "v=0 local"
        assert await engine.answer_whatsapp(LEG, TAG, epoch=3, offer="v=0 o") == "v=0 local"
        assert await engine.offer_whatsapp(LEG, TAG, epoch=3) == "v=0 local"
        await engine.apply_answer(LEG, epoch=3, answer="v=0 a")
        await engine.attach(LEG, LegId("agent"), epoch=3)
        await engine.detach(LEG, epoch=3)
        await engine.start_sending(LEG, epoch=3)
        await engine.set_mute(LEG, epoch=3, muted=True)
        await engine.set_hold(LEG, epoch=3, held=False)
        await engine.close_leg(LEG, epoch=3)
    sent = [peer.commands.get_nowait() for _ in range(peer.commands.qsize())]
    assert [command.type for command in sent] == [
        "answer_offer",
        "answer_offer",
        "make_offer",
        "apply_answer",
        "attach",
        "detach",
        "start_sending",
        "set_mute",
        "set_hold",
        "close_leg",
    ]
    assert [command.kind for command in sent[:2]] == ["agent", "whatsapp"]
    assert {command.epoch for command in sent} == {3}
    assert len({command.id for command in sent}) == len(sent)


async def test_a_bad_description_is_told_apart_from_other_refusals(peer: WorkerPeer) -> None:
    async with engine_of(peer) as engine:
        peer.fails = ("bad_sdp", "there is no fingerprint")
        with pytest.raises(BadSdp, match="no fingerprint"):
            await engine.answer_agent(LEG, TAG, epoch=1, offer="x")
        peer.fails = ("stale_epoch", "a newer owner is there")
        with pytest.raises(MediaRefused) as caught:
            await engine.start_sending(LEG, epoch=1)
        assert caught.value.code == "stale_epoch"


async def test_applying_the_answer_twice_is_fine(peer: WorkerPeer) -> None:
    async with engine_of(peer) as engine:
        peer.fails = ("conflict", "it has one already")
        await engine.apply_answer(LEG, epoch=1, answer="v=0")
        with pytest.raises(MediaRefused):
            await engine.attach(LEG, LegId("agent"), epoch=1)


async def test_a_command_whose_answer_was_lost_is_sent_again_with_the_same_id(
    peer: WorkerPeer,
) -> None:
    async with engine_of(peer) as engine:
        await until(lambda: engine.is_connected)
        peer.answers_itself = False
        asked = asyncio.create_task(engine.offer_whatsapp(LEG, TAG, epoch=1))
        first = await next_command(peer, wire.MakeOffer)
        peer.hang_up()
        second = await next_command(peer, wire.MakeOffer)
        assert second == first
        peer.answer(second)
        assert await asked == "v=0 local"


async def test_a_worker_that_started_anew_is_not_sent_what_the_old_one_was(
    peer: WorkerPeer,
) -> None:
    async with engine_of(peer) as engine:
        await until(lambda: engine.is_connected)
        peer.answers_itself = False
        asked = asyncio.create_task(engine.start_sending(LEG, epoch=1))
        await next_command(peer, wire.StartSending)
        peer.boot_id = "boot-2"
        peer.hang_up()
        with pytest.raises(MediaAway):
            await asked
        assert peer.commands.empty()


async def test_a_command_waits_for_a_worker_that_is_just_coming(tmp_path: Path) -> None:
    peer = WorkerPeer(tmp_path / "media.sock", tmp_path / "media.token")
    async with engine_of(peer) as engine:
        asked = asyncio.create_task(engine.close_leg(LEG, epoch=1))
        await peer.start()
        await asked
    await peer.stop()


async def test_without_a_worker_commands_fail_soon(tmp_path: Path) -> None:
    peer = WorkerPeer(tmp_path / "media.sock", tmp_path / "media.token")
    async with engine_of(peer, HASTY) as engine:
        with pytest.raises(MediaAway, match="no media worker"):
            await engine.close_leg(LEG, epoch=1)


async def test_a_silent_worker_is_given_up_and_its_late_leg_closed(peer: WorkerPeer) -> None:
    async with engine_of(peer, HASTY) as engine:
        await until(lambda: engine.is_connected)
        peer.answers_itself = False
        with pytest.raises(MediaAway, match="in time"):
            await engine.answer_agent(LEG, TAG, epoch=4, offer="v=0")
        closed = await next_command(peer, wire.CloseLeg)
        assert (closed.leg_id, closed.epoch) == (LEG, 4)


async def test_a_reader_starts_with_what_lives(peer: WorkerPeer) -> None:
    async with engine_of(peer) as engine:
        await until(lambda: engine.is_connected)
        await engine.offer_whatsapp(LEG, TAG, epoch=1)
        tag = (await next_command(peer, wire.MakeOffer)).tag
        peer.legs = [
            leg("up", tag=tag, sending=True, received_rtp=True, attached_to="agent"),
            leg("connecting", state=wire.LegState.CONNECTING, tag="not ours"),
            leg("gone", state=wire.LegState.CLOSED),
        ]
        events = engine.events()
        first = await anext(events)
        assert first == port.WorkerBack(
            (
                port.LegLive(LegId("up"), TAG, True, True, LegId("agent"), True, "v=0"),
                port.LegLive(
                    LegId("connecting"), port.LegTag(), False, False, None, False, "v=0"
                ),
            ),
            WorkerId("boot-1"),
        )
        await events.aclose()  # type: ignore[attr-defined]


async def test_events_are_told_in_the_runtimes_words(peer: WorkerPeer) -> None:
    async with engine_of(peer) as engine:
        await until(lambda: engine.is_connected)
        events = engine.events()
        assert await anext(events) == EMPTY
        say = peer.event
        say(wire.LegChanged, leg_id=LEG, state=wire.LegState.CONNECTING)
        say(wire.LegChanged, leg_id=LEG, state=wire.LegState.CONNECTED)
        say(wire.FirstRtp, leg_id=LEG)
        say(wire.MediaQuiet, leg_id=LEG)
        say(wire.MediaResumed, leg_id=LEG)
        say(wire.KeyPressed, leg_id=LEG, digit="#", duration_ms=80)
        say(wire.TraceStep, leg_id=LEG, step="dtls", fields={"ms": 12})
        say(
            wire.LegQuality,
            leg_id=LEG,
            packets_in=5,
            packets_out=6,
            lost_in=1,
            jitter_ms=2.5,
            round_trip_ms=None,
            remote_lost=None,
            dropped={"replay": 2},
        )
        say(
            wire.LegChanged,
            leg_id=LEG,
            state=wire.LegState.CLOSED,
            reason=wire.CloseReason.CONSENT_LOST,
        )
        assert [await anext(events) for _ in range(8)] == [
            port.LegUp(LEG, 1.0),
            port.LegHeard(LEG, 1.0),
            port.LegQuiet(LEG, 1.0, quiet=True),
            port.LegQuiet(LEG, 1.0, quiet=False),
            port.LegKey(LEG, 1.0, "#"),
            port.LegTrace(LEG, 1.0, "dtls", {"ms": 12}),
            port.LegQuality(LEG, 1.0, 5, 6, 1, 2.5, None, None),
            port.LegClosed(LEG, 1.0, "consent_lost"),
        ]
        await events.aclose()  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", ["gap", "resync", "unreadable"])
async def test_lost_events_bring_a_fresh_snapshot(peer: WorkerPeer, how: str) -> None:
    async with engine_of(peer) as engine:
        await until(lambda: engine.is_connected)
        events = engine.events()
        assert await anext(events) == EMPTY
        peer.legs = [leg("found")]
        if how == "resync":
            peer.last_seq += 1
            peer.say(wire.Resync(seq=peer.last_seq, dropped=4))
        else:
            if how == "unreadable":
                peer.say_raw(b'{"type":"from_the_future","seq":1}')
            peer.last_seq += 1
            peer.event(wire.FirstRtp, leg_id=LEG)
            assert await anext(events) == port.LegHeard(LEG, 1.0)
        back = await anext(events)
        assert isinstance(back, port.WorkerBack)
        assert [live.leg_id for live in back.legs] == ["found"]
        await events.aclose()  # type: ignore[attr-defined]


async def test_an_event_that_a_snapshot_contains_is_not_told_again(peer: WorkerPeer) -> None:
    async with engine_of(peer) as engine:
        await until(lambda: engine.is_connected)
        peer.answers_itself = False
        events = engine.events()
        first = asyncio.ensure_future(anext(events))
        asked = await next_command(peer, wire.TakeSnapshot)
        # The answer overtakes two events that it already contains.
        peer.last_seq = 2
        peer.answer(asked)
        for seq in (1, 2):
            peer.say(wire.FirstRtp(seq=seq, at=1.0, tag="", leg_id="old"))
        peer.event(wire.FirstRtp, leg_id="new")
        assert await first == EMPTY
        assert await anext(events) == port.LegHeard(LegId("new"), 1.0)
        await events.aclose()  # type: ignore[attr-defined]


async def test_a_reader_that_falls_behind_starts_over(peer: WorkerPeer) -> None:
    limits = EngineSettings(command_timeout_s=30, events_max=10)
    async with engine_of(peer, limits) as engine:
        await until(lambda: engine.is_connected)
        slow, quick = engine.events(), engine.events()
        assert await anext(slow) == EMPTY
        assert await anext(quick) == EMPTY
        for _ in range(30):
            peer.event(wire.FirstRtp, leg_id=LEG)
            while not isinstance(await anext(quick), port.LegHeard):
                pass
        assert await anext(slow) == EMPTY
        await slow.aclose()  # type: ignore[attr-defined]
        await quick.aclose()  # type: ignore[attr-defined]


async def test_the_return_of_a_worker_is_told_to_readers(peer: WorkerPeer) -> None:
    seen: list[bool] = []
    async with engine_of(peer, on_link=seen.append) as engine:
        events = engine.events()
        assert await anext(events) == EMPTY
        peer.legs = [leg("survivor")]
        peer.hang_up()
        back = await anext(events)
        assert isinstance(back, port.WorkerBack)
        assert [live.leg_id for live in back.legs] == ["survivor"]
        assert seen == [True, False, True]
        await events.aclose()  # type: ignore[attr-defined]


async def test_a_refusal_leaves_commands_failing_and_the_gateway_running(
    peer: WorkerPeer,
) -> None:
    peer.refuses = wire.Refused(reason="stale_epoch")
    async with engine_of(peer, HASTY) as engine:
        with pytest.raises(MediaAway):
            await engine.close_leg(LEG, epoch=1)
        assert not engine.is_connected


async def test_an_oversized_message_ends_the_connection_and_a_new_one_is_made(
    peer: WorkerPeer,
) -> None:
    async with engine_of(peer) as engine:
        await until(lambda: engine.is_connected)
        assert peer._writer
        peer._writer.write((wire.FRAME_BYTES_MAX + 1).to_bytes(4) + b"x")
        await until(lambda: len(peer.hellos) == 2)
        await engine.close_leg(LEG, epoch=1)


async def test_commands_in_flight_are_bounded(peer: WorkerPeer) -> None:
    limits = EngineSettings(command_timeout_s=30, commands_max=3)
    async with engine_of(peer, limits) as engine:
        await until(lambda: engine.is_connected)
        peer.answers_itself = False
        asked = [asyncio.create_task(engine.close_leg(LEG, epoch=1)) for _ in range(3)]
        for _ in asked:
            peer_command = await next_command(peer, wire.CloseLeg)
            assert peer_command.leg_id == LEG
        with pytest.raises(MediaAway, match="too much"):
            await engine.close_leg(LEG, epoch=1)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)


async def test_tags_that_are_not_ours_are_empty() -> None:
    full = port.LegTag(CallId("c"), UserId("u"), AccountId("a"))
    assert read_tag(tag_text(full)) == full
    assert read_tag(tag_text(port.LegTag())) == port.LegTag()
    for odd in ("", "[]", "null", "{", '{"call": 7}', "[" * 99_999):
        assert read_tag(odd) == port.LegTag()
