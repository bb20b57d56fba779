"""The rules for the business's media, packet by packet."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.call_record import CallRecord, MediaFault
from sandbox.opus import SILENCE, OpusEncoder, samples_in
from sandbox.rtp import RtpPacket, parse_rtcp, parse_rtp
from sandbox.rtp_watch import PayloadTypes, RtpWatch

OPUS = OpusEncoder().encode(SILENCE)


def packet(number: int, **changes: int | bytes) -> RtpPacket:
    """Packet `number` of a faultless stream whose counters wrap early."""
    fields = {
        "payload_type": 111,
        "sequence": (65_530 + number) & 0xFFFF,
        "timestamp": (0xFFFFF000 + 960 * number) & 0xFFFFFFFF,
        "ssrc": 7,
        "payload": OPUS,
    }
    return RtpPacket(**(fields | changes))  # type: ignore[arg-type]


def watch(packets: Iterable[RtpPacket]) -> tuple[RtpWatch, dict[MediaFault, int]]:
    record = CallRecord()
    judge = RtpWatch(record, PayloadTypes(opus=111, events=126))
    for number, one in enumerate(packets):
        judge.judge(one, number * 0.02)
    return judge, {kind: counted.count for kind, counted in record.faults.items()}


def test_a_faultless_stream_has_no_fault_even_where_counters_wrap() -> None:
    judge, faults = watch(packet(number) for number in range(100))
    assert faults == {}
    assert judge.counts.packets == 100
    assert judge.counts.lost == 0
    assert judge.counts.max_gap_ms == 20.0
    assert judge.counts.jitter_ms == 0.0


@given(st.lists(st.integers(0, 120), min_size=1, max_size=200))
def test_loss_repetition_and_reordering_are_no_faults(order: list[int]) -> None:
    judge, faults = watch(packet(number) for number in order)
    assert faults == {}
    assert judge.counts.packets == len(order)


def test_a_long_loss_is_no_fault_and_leaves_a_gap() -> None:
    judge, faults = watch(packet(number) for number in (0, 1, 1501, 1502))
    assert faults == {}
    assert judge.counts.lost == 1499
    record = CallRecord()
    judge = RtpWatch(record, PayloadTypes(opus=111, events=126))
    for number, now in ((0, 0.0), (1, 0.02), (2, 0.5), (3, 0.52)):
        judge.judge(packet(number), now)
    assert [gap.gap_ms for gap in judge.counts.gaps] == [480.0]


def test_losses_are_counted_and_late_packets_taken_back() -> None:
    judge, _ = watch(packet(number) for number in (0, 1, 4, 3, 4, 5))
    assert judge.counts.lost == 1
    assert judge.counts.reordered == 1
    assert judge.counts.duplicated == 1


@pytest.mark.parametrize(
    ("bad", "fault"),
    [
        (packet(3, timestamp=5), MediaFault.TIMESTAMP_BREAK),
        (packet(3, timestamp=(0xFFFFF000 + 960 * 4) & 0xFFFFFFFF), MediaFault.TIMESTAMP_BREAK),
        (packet(3, sequence=30_000), MediaFault.SEQUENCE_BREAK),
        (packet(3, ssrc=8), MediaFault.SECOND_SSRC),
        (packet(3, payload_type=96), MediaFault.WRONG_PAYLOAD_TYPE),
        (packet(3, payload=OPUS[:1] + b"\x00" + OPUS), MediaFault.WRONG_PACKET_DURATION),
        (packet(3, payload=b""), MediaFault.WRONG_PACKET_DURATION),
    ],
)
def test_each_break_of_a_rule_is_named(bad: RtpPacket, fault: MediaFault) -> None:
    if fault is MediaFault.WRONG_PACKET_DURATION and bad.payload:
        # Code 1 in the table of contents: two frames, so 40 ms.
        bad = packet(3, payload=bytes([OPUS[0] | 1]) + OPUS[1:])
    _, faults = watch([packet(0), packet(1), packet(2), bad])
    assert fault in faults


def test_key_presses_may_stand_in_for_audio() -> None:
    first = packet(3).timestamp
    presses = [
        packet(3 + n, payload_type=126, timestamp=first, payload=b"\1\n\0\xa0")
        for n in range(8)
    ]
    judge, faults = watch([packet(0), packet(1), packet(2), *presses, packet(11), packet(12)])
    assert faults == {}
    assert judge.counts.events == 8


def test_our_report_tells_what_was_lost() -> None:
    judge, _ = watch(packet(number) for number in (0, 1, 2, 5, 6, 7))
    block = judge.report_block(last_report=1, delay=2)
    assert block is not None
    assert block.lost == 2
    assert block.fraction_lost == 2 * 256 // 8
    assert block.highest_sequence == 65_530 + 7


@given(st.binary(max_size=100))
def test_any_bytes_are_packets_or_refused(content: bytes) -> None:
    for parse in (parse_rtp, parse_rtcp):
        try:
            parse(content)
        except ValueError:
            continue


@given(st.binary(max_size=4))
def test_any_payload_has_a_length(payload: bytes) -> None:
    assert samples_in(payload) >= 0
