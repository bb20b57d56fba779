"""Measurements of what is heard, against sounds that are known."""

import numpy as np
import pytest

from sandbox.hearing import Hearing, level_dbfs
from sandbox.opus import FRAME_SAMPLES, SILENCE, OpusDecoder, OpusEncoder
from sandbox.personas import Live, Silence, Speech, Tone
from sandbox.sounds import LiveSound, ToneSound, make_sound
from sandbox.speech import SpeechUnavailable, synthesise


@pytest.mark.parametrize(("frequency_hz", "level"), [(300, -10), (440, -20), (6000, -30)])
def test_a_tone_survives_the_codec_and_is_found_again(frequency_hz: int, level: int) -> None:
    sound = ToneSound(frequency_hz, level)
    encoder, decoder, hearing = OpusEncoder(), OpusDecoder(), Hearing(10)
    for number in range(100):
        pcm = decoder.decode(encoder.encode(sound.next_frame()))
        hearing.place(pcm, number * FRAME_SAMPLES, 0.0)
    heard = hearing.measure(0.5)
    assert abs(heard.dominant_hz - frequency_hz) < 3
    assert heard.dominant_share > 0.95
    assert abs(heard.level_dbfs - level) < 2
    assert len(heard.levels_dbfs) == 75


def test_what_was_lost_stays_silent_and_in_its_place() -> None:
    hearing, loud = Hearing(10), np.full(FRAME_SAMPLES, 8000, dtype=np.int16)
    start = 0xFFFFFF00
    for number in (0, 1, 4, 3):
        hearing.place(loud, (start + number * FRAME_SAMPLES) & 0xFFFFFFFF, 5.0)
    levels = hearing.measure().levels_dbfs
    assert [level > -20 for level in levels] == [True, True, False, True, True]
    assert hearing.duration_s == 0.1
    assert hearing.first_at_ms == 5.0


def test_memory_is_bounded() -> None:
    hearing = Hearing(1.0)
    for number in range(100):
        hearing.place(SILENCE, number * FRAME_SAMPLES, 0.0)
    assert hearing.duration_s == 1.0
    assert hearing.samples_dropped == 50 * FRAME_SAMPLES
    hearing.forget()
    assert hearing.duration_s == 0


def test_silence_has_a_level_and_no_sound() -> None:
    hearing = Hearing(1.0)
    hearing.place(SILENCE, 0, 0.0)
    heard = hearing.measure()
    assert heard.level_dbfs == level_dbfs(SILENCE) == -96.0
    assert heard.first_sound_s is None
    assert Hearing(1.0).measure().duration_s == 0


def test_speech_is_made_in_more_than_one_language() -> None:
    for voice in ("en", "id"):
        pcm = synthesise("satu dua tiga", voice)
        assert 0.3 < len(pcm) / 48_000 < 5
        assert np.abs(pcm).max() > 8000
    with pytest.raises(SpeechUnavailable):
        synthesise("hello", "zz")


async def test_speech_that_is_not_looped_ends() -> None:
    sound = await make_sound(Speech(text="one", is_looped=False, pause_s=0))
    frames = [sound.next_frame() for _ in range(200)]
    assert any(frame.any() for frame in frames[:20])
    assert not any(frame.any() for frame in frames[-20:])


async def test_a_live_voice_speaks_by_itself_until_the_person_talks() -> None:
    sound = await make_sound(Live(otherwise=Silence()))
    assert isinstance(sound, LiveSound)
    voice = ToneSound(440, -10)
    sound.push(voice.next_frame())
    assert not sound.next_frame().any()
    sound.talk(is_talking=True)
    for _ in range(3):
        assert not sound.next_frame().any()
        sound.push(voice.next_frame())
    assert sound.next_frame().any()
    for _ in range(100):
        sound.push(voice.next_frame())
    assert sum(sound.next_frame().any() for _ in range(100)) == 15
    sound.talk(is_talking=False)
    assert not sound.next_frame().any()


def test_a_tones_settings_are_bounded() -> None:
    with pytest.raises(ValueError, match="frequency_hz"):
        Tone(frequency_hz=20_000)
