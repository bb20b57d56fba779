"""Stacks of sandbox, gateway and media worker, each in a private folder."""

import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.demo.stack import Stack, StackOptions

OpenStack = Callable[..., AbstractAsyncContextManager[Stack]]


@asynccontextmanager
async def fresh_stack(options: StackOptions | None = None) -> AsyncIterator[Stack]:
    """Run a stack of its own; should the test fail, what its parts wrote is shown."""
    # Not pytest's own folder: its long names do not fit into the path of a Unix socket.
    with tempfile.TemporaryDirectory(prefix="callgate-test-") as name:
        folder = Path(name)
        try:
            async with Stack(folder, options) as stack:
                yield stack
        except BaseException:
            show_logs(folder)
            raise


def show_logs(folder: Path) -> None:
    for log in (*folder.glob("*.log"), *folder.glob("data/media/*.log")):
        sys.stderr.write(f"--- {log.name}\n{log.read_text()[-8000:]}\n")


@pytest.fixture
def open_stack() -> OpenStack:
    return fresh_stack


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def stack() -> AsyncIterator[Stack]:
    """One plain stack for the tests of a module; they leave no call behind."""
    async with fresh_stack() as running:
        yield running
