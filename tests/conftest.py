"""Fixtures that every part of the suite may use."""

import gc
import os
import random
from collections.abc import Callable, Iterator

import pytest
from aiohttp import web_app
from hypothesis import HealthCheck, settings

from tests.services.object_store import faulty, object_server
from tests.services.postgres import postgres_server

# Here, so that a test process has one server of each: a folder that imports the fixture has
# one of its own.
__all__ = ["faulty", "object_server", "postgres_server"]

Rounds = Callable[..., int]


@pytest.fixture
def rounds(record_property: Callable[[str, object], None]) -> Rounds:
    """How often to repeat: `rounds(quick=5, soak=200)`; soak when CALLGATE_TEST_SOAK is set."""

    def choose(*, quick: int, soak: int) -> int:
        count = soak if os.environ.get("CALLGATE_TEST_SOAK") else quick
        record_property("rounds", count)
        return count

    return choose


@pytest.fixture
def seed(request: pytest.FixtureRequest) -> int:
    """A rotating seed, printed; CALLGATE_TEST_SEED repeats a run."""
    value = int(os.environ.get("CALLGATE_TEST_SEED") or random.SystemRandom().getrandbits(32))
    print(f"seed of {request.node.name}: {value} (repeat with CALLGATE_TEST_SEED={value})")  # noqa: T201
    return value


@pytest.fixture(scope="module", autouse=True)
def applications_are_forgotten() -> Iterator[None]:
    """Let go of what a module served: aiohttp keeps 1,024 applications with all they hold.

    A heap of a million objects makes each full collection a second in which nothing moves.
    """
    yield
    web_app._cached_build_middleware.cache_clear()


def pytest_collection_finish() -> None:
    """Spare the collector what all tests need to the end: modules, and the tests themselves."""
    gc.collect()
    gc.freeze()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever asks for rounds has a long run, so no test is left out of the soak."""
    for item in items:
        if "rounds" in getattr(item, "fixturenames", ()):
            item.add_marker("soak")


def pytest_configure() -> None:
    """Let hypothesis rotate its examples and print what reproduces a failure."""
    settings.register_profile(
        "callgate",
        deadline=None,
        print_blob=True,
        max_examples=2000 if os.environ.get("CALLGATE_TEST_SOAK") else 100,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("callgate")
