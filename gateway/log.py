"""Structured logs without personal data: one renderer, one redaction, for us and libraries."""

import hashlib
import logging
import logging.config
import re
import secrets
import sys
from collections.abc import Mapping
from typing import Any, Literal

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_HIDDEN = "[hidden]"
_TEXT_MAX = 8_000
_DEPTH_MAX = 6
_SALT = secrets.token_bytes(16)

# Fields whose values are never shown.
_SECRET_NAMES = re.compile(
    r"token|secret|password|passwd|authorization|cookie|sdp|credential|ice_pwd|ice_ufrag"
    r"|api_?key|signature|(^|_)offer$|(^|_)answer$",
    re.IGNORECASE,
)
# Fields whose values are replaced by a short keyed hash: lines about one person can still be
# told to belong together within one run of the program.
_PERSON_NAMES = re.compile(
    r"phone(?!_number_id)|wacid|wa_id|bsuid|(^|_)peer$|peer_(name|user)|callee|caller|email"
    r"|user_?name|parent_user_id|address|client_ip|(^|_)ip$|msisdn",
    re.IGNORECASE,
)
# Fields whose numbers are measures or public ids, however much they look like a phone number.
_PLAIN_NAMES = re.compile(
    r"^(at|level|logger|port|pid|version|epoch|seq|phone_number_id|waba_id)$"
    r"|_(s|ms|at|bytes|count|max|id)$"
)
_OCTET = r"(?:25[0-5]|2[0-4]\d|1?\d?\d)"
_HEX = r"[\da-fA-F]{1,4}"
_LOOK_ALIKES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"\bv=0\s.*", re.DOTALL), "[sdp]"),
    (re.compile(r"\ba=(?:candidate|ice-pwd|ice-ufrag|fingerprint):\S.*"), "[sdp]"),
    (re.compile(r"\bcandidate:\S+ \d .*"), "[candidate]"),
    (re.compile(r"\bwacid\.[\w=+/-]+"), "[wacid]"),
    (re.compile(r"\bEAA[A-Za-z0-9]{8,}"), "[token]"),
    (re.compile(r"\b(?:Bearer|Basic)\s+[\w.~+/=-]+", re.IGNORECASE), "[token]"),
    (re.compile(r"\b(?:access_token|appsecret_proof|verify_token)=[^&\s]+"), "[token]"),
    (re.compile(r"(?<=://)[^/\s:@]*:[^/\s@]+(?=@)"), "[credentials]"),
    (re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"), "[e-mail]"),
    (re.compile(rf"(?<![\w.]){_OCTET}(?:\.{_OCTET}){{3}}(?![\w.]*\d)"), "[ip]"),
    (re.compile(rf"(?<![\w:])(?:{_HEX}:){{3,7}}:?(?:{_HEX})?(?![\w:])"), "[ip]"),
    (re.compile(rf"(?<![\w:])(?:{_HEX}:){{0,6}}:(?::?{_HEX}){{1,7}}(?![\w:])"), "[ip]"),
    (re.compile(r"(?<![\w.])\+\d[\d\s().-]{6,18}\d"), "[phone]"),
    (re.compile(r"(?<![\w.-])[1-9]\d{9,14}(?![\w-]|\.\d)"), "[digits]"),
)  # fmt: skip

LIBRARY_LEVELS = {
    # Each logs every packet, check or query below these.
    "aioice": "WARNING",
    "aiortc": "WARNING",
    "libav": "ERROR",
    "aiohttp.access": "WARNING",
    "aiosqlite": "WARNING",
    "asyncio": "WARNING",
    "alembic": "WARNING",
    "sqlalchemy": "WARNING",
    "redis": "WARNING",
}


def set_up(
    *,
    level: Literal["debug", "info", "warning", "error"] = "info",
    style: Literal["auto", "json", "console"] = "auto",
) -> None:
    """Route structlog and the standard library's logging to stderr; call it once, first.

    Values in force everywhere (node, call_id, account) are bound with
    `structlog.contextvars.bind_contextvars`.
    """
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
    ]
    is_console = style == "console" or (style == "auto" and sys.stderr.isatty())
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        if is_console
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "formatters": {
                "line": {
                    "()": structlog.stdlib.ProcessorFormatter,
                    "foreign_pre_chain": shared,
                    "processors": [
                        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                        # As text, so that it is scrubbed; locals are never shown.
                        structlog.processors.format_exc_info,
                        redact,
                        renderer,
                    ],
                }
            },
            "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
            "root": {"handlers": ["stderr"], "level": level.upper()},
            "loggers": {name: {"level": least} for name, least in LIBRARY_LEVELS.items()},
        }
    )


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Hide secrets, hash what names a person, and scrub look-alikes from all text."""
    return {scrub(key): _redacted_field(key, value) for key, value in event.items()}


def scrub(text: str) -> str:
    """Return the text with everything replaced that looks like a secret or personal."""
    if len(text) > _TEXT_MAX:
        text = f"{text[:_TEXT_MAX]}…"
    for pattern, stand_in in _LOOK_ALIKES:
        text = pattern.sub(stand_in, text)
    return text


def _redacted_field(key: str, value: Any, depth: int = 0) -> Any:  # noqa: ANN401 (any field)
    if value is None or isinstance(value, bool):
        return value
    if _SECRET_NAMES.search(key):
        return _HIDDEN
    if _PERSON_NAMES.search(key):
        return _hashed(value)
    if _PLAIN_NAMES.search(key) and (isinstance(value, int | float) or _is_word(value)):
        return value
    return _redacted_value(value, depth)


def _redacted_value(value: Any, depth: int) -> Any:  # noqa: ANN401 (any field)
    shown: Any = value
    match value:
        case None | bool() | float():
            pass
        case int():
            # A phone number kept as a number is one all the same.
            shown = value if scrub(str(value)) == str(value) else _hashed(value)
        case bytes() | bytearray():
            shown = f"[{len(value)} bytes]"
        case Mapping() if depth < _DEPTH_MAX:
            shown = {
                scrub(str(key)): _redacted_field(str(key), each, depth + 1)
                for key, each in value.items()
            }
        case list() | tuple() | set() | frozenset() if depth < _DEPTH_MAX:
            shown = [_redacted_value(each, depth + 1) for each in value]
        case Mapping() | list() | tuple() | set() | frozenset():
            shown = "…"
        case BaseException():
            shown = scrub(f"{type(value).__name__}: {value}")
        case _:
            shown = scrub(str(value))
    return shown


def _is_word(value: object) -> bool:
    """Whether it is one short word, as ids and levels are, and no token or wacid."""
    return (
        isinstance(value, str)
        and re.fullmatch(r"[\w.-]{1,64}", value) is not None
        and not re.match(r"EAA|wacid\.|\+", value)
    )


def _hashed(value: object) -> str:
    digest = hashlib.blake2b(str(value).encode("utf-8", "replace"), key=_SALT, digest_size=5)
    return f"#{digest.hexdigest()}"
