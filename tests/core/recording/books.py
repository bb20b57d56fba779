"""A call's facts arriving one after the other, and the account's books following them."""

from dataclasses import dataclass, field

from gateway.core.ids import AccountId, CallId
from gateway.core.quota import charge as charging
from gateway.core.quota.balance import Balance
from gateway.core.quota.charge import Charge, Charged, Recorded, Stamp
from gateway.core.quota.ledger import Entry, EntryKind
from gateway.core.recording.facts import (
    Deleted,
    Fact,
    Facts,
    LocalCopy,
    Mode,
    OfficialCopy,
    learn,
)
from gateway.core.recording.reconcile import (
    Conclusion,
    Correct,
    Settle,
    ledger_step,
    reconcile,
)

DAY = 86_400.0
MINUTE = 60.0


@dataclass(slots=True)
class Books:
    """One account, one call that ended at 0."""

    facts: Facts = field(default_factory=lambda: Facts(Mode.OFFICIAL, ended_at=0.0))
    balance: Balance = field(default_factory=lambda: Balance(capacity_ms=1_000_000))
    charge: Charge = field(default_factory=lambda: Charge(CallId("call"), AccountId("a")))
    entries: dict[str, Entry] = field(default_factory=dict)
    conclusion: Conclusion | None = None

    def tell(self, fact: Fact, at: float) -> None:
        """A fact comes; the capture's own settles the call, deletion returns its minutes."""
        self.facts = learn(self.facts, fact)
        if isinstance(fact, LocalCopy):
            recorded = Recorded(fact.duration_ms)
            self._book(
                charging.settle(
                    self.balance,
                    self.charge,
                    None,
                    recorded=recorded,
                    drawing=0,
                    stamp=Stamp(at),
                )
            )
        if isinstance(fact, Deleted):
            self._book(
                charging.give_back(
                    self.balance, self.charge, kind=EntryKind.DELETE, stamp=Stamp(at)
                )
            )
        self.look(at)

    def look(self, at: float) -> None:
        """Reconcile, and do what follows."""
        free_ms = self.balance.free_ms
        self.conclusion = reconcile(self.facts, now=at, free_ms=free_ms, before=self.conclusion)
        if self.conclusion is None:
            return
        self._follow(self.conclusion, at)
        for official in self.facts.officials:
            if official.sha256 == self.conclusion.official_sha256:
                kept = OfficialCopy(
                    official.sha256,
                    official.duration_ms,
                    official.channels,
                    official.offset_ms,
                    self.conclusion.extra_ms,
                )
                self.facts = learn(self.facts, kept)

    def written(self) -> str:
        """The ledger in short."""
        return ", ".join(f"{each.kind} {each.amount_ms:+}" for each in self.entries.values())

    def _follow(self, conclusion: Conclusion, at: float) -> None:
        match ledger_step(self.charge, conclusion):
            case Settle(recorded_ms=recorded_ms):
                self._book(
                    charging.settle(
                        self.balance,
                        self.charge,
                        None,
                        recorded=Recorded(recorded_ms),
                        drawing=0,
                        stamp=Stamp(at),
                    )
                )
            case Correct(target_ms=target_ms, key=key):
                if charging.correction_key(self.charge.call_id, key) in self.entries:
                    return
                done = charging.correct(
                    self.balance, self.charge, target_ms=target_ms, key=key, stamp=Stamp(at)
                )
                assert done.uncovered_ms == 0
                self._book(done)
            case None:
                pass

    def _book(self, done: Charged) -> None:
        self.balance, self.charge = done.balance, done.charge
        if done.entry is not None:
            assert done.entry.key not in self.entries
            self.entries[done.entry.key] = done.entry
