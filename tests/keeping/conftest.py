"""A node that keeps recordings, alone or with an object store behind a faulty proxy."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.keeping.keep import Keep, keeping
from tests.services.object_store import FaultyStore, ObjectServer


@pytest.fixture
async def alone(tmp_path: Path) -> AsyncIterator[Keep]:
    async with keeping(tmp_path) as keep:
        yield keep


@pytest.fixture
async def stored(
    tmp_path: Path, faulty: FaultyStore, object_server: ObjectServer
) -> AsyncIterator[Keep]:
    bucket = object_server.fresh_bucket()
    async with keeping(tmp_path, endpoint=faulty.url, bucket=bucket) as keep:
        yield keep
