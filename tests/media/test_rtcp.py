"""Our RTCP reads well at a peer, and a peer's reports tell us loss and round trip."""

import random
import struct

import pytest
from aiortc.rtp import RtcpByePacket, RtcpPacket, RtcpRrPacket, RtcpSdesPacket, RtcpSrPacket

from media.relay import StreamCounters
from media.rtcp import PeerReport, Reports
from tests.conftest import Rounds

OURS = 0xAAAA0001
THEIRS = 0xBBBB0002
BEFORE = 5000.0

HEARD = StreamCounters(
    packets_in=95,
    packets_out=200,
    octets_out=8000,
    lost_in=5,
    jitter_ms=10.0,
    peer_ssrc=THEIRS,
    highest_sequence=65536 + 99,
    expected_in=100,
    received_in=95,
    send_timestamp=123456,
)


def test_before_anything_was_sent_there_is_a_receiver_report() -> None:
    packets = RtcpPacket.parse(Reports(OURS, "callgate").compose(StreamCounters(), BEFORE))
    receiver, description = packets
    assert isinstance(receiver, RtcpRrPacket)
    assert isinstance(description, RtcpSdesPacket)
    assert receiver.ssrc == OURS
    assert receiver.reports == []


def test_a_compound_packet_is_sender_report_description_and_bye() -> None:
    compound = Reports(OURS, "callgate").compose(HEARD, BEFORE, bye=True)
    sender, description, bye = RtcpPacket.parse(compound)
    assert isinstance(sender, RtcpSrPacket)
    assert isinstance(description, RtcpSdesPacket)
    assert isinstance(bye, RtcpByePacket)
    assert sender.ssrc == OURS
    assert sender.sender_info.rtp_timestamp == 123456
    assert sender.sender_info.packet_count == 200
    assert sender.sender_info.octet_count == 8000
    assert description.chunks[0].items == [(1, b"callgate")]
    assert bye.sources == [OURS]
    (block,) = sender.reports
    assert block.ssrc == THEIRS
    assert block.packets_lost == 5
    assert block.fraction_lost == 5 * 256 // 100
    assert block.highest_sequence == 65536 + 99
    assert block.jitter == 480


def test_the_fraction_lost_is_that_since_the_last_report() -> None:
    reports = Reports(OURS, "callgate")
    reports.compose(HEARD, BEFORE)
    later = StreamCounters(
        packets_out=1, peer_ssrc=THEIRS, lost_in=30, expected_in=200, received_in=170
    )
    (sender, _) = RtcpPacket.parse(reports.compose(later, BEFORE + 5))
    assert isinstance(sender, RtcpSrPacket)
    assert sender.reports[0].fraction_lost == 25 * 256 // 100


def exchange(trip_s: float, pause_s: float) -> PeerReport:
    """We report, the peer reports back after a pause, over a path of that round trip."""
    ours, theirs = Reports(OURS, "callgate"), Reports(THEIRS, "peer")
    theirs.read(ours.compose(HEARD, BEFORE), BEFORE + trip_s / 2)
    counters = StreamCounters(packets_out=1, peer_ssrc=OURS, lost_in=7, expected_in=50)
    sent_at = BEFORE + trip_s / 2 + pause_s
    report = ours.read(theirs.compose(counters, sent_at), sent_at + trip_s / 2)
    assert report is not None
    return report


@pytest.mark.parametrize("trip_s", [0.0, 0.02, 0.35])
def test_the_round_trip_is_measured(trip_s: float) -> None:
    report = exchange(trip_s, pause_s=3.0)
    assert report.round_trip_s == pytest.approx(trip_s, abs=0.002)
    assert report.remote_lost == 7
    assert not report.is_bye


def test_a_report_about_somebody_else_says_nothing_about_us() -> None:
    other = StreamCounters(packets_out=1, peer_ssrc=0xCCCC, lost_in=9, expected_in=10)
    compound = Reports(THEIRS, "peer").compose(other, BEFORE)
    report = Reports(OURS, "callgate").read(compound, BEFORE)
    assert report is not None
    assert report.remote_lost is None
    assert report.round_trip_s is None


def test_a_goodbye_is_noticed() -> None:
    compound = Reports(THEIRS, "peer").compose(StreamCounters(), BEFORE, bye=True)
    report = Reports(OURS, "callgate").read(compound, BEFORE)
    assert report is not None
    assert report.is_bye


@pytest.mark.parametrize(
    "compound",
    [
        b"\x80",
        b"\x80\xc8\x00\x06" + b"\0" * 4,
        b"\x00\xc8\x00\x00",
        b"\x81\xc9\x00\x01" + b"\0" * 4,
        struct.pack("!BBH", 0x9F, 200, 6) + b"\0" * 24,
    ],
)
def test_a_malformed_packet_is_refused(compound: bytes) -> None:
    assert Reports(OURS, "callgate").read(compound, BEFORE) is None


def test_any_damage_is_read_or_refused(rounds: Rounds, seed: int) -> None:
    chance = random.Random(seed)
    good = Reports(THEIRS, "peer").compose(HEARD, BEFORE, bye=True)
    reports = Reports(OURS, "callgate")
    for _ in range(rounds(quick=20_000, soak=2_000_000)):
        packet = bytearray(good)
        for _ in range(chance.randrange(1, 6)):
            packet[chance.randrange(len(packet))] = chance.randrange(256)
        reports.read(bytes(packet[: chance.randrange(len(packet) + 1)]), BEFORE)
