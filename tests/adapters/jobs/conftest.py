"""Fresh databases of both engines, with the table of jobs on them."""

import pytest

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_jobs import SqlJobs
from tests.adapters.sql.conftest import (
    Wall,
    database,
    database_url,
    migrated_url,
    rivals,
    wall,
)
from tests.adapters.sql.rows import fresh_id

__all__ = ["Wall", "database", "database_url", "migrated_url", "rivals", "wall"]


@pytest.fixture
def jobs(database: Database) -> SqlJobs:
    return SqlJobs(database, fresh_id)
