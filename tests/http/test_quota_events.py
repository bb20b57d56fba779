"""News of minutes and recordings over the WebSocket: who hears what, and in which words."""

from typing import Any

import pytest

from gateway.core.ids import CallId, NodeId
from gateway.core.quota.balance import Balance
from gateway.core.quota.lease import BudgetId
from gateway.core.quota.live import LiveBudget, LiveCapture, LiveQuota
from gateway.http.event_schemas import QuotaMessage, RecordingMessage, ThresholdMessage
from gateway.ports.accounts import Role
from gateway.ports.live import LiveEvent
from gateway.runtime.call_view import RecordingView
from gateway.runtime.quota_keeper_news import BusQuotaNews
from gateway.runtime.quota_view import BUDGETS, Told
from tests.http.fakes import a_view
from tests.http.site import Site
from tests.http.test_events_socket import watching

CALL = "c" * 26
CAPTURES = (LiveCapture(CallId(CALL), 4_000, is_stopped=False),)


def a_picture(site: Site, **more: Any) -> LiveQuota:
    facts: dict[str, Any] = {
        "account_id": site.account.account_id,
        "at": 1_790_000_000.25,
        "version": 4,
        "shown": Balance(60_000, 14_000, 6_000),
        "suspense_ms": 1_000,
        "level": 80,
        "empty_at": 1_790_000_040.0,
        "captures": CAPTURES,
        "own": {BudgetId("b"): LiveBudget(4_000, CAPTURES)},
        **more,
    }
    return LiveQuota(**facts)


def publish_all(site: Site) -> None:
    """A picture, a threshold, and last something that everybody hears."""
    news = BusQuotaNews(site.bus, NodeId("node"), site.clock.wall)
    news.picture(a_picture(site))
    news.crossed(site.account.account_id, 80)
    last = {"code": "media_back", "detail": ""}
    site.bus.publish(LiveEvent(site.account.account_id, "notice", {**last}))


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.ADMIN])
async def test_leads_see_the_minutes_as_documented(site: Site, role: Role) -> None:
    async with watching(site, role) as (socket, _):
        publish_all(site)
        quota, threshold, notice = [await socket.receive_json() for _ in range(3)]
    told = QuotaMessage.model_validate(quota)
    assert (told.seq, told.used_ms, told.free_ms, told.reserved_ms) == (
        2,
        14_000,
        40_000,
        6_000,
    )
    assert told.captures[0].call_id == CALL
    assert ThresholdMessage.model_validate(threshold).threshold == 80
    assert notice["type"] == "notice", "what nodes tell each other is for no browser"


async def test_agents_hear_nothing_of_the_accounts_minutes(site: Site) -> None:
    async with watching(site, Role.AGENT) as (socket, _):
        publish_all(site)
        assert (await socket.receive_json())["type"] == "notice"


async def test_an_agent_hears_of_the_own_recording_as_documented(site: Site) -> None:
    me = site.people[Role.AGENT].user_id
    recording = RecordingView(
        state="stopped", reason="quota", written_ms=60_000, ends_at=None, duration_ms=None
    )
    view = a_view(CALL, recording=recording).as_json()
    body = {"call_id": CALL, "recording": view["recording"]}
    event = LiveEvent(site.account.account_id, "recording", body, audience=(me,))
    async with watching(site, Role.AGENT) as (socket, _):
        site.bus.publish(event)
        told = RecordingMessage.model_validate(await socket.receive_json())
    assert told.recording is not None
    assert (told.recording.state, told.recording.reason) == ("stopped", "quota")


def test_what_one_node_tells_another_reads_as_the_same(site: Site) -> None:
    picture = a_picture(site)
    body = Told.of(picture, NodeId("node")).model_dump(mode="json")
    assert Told.read(body).budgets() == picture.own
    assert BUDGETS == "budgets"


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"node": "n"},
        {"node": "n", "budgets_by_id": {"b": {"drawn_ms": "many", "captures": []}}},
        {"node": "n", "budgets_by_id": {"b": {"drawn_ms": 1, "captures": [["c"]]}}},
        {"node": "n", "budgets_by_id": []},
    ],
)
def test_news_of_another_version_are_refused_and_harm_nobody(body: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        Told.read(body)
