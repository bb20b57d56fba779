"""Opus packets taken apart and put together again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.ogg_packet import (
    FRAME_SAMPLES,
    LENGTHS,
    BadPacket,
    frame_samples,
    join_frames,
    packet_frames,
    packet_samples,
    split_delimited,
)
from tests.media_capture.audio import encode, speech

frames = st.binary(max_size=1275)


def test_frame_lengths_follow_the_specification() -> None:
    """RFC 6716 section 3.1, table 2."""
    silk, hybrid, celt = (480, 960, 1920, 2880), (480, 960), (120, 240, 480, 960)
    assert silk * 3 + hybrid * 2 + celt * 4 == FRAME_SAMPLES
    assert frame_samples(0x78) == 960


@given(st.integers(0, 63).map(lambda top: top << 2), st.lists(frames, min_size=1, max_size=6))
def test_frames_joined_come_apart_again(toc: int, parts: list[bytes]) -> None:
    if len(parts) * frame_samples(toc) > 5760:
        parts = parts[:1]
    packet = join_frames(toc, parts, delimited=False)
    assert packet_frames(packet) == parts
    assert packet_samples(packet) == len(parts) * frame_samples(toc)


@given(
    st.integers(0, 63).map(lambda top: top << 2),
    st.lists(frames, min_size=1, max_size=6),
    st.binary(max_size=50),
)
def test_a_delimited_packet_tells_what_follows_it(
    toc: int, parts: list[bytes], rest: bytes
) -> None:
    if len(parts) * frame_samples(toc) > 5760:
        parts = parts[:1]
    delimited = join_frames(toc, parts, delimited=True)
    assert split_delimited(delimited + rest) == (
        join_frames(toc, parts, delimited=False),
        rest,
    )


@given(st.binary(max_size=300))
def test_any_bytes_are_a_packet_or_a_refusal(content: bytes) -> None:
    try:
        parts = packet_frames(content)
    except BadPacket:
        pass
    else:
        assert len(parts) * frame_samples(content[0]) <= 5760
    try:
        packet, rest = split_delimited(content)
    except BadPacket:
        pass
    else:
        assert packet_frames(packet)
        assert content.endswith(rest)


@pytest.mark.parametrize(
    "packet",
    [
        b"",
        b"\x7b",  # code 3 without a count
        b"\x7b\x00",  # no frame
        b"\x7b\x07abcdefg",  # 7 frames of 20 ms are more than 120 ms
        b"\x79abc",  # two equal frames of 3 bytes
        b"\x7a",  # code 2 without a length
        b"\x7a\x05abc",  # a frame longer than the packet
        b"\x7a\xfc",  # half a length
        b"\x7b\x41",  # padded without a length
        b"\x7b\x41\x05ab",  # more padding than packet
        b"\x78" + bytes(1276),
    ],
)
def test_what_the_specification_forbids_is_refused(packet: bytes) -> None:
    """RFC 6716 section 3.4."""
    with pytest.raises(BadPacket):
        packet_frames(packet)


def test_padding_is_left_out() -> None:
    assert packet_frames(b"\x7b\x41\x03abXYZ") == [b"ab"]
    assert packet_frames(b"\x7b\xc2\x02\x01abcXY") == [b"a", b"bc"]
    long_padding = b"\x7b\x41\xff\x01" + b"ab" + bytes(255)
    assert packet_frames(long_padding) == [b"ab"]


def test_lengths_are_written_as_they_are_read() -> None:
    for size in range(1276):
        packet = b"\x7a" + LENGTHS[size] + bytes(size) + b"z"
        assert [len(frame) for frame in packet_frames(packet)] == [size, 1]


@pytest.mark.parametrize("frame_ms", [2.5, 5, 10, 20, 40, 60])
def test_packets_of_a_real_encoder_are_understood(frame_ms: float) -> None:
    packets = encode(speech(1, 1), frame_ms=frame_ms)
    assert {packet_samples(packet) for packet in packets} == {round(frame_ms * 48)}
