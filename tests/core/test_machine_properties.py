"""What holds of every call, whatever happens to it in whatever order."""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.core.call.call import AgentLeg, Call, DeadlineKind, LegStage, Signalling, State
from gateway.core.call.commands import (
    Accept,
    AnswerWhatsApp,
    Attach,
    CloseLeg,
    Connect,
    GraphAction,
    HoldMinutes,
    OfferWhatsApp,
    PreAccept,
    Reject,
    ReleaseMinutes,
    StartCapture,
    StartSending,
    StopCapture,
    TellAgent,
    Terminate,
)
from gateway.core.call.ending import outcome_of
from gateway.core.call.events import (
    Accepted,
    ActorCrashed,
    AgentAnswered,
    AgentDeclined,
    AgentLegClosed,
    AgentLegHeard,
    AgentLegUp,
    AgentReattached,
    AgentsFree,
    CaptureFailed,
    Connected,
    DeadlinePassed,
    Event,
    EveryoneDeclined,
    FoundLeg,
    Held,
    HungUp,
    MediaBack,
    MediaFailed,
    MetaRefused,
    MetaUnclear,
    MinutesHeld,
    Muted,
    WhatsAppLegClosed,
    WhatsAppLegMade,
    WhatsAppLegUp,
)
from gateway.core.call.recording import is_undecided
from gateway.core.errors import MetaFault, Refused
from gateway.core.ids import LegId, UserId
from gateway.core.recording.stage import NotRecorded, RecordingStage
from gateway.core.whatsapp import Direction
from tests.core.scenes import (
    ANI,
    ANI_LEG,
    BUDI,
    BUDI_LEG,
    CITRA,
    OTHER_LEG,
    PICKED_UP,
    READY,
    REJECTED,
    RINGING,
    W1,
    WACID,
    Walk,
    connect_sent,
    dialling,
    dialling_recorded,
    over,
    ringing,
    ringing_recorded,
    ringing_with_media,
)

# --- any order of the documented webhooks ----------------------------------------------------

TERMINATES = (over(), over(start_at=1003.0), over(failed=True), over(start_at=1.0, failed=True))


def end_of(start: Walk, events: Sequence[Event]) -> tuple[State, str | None]:
    walk = Walk(start.call).tell(*events)
    outcome = outcome_of(walk.call)
    return walk.call.state, None if outcome is None else outcome.value


@pytest.mark.parametrize("terminate", TERMINATES)
def test_all_orders_of_the_webhooks_of_our_call_lead_to_one_same_end(terminate: Event) -> None:
    """Every subset with its `terminate`, in every order: 4 times 1,304 orders."""
    others: tuple[Event, ...] = (READY, RINGING, PICKED_UP, REJECTED)
    for size in range(len(others) + 1):
        for chosen in itertools.combinations(others, size):
            ends = {
                end_of(connect_sent(), order)
                for order in itertools.permutations((*chosen, terminate))
            }
            assert len(ends) == 1, (chosen, ends)
            assert next(iter(ends))[0] is State.ENDED


@given(st.data())
def test_duplicates_of_the_webhooks_of_our_call_change_nothing(data: st.DataObject) -> None:
    progress: tuple[Event, ...] = (READY, RINGING, PICKED_UP, REJECTED)
    terminate: Event = data.draw(st.sampled_from(TERMINATES))
    events: list[Event] = [*data.draw(st.sets(st.sampled_from(progress))), terminate]
    copies = data.draw(st.lists(st.sampled_from(events), max_size=12))
    shuffled = data.draw(st.permutations([*events, *copies]))
    wanted = end_of(connect_sent(), [*events])
    # Meta's answer to our own request may come at any point among them.
    at = data.draw(st.integers(0, len(shuffled)))
    assert end_of(connect_sent(), [*shuffled[:at], Connected(WACID), *shuffled[at:]]) == wanted


def test_statuses_without_an_end_lead_to_one_same_state() -> None:
    sets: list[tuple[Event, ...]] = [(READY, RINGING, PICKED_UP), (RINGING, PICKED_UP)]
    for events in sets:
        ends = {end_of(connect_sent(), order) for order in itertools.permutations(events)}
        assert len(ends) == 1


@given(st.permutations([over(), over(start_at=9.0), over(failed=True)]))
def test_several_ends_of_a_user_s_call_are_joined(ends: list[Event]) -> None:
    assert end_of(ringing(), ends) == end_of(ringing(), sorted(ends, key=repr))


# --- any event at all ------------------------------------------------------------------------

COLD = LegId("leg-cold")
LEGS = (ANI_LEG, BUDI_LEG, OTHER_LEG, COLD)
FAULT = MetaFault(138004, "oops")
legs = st.builds(
    lambda leg_id, is_up, is_heard: AgentLeg(leg_id, is_up, is_heard, leg_id == COLD),
    leg_id=st.sampled_from(LEGS),
    is_up=st.booleans(),
    is_heard=st.booleans(),
)
users = st.sampled_from((ANI, BUDI, CITRA))
found = st.builds(
    FoundLeg,
    leg_id=st.sampled_from((*LEGS, W1)),
    is_up=st.booleans(),
    is_sending=st.booleans(),
    is_heard=st.booleans(),
    attached_to=st.sampled_from((None, *LEGS)),
    local_sdp=st.just("our-sdp"),
)
failed_orders = st.sampled_from(
    (AnswerWhatsApp(W1, "o"), OfferWhatsApp(W1), Attach(W1, ANI_LEG), StartSending(W1))
)
ordinary = st.one_of(
    st.builds(AgentsFree, st.lists(users, unique=True).map(tuple)),
    st.builds(AgentAnswered, users, st.just("name"), legs),
    st.builds(AgentDeclined, users),
    st.builds(AgentReattached, legs),
    st.builds(AgentLegUp, st.sampled_from(LEGS)),
    st.builds(AgentLegHeard, st.sampled_from(LEGS)),
    st.builds(AgentLegClosed, st.sampled_from(LEGS)),
    st.builds(Muted, st.booleans()),
    st.builds(Held, st.booleans()),
    st.builds(MinutesHeld, st.none() | st.sampled_from(NotRecorded)),
    st.builds(CaptureFailed, st.sampled_from(NotRecorded)),
    st.sampled_from(
        (
            WhatsAppLegMade(W1, "our-sdp"),
            WhatsAppLegUp(W1),
            Connected(WACID),
            Accepted(),
            READY,
            RINGING,
            PICKED_UP,
            MetaUnclear(GraphAction.PRE_ACCEPT),
            MetaUnclear(GraphAction.CONNECT),
        )
    ),
)
fatal = st.one_of(
    st.sampled_from(
        (
            EveryoneDeclined(),
            HungUp(),
            ActorCrashed(),
            REJECTED,
            *TERMINATES,
            WhatsAppLegClosed(W1, "peer_closed"),
            WhatsAppLegClosed(W1, "consent_lost"),
            MetaUnclear(GraphAction.ACCEPT),
        )
    ),
    st.builds(MetaRefused, st.sampled_from(list(GraphAction)), st.just(FAULT)),
    st.builds(
        MediaFailed, failed_orders, st.sampled_from(("media_away", "limit")), st.just("")
    ),
    st.builds(MediaBack, st.lists(found, max_size=4).map(tuple)),
)
# Mostly what lets a call live, so that long lives are tried as well.
events = st.one_of(ordinary, ordinary, ordinary, ordinary, fatal, st.sampled_from(DeadlineKind))
Told = Event | DeadlineKind
Story = list[Told]
Start = Callable[[], Walk]
starts = st.sampled_from(
    (
        *(ringing, ringing_with_media, dialling, connect_sent),
        *(ringing_recorded, dialling_recorded),
    )
)


def tell(walk: Walk, event: Event | DeadlineKind) -> None:
    if isinstance(event, DeadlineKind):
        deadline = walk.call.deadline(event)
        if deadline is None:
            walk.last = ()
            return
        event = DeadlinePassed(deadline)
        walk.now = max(walk.now, deadline.at)
    try:
        walk.tell(event)
    except Refused:
        walk.last = ()


def waits_for_something(call: Call) -> bool:
    """Whether a live call has a deadline, an answer of Meta to come, or people talking."""
    kinds = {deadline.kind for deadline in call.deadlines}
    match call.state:
        case State.RINGING:
            return DeadlineKind.RING in kinds
        case State.CONNECTING:
            wanted = {DeadlineKind.CLAIM, DeadlineKind.MEDIA}
            is_asking = call.signalling is Signalling.ACCEPTING or is_undecided(call)
            return bool(kinds & wanted) or is_asking
        case State.DIALLING | State.REMOTE_RINGING:
            wanted = {DeadlineKind.CLAIM, DeadlineKind.RING}
            return bool(kinds & wanted) or is_undecided(call)
        case State.TALKING:
            return not call.is_agent_away or DeadlineKind.AWAY in kinds
        case State.ENDED:
            return not kinds


@given(starts, st.lists(events, max_size=40))
def test_every_live_call_waits_for_something_and_an_ended_one_for_nothing(
    start: Start, story: Story
) -> None:
    walk = start()
    for event in story:
        tell(walk, event)
        assert waits_for_something(walk.call), walk.call


@given(starts, st.lists(events, max_size=40))
def test_ended_is_final_and_only_clean_up_follows(start: Start, story: Story) -> None:
    walk = start()
    for event in story:
        was_ended, ended_at = walk.call.is_ended, walk.call.end.at
        tell(walk, event)
        if was_ended:
            assert walk.call.is_ended
            assert walk.call.end.at == ended_at
            assert all(isinstance(order, Terminate) for order in walk.last), walk.last
        if walk.call.is_ended:
            assert walk.call.whatsapp.stage is LegStage.GONE
            assert outcome_of(walk.call) is not None


@given(starts, st.lists(events, max_size=40))
def test_meta_is_told_each_thing_once_and_in_order(start: Start, story: Story) -> None:
    walk = start()
    for event in story:
        tell(walk, event)
    told = [o for o in walk.orders if isinstance(o, Connect | PreAccept | Accept)]
    assert len([o for o in told if isinstance(o, Connect)]) <= 1
    accepts = [o for o in told if isinstance(o, Accept)]
    offered = [o.answer for o in told if isinstance(o, PreAccept)]
    assert len(accepts) <= 1
    assert all(accept.answer == offered[-1] for accept in accepts)
    assert len([o for o in walk.orders if isinstance(o, Reject | Terminate)]) <= 1


@given(st.sampled_from((ringing, ringing_with_media)), st.lists(events, max_size=40))
def test_no_rtp_before_accept_returned(start: Start, story: Story) -> None:
    walk = start()
    for event in story:
        tell(walk, event)
        if any(isinstance(order, StartSending) for order in walk.last):
            assert walk.call.signalling is Signalling.ACCEPTED
        if any(isinstance(order, Attach) for order in walk.last):
            assert walk.call.signalling in {Signalling.ACCEPTING, Signalling.ACCEPTED}


@given(starts, st.lists(events, max_size=40))
def test_who_has_a_call_is_never_changed_but_by_losing_it(start: Start, story: Story) -> None:
    walk = start()
    for event in story:
        before = walk.call
        tell(walk, event)
        was, now = before.agent, walk.call.agent
        if was is not None and now is not None:
            assert was.user_id == now.user_id
        if was is not None and now is None:
            assert before.state is State.CONNECTING
            assert any(isinstance(order, TellAgent) for order in walk.last)


@given(starts, st.lists(events, max_size=40))
def test_every_cold_leg_is_closed_with_the_call(start: Start, story: Story) -> None:
    walk, cold = start(), set[LegId]()
    for event in story:
        tell(walk, event)
        agent = walk.call.agent
        for leg in () if agent is None else (agent.leg, agent.coming):
            if leg is not None and leg.is_cold:
                cold.add(leg.leg_id)
        if isinstance(event, AgentLegClosed):
            cold.discard(event.leg_id)
        if isinstance(event, MediaBack):
            cold &= {leg.leg_id for leg in event.found}
        cold -= {order.leg_id for order in walk.last if isinstance(order, CloseLeg)}
    tell(walk, HungUp())
    closed = {order.leg_id for order in walk.last if isinstance(order, CloseLeg)}
    assert cold <= closed


@given(starts, st.lists(events, max_size=25), events)
def test_a_fact_told_twice_in_a_row_is_told_once(
    start: Start, story: Story, last: Told
) -> None:
    """What people do and what fails is not repeated by anybody but themselves."""
    walk = start()
    for event in [*story, last]:
        tell(walk, event)
    before = walk.call
    is_fact = not isinstance(last, DeadlineKind | MediaBack | MediaFailed | AgentReattached)
    if is_fact and not isinstance(last, MetaUnclear):
        tell(walk, last)
        assert replace(walk.call, deadlines=()) == replace(before, deadlines=())


@given(starts, st.lists(events, max_size=40))
def test_minutes_are_kept_before_a_promise_and_none_is_forgotten(
    start: Start, story: Story
) -> None:
    walk = start()
    is_wanted = any(isinstance(order, HoldMinutes) for order in walk.orders)
    is_held = False
    for event in [*story, HungUp()]:
        stage = walk.call.recording.stage
        tell(walk, event)
        if stage is RecordingStage.HOLDING and isinstance(event, MinutesHeld):
            is_held = event.refusal is None
        if stage is RecordingStage.HOLDING and not isinstance(event, MinutesHeld):
            assert not any(isinstance(order, Accept | Connect) for order in walk.last)
        if any(isinstance(order, StartCapture) for order in walk.last):
            assert is_held
            assert walk.call.state is State.TALKING
    kinds = (HoldMinutes, StartCapture, StopCapture, ReleaseMinutes)
    held, started, stopped, released = (
        sum(isinstance(order, kind) for order in walk.orders) for kind in kinds
    )
    assert held == is_wanted
    assert stopped == started
    assert released == (is_wanted and not started)
    assert walk.call.is_ended


@given(st.permutations([ANI, BUDI, CITRA]))
def test_every_race_for_a_call_has_one_winner(order: list[UserId]) -> None:
    walk, winners, losers = ringing_with_media(ANI, BUDI, CITRA), list[UserId](), list[str]()
    for user in order:
        leg = AgentLeg(ANI_LEG, is_up=True, is_heard=True, is_cold=False)
        try:
            walk.tell(AgentAnswered(user, "name", leg))
            winners.append(user)
        except Refused as refused:
            losers.append(refused.code)
    assert (winners, losers) == ([order[0]], ["call_taken", "call_taken"])
    assert len([o for o in walk.orders if isinstance(o, Accept)]) == 1
    assert walk.call.direction is Direction.INBOUND
