"""Faults on demand: what the Graph API and the webhooks do wrong when told to."""

import fnmatch
import itertools
import random
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

FAULTS_MAX = 200


class FaultKind(StrEnum):
    """Graph faults hit a request, webhook faults a delivery, recording faults a file."""

    GRAPH_SERVER_ERROR = "graph_server_error"
    GRAPH_HTML = "graph_html"
    GRAPH_RATE_LIMITED = "graph_rate_limited"
    GRAPH_EXPIRED_TOKEN = "graph_expired_token"  # noqa: S105  (a name, not a secret)
    GRAPH_TIME_OUT = "graph_time_out"
    GRAPH_RESET = "graph_reset"
    GRAPH_SLOW_BODY = "graph_slow_body"
    GRAPH_NOT_FOUND = "graph_not_found"
    GRAPH_TRUNCATED = "graph_truncated"
    GRAPH_ENDLESS = "graph_endless"
    GRAPH_REDIRECT = "graph_redirect"
    WEBHOOK_DUPLICATE = "webhook_duplicate"
    WEBHOOK_DELAY = "webhook_delay"
    WEBHOOK_REORDER = "webhook_reorder"
    WEBHOOK_DROP = "webhook_drop"
    WEBHOOK_BATCH = "webhook_batch"
    RECORDING_CUT_SHORT = "recording_cut_short"
    RECORDING_FILE_MISSING = "recording_file_missing"
    RECORDING_FILE_WRONG_DIGEST = "recording_file_wrong_digest"
    RECORDING_FILE_WRONG_TYPE = "recording_file_wrong_type"
    RECORDING_FILE_EMPTY = "recording_file_empty"
    RECORDING_FILE_FOREIGN_HOST = "recording_file_foreign_host"


class FaultSpec(BaseModel):
    """One order to fail.

    `match` is a shell pattern over the name of what is hit: for the Graph API `calls.connect`
    and so on for each action, `messages`, `call_permissions`, `settings`, `media`, `download`;
    for webhooks `calls.connect`, `calls.terminate`, `statuses.RINGING`,
    `messages.call_permission_reply` and the like; for recordings `recording`, `transcript`.
    With `after_effect` a Graph request is carried out first and only its answer fails.
    `seconds` is how long a time-out hangs, a slow body takes, or a webhook is held back, and
    how much of the end a recording lacks. `to` is where a redirect or a foreign URL leads.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: FaultKind
    match: str = Field(default="*", max_length=100)
    times: Annotated[int, Field(ge=1)] | None = 1
    probability: float = Field(default=1.0, gt=0, le=1)
    after_effect: bool = False
    seconds: float = Field(default=5.0, ge=0, le=600)
    retry_after_s: int = Field(default=2, ge=0, le=86_400)
    to: str = Field(default="http://169.254.169.254/latest/", max_length=500)


@dataclass(slots=True)
class Fault:
    """An order and how often it was carried out."""

    fault_id: int
    spec: FaultSpec
    fired: int = 0

    @property
    def is_spent(self) -> bool:
        """Whether it has fired as often as ordered."""
        return self.spec.times is not None and self.fired >= self.spec.times


class Faults:
    """All orders; the oldest one that matches is taken."""

    def __init__(self, seed: int | None = None) -> None:
        self._random = random.Random(seed)  # noqa: S311  (no secret depends on it)
        self._ids = itertools.count(1)
        self._faults: dict[int, Fault] = {}

    def add(self, spec: FaultSpec) -> Fault:
        """Order a fault; the oldest order is forgotten beyond a bound."""
        fault = Fault(next(self._ids), spec)
        self._faults[fault.fault_id] = fault
        while len(self._faults) > FAULTS_MAX:
            self._faults.pop(next(iter(self._faults)))
        return fault

    def all(self) -> list[Fault]:
        """Return all orders, the spent ones too."""
        return list(self._faults.values())

    def remove(self, fault_id: int) -> bool:
        """Withdraw an order; False if there is none of this id."""
        return self._faults.pop(fault_id, None) is not None

    def clear(self) -> None:
        """Withdraw all orders."""
        self._faults.clear()

    def take(self, prefix: str, name: str) -> FaultSpec | None:
        """Return the fault that hits `name` now, if one does; `prefix` is graph or webhook."""
        for fault in self._faults.values():
            spec = fault.spec
            if not spec.kind.startswith(f"{prefix}_") or fault.is_spent:
                continue
            if not fnmatch.fnmatchcase(name, spec.match):
                continue
            if self._random.random() < spec.probability:
                fault.fired += 1
                return spec
        return None
