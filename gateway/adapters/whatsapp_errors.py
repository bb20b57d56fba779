"""What Graph says when it refuses: the error envelope, and what its codes allow us to do.

Meta, "Cloud API error codes" and "Calling API, Error codes". Decided by `code`, never by the
HTTP status: the two have been seen to disagree.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError, ValidationInfo, field_validator

from gateway.core.errors import MetaFault

DETAILS_CHARS_MAX = 1_000

BAD_PARAMETER = 100
CALLING_CODES = range(138_000, 139_000)
TEMPORARY = frozenset({1, 2, 131000, 131016, 133004})
"""Codes by which Graph says that it does not know itself what happened."""
RATE_LIMITED = frozenset({4, 17, 32, 613, 80007, 130429, 131056, 138002, 138005})
"""Refused for their number, without effect; the same request may pass later."""

_IN_PROGRESS = re.compile(
    r"\b(in[ -]progress"
    r"|already (been )?(pre[-_ ]?)?(accepted|answered|connected|active|on-?going))\b",
    re.IGNORECASE,
)
_OVER = re.compile(
    r"\b(already (been )?(ended|terminated|completed|rejected|failed|over|hung up)"
    r"|(has|was|is) (already )?(been )?(ended|terminated|completed|rejected|failed|over)"
    r"|no longer|not (found|active|in progress)|does not exist|terminat\w+ in progress"
    r"|reject\w* (is )?(already )?(under ?way|in progress)"
    r"|(call|user) (already )?(ended|hung up))\b",
    re.IGNORECASE,
)


class _ErrorBody(BaseModel):
    """`error` of a Graph answer; unknown fields are Meta's business."""

    model_config = ConfigDict(extra="ignore")

    code: int
    message: str = ""
    error_subcode: int | None = None
    error_data: Any = None
    error_user_msg: str | None = None
    fbtrace_id: str = ""
    is_transient: bool = False

    @field_validator("message", "fbtrace_id", mode="before")
    @classmethod
    def _text(cls, value: object) -> str:
        return value if isinstance(value, str) else ""

    @field_validator("error_subcode", "error_user_msg", mode="before")
    @classmethod
    def _optional(cls, value: object, info: ValidationInfo) -> object:
        expected = int if info.field_name == "error_subcode" else str
        return value if isinstance(value, expected) else None

    @field_validator("is_transient", mode="before")
    @classmethod
    def _flag(cls, value: object) -> bool:
        return value is True

    @property
    def details(self) -> str:
        """The sentence that tells most: `error_data.details`, else the one for people."""
        if isinstance(self.error_data, dict):
            told = self.error_data.get("details")
            if isinstance(told, str) and told:
                return told
        if isinstance(self.error_data, str) and self.error_data:
            return self.error_data
        return self.error_user_msg or ""


class _Envelope(BaseModel):
    """An answer of Graph that holds an error."""

    model_config = ConfigDict(extra="ignore")

    error: _ErrorBody


@dataclass(frozen=True, slots=True)
class Refusal:
    """A readable refusal: the fault, and whether Graph vouches that nothing happened."""

    fault: MetaFault
    is_definite: bool
    """False if Graph itself calls the failure temporary: the effect is then unknown."""

    @property
    def is_rate_limit(self) -> bool:
        """The same request may pass later."""
        return self.fault.code in RATE_LIMITED


def read_refusal(body: bytes, *, http_status: int) -> Refusal | None:
    """Return the refusal that an answer holds, or None if it holds none we can read."""
    try:
        error = _Envelope.model_validate(json.loads(body)).error
    except (ValueError, ValidationError, RecursionError):
        return None
    fault = MetaFault(
        code=error.code,
        message=error.message[:DETAILS_CHARS_MAX],
        details=error.details[:DETAILS_CHARS_MAX],
        subcode=error.error_subcode,
        http_status=http_status,
        fbtrace_id=error.fbtrace_id[:128],
    )
    is_temporary = error.is_transient or error.code in TEMPORARY
    return Refusal(fault=fault, is_definite=error.code in RATE_LIMITED or not is_temporary)


def says_in_progress(fault: MetaFault) -> bool:
    """Whether an `accept` was refused because the call is up already.

    Meta documents the failure but no code for it, so its words decide.
    """
    return any(_IN_PROGRESS.search(text) for text in (fault.message, fault.details))


def says_over(fault: MetaFault) -> bool:
    """Whether a `reject` or `terminate` was refused because there is nothing left to end."""
    is_about_the_call = fault.code == BAD_PARAMETER or fault.code in CALLING_CODES
    return is_about_the_call and any(
        _OVER.search(text) for text in (fault.message, fault.details)
    )
