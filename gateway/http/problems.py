"""Every refusal as RFC 9457 problem+json: one class, one table from our errors to it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as part
from http import HTTPStatus

from aiohttp import web
from pydantic import ValidationError
from pydantic_core import ErrorDetails

from gateway.core.call.problems import META_UNREACHABLE, of_refusal
from gateway.core.errors import (
    BadInput,
    BadSdp,
    CallgateError,
    Forbidden,
    MediaAway,
    MediaRefused,
    MetaFault,
    NotFound,
    NotOwner,
    Refused,
    StoreDown,
    VersionConflict,
    WhatsAppRefused,
    WhatsAppUnclear,
)
from gateway.ports import Json

CONTENT_TYPE = "application/problem+json"


@dataclass(frozen=True, slots=True)
class Problem:
    """What went wrong, for the web app (`code`) and for people (`detail`)."""

    status: int
    code: str
    detail: str
    field: str | None = None
    meta: MetaFault | None = None
    headers: Mapping[str, str] = part(default_factory=dict)

    def as_json(self) -> dict[str, Json]:
        """The body of the answer."""
        body: dict[str, Json] = {
            "type": "about:blank",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
        }
        if self.field is not None:
            body["field"] = self.field
        if self.meta is not None:
            body["meta"] = {
                "code": self.meta.code,
                "message": self.meta.message,
                "details": self.meta.details,
            }
        return body

    def as_response(self) -> web.Response:
        """The answer itself."""
        return web.Response(
            status=self.status,
            body=json.dumps(self.as_json()).encode(),
            content_type=CONTENT_TYPE,
            headers=self.headers,
        )


class Refusal(Exception):
    """Raised by handlers that refuse for reasons of HTTP itself."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.code)
        self.problem = problem


def refuse(status: int, code: str, detail: str, *, field: str | None = None) -> Refusal:
    """Make what a handler raises."""
    return Refusal(Problem(status, code, detail, field))


def retry_after(seconds: float | None) -> dict[str, str]:
    """Header for answers that may be asked again later, at least one second."""
    return {} if seconds is None else {"Retry-After": str(max(1, round(seconds)))}


_AWAY = {"Retry-After": "2"}
_PLAIN: Mapping[type[CallgateError], Problem] = {
    NotFound: Problem(404, "not_found", "There is no such thing."),
    WhatsAppUnclear: Problem(
        503, "meta_unclear", "WhatsApp did not answer clearly; the call may have gone on."
    ),
    MediaAway: Problem(
        503,
        "media_away",
        "The audio part of the gateway is away; try again in a moment.",
        headers=_AWAY,
    ),
    StoreDown: Problem(
        503,
        "store_down",
        "The database cannot be reached; try again in a moment.",
        headers=_AWAY,
    ),
    VersionConflict: Problem(409, "conflict", "Somebody else changed this first; try again."),
    NotOwner: Problem(409, "conflict", "The call has moved to another node; try again."),
}


def problem_of_error(error: CallgateError) -> Problem:
    """Translate our errors; the only place that does."""
    plain = _PLAIN.get(type(error))
    if plain is not None:
        return plain
    match error:
        case WhatsAppRefused():
            return _refused_by_meta(error)
        case MediaRefused():
            return _refused_by_media(error)
        case BadInput():
            return _bad_input(error)
        case _:
            return internal()


def _bad_input(error: BadInput) -> Problem:
    match error:
        case BadSdp():
            return Problem(422, "bad_sdp", str(error))
        case Forbidden():
            return Problem(403, "forbidden", str(error) or "You may not do this.")
        case Refused(code="too_many_logins"):
            return Problem(429, error.code, str(error), headers=retry_after(1))
        case Refused():
            return Problem(409, error.code, str(error))
        case _:
            return Problem(422, "bad_value", str(error))


def _refused_by_meta(error: WhatsAppRefused) -> Problem:
    """Meta's refusals are the world's state, not a broken gateway: proxies keep 409 whole."""
    headers = retry_after(error.retry_after_s)
    told = of_refusal(error.fault)
    status = {"rate_limited": 429, META_UNREACHABLE.code: 503}.get(told.code, 409)
    return Problem(status, told.code, told.detail, meta=told.fault, headers=headers)


def _refused_by_media(error: MediaRefused) -> Problem:
    match error.code:
        case "bad_sdp":
            return Problem(422, "bad_sdp", str(error))
        case "no_such_leg":
            return Problem(409, "leg_gone", "That audio connection is gone; make a new one.")
        case "conflict":
            return Problem(409, "leg_not_ready", str(error))
        case _:
            return Problem(503, "media_away", str(error), headers=_AWAY)


def internal() -> Problem:
    """A fault of ours; what it was stands in the log alone."""
    return Problem(500, "internal", "The gateway made a mistake; it has been logged.")


_CODES_OF_STATUS = {
    400: "bad_value",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "payload_too_large",
    415: "unsupported_media_type",
}


def problem_of_status(error: web.HTTPException) -> Problem:
    """Give aiohttp's own refusals (no route, wrong method, too large) our shape."""
    code = _CODES_OF_STATUS.get(error.status, "bad_value" if error.status < 500 else "internal")  # noqa: PLR2004
    kept = {
        name: error.headers[name] for name in ("Allow", "Retry-After") if name in error.headers
    }
    return Problem(error.status, code, f"{HTTPStatus(error.status).phrase}.", headers=kept)


def problem_of_shape(error: ValidationError) -> Problem:
    """Name the first field that is wrong. Values are not repeated: they may be secrets."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    code = _code_of_shape(first)
    return Problem(422, code, f"{name or 'The body'}: {first['msg']}", field=name)


def _code_of_shape(error: ErrorDetails) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        return "unknown_field"
    if kind == "missing":
        return "missing_field"
    is_type = kind.endswith(("_type", "_parsing")) or kind == "is_instance_of"
    return "wrong_type" if is_type else "bad_value"
