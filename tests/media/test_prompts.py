"""The comfort noise is what it should be when a peer decodes it."""

import av
import numpy as np

from media.hold_tune import compose, load_hold_tune
from media.prompts import COMFORT_LEVEL_DBFS, make_comfort_noise
from tests.media_capture.audio import decode


def test_comfort_noise_is_faint_mono_wideband_in_frames_of_20_ms() -> None:
    frames = make_comfort_noise().frames
    assert len(frames) >= 50
    assert max(map(len, frames)) < 80
    # The first byte tells SILK or hybrid mode, 20 ms, mono, one frame (RFC 6716 section 3.1).
    assert all(frame[0] & 0x07 == 0 for frame in frames)
    decoder = av.CodecContext.create("libopus", "r")
    decoder.sample_rate = 48000
    decoder.layout = "mono"
    parts = []
    for _ in range(2):
        for frame in frames:
            for decoded in decoder.decode(av.Packet(frame)):
                assert isinstance(decoded, av.AudioFrame)
                assert decoded.samples == 960
                parts.append(decoded.to_ndarray().astype(np.float64).reshape(-1))
    samples = np.concatenate(parts)[48000:]
    if np.abs(samples).max() > 1.0:
        samples /= 32768
    level = 20 * np.log10(np.sqrt(np.mean(samples**2)))
    assert abs(level - COMFORT_LEVEL_DBFS) < 6
    # No click where the round begins again.
    assert np.abs(samples).max() < 10 ** ((COMFORT_LEVEL_DBFS + 20) / 20)


def test_the_tune_of_a_held_line_is_soft_and_ends_where_it_begins() -> None:
    frames = load_hold_tune().frames
    assert 8 < len(frames) / 50 < 30
    assert all(frame[0] & 0x07 == 0 for frame in frames)
    assert sum(map(len, frames)) < 60_000
    heard = decode(frames).astype(np.float64) / 32_768
    level = 20 * np.log10(np.sqrt(np.mean(heard**2)))
    assert -40 < level < -20
    for edge in (heard[:240], heard[-4_800:]):
        assert np.abs(edge).max() < 0.02


def test_the_tune_is_the_one_that_the_program_composes() -> None:
    composed = np.array(compose(), dtype=np.float64)
    heard = decode(load_hold_tune().frames).astype(np.float64)
    assert len(heard) == len(composed)
    late = heard[312 : 312 + 10 * 48_000]
    assert np.corrcoef(late, composed[: len(late)])[0, 1] > 0.8


def test_comfort_noise_is_the_same_in_every_process() -> None:
    assert make_comfort_noise() == make_comfort_noise()
