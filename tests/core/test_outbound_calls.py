"""An agent calls a WhatsApp user: the machine, situation by situation."""

from dataclasses import replace

import pytest

from gateway.core.call.call import DeadlineKind, Outcome, State
from gateway.core.call.commands import (
    ApplyAnswer,
    Attach,
    CloseLeg,
    Connect,
    GraphAction,
    OfferWhatsApp,
    StartSending,
    Terminate,
)
from gateway.core.call.ending import outcome_of
from gateway.core.call.events import (
    AgentLegClosed,
    AgentLegUp,
    AgentReattached,
    Connected,
    Event,
    HungUp,
    MediaFailed,
    MetaRefused,
    MetaUnclear,
    WhatsAppLegClosed,
    WhatsAppLegMade,
    WhatsAppLegUp,
)
from gateway.core.errors import MetaFault
from gateway.core.ids import Wacid
from tests.core.scenes import (
    ANI_LEG,
    OTHER_LEG,
    PICKED_UP,
    READY,
    REJECTED,
    RINGING,
    W1,
    WACID,
    Walk,
    cold,
    connect_sent,
    connected,
    dialling,
    over,
    remote_ringing,
    talking_outbound,
    warm,
)


def ended(walk: Walk) -> tuple[State, Outcome | None]:
    return walk.state(), outcome_of(walk.call)


def test_dialling_makes_our_offer_and_then_connects() -> None:
    walk = dialling()
    assert walk.given() == (OfferWhatsApp(W1),)
    walk.tell(WhatsAppLegMade(W1, "our-offer"))
    assert walk.given() == (Connect("our-offer"),)
    assert walk.state() is State.DIALLING


def test_nobody_is_called_before_the_agents_leg_is_connected() -> None:
    walk = dialling(cold()).tell(WhatsAppLegMade(W1, "our-offer"))
    assert walk.given() == ()
    assert walk.tell(AgentLegUp(ANI_LEG)).given() == (Connect("our-offer"),)


def test_an_agents_leg_that_never_connects_ends_the_attempt() -> None:
    walk = dialling(cold()).tell(WhatsAppLegMade(W1, "our-offer"))
    walk.pass_deadline(DeadlineKind.CLAIM)
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    assert walk.given() == (CloseLeg(W1), CloseLeg(ANI_LEG))


def test_rtp_flows_from_dtls_up_with_the_agents_voice() -> None:
    walk = connected().tell(READY)
    assert walk.given() == (ApplyAnswer(W1, "meta-answer"),)
    walk.tell(WhatsAppLegUp(W1))
    assert walk.given() == (Attach(W1, ANI_LEG), StartSending(W1))
    assert walk.state() is State.DIALLING


def test_connect_is_not_the_pick_up_but_accepted_is() -> None:
    walk = remote_ringing()
    assert walk.state() is State.REMOTE_RINGING
    assert remote_ringing().call.answered_at is None
    walk.tell(PICKED_UP)
    assert walk.state() is State.TALKING
    assert walk.call.answered_at == walk.now
    assert walk.call.deadline(DeadlineKind.RING) is None


def test_metas_answer_is_applied_once() -> None:
    walk = connected().tell(READY, READY, replace(READY, answer="another"))
    assert [o for o in walk.orders if isinstance(o, ApplyAnswer)] == [
        ApplyAnswer(W1, "meta-answer")
    ]


def test_webhooks_may_come_before_the_response_to_our_own_post() -> None:
    walk = connect_sent().tell(READY, RINGING, PICKED_UP, Connected(WACID))
    assert walk.call.wacid == WACID
    assert walk.state() is State.TALKING


def test_nobody_answers_in_time() -> None:
    walk = remote_ringing().pass_deadline(DeadlineKind.RING)
    assert ended(walk) == (State.ENDED, Outcome.UNANSWERED)
    assert walk.given() == (Terminate(WACID), CloseLeg(W1))


def test_the_user_rejects() -> None:
    walk = remote_ringing().tell(REJECTED)
    assert ended(walk) == (State.ENDED, Outcome.REJECTED)
    assert walk.given() == (CloseLeg(W1),)
    assert outcome_of(walk.tell(over()).call) is Outcome.REJECTED


def test_a_goodbye_on_the_leg_may_precede_the_rejection() -> None:
    walk = remote_ringing().tell(WhatsAppLegClosed(W1, "peer_closed"))
    assert ended(walk) == (State.ENDED, Outcome.UNANSWERED)
    assert outcome_of(walk.tell(REJECTED).call) is Outcome.REJECTED


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (MetaFault(138006, "no permission"), "no_permission"),
        (MetaFault(190, "expired"), "token_invalid"),
        (MetaFault(138005, "rate"), "rate_limited"),
        (MetaFault(138013, "country", "not here"), "meta_refused"),
        (MetaFault(999999, "new one"), "meta_refused"),
    ],
)
def test_a_refused_connect_is_shown_with_metas_own_words(fault: MetaFault, code: str) -> None:
    walk = connect_sent(cold()).tell(AgentLegUp(ANI_LEG))
    walk.tell(MetaRefused(GraphAction.CONNECT, fault))
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    problem = walk.call.end.problem
    assert problem is not None
    assert (problem.code, problem.fault) == (code, fault)
    assert problem.detail
    assert walk.given() == (CloseLeg(W1), CloseLeg(ANI_LEG))


# --- an unclear connect --------------------------------------------------------------------


def test_an_unclear_connect_waits_for_the_webhook_with_our_call_id() -> None:
    walk = connect_sent().tell(MetaUnclear(GraphAction.CONNECT))
    assert walk.given() == ()
    assert walk.call.deadline(DeadlineKind.RESOLVE) is not None
    walk.tell(READY)
    assert walk.call.wacid == WACID
    assert walk.call.deadline(DeadlineKind.RESOLVE) is None
    assert walk.given() == (ApplyAnswer(W1, "meta-answer"),)


def test_an_unclear_connect_is_given_up_and_never_repeated() -> None:
    walk = connect_sent().tell(MetaUnclear(GraphAction.CONNECT))
    walk.pass_deadline(DeadlineKind.RESOLVE)
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    assert walk.call.end.problem is not None
    assert walk.call.end.problem.code == "meta_unclear"
    assert len([o for o in walk.orders if isinstance(o, Connect)]) == 1


@pytest.mark.parametrize("late", [READY, RINGING, PICKED_UP, Connected(WACID)])
def test_a_call_found_after_it_was_given_up_is_hung_up(late: Event) -> None:
    walk = connect_sent().tell(MetaUnclear(GraphAction.CONNECT))
    walk.pass_deadline(DeadlineKind.RESOLVE).tell(late)
    assert walk.given() == (Terminate(WACID),)
    assert walk.state() is State.ENDED
    assert walk.tell(READY, PICKED_UP).given() == ()


def test_a_call_that_ended_by_itself_is_not_hung_up_again() -> None:
    walk = connect_sent().tell(MetaUnclear(GraphAction.CONNECT))
    walk.pass_deadline(DeadlineKind.RESOLVE).tell(over(), READY)
    assert walk.given() == ()


# --- hanging up ----------------------------------------------------------------------------


def test_hanging_up_before_connect_tells_meta_nothing() -> None:
    walk = dialling().tell(HungUp())
    assert ended(walk) == (State.ENDED, Outcome.CANCELLED)
    assert walk.given() == (CloseLeg(W1),)
    assert walk.tell(WhatsAppLegMade(W1, "our-offer")).given() == ()


def test_hanging_up_while_connect_is_under_way_ends_the_call_once_it_has_an_id() -> None:
    walk = connect_sent().tell(HungUp())
    assert ended(walk) == (State.ENDED, Outcome.CANCELLED)
    assert walk.given() == (CloseLeg(W1),)
    assert walk.tell(Connected(WACID)).given() == (Terminate(WACID),)


def test_hanging_up_while_it_rings() -> None:
    walk = remote_ringing().tell(HungUp())
    assert ended(walk) == (State.ENDED, Outcome.CANCELLED)
    assert walk.given() == (Terminate(WACID), CloseLeg(W1))


def test_picked_up_in_the_same_instant_as_we_hung_up() -> None:
    walk = remote_ringing().tell(HungUp(), PICKED_UP)
    assert walk.given() == ()
    assert ended(walk) == (State.ENDED, Outcome.CANCELLED)


def test_a_user_who_picks_up_after_a_rejection_is_not_left_alone() -> None:
    walk = remote_ringing().tell(REJECTED, PICKED_UP)
    assert walk.given() == (Terminate(WACID),)


def test_people_who_talk_are_not_cut_off_by_a_late_rejection() -> None:
    walk = talking_outbound().tell(REJECTED)
    assert walk.state() is State.TALKING


# --- media ---------------------------------------------------------------------------------


def test_a_lost_agent_leg_before_connect_ends_the_attempt() -> None:
    walk = dialling().tell(AgentLegClosed(ANI_LEG))
    assert ended(walk) == (State.ENDED, Outcome.FAILED)


def test_an_agent_who_reloads_while_it_rings_may_come_back() -> None:
    walk = remote_ringing().tell(AgentLegClosed(ANI_LEG))
    assert walk.call.is_agent_away
    walk.tell(PICKED_UP, AgentReattached(warm(OTHER_LEG)))
    assert walk.given() == (Attach(W1, OTHER_LEG), StartSending(W1))


def test_without_an_agent_the_path_still_carries_comfort_tone() -> None:
    walk = connected().tell(READY, AgentLegClosed(ANI_LEG), WhatsAppLegUp(W1))
    assert walk.given() == (StartSending(W1),)


@pytest.mark.parametrize("code", ["media_away", "limit"])
def test_without_an_offer_there_is_no_call(code: str) -> None:
    walk = dialling().tell(MediaFailed(OfferWhatsApp(W1), code, "no"))
    assert ended(walk) == (State.ENDED, Outcome.FAILED)


def test_an_answer_of_meta_that_cannot_be_read_ends_the_call() -> None:
    walk = connected().tell(READY)
    walk.tell(MediaFailed(ApplyAnswer(W1, "meta-answer"), "bad_sdp", "no fingerprint"))
    assert ended(walk) == (State.ENDED, Outcome.FAILED)
    assert Terminate(WACID) in walk.given()


# --- other calls of the same user ------------------------------------------------------------


def test_a_webhook_of_another_call_does_not_touch_this_one() -> None:
    walk = talking_outbound()
    before = walk.call
    foreign = Wacid("wacid.OTHER")
    walk.tell(replace(over(), wacid=foreign), replace(REJECTED, wacid=foreign))
    assert walk.call == before
    walk.tell(HungUp())
    before = walk.call
    walk.tell(replace(over(failed=True), wacid=foreign))
    assert walk.call == before


def test_a_request_that_was_never_sent_is_not_called_a_refusal() -> None:
    walk = connect_sent().tell(MetaRefused(GraphAction.CONNECT, MetaFault(0, "not sent")))
    problem = walk.call.end.problem
    assert problem is not None
    assert (problem.code, problem.fault) == ("meta_unreachable", None)
    assert "cannot be reached" in problem.detail
