"""Servers of tests end with the tests, even with killed ones."""

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parent.parent.parent
GONE_MAX_S = 30.0

pytestmark = pytest.mark.services


@pytest.mark.parametrize(
    "opening",
    [
        "from tests.services.redis import private_redis as p, bundled_program as b; s = p(b())",
        "from tests.services.postgres import private_postgres as p; s = p()",
    ],
)
def test_a_killed_test_run_leaves_neither_server_nor_directory(opening: str) -> None:
    script = textwrap.dedent(
        f"""
        {opening}
        with s as server:
            print(server.directory, flush=True)
            import time
            time.sleep(600)
        """
    )
    run = subprocess.Popen([sys.executable, "-c", script], cwd=ROOT, stdout=subprocess.PIPE)
    assert run.stdout is not None
    with run.stdout:
        directory = run.stdout.readline().decode().strip()
        assert servers_in(directory)
        run.send_signal(signal.SIGKILL)
        run.wait()
        deadline = time.monotonic() + GONE_MAX_S
        while servers_in(directory) or Path(directory).exists():
            assert time.monotonic() < deadline, servers_in(directory)
            time.sleep(0.02)


def servers_in(directory: str) -> list[str]:
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if process.info["status"] != psutil.STATUS_ZOMBIE and any(
            directory in word for word in words
        ):
            found.append(" ".join(words))
    return found
