"""Graph API errors: Meta's codes with their HTTP status, and the envelope they come in."""

import secrets
import string
from http import HTTPStatus

_TITLES: dict[int, tuple[int, str]] = {
    # Cloud API and Graph in general.
    1: (500, "An unknown error occurred"),
    2: (503, "Service temporarily unavailable"),
    100: (400, "Invalid parameter"),
    190: (401, "Invalid OAuth access token"),
    613: (429, "Calls to this API have exceeded the rate limit"),
    2635: (400, "You are calling a deprecated version of the API"),
    131026: (400, "Message undeliverable"),
    131047: (400, "Re-engagement message"),
    # Calling.
    138000: (401, "Calling not enabled"),
    138001: (400, "Receiver uncallable"),
    138002: (429, "Limit reached for maximum concurrent calls"),
    138003: (400, "Duplicate call"),
    138004: (500, "Connection error"),
    138005: (429, "Call rate limit exceeded"),
    138006: (401, "No approved call permission from the recipient"),
    138007: (500, "Connection timeout error"),
    138008: (400, "SDP Validation error"),
    138009: (400, "Call permission request limit hit"),
    138012: (400, "Business initiated calls limit hit"),
    138013: (400, "Business initiated calling is not available"),
    138017: (400, "Call permission already permanent"),
    138021: (400, "Client did not receive media"),
}

_TRACE_LETTERS = string.ascii_letters + string.digits + "_-"


class GraphError(Exception):
    """A refusal; raised by whatever finds the fault, answered by the Graph API's middleware.

    `details` goes to `error_data.details`, where Meta explains SDP complaints and limits.
    """

    def __init__(
        self,
        code: int,
        details: str | None = None,
        *,
        message: str | None = None,
        subcode: int | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        status, title = _TITLES[code]
        super().__init__(message or f"(#{code}) {title}")
        self.code = code
        self.status = HTTPStatus(status)
        self.details = details
        self.subcode = subcode
        self.retry_after_s = retry_after_s

    def envelope(self, trace_id: str) -> dict[str, object]:
        """Return the JSON body."""
        error: dict[str, object] = {
            "message": str(self),
            "type": "OAuthException",
            "code": self.code,
        }
        if self.subcode is not None:
            error["error_subcode"] = self.subcode
        if self.details is not None:
            error["error_data"] = {"messaging_product": "whatsapp", "details": self.details}
        if self.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            error["is_transient"] = True
        error["fbtrace_id"] = trace_id
        return {"error": error}


def webhook_error(code: int, details: str) -> dict[str, object]:
    """Return an item of `errors[]` as terminate webhooks carry it."""
    return {
        "code": code,
        "title": _TITLES[code][1],
        "message": _TITLES[code][1],
        "href": "https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes/",
        "error_data": {"details": details},
    }


def new_trace_id() -> str:
    """Make an id of the shape of `fbtrace_id`."""
    return "A" + "".join(secrets.choice(_TRACE_LETTERS) for _ in range(22))
