"""Bytes in an S3-compatible object store (port `Storage`), through `obstore`."""

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import BinaryIO
from urllib.parse import urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, BaseError
from obstore.store import S3Store
from pydantic import SecretStr
from typing_extensions import override

from gateway.adapters.folder_storage import check_name
from gateway.adapters.object_store_faults import down, is_bucket_missing
from gateway.core.errors import BadInput
from gateway.ports.storage import AlreadyStored, NotStored, Storage, StoredEntry

SINGLE_BYTES_MAX = 32 << 20
"""Larger objects are sent in parts: a whole one has to fit in memory."""
_PART_BYTES = 8 << 20
_LISTED_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class ObjectStoreAccess:
    """Which bucket, where, and how to get in."""

    bucket: str
    prefix: str = ""
    """Folder in the bucket; nothing else in the bucket is touched."""
    endpoint: str | None = None
    """None: Amazon's, by region."""
    region: str = "us-east-1"
    access_key_id: SecretStr | None = None
    """None: what the environment of the machine gives (instance role and the like)."""
    secret_access_key: SecretStr | None = None
    request_max_s: float = 60.0
    connect_max_s: float = 5.0
    retries_max: int = 2


def parse_url(url: str) -> tuple[str, str]:
    """Return bucket and prefix of `s3://bucket/prefix`. Raises `BadInput`."""
    parts = urlsplit(url)
    prefix = parts.path.strip("/")
    if parts.scheme != "s3" or not parts.netloc or parts.query or parts.fragment:
        raise BadInput("the object store must be given as s3://bucket or s3://bucket/folder")
    if prefix:
        check_name(f"{prefix}/x")
    return parts.netloc, prefix


class ObjectStorage(Storage):
    """Objects that are created once, read in ranges, and deleted."""

    def __init__(self, access: ObjectStoreAccess) -> None:
        self._store = _open(access)

    @override
    async def put(self, name: str, content: BinaryIO, size: int) -> None:
        check_name(name)
        with _faults():
            if size <= SINGLE_BYTES_MAX:
                await obstore.put_async(self._store, name, content.read(), mode="create")
                return
            # Parts cannot be made conditional; only we write here, and each name once.
            if await self._size(name) is not None:
                raise AlreadyStored(name)
            await obstore.put_async(
                self._store, name, content, chunk_size=_PART_BYTES, max_concurrency=2
            )

    @override
    async def size(self, name: str) -> int | None:
        check_name(name)
        with _faults():
            return await self._size(name)

    async def _size(self, name: str) -> int | None:
        try:
            found = await obstore.head_async(self._store, name)
        except FileNotFoundError:
            await self._expect_bucket(name)
            return None
        return found["size"]

    async def _expect_bucket(self, name: str) -> None:
        """Raise where not the object alone is missing: the answer to HEAD does not tell."""
        try:
            await obstore.get_range_async(self._store, name, start=0, length=1)
        except FileNotFoundError as error:
            if is_bucket_missing(error):
                raise

    @override
    async def read(self, name: str, begin: int, length: int) -> bytes:
        check_name(name)
        if not length:
            return b""
        with _faults():
            found = await obstore.get_range_async(self._store, name, start=begin, length=length)
        if len(found) != length:
            raise NotStored("the object is shorter than it was")
        return bytes(found)

    @override
    async def remove(self, name: str) -> None:
        check_name(name)
        with _faults():
            try:
                await obstore.delete_async(self._store, name)
            except FileNotFoundError as error:
                if is_bucket_missing(error):
                    raise

    @override
    async def entries(self) -> AsyncIterator[StoredEntry]:
        with _faults():
            async for listed in obstore.list(self._store, chunk_size=_LISTED_AT_ONCE):
                for each in listed:
                    changed = each["last_modified"].timestamp()
                    yield StoredEntry(each["path"], each["size"], changed)


def _open(access: ObjectStoreAccess) -> S3Store:
    secret = access.secret_access_key
    options: dict[str, str] = {}
    if access.endpoint is not None:
        options["endpoint"] = access.endpoint
    if access.access_key_id is not None and secret is not None:
        options["access_key_id"] = access.access_key_id.get_secret_value()
        options["secret_access_key"] = secret.get_secret_value()
    try:
        return S3Store(
            access.bucket,
            prefix=access.prefix or None,
            region=access.region,
            virtual_hosted_style_request=False,
            client_options={
                "allow_http": (access.endpoint or "").startswith("http://"),
                "timeout": timedelta(seconds=access.request_max_s),
                "connect_timeout": timedelta(seconds=access.connect_max_s),
            },
            retry_config={
                "max_retries": access.retries_max,
                "retry_timeout": timedelta(seconds=access.request_max_s),
            },
            **options,  # type: ignore[arg-type]  # endpoint and keys, by name
        )
    except (BaseError, ValueError):
        # Its text quotes what was given, secrets too.
        raise BadInput("the object store's settings cannot be used") from None


@contextmanager
def _faults() -> Iterator[None]:
    """Tell failures apart."""
    try:
        yield
    except AlreadyExistsError:
        raise AlreadyStored("there is an object of this name") from None
    except FileNotFoundError as error:
        if is_bucket_missing(error):
            raise down(error) from None
        raise NotStored("there is no such object") from None
    except (BaseError, OSError, ValueError) as error:
        raise down(error) from None
    except Exception as error:
        # What obstore makes of answers that it did not foresee; its class cannot be imported.
        if type(error).__name__ != "RustPanic":
            raise
        raise down(error) from None
