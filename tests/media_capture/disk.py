"""Where tests put files whose place must not decide how they end."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

MEMORY = Path("/dev/shm")


@contextmanager
def undisturbed_directory() -> Iterator[Path]:
    """A private directory in memory, where the system has such: no neighbour stalls it.

    What a stalled disk adds to a loss has nothing to do with what the worker itself loses.
    """
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="captures-", dir=place) as name:
        yield Path(name)
