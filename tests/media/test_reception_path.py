"""What comes in: verified, replay-protected, trimmed, bounded, and every refusal counted."""

import dataclasses
import random
import struct
from collections.abc import Iterator

import pytest

from tests.conftest import Rounds
from tests.media.wire import Wire, steps

FRAME = 960
T0 = 1000.0


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def test_a_replayed_packet_is_dropped_and_counted(wire: Wire) -> None:
    packets = [wire.protect(index, index * FRAME) for index in range(50)]
    for index, packet in enumerate(packets):
        wire.deliver(packet, T0 + index * 0.02)
        wire.deliver(packet, T0 + index * 0.02)
    for packet in packets:
        wire.deliver(packet, T0 + 2.0)
    assert len(wire.heard()) == 50
    assert wire.ingress.packets == 50
    assert wire.drops["replayed"] == 100


def test_a_changed_packet_is_dropped_and_counted(wire: Wire) -> None:
    packet = bytearray(wire.protect(1, 0))
    packet[-1] ^= 1
    wire.deliver(bytes(packet), T0)
    packet[-1] ^= 1
    packet[14] ^= 1
    wire.deliver(bytes(packet), T0)
    assert wire.heard() == []
    assert wire.drops["not_authentic"] == 2
    assert wire.ingress.heard_at is None


def test_extensions_sources_and_padding_are_left_out(wire: Wire) -> None:
    body = b"opus-frame"
    csrc = struct.pack("!II", 1, 2)
    extension = struct.pack("!HH", 0xBEDE, 1) + b"\x10\x55\x00\x00"
    padding = b"\0\0\0\x04"
    wire.say(1, 0, T0, payload=csrc + extension + body + padding, first=0x80 | 0x20 | 0x10 | 2)
    wire.say(2, FRAME, T0 + 0.02, payload=body + b"\x01", first=0xA0)
    packets = wire.heard()
    assert [packet.payload for packet in packets] == [body, body]
    assert {packet.first for packet in packets} == {0x80}


@pytest.mark.parametrize(
    ("first", "payload"),
    [
        (0x8F, b"short"),
        (0x90, struct.pack("!HH", 0, 500)),
        (0xA0, b"x\xff"),
    ],
)
def test_lengths_that_do_not_fit_are_refused(wire: Wire, first: int, payload: bytes) -> None:
    if first == 0xA0:
        wire.say(1, 0, T0, payload=payload, first=first)
    else:
        # libsrtp itself refuses to encrypt such a header, so it is damaged on the way.
        wire.deliver(bytes([first]) + wire.protect(1, 0, payload)[1:], T0)
    assert wire.heard() == []
    assert sum(wire.drops.values()) == 1


def test_a_packet_that_is_all_padding_leaves_no_gap(wire: Wire) -> None:
    wire.say(1, 0, T0)
    wire.say(2, 0, T0 + 0.01, payload=b"\0\0\0\x04", first=0xA0)
    wire.say(3, FRAME, T0 + 0.02)
    assert steps(wire.heard()) == [(1, FRAME)]
    assert wire.drops["empty"] == 1


def test_an_empty_payload_leaves_no_gap(wire: Wire) -> None:
    wire.say(1, 0, T0)
    wire.say(2, FRAME, T0 + 0.02, payload=b"")
    wire.say(3, 2 * FRAME, T0 + 0.04)
    assert steps(wire.heard()) == [(1, 2 * FRAME)]


def test_the_largest_datagram_is_survived_and_not_passed_on(wire: Wire) -> None:
    wire.say(1, 0, T0, payload=b"x" * 1472)
    wire.say(2, FRAME, T0 + 0.02, payload=b"y" * 1275)
    packets = wire.heard()
    assert [len(packet.payload) for packet in packets] == [1275]
    assert wire.drops["malformed_payload"] == 1


def test_a_foreign_payload_type_is_dropped_without_a_gap(wire: Wire) -> None:
    wire.say(1, 0, T0)
    wire.say(2, FRAME, T0 + 0.02, payload_type=8)
    wire.say(3, 2 * FRAME, T0 + 0.04)
    assert steps(wire.heard()) == [(1, 2 * FRAME)]
    assert wire.drops["foreign_payload_type"] == 1


def test_a_flood_of_ssrcs_holds_no_state(wire: Wire) -> None:
    wire.say(1, 0, T0, ssrc=7)
    for index in range(2000):
        wire.say(1, 0, T0 + 0.01, ssrc=1000 + index)
    wire.say(2, FRAME, T0 + 0.02, ssrc=7)
    assert len(wire.heard()) == 2
    assert wire.drops["foreign_ssrc"] == 2000


def test_the_announced_ssrc_is_heard_whatever_came_before(wire: Wire) -> None:
    wire.spec = dataclasses.replace(wire.spec, peer_ssrc=9)
    ingress = wire.make_ingress()
    ingress.sink = wire.egress
    wire.deliver(wire.protect(1, 0, ssrc=7), T0, ingress)
    wire.deliver(wire.protect(1, 0, ssrc=9), T0 + 0.01, ingress)
    wire.deliver(wire.protect(2, FRAME, ssrc=7), T0 + 0.02, ingress)
    assert len(wire.heard()) == 2
    assert ingress.ssrc == 9


def test_damaged_packets_never_do_more_than_count(
    wire: Wire, rounds: Rounds, seed: int
) -> None:
    chance = random.Random(seed)
    good = [wire.protect(index, index * FRAME) for index in range(20)]
    for _ in range(rounds(quick=20_000, soak=2_000_000)):
        packet = bytearray(chance.choice(good))
        for _ in range(chance.randrange(1, 6)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        packet = packet[: chance.randrange(1, len(packet) + 1)]
        wire.deliver(bytes(packet), T0)
    assert wire.ingress.packets <= len(good)


def test_loss_is_counted_as_rfc_3550_says(wire: Wire) -> None:
    for sequence in (65530, 65531, 65534, 2, 1, 5):
        wire.say(sequence, sequence * FRAME, T0)
    reception = wire.ingress.reception
    assert reception is not None
    assert reception.expected == 12
    assert reception.lost == 6
    assert reception.highest == 65536 + 5


def test_jitter_is_that_of_the_arrival_times(wire: Wire) -> None:
    for index in range(400):
        late = 0.010 if index % 2 else 0.0
        wire.say(index, index * FRAME, T0 + index * 0.02 + late)
    reception = wire.ingress.reception
    assert reception is not None
    assert reception.jitter / 48 == pytest.approx(10.0, abs=0.1)
