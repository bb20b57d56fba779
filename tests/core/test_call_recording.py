"""When a call is recorded, what it waits for, and what people are told."""

import pytest

from gateway.core.call.call import DeadlineKind, State
from gateway.core.call.commands import (
    Accept,
    AnswerWhatsApp,
    Attach,
    Connect,
    HoldMinutes,
    OfferWhatsApp,
    ReleaseMinutes,
    StartCapture,
    StopCapture,
)
from gateway.core.call.events import (
    Accepted,
    AgentAnswered,
    AgentLegClosed,
    CaptureFailed,
    Connected,
    DeadlinePassed,
    HungUp,
    MinutesHeld,
    RecordingDone,
    WhatsAppLegMade,
    WhatsAppLegUp,
)
from gateway.core.recording.policy import Records
from gateway.core.recording.stage import CallRecording, NotRecorded, RecordingStage
from gateway.core.whatsapp import Direction
from tests.core.scenes import (
    ANI,
    ANI_LEG,
    CONNECT,
    PICKED_UP,
    READY,
    RECORDED,
    RINGING,
    W1,
    WACID,
    Walk,
    dialling,
    dialling_recorded,
    over,
    ringing,
    ringing_recorded,
    silent,
    talking,
    talking_recorded,
    warm,
)

JOINED = (Attach(W1, ANI_LEG), Accept(WACID, "our-answer"))
NO_MINUTES = MinutesHeld(NotRecorded.NO_MINUTES)
ANSWERED = AgentAnswered(ANI, "Ani", warm())


def stage(walk: Walk) -> RecordingStage:
    return walk.call.recording.stage


def kinds(walk: Walk) -> set[type]:
    return {type(order) for order in walk.orders}


RECORDING = {HoldMinutes, ReleaseMinutes, StartCapture, StopCapture}


@pytest.mark.parametrize(
    ("records", "inbound", "outbound"),
    [
        (Records.NONE, False, False),
        (Records.INBOUND, True, False),
        (Records.OUTBOUND, False, True),
        (Records.BOTH, True, True),
    ],
)
def test_the_account_s_choice_says_which_calls(
    records: Records, inbound: bool, outbound: bool
) -> None:
    assert records.covers(Direction.INBOUND) is inbound
    assert records.covers(Direction.OUTBOUND) is outbound


def test_a_call_of_an_account_that_records_nothing_has_to_do_with_no_minutes() -> None:
    assert not kinds(talking().tell(HungUp())) & RECORDING
    assert stage(talking()) is RecordingStage.OFF


def test_minutes_are_asked_for_while_it_rings_so_that_the_agent_knows_before_answering() -> (
    None
):
    walk = ringing(line=RECORDED)
    assert walk.given() == (AnswerWhatsApp(W1, CONNECT.offer), HoldMinutes())
    assert stage(walk) is RecordingStage.HOLDING
    assert stage(walk.tell(NO_MINUTES)) is RecordingStage.REFUSED
    assert walk.call.recording.reason is NotRecorded.NO_MINUTES
    assert walk.state() is State.RINGING


def test_recording_begins_at_the_pick_up_and_not_before() -> None:
    walk = ringing_recorded().tell(MinutesHeld(), ANSWERED)
    assert walk.given() == JOINED
    walk.tell(Accepted())
    assert walk.given()[-1] == StartCapture(W1)
    assert stage(walk) is RecordingStage.CAPTURING


def test_accept_waits_for_the_answer_about_minutes() -> None:
    walk = ringing_recorded().tell(ANSWERED)
    assert walk.given() == ()
    assert walk.tell(MinutesHeld()).given() == JOINED
    assert walk.tell(MinutesHeld()).given() == ()


def test_a_claim_without_a_voice_is_undone_although_minutes_are_not_known() -> None:
    walk = ringing_recorded().tell(AgentAnswered(ANI, "Ani", silent()))
    walk.pass_deadline(DeadlineKind.CLAIM)
    assert walk.state() is State.RINGING
    assert stage(walk) is RecordingStage.HOLDING


def test_without_minutes_the_call_is_taken_all_the_same_and_not_recorded() -> None:
    walk = ringing_recorded().tell(ANSWERED, NO_MINUTES)
    assert walk.given() == JOINED
    walk.tell(Accepted())
    assert walk.state() is State.TALKING
    assert StartCapture not in kinds(walk)
    assert stage(walk) is RecordingStage.REFUSED


def test_our_own_call_is_offered_once_minutes_are_known() -> None:
    walk = dialling_recorded()
    assert walk.given() == (OfferWhatsApp(W1), HoldMinutes())
    assert walk.tell(WhatsAppLegMade(W1, "our-offer")).given() == ()
    assert walk.tell(MinutesHeld()).given() == (Connect("our-offer"),)
    walk.tell(Connected(WACID), READY, WhatsAppLegUp(W1), RINGING)
    assert StartCapture not in kinds(walk), "nobody has picked up"
    assert walk.tell(PICKED_UP).given() == (StartCapture(W1),)
    assert walk.tell(PICKED_UP).given() == ()


def test_media_that_come_up_after_the_pick_up_change_nothing_about_the_capture() -> None:
    walk = dialling_recorded().tell(MinutesHeld(), WhatsAppLegMade(W1, "our-offer"))
    walk.tell(Connected(WACID), PICKED_UP, READY, WhatsAppLegUp(W1))
    assert len([o for o in walk.orders if isinstance(o, StartCapture)]) == 1


@pytest.mark.parametrize("told", [(), (MinutesHeld(),), (NO_MINUTES,)])
def test_a_call_that_is_never_talked_in_gives_its_minutes_back(
    told: tuple[MinutesHeld, ...],
) -> None:
    for start in (ringing_recorded, dialling_recorded):
        walk = start().tell(*told, HungUp())
        assert [o for o in walk.orders if isinstance(o, ReleaseMinutes)] == [ReleaseMinutes()]
        assert not kinds(walk) & {StartCapture, StopCapture}
        assert walk.tell(MinutesHeld()).given() == (), "too late"


def test_the_end_of_the_call_ends_its_capture() -> None:
    for end in (HungUp(), over(start_at=1003.0)):
        walk = talking_recorded().tell(end)
        assert StopCapture() in walk.given()
        assert stage(walk) is RecordingStage.ENDED
        assert ReleaseMinutes not in kinds(walk)


def test_an_agent_who_is_away_for_a_while_does_not_end_the_recording() -> None:
    walk = talking_recorded().tell(AgentLegClosed(ANI_LEG))
    assert stage(walk) is RecordingStage.CAPTURING
    assert StopCapture not in kinds(walk)


def test_a_capture_that_cannot_begin_leaves_the_call_alone() -> None:
    walk = talking_recorded().tell(CaptureFailed(NotRecorded.MEDIA))
    assert walk.state() is State.TALKING
    assert walk.given() == ()
    assert walk.call.recording == CallRecording(RecordingStage.FAILED, NotRecorded.MEDIA)
    assert StopCapture() in walk.tell(HungUp()).given(), "it may have begun all the same"
    assert stage(walk) is RecordingStage.FAILED


def test_the_recording_that_was_kept_is_known_to_the_call() -> None:
    walk = talking_recorded().tell(HungUp(), RecordingDone(61_500))
    assert walk.call.recording == CallRecording(RecordingStage.KEPT, duration_ms=61_500)
    before = walk.call
    assert walk.tell(RecordingDone(61_500), RecordingDone(0)).call == before
    nothing = talking_recorded().tell(HungUp(), RecordingDone(0))
    assert stage(nothing) is RecordingStage.EMPTY


def test_a_recording_is_kept_also_where_it_seemed_not_to_begin() -> None:
    """The worker's answer was lost, but it did what it was asked."""
    walk = talking_recorded().tell(CaptureFailed(NotRecorded.MEDIA), HungUp())
    assert stage(walk.tell(RecordingDone(5_000))) is RecordingStage.KEPT


def test_minutes_that_nobody_answers_about_do_not_end_a_call_by_a_deadline() -> None:
    walk = ringing_recorded().tell(ANSWERED)
    assert not walk.call.deadlines
    stale = DeadlinePassed(dialling().call.deadlines[0])
    assert walk.tell(stale).state() is State.CONNECTING
