"""What is counted of the requests to Meta, and that no figure names a call."""

from prometheus_client import generate_latest
from typing_extensions import override

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_inbox import SqlInbox
from gateway.app_metrics import GatewayMetrics
from gateway.core.errors import StoreDown
from gateway.core.ids import CallId
from gateway.ports import Json
from gateway.ports.calls import TraceLine

CALL = CallId("c" * 26)


def asked(action: str, **facts: Json) -> TraceLine:
    return TraceLine(CALL, 1_790_000_000.0, "graph", action, {"fbtrace_id": "AbC", **facts})


async def test_requests_to_meta_are_counted_by_action_and_outcome() -> None:
    metrics = GatewayMetrics()
    metrics.note_request(asked("connect", outcome="ok", ms=120.0))
    metrics.note_request(asked("connect", outcome="refused", ms=80.0, code=138006))
    metrics.note_request(asked("accept", outcome="unclear", ms=5000.0))
    metrics.note_request(asked("accept", ms=1.0))
    await metrics.measure()
    text = generate_latest(metrics.registry).decode()
    for labels in (
        'action="connect",outcome="ok"',
        'action="connect",outcome="refused"',
        'action="accept",outcome="unclear"',
        'action="accept",outcome="crashed"',
    ):
        assert f"callgate_graph_requests_total{{{labels}}} 1.0" in text
    assert 'callgate_graph_request_seconds_sum{action="connect"} 0.2' in text
    assert CALL not in text
    assert "AbC" not in text


class DownInbox(SqlInbox):
    """An inbox whose database is away."""

    @override
    async def waiting_count(self) -> int:
        raise StoreDown("gone")


async def test_an_inbox_that_cannot_be_counted_is_shown_as_unknown() -> None:
    metrics = GatewayMetrics()
    metrics._inbox = DownInbox(Database("sqlite:////never/opened.db"), lambda: 0.0)
    await metrics.measure()
    assert "callgate_inbox_waiting NaN" in generate_latest(metrics.registry).decode()
