"""What to make of a thing that lies in a storage, given what is known of it."""

from dataclasses import dataclass
from enum import StrEnum

from gateway.core.recording.files import FileState, Place, sealed_name

YOUNG_S = 3600.0
"""Younger things may be in the making: they are left alone."""
PART_SUFFIX = ".part"
"""Of what was not written to its end."""


class Finding(StrEnum):
    """What a thing in a storage is."""

    RIGHT = "right"
    """It lies where it should."""
    WAITING = "waiting"
    """It is being made or moved there, or goes when that is due."""
    LEFT_OVER = "left_over"
    """Its file is gone, or kept elsewhere for sure: it may be removed."""
    DOUBTFUL = "doubtful"
    """Its file is kept elsewhere, where it was not found right: nobody removes it."""
    STRANGER = "stranger"
    """Nothing is known of it: nobody removes it."""


@dataclass(frozen=True, slots=True)
class KnownFile:
    """What is known of the file that a thing belongs to by its name."""

    key: str
    state: FileState
    place: Place
    is_sealed: bool
    is_here: bool
    """It lies with this node, or with nobody in particular."""
    is_right: bool
    """It was read where it should lie, and was what it should be."""


def judge(name: str, place: Place, age_s: float, known: KnownFile | None) -> Finding:
    """Say what the thing of a name at a place is; `age_s` since it was written."""
    if age_s < YOUNG_S:
        return Finding.WAITING
    if name.endswith(PART_SUFFIX):
        return Finding.LEFT_OVER
    if known is None:
        return Finding.STRANGER
    match known.state:
        case FileState.MAKING | FileState.DOOMED:
            return Finding.WAITING
        case FileState.GONE:
            return Finding.LEFT_OVER
        case FileState.KEPT:
            return _judge_kept(name, place, known)


def _judge_kept(name: str, place: Place, known: KnownFile) -> Finding:
    sealed = sealed_name(known.key)
    is_there = place is known.place and name == (sealed if known.is_sealed else known.key)
    if is_there and (known.is_here or place is Place.STORE):
        return Finding.RIGHT
    is_on_its_way = place is Place.STORE and known.place is Place.FOLDER
    if is_on_its_way or (name == sealed and not known.is_sealed):
        # Whoever moves it reads it back and drops the other copy, perhaps at this very moment.
        return Finding.WAITING
    return Finding.LEFT_OVER if known.is_right else Finding.DOUBTFUL
