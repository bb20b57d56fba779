"""Where a call is, how it ended, and what all calls share."""

import base64
import secrets
import time
from dataclasses import dataclass
from enum import StrEnum

from sandbox.config import SandboxConfig
from sandbox.dtls import Certificate
from sandbox.payloads import Ending
from sandbox.webhook_sender import WebhookSender


class CallState(StrEnum):
    """Where a call is; it only moves forward."""

    RINGING = "ringing"
    ACCEPTED = "accepted"
    ENDED = "ended"


class EndedBy(StrEnum):
    """Whose doing the end was; `network` is a time-out or dead media."""

    USER = "user"
    BUSINESS = "business"
    NETWORK = "network"


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a call ended."""

    ended_by: EndedBy
    reason: str
    ending: Ending


@dataclass(frozen=True, slots=True)
class CallSurroundings:
    """What all calls share."""

    config: SandboxConfig
    certificate: Certificate
    webhooks: WebhookSender

    def wall_time(self) -> float:
        """Return the time that webhooks carry."""
        return time.time() + self.config.timings.clock_skew_s


def new_wacid(wa_id: str | None) -> str:
    """Make a call id of Meta's shape: base64 of a record with the user's number in it."""
    phone = (wa_id or "0000000000").encode()
    tail = secrets.token_hex(16).upper().encode()
    record = b"\x1c\x18" + bytes([len(phone)]) + phone + b"\x15\x02\x00\x11\x18\x20" + tail
    return "wacid." + base64.urlsafe_b64encode(record + b"\x00").decode()
