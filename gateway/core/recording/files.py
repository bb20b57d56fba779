"""The files of recordings: how they are named, where their bytes lie, and whether they stay."""

from enum import StrEnum

from gateway.core.ids import AccountId, CallId


class FileRole(StrEnum):
    """What a file is to its call."""

    LOCAL = "local"
    """Our own recording."""
    OFFICIAL = "official"
    """What may be kept of Meta's."""
    PEAKS = "peaks"
    """What a player draws of our own."""


class FileState(StrEnum):
    """Whether a file stays; it only moves forward."""

    MAKING = "making"
    """Ordered: it may be there already, or part of it."""
    KEPT = "kept"
    DOOMED = "doomed"
    """Nobody may read it any more; its bytes go when they are due."""
    GONE = "gone"


class Place(StrEnum):
    """Where the bytes of a file are to be found."""

    FOLDER = "folder"
    """In the folder of recordings of one node."""
    STORE = "store"
    """In the object store that all nodes share."""


class Fault(StrEnum):
    """What was found wrong with a file that should be there."""

    MISSING = "missing"
    DAMAGED = "damaged"


def recording_key(account_id: AccountId, call_id: CallId) -> str:
    """Name our own recording of a call."""
    return f"{account_id}/{call_id}.ogg"


def peaks_key(account_id: AccountId, call_id: CallId) -> str:
    """Name what a player draws of it."""
    return f"{account_id}/{call_id}.peaks"


def cut_key(account_id: AccountId, call_id: CallId, role: FileRole, version: int) -> str:
    """Name what is cut out of a recording while its case has a version.

    The case's next version has another name, so what is kept is never written over.
    """
    return f"{account_id}/{call_id}.{version}.{role.value}.ogg"


SEALED_SUFFIX = ".sealed"


def sealed_name(key: str) -> str:
    """Name what lies in a storage for a file that is sealed."""
    return key + SEALED_SUFFIX


def key_of(name: str) -> str:
    """Return the key of the file that a name in a storage belongs to."""
    return name.removesuffix(SEALED_SUFFIX)
