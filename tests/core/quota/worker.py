"""A media worker as far as minutes are concerned: it writes frames it has a grant for."""

from dataclasses import dataclass, field

from gateway.core.ids import AccountId, CallId
from gateway.core.quota.lease import Answer, Ask, BudgetId, WorkerId

FRAME_MS = 20


@dataclass
class Draw:
    """The budget as the worker holds it: totals, and what each call's file holds."""

    budget_id: BudgetId
    account_id: AccountId
    worker_id: WorkerId
    limit_ms: int = 0
    drawn_ms: int = 0
    asks: int = 0
    outstanding_ask: Ask | None = None
    lease_ms: int = 0
    refused: bool = False
    files: dict[CallId, int] = field(default_factory=dict)
    active: set[CallId] = field(default_factory=set)

    @property
    def left_ms(self) -> int:
        return self.limit_ms - self.drawn_ms

    def write_frame(self, call_id: CallId) -> bool:
        """Write one frame if it is covered; compared before writing."""
        if self.left_ms < FRAME_MS:
            return False
        self.drawn_ms += FRAME_MS
        self.files[call_id] = self.files.get(call_id, 0) + FRAME_MS
        return True

    def wants_more(self) -> bool:
        return self.outstanding_ask is None and self.left_ms <= self.lease_ms // 2

    def ask(self) -> Ask:
        self.asks += 1
        self.outstanding_ask = Ask(
            self.account_id, self.budget_id, self.asks, len(self.active), self.drawn_ms
        )
        return self.outstanding_ask

    def hear(self, answer: Answer) -> None:
        if self.outstanding_ask and answer.ask_number >= self.outstanding_ask.number:
            self.outstanding_ask = None
            self.refused = answer.refusal is not None
        if answer.limit_ms > self.limit_ms:
            self.limit_ms = answer.limit_ms
            self.lease_ms = self.left_ms

    def give_back(self, ms: int) -> int:
        """Lower the own limit first; return how much that was."""
        given = min(ms, self.left_ms)
        self.limit_ms -= given
        return given
