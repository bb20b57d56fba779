"""What a peer hears is one line: one SSRC, numbers without a break, time that goes on."""

import struct
from collections.abc import Iterator

import pytest

from media.srtp import PROFILES, SrtpProfile
from tests.media.wire import KEYPAD, SSRC_OUT, Packet, Wire, steps

FRAME = 960
T0 = 1000.0


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    yield made
    made.close()


def speak(wire: Wire, count: int, start: float, *, sequence: int, timestamp: int) -> float:
    """`count` packets 20 ms apart; returns when the next would be due."""
    for index in range(count):
        wire.say(sequence + index, timestamp + index * FRAME, start + index * 0.02)
    return start + count * 0.02


def tick(wire: Wire, count: int, start: float) -> float:
    for index in range(count):
        wire.egress.tick(start + index * 0.02)
    return start + count * 0.02


@pytest.mark.parametrize("profile", PROFILES, ids=lambda profile: profile.name)
def test_speech_is_passed_on_unchanged_under_our_own_numbers(profile: SrtpProfile) -> None:
    wire = Wire(profile)
    speak(wire, 5, T0, sequence=100, timestamp=5000)
    packets = wire.heard()
    assert [packet.payload for packet in packets] == [b"speech"] * 5
    assert {packet.ssrc for packet in packets} == {SSRC_OUT}
    assert {packet.payload_type for packet in packets} == {96}
    assert steps(packets) == [(1, FRAME)] * 4
    assert [packet.marker for packet in packets] == [True, False, False, False, False]
    wire.close()


def test_sequence_and_timestamp_wrap_without_a_break(wire: Wire) -> None:
    speak(wire, 10, T0, sequence=65531, timestamp=0xFFFFFFFF - 3 * FRAME)
    packets = wire.heard()
    assert len(packets) == 10
    assert steps(packets) == [(1, FRAME)] * 9
    reception = wire.ingress.reception
    assert reception is not None
    assert (reception.expected, reception.lost) == (10, 0)


def test_a_lost_packet_stays_visible_as_a_gap(wire: Wire) -> None:
    wire.say(1, 0, T0)
    wire.say(3, 2 * FRAME, T0 + 0.04)
    assert steps(wire.heard()) == [(2, 2 * FRAME)]


def test_a_reordered_packet_keeps_its_own_place(wire: Wire) -> None:
    for sequence in (1, 3, 2, 4):
        wire.say(sequence, sequence * FRAME, T0 + 0.02 * sequence)
    packets = wire.heard()
    order = [packet.sequence - packets[0].sequence for packet in packets]
    assert order == [0, 2, 1, 3]
    assert (packets[2].timestamp - packets[0].timestamp) & 0xFFFFFFFF == FRAME


def test_another_source_goes_on_where_the_line_stands(wire: Wire) -> None:
    end = speak(wire, 5, T0, sequence=100, timestamp=5000)
    speak(wire, 5, end + 0.02, sequence=40000, timestamp=777)
    # The same SSRC with a new numbering, as after a restart of the sender.
    packets = wire.heard()
    assert steps(packets)[4] == (1, 2 * FRAME)
    assert packets[5].marker


def test_another_ssrc_is_the_next_talkspurt_of_the_same_line(wire: Wire) -> None:
    end = speak(wire, 5, T0, sequence=100, timestamp=5000)
    later = end + 1.0
    for index in range(3):
        wire.say(9 + index, 123456 + index * FRAME, later + index * 0.02, ssrc=8)
    packets = wire.heard()
    assert {packet.ssrc for packet in packets} == {SSRC_OUT}
    # The first packet comes 1.02 s after the last one: 51 frames.
    assert steps(packets)[4] == (1, 51 * FRAME)
    assert [packet.marker for packet in packets[5:]] == [True, False, False]


def test_two_ssrcs_at_once_are_not_mixed(wire: Wire) -> None:
    for index in range(10):
        wire.say(index, index * FRAME, T0 + index * 0.02, ssrc=7)
        wire.say(500 + index, index * FRAME, T0 + index * 0.02, ssrc=8)
    assert len(wire.heard()) == 10
    assert wire.drops["foreign_ssrc"] == 10


def test_a_pause_that_the_sender_does_not_count_still_takes_its_time(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    now = speak(wire, 3, T0, sequence=1, timestamp=0)
    packets = wire.heard()
    for _ in range(20):
        now = tick(wire, 25, now)
        packets += wire.heard()
    speak(wire, 2, now, sequence=4, timestamp=3 * FRAME)
    packets += wire.heard()
    assert {step for step, _ in steps(packets)} == {1}
    whole = (packets[-1].timestamp - packets[0].timestamp) & 0xFFFFFFFF
    assert abs(whole - 504 * FRAME) <= FRAME


def test_a_pause_that_the_sender_counts_is_passed_on(wire: Wire) -> None:
    end = speak(wire, 3, T0, sequence=1, timestamp=0)
    speak(wire, 2, end + 0.4, sequence=4, timestamp=23 * FRAME)
    packets = wire.heard()
    assert steps(packets)[2] == (1, 21 * FRAME)


@pytest.mark.parametrize("jump", [30000, 600, -600])
def test_a_jump_of_the_sequence_is_not_passed_on(wire: Wire, jump: int) -> None:
    end = speak(wire, 3, T0, sequence=32768, timestamp=0)
    speak(wire, 3, end, sequence=32771 + jump, timestamp=3 * FRAME)
    assert steps(wire.heard()) == [(1, FRAME)] * 5


def test_comfort_fills_the_silence_and_speech_takes_over_again(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    now = speak(wire, 5, T0, sequence=1, timestamp=0)
    now = tick(wire, 50, now)
    speak(wire, 5, now, sequence=6, timestamp=55 * FRAME)
    packets = wire.heard()
    comfort = [index for index, packet in enumerate(packets) if packet.payload != b"speech"]
    # Silence of 100 ms is waited for, then there is a frame every 20 ms.
    assert 44 <= len(comfort) <= 47
    assert comfort == list(range(comfort[0], comfort[-1] + 1))
    gaps = steps(packets)
    assert {step for step, _ in gaps} == {1}
    assert [time for _, time in gaps].count(FRAME) >= len(gaps) - 1
    whole = (packets[-1].timestamp - packets[0].timestamp) & 0xFFFFFFFF
    assert abs(whole - 59 * FRAME) <= FRAME
    assert packets[comfort[0]].marker
    assert packets[comfort[-1] + 1].marker


def test_a_parted_source_is_followed_by_comfort_in_the_very_next_frame(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    now = speak(wire, 5, T0, sequence=1, timestamp=0)
    wire.ingress.sink = None
    wire.egress.leave(wire.ingress.source)
    tick(wire, 10, now)
    packets = wire.heard()
    assert len(packets) == 15
    assert steps(packets) == [(1, FRAME)] * 14


def test_comfort_starts_by_itself_when_nothing_was_ever_relayed(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    tick(wire, 100, T0)
    packets = wire.heard()
    assert len(packets) == 100
    assert steps(packets) == [(1, FRAME)] * 99
    assert wire.notes.first_sent == 1


def test_comfort_keeps_the_pace_though_its_clock_ticks_unevenly(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    for index in range(200):
        wire.egress.tick(T0 + index * 0.02 + (0.007 if index % 3 else 0.0))
    assert steps(wire.heard()) == [(1, FRAME)] * 199


def test_a_stall_of_the_clock_becomes_elapsed_time_and_no_burst(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    tick(wire, 10, T0)
    tick(wire, 10, T0 + 1.2)
    packets = wire.heard()
    assert len(packets) == 20
    assert steps(packets)[9] == (1, 51 * FRAME)


def test_switching_to_and_fro_for_long_does_not_run_away_from_the_clock(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    now = T0
    sequence = 0
    packets: list[Packet] = []
    for _ in range(200):
        # Speech that begins 5 ms after a comfort frame gains 15 ms each time.
        now += 0.005
        for _ in range(5):
            wire.say(sequence, sequence * FRAME, now)
            sequence += 1
            now += 0.02
        wire.egress.leave(wire.ingress.source)
        for _ in range(5):
            wire.egress.tick(now)
            now += 0.02
        packets += wire.heard()
    assert {step for step, _ in steps(packets)} == {1}
    elapsed = round((now - T0) * 48000)
    total = sum(time for _, time in steps(packets))
    assert abs(total - elapsed) <= 3 * FRAME


def test_nothing_is_sent_before_release(wire: Wire) -> None:
    wire.egress.is_released = False
    wire.egress.is_comfort_owed = True
    speak(wire, 5, T0, sequence=1, timestamp=0)
    tick(wire, 5, T0)
    assert wire.heard() == []
    assert wire.drops["not_released"] == 5


def event(code: int, duration: int, *, end: bool = False) -> bytes:
    return struct.pack("!BBH", code, (0x80 if end else 0) | 10, duration)


def press(wire: Wire, sequence: int, timestamp: int, start: float) -> int:
    """A key of 100 ms as browsers send it; returns the next sequence number."""
    payloads = [event(5, 160 * (index + 1)) for index in range(5)]
    payloads += [event(5, 800, end=True)] * 3
    for index, payload in enumerate(payloads):
        wire.say(
            sequence + index,
            timestamp,
            start + index * 0.02,
            payload=payload,
            payload_type=KEYPAD,
            marker=index == 0,
        )
    return sequence + len(payloads)


def keys_of(packets: list[Packet]) -> list[Packet]:
    return [packet for packet in packets if packet.payload_type == 101]


def test_a_key_is_carried_with_its_own_clock_rules(wire: Wire) -> None:
    now = speak(wire, 5, T0, sequence=1, timestamp=0)
    following = press(wire, 6, 5 * FRAME, now)
    speak(wire, 3, now + 0.16, sequence=following, timestamp=13 * FRAME)
    packets = wire.heard()
    pressed = keys_of(packets)
    assert len(pressed) == 8
    assert {packet.timestamp for packet in pressed} == {
        (packets[4].timestamp + FRAME) & 0xFFFFFFFF
    }
    assert [packet.marker for packet in pressed] == [True] + [False] * 7
    assert pressed[-1].payload == event(5, 800, end=True)
    assert {step for step, _ in steps(packets)} == {1}
    assert (packets[13].timestamp - packets[4].timestamp) & 0xFFFFFFFF == 9 * FRAME
    assert wire.notes.keys == [("5", 100)]


def test_a_long_key_does_not_look_like_a_new_clock(wire: Wire) -> None:
    now = speak(wire, 2, T0, sequence=1, timestamp=0)
    for index in range(150):
        wire.say(
            3 + index,
            2 * FRAME,
            now + index * 0.02,
            payload=event(9, 160 * (index + 1)),
            payload_type=KEYPAD,
        )
    speak(wire, 3, now + 3.0, sequence=153, timestamp=152 * FRAME)
    packets = wire.heard()
    assert len({packet.timestamp for packet in keys_of(packets)}) == 1
    assert not packets[-3].marker
    assert (packets[-3].timestamp - packets[1].timestamp) & 0xFFFFFFFF == 151 * FRAME


def test_comfort_does_not_cut_a_key_in_two(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    wire.say(1, 0, T0, payload=event(1, 160), payload_type=KEYPAD, marker=True)
    tick(wire, 10, T0 + 0.12)
    wire.say(2, 0, T0 + 0.33, payload=event(1, 800, end=True), payload_type=KEYPAD)
    pressed = keys_of(wire.heard())
    assert len(pressed) == 2
    assert pressed[0].timestamp == pressed[1].timestamp


def test_a_key_whose_end_is_lost_is_reported_all_the_same(wire: Wire) -> None:
    for index in range(4):
        wire.say(
            index,
            0,
            T0 + index * 0.02,
            payload=event(11, 160 * (index + 1)),
            payload_type=KEYPAD,
        )
    wire.ingress.expire(T0 + 0.1)
    assert wire.notes.keys == []
    wire.ingress.expire(T0 + 0.4)
    wire.ingress.expire(T0 + 0.5)
    assert wire.notes.keys == [("#", 80)]


def test_two_keys_right_after_each_other_are_two(wire: Wire) -> None:
    for timestamp, code in ((0, 1), (4000, 1), (8000, 2)):
        for index in range(3):
            wire.say(
                timestamp // 1000 + index,
                timestamp,
                T0 + timestamp / 48000 + index * 0.02,
                payload=event(code, 320, end=True),
                payload_type=KEYPAD,
            )
    assert wire.notes.keys == [("1", 40), ("1", 40), ("2", 40)]
