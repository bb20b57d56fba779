"""Ogg pages written and read: strict about every byte, at ease with other people's files."""

import contextlib
import io
import subprocess
import wave
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from media.assemble import assemble
from media.ogg import OggWriter, PageFlag, lacing, page_crc
from media.ogg_opus import OpusHead, decode_head, encode_tags, two_mono_streams
from media.ogg_reader import BadOgg, OpusReader, read_pages, stream_packets
from tests.media_capture.audio import AGENT, CUSTOMER, CaptureMaker, encode, speech


def slow_crc(page: bytes) -> int:
    """RFC 3533 section 6, bit by bit."""
    crc = 0
    for value in page:
        crc ^= value << 24
        for _ in range(8):
            crc = (crc << 1) ^ (0x04C11DB7 if crc & 0x80000000 else 0)
            crc &= 0xFFFFFFFF
    return crc


@given(st.binary(max_size=500))
def test_the_check_sum_is_the_one_of_the_specification(page: bytes) -> None:
    assert page_crc(page) == slow_crc(page)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[bytes, list[bytes], list[bytes]]:
    """An assembled file of 3.21 s and the packets of agent and customer in it."""
    directory = tmp_path_factory.mktemp("made")
    agent, customer = encode(speech(3.3, 1)), encode(speech(3.3, 2))
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, customer)
    assemble([maker.write(directory, 3_210)], directory / "out.ogg")
    return (directory / "out.ogg").read_bytes(), agent, customer


def read(content: bytes) -> OpusReader:
    reader = OpusReader(io.BytesIO(content))
    for _ in reader.packets():
        pass
    return reader


def test_what_is_written_is_read(made: tuple[bytes, list[bytes], list[bytes]]) -> None:
    content, agent, customer = made
    reader = OpusReader(io.BytesIO(content))
    packets = [stream_packets(each.content, 2) for each in reader.packets()]
    assert reader.head == two_mono_streams(960)
    assert reader.tags == ("callgate",)
    assert reader.samples == 3_210 * 48
    assert [left for left, _ in packets[1:]] == agent[:161]
    assert [right for _, right in packets[1:]] == customer[:161]


def test_every_damaged_byte_is_noticed(made: tuple[bytes, list[bytes], list[bytes]]) -> None:
    content = made[0][:2_000]
    for index in range(len(content)):
        bad = bytearray(content)
        bad[index] ^= 1 + index % 255
        with pytest.raises(BadOgg):
            read(bytes(bad))


def test_every_missing_tail_is_noticed(made: tuple[bytes, list[bytes], list[bytes]]) -> None:
    content = made[0]
    for size in range(0, len(content), 37):
        with pytest.raises(BadOgg):
            read(content[:size])


@given(st.binary(max_size=600))
def test_any_bytes_are_refused_and_nothing_worse(content: bytes) -> None:
    with pytest.raises(BadOgg):
        read(content)
    with pytest.raises(BadOgg):
        read(b"OggS\x00\x02" + content)


@given(st.data())
def test_a_valid_page_with_any_content_is_refused_cleanly(data: st.DataObject) -> None:
    """Check sums that fit: what remains is what the parser makes of nonsense."""
    sink = io.BytesIO()
    writer = OggWriter(sink, data.draw(st.integers(0, 3)))
    starts = [two_mono_streams(960).encode(), encode_tags("x"), b""]
    for number in range(data.draw(st.integers(1, 4))):
        start = starts[min(number, 2)] if data.draw(st.booleans()) else b""
        packet = (start + data.draw(st.binary(max_size=80)))[: data.draw(st.integers(0, 90))]
        flags = PageFlag(data.draw(st.sampled_from([2 if number == 0 else 0, 0, 1, 2, 4])))
        granule = data.draw(st.sampled_from([-1, 0, 960, 1920, 2**62]))
        writer.write_page([packet], lacing(len(packet)), granule, flags)
    with contextlib.suppress(BadOgg):
        read(sink.getvalue())


def test_two_files_in_one_are_refused(made: tuple[bytes, list[bytes], list[bytes]]) -> None:
    with pytest.raises(BadOgg, match="follows its last page"):
        read(made[0] * 2)


def test_a_page_left_out_or_doubled_is_refused(
    made: tuple[bytes, list[bytes], list[bytes]],
) -> None:
    content = made[0]
    starts = [at for at in range(len(content)) if content.startswith(b"OggS\x00", at)]
    third, fourth = starts[3], starts[4]
    with pytest.raises(BadOgg, match="missing or doubled"):
        read(content[:third] + content[fourth:])
    with pytest.raises(BadOgg, match="missing or doubled"):
        read(content[:fourth] + content[third:])


def test_a_packet_without_end_is_refused_before_it_fills_memory() -> None:
    sink = io.BytesIO()
    writer = OggWriter(sink, 1)
    head = OpusHead(1, 312).encode()
    writer.write_page([head], lacing(len(head)), 0, PageFlag.FIRST)
    for number in range(10):
        flags = PageFlag.CONTINUED if number else PageFlag(0)
        writer.write_page([bytes(255 * 255)], b"\xff" * 255, -1, flags)
    with pytest.raises(BadOgg, match="larger than any Opus needs"):
        read(sink.getvalue())


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("frame_ms", ["20", "60"])
def test_files_of_another_program_are_read(
    tmp_path: Path, channels: int, frame_ms: str
) -> None:
    source, target = tmp_path / "in.wav", tmp_path / "out.ogg"
    pcm = speech(4.321, 3)
    with wave.open(str(source), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(pcm.repeat(channels).tobytes())
    subprocess.run(
        ["opusenc", "--quiet", "--framesize", frame_ms, str(source), str(target)],
        check=True,
        timeout=60,
    )
    reader = read(target.read_bytes())
    assert reader.samples == len(pcm)
    assert reader.head.channels == channels
    with target.open("rb") as file_:
        assert list(read_pages(file_))[-1].flags & PageFlag.LAST


@pytest.mark.parametrize(
    "packet",
    [
        b"OpusHead\x11" + bytes(10),
        b"OpusHead\x01\x03\x00\x00\x80\xbb\x00\x00\x00\x00\x00",
        b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x01",
        b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x01\x00\x00\x00\x01",
        b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\x01\x01\x01\x00\x02",
        b"OpusHead\x01\x02\x00\x00\x80\xbb\x00\x00\x00\x00\xff\x01\x01\x00\x01",
    ],
)
def test_headers_that_make_no_sense_are_refused(packet: bytes) -> None:
    with pytest.raises(ValueError, match=r"[a-z]"):
        decode_head(packet)


AUDIO = b"\x78" + bytes(20)
PageSpec = tuple[list[bytes], bytes, int, int]


def crafted(pages: list[PageSpec], *, pre_skip: int = 312) -> bytes:
    """A mono file of these pages: packets, segment table, position, flags."""
    sink = io.BytesIO()
    writer = OggWriter(sink, 7)
    for packet, flags in ((OpusHead(1, pre_skip).encode(), 2), (encode_tags("x"), 0)):
        writer.write_page([packet], lacing(len(packet)), 0, PageFlag(flags))
    for packets, table, granule, flags in pages:
        writer.write_page(packets, table, granule, PageFlag(flags))
    return sink.getvalue()


def page(granule: int, *, flags: int = 0, audio: bytes = AUDIO) -> PageSpec:
    return ([audio], lacing(len(audio)), granule, flags)


TORN = [AUDIO + bytes(234)], b"\xff"


@pytest.mark.parametrize(
    ("pages", "samples"),
    [
        ([page(960), page(1920, flags=4)], 1920 - 312),
        ([page(960), page(1500, flags=4)], 1500 - 312),
        ([page(700, flags=4)], 700 - 312),
        ([page(96_960), page(97_920, flags=4)], 1920 - 312),
        ([page(960), ([], b"", 960, 4)], 960 - 312),
        ([(*TORN, -1, 0), ([b""], b"\x00", 960, 5)], 960 - 312),
    ],
)
def test_what_the_specification_permits_is_read(pages: list[PageSpec], samples: int) -> None:
    """RFC 7845 section 4: end trimming, streams joined late, empty and continued pages."""
    assert read(crafted(pages)).samples == samples


@pytest.mark.parametrize(
    ("pages", "reason"),
    [
        ([], "last page is missing"),
        ([page(960)], "last page is missing"),
        ([page(-1, flags=4)], "has no position"),
        ([page(500), page(1460, flags=4)], "before the start"),
        ([page(960), page(900, flags=4)], "go backwards"),
        ([page(960), page(2000), page(2880, flags=4)], "does not fit"),
        ([page(960), page(9_999, flags=4)], "does not fit"),
        ([page(100, flags=4)], "shorter than what a player skips"),
        ([page(960, audio=b"\x7b\x00", flags=4)], "Opus packet is damaged"),
        ([page(960, flags=2)], "more than one stream"),
        ([page(960, flags=1)], "torn between two pages"),
        ([(*TORN, -1, 0), page(960, flags=4)], "torn between two pages"),
        ([(*TORN, -1, 4)], "ends within a packet"),
        ([page(960, flags=8)], "unknown flags"),
    ],
)
def test_what_the_specification_forbids_is_named(pages: list[PageSpec], reason: str) -> None:
    with pytest.raises(BadOgg, match=reason):
        read(crafted(pages))


def test_streams_of_unequal_length_in_a_packet_are_refused() -> None:
    sink = io.BytesIO()
    writer = OggWriter(sink, 7)
    for packet, flags in ((two_mono_streams(960).encode(), 2), (encode_tags("x"), 0)):
        writer.write_page([packet], lacing(len(packet)), 0, PageFlag(flags))
    uneven = b"\x78\x01a" + b"\x70b"
    writer.write_page([uneven], lacing(len(uneven)), 960, PageFlag.LAST)
    with pytest.raises(BadOgg, match="differ in length"):
        read(sink.getvalue())


@pytest.mark.parametrize(
    "tags", [b"OpusTag", b"OpusTags\xff", b"OpusTags\x00\x00\x00\x00\xff\xff\xff\xff"]
)
def test_comments_that_lie_about_their_size_are_refused(tags: bytes) -> None:
    sink = io.BytesIO()
    writer = OggWriter(sink, 7)
    for packet, flags in ((OpusHead(1, 312).encode(), 2), (tags, 0)):
        writer.write_page([packet], lacing(len(packet)), 0, PageFlag(flags))
    with pytest.raises(BadOgg, match="comment"):
        read(sink.getvalue())
