"""Stacks of sandbox, gateway and media worker, each in a private folder."""

import contextlib
import itertools
import sqlite3
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.stack import Stack, StackOptions
from gateway.ports.accounts import Role
from tests.e2e.talks import CUSTOMERS, end_all_calls
from tests.services.sqlite import put_migrated

OpenStack = Callable[..., AbstractAsyncContextManager[Stack]]
AGENTS = 4
PATIENT = {"claim_max_s": "15"}
"""A busy machine may hold up an agent's sound for seconds; that must not cost them a call."""
TRACED_MAX = 3
"""Of so many calls the course is shown when a test fails."""
SUPERVISOR = AGENTS
"""Place of the supervisor among the people."""


def full_options(**settings: str) -> StackOptions:
    """Four agents, a supervisor, five customers; webhooks are fast and Graph has to be."""
    agents = [
        (f"Agent {place}", f"agent{place}@demo.example", Role.AGENT) for place in range(AGENTS)
    ]
    return StackOptions(
        people=[*agents, ("Sari", "sari@demo.example", Role.SUPERVISOR)],
        settings={"graph_start_call_max_s": "2", "graph_action_max_s": "2"} | settings,
        sandbox={
            "users": [
                {"user_id": user_id, "wa_id": phone} for user_id, phone in CUSTOMERS.items()
            ],
            "timings": {
                "speed": 5,
                "webhook_retry_delays_s": [0.5, 1, 2, 2, 2, 2, 2, 5, 10, 30],
            },
            "limits": {"connected_calls_per_day_max": 100_000, "heard_calls_kept_max": 10},
        },
    )


@asynccontextmanager
async def fresh_stack(options: StackOptions | None = None) -> AsyncIterator[Stack]:
    """Run a stack of its own; should the test fail, what its parts wrote is shown."""
    # Not pytest's own folder: its long names do not fit into the path of a Unix socket.
    with tempfile.TemporaryDirectory(prefix="callgate-test-") as name:
        folder = Path(name)
        (folder / "data").mkdir(mode=0o700)
        put_migrated(folder / "data" / "callgate.db")
        try:
            async with Stack(folder, patient(options or StackOptions())) as stack:
                yield stack
        except BaseException:
            show_logs(folder)
            raise


def patient(options: StackOptions) -> StackOptions:
    """Wait longer for what depends on how busy the machine is."""
    return replace(options, settings=PATIENT | dict(options.settings))


def show_logs(folder: Path) -> None:
    for log in (*folder.glob("*.log"), *folder.glob("data/media/*.log")):
        sys.stderr.write(f"--- {log.name}\n{log.read_text()[-8000:]}\n")
    with contextlib.suppress(sqlite3.Error):
        show_traces(folder / "data" / "callgate.db")


def show_traces(path: Path) -> None:
    """Tell the last calls step by step."""
    with contextlib.closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as database:
        lines = database.execute(
            "SELECT call_id, at, source, step, fields FROM call_trace"
            " WHERE call_id IN (SELECT call_id FROM calls ORDER BY created_at DESC LIMIT ?)"
            " ORDER BY call_id, at, position",
            (TRACED_MAX,),
        ).fetchall()
    for call_id, traced in itertools.groupby(lines, key=lambda line: line[0]):
        sys.stderr.write(f"--- trace of call {call_id}\n")
        for _, at, source, step, fields in traced:
            sys.stderr.write(f"{at:.3f} {source:10} {step} {fields}\n")


@pytest.fixture
def open_stack() -> OpenStack:
    return fresh_stack


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def shared_stack() -> AsyncIterator[tuple[Stack, HeadlessAgent]]:
    """A stack and its supervisor."""
    async with fresh_stack(full_options()) as running, running.agent(SUPERVISOR) as boss:
        yield running, boss


@pytest_asyncio.fixture(loop_scope="session")
async def stack(
    shared_stack: tuple[Stack, HeadlessAgent], request: pytest.FixtureRequest
) -> AsyncIterator[Stack]:
    """A stack that all tests share, with no call in it."""
    running, boss = shared_stack
    failed_before = request.session.testsfailed
    await running.sandbox.ask("DELETE", "/faults")
    for user_id in CUSTOMERS:
        await running.sandbox.behave(user_id, answer_after_s=0.5)
    yield running
    if request.session.testsfailed > failed_before:
        show_logs(running.folder)
    await end_all_calls(running, boss)


@pytest_asyncio.fixture(loop_scope="session")
async def agent(stack: Stack) -> AsyncIterator[HeadlessAgent]:
    """An agent who is ready for calls, and hums 440 Hz."""
    async with stack.agent() as ready:
        await ready.go_ready()
        yield ready
