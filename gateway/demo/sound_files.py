"""How long a recording plays, decoded as any player would."""

from pathlib import Path

import av

_RATE = 48_000


def played_ms(path: Path) -> float:
    """Decode a file and say how long it is."""
    with av.open(str(path)) as file:
        return sum(frame.samples for frame in file.decode(audio=0)) * 1000 / _RATE
