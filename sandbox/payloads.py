"""Bodies of the webhooks, as the Calling reference prints them."""

from dataclasses import dataclass
from enum import StrEnum

from sandbox.config import BusinessNumber
from sandbox.users import WhatsAppUser

Json = dict[str, object]


class Direction(StrEnum):
    """Who began a call, in the words of the webhooks."""

    USER_INITIATED = "USER_INITIATED"
    BUSINESS_INITIATED = "BUSINESS_INITIATED"


@dataclass(frozen=True, slots=True)
class CallIdentity:
    """What every webhook of a call repeats."""

    wacid: str
    direction: Direction
    user: WhatsAppUser
    number: BusinessNumber
    biz_opaque_callback_data: str | None = None
    deeplink_payload: str | None = None
    cta_payload: str | None = None


@dataclass(frozen=True, slots=True)
class Ending:
    """How a call ended; the times only if it was picked up."""

    status: str
    started_at: float | None = None
    ended_at: float | None = None
    error: Json | None = None


def connect_payload(call: CallIdentity, at: float, sdp_type: str, sdp: str) -> Json:
    """The webhook that carries an SDP: an offer (UIC) or an answer (BIC)."""
    item = _call_item(call, "connect", at) | {"session": {"sdp_type": sdp_type, "sdp": sdp}}
    return _envelope(call.number, "calls", call.user, {"calls": [item]})


def status_payload(call: CallIdentity, at: float, status: str) -> Json:
    """The webhook that tells how a business's call fares at the user."""
    item: Json = {"id": call.wacid, "type": "call", "status": status, "timestamp": str(int(at))}
    item |= _user_fields("recipient_", call.user, "recipient_id")
    if call.biz_opaque_callback_data is not None:
        item["biz_opaque_callback_data"] = call.biz_opaque_callback_data
    return _envelope(call.number, "calls", call.user, {"statuses": [item]})


def terminate_payload(call: CallIdentity, at: float, ending: Ending) -> Json:
    """The webhook that ends a call."""
    item = _call_item(call, "terminate", at) | {"status": ending.status}
    if ending.started_at is not None and ending.ended_at is not None:
        item["start_time"] = str(int(ending.started_at))
        item["end_time"] = str(int(ending.ended_at))
        item["duration"] = int(ending.ended_at) - int(ending.started_at)
    value: Json = {"calls": [item]}
    if ending.error is not None:
        item["errors"] = [ending.error]
        value["errors"] = [ending.error]
    return _envelope(call.number, "calls", call.user, value)


def announcement_payload(call: CallIdentity, at: float, event: str, content: Json) -> Json:
    """A recording or transcript is there; these events have neither `to` nor `contacts`."""
    item: Json = {"id": call.wacid, "timestamp": str(int(at)), "event": event}
    item |= _user_fields("from_", call.user, "from") | content
    return _envelope(call.number, "calls", None, {"calls": [item]})


@dataclass(frozen=True, slots=True)
class PermissionAnswer:
    """What a user said to a request for permission; `context_id` is what they reply to."""

    is_accepted: bool
    is_permanent: bool
    expires_at: float | None
    is_automatic: bool
    context_id: str | None


def permission_payload(
    number: BusinessNumber,
    user: WhatsAppUser,
    message_id: str,
    at: float,
    said: PermissionAnswer,
) -> Json:
    """The webhook with a user's answer to a request for permission."""
    reply: Json = {"response": "accept" if said.is_accepted else "reject"}
    if said.is_accepted:
        reply["is_permanent"] = said.is_permanent
    if said.expires_at is not None:
        reply["expiration_timestamp"] = str(int(said.expires_at))
    reply["response_source"] = "automatic" if said.is_automatic else "user_action"
    message = _user_fields("from_", user, "from")
    message |= {"id": message_id, "timestamp": str(int(at))}
    if said.context_id is not None:
        context: Json = {"id": said.context_id}
        message["context"] = ({"from": user.wa_id} if user.wa_id else {}) | context
    message["type"] = "interactive"
    message["interactive"] = {"type": "call_permission_reply", "call_permission_reply": reply}
    return _envelope(number, "messages", user, {"messages": [message]})


def settings_payload(number: BusinessNumber, at: float, calling: Json) -> Json:
    """The webhook that tells of changed call settings."""
    value: Json = {
        "messaging_product": "whatsapp",
        "timestamp": str(int(at)),
        "type": "phone_number_settings",
        "phone_number_settings": {
            "phone_number_id": number.phone_number_id,
            "calling": calling,
        },
    }
    change: Json = {"value": value, "field": "account_settings_update"}
    entry: Json = {"id": number.waba_id, "changes": [change]}
    return {"object": "whatsapp_business_account", "entry": [entry]}


def _call_item(call: CallIdentity, event: str, at: float) -> Json:
    item: Json = {"id": call.wacid}
    business = call.number.display_phone_number
    if call.direction is Direction.USER_INITIATED:
        item |= {"to": business} | _user_fields("from_", call.user, "from")
    else:
        item |= {"from": business} | _user_fields("to_", call.user, "to")
    item |= {"event": event, "timestamp": str(int(at)), "direction": call.direction}
    optional = {
        "deeplink_payload": call.deeplink_payload,
        "cta_payload": call.cta_payload,
        "biz_opaque_callback_data": call.biz_opaque_callback_data,
    }
    return item | {name: value for name, value in optional.items() if value is not None}


def _user_fields(prefix: str, user: WhatsAppUser, phone_field: str) -> Json:
    fields: Json = {}
    if user.wa_id is not None:
        fields[phone_field] = user.wa_id
    fields[f"{prefix}user_id"] = user.user_id
    if user.parent_user_id is not None:
        fields[f"{prefix}parent_user_id"] = user.parent_user_id
    return fields


def _contact(user: WhatsAppUser) -> Json:
    profile = {"name": user.name, "username": user.username}
    contact: Json = {"profile": {key: value for key, value in profile.items() if value}}
    if user.wa_id is not None:
        contact["wa_id"] = user.wa_id
    contact["user_id"] = user.user_id
    if user.parent_user_id is not None:
        contact["parent_user_id"] = user.parent_user_id
    return contact


def _envelope(
    number: BusinessNumber, field: str, user: WhatsAppUser | None, content: Json
) -> Json:
    value: Json = {
        "messaging_product": "whatsapp",
        "metadata": {
            "display_phone_number": number.display_phone_number,
            "phone_number_id": number.phone_number_id,
        },
    }
    if user is not None:
        value["contacts"] = [_contact(user)]
    change: Json = {"value": value | content, "field": field}
    entry: Json = {"id": number.waba_id, "changes": [change]}
    return {"object": "whatsapp_business_account", "entry": [entry]}
