"""The databases of the minutes."""

from tests.adapters.quota.conftest import (
    bench,
    database,
    database_url,
    migrated_url,
    postgres_server,
    rival_benches,
    rivals,
    wall,
)

__all__ = [
    "bench",
    "database",
    "database_url",
    "migrated_url",
    "postgres_server",
    "rival_benches",
    "rivals",
    "wall",
]
