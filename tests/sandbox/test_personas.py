"""What users do and say."""

from itertools import pairwise

from aiortc.rtp import RtpPacket

from sandbox.personas import Echo, Keypad, NetworkDrop, Persona, Silence, Speech, Tone
from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, Business, BusinessPeer, eventually

QUIET = Persona(says=Silence(has_dtx=False))


def tap(peer: BusinessPeer) -> list[RtpPacket]:
    """All packets that reach the peer, also those that aiortc has no codec for."""
    packets: list[RtpPacket] = []
    transport = peer.connection.getTransceivers()[0].receiver.transport
    take = transport._handle_rtp_data

    async def listen(data: bytes, arrival_time_ms: int) -> None:
        packets.append(RtpPacket.parse(data))
        await take(data, arrival_time_ms)

    transport._handle_rtp_data = listen  # type: ignore[method-assign]
    return packets


def numbers_of(packets: list[RtpPacket]) -> list[int]:
    return [packet.sequence_number for packet in packets]


async def test_keys_are_heard_as_telephone_events(business: Business) -> None:
    persona = Persona(says=Tone(frequency_hz=300), keypad=Keypad(digits="5#", after_s=0.1))
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        await sandbox.exchange.call_business("US.1", persona=persona)
        peer = business.peer()
        await business.pick_up(peer)
        packets = tap(peer)
        await eventually(lambda: len([p for p in packets if p.payload_type == 126]) >= 16)
        events = [p for p in packets if p.payload_type == 126]
        assert [p.payload[0] for p in events] == [5] * 8 + [11] * 8
        durations = [int.from_bytes(p.payload[2:4]) for p in events[:8]]
        assert durations == [160, 320, 480, 640, 800, 800, 800, 800]
        assert [bool(p.payload[1] & 0x80) for p in events[:8]] == [False] * 5 + [True] * 3
        assert len({p.timestamp for p in events[:8]}) == 1
        assert events[0].marker == 1
        assert len({p.ssrc for p in packets}) == 1
        numbers = sorted(numbers_of(packets))
        assert numbers == list(range(numbers[0], numbers[0] + len(numbers)))


async def test_a_silent_user_with_dtx_sends_nearly_nothing(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1", persona=Persona(says=Silence()))
        peer = business.peer()
        await business.pick_up(peer)
        await eventually(lambda: call.hearing.duration_s >= 3)
        assert call.media.sender is not None
        assert 0 < call.media.sender.packets < 50


async def test_an_echo_says_back_what_the_business_said(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        await sandbox.exchange.call_business("US.1", persona=Persona(says=Echo()))
        peer = business.peer()
        await business.pick_up(peer)
        await peer.heard_enough.wait()
        assert abs(peer.measure().dominant_hz - 700) < 5


async def test_a_speaking_user_is_heard(business: Business) -> None:
    persona = Persona(says=Speech(text="one two three four five six seven eight"))
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        await sandbox.exchange.call_business("US.1", persona=persona)
        peer = business.peer()
        await business.pick_up(peer)
        await peer.heard_enough.wait()
        heard = peer.hearing.measure()
        assert heard.level_dbfs > -35
        # Speech has pauses and many frequencies, a tone has neither.
        assert heard.dominant_share < 0.5
        assert max(heard.levels_dbfs) - min(heard.levels_dbfs) > 20


async def test_a_user_hangs_up_when_the_script_says_so(business: Business) -> None:
    persona = QUIET.model_copy(update={"hang_up_after_s": 0.3})
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1", persona=persona)
        peer = business.peer()
        await business.pick_up(peer)
        ended = await business.wait("calls", "terminate")
        assert ended["status"] == "COMPLETED"
        assert call.outcome is not None
        assert call.outcome.ended_by == "user"


async def test_a_muted_user_is_silent_but_goes_on_sending(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        peer = business.peer()
        await business.pick_up(peer)
        await peer.heard_enough.wait()
        call.mute(is_muted=True)
        until = peer.hearing.duration_s + 1.5
        await eventually(lambda: peer.hearing.duration_s >= until)
        assert peer.hearing.measure(until - 0.5, until).level_dbfs < -60


async def test_a_lost_network_is_lost_in_both_directions(business: Business) -> None:
    persona = Persona(says=Tone(), network_drop=NetworkDrop(after_s=2.0, for_s=1.0))
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1", persona=persona)
        peer = business.peer()
        await business.pick_up(peer)
        packets = tap(peer)
        dropped = await call.record.wait_for("network.dropped", 20)
        assert dropped.detail["seconds"] == 1.0
        counts = call.media.transport.counts
        before = counts.while_dark
        watch = call.media.watch
        assert watch is not None
        await eventually(lambda: watch.counts.lost > 20)
        assert counts.while_dark - before > 20
        assert watch.counts.max_gap_ms > 500
        assert not call.record.faults
        await eventually(lambda: any(b - a > 20 for a, b in pairwise(numbers_of(packets))))


async def test_a_key_that_does_not_exist_is_refused_as_a_whole(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        peer = business.peer()
        await business.pick_up(peer)
        await call.record.wait_for("rtp.first_sent", 20)
        status, _ = await business.post(f"/sandbox/calls/{call.wacid}/press", {"digits": "12X"})
        assert status == 422
        assert call.record.first("user.pressed") is None
