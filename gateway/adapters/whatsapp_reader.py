"""Port `ReadWebhook`: a stored inner event becomes a fact about a call."""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.adapters.whatsapp_webhook_models import (
    Available,
    Connect,
    Contact,
    Fault,
    Status,
    Terminate,
    with_session,
)
from gateway.core.errors import BadInput, MetaFault
from gateway.core.ids import CallId, PhoneNumberId, Wacid
from gateway.core.whatsapp import (
    BusinessConnect,
    CallStatus,
    FileAvailable,
    FileKind,
    Peer,
    StatusChanged,
    Terminated,
    UserConnect,
    WhatsAppEvent,
)
from gateway.ports.webhooks import InboxItem

_CALL_ID = re.compile(r"[0-9a-z]{26}")
_PHONE = re.compile(r"\+?([0-9]{4,20})")
_FILES = {
    "call_recording_available": FileKind.RECORDING,
    "call_transcription_available": FileKind.TRANSCRIPT,
    # Seen in the wild for the same.
    "call_transcript_available": FileKind.TRANSCRIPT,
}


def read_webhook(item: InboxItem) -> WhatsAppEvent | None:
    """See the port."""
    if item.kind not in {"connect", "terminate", "status", *_FILES}:
        return None
    if item.phone_number_id is None or item.wacid is None:
        raise BadInput("the event names no business number or no call")
    try:
        payload = json.loads(item.payload)
        inner, contacts = payload["item"], _contacts(payload.get("contacts", []))
        if item.kind == "connect":
            call = Connect.model_validate(with_session(inner))
            return _connected(item.phone_number_id, item.wacid, call, contacts)
        if item.kind in _FILES:
            told = Available.model_validate(inner)
            return _available(item.phone_number_id, item.wacid, told, _FILES[item.kind])
        if item.kind == "status":
            status = Status.model_validate(inner)
            return _status_changed(item.phone_number_id, item.wacid, status, contacts)
        if not inner.get("errors"):
            inner = {**inner, "errors": payload.get("errors", [])}
        inner["errors"] = _faults(inner["errors"])
        over = Terminate.model_validate(inner)
    except ValidationError as error:
        # Only where and what: the values are people's numbers and descriptions.
        raise BadInput("; ".join(_place(part) for part in error.errors()[:5])) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        raise BadInput("the stored event is not readable") from None
    return _terminated(item.phone_number_id, item.wacid, over)


def _connected(
    number: PhoneNumberId, wacid: Wacid, call: Connect, contacts: Sequence[Contact]
) -> WhatsAppEvent:
    if call.direction == "BUSINESS_INITIATED":
        if call.session.sdp_type != "answer":
            raise BadInput("a call that we started came back with an offer")
        return BusinessConnect(
            phone_number_id=number,
            wacid=wacid,
            at=float(call.timestamp),
            answer=call.session.sdp,
            call_id=_call_id(call.biz_opaque_callback_data),
        )
    if call.session.sdp_type != "offer":
        raise BadInput("a user's call came without an offer")
    return UserConnect(
        phone_number_id=number,
        wacid=wacid,
        at=float(call.timestamp),
        peer=_peer(
            contacts,
            phone=call.from_phone,
            user_id=call.from_user_id,
            parent_user_id=call.from_parent_user_id,
        ),
        offer=call.session.sdp,
        deeplink_payload=call.deeplink_payload,
        cta_payload=call.cta_payload,
    )


def _status_changed(
    number: PhoneNumberId, wacid: Wacid, status: Status, contacts: Sequence[Contact]
) -> StatusChanged | None:
    try:
        known = CallStatus(status.status.upper())
    except ValueError:
        return None
    return StatusChanged(
        phone_number_id=number,
        wacid=wacid,
        at=float(status.timestamp),
        status=known,
        call_id=_call_id(status.biz_opaque_callback_data),
        peer=_peer(
            contacts,
            phone=status.recipient_id,
            user_id=status.recipient_user_id,
            parent_user_id=status.recipient_parent_user_id,
        ),
    )


def _terminated(number: PhoneNumberId, wacid: Wacid, over: Terminate) -> Terminated:
    return Terminated(
        phone_number_id=number,
        wacid=wacid,
        at=float(over.timestamp),
        failed=(over.status or "").lower() == "failed",
        start_at=None if over.start_time is None else float(over.start_time),
        end_at=None if over.end_time is None else float(over.end_time),
        duration_s=over.duration,
        faults=tuple(
            MetaFault(code=f.code, message=f.message or f.title or "", details=f.details)
            for f in over.errors
        ),
        call_id=_call_id(over.biz_opaque_callback_data),
    )


def _available(
    number: PhoneNumberId, wacid: Wacid, told: Available, kind: FileKind
) -> FileAvailable:
    recording, transcript = told.call_recording, told.call_transcript
    if kind is FileKind.RECORDING:
        file = None if recording is None else recording.audio
    else:
        file = None if transcript is None else transcript.document
    if file is None:
        raise BadInput("the event names no file")
    return FileAvailable(
        phone_number_id=number,
        wacid=wacid,
        at=float(told.timestamp),
        kind=kind,
        media_id=file.id,
        sha256=file.sha256,
        mime_type=file.mime_type,
        url=file.url,
    )


def _contacts(values: object) -> list[Contact]:
    if not isinstance(values, list):
        return []
    return [Contact.model_validate(value) for value in values if isinstance(value, dict)]


def _faults(values: object) -> list[Any]:
    """Keep the errors that have a code; a call's end matters more than a broken reason."""
    if not isinstance(values, list):
        return []
    found = []
    for value in values:
        try:
            found.append(Fault.model_validate(value))
        except ValidationError:
            continue
    return found


def _peer(
    contacts: Sequence[Contact],
    *,
    phone: str | None,
    user_id: str | None,
    parent_user_id: str | None,
) -> Peer:
    """Put together what is known of a person; contacts fill what the item leaves out."""
    contact = _contact_of(contacts, phone, user_id)
    digits = _digits(phone or contact.wa_id)
    name = contact.profile.name
    if name is not None and digits is not None and _digits(name) == digits:
        name = None  # Meta fills the name with the number when it has none.
    return Peer(
        phone=digits,
        user_id=user_id or contact.user_id,
        parent_user_id=parent_user_id or contact.parent_user_id,
        name=name,
        username=contact.profile.username,
    )


def _contact_of(contacts: Sequence[Contact], phone: str | None, user_id: str | None) -> Contact:
    for contact in contacts:
        if user_id and contact.user_id == user_id:
            return contact
        if phone and contact.wa_id and _digits(contact.wa_id) == _digits(phone):
            return contact
    is_only_candidate = len(contacts) == 1 and not (phone or user_id)
    return contacts[0] if is_only_candidate else Contact()


def _digits(phone: str | None) -> str | None:
    """Return the digits of a number; anything with letters is an id, never a number."""
    match = _PHONE.fullmatch(phone.replace(" ", "")) if phone else None
    return match.group(1) if match else None


def _call_id(opaque: str | None) -> CallId | None:
    """Our id, if the string is one: other apps of the business write here too."""
    return CallId(opaque) if opaque and _CALL_ID.fullmatch(opaque) else None


def _place(error: ErrorDetails) -> str:
    return f"{'.'.join(str(part) for part in error['loc'])}: {error['type']}"
