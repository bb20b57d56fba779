"""Takes a webhook delivery apart into inner events, each stored and deduplicated by itself.

Calling API, "Webhooks". Meta batches up to 1,000 changes in a POST, repeats what it believes
lost, and adds fields and events without notice: nothing here fails because one item is odd.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from gateway.core.ids import PhoneNumberId, Wacid
from gateway.ports.webhooks import InboxItem

ITEMS_MAX = 20_000
"""Inner events of one delivery that are taken apart; a longer one is kept as one item."""
UNREADABLE_CHARS_MAX = 256 * 1024
CONTACTS_MAX = 20
ID_CHARS_MAX = 256
NEWS = frozenset(
    {
        "connect",
        "terminate",
        "status",
        "call_recording_available",
        "call_transcription_available",
        "call_transcript_available",
    }
)
"""Kinds that somebody works on; all others are only kept."""

_KIND = re.compile(r"[a-z][a-z0-9_]{0,63}")
_ID = re.compile(r"[\x21-\x7e]+")
_PERSON_KEYS = (
    "from",
    "from_user_id",
    "to",
    "to_user_id",
    "recipient_id",
    "recipient_user_id",
)
_IDENTITY_KEYS = ("wa_id", "user_id")

Object = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Change:
    """One `changes[]` element and what it stands in."""

    field: str
    waba_id: str
    time: object
    value: Object

    @property
    def phone_number_id(self) -> PhoneNumberId | None:
        metadata = _object(self.value.get("metadata"))
        settings = _object(self.value.get("phone_number_settings"))
        found = _id(metadata.get("phone_number_id") or settings.get("phone_number_id"))
        return PhoneNumberId(found) if found else None


def split_delivery(body: bytes) -> Sequence[InboxItem]:
    """Return the inner events of a delivery whose signature was right.

    A body that is no JSON object is kept whole, as one item of kind `unknown`.
    """
    items: dict[str, InboxItem] = {}
    try:
        delivery = json.loads(body, parse_constant=_no_constant)
        for item in _items(_object(delivery)):
            items.setdefault(item.dedup_key, item)
            if len(items) > ITEMS_MAX:
                return [_unreadable(body)]
    except (ValueError, RecursionError):
        return [_unreadable(body)]
    return list(items.values()) or [_unreadable(body)]


def _items(delivery: Object) -> Iterator[InboxItem]:
    for entry in _objects_or_odd(delivery.get("entry")):
        if not isinstance(entry, dict):
            yield _odd("entry", entry)
            continue
        for change in _objects_or_odd(entry.get("changes")):
            value = change.get("value") if isinstance(change, dict) else None
            if not isinstance(change, dict) or not isinstance(value, dict):
                yield _odd("change", change)
                continue
            field = change.get("field")
            yield from _inner_events(
                _Change(
                    field=field if isinstance(field, str) else "",
                    waba_id=str(entry.get("id", ""))[:ID_CHARS_MAX],
                    time=entry.get("time"),
                    value=value,
                )
            )


def _inner_events(change: _Change) -> Iterator[InboxItem]:
    found = False
    if change.field == "calls":
        for call in _objects_or_odd(change.value.get("calls")):
            found = True
            yield _call_item(change, call)
        for status in _objects_or_odd(change.value.get("statuses")):
            found = True
            yield _status_item(change, status)
    elif change.field == "messages":
        for message in _objects_or_odd(change.value.get("messages")):
            found = True
            yield _plain_item(change, _message_kind(message), message)
        for status in _objects_or_odd(change.value.get("statuses")):
            found = True
            yield _plain_item(change, "message_status", status)
    if not found:
        kind = "errors" if change.value.get("errors") else _kind(change.field)
        yield _plain_item(change, kind, change.value)


def _call_item(change: _Change, call: object) -> InboxItem:
    if not isinstance(call, dict) or _id(call.get("id")) is None:
        return _plain_item(change, "unknown", call)
    media = _object(_object(call.get("call_recording")).get("audio"))
    transcript = _object(_object(call.get("call_transcript")).get("document"))
    event = _kind(call.get("event"))
    return _item(
        change,
        kind=event,
        item=call,
        wacid=_id(call.get("id")),
        identity=(
            event,
            *(_same(call.get(key)) for key in ("status", "timestamp")),
            *(_same(part.get("id")) for part in (media, transcript)),
        ),
    )


def _status_item(change: _Change, status: object) -> InboxItem:
    is_of_call = isinstance(status, dict) and status.get("type") == "call"
    if not isinstance(status, dict) or not is_of_call or _id(status.get("id")) is None:
        return _plain_item(change, "unknown", status)
    return _item(
        change,
        kind="status",
        item=status,
        wacid=_id(status.get("id")),
        identity=("status", *(_same(status.get(key)) for key in ("status", "timestamp"))),
    )


def _message_kind(message: object) -> str:
    interactive = _object(_object(message).get("interactive"))
    if interactive.get("type") == "call_permission_reply":
        return "call_permission_reply"
    return "message"


def _plain_item(change: _Change, kind: str, item: object) -> InboxItem:
    """Store an event that has no documented identity: it is itself its identity."""
    return _item(
        change,
        kind=kind,
        item=item,
        wacid=None,
        identity=(change.waba_id, change.field, change.time, item),
    )


def _item(
    change: _Change,
    *,
    kind: str,
    item: object,
    wacid: str | None,
    identity: tuple[object, ...],
) -> InboxItem:
    number = change.phone_number_id
    payload = {
        "field": change.field,
        "metadata": _object(change.value.get("metadata")),
        "contacts": _contacts_of(change, item),
        "errors": _errors_of(change, item),
        "item": item,
    }
    return InboxItem(
        dedup_key=_digest(number, wacid, *identity),
        kind=kind,
        phone_number_id=number,
        wacid=Wacid(wacid) if wacid else None,
        payload=_dump(payload),
        is_news=kind in NEWS,
    )


def _contacts_of(change: _Change, item: object) -> list[Any]:
    """Return the contacts an item speaks of; all of them if it is alone."""
    contacts = change.value.get("contacts")
    if not isinstance(contacts, list):
        return []
    if _is_alone(change):
        return contacts[:CONTACTS_MAX]
    people = {_object(item).get(key) for key in _PERSON_KEYS if _object(item).get(key)}
    return [
        contact
        for contact in contacts
        if any(_object(contact).get(key) in people for key in _IDENTITY_KEYS)
    ][:CONTACTS_MAX]


def _errors_of(change: _Change, item: object) -> list[Any]:
    """Return `value.errors`, which tell why a call failed, unless the item has its own."""
    errors = change.value.get("errors")
    call = _object(item)
    if not isinstance(errors, list) or call.get("errors"):
        return []
    has_failed = str(call.get("status", "")).lower() == "failed"
    return errors[:CONTACTS_MAX] if has_failed or _is_alone(change) else []


def _is_alone(change: _Change) -> bool:
    count = 0
    for key in ("calls", "statuses", "messages"):
        part = change.value.get(key)
        count += len(part) if isinstance(part, list) else 0
    return count <= 1


def _unreadable(body: bytes) -> InboxItem:
    text = body.decode("utf-8", errors="replace")[:UNREADABLE_CHARS_MAX]
    return InboxItem(
        dedup_key=hashlib.sha256(body).hexdigest(),
        kind="unknown",
        phone_number_id=None,
        wacid=None,
        payload=_dump({"field": "", "unreadable": text}),
        is_news=False,
    )


def _odd(where: str, part: object) -> InboxItem:
    return InboxItem(
        dedup_key=_digest(where, part),
        kind="unknown",
        phone_number_id=None,
        wacid=None,
        payload=_dump({"field": "", "item": part}),
        is_news=False,
    )


def _digest(*parts: object) -> str:
    return hashlib.sha256(_dump(parts).encode()).hexdigest()


def _dump(value: object) -> str:
    # Pure ASCII: neither NUL nor a lone surrogate ever reaches a database as a character.
    return json.dumps(value, separators=(",", ":"), sort_keys=True)


def _same(value: object) -> object:
    """Make equal what Meta writes now as a number, now as text, now in capitals."""
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value.upper() if isinstance(value, str) else value


def _kind(value: object) -> str:
    return value if isinstance(value, str) and _KIND.fullmatch(value) else "unknown"


def _id(value: object) -> str | None:
    is_usable = isinstance(value, str) and len(value) <= ID_CHARS_MAX
    return value if is_usable and isinstance(value, str) and _ID.fullmatch(value) else None


def _object(value: object) -> Object:
    return value if isinstance(value, dict) else {}


def _objects_or_odd(value: object) -> Sequence[Any]:
    """Return a list's elements; anything else that is there counts as one odd element."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")
