"""Bodies of `POST /{phone_number_id}/calls`, checked as the Calling reference says."""

from dataclasses import dataclass

from sandbox.errors import GraphError

OPAQUE_CHARACTERS_MAX = 512
PURPOSE_CHARACTERS_MAX = 250
ANNOUNCEMENT_LANGUAGES = frozenset(
    {
        *("en", "en_US", "en_AU", "en_CA", "en_GB", "en_IN", "en_NZ"),
        *("nl", "fr", "de", "hi", "it", "kn", "pt", "es", "es_ES", "te", "vi"),
    }
)

_Fields = dict[str, object]
_COMMON = {"messaging_product", "action"}
_ALLOWED: dict[str, set[str]] = {
    "connect": _COMMON
    | {"to", "recipient", "session", "biz_opaque_callback_data", "recording", "transcription"},
    "pre_accept": _COMMON | {"call_id", "session"},
    "accept": _COMMON
    | {"call_id", "session", "biz_opaque_callback_data", "recording", "transcription"},
    "reject": _COMMON | {"call_id"},
    "terminate": _COMMON | {"call_id"},
}


@dataclass(frozen=True, slots=True)
class Announced:
    """A recording or transcription that was asked for and is announced to both parties."""

    purpose: str
    announcement_language: str


@dataclass(frozen=True, slots=True)
class ConnectRequest:
    """The business calls a user."""

    to: str | None
    recipient: str | None
    sdp: str
    biz_opaque_callback_data: str | None
    recording: Announced | None
    transcription: Announced | None


@dataclass(frozen=True, slots=True)
class PreAcceptRequest:
    """The business prepares the media of a user's call."""

    call_id: str
    sdp: str


@dataclass(frozen=True, slots=True)
class AcceptRequest:
    """The business answers a user's call."""

    call_id: str
    sdp: str
    biz_opaque_callback_data: str | None
    recording: Announced | None
    transcription: Announced | None


@dataclass(frozen=True, slots=True)
class RejectRequest:
    """The business declines a user's call."""

    call_id: str


@dataclass(frozen=True, slots=True)
class TerminateRequest:
    """The business hangs up."""

    call_id: str


CallsRequest = (
    ConnectRequest | PreAcceptRequest | AcceptRequest | RejectRequest | TerminateRequest
)


def parse_calls_request(body: object) -> CallsRequest:
    """Check a body; raise `GraphError` with code 100 that names the parameter."""
    if not isinstance(body, dict):
        raise GraphError(100, "The body must be a JSON object")
    fields: _Fields = body
    if fields.get("messaging_product") != "whatsapp":
        raise _invalid("messaging_product", "must be whatsapp")
    action = _text(fields, "action")
    allowed = _ALLOWED.get(action)
    if allowed is None:
        raise _invalid("action", f"must be one of {', '.join(sorted(_ALLOWED))}")
    for name in fields:
        if name not in allowed:
            raise GraphError(100, message=f'(#100) Unexpected key "{name}" on param "$".')
    return _request(action, fields)


def _request(action: str, fields: _Fields) -> CallsRequest:
    if action == "connect":
        to, recipient = _optional(fields, "to"), _optional(fields, "recipient")
        if to is None and recipient is None:
            raise _missing("to")
        return ConnectRequest(
            to=to,
            recipient=recipient,
            sdp=_session(fields, "offer"),
            biz_opaque_callback_data=_opaque(fields),
            recording=_announced(fields, "recording"),
            transcription=_announced(fields, "transcription"),
        )
    call_id = _text(fields, "call_id")
    if action == "pre_accept":
        return PreAcceptRequest(call_id=call_id, sdp=_session(fields, "answer"))
    if action == "accept":
        return AcceptRequest(
            call_id=call_id,
            sdp=_session(fields, "answer"),
            biz_opaque_callback_data=_opaque(fields),
            recording=_announced(fields, "recording"),
            transcription=_announced(fields, "transcription"),
        )
    if action == "reject":
        return RejectRequest(call_id=call_id)
    return TerminateRequest(call_id=call_id)


def _missing(name: str) -> GraphError:
    return GraphError(100, message=f"(#100) The parameter {name} is required.")


def _invalid(name: str, rule: str) -> GraphError:
    return GraphError(100, f"{name} {rule}", message=f"(#100) Param {name} is not valid")


def _text(fields: _Fields, name: str) -> str:
    value = _optional(fields, name)
    if value is None:
        raise _missing(name)
    return value


def _optional(fields: _Fields, name: str) -> str | None:
    value = fields.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        raise _invalid(name, "must be a non-empty string")
    return value


def _opaque(fields: _Fields) -> str | None:
    value = _optional(fields, "biz_opaque_callback_data")
    if value is not None and len(value) > OPAQUE_CHARACTERS_MAX:
        raise _invalid("biz_opaque_callback_data", "must have at most 512 characters")
    return value


def _object(fields: _Fields, name: str, allowed: set[str]) -> _Fields:
    value = fields[name]
    if not isinstance(value, dict):
        raise _invalid(name, "must be an object")
    for key in value:
        if key not in allowed:
            raise GraphError(100, message=f'(#100) Unexpected key "{key}" on param "{name}".')
    return value


def _session(fields: _Fields, sdp_type: str) -> str:
    if "session" not in fields:
        raise _missing("session")
    session = _object(fields, "session", {"sdp_type", "sdp"})
    if _text(session, "sdp_type") != sdp_type:
        raise _invalid("session.sdp_type", f"must be {sdp_type} for this action")
    return _text(session, "sdp")


def _announced(fields: _Fields, name: str) -> Announced | None:
    """Check a `recording` or `transcription` object; None when there is none or it is off."""
    if name not in fields:
        return None
    asked = _object(fields, name, {"status", "purpose", "announcement_language"})
    status = _text(asked, "status")
    if status == "DISABLED":
        return None
    if status != "ENABLED":
        raise _invalid(f"{name}.status", "must be ENABLED or DISABLED")
    purpose = _text(asked, "purpose")
    if len(purpose) > PURPOSE_CHARACTERS_MAX:
        raise _invalid(f"{name}.purpose", "must have at most 250 characters")
    language = _text(asked, "announcement_language")
    if language not in ANNOUNCEMENT_LANGUAGES:
        raise _invalid(f"{name}.announcement_language", "is not supported")
    return Announced(purpose=purpose, announcement_language=language)
