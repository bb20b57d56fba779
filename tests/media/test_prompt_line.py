"""A prompt on the line of one peer: heard whole, alone, and in step with the line."""

from collections.abc import Iterator

import pytest

from media.prompts import Prompt
from tests.media.test_line import FRAME, T0, speak, tick
from tests.media.wire import COMFORT_FRAMES, KEYPAD, TUNE_FRAMES, Wire, steps

FRAMES = tuple(b"prompt-%d" % index for index in range(10))


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire(in_step=True)
    yield made
    made.close()


def test_all_of_it_is_heard_and_nothing_of_who_talks_meanwhile(wire: Wire) -> None:
    ended: list[bool] = []
    now = speak(wire, 5, T0, sequence=1, timestamp=0)
    wire.egress.play(Prompt(FRAMES, on_end=lambda: ended.append(True)))
    for index in range(12):
        wire.egress.tick(now + index * 0.02)
        wire.say(6 + index, (5 + index) * FRAME, now + index * 0.02)
    speak(wire, 3, now + 0.24, sequence=18, timestamp=17 * FRAME)
    heard = wire.heard()
    assert [one.payload for one in heard[5:15]] == list(FRAMES)
    assert {one.payload for one in heard[15:]} == {b"speech"}
    assert ended == [True]
    assert [one.marker for one in heard[4:7]] == [False, True, False]
    assert {(step, time // FRAME) for step, time in steps(heard)} <= {(1, 1), (2, 2)}
    assert heard[15].marker


def test_it_waits_until_the_peer_may_be_sent_something(wire: Wire) -> None:
    began: list[bool] = []
    prompt = Prompt(FRAMES, on_begin=lambda: began.append(True))
    wire.egress.is_released = False
    wire.egress.play(prompt)
    now = tick(wire, 5, T0)
    assert wire.heard() == []
    assert not prompt.is_playing
    wire.egress.is_released = True
    now = tick(wire, 5, now)
    assert [one.payload for one in wire.heard()] == list(FRAMES[:5])
    assert began == [True]
    assert prompt.is_playing


def test_comfort_goes_on_where_it_ended(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    now = tick(wire, 3, T0)
    prompt = Prompt(FRAMES)
    wire.egress.play(prompt)
    tick(wire, 15, now)
    heard = wire.heard()
    assert steps(heard) == [(1, FRAME)] * 17
    assert [one.payload for one in heard[3:13]] == list(FRAMES)
    assert prompt.is_over


def test_keys_do_not_break_into_it(wire: Wire) -> None:
    wire.egress.play(Prompt(FRAMES))
    now = tick(wire, 2, T0)
    wire.say(2, FRAME, now, payload=bytes([1, 0x8A, 3, 32]), payload_type=KEYPAD)
    tick(wire, 2, now)
    assert [one.payload for one in wire.heard()] == list(FRAMES[:4])
    assert wire.notes.keys, "we hear the key all the same"


def test_a_prompt_that_is_taken_away_leaves_the_line_to_who_talks(wire: Wire) -> None:
    wire.egress.play(Prompt(FRAMES))
    now = tick(wire, 4, T0)
    wire.egress.play(None)
    speak(wire, 3, now, sequence=1, timestamp=0)
    heard = wire.heard()
    assert [one.payload for one in heard[4:]] == [b"speech"] * 3
    assert steps(heard) == [(1, FRAME)] * 6


def test_who_joins_late_hears_the_rest() -> None:
    prompt = Prompt(FRAMES)
    for _ in range(4):
        prompt.take()
    rest = prompt.rest()
    assert [rest.take() for _ in range(6)] == list(FRAMES[4:])
    assert rest.take() is None
    assert not prompt.is_over


def test_a_stalled_process_loses_no_frame_of_it(wire: Wire) -> None:
    wire.egress.play(Prompt(FRAMES))
    now = tick(wire, 3, T0) + 1.0
    tick(wire, 10, now)
    heard = wire.heard()
    assert [one.payload for one in heard] == list(FRAMES)
    assert steps(heard)[2][1] > 40 * FRAME


def test_a_held_line_hears_the_tune_from_its_beginning_each_time(wire: Wire) -> None:
    wire.egress.is_comfort_owed = True
    now = tick(wire, 2, T0)
    for _ in range(2):
        wire.egress.set_hold(True)
        now = tick(wire, 6, now)
        wire.egress.set_hold(True)
        wire.egress.set_hold(False)
        now = tick(wire, 2, now)
    heard = wire.heard()
    assert steps(heard) == [(1, FRAME)] * 17
    told = [one.payload for one in heard]
    assert told[2:8] == told[10:16] == [*TUNE_FRAMES, *TUNE_FRAMES[:2]]
    assert {*told[:2], *told[8:10], *told[16:]} <= set(COMFORT_FRAMES)
