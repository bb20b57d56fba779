"""Assembled files, decoded by libopus, ffmpeg's own decoder and ours, against what went in."""

import hashlib
import json
import os
import subprocess
import sys
import wave
from functools import partial
from itertools import cycle
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.assemble import assemble
from media.capture_files import create_locked
from media.ogg_packet import join_frames, packet_frames
from media.ogg_reader import OpusReader, stream_packets
from media.one_shot import NotMade
from tests.media_capture.audio import (
    AGENT,
    CUSTOMER,
    CaptureMaker,
    Samples,
    decode,
    encode,
    ffmpeg_decode,
    speech,
)

silk_encode = partial(encode, bit_rate="8000")
"""The mode that alone has frames of 40 and 60 ms."""
celt_encode = partial(encode, application="lowdelay", bit_rate="96000")
"""The mode that alone has frames below 10 ms."""


def decode_file(path: Path) -> Samples:
    """By the libopus that also decodes the single legs; columns are left and right."""
    with av.open(str(path)) as container:
        stream = container.streams.audio[0]
        decoder = av.CodecContext.create("libopus", "r")
        assert isinstance(decoder, av.AudioCodecContext)
        decoder.extradata = stream.codec_context.extradata
        decoder.layout = "stereo"
        decoder.sample_rate = 48_000
        decoder.open()
        parts = [
            frame.to_ndarray().reshape(-1, 2)
            for packet in container.demux(stream)
            if packet.size
            for frame in decoder.decode(packet)
        ]
    whole: Samples = np.concatenate(parts)
    assert len(whole) == samples_of(path)
    return whole


def samples_of(path: Path) -> int:
    with path.open("rb") as file:
        reader = OpusReader(file)
        for _ in reader.packets():
            pass
        return reader.samples


def windows(path: Path) -> list[tuple[bytes, bytes, int]]:
    """Left packet, right packet and samples of each window after the leading one."""
    with path.open("rb") as file:
        reader = OpusReader(file)
        made = [
            (stream_packets(packet.content, 2), packet.samples) for packet in reader.packets()
        ]
    return [(left, right, samples) for (left, right), samples in made[1:]]


@pytest.fixture(scope="module")
def agent() -> list[bytes]:
    return encode(speech(12, 1))


@pytest.fixture(scope="module")
def customer() -> list[bytes]:
    return encode(speech(12, 2))


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "call.ogg"


def loudness(part: Samples) -> float:
    return float(np.sqrt(np.mean(part.astype(np.float64) ** 2)))


def test_clean_input_comes_out_bit_by_bit(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, customer)
    made = assemble([maker.write(tmp_path, 12_000)], out)
    heard = decode_file(out)
    assert made.samples == len(heard) == 12 * 48_000
    assert np.array_equal(heard[:, 0], decode(agent))
    assert np.array_equal(heard[:, 1], decode(customer))
    assert made.agent.silent_ms == made.customer.silent_ms == 0
    assert made.sha256 == hashlib.sha256(out.read_bytes()).hexdigest()
    assert made.bytes == out.stat().st_size


@pytest.mark.parametrize("bit_rate", ["8000", "16000", "64000"])
@pytest.mark.parametrize("application", ["voip", "audio", "lowdelay"])
def test_every_mode_comes_out_bit_by_bit(
    application: str, bit_rate: str, tmp_path: Path, out: Path
) -> None:
    """SILK, hybrid and CELT, and what switches between them."""
    left = encode(speech(2, 5), application=application, bit_rate=bit_rate)
    right = encode(speech(2, 6), application="audio", bit_rate="24000")
    maker = CaptureMaker()
    maker.side(AGENT, left)
    maker.side(CUSTOMER, right)
    assemble([maker.write(tmp_path, 2_000)], out)
    heard = decode_file(out)
    assert np.array_equal(heard[:, 0], decode(left))
    assert np.array_equal(heard[:, 1], decode(right))


@pytest.mark.parametrize("decoder", ["libopus", "opus"])
def test_other_decoders_hear_two_sides_of_the_right_length(
    decoder: str, agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, [*customer[:200], *[None] * 150, *customer[350:]])
    assemble([maker.write(tmp_path, 11_987)], out)
    heard = ffmpeg_decode(out, decoder=decoder)
    assert len(heard) == 11_987 * 48
    expected = decode(agent)[: len(heard)]
    assert np.corrcoef(heard[:, 0], expected)[0, 1] > (0.99999 if decoder == "libopus" else 0.9)
    assert loudness(heard[4_000 * 48 + 9_600 : 6_900 * 48, 1]) < 2


@settings(max_examples=15)
@given(duration_ms=st.integers(1, 2_500))
def test_the_length_is_right_to_the_sample(
    duration_ms: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("cut")
    left = encode(speech(2.6, 7))
    maker = CaptureMaker()
    maker.side(AGENT, left)
    maker.side(CUSTOMER, left)
    made = assemble([maker.write(directory, duration_ms)], directory / "o.ogg")
    heard = decode_file(directory / "o.ogg")
    assert made.duration_ms == duration_ms
    assert len(heard) == made.samples == duration_ms * 48
    assert np.array_equal(heard[:, 1], decode(left)[: len(heard)])


def test_a_side_that_starts_late_is_silent_until_then(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent[:400], begin_ms=1_500)
    maker.side(CUSTOMER, customer)
    assemble([maker.write(tmp_path, 9_500)], out)
    heard = decode_file(out)
    assert not heard[: 1_500 * 48, 0].any()
    assert np.array_equal(heard[1_500 * 48 :, 0], decode(agent[:400]))


def test_a_side_that_never_speaks_is_silent(
    agent: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    made = assemble([maker.write(tmp_path, 12_000)], out)
    heard = decode_file(out)
    assert np.array_equal(heard[:, 0], decode(agent))
    assert not heard[:, 1].any()
    assert made.customer.packets == 0


def test_nobody_speaking_is_a_silent_recording(tmp_path: Path, out: Path) -> None:
    made = assemble([CaptureMaker().write(tmp_path, 4_321)], out)
    assert made.samples == 4_321 * 48
    assert not decode_file(out).any()
    assert len(ffmpeg_decode(out)) == made.samples


def test_a_mute_is_silence_between_two_halves_in_their_place(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, [*customer[:100], *[None] * 350, *customer[450:]])
    made = assemble([maker.write(tmp_path, 12_000)], out)
    heard = decode_file(out)
    right, alone = heard[:, 1], decode(customer)
    assert np.array_equal(right[: 2_000 * 48], alone[: 2_000 * 48])
    assert loudness(right[2_300 * 48 : 9_000 * 48]) < 1
    tail = slice(9_100 * 48, None)
    assert np.corrcoef(right[tail], alone[tail])[0, 1] > 0.999
    assert made.customer.lost == 350
    assert made.customer.concealed_ms == 100
    assert made.customer.silent_ms == 6_900


def test_a_mute_that_stops_the_senders_clock_moves_nothing(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    """The timestamps go on where they stopped, 7 s later."""
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, customer[:100])
    maker.side(
        CUSTOMER, customer[100:250], begin_ms=9_000, timestamp=5_000 + 96_000, sequence=200
    )
    assemble([maker.write(tmp_path, 12_000)], out)
    right = decode_file(out)[:, 1]
    assert loudness(right[2_300 * 48 : 8_900 * 48]) < 1
    alone = decode(customer)[2_000 * 48 :]
    assert np.corrcoef(right[9_200 * 48 :], alone[200 * 48 : 3_000 * 48])[0, 1] > 0.99


def test_loss_is_concealed_and_moves_nothing(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    lossy: list[bytes | None] = list(customer)
    for index in range(25, 600, 25):
        lossy[index] = None
    lossy[200:203] = [None] * 3
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, lossy)
    made = assemble([maker.write(tmp_path, 12_000)], out)
    heard = decode_file(out)
    assert np.array_equal(heard[:, 0], decode(agent))
    toc_only = [bytes((packet[0],)) if packet else None for packet in lossy]
    expected: list[bytes] = []
    for packet, index in zip(lossy, range(len(lossy)), strict=True):
        expected.append(packet or expected[-1][:1])
        assert toc_only[index] is None or expected[-1]
    assert np.array_equal(heard[:, 1], decode(expected))
    assert made.customer.lost == 26 - 1
    assert made.customer.silent_ms == 0


def test_reordered_and_doubled_packets_find_their_place(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    for index, packet in enumerate(customer):
        late = 65 if index % 7 == 3 and index < 590 else 0
        maker.packet(CUSTOMER, index * 20 + late, index * 960, index, packet)
        if index % 5 == 0:
            maker.packet(CUSTOMER, min(index * 20 + 900, 11_999), index * 960, index, packet)
    made = assemble([maker.write(tmp_path, 12_000)], out)
    assert np.array_equal(decode_file(out)[:, 1], decode(customer))
    assert made.customer.doubled == 120


def test_counters_that_wrap_leave_no_mark(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent, timestamp=2**32 - 96_000, sequence=65_500)
    maker.side(CUSTOMER, customer, timestamp=2**31 - 48_000, sequence=32_700)
    made = assemble([maker.write(tmp_path, 12_000)], out)
    heard = decode_file(out)
    assert np.array_equal(heard[:, 0], decode(agent))
    assert np.array_equal(heard[:, 1], decode(customer))
    assert made.agent.lost == made.customer.lost == 0


def test_a_new_stream_of_the_peer_goes_on_in_its_time(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    """Another SSRC: sequence and timestamp start anywhere."""
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, customer[:200], timestamp=4_000_000_000, sequence=9)
    maker.side(CUSTOMER, customer[200:], begin_ms=4_000, timestamp=77, sequence=40_000)
    assemble([maker.write(tmp_path, 12_000)], out)
    assert np.array_equal(decode_file(out)[:, 1], decode(customer))


def test_a_pause_is_taken_out_and_both_sides_stay_together(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    """5 s of real time are missing; RTP clocks went on meanwhile."""
    maker = CaptureMaker()
    for kind, packets in ((AGENT, agent), (CUSTOMER, customer)):
        maker.side(kind, packets[:200])
        maker.side(
            kind, packets[200:], begin_ms=4_000, timestamp=5_000 + 9_000 * 48, sequence=550
        )
    maker.pause(4_000, 5_000)
    made = assemble([maker.write(tmp_path, 12_000)], out)
    heard = decode_file(out)
    assert np.array_equal(heard[:, 0], decode(agent))
    assert np.array_equal(heard[:, 1], decode(customer))
    assert made.segments[0].pauses == ((4_000, 5_000),)


def test_segments_follow_each_other_without_a_seam(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    """The first one is cut within a frame, where the minutes ran out."""
    paths = []
    for segment, (begin, length) in enumerate(((0, 3_333), (5_000, 2_000), (9_000, 1_507))):
        maker = CaptureMaker(segment=segment, offset_ms=begin)
        frames = slice(begin // 20, (begin + length) // 20 + 1)
        maker.side(AGENT, agent[frames], timestamp=5_000 + begin * 48)
        maker.side(CUSTOMER, customer[frames], timestamp=5_000 + begin * 48)
        paths.append(maker.write(tmp_path, length))
    made = assemble(paths[::-1], out)
    assert [(each.segment, each.begins_ms) for each in made.segments] == [
        (0, 0),
        (1, 3_333),
        (2, 5_333),
    ]
    assert [each.offset_ms for each in made.segments] == [0, 5_000, 9_000]
    heard = decode_file(out)
    assert len(heard) == made.samples == (3_333 + 2_000 + 1_507) * 48
    alone = decode(customer)
    assert np.array_equal(heard[: 3_320 * 48, 1], alone[: 3_320 * 48])
    second = heard[3_500 * 48 : 5_300 * 48, 1]
    lag = best_lag(second, alone[5_000 * 48 :], near=167 * 48)
    assert abs(lag - 167 * 48) <= 10 * 48


def best_lag(part: Samples, whole: Samples, *, near: int, reach: int = 4_800) -> int:
    """Where in `whole` the part is found best, looked for around `near`."""
    begin = max(0, near - reach)
    window = whole[begin : near + reach + len(part)].astype(np.float64)
    size = 1 << (len(window) + len(part)).bit_length()
    spectrum = np.fft.rfft(window, size) * np.conj(np.fft.rfft(part.astype(np.float64), size))
    found = np.fft.irfft(spectrum, size)[: len(window) - len(part) + 1]
    return begin + int(np.argmax(found))


def encode_dtx(pcm: Samples, directory: Path) -> list[bytes]:
    """By opusenc, told to use DTX (control 4016 of libopus)."""
    source, target = directory / "dtx.wav", directory / "dtx.ogg"
    with wave.open(str(source), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(pcm.tobytes())
    order = ["opusenc", "--quiet", "--speech", "--bitrate", "16", "--set-ctl-int", "4016=1"]
    subprocess.run([*order, str(source), str(target)], check=True, timeout=60)
    with target.open("rb") as ogg:
        return [packet.content for packet in OpusReader(ogg).packets()]


def test_a_sender_that_pauses_leaves_its_noise_to_the_decoder(
    agent: list[bytes], tmp_path: Path, out: Path
) -> None:
    """DTX: one packet in 400 ms, no sequence number missing."""
    quiet = np.concatenate((speech(1, 1), np.zeros(96_000, dtype=np.int16), speech(1, 2)))
    packets = encode_dtx(quiet, tmp_path)[:200]
    sent = [index for index, packet in enumerate(packets) if len(packet) > 2]
    assert len(sent) < 150
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    for sequence, index in enumerate(sent):
        maker.packet(CUSTOMER, index * 20, index * 960, sequence, packets[index])
    made = assemble([maker.write(tmp_path, 4_000)], out)
    right = decode_file(out)[:, 1]
    alone = decode(packets)
    assert made.customer.lost == made.customer.silent_ms == 0
    assert np.corrcoef(right, alone)[0, 1] > 0.999


@pytest.mark.parametrize(
    ("left_ms", "right_ms"),
    [(20, 60), (60, 20), (10, 20), (40, 20), (10, 40), (40, 60), (5, 60)],
)
def test_frames_of_different_lengths_share_windows(
    left_ms: int, right_ms: int, tmp_path: Path, out: Path
) -> None:
    left = (celt_encode if left_ms < 10 else silk_encode)(speech(6, 3), frame_ms=left_ms)
    right = silk_encode(speech(6, 4), frame_ms=right_ms)
    maker = CaptureMaker()
    maker.side(AGENT, left, frame_ms=left_ms)
    maker.side(CUSTOMER, right, frame_ms=right_ms)
    made = assemble([maker.write(tmp_path, 6_000)], out)
    heard = decode_file(out)
    assert len(heard) == 6_000 * 48
    assert made.agent.overlapping == made.customer.overlapping == 0
    assert made.agent.silent_ms == made.customer.silent_ms == 0
    assert np.array_equal(heard[:, 0], decode(left))
    assert np.array_equal(heard[:, 1], decode(right))
    assert max(samples for _, _, samples in windows(out)) <= 5_760


def test_packets_of_several_frames_are_taken_apart(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    """Codes 1, 2 and 3 of 40 and 60 ms: in the file each frame has its own window again."""
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    sizes, at, sequence = cycle((2, 3, 1)), 0, 0
    while at + 3 <= len(customer):
        frames = [packet_frames(packet)[0] for packet in customer[at : at + next(sizes)]]
        tocs = {packet[0] for packet in customer[at : at + len(frames)]}
        if len(tocs) > 1:
            frames = frames[:1]
        joined = join_frames(customer[at][0], frames, delimited=False)
        maker.packet(CUSTOMER, at * 20, at * 960, sequence, joined)
        at, sequence = at + len(frames), sequence + 1
    assemble([maker.write(tmp_path, at * 20)], out)
    assert np.array_equal(decode_file(out)[:, 1], decode(customer[:at]))
    assert {samples for _, _, samples in windows(out)} == {960}


def test_a_change_of_mode_within_a_wide_window_costs_only_the_odd_frames(
    tmp_path: Path, out: Path
) -> None:
    wide = silk_encode(speech(3, 4), frame_ms=60)
    silk = silk_encode(speech(3, 3))
    celt = celt_encode(speech(3, 3))
    maker = CaptureMaker()
    maker.side(AGENT, [*silk[:76], *celt[76:]])
    maker.side(CUSTOMER, wide, frame_ms=60)
    made = assemble([maker.write(tmp_path, 3_000)], out)
    assert made.agent.overlapping == 1
    assert np.array_equal(decode_file(out)[:, 1], decode(wide))


def test_a_stereo_leg_is_kept_as_it_is(agent: list[bytes], tmp_path: Path, out: Path) -> None:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout = 48_000, "stereo"
    encoder.format = av.AudioFormat("s16")
    encoder.bit_rate = 64_000
    encoder.open()
    both = np.column_stack((speech(2, 8), speech(2, 9)))
    stereo: list[bytes] = []
    for index in range(100):
        part = both[index * 960 : (index + 1) * 960].reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="stereo")
        frame.sample_rate = 48_000
        stereo += [bytes(packet) for packet in encoder.encode(frame)]
    assert stereo[0][0] & 4
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, stereo)
    assemble([maker.write(tmp_path, 1_900)], out)
    assert np.array_equal(decode_file(out)[:, 1], decode(stereo)[: 1_900 * 48])


def test_what_is_not_opus_is_left_out_and_counted(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    for index, packet in enumerate(customer):
        bad = (b"\x7b\x00", b"\x7a\xff", b"\x79" + bytes(1_400 + 1), b"\x78" + bytes(1_400))
        content = bad[index % 4] if index % 50 == 49 else packet
        maker.packet(CUSTOMER, index * 20, index * 960, index, content)
    made = assemble([maker.write(tmp_path, 12_000)], out)
    assert made.customer.unusable == 12
    assert len(ffmpeg_decode(out)) == 12_000 * 48


def test_the_same_input_gives_the_same_bytes(
    agent: list[bytes], customer: list[bytes], tmp_path: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, customer)
    path = maker.write(tmp_path, 12_000)
    first = assemble([path], tmp_path / "1.ogg")
    second = assemble([path], tmp_path / "2.ogg")
    assert first.sha256 == second.sha256


def test_a_torn_capture_is_assembled_as_far_as_it_goes(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, customer)
    path = maker.write(tmp_path, 12_000)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    made = assemble([path], out)
    assert made.segments[0].end_reason is None
    heard = decode_file(out)
    assert len(heard) == made.duration_ms * 48
    assert np.array_equal(heard[:, 0], decode(agent)[: len(heard)])


def test_peaks_follow_the_sound_of_each_side(tmp_path: Path, out: Path) -> None:
    loud, silent = np.full(48_000, 0, dtype=np.int16), np.zeros(48_000, dtype=np.int16)
    loud[:] = np.sin(np.arange(48_000) / 48_000 * 440 * 2 * np.pi) * 26_000
    left = encode(np.concatenate((loud, silent, loud, silent)), bit_rate="64000")
    right = encode(np.concatenate((silent, silent, silent, loud)), bit_rate="64000")
    maker = CaptureMaker()
    maker.side(AGENT, left)
    maker.side(CUSTOMER, right)
    assemble([maker.write(tmp_path, 3_950)], out, peaks=tmp_path / "peaks.json")
    drawn = json.loads((tmp_path / "peaks.json").read_bytes())
    assert (drawn["per_second"], drawn["full"]) == (10, 255)
    assert len(drawn["agent"]) == len(drawn["customer"]) == 40
    assert min(drawn["agent"][1:9]) > 180
    assert max(drawn["agent"][12:19]) < 20
    assert min(drawn["agent"][21:29]) > 180
    assert max(drawn["customer"][:29]) < 20
    assert min(drawn["customer"][32:]) > 180


def run(*arguments: str | Path) -> tuple[int, dict[str, object]]:
    done = subprocess.run(
        [sys.executable, "-m", "media.assemble", *map(str, arguments)],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert not done.stderr, done.stderr
    (line,) = done.stdout.splitlines()
    return done.returncode, json.loads(line)


def test_the_command_prints_what_the_file_holds(
    agent: list[bytes], customer: list[bytes], tmp_path: Path, out: Path
) -> None:
    maker = CaptureMaker()
    maker.side(AGENT, agent)
    maker.side(CUSTOMER, customer)
    path = maker.write(tmp_path, 11_990)
    status, line = run("--out", out, "--peaks", tmp_path / "p.json", path)
    assert status == 0
    assert (line["duration_ms"], line["samples"]) == (11_990, 11_990 * 48)
    assert line["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest()
    assert line["bytes"] == out.stat().st_size
    assert line["peaks_bytes"] == (tmp_path / "p.json").stat().st_size
    assert line["capture_id"] == "call"
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "call.000.capture",
        "call.ogg",
        "p.json",
    ]


def test_errors_are_named_and_leave_nothing_behind(tmp_path: Path, out: Path) -> None:
    empty = CaptureMaker("empty").write(tmp_path, 0)
    one, other = (
        CaptureMaker("one").write(tmp_path, 50),
        CaptureMaker("two").write(tmp_path, 50),
    )
    foreign = tmp_path / "x.000.capture"
    foreign.write_bytes(b"RIFF" + bytes(100))
    newer = tmp_path / "n.000.capture"
    newer.write_bytes(one.read_bytes().replace(b"CGCAPT\r\n\x01", b"CGCAPT\r\n\x07"))
    cases = [
        ([empty], "nothing_recorded"),
        ([one, other], "foreign_capture"),
        ([one, one], "doubled_segment"),
        ([foreign], "not_a_capture"),
        ([newer], "unknown_version"),
        ([tmp_path / "none"], "no_such_file"),
        ([], "nothing_recorded"),
    ]
    for paths, code in cases:
        with pytest.raises(NotMade) as failed:
            assemble(paths, out)
        assert failed.value.code == code
    assert not list(tmp_path.glob("*.part"))
    assert not out.exists()
    status, line = run("--out", out, foreign)
    assert (status, line["error"]) == (2, "not_a_capture")


def test_a_capture_that_is_still_written_is_refused(tmp_path: Path, out: Path) -> None:
    fd = create_locked(tmp_path, "call.000.capture", CaptureMaker().content(500))
    with pytest.raises(NotMade, match="holds its lock") as failed:
        assemble([tmp_path / "call.000.capture"], out)
    assert failed.value.code == "still_written"
    os.close(fd)
    assert assemble([tmp_path / "call.000.capture"], out).duration_ms == 500


def test_a_full_disk_leaves_the_old_file_and_nothing_else(
    agent: list[bytes], tmp_path: Path, small_disk: Path
) -> None:
    long = CaptureMaker()
    long.side(AGENT, agent * 40)
    path = long.write(tmp_path, 480_000)
    out = small_disk / "call.ogg"
    out.write_bytes(b"old")
    status, line = run("--out", out, path)
    assert (status, line["error"]) == (3, "disk_full")
    assert out.read_bytes() == b"old"
    assert [each.name for each in small_disk.iterdir()] == ["call.ogg"]


def test_the_process_gives_way_to_calls_and_is_bounded() -> None:
    program = (
        "import os, resource\n"
        "from media.one_shot import limit_process\n"
        "limit_process(1 << 20)\n"
        "kinds = resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_FSIZE\n"
        "print(os.getpriority(os.PRIO_PROCESS, 0))\n"
        "print(*(resource.getrlimit(kind)[0] for kind in kinds))\n"
    )
    own = os.getpriority(os.PRIO_PROCESS, 0)
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
    )
    priority, limits = done.stdout.splitlines()
    assert int(priority) == min(own + 10, 19)
    assert all(0 < int(limit) < 1 << 40 for limit in limits.split())
