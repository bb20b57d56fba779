"""What a restart does with commands that were decided but not known to be done."""

import pytest

from gateway.core.call import problems
from gateway.core.call.call import Outcome
from gateway.core.call.commands import (
    Accept,
    AnswerWhatsApp,
    ApplyAnswer,
    Attach,
    CloseLeg,
    Command,
    Connect,
    Detach,
    HoldMinutes,
    OfferWhatsApp,
    PreAccept,
    Reject,
    ReleaseMinutes,
    SetHold,
    SetMute,
    StartCapture,
    StartSending,
    StopCapture,
    TellAgent,
    Terminate,
)
from gateway.core.call.ending import outcome_of
from gateway.core.call.events import (
    AgentLegClosed,
    CaptureFailed,
    Connected,
    HungUp,
    MediaBack,
    MinutesHeld,
    Muted,
    WhatsAppLegMade,
    WhatsAppLegUp,
)
from gateway.core.call.resume import Resumption, resumption
from gateway.core.recording.stage import NotRecorded
from tests.core.scenes import (
    ANI,
    ANI_LEG,
    OTHER_LEG,
    READY,
    W1,
    WACID,
    Walk,
    answered,
    connect_sent,
    connected,
    dialling,
    over,
    ringing,
    ringing_recorded,
    ringing_with_media,
    talking,
    talking_outbound,
    talking_recorded,
)

REPEAT, DROP, UNCLEAR = Resumption.REPEAT, Resumption.DROP, Resumption.UNCLEAR


@pytest.mark.parametrize(
    ("walk", "command", "wanted"),
    [
        (connect_sent(), Connect("our-offer"), UNCLEAR),
        (connected(), Connect("our-offer"), DROP),
        (connect_sent().tell(READY), Connect("our-offer"), DROP),
        (connect_sent().tell(HungUp()), Connect("our-offer"), UNCLEAR),
        (ringing_with_media(), PreAccept(WACID, "our-answer"), REPEAT),
        (answered(), PreAccept(WACID, "our-answer"), DROP),
        (answered(), Accept(WACID, "our-answer"), REPEAT),
        (talking(), Accept(WACID, "our-answer"), DROP),
        (answered().tell(HungUp()), Accept(WACID, "our-answer"), DROP),
        (talking().tell(HungUp()), Terminate(WACID), REPEAT),
        (talking().tell(HungUp(), over()), Terminate(WACID), DROP),
        (ringing().tell(HungUp()), Reject(WACID), REPEAT),
        (ringing(), AnswerWhatsApp(W1, "meta-offer"), REPEAT),
        (ringing_with_media(), AnswerWhatsApp(W1, "meta-offer"), DROP),
        (dialling(), OfferWhatsApp(W1), REPEAT),
        (dialling().tell(WhatsAppLegMade(W1, "o")), OfferWhatsApp(W1), DROP),
        (connected().tell(READY), ApplyAnswer(W1, "meta-answer"), REPEAT),
        (connected().tell(READY, WhatsAppLegUp(W1)), ApplyAnswer(W1, "meta-answer"), DROP),
        (talking(), Attach(W1, ANI_LEG), REPEAT),
        (talking(), Attach(W1, OTHER_LEG), DROP),
        (talking(), StartSending(W1), REPEAT),
        (answered(), StartSending(W1), DROP),
        (talking().tell(AgentLegClosed(ANI_LEG)), Detach(W1), REPEAT),
        (talking(), Detach(W1), DROP),
        (talking().tell(Muted(True)), SetMute(W1, muted=True), REPEAT),
        (talking(), SetMute(W1, muted=True), DROP),
        (talking(), SetHold(W1, held=True), DROP),
        (talking().tell(HungUp()), CloseLeg(W1), REPEAT),
        (talking(), TellAgent(ANI, "leg_gone", "x"), DROP),
        (ringing_recorded(), HoldMinutes(), REPEAT),
        (ringing_recorded().tell(MinutesHeld()), HoldMinutes(), DROP),
        (ringing_recorded().tell(HungUp()), HoldMinutes(), DROP),
        (ringing_recorded().tell(HungUp()), ReleaseMinutes(), REPEAT),
        (talking_recorded(), StartCapture(W1), REPEAT),
        (talking_recorded().tell(CaptureFailed(NotRecorded.MEDIA)), StartCapture(W1), DROP),
        (talking_recorded().tell(HungUp()), StartCapture(W1), DROP),
        (talking_recorded().tell(HungUp()), StopCapture(), REPEAT),
    ],
    ids=lambda value: type(value).__name__ if not isinstance(value, Walk) else value.state(),
)
def test_a_pending_command_is_judged_by_the_call(
    walk: Walk, command: Command, wanted: Resumption
) -> None:
    assert resumption(walk.call, command) is wanted


def test_an_unclear_connect_of_an_ended_call_waits_for_its_webhook() -> None:
    walk = connect_sent().tell(HungUp())
    assert resumption(walk.call, Connect("our-offer")) is UNCLEAR
    assert walk.tell(Connected(WACID)).given() == (Terminate(WACID),)


@pytest.mark.parametrize(
    ("walk", "outcome"),
    [
        (ringing_with_media(), Outcome.MISSED),
        (answered(), Outcome.MISSED),
        (talking(), Outcome.COMPLETED),
        (connected(), Outcome.FAILED),
        (talking_outbound(), Outcome.COMPLETED),
    ],
    ids=["ringing", "answered", "talking", "dialling", "talking outbound"],
)
def test_a_call_whose_leg_is_gone_after_a_restart_is_what_its_caller_saw(
    walk: Walk, outcome: Outcome
) -> None:
    walk.tell(MediaBack(()))
    assert outcome_of(walk.call) is outcome
    assert walk.call.end.problem == problems.MEDIA_AWAY
    assert Terminate(WACID) in walk.given(), "the user may still hold the line"
    assert outcome_of(walk.tell(over()).call) is outcome


def test_a_talk_that_whatsapp_calls_failed_has_failed() -> None:
    walk = talking().tell(MediaBack(())).tell(over(failed=True))
    assert outcome_of(walk.call) is Outcome.FAILED
