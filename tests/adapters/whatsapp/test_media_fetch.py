"""Files fetched from Meta: whole and checked or not at all, and the token to nobody else."""

import asyncio
import base64
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from gateway.adapters.public_addresses import is_public, public_socket
from gateway.adapters.system_clock import SystemClock
from gateway.adapters.whatsapp_media import FetchBounds, WhatsAppMedia, digest_of
from gateway.ports.official import FetchFailed, FetchFault, MediaRef
from tests.adapters.whatsapp.graph_peer import NUMBER

CONTENT = bytes(range(256)) * 3_000
SHA = hashlib.sha256(CONTENT)
DIGEST = base64.b64encode(SHA.digest()).decode()
LATER = 4e9
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Peer:
    """An HTTP server that remembers who came with which token."""

    url: str = ""
    answers: dict[str, Answer] = field(default_factory=dict)
    seen: list[tuple[str, str | None]] = field(default_factory=list)

    async def serve(self, request: web.Request) -> web.StreamResponse:
        self.seen.append((request.path, request.headers.get("Authorization")))
        return await self.answers[request.path](request)

    def says(self, path: str, answer: Answer) -> str:
        self.answers[path] = answer
        return f"{self.url}{path}"


@asynccontextmanager
async def peer() -> AsyncIterator[Peer]:
    made = Peer()
    app = web.Application()
    app.router.add_get("/{path:.*}", made.serve)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    yield made
    await runner.cleanup()


@dataclass
class Scene:
    """Graph, somebody else, and the fetcher that trusts only the first."""

    graph: Peer
    stranger: Peer
    media: WhatsAppMedia
    folder: Path

    async def fetch(
        self, url: str | None, sha256: str | None = DIGEST, until: float = LATER
    ) -> bytes:
        ref = MediaRef("77", sha256, url, until)
        async with self.media.hold(NUMBER, ref) as fetched:
            content = os.pread(fetched.fd, 10_000_000, 0)
            assert (fetched.bytes, fetched.sha256) == (len(content), SHA.hexdigest())
            return content

    async def fault(self, url: str | None) -> FetchFailed:
        with pytest.raises(FetchFailed) as failed:
            await self.fetch(url)
        assert self.folder_is_empty()
        return failed.value

    def folder_is_empty(self) -> bool:
        return not self.folder.exists() or list(self.folder.iterdir()) == []


@pytest.fixture
async def scene(tmp_path: Path) -> AsyncIterator[Scene]:
    folder = tmp_path / "fetching"
    async with peer() as graph, peer() as stranger:
        media = WhatsAppMedia(
            graph_url=graph.url,
            version="v25.0",
            hosts=["lookaside.fbsbx.com", "localhost"],
            folder=folder,
            clock=SystemClock(),
            bounds=FetchBounds(file_bytes_max=1_000_000, silent_s=2.0),
        )
        async with media:
            yield Scene(graph, stranger, media, folder)
    # Whatever was asked of us: a stranger was never told the token.
    assert all(token is None for _, token in stranger.seen)
    assert all(token == f"Bearer {NUMBER.token}" for _, token in graph.seen)


async def whole(_: web.Request) -> web.StreamResponse:
    return web.Response(body=CONTENT)


def status(code: int, **headers: str) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(status=code, headers=named)

    return answer


def body(content: bytes) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.Response(body=content)

    return answer


def location(url: str, sha256: str | None = DIGEST) -> Answer:
    async def answer(_: web.Request) -> web.StreamResponse:
        return web.json_response({"url": url, "sha256": sha256, "file_size": "1"})

    return answer


async def test_a_fresh_url_is_fetched_without_asking_graph(scene: Scene) -> None:
    assert await scene.fetch(scene.graph.says("/file", whole)) == CONTENT
    assert [path for path, _ in scene.graph.seen] == ["/file"]
    assert scene.folder_is_empty()


@pytest.mark.parametrize("how", ["too old", "gone", "none"])
async def test_a_url_that_no_longer_works_is_renewed_by_the_media_id(
    scene: Scene, how: str
) -> None:
    fresh = scene.graph.says("/fresh", whole)
    scene.graph.says("/v25.0/77", location(fresh))
    old = scene.graph.says("/old", status(404)) if how != "none" else None
    until = 1.0 if how == "too old" else LATER
    assert await scene.fetch(old, until=until) == CONTENT
    asked = [path for path, _ in scene.graph.seen if path != "/old"]
    assert asked == ["/v25.0/77", "/fresh"]
    assert ("/old" in [path for path, _ in scene.graph.seen]) == (how == "gone")


async def test_a_digest_may_come_from_graph_or_be_hexadecimal(scene: Scene) -> None:
    fresh = scene.graph.says("/fresh", whole)
    scene.graph.says("/v25.0/77", location(fresh, SHA.hexdigest()))
    assert await scene.fetch(None, sha256=None) == CONTENT
    assert await scene.fetch(fresh, sha256=SHA.hexdigest()) == CONTENT


@pytest.mark.parametrize("content", [b"", CONTENT[:-1], CONTENT + b"x", b"{}"])
async def test_what_is_not_as_announced_is_not_kept(scene: Scene, content: bytes) -> None:
    failed = await scene.fault(scene.graph.says("/file", body(content)))
    assert failed.fault is FetchFault.WRONG_DIGEST


async def test_without_a_digest_nothing_is_believed(scene: Scene) -> None:
    fresh = scene.graph.says("/fresh", whole)
    scene.graph.says("/v25.0/77", location(fresh, "not a digest"))
    with pytest.raises(FetchFailed) as failed:
        await scene.fetch(None, sha256=None)
    assert failed.value.fault is FetchFault.WRONG_DIGEST


async def test_a_file_too_large_is_refused_by_its_header_and_by_its_bytes(
    scene: Scene,
) -> None:
    failed = await scene.fault(scene.graph.says("/file", body(bytes(1_000_001))))
    assert failed.fault is FetchFault.TOO_LARGE

    async def endless(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(bytes(65_536))

    failed = await scene.fault(scene.graph.says("/endless", endless))
    assert failed.fault is FetchFault.TOO_LARGE


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest/meta-data",
        "http://127.0.0.1:1/",
        "https://evil.example/file",
        "https://lookaside.fbsbx.com.evil.example/file",
        "https://evil@lookaside.fbsbx.com/file",
        "https://lookaside.fbsbx.com:8443/file",
        "http://lookaside.fbsbx.com/file",
        "file:///etc/passwd",
        "/relative",
        "https://[::1]/file",
        "http://[",
        "stranger",
    ],
)
@pytest.mark.parametrize("way", ["announced", "looked up", "redirected"])
async def test_nobody_but_the_listed_hosts_is_asked(scene: Scene, url: str, way: str) -> None:
    target = scene.stranger.says("/file", whole) if url == "stranger" else url
    if url == "/relative" and way == "redirected":
        pytest.skip("a relative redirect stays where we are")
    if way == "looked up":
        scene.graph.says("/v25.0/77", location(target))
        failed = await scene.fault(None)
    elif way == "redirected":
        failed = await scene.fault(scene.graph.says("/away", status(302, Location=target)))
    else:
        failed = await scene.fault(target)
    if failed.fault is not FetchFault.FOREIGN_HOST:
        # Not even a URL.
        assert url == "http://["
    assert scene.stranger.seen == []


async def test_a_redirect_on_the_list_is_followed_but_not_for_ever(scene: Scene) -> None:
    scene.graph.says("/there", whole)
    assert await scene.fetch(scene.graph.says("/here", status(302, Location="/there")))
    failed = await scene.fault(scene.graph.says("/loop", status(307, Location="/loop")))
    assert failed.fault is FetchFault.REFUSED
    assert len([path for path, _ in scene.graph.seen if path == "/loop"]) == 4


async def test_a_listed_name_that_leads_inside_gets_no_connection(scene: Scene) -> None:
    failed = await scene.fault("https://localhost/file")
    assert failed.fault is FetchFault.FOREIGN_HOST
    connector = aiohttp.TCPConnector(socket_factory=public_socket)
    port = scene.stranger.url.rpartition(":")[2]
    async with aiohttp.ClientSession(connector=connector) as session:
        for host in ("localhost", "127.0.0.1"):
            with pytest.raises(aiohttp.ClientConnectorError):
                await session.get(f"http://{host}:{port}/file")
    assert scene.stranger.seen == []


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        (401, FetchFault.REFUSED),
        (403, FetchFault.REFUSED),
        (429, FetchFault.NO_ANSWER),
        (500, FetchFault.NO_ANSWER),
        (503, FetchFault.NO_ANSWER),
        (206, FetchFault.REFUSED),
    ],
)
async def test_refusals_and_failures_are_told_apart(
    scene: Scene, code: int, fault: FetchFault
) -> None:
    failed = await scene.fault(scene.graph.says("/file", status(code, Retry_After="90")))
    assert failed.fault is fault
    assert failed.retry_after_s == (90.0 if fault is FetchFault.NO_ANSWER else None)
    scene.graph.says("/v25.0/77", status(code))
    assert (await scene.fault(None)).fault is fault


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b'{"url":5}', b"<html>", b"{" * 100_000])
async def test_an_answer_of_graph_that_makes_no_sense_is_an_outage(
    scene: Scene, answer: bytes
) -> None:
    scene.graph.says("/v25.0/77", body(answer))
    assert (await scene.fault(None)).fault is FetchFault.NO_ANSWER


async def test_an_unknown_id_and_one_that_is_none_are_refused(scene: Scene) -> None:
    scene.graph.says("/v25.0/77", status(404))
    assert (await scene.fault(None)).fault is FetchFault.REFUSED
    with pytest.raises(FetchFailed):
        async with scene.media.hold(NUMBER, MediaRef("../me", DIGEST)):
            pass
    assert [path for path, _ in scene.graph.seen] == ["/v25.0/77"]


async def test_a_connection_that_breaks_or_falls_silent_leaves_nothing(scene: Scene) -> None:
    async def breaks(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "5000"})
        await response.prepare(request)
        await response.write(b"x" * 100)
        assert request.transport is not None
        request.transport.abort()
        return response

    failed = await scene.fault(scene.graph.says("/breaks", breaks))
    assert failed.fault is FetchFault.NO_ANSWER

    async def silent(request: web.Request) -> web.StreamResponse:
        await asyncio.Event().wait()
        raise AssertionError

    failed = await scene.fault(scene.graph.says("/silent", silent))
    assert failed.fault is FetchFault.NO_ANSWER


async def test_a_folder_that_cannot_be_written_is_our_own_trouble(scene: Scene) -> None:
    scene.folder.parent.joinpath("fetching").write_bytes(b"in the way")
    with pytest.raises(FetchFailed) as failed:
        await scene.fetch(scene.graph.says("/file", whole))
    assert failed.value.fault is FetchFault.NO_SPACE
    assert scene.graph.seen == []


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("157.240.1.60", True),
        ("2a03:2880:f003::1", True),
        ("127.0.0.1", False),
        ("10.1.2.3", False),
        ("172.16.0.1", False),
        ("192.168.1.1", False),
        ("100.64.0.1", False),
        ("169.254.169.254", False),
        ("0.0.0.0", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("::1", False),
        ("::", False),
        ("fe80::1%eth0", False),
        ("fd00:ec2::254", False),
        ("::ffff:127.0.0.1", False),
        ("64:ff9b::a9fe:a9fe", False),
        ("2002:7f00:1::", False),
        ("ff02::1", False),
        ("no address", False),
    ],
)
def test_only_addresses_of_the_internet_at_large_are_public(address: str, public: bool) -> None:
    assert is_public(address) is public


@pytest.mark.parametrize("text", [None, "", "x", "aGk=", "zz" * 32, DIGEST + "A", "é" * 44])
def test_what_is_no_digest_is_none(text: str | None) -> None:
    assert digest_of(text) is None


def test_both_writings_of_a_digest_are_read() -> None:
    assert digest_of(DIGEST) == digest_of(SHA.hexdigest()) == SHA.digest()
