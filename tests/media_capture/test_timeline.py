"""Where frames go when clocks drift, jump, stall and catch up: exact places, no decoding."""

import random
from pathlib import Path

import numpy as np
import pytest

from media.assemble import assemble
from media.ogg_packet import packet_frames
from media.ogg_reader import OpusReader, stream_packets
from tests.conftest import Rounds
from tests.media_capture.audio import (
    AGENT,
    CUSTOMER,
    CaptureMaker,
    decode,
    encode,
    speech,
)

TOC = 0x78
HOUR_FRAMES = 180_000


def numbered(number: int) -> bytes:
    """A packet of 20 ms that carries its number."""
    return bytes((TOC,)) + number.to_bytes(4, "big") + b"frame"


def places(path: Path) -> tuple[dict[int, int], dict[int, int]]:
    """For each side: in which ms of the recording each numbered frame begins."""
    found: tuple[dict[int, int], dict[int, int]] = ({}, {})
    at = -960
    with path.open("rb") as file:
        for packet in OpusReader(file).packets():
            for side, content in zip(found, stream_packets(packet.content, 2), strict=True):
                for frame in packet_frames(content):
                    if frame.endswith(b"frame"):
                        side[int.from_bytes(frame[:4], "big")] = at // 48
            at += packet.samples
    return found


class Sender:
    """A peer with a clock of its own, behind a network."""

    def __init__(self, ppm: float, seed: int, *, loss: float = 0.0, jitter_ms: int = 0) -> None:
        self.rate = 1 + ppm * 1e-6
        self.random = random.Random(seed)
        self.loss = loss
        self.jitter_ms = jitter_ms

    def packets(self, count: int) -> list[tuple[int, int]]:
        """Number and arrival in ms of each packet that is not lost."""
        made: list[tuple[int, int]] = []
        for number in range(count):
            if self.random.random() >= self.loss:
                late = self.random.random() ** 3 * self.jitter_ms
                made.append((number, int(number * 20 / self.rate + late)))
        return sorted(made, key=lambda each: each[1])


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_sides_stay_aligned_for_an_hour_of_drift_loss_and_jitter(
    tmp_path: Path, seed: int, rounds: Rounds
) -> None:
    """The clocks of both peers run 50 ppm fast and slow: 360 ms apart after an hour."""
    for turn in range(rounds(quick=1, soak=10)):
        maker = CaptureMaker()
        for kind, ppm in ((AGENT, 50), (CUSTOMER, -50)):
            sender = Sender(ppm, seed + turn + kind, loss=0.02, jitter_ms=40)
            for number, at in sender.packets(HOUR_FRAMES):
                maker.packet(kind, at, number * 960 + 77, number, numbered(number))
        made = assemble([maker.write(tmp_path, 3_600_000)], tmp_path / "hour.ogg")
        agent, customer = places(tmp_path / "hour.ogg")
        agent_off = np.array([at - n * 20 / (1 + 50e-6) for n, at in agent.items()])
        customer_off = np.array([at - n * 20 / (1 - 50e-6) for n, at in customer.items()])
        for off in (agent_off, customer_off):
            assert np.abs(off).max() <= 20
        assert (
            max(agent_off.max(), customer_off.max()) - min(agent_off.min(), customer_off.min())
            <= 40
        )
        lost = made.agent.lost + made.customer.lost
        left_out = made.agent.overlapping + made.customer.overlapping
        assert left_out <= 10
        assert len(agent) + len(customer) >= 2 * HOUR_FRAMES - lost - left_out - 12


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_speech_is_still_aligned_by_ear(tmp_path: Path, seed: int, rounds: Rounds) -> None:
    """The same by correlation of what libopus decodes here and there."""
    minutes = rounds(quick=10, soak=60)
    phrase = encode(speech(20, 11), application="lowdelay", bit_rate="64000")
    maker = CaptureMaker()
    for kind, ppm in ((AGENT, 50), (CUSTOMER, -50)):
        for number, at in Sender(ppm, seed, loss=0.02).packets(minutes * 3_000):
            maker.packet(kind, at, number * 960, number, phrase[number % len(phrase)])
    assemble([maker.write(tmp_path, minutes * 60_000)], tmp_path / "hour.ogg")
    with (tmp_path / "hour.ogg").open("rb") as file:
        made = [stream_packets(packet.content, 2) for packet in OpusReader(file).packets()][1:]
    clean = decode(phrase).astype(np.float64)
    for minute in (1, minutes // 3, 2 * minutes // 3, minutes - 1):
        first = minute * 3_000
        for side, ppm in ((0, 50), (1, -50)):
            heard = decode(pair[side] for pair in made[first : first + 1_000])
            spoken_ms = minute * 60_000 * (1 + ppm * 1e-6) % 20_000
            spectrum = np.fft.rfft(clean) * np.conj(np.fft.rfft(heard.astype(np.float64)))
            found_ms = int(np.argmax(np.fft.irfft(spectrum, len(clean)))) / 48
            off = (found_ms - spoken_ms + 10_000) % 20_000 - 10_000
            assert abs(off) <= 20, (minute, side, off)


def test_a_stalled_network_that_catches_up_loses_nothing(tmp_path: Path) -> None:
    """Packets of 3 s arrive at once; their timestamps say when they were spoken."""
    maker = CaptureMaker()
    for number in range(1_000):
        at = number * 20
        if 10_000 <= at < 13_000:
            at = 13_000
        maker.packet(CUSTOMER, at, number * 960, number, numbered(number))
        maker.packet(AGENT, number * 20, number * 960, number, numbered(number))
    assemble([maker.write(tmp_path, 20_000)], tmp_path / "o.ogg")
    agent, customer = places(tmp_path / "o.ogg")
    assert customer == agent == {number: number * 20 for number in range(1_000)}


def test_a_stream_that_runs_ahead_is_heard_whole_and_put_in_time_again(tmp_path: Path) -> None:
    """After a stall filled with other frames, 25 frames come at once with later timestamps."""
    maker = CaptureMaker()
    at = number = 0
    while at < 40_000:
        maker.packet(AGENT, at, number * 960, number, numbered(number))
        number += 1
        if not (10_000 <= at < 10_020 and number < 525):
            at += 20
    made = assemble([maker.write(tmp_path, 40_000)], tmp_path / "o.ogg")
    agent, _ = places(tmp_path / "o.ogg")
    burst = [number for number in range(501, 526) if number in agent]
    assert len(burst) >= 22
    assert all(agent[number] == number * 20 for number in range(500))
    late = [agent[n] - (n - 24) * 20 for n in range(530, number) if n in agent]
    assert 300 <= max(late) <= 500
    assert abs(late[-1]) <= 20
    assert made.agent.overlapping <= 26


def test_silence_lets_a_late_side_catch_up(tmp_path: Path) -> None:
    maker = CaptureMaker()
    at = number = 0
    while at < 20_000:
        if not 12_000 <= at < 13_000:
            maker.packet(AGENT, at, number * 960, number, numbered(number))
        number += 1
        if not (10_000 <= at < 10_020 and number < 525):
            at += 20
    assemble([maker.write(tmp_path, 20_000)], tmp_path / "o.ogg")
    agent, _ = places(tmp_path / "o.ogg")
    assert all(abs(agent[n] - (n - 24) * 20) <= 20 for n in range(680, number))


def test_timestamps_off_the_grid_are_put_on_it(tmp_path: Path) -> None:
    """After each pause of speech the sender's timestamps go on with another remainder."""
    maker = CaptureMaker()
    shift = 0
    for number in range(500):
        if number % 50 == 0:
            shift += 333
        maker.packet(CUSTOMER, number * 20 + shift // 48, number * 960 + shift, number,
                     numbered(number))  # fmt: skip
    assemble([maker.write(tmp_path, 10_100)], tmp_path / "o.ogg")
    _, customer = places(tmp_path / "o.ogg")
    assert len(customer) >= 495
    for number, at in customer.items():
        assert abs(at - (number * 20 + (number // 50 + 1) * 333 / 48)) <= 20


def test_any_mess_of_packets_becomes_a_valid_file(tmp_path: Path, seed: int) -> None:
    chaos = random.Random(seed)
    for turn in range(30):
        maker = CaptureMaker()
        for _ in range(chaos.randrange(1, 400)):
            payload = chaos.choice(
                [
                    numbered(chaos.getrandbits(32)),
                    bytes((chaos.getrandbits(8),)) + chaos.randbytes(chaos.randrange(60)),
                    bytes((chaos.getrandbits(8) | 3, chaos.getrandbits(8))),
                ]
            )
            maker.packet(
                chaos.choice((AGENT, CUSTOMER)),
                chaos.randrange(5_000),
                chaos.choice((chaos.getrandbits(32), chaos.randrange(5_000) * 48)),
                chaos.getrandbits(16),
                payload,
            )
        duration_ms = chaos.randrange(1, 5_001)
        made = assemble([maker.write(tmp_path, duration_ms)], tmp_path / f"{turn}.ogg")
        with (tmp_path / f"{turn}.ogg").open("rb") as file:
            reader = OpusReader(file)
            assert sum(packet.samples for packet in reader.packets()) >= made.samples + 960
            assert reader.samples == made.samples == duration_ms * 48
