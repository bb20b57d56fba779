"""An account's minutes as browsers see them: exactly the fields of the REST contract."""

from pydantic import BaseModel

from gateway.core.ids import CallId, NodeId
from gateway.core.quota.lease import BudgetId
from gateway.core.quota.live import LiveBudget, LiveCapture, LiveQuota
from gateway.ports import Json
from gateway.runtime.call_view import moment


def body_of(quota: LiveQuota) -> dict[str, Json]:
    """Return a picture as JSON; all amounts in ms."""
    shown = quota.shown
    return {
        "at": moment(quota.at),
        "version": quota.version,
        "capacity_ms": shown.capacity_ms,
        "used_ms": shown.used_ms,
        "reserved_ms": shown.reserved_ms,
        "free_ms": shown.free_ms,
        "overdrawn_ms": shown.overdrawn_ms,
        "suspense_ms": quota.suspense_ms,
        "level": quota.level,
        "empty_at": None if quota.empty_at is None else moment(quota.empty_at),
        "captures": [
            {
                "call_id": capture.call_id,
                "written_ms": capture.written_ms,
                "stopped": capture.is_stopped,
            }
            for capture in quota.captures
        ],
    }


BUDGETS = "budgets"
"""Kind of the news that nodes tell each other of their budgets."""


class ToldBudget(BaseModel):
    """One budget of another node: captures as call, written ms, stopped."""

    drawn_ms: int
    captures: tuple[tuple[str, int, bool], ...]


class Told(BaseModel):
    """What one node tells the others of an account's minutes."""

    node: str
    budgets_by_id: dict[str, ToldBudget]

    @classmethod
    def of(cls, quota: LiveQuota, node_id: NodeId) -> "Told":
        """Write a node's own part of a picture."""
        return cls(
            node=node_id,
            budgets_by_id={
                budget_id: ToldBudget(
                    drawn_ms=budget.drawn_ms,
                    captures=tuple(
                        (c.call_id, c.written_ms, c.is_stopped) for c in budget.captures
                    ),
                )
                for budget_id, budget in quota.own.items()
            },
        )

    @classmethod
    def read(cls, body: dict[str, Json]) -> "Told":
        """Read another node's news. Raises `ValueError`."""
        return cls.model_validate(body)

    def budgets(self) -> dict[BudgetId, LiveBudget]:
        """Return the budgets in our own words."""
        return {
            BudgetId(budget_id): LiveBudget(
                told.drawn_ms,
                tuple(
                    LiveCapture(CallId(call_id), written_ms, is_stopped=is_stopped)
                    for call_id, written_ms, is_stopped in told.captures
                ),
            )
            for budget_id, told in self.budgets_by_id.items()
        }
