"""What a capture is shown: all audio from the peer, and all that was really sent to it."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.media.wire import COMFORT_FRAMES, KEYPAD, Wire

FRAME = 960
T0 = 1000.0
Shown = tuple[float, int, int, bytes]


@dataclass
class Notebook:
    """Writes down what it is shown."""

    came: list[Shown] = field(default_factory=list)
    went: list[Shown] = field(default_factory=list)

    def on_customer_packet(
        self, now: float, timestamp: int, sequence: int, payload: bytes | memoryview
    ) -> None:
        self.came.append((now, timestamp, sequence, bytes(payload)))

    def on_agent_packet(
        self, now: float, timestamp: int, sequence: int, payload: bytes | memoryview
    ) -> None:
        self.went.append((now, timestamp, sequence, bytes(payload)))


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


@pytest.fixture
def notes(wire: Wire) -> Notebook:
    notebook = Notebook()
    wire.ingress.tap = notebook.on_customer_packet
    wire.egress.tap = notebook.on_agent_packet
    return notebook


def test_what_came_is_shown_as_the_peer_numbered_it(wire: Wire, notes: Notebook) -> None:
    wire.say(100, 5000, T0, payload=b"one")
    wire.say(101, 5000 + FRAME, T0 + 0.02, payload=b"two")
    assert notes.came == [
        (T0, 5000, 100, b"one"),
        (T0 + 0.02, 5000 + FRAME, 101, b"two"),
    ]


def test_what_went_is_shown_as_the_peer_hears_it(wire: Wire, notes: Notebook) -> None:
    for index in range(3):
        wire.say(100 + index, index * FRAME, T0 + index * 0.02, payload=b"%d" % index)
    heard = [(one.timestamp, one.sequence, one.payload) for one in wire.heard()]
    assert [shown[1:] for shown in notes.went] == heard
    assert [payload for _, _, payload in heard] == [b"0", b"1", b"2"]


def test_what_comes_is_shown_while_nobody_hears_it(wire: Wire, notes: Notebook) -> None:
    wire.ingress.sink = None
    wire.say(1, 0, T0, payload=b"unheard")
    assert [shown[3] for shown in notes.came] == [b"unheard"]
    assert notes.went == []


def test_comfort_is_shown_as_it_is_heard(wire: Wire, notes: Notebook) -> None:
    wire.egress.is_comfort_owed = True
    for index in range(5):
        wire.egress.tick(T0 + index * 0.02)
    heard = [(one.timestamp, one.sequence, one.payload) for one in wire.heard()]
    assert [shown[1:] for shown in notes.went] == heard
    assert {payload for _, _, payload in heard} == set(COMFORT_FRAMES)


def test_keys_are_not_shown(wire: Wire, notes: Notebook) -> None:
    wire.say(1, 0, T0, payload=b"before")
    wire.say(2, FRAME, T0 + 0.02, payload=bytes([1, 0x8A, 3, 32]), payload_type=KEYPAD)
    wire.say(3, 2 * FRAME, T0 + 0.04, payload=b"after")
    assert len(wire.heard()) == 3
    for shown in (notes.came, notes.went):
        assert [payload for *_, payload in shown] == [b"before", b"after"]


def test_what_was_not_sent_is_not_shown(wire: Wire, notes: Notebook) -> None:
    wire.egress.is_released = False
    wire.say(1, 0, T0)
    wire.egress.is_released = True

    def refuse(_packet: object) -> int:
        raise BlockingIOError

    sending = wire.egress._send_datagram
    wire.egress._send_datagram = refuse
    wire.say(2, FRAME, T0 + 0.02)
    wire.egress._send_datagram = sending
    wire.say(3, 2 * FRAME, T0 + 0.04, payload=b"sent")
    assert len(notes.came) == 3
    assert [payload for *_, payload in notes.went] == [b"sent"]


def test_what_is_refused_is_not_shown(wire: Wire, notes: Notebook) -> None:
    packet = wire.protect(1, 0)
    wire.deliver(packet, T0)
    wire.deliver(packet, T0 + 0.001)
    forged = bytearray(wire.protect(2, FRAME))
    forged[-1] ^= 1
    wire.deliver(bytes(forged), T0 + 0.02)
    wire.say(3, 2 * FRAME, T0 + 0.04, payload_type=77)
    wire.say(4, 3 * FRAME, T0 + 0.06, payload=b"")
    assert len(notes.came) == len(notes.went) == 1


def test_header_extension_and_padding_are_no_part_of_what_is_shown(
    wire: Wire, notes: Notebook
) -> None:
    extension = bytes.fromhex("bede0001") + b"\x10\xff\0\0"
    wire.say(1, 0, T0, payload=extension + b"speech" + b"\0\0\3", first=0x80 | 0x10 | 0x20)
    assert [payload for *_, payload in notes.came] == [b"speech"]
    assert [payload for *_, payload in notes.went] == [b"speech"]
