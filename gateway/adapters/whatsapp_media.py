"""Port `MediaFiles`: fetches what Meta keeps for us, and lets nobody lead us elsewhere.

Meta, "Media": an announced URL lasts 5 minutes; a fresh one is had by the file's id. The token
goes to Graph and to the hosts on the list, over https to public addresses alone; what the
operator has configured as Graph itself is trusted as it is.
"""

import asyncio
import base64
import binascii
import contextlib
import errno
import hashlib
import json
import os
import re
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

import aiohttp
from typing_extensions import override
from yarl import URL

from gateway.adapters.public_addresses import PrivateAddress, public_socket
from gateway.adapters.whatsapp_graph import read_capped, retry_after
from gateway.ports.accounts import Number
from gateway.ports.clock import Clock
from gateway.ports.official import (
    FetchedFile,
    FetchFailed,
    FetchFault,
    FetchHold,
    MediaFiles,
    MediaRef,
)

CHUNK_BYTES = 256 * 1024
REDIRECTS_MAX = 3
SHA256_BYTES = 32
_MEDIA_ID = re.compile(r"[A-Za-z0-9_-]{1,128}")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_EXPIRED = frozenset({404, 410})
_TEMPORARY = frozenset({408, 425, 429})
_NO_SPACE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_OK = 200
_FAILURES_BEGIN = 500


@dataclass(frozen=True, slots=True)
class FetchBounds:
    """How long and how large a fetch may be."""

    file_bytes_max: int = 256 << 20
    connect_s: float = 5.0
    look_up_s: float = 10.0
    silent_s: float = 20.0
    """Without a byte for so long it is given up."""
    download_s: float = 600.0


class _UrlExpired(Exception):
    """The file is not, or no longer, where we were sent."""


class WhatsAppMedia(MediaFiles):
    """One per process, used as a context."""

    def __init__(
        self,
        *,
        graph_url: str,
        version: str,
        hosts: Collection[str],
        folder: Path,
        clock: Clock,
        bounds: FetchBounds | None = None,
    ) -> None:
        """`hosts` may be sent the token; files are kept without a name in `folder`'s volume."""
        self._graph = URL(graph_url)
        self._root = self._graph / version
        self._hosts = frozenset(hosts)
        self._folder = folder
        self._clock = clock
        self._bounds = bounds or FetchBounds()
        self._trusted: aiohttp.ClientSession | None = None
        self._checked: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._trusted = self._session(aiohttp.TCPConnector(limit=20))
        self._checked = self._session(
            aiohttp.TCPConnector(limit=20, socket_factory=public_socket)
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for session in (self._trusted, self._checked):
            if session is not None:
                await session.close()

    def _session(self, connector: aiohttp.TCPConnector) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"User-Agent": "callgate", "Accept-Encoding": "identity"},
            auto_decompress=False,
            trust_env=False,
        )

    @override
    def hold(self, number: Number, media: MediaRef) -> FetchHold:
        return _Hold(self, number, media, self._folder)

    async def fetch(self, number: Number, media: MediaRef, target: IO[bytes]) -> FetchedFile:
        """Write a file to `target` and check it. Raises `FetchFailed`."""
        wanted = media.sha256
        if media.url is not None and self._clock.wall() < media.url_until:
            with contextlib.suppress(_UrlExpired):
                return await self._download(_parsed(media.url), number, wanted, target)
        url, told = await self._look_up(number, media.media_id)
        try:
            return await self._download(url, number, wanted or told, target)
        except _UrlExpired:
            raise FetchFailed(FetchFault.REFUSED, "not there") from None

    async def _look_up(self, number: Number, media_id: str) -> tuple[URL, str | None]:
        """Ask Graph where a file is now, and for its digest."""
        assert self._trusted is not None, "enter the context first"
        if not _MEDIA_ID.fullmatch(media_id):
            raise FetchFailed(FetchFault.REFUSED, "no media id")
        try:
            async with self._trusted.get(
                self._root / media_id,
                params={"phone_number_id": number.phone_number_id},
                headers=_bearer(number),
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(
                    total=self._bounds.look_up_s, connect=self._bounds.connect_s
                ),
            ) as response:
                body = await read_capped(response)
                _check_status(response, missing=FetchFailed(FetchFault.REFUSED, "unknown"))
        except (aiohttp.ClientError, TimeoutError) as error:
            raise FetchFailed(FetchFault.NO_ANSWER, type(error).__name__) from error
        try:
            answer = json.loads(body or b"")
            return _parsed(answer["url"]), _text(answer.get("sha256"))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            raise FetchFailed(FetchFault.NO_ANSWER, "unreadable answer") from None

    async def _download(
        self, url: URL, number: Number, sha256: str | None, target: IO[bytes]
    ) -> FetchedFile:
        wanted = digest_of(sha256)
        if wanted is None:
            raise FetchFailed(FetchFault.WRONG_DIGEST, "no usable digest announced")
        for _ in range(REDIRECTS_MAX + 1):
            session = self._session_for(url)
            try:
                async with session.get(
                    url,
                    headers=_bearer(number),
                    allow_redirects=False,
                    timeout=aiohttp.ClientTimeout(
                        total=self._bounds.download_s,
                        connect=self._bounds.connect_s,
                        sock_read=self._bounds.silent_s,
                    ),
                ) as response:
                    if response.status not in _REDIRECTS:
                        return await self._receive(response, wanted, target)
                    url = _location(response, url)
            except (aiohttp.ClientError, TimeoutError) as error:
                if _is_private(error):
                    raise FetchFailed(FetchFault.FOREIGN_HOST, "private address") from error
                raise FetchFailed(FetchFault.NO_ANSWER, type(error).__name__) from error
        raise FetchFailed(FetchFault.REFUSED, "too many redirects")

    def _session_for(self, url: URL) -> aiohttp.ClientSession:
        """Return what may connect there. Raises `FetchFailed` before anybody is asked."""
        assert self._trusted is not None, "enter the context first"
        assert self._checked is not None, "enter the context first"
        is_plain = url.user is None and url.password is None
        if is_plain and url.is_absolute() and url.origin() == self._graph.origin():
            return self._trusted
        is_standard = url.scheme == "https" and url.port == 443  # noqa: PLR2004 (https)
        if is_plain and is_standard and url.host in self._hosts:
            return self._checked
        raise FetchFailed(FetchFault.FOREIGN_HOST, "not on the list")

    async def _receive(
        self, response: aiohttp.ClientResponse, wanted: bytes, target: IO[bytes]
    ) -> FetchedFile:
        _check_status(response, missing=_UrlExpired())
        most = self._bounds.file_bytes_max
        if (response.content_length or 0) > most:
            raise FetchFailed(FetchFault.TOO_LARGE, f"{response.content_length} bytes")
        digest = hashlib.sha256()
        size = 0
        async for chunk in response.content.iter_chunked(CHUNK_BYTES):
            size += len(chunk)
            if size > most:
                raise FetchFailed(FetchFault.TOO_LARGE, f"more than {most} bytes")
            await asyncio.to_thread(_take, digest, target, chunk)
        if digest.digest() != wanted:
            raise FetchFailed(FetchFault.WRONG_DIGEST, f"{size} bytes")
        await asyncio.to_thread(target.flush)
        return FetchedFile(target.fileno(), size, digest.hexdigest())


class _Hold(FetchHold):
    """An unnamed file for the time of a context."""

    def __init__(
        self, media: WhatsAppMedia, number: Number, ref: MediaRef, folder: Path
    ) -> None:
        self._media = media
        self._number = number
        self._ref = ref
        self._folder = folder
        self._file: IO[bytes] | None = None

    @override
    async def __aenter__(self) -> FetchedFile:
        try:
            self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._file = tempfile.TemporaryFile(dir=self._folder)  # noqa: SIM115 (closed below)
        except OSError as error:
            raise FetchFailed(FetchFault.NO_SPACE, error.strerror or "") from error
        try:
            return await self._media.fetch(self._number, self._ref, self._file)
        except BaseException as error:
            self._file.close()
            if isinstance(error, OSError) and error.errno in _NO_SPACE:
                raise FetchFailed(FetchFault.NO_SPACE, os.strerror(error.errno)) from error
            raise

    @override
    async def __aexit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def digest_of(text: str | None) -> bytes | None:
    """Return the 32 bytes that base64 or hexadecimal text stands for; None: it does not."""
    if text is None:
        return None
    with contextlib.suppress(ValueError):
        if len(text) == 2 * SHA256_BYTES:
            return bytes.fromhex(text)
    with contextlib.suppress(ValueError, binascii.Error):
        decoded = base64.b64decode(text, validate=True)
        return decoded if len(decoded) == SHA256_BYTES else None
    return None


def _bearer(number: Number) -> dict[str, str]:
    return {"Authorization": f"Bearer {number.token}"}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _check_status(response: aiohttp.ClientResponse, *, missing: Exception) -> None:
    status = response.status
    if status == _OK:
        return
    if status in _EXPIRED:
        raise missing
    if status in _TEMPORARY or status >= _FAILURES_BEGIN:
        raise FetchFailed(
            FetchFault.NO_ANSWER,
            f"status {status}",
            retry_after_s=retry_after(response.headers),
        )
    raise FetchFailed(FetchFault.REFUSED, f"status {status}")


def _parsed(url: str) -> URL:
    try:
        return URL(url)
    except ValueError:
        raise FetchFailed(FetchFault.FOREIGN_HOST, "no URL") from None


def _location(response: aiohttp.ClientResponse, url: URL) -> URL:
    try:
        return url.join(URL(response.headers["Location"]))
    except (KeyError, ValueError):
        raise FetchFailed(FetchFault.NO_ANSWER, "a redirect to nowhere") from None


def _is_private(error: BaseException) -> bool:
    return isinstance(error, aiohttp.ClientConnectorError) and isinstance(
        error.os_error, PrivateAddress
    )


def _take(digest: Any, target: IO[bytes], chunk: bytes) -> None:  # noqa: ANN401 (hashlib's)
    digest.update(chunk)
    target.write(chunk)
