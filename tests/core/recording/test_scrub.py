"""What a thing is that lies in a storage: nothing is removed that may be the only copy soon."""

import itertools

import pytest

from gateway.core.recording.files import FileState, Place, sealed_name
from gateway.core.recording.scrub import YOUNG_S, Finding, KnownFile, judge

KEY = "account/call.ogg"
SEALED = sealed_name(KEY)
OLD_S = YOUNG_S + 1
FOLDER, STORE = Place.FOLDER, Place.STORE


def known(
    state: FileState = FileState.KEPT,
    place: Place = FOLDER,
    *,
    sealed: bool = False,
    here: bool = True,
    right: bool = True,
) -> KnownFile:
    return KnownFile(KEY, state, place, is_sealed=sealed, is_here=here, is_right=right)


@pytest.mark.parametrize(
    ("name", "place", "file", "finding"),
    [
        (KEY, FOLDER, None, Finding.STRANGER),
        (f"{KEY}.part", FOLDER, None, Finding.LEFT_OVER),
        (KEY, FOLDER, known(FileState.MAKING), Finding.WAITING),
        (KEY, FOLDER, known(FileState.DOOMED), Finding.WAITING),
        (KEY, FOLDER, known(FileState.GONE), Finding.LEFT_OVER),
        (KEY, FOLDER, known(), Finding.RIGHT),
        (KEY, FOLDER, known(here=False), Finding.LEFT_OVER),
        (KEY, STORE, known(place=STORE), Finding.RIGHT),
        (KEY, STORE, known(place=STORE, here=False), Finding.RIGHT),
        (SEALED, STORE, known(place=STORE, sealed=True), Finding.RIGHT),
        # It was put there and is not noted yet.
        (KEY, STORE, known(), Finding.WAITING),
        (SEALED, STORE, known(), Finding.WAITING),
        (SEALED, FOLDER, known(), Finding.WAITING),
        (SEALED, STORE, known(place=STORE), Finding.WAITING),
        # It was moved from there.
        (KEY, FOLDER, known(place=STORE), Finding.LEFT_OVER),
        (KEY, FOLDER, known(place=STORE, sealed=True), Finding.LEFT_OVER),
        (KEY, FOLDER, known(sealed=True), Finding.LEFT_OVER),
        (KEY, STORE, known(place=STORE, sealed=True), Finding.LEFT_OVER),
        (KEY, FOLDER, known(place=STORE, right=False), Finding.DOUBTFUL),
        (KEY, FOLDER, known(sealed=True, right=False), Finding.DOUBTFUL),
    ],
)
def test_old_things_are_judged_by_what_is_known_of_them(
    name: str, place: Place, file: KnownFile | None, finding: Finding
) -> None:
    assert judge(name, place, OLD_S, file) is finding


def test_nothing_young_is_touched() -> None:
    files = (None, known(), known(FileState.GONE), known(place=STORE))
    for name, place, file in itertools.product((KEY, SEALED, f"{KEY}.part"), Place, files):
        assert judge(name, place, YOUNG_S - 1, file) is Finding.WAITING


def test_no_step_of_a_move_is_cut_off() -> None:
    """Whatever is noted when the mover goes on, its next copy and its last one stay."""
    steps = [(FOLDER, False), (FOLDER, True), (STORE, False), (STORE, True)]
    moves = [
        (before, after)
        for before, after in itertools.product(steps, steps)
        if before != after and before[0] <= after[0] and before[1] <= after[1]
    ]
    for (place, sealed), (to_place, to_sealed) in moves:
        noted = known(place=place, sealed=sealed)
        target = SEALED if to_sealed else KEY
        assert judge(target, to_place, OLD_S, noted) is Finding.WAITING
