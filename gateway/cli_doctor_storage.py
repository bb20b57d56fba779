"""The doctor's look at the object store: what recordings need of it, tried with an object."""

import asyncio
import io
import os

from gateway.adapters.object_store_faults import ObjectStoreDown, Trouble
from gateway.app_keeping import open_storage
from gateway.cli_doctor_findings import Finding, fault, warning, well
from gateway.core.errors import BadInput
from gateway.ports.storage import AlreadyStored, NotStored, Storage, StorageDown
from gateway.settings import Settings

_WHAT = "object store"
_REQUEST_MAX_S = 10.0
_PROBE_BYTES = 4096
_PART = slice(1000, 1100)
_KEYS = "CALLGATE_STORAGE_ACCESS_KEY_ID and CALLGATE_STORAGE_SECRET_ACCESS_KEY"
_ADVICE = {
    Trouble.KEY: f"set {_KEYS} to a key that the store knows and that has not expired",
    Trouble.SECRET: "set CALLGATE_STORAGE_SECRET_ACCESS_KEY to the secret of that key",
    Trouble.NO_KEY: f"set {_KEYS}, or give this machine a role that may use the bucket",
    Trouble.RIGHT: "let the key create, read, list and delete there (s3:PutObject, "
    "s3:GetObject, s3:ListBucket, s3:DeleteObject), or set another key",
    Trouble.CLOCK: "switch on time synchronisation (systemd-timesyncd, chrony)",
    Trouble.BUCKET: "make the bucket, or name another in CALLGATE_STORAGE_URL",
    Trouble.REGION: "set CALLGATE_STORAGE_REGION to the region of the bucket",
    Trouble.CREATE_ONLY: "recordings need a store that can create without replacing "
    "(If-None-Match): update it, or choose another",
    Trouble.CERTIFICATE: "give the store a certificate that this machine trusts, for the name "
    "in CALLGATE_STORAGE_ENDPOINT",
    Trouble.TLS: "let CALLGATE_STORAGE_ENDPOINT begin with http://, or switch on TLS there",
    Trouble.NAME: "check CALLGATE_STORAGE_ENDPOINT and CALLGATE_STORAGE_REGION, and the name "
    "server of this machine",
    Trouble.UNREACHABLE: "start the store, or check CALLGATE_STORAGE_ENDPOINT and the firewall",
    Trouble.SILENT: "check the network and the store's load, then "
    "CALLGATE_STORAGE_REQUEST_MAX_S",
    Trouble.FULL: "make room in the store: recordings stay on this machine until then",
    Trouble.OTHER: "check CALLGATE_STORAGE_URL and CALLGATE_STORAGE_ENDPOINT, and its log",
}
_LYING = "do not keep recordings there: what it tells is not what it has"


async def check_object_store(settings: Settings) -> list[Finding]:
    """Create, read, list and delete an object, if there is to be a store at all."""
    bounds = {
        "storage_request_max_s": min(settings.storage_request_max_s, _REQUEST_MAX_S),
        "storage_retries_max": 0,
    }
    try:
        store = open_storage(settings.model_copy(update=bounds))
    except BadInput as error:
        return [
            fault(_WHAT, str(error), "check the settings that begin with CALLGATE_STORAGE_")
        ]
    if store is None:
        return []
    # A name that no recording has: their folders are named by accounts.
    name = f"doctor/{os.urandom(8).hex()}"
    began = asyncio.get_running_loop().time()
    finding = await _use(store, name) or await _remove(store, name)
    if finding is not None:
        return [finding]
    took_ms = (asyncio.get_running_loop().time() - began) * 1000
    return [well(_WHAT, f"creates, reads, lists and deletes, in {took_ms:.0f} ms")]


async def _use(store: Storage, name: str) -> Finding | None:
    content = os.urandom(_PROBE_BYTES)
    doing = "create"
    try:
        await store.put(name, io.BytesIO(content), len(content))
        doing = "read"
        whole = await store.read(name, 0, len(content))
        part = await store.read(name, _PART.start, _PART.stop - _PART.start)
        doing = "create again"
        is_replaced = await _is_replaced(store, name)
        doing = "list"
        async for _ in store.entries():
            break
    except StorageDown as down:
        if doing != "create":
            await _remove(store, name)
        return _told(doing, down)
    except (AlreadyStored, NotStored) as error:
        return fault(_WHAT, f"{doing}: {error}", _LYING)
    if whole != content or part != content[_PART]:
        await _remove(store, name)
        return fault(_WHAT, "read: it gives back something else", _LYING)
    if is_replaced:
        await _remove(store, name)
        return fault(_WHAT, "create again: it replaced it", _ADVICE[Trouble.CREATE_ONLY])
    return None


async def _is_replaced(store: Storage, name: str) -> bool:
    try:
        await store.put(name, io.BytesIO(b"other"), 5)
    except AlreadyStored:
        return False
    return True


async def _remove(store: Storage, name: str) -> Finding | None:
    try:
        await store.remove(name)
        is_left = await store.size(name) is not None
    except StorageDown as down:
        return _told(f"delete {name}", down)
    if is_left:
        return warning(
            _WHAT,
            f"delete: {name} is still there",
            "look whether the bucket forbids it (lock, retention)",
        )
    return None


def _told(doing: str, down: StorageDown) -> Finding:
    trouble = down.trouble if isinstance(down, ObjectStoreDown) else Trouble.OTHER
    return fault(_WHAT, f"{doing}: {down}", _ADVICE[trouble])
