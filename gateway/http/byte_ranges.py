"""Which part of a file a request wants (RFC 9110, section 14); only single ranges are served.

Several ranges, unknown units and what is malformed count as no range, as the RFC allows: the
whole file is the answer then. A range that begins after the end is refused with 416.
"""

import re
from dataclasses import dataclass

from aiohttp import web

_SINGLE = re.compile(
    r"bytes[ \t]*=[ \t]*(\d*)[ \t]*-[ \t]*(\d*)[ \t]*", re.ASCII | re.IGNORECASE
)
_DIGITS_MAX = 18


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes from `begin` up to, and without, `end`."""

    begin: int
    end: int

    @property
    def length(self) -> int:
        """How many bytes it is."""
        return self.end - self.begin


class NotSatisfiable(Exception):
    """The range lies outside the file."""


def wanted_part(request: web.Request, size: int, etag: str) -> Part | None:
    """Return the part that is asked for; None: the whole file. Raises `NotSatisfiable`.

    `etag` is strong, with its quotes. With `If-Range` a range of another version is none.
    """
    condition = request.headers.get("If-Range")
    if condition is not None and condition.strip() != etag:
        return None
    told = request.headers.getall("Range", [])
    return single_part(told[0], size) if len(told) == 1 else None


def single_part(header: str, size: int) -> Part | None:
    """Read one `Range` header for a file of `size` bytes. Raises `NotSatisfiable`."""
    match = _SINGLE.fullmatch(header.strip())
    if match is None:
        return None
    first, last = match[1], match[2]
    if max(len(first), len(last)) > _DIGITS_MAX or not (first or last):
        return None
    if not first:
        return _suffix(int(last), size)
    begin = int(first)
    if last and int(last) < begin:
        return None
    if begin >= size:
        raise NotSatisfiable
    return Part(begin, min(int(last) + 1, size) if last else size)


def _suffix(length: int, size: int) -> Part:
    if not length or not size:
        raise NotSatisfiable
    return Part(max(0, size - length), size)
