"""A WhatsApp user calls us: the machine, situation by situation."""

from dataclasses import replace

import pytest

from gateway.core.call.call import AgentLeg, DeadlineKind, LegStage, Outcome, State
from gateway.core.call.commands import (
    Accept,
    AnswerWhatsApp,
    Attach,
    CloseLeg,
    Command,
    Commands,
    Detach,
    GraphAction,
    PreAccept,
    Reject,
    SetHold,
    SetMute,
    StartSending,
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
    AgentLegUp,
    AgentReattached,
    AgentsFree,
    Event,
    EveryoneDeclined,
    Held,
    HungUp,
    MediaFailed,
    MetaRefused,
    MetaUnclear,
    Muted,
    WhatsAppLegClosed,
    WhatsAppLegMade,
    WhatsAppLegUp,
)
from gateway.core.call.start import missed
from gateway.core.errors import MetaFault, Refused
from gateway.core.ids import LegId
from tests.core.scenes import (
    ANI,
    ANI_LEG,
    BUDI,
    BUDI_LEG,
    CALL_ID,
    CITRA,
    CONNECT,
    LINE,
    OTHER_LEG,
    W1,
    WACID,
    Walk,
    answered,
    cold,
    heard,
    over,
    ringing,
    ringing_with_media,
    silent,
    talking,
    warm,
)


def ended(walk: Walk) -> tuple[State, Outcome | None]:
    return walk.state(), outcome_of(walk.call)


def joining(leg: LegId = ANI_LEG) -> Commands:
    """The agent listens before Meta is told, since the user may talk at once."""
    return Attach(W1, leg), Accept(WACID, "our-answer")


def test_a_call_rings_the_free_agents_and_makes_its_whatsapp_leg() -> None:
    walk = ringing(ANI, BUDI)
    assert walk.call.offered == (ANI, BUDI)
    assert walk.given() == (AnswerWhatsApp(W1, "meta-offer"),)


def test_the_path_to_meta_is_built_while_it_rings() -> None:
    walk = ringing().tell(WhatsAppLegMade(W1, "our-answer"))
    assert walk.given() == (PreAccept(WACID, "our-answer"),)
    assert walk.state() is State.RINGING


def test_accept_carries_the_pre_accepted_description_and_rtp_waits_for_its_200() -> None:
    walk = answered()
    assert walk.given() == joining()
    assert not any(isinstance(order, StartSending) for order in walk.orders)
    walk.tell(Accepted())
    assert walk.given() == (Attach(W1, ANI_LEG), StartSending(W1))
    assert walk.state() is State.TALKING
    assert walk.call.answered_at == walk.now


def test_accept_waits_for_the_first_packet_of_the_agent() -> None:
    walk = answered(silent())
    assert walk.given() == ()
    assert walk.tell(heard()).given() == joining()


def test_accept_waits_for_the_path_to_meta() -> None:
    walk = ringing().tell(WhatsAppLegMade(W1, "our-answer"), AgentAnswered(ANI, "Ani", warm()))
    assert walk.given() == ()
    assert walk.tell(WhatsAppLegUp(W1)).given() == joining()


def test_a_path_to_meta_that_never_comes_up_ends_an_answered_call() -> None:
    walk = ringing().tell(WhatsAppLegMade(W1, "our-answer"), AgentAnswered(ANI, "Ani", warm()))
    walk.pass_deadline(DeadlineKind.MEDIA)
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    assert Terminate(WACID) in walk.given()


def test_a_cold_leg_gets_time_to_connect_and_then_two_seconds_to_be_heard() -> None:
    walk = answered(cold())
    claim = walk.call.deadline(DeadlineKind.CLAIM)
    assert claim is not None
    assert claim.at == walk.now + LINE.timing.connect_s
    walk.now += 5
    walk.tell(AgentLegUp(ANI_LEG))
    claim = walk.call.deadline(DeadlineKind.CLAIM)
    assert claim is not None
    assert claim.at == walk.now + LINE.timing.claim_s
    assert walk.tell(heard()).given() == joining()


@pytest.mark.parametrize(
    ("leg", "closed"), [(silent(), ()), (cold(), (CloseLeg(ANI_LEG),))], ids=["warm", "cold"]
)
def test_an_agent_without_sound_loses_the_claim_and_the_others_are_rung(
    leg: AgentLeg, closed: Commands
) -> None:
    walk = answered(leg).pass_deadline(DeadlineKind.CLAIM)
    assert walk.state() is State.RINGING
    assert walk.call.agent is None
    assert walk.call.offered == (BUDI,)
    assert [type(order) for order in walk.given()[:1]] == [TellAgent]
    assert walk.given()[1:] == closed
    walk.tell(AgentAnswered(BUDI, "Budi", warm(BUDI_LEG)))
    assert walk.given() == joining(BUDI_LEG)


def test_a_lone_agent_without_sound_is_rung_again() -> None:
    walk = ringing_with_media(ANI).tell(AgentAnswered(ANI, "Ani", silent()))
    walk.pass_deadline(DeadlineKind.CLAIM)
    assert walk.call.offered == (ANI,)


def test_a_claim_lost_after_the_ring_time_is_a_missed_call() -> None:
    walk = answered(silent())
    walk.now = walk.call.ringing.until
    walk.pass_deadline(DeadlineKind.CLAIM)
    assert ended(walk) == (State.ENDED, Outcome.MISSED)
    assert isinstance(walk.given()[0], TellAgent)
    assert Terminate(WACID) in walk.given()


def test_a_leg_lost_before_accept_gives_the_call_back() -> None:
    walk = answered(silent()).tell(AgentLegClosed(ANI_LEG))
    assert walk.state() is State.RINGING
    assert walk.call.deadline(DeadlineKind.RING) is not None


def test_a_leg_lost_during_accept_leaves_the_customer_with_comfort_tone() -> None:
    walk = answered().tell(AgentLegClosed(ANI_LEG), Accepted())
    assert walk.state() is State.TALKING
    assert walk.call.is_agent_away
    assert walk.given() == (StartSending(W1),)


def test_the_second_agent_is_told_that_the_call_is_taken() -> None:
    walk = answered()
    with pytest.raises(Refused) as refused:
        walk.tell(AgentAnswered(BUDI, "Budi", warm(BUDI_LEG)))
    assert refused.value.code == "call_taken"
    assert walk.call.offered == ()


def test_answering_twice_changes_nothing() -> None:
    walk = answered()
    before = walk.call
    walk.tell(AgentAnswered(ANI, "Ani", warm()))
    assert (walk.call, walk.given()) == (before, ())


def test_declining_silences_only_me() -> None:
    walk = ringing(ANI, BUDI).tell(AgentDeclined(ANI))
    assert walk.call.offered == (BUDI,)
    assert walk.state() is State.RINGING


@pytest.mark.parametrize(
    ("walk", "order"),
    [(ringing(), Reject(WACID)), (ringing_with_media(), Terminate(WACID))],
    ids=["before pre_accept", "after pre_accept"],
)
def test_the_last_decline_refuses_the_call(walk: Walk, order: Command) -> None:
    walk = Walk(walk.call).tell(AgentDeclined(ANI), AgentDeclined(BUDI))
    assert ended(walk) == (State.ENDED, Outcome.DECLINED)
    assert walk.given() == (order, CloseLeg(W1))


def test_a_supervisor_declines_for_everyone() -> None:
    walk = ringing_with_media().tell(EveryoneDeclined())
    assert ended(walk) == (State.ENDED, Outcome.DECLINED)


def test_declining_for_everyone_is_refused_once_somebody_has_the_call() -> None:
    with pytest.raises(Refused, match="already answered"):
        answered(silent()).tell(EveryoneDeclined())


def test_a_call_without_free_agents_rings_on_and_finds_one_who_becomes_free() -> None:
    walk = ringing_with_media(ANI).tell(AgentsFree(()))
    assert (walk.state(), walk.call.offered) == (State.RINGING, ())
    assert walk.tell(AgentsFree((CITRA,))).call.offered == (CITRA,)
    assert walk.call.ringing.rung == (ANI, CITRA)


def test_who_declined_is_not_rung_when_routing_speaks_again() -> None:
    walk = ringing(ANI, BUDI).tell(AgentDeclined(ANI), AgentsFree((ANI, BUDI, CITRA)))
    assert walk.call.offered == (BUDI, CITRA)


@pytest.mark.parametrize(
    ("walk", "order"),
    [(ringing(), Reject(WACID)), (ringing_with_media(), Terminate(WACID))],
    ids=["before pre_accept", "after pre_accept"],
)
def test_nobody_answers_in_time(walk: Walk, order: Command) -> None:
    walk = Walk(walk.call).pass_deadline(DeadlineKind.RING)
    assert ended(walk) == (State.ENDED, Outcome.MISSED)
    assert order in walk.given()


@pytest.mark.parametrize(("age_s", "left_s"), [(0, 30), (12, 18), (25, 10), (-3, 30)])
def test_the_ring_time_counts_from_meta_but_is_never_too_short(
    age_s: float, left_s: float
) -> None:
    walk = ringing(age_s=age_s)
    assert walk.call.ringing.until == walk.now + left_s


def test_a_stale_call_is_missed_without_a_word_to_meta() -> None:
    call = missed(CALL_ID, LINE, CONNECT, now=2000.0)
    assert (call.state, outcome_of(call)) == (State.ENDED, Outcome.MISSED)
    assert Walk(call).tell(over()).given() == ()


def test_the_user_gives_up_while_it_rings() -> None:
    walk = ringing_with_media().tell(over())
    assert ended(walk) == (State.ENDED, Outcome.MISSED)
    assert walk.given() == (CloseLeg(W1),)


def test_the_user_hangs_up_after_talking() -> None:
    walk = talking().tell(over(start_at=1003.0))
    assert ended(walk) == (State.ENDED, Outcome.COMPLETED)
    assert walk.given() == (CloseLeg(W1),)


def test_the_agent_hangs_up_after_talking() -> None:
    walk = talking().tell(HungUp())
    assert ended(walk) == (State.ENDED, Outcome.COMPLETED)
    assert walk.given() == (Terminate(WACID), CloseLeg(W1))
    assert walk.tell(over(start_at=1003.0)).given() == ()
    assert outcome_of(walk.call) is Outcome.COMPLETED


def test_the_agent_hangs_up_while_accept_is_under_way() -> None:
    walk = answered().tell(HungUp())
    assert ended(walk) == (State.ENDED, Outcome.CANCELLED)
    assert Terminate(WACID) in walk.given()
    assert walk.tell(Accepted()).given() == ()


def test_a_failure_at_meta_is_shown() -> None:
    fault = MetaFault(138021, "no media")
    walk = talking().tell(replace(over(start_at=1.0, failed=True), faults=(fault,)))
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    assert walk.call.end.problem is not None
    assert walk.call.end.problem.fault == fault


@pytest.mark.parametrize(
    ("event", "code"),
    [
        (MetaRefused(GraphAction.ACCEPT, MetaFault(138003, "busy")), "meta_refused"),
        (MetaRefused(GraphAction.ACCEPT, MetaFault(190, "expired")), "token_invalid"),
        (MetaUnclear(GraphAction.ACCEPT), "meta_unclear"),
    ],
)
def test_a_failed_accept_ends_the_call_without_any_rtp(event: Event, code: str) -> None:
    walk = answered().tell(event)
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    assert walk.call.end.problem is not None
    assert walk.call.end.problem.code == code
    assert Terminate(WACID) in walk.given()
    assert not any(isinstance(order, StartSending) for order in walk.orders)


def test_a_refused_pre_accept_is_a_missed_call_if_the_user_had_given_up() -> None:
    refused = MetaRefused(GraphAction.PRE_ACCEPT, MetaFault(138000, "over"))
    walk = ringing().tell(WhatsAppLegMade(W1, "our-answer"), refused)
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    assert walk.given() == (Reject(WACID), CloseLeg(W1))
    assert outcome_of(walk.tell(over()).call) is Outcome.MISSED


def test_an_unclear_pre_accept_shows_by_itself() -> None:
    walk = ringing().tell(
        WhatsAppLegMade(W1, "our-answer"), MetaUnclear(GraphAction.PRE_ACCEPT)
    )
    assert walk.state() is State.RINGING
    assert walk.given() == ()


def test_a_bad_offer_of_meta_refuses_the_call() -> None:
    failure = MediaFailed(AnswerWhatsApp(W1, "meta-offer"), "bad_sdp", "no audio line")
    walk = ringing().tell(failure)
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    assert walk.given() == (Reject(WACID), CloseLeg(W1))
    assert walk.call.end.problem is not None
    assert walk.call.end.problem.detail == "no audio line"


def test_while_the_media_worker_is_away_the_call_rings_on_and_asks_again() -> None:
    away = MediaFailed(AnswerWhatsApp(W1, "meta-offer"), "media_away", "no worker")
    walk = ringing().tell(away)
    assert walk.state() is State.RINGING
    walk.pass_deadline(DeadlineKind.MEDIA_RETRY)
    again = LegId(f"{CALL_ID}-w2")
    assert walk.given() == (AnswerWhatsApp(again, "meta-offer"),)
    assert walk.tell(WhatsAppLegMade(again, "late")).given() == (PreAccept(WACID, "late"),)


def test_a_call_missed_for_want_of_a_media_worker_says_so() -> None:
    away = MediaFailed(AnswerWhatsApp(W1, "meta-offer"), "media_away", "no worker")
    walk = ringing().tell(away).pass_deadline(DeadlineKind.RING)
    assert ended(walk) == (State.ENDED, Outcome.MISSED)
    assert walk.call.end.problem is not None
    assert walk.call.end.problem.code == "media_away"


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("peer_closed", Outcome.MISSED), ("connect_timeout", Outcome.FAILED)],
)
def test_a_lost_whatsapp_leg_ends_a_ringing_call(reason: str, outcome: Outcome) -> None:
    walk = ringing_with_media().tell(WhatsAppLegClosed(W1, reason))
    assert ended(walk) == (State.ENDED, outcome)
    assert walk.given() == (Terminate(WACID),)


def test_a_lost_whatsapp_leg_ends_the_talk() -> None:
    walk = talking().tell(WhatsAppLegClosed(W1, "consent_lost"))
    assert ended(walk) == (State.ENDED, Outcome.COMPLETED)
    assert walk.call.end.problem is not None
    assert walk.call.end.problem.code == "media_lost"


# --- the agent's side in mid-talk ----------------------------------------------------------


def test_a_lost_agent_leg_parts_the_two_and_waits_for_the_agent() -> None:
    walk = talking().tell(AgentLegClosed(ANI_LEG))
    assert walk.call.is_agent_away
    assert walk.given() == (Detach(W1),)
    away = walk.call.deadline(DeadlineKind.AWAY)
    assert away is not None
    assert away.at == walk.now + 45


def test_the_agent_comes_back_with_a_connected_leg() -> None:
    walk = talking().tell(AgentLegClosed(ANI_LEG), AgentReattached(warm(OTHER_LEG)))
    assert walk.given() == (Attach(W1, OTHER_LEG), StartSending(W1))
    assert not walk.call.is_agent_away
    assert walk.call.deadline(DeadlineKind.AWAY) is None


def test_the_agent_comes_back_with_a_cold_leg() -> None:
    walk = talking().tell(AgentLegClosed(ANI_LEG), AgentReattached(cold(OTHER_LEG)))
    assert walk.given() == ()
    assert walk.call.is_agent_away
    walk.tell(AgentLegUp(OTHER_LEG))
    assert walk.given() == (Attach(W1, OTHER_LEG), StartSending(W1))
    assert not walk.call.is_agent_away


def test_a_replacement_leaves_the_old_leg_attached_until_it_is_connected() -> None:
    walk = answered(cold()).tell(heard(), Accepted(), AgentReattached(cold(OTHER_LEG)))
    assert walk.given() == ()
    assert not walk.call.is_agent_away
    walk.tell(AgentLegUp(OTHER_LEG))
    assert walk.given() == (Attach(W1, OTHER_LEG), StartSending(W1), CloseLeg(ANI_LEG))


def test_a_replacement_that_fails_leaves_everything_as_it_was() -> None:
    walk = talking()
    before = walk.call
    walk.tell(AgentReattached(cold(OTHER_LEG)), AgentLegClosed(OTHER_LEG))
    assert walk.call == before


def test_an_agent_who_stays_away_ends_the_call() -> None:
    walk = talking().tell(AgentLegClosed(ANI_LEG)).pass_deadline(DeadlineKind.AWAY)
    assert ended(walk) == (State.ENDED, Outcome.COMPLETED)
    assert Terminate(WACID) in walk.given()


def test_a_leg_that_attach_does_not_find_is_a_lost_leg() -> None:
    failure = MediaFailed(Attach(W1, ANI_LEG), "no_such_leg", "gone")
    assert talking().tell(failure).call.is_agent_away


def test_mute_and_hold_are_ordered_once() -> None:
    walk = talking().tell(Muted(True))
    assert walk.given() == (SetMute(W1, True),)
    assert walk.tell(Muted(True)).given() == ()
    assert walk.tell(Held(True)).given() == (SetHold(W1, True),)
    assert walk.tell(Held(False)).given() == (SetHold(W1, False),)


def test_what_was_chosen_before_the_talk_holds_in_it() -> None:
    walk = answered().tell(Muted(True), Accepted())
    assert walk.given() == (Attach(W1, ANI_LEG), SetMute(W1, True), StartSending(W1))


# --- after the end -------------------------------------------------------------------------


def test_a_person_is_told_that_the_call_is_over() -> None:
    walk = talking().tell(HungUp())
    for event in (AgentAnswered(BUDI, "Budi", warm()), Muted(True), AgentReattached(warm())):
        with pytest.raises(Refused) as refused:
            walk.tell(event)
        assert refused.value.code == "call_ended"


def test_hanging_up_twice_is_fine() -> None:
    walk = talking().tell(HungUp())
    before = walk.call
    assert walk.tell(HungUp(), AgentDeclined(BUDI), EveryoneDeclined()).call == before


def test_a_crash_of_its_own_actor_ends_a_call() -> None:
    walk = talking().tell(ActorCrashed())
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    assert Terminate(WACID) in walk.given()
    assert walk.call.whatsapp.stage is LegStage.GONE
