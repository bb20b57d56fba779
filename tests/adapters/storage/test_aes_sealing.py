"""Sealed content: any part of it reads as before; nothing changed goes unnoticed."""

import io
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.adapters.aes_sealing import CHUNK_BYTES, AesSealing
from gateway.adapters.folder_storage import FolderStorage
from gateway.ports.storage import NotStored, Storage, Unsealable

KEY, OTHER_KEY = b"k" * 32, b"o" * 32
NAME, OTHER_NAME = "account/one.ogg.sealed", "account/two.ogg.sealed"
SEALING = AesSealing()
SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES]


@pytest.fixture
def folder(tmp_path: Path) -> FolderStorage:
    return FolderStorage(tmp_path)


def sealed(content: bytes, name: str = NAME) -> bytes:
    target = io.BytesIO()
    written = SEALING.seal(io.BytesIO(content), target, key=KEY, name=name)
    assert written == len(target.getvalue())
    return target.getvalue()


async def keep(storage: Storage, content: bytes, name: str = NAME) -> None:
    await storage.put(name, io.BytesIO(content), len(content))


async def read_all(storage: Storage) -> bytes:
    opened = await SEALING.open(storage, NAME, key=KEY)
    return await opened.read(0, opened.size)


@pytest.mark.parametrize("size", SIZES)
async def test_what_was_sealed_opens(storage: Storage, size: int) -> None:
    content = os.urandom(size)
    await keep(storage, sealed(content))
    opened = await SEALING.open(storage, NAME, key=KEY)
    assert opened.size == size
    assert await opened.read(0, size) == content
    stored = await storage.size(NAME)
    assert stored is not None
    raw = await storage.read(NAME, 0, stored)
    assert size < 32 or content[:32] not in raw


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    size=st.sampled_from(SIZES), begin=st.integers(0, 200_000), length=st.integers(0, 200_000)
)
async def test_every_part_is_the_same_part(
    tmp_path_factory: pytest.TempPathFactory, size: int, begin: int, length: int
) -> None:
    storage = FolderStorage(tmp_path_factory.mktemp("sealed"))
    content = os.urandom(size)
    await keep(storage, sealed(content))
    opened = await SEALING.open(storage, NAME, key=KEY)
    if begin + length > size:
        with pytest.raises(NotStored):
            await opened.read(begin, length)
    else:
        assert await opened.read(begin, length) == content[begin : begin + length]


async def test_with_another_key_it_stays_shut(folder: FolderStorage) -> None:
    await keep(folder, sealed(b"content"))
    opened = await SEALING.open(folder, NAME, key=OTHER_KEY)
    with pytest.raises(Unsealable):
        await opened.read(0, 7)


async def test_under_another_name_it_stays_shut(folder: FolderStorage) -> None:
    await keep(folder, sealed(b"content"), OTHER_NAME)
    opened = await SEALING.open(folder, OTHER_NAME, key=KEY)
    with pytest.raises(Unsealable):
        await opened.read(0, 7)


@pytest.mark.parametrize("at", [0, 5, 12, 40, 70_000, -1])
async def test_one_flipped_bit_is_noticed(folder: FolderStorage, at: int) -> None:
    spoiled = bytearray(sealed(os.urandom(2 * CHUNK_BYTES + 5)))
    spoiled[at] ^= 1
    await keep(folder, bytes(spoiled))
    with pytest.raises(Unsealable):
        await (await SEALING.open(folder, NAME, key=KEY)).read(0, 2 * CHUNK_BYTES + 5)


@pytest.mark.parametrize("kept", [0, 11, 12, 20, 12 + CHUNK_BYTES + 16, -1])
async def test_a_cut_end_is_noticed(folder: FolderStorage, kept: int) -> None:
    await keep(folder, sealed(os.urandom(2 * CHUNK_BYTES + 5))[:kept])
    with pytest.raises(Unsealable):
        await read_all(folder)


async def test_chunks_cannot_change_places(folder: FolderStorage) -> None:
    whole = sealed(os.urandom(3 * CHUNK_BYTES))
    size = CHUNK_BYTES + 16
    first, second = whole[12 : 12 + size], whole[12 + size : 12 + 2 * size]
    await keep(folder, whole[:12] + second + first + whole[12 + 2 * size :])
    with pytest.raises(Unsealable):
        await (await SEALING.open(folder, NAME, key=KEY)).read(0, 10)


async def test_what_is_not_there_or_was_never_sealed_is_told_apart(
    folder: FolderStorage,
) -> None:
    with pytest.raises(NotStored):
        await SEALING.open(folder, NAME, key=KEY)
    await keep(folder, b"OggS" + bytes(100))
    with pytest.raises(Unsealable):
        await SEALING.open(folder, NAME, key=KEY)
