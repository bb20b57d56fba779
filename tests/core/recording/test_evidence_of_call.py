"""What of a call's steps is chained: all that bears on its recording, and nobody's name."""

from dataclasses import dataclass, field, replace
from typing import Self

from typing_extensions import override

from gateway.core.call.call import DeadlineKind
from gateway.core.call.events import (
    Accepted,
    AgentAnswered,
    AnnouncementOver,
    CaptureFailed,
    Event,
    HungUp,
    MinutesHeld,
    RecordingDone,
)
from gateway.core.recording.evidence import Happening, canonical
from gateway.core.recording.evidence_of_call import happenings
from gateway.core.recording.facts import Mode
from gateway.core.recording.own_announcement import AnnouncementId, OwnAnnouncement
from gateway.core.recording.policy import Records
from gateway.core.recording.stage import NotRecorded
from gateway.core.recording.wish import Terms, Wish
from tests.core.scenes import (
    ANI,
    CALLER,
    W1,
    WACID,
    Walk,
    over,
    ringing,
    ringing_recorded,
    talking,
    warm,
)

ANSWERED = AgentAnswered(ANI, "Ani", warm())
WISH = Wish(Records.BOTH, purpose="quality", language="en")
OFFICIAL = Terms(WISH, Records.BOTH, delay_ms=6_000)
OWN = OwnAnnouncement(AnnouncementId("d" * 64), 4_000)
LOCAL = Terms(Wish(Records.BOTH, mode=Mode.LOCAL), Records.BOTH, own_announcement=OWN)


@dataclass
class Chained(Walk):
    """A call on its way, and what is chained of it."""

    found: list[Happening] = field(default_factory=list)

    @override
    def tell(self, *events: Event) -> Self:
        for event in events:
            before = self.call
            super().tell(event)
            self.found += happenings(before, self.call, self.last, self.now)
        return self

    def kinds(self) -> list[str]:
        return [str(each.kind) for each in self.found]


def chained(terms: Terms) -> Chained:
    """An inbound call that rings, its minutes asked for."""
    walk = ringing_recorded()
    call = replace(walk.call, terms=terms)
    begin = happenings(None, call, (), 1000.0)
    return Chained(call, found=list(begin))


def test_a_recorded_call_tells_who_heard_which_announcement_and_when() -> None:
    walk = chained(OFFICIAL).tell(MinutesHeld(), ANSWERED, Accepted())
    walk.pass_deadline(DeadlineKind.ANNOUNCED).tell(over(start_at=1002.0))
    assert walk.kinds() == [
        "call.started",
        "minutes.held",
        "announcement.asked",
        "call.agent",
        "call.answered",
        "announcement.began",
        "announcement.ended",
        "capture.ordered",
        "call.ended",
    ]
    asked = walk.found[2].facts
    assert asked["by"] == "whatsapp"
    assert str(asked["sentence"]).endswith("quality")
    assert walk.found[5].facts == {"heard_by": ["customer", "agent"], "agent": ANI}
    assert walk.found[6].at - walk.found[5].at == 6.0


def test_a_call_that_ends_in_its_announcement_says_so() -> None:
    walk = chained(OFFICIAL).tell(MinutesHeld(), ANSWERED, Accepted(), HungUp())
    assert walk.kinds()[-3:] == ["announcement.began", "announcement.cut_short", "call.ended"]


def test_our_own_announcement_is_named_by_its_digest_once_however_often_it_is_ordered() -> None:
    walk = chained(LOCAL).tell(MinutesHeld(), ANSWERED, Accepted())
    walk.pass_deadline(DeadlineKind.ANNOUNCED).tell(AnnouncementOver(W1))
    assert walk.kinds().count("announcement.asked") == 1
    asked = next(each for each in walk.found if each.kind == "announcement.asked")
    assert asked.facts == {"by": "gateway", "announcement": "d" * 64}
    assert walk.kinds()[-2:] == ["announcement.ended", "capture.ordered"]


def test_why_a_call_is_not_recorded_is_chained() -> None:
    walk = chained(OFFICIAL).tell(MinutesHeld(NotRecorded.NO_MINUTES), ANSWERED, Accepted())
    refused = next(each for each in walk.found if each.kind == "recording.refused")
    assert refused.facts == {"reason": "no_minutes"}
    assert "announcement.asked" not in walk.kinds()


def test_a_capture_that_cannot_begin_is_chained() -> None:
    walk = chained(OFFICIAL).tell(MinutesHeld(), ANSWERED, Accepted())
    walk.pass_deadline(DeadlineKind.ANNOUNCED).tell(CaptureFailed(NotRecorded.MEDIA))
    assert walk.found[-1].kind == "capture.failed"
    walk.tell(RecordingDone(0))
    assert walk.found[-1].kind == "capture.failed"


def test_nothing_is_chained_of_a_call_that_nobody_wants_recorded() -> None:
    assert happenings(None, ringing(ANI).call, (), 1.0) == ()
    walk = Chained(talking().call).tell(HungUp())
    assert walk.found == []


def test_no_chain_names_the_customer() -> None:
    walk = chained(OFFICIAL).tell(MinutesHeld(), ANSWERED, Accepted())
    walk.pass_deadline(DeadlineKind.ANNOUNCED).tell(over(start_at=1002.0))
    text = "".join(canonical(each.facts) for each in walk.found)
    for secret in (CALLER.phone, CALLER.user_id, CALLER.name, WACID):
        assert secret is not None
        assert secret not in text
