"""Calls that the gateway records by itself: announced first, by us, to both sides."""

from dataclasses import replace

import pytest

from gateway.core.call.call import DeadlineKind, State
from gateway.core.call.commands import (
    HoldMinutes,
    OpenCase,
    PlayAnnouncement,
    ReleaseMinutes,
    StartCapture,
    StartSending,
)
from gateway.core.call.events import (
    Accepted,
    AgentAnswered,
    AnnouncementOver,
    FoundLeg,
    HungUp,
    MediaBack,
    MediaFailed,
    MinutesHeld,
)
from gateway.core.call.resume import Resumption, resumption
from gateway.core.errors import BadInput
from gateway.core.ids import LegId
from gateway.core.recording.facts import Declined, Facts, Mode, learn
from gateway.core.recording.own_announcement import AnnouncementId, OwnAnnouncement
from gateway.core.recording.policy import Records
from gateway.core.recording.reconcile import Verdict, reconcile
from gateway.core.recording.stage import NotRecorded, RecordingStage
from gateway.core.recording.wish import Terms, Wish, checked_wish
from tests.core.scenes import (
    ANI,
    ANI_LEG,
    PICKED_UP,
    RECORDED,
    RINGING,
    W1,
    Walk,
    dialling_recorded,
    over,
    ringing,
    ringing_recorded,
    warm,
)

OWN = OwnAnnouncement(AnnouncementId("a" * 64), 4_000)
LOCAL = Wish(Records.BOTH, mode=Mode.LOCAL)
LINE = replace(RECORDED, terms=Terms(LOCAL, Records.BOTH, own_announcement=OWN))
PLAY = PlayAnnouncement(W1, OWN.announcement_id)
OVER = AnnouncementOver(W1)
ANSWERED = AgentAnswered(ANI, "Ani", warm())


def local(walk: Walk) -> Walk:
    """The same call, of an account that records by itself."""
    walk.call = replace(walk.call, terms=LINE.terms)
    return walk


def announcing() -> Walk:
    """Picked up, and the announcement was ordered."""
    return local(ringing_recorded()).tell(MinutesHeld(), ANSWERED, Accepted())


def stage(walk: Walk) -> RecordingStage:
    return walk.call.recording.stage


def kinds(walk: Walk) -> set[type]:
    return {type(order) for order in walk.orders}


def back(is_announced: bool | None) -> MediaBack:
    legs = (
        FoundLeg(W1, True, True, True, ANI_LEG, "our-answer", is_announced),
        FoundLeg(ANI_LEG, True, True, True, W1, "", None),
    )
    return MediaBack(legs)


def test_both_sides_hear_the_announcement_before_anything_is_captured() -> None:
    walk = announcing()
    given = walk.given()
    assert given.index(StartSending(W1)) < given.index(PLAY)
    assert StartCapture not in kinds(walk)
    assert stage(walk) is RecordingStage.ANNOUNCING
    assert walk.tell(OVER).given() == (StartCapture(W1),)
    assert stage(walk) is RecordingStage.CAPTURING
    assert walk.call.deadline(DeadlineKind.ANNOUNCED) is None
    assert walk.tell(OVER).given() == ()


def test_a_call_of_ours_is_announced_at_the_pick_up_too() -> None:
    walk = local(dialling_recorded()).tell(MinutesHeld(), RINGING)
    assert PlayAnnouncement not in kinds(walk)
    assert PLAY in walk.tell(PICKED_UP).given()
    assert walk.tell(OVER).given() == (StartCapture(W1),)


def test_a_call_that_ends_during_the_announcement_is_neither_recorded_nor_charged() -> None:
    walk = announcing().tell(HungUp())
    assert {ReleaseMinutes(), OpenCase(is_declined=True)} <= set(walk.given())
    assert StartCapture not in kinds(walk)
    assert stage(walk) is RecordingStage.EMPTY
    assert walk.call.recording.reason is NotRecorded.DECLINED
    facts = learn(Facts(Mode.LOCAL, 0.0), Declined())
    told = reconcile(replace(facts, local=None), now=16 * 60.0, free_ms=0)
    assert told is not None
    assert (told.verdict, told.stored_ms) == (Verdict.DECLINED, 0)
    assert walk.tell(OVER).given() == ()


def test_without_minutes_nothing_is_announced() -> None:
    walk = local(ringing_recorded()).tell(
        MinutesHeld(NotRecorded.NO_MINUTES), ANSWERED, Accepted()
    )
    assert not {PlayAnnouncement, StartCapture} & kinds(walk)
    assert stage(walk) is RecordingStage.REFUSED


def test_without_an_announcement_nothing_is_recorded_and_the_agent_knows_before() -> None:
    silent = replace(LINE, terms=replace(LINE.terms, own_announcement=None))
    walk = ringing(line=silent)
    assert stage(walk) is RecordingStage.REFUSED
    assert walk.call.recording.reason is NotRecorded.NO_ANNOUNCEMENT
    assert HoldMinutes not in kinds(walk)
    assert walk.state() is State.RINGING
    walk.tell(over())
    assert walk.state() is State.ENDED


def test_an_announcement_that_cannot_be_played_costs_the_recording_and_not_the_call() -> None:
    walk = announcing().tell(MediaFailed(PLAY, "no_such_announcement", "gone"))
    assert walk.given() == (ReleaseMinutes(),)
    assert (stage(walk), walk.call.recording.reason) == (
        RecordingStage.REFUSED,
        NotRecorded.MEDIA,
    )
    assert walk.state() is State.TALKING
    assert StartCapture not in kinds(walk.tell(OVER, HungUp()))


def test_a_worker_that_is_away_is_asked_again_until_it_tells() -> None:
    walk = announcing().tell(MediaFailed(PLAY, "media_away", "away"))
    assert stage(walk) is RecordingStage.ANNOUNCING
    for _ in range(3):
        assert walk.pass_deadline(DeadlineKind.ANNOUNCED).given() == (PLAY,)
    assert walk.tell(OVER).given() == (StartCapture(W1),)


def test_the_worker_is_not_asked_before_its_sound_can_be_over() -> None:
    deadline = announcing().call.deadline(DeadlineKind.ANNOUNCED)
    assert deadline is not None
    assert deadline.at > 1000.0 + OWN.duration_ms / 1000


@pytest.mark.parametrize(
    ("is_announced", "orders"),
    [(None, {PLAY}), (False, set()), (True, {StartCapture(W1)})],
)
def test_a_worker_that_is_back_shows_how_far_the_announcement_is(
    is_announced: bool | None, orders: set[object]
) -> None:
    walk = announcing().tell(back(is_announced))
    assert set(walk.given()) == orders


def test_a_restarted_gateway_orders_it_again_only_while_it_is_due() -> None:
    walk = announcing()
    assert resumption(walk.call, PLAY) is Resumption.REPEAT
    other = PlayAnnouncement(LegId("another"), OWN.announcement_id)
    assert resumption(walk.call, other) is Resumption.DROP
    assert resumption(walk.tell(OVER).call, PLAY) is Resumption.DROP


def test_the_end_of_another_leg_s_announcement_says_nothing() -> None:
    assert announcing().tell(AnnouncementOver(LegId("another"))).given() == ()


def test_calls_that_whatsapp_announces_hear_nothing_of_ours() -> None:
    official = Wish(Records.BOTH, purpose="quality")
    terms = Terms(official, Records.BOTH, delay_ms=5_000, own_announcement=OWN)
    walk = ringing_recorded()
    walk.call = replace(walk.call, terms=terms)
    walk.tell(MinutesHeld(), ANSWERED, Accepted())
    assert stage(walk) is RecordingStage.ANNOUNCING
    assert PlayAnnouncement not in kinds(walk)
    assert walk.tell(OVER).given() == ()
    assert walk.tell(back(None)).given() == ()
    assert walk.pass_deadline(DeadlineKind.ANNOUNCED).given() == (StartCapture(W1),)


def test_recording_by_ourselves_needs_an_announcement() -> None:
    with pytest.raises(BadInput, match="upload the announcement first"):
        checked_wish(LOCAL, has_announcement=False)
    assert checked_wish(LOCAL, has_announcement=True) == LOCAL
    assert (
        checked_wish(replace(LOCAL, records=Records.NONE), has_announcement=False).mode
        is Mode.LOCAL
    )
