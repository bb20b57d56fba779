"""Both storages, and the object store behind a proxy that misbehaves."""

from pathlib import Path

import pytest

from gateway.adapters.folder_storage import FolderStorage
from gateway.adapters.object_store import ObjectStorage
from gateway.ports.storage import Storage
from tests.services.object_store import (
    FaultyStore,
    ObjectServer,
    access_to,
)


@pytest.fixture(params=["folder", "object store"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    if request.param == "folder":
        return FolderStorage(tmp_path / "kept")
    server: ObjectServer = request.getfixturevalue("object_server")
    return ObjectStorage(access_to(server.url, server.fresh_bucket()))


@pytest.fixture
def behind_faults(faulty: FaultyStore, object_server: ObjectServer) -> ObjectStorage:
    bucket = object_server.fresh_bucket()
    return ObjectStorage(access_to(faulty.url, bucket, request_max_s=2.0))
