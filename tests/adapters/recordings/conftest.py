"""The databases of the minutes, and an account with recordings in them."""

import pytest

from tests.adapters.quota.conftest import (
    Bench,
    bench,
    database,
    database_url,
    migrated_url,
    rival_benches,
    rivals,
    wall,
)
from tests.adapters.recordings.shelf import Shelf

__all__ = [
    "bench",
    "database",
    "database_url",
    "migrated_url",
    "rival_benches",
    "rivals",
    "wall",
]


@pytest.fixture
def shelf(bench: Bench) -> Shelf:
    return Shelf(bench)
