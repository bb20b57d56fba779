"""The capture file read back, whole, torn at every byte, damaged, and foreign."""

import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.capture_format import (
    CRC,
    LEAD,
    MAGIC,
    Header,
    HeaderTorn,
    Kind,
    NotACapture,
    StopReason,
    UnknownVersion,
    clock_record,
    decode_header,
    encode_header,
    end_record,
    packet_record,
    pause_record,
    record_seed,
    resume_record,
)
from media.capture_scan import CaptureContent, Pause, scan


def header(capture_id: str = "call-1", segment: int = 0) -> Header:
    return Header(
        capture_id=capture_id,
        segment=segment,
        started_unix_ms=1_700_000_000_000,
        offset_ms=0,
        blob='{"opaque": "ünïcode"}',
    )


HEAD = encode_header(header())
SEED = record_seed(HEAD)


def records() -> list[tuple[int, bytes]]:
    """Position and bytes of each record of a small capture, its end included."""
    made: list[tuple[int, bytes]] = []
    for number in range(12):
        at = number * 20
        for kind in (Kind.CUSTOMER, Kind.AGENT):
            payload = bytes([8, number, kind]) * (1 + number % 3)
            made.append((at, packet_record(kind, at, number, number, payload, seed=SEED)))
        if number % 4 == 3:
            made.append((at + 10, clock_record(at + 10, seed=SEED)))
        if number == 6:
            made.append((at + 5, pause_record(at + 5, seed=SEED)))
            made.append((at + 5, resume_record(at + 5, 777, seed=SEED)))
    made.append((230, end_record(230, StopReason.QUOTA, seed=SEED)))
    return made


HEAD_TO_PAUSE = len(HEAD) + sum(
    len(record)
    for _, record in records()[: [record[2] for _, record in records()].index(Kind.PAUSE)]
)


def summary(found: CaptureContent) -> tuple[int, int, int]:
    return found.duration_ms, len(found.customer), len(found.agent)


def test_says_what_was_written() -> None:
    found = scan(HEAD + b"".join(record for _, record in records()))
    assert found.header == header()
    assert summary(found) == (230, 12, 12)
    assert found.end_reason is StopReason.QUOTA
    (pause,) = found.pauses
    assert pause == Pause(125, 777, HEAD_TO_PAUSE)
    assert found.damaged_bytes == 0
    assert found.valid_bytes == len(found.content)


def test_torn_at_any_byte_keeps_every_whole_record_before_the_tear() -> None:
    content = HEAD + b"".join(record for _, record in records())
    for size in range(len(HEAD), len(content) + 1):
        found = scan(content[:size])
        end, position, packets = len(HEAD), 0, 0
        for at, record in records():
            if end + len(record) > size:
                break
            end += len(record)
            position = at
            packets += record[2] in (Kind.CUSTOMER, Kind.AGENT)
        assert found.valid_bytes == end
        assert found.duration_ms == position
        assert len(found.customer) + len(found.agent) == packets
        assert (found.end_reason is not None) == (size == len(content))


def test_a_tear_within_the_header_is_named() -> None:
    for size in range(len(HEAD)):
        with pytest.raises(HeaderTorn):
            decode_header(HEAD[:size])


@pytest.mark.parametrize("tail", [b"\x00" * 5000, b"\xff" * 5000, bytes(range(256)) * 20])
def test_what_a_power_loss_leaves_behind_is_no_record(tail: bytes) -> None:
    whole = [record for _, record in records()[:-1]]
    found = scan(HEAD + b"".join(whole) + tail)
    assert found.valid_bytes == len(HEAD) + sum(map(len, whole))
    assert found.duration_ms == 230


def test_records_of_another_file_are_not_taken_for_its_own() -> None:
    other = encode_header(header("call-2"))
    stale = clock_record(9_999_999, seed=record_seed(other))
    found = scan(HEAD + clock_record(200, seed=SEED) + stale)
    assert found.duration_ms == 200


@given(st.data())
def test_damage_in_the_middle_costs_only_what_it_hit(data: st.DataObject) -> None:
    whole = [record for _, record in records()]
    content = bytearray(HEAD + b"".join(whole))
    start = data.draw(st.integers(len(HEAD), len(content) - 1))
    for index in range(start, min(len(content), start + data.draw(st.integers(1, 40)))):
        content[index] ^= data.draw(st.integers(1, 255))
    stop = index + 1
    found = scan(bytes(content))
    lost = 0
    place = len(HEAD)
    for record in whole:
        is_packet = record[2] in (Kind.CUSTOMER, Kind.AGENT)
        lost += is_packet and place < stop and place + len(record) > start
        place += len(record)
    assert len(found.customer) + len(found.agent) == 24 - lost


@given(st.binary(max_size=400))
def test_any_bytes_are_a_capture_or_a_clear_refusal(content: bytes) -> None:
    with pytest.raises(NotACapture):
        scan(content)


@given(st.binary(max_size=2000))
def test_any_bytes_behind_a_header_are_survived(content: bytes) -> None:
    assert scan(HEAD + content).duration_ms == 0


def test_a_newer_version_is_refused_and_named() -> None:
    newer = bytearray(HEAD)
    newer[len(MAGIC)] = 9
    with pytest.raises(UnknownVersion, match="version 9"):
        decode_header(bytes(newer))


def test_a_damaged_header_is_refused() -> None:
    for index in range(LEAD.size, len(HEAD)):
        bad = bytearray(HEAD)
        bad[index] ^= 0x40
        with pytest.raises(NotACapture):
            decode_header(bytes(bad))


@pytest.mark.parametrize(
    "body",
    [
        {"capture_id": "../../etc/passwd"},
        {"capture_id": "a", "segment": -1},
        {"capture_id": "a", "segment": 0, "started_unix_ms": "soon"},
        ["not", "an", "object"],
    ],
)
def test_a_header_that_makes_no_sense_is_refused(body: object) -> None:
    text = json.dumps(body).encode()
    lead = LEAD.pack(MAGIC, 1, len(text)) + text
    with pytest.raises(NotACapture):
        decode_header(lead + CRC.pack(zlib.crc32(lead)))
