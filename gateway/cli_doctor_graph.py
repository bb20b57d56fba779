"""The doctor's look at Meta: reachable, tokens accepted, clocks agreed."""

import json
import time
from collections.abc import Sequence
from email.utils import parsedate_to_datetime

import aiohttp

from gateway.adapters.sql_accounts import ListedNumber
from gateway.cli_doctor_findings import Finding, fault, warning, well
from gateway.core.errors import SecretUnreadable, StoreDown
from gateway.core.ids import PhoneNumberId
from gateway.foundation import Foundation
from gateway.settings import Settings

_ANSWER_BYTES_MAX = 64 * 1024
_REQUEST_MAX_S = 10.0
_CLOCK_OFF_MAX_S = 5.0
_TOKEN_INVALID = 190
_NUMBERS_MAX = 20


async def check_graph(settings: Settings, stores: Foundation) -> list[Finding]:
    """Ask Graph about each number with its token."""
    try:
        numbers = await stores.accounts.numbers()
    except StoreDown:
        return []  # the look at the database says it
    if not numbers:
        return [
            warning(
                "numbers",
                "no business number yet",
                "add one: callgate account number add CID --phone-number-id …",
            )
        ]
    async with aiohttp.ClientSession(
        timeout=aiohttp.ClientTimeout(total=_REQUEST_MAX_S), trust_env=False
    ) as http:
        findings: list[Finding] = []
        for number in numbers[:_NUMBERS_MAX]:
            findings += await _check_number(http, settings, stores, number)
            if findings[-1].what == "graph":
                break  # not reachable: the other numbers would say the same
    return _once(findings)


async def _check_number(
    http: aiohttp.ClientSession, settings: Settings, stores: Foundation, listed: ListedNumber
) -> list[Finding]:
    what = f"number {listed.phone_number_id}"
    try:
        number = await stores.directory.number(PhoneNumberId(listed.phone_number_id))
    except SecretUnreadable as error:
        return [
            fault(
                what,
                f"its token cannot be opened: {error}",
                "put the old key back behind the current one in CALLGATE_SECRET_KEY, or set "
                f"the token again: callgate account number token {listed.phone_number_id}",
            )
        ]
    if number is None:
        return []
    url = (
        f"{settings.whatsapp_graph_url}/{settings.whatsapp_graph_version}"
        f"/{listed.phone_number_id}?fields=id"
    )
    try:
        async with http.get(
            url, headers={"Authorization": f"Bearer {number.token}"}, allow_redirects=False
        ) as response:
            body = await response.content.read(_ANSWER_BYTES_MAX)
            clock = _check_clock(response.headers.get("Date"))
            return [*clock, _judge(what, listed, response.status, body)]
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        return [
            fault(
                "graph",
                f"{settings.whatsapp_graph_url} cannot be reached ({type(error).__name__})",
                "check the network, the firewall and CALLGATE_WHATSAPP_GRAPH_URL",
            )
        ]


def _judge(what: str, listed: ListedNumber, status: int, body: bytes) -> Finding:
    if status < 300:  # noqa: PLR2004 (RFC 9110: success is 2xx)
        return well(what, "its token works")
    code = _meta_code(body)
    if code == _TOKEN_INVALID or status == 401:  # noqa: PLR2004 (RFC 9110)
        return fault(
            what,
            "Meta does not accept its token any more",
            "make a new one in Meta's Business Settings (system users) and set it: "
            f"callgate account number token {listed.phone_number_id}",
        )
    told = f"code {code}" if code is not None else f"HTTP {status}"
    return fault(
        what,
        f"Meta refuses to tell about it ({told})",
        "check the phone number id, and that the token may use whatsapp_business_management",
    )


def _meta_code(body: bytes) -> int | None:
    """Read the code of Graph's error envelope."""
    try:
        code = json.loads(body)["error"]["code"]
    except (ValueError, LookupError, TypeError):
        return None
    return code if isinstance(code, int) else None


def _check_clock(date: str | None) -> list[Finding]:
    if date is None:
        return []
    try:
        offset_s = parsedate_to_datetime(date).timestamp() - time.time()
    except ValueError:
        return []
    if abs(offset_s) <= _CLOCK_OFF_MAX_S:
        return [well("clock", "agrees with Meta's")]
    return [
        warning(
            "clock",
            f"differs from Meta's by {offset_s:+.0f} s",
            "switch on time synchronisation (systemd-timesyncd, chrony)",
        )
    ]


def _once(findings: Sequence[Finding]) -> list[Finding]:
    """Drop repetitions: the clock is the same at each number."""
    return list(dict.fromkeys(findings))
