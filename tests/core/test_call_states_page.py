"""The table of moves: every row happens, and the drawn page is fresh."""

import random
from pathlib import Path

from gateway.core.call.call import DeadlineKind, State
from gateway.core.call.commands import AnswerWhatsApp, ApplyAnswer, GraphAction, OfferWhatsApp
from gateway.core.call.diagram import page
from gateway.core.call.events import (
    Accepted,
    ActorCrashed,
    AgentAnswered,
    AgentDeclined,
    AgentLegClosed,
    AgentLegHeard,
    Connected,
    ConnectWithheld,
    DeadlinePassed,
    Event,
    EveryoneDeclined,
    FoundLeg,
    HungUp,
    MediaBack,
    MediaFailed,
    MetaRefused,
    MetaUnclear,
    WhatsAppLegClosed,
    WhatsAppLegMade,
    WhatsAppLegUp,
)
from gateway.core.call.moves import MOVES
from gateway.core.errors import MetaFault, Refused
from tests.core.scenes import (
    ANI,
    ANI_LEG,
    BUDI,
    PICKED_UP,
    READY,
    REJECTED,
    RINGING,
    W1,
    WACID,
    Walk,
    dialling,
    over,
    ringing,
    silent,
    warm,
)

PAGE = Path(__file__).parents[2] / "docs" / "call-states.md"
FAULT = MetaFault(138004, "oops")
GOOD = FoundLeg(W1, True, False, False, None, "our-sdp")
MIX: tuple[Event | DeadlineKind, ...] = (
    *DeadlineKind,
    AgentAnswered(ANI, "Ani", warm()),
    AgentAnswered(ANI, "Ani", silent()),
    AgentDeclined(ANI),
    AgentDeclined(BUDI),
    EveryoneDeclined(),
    HungUp(),
    ActorCrashed(),
    WhatsAppLegMade(W1, "our-sdp"),
    WhatsAppLegUp(W1),
    WhatsAppLegClosed(W1, "peer_closed"),
    AgentLegHeard(ANI_LEG),
    AgentLegClosed(ANI_LEG),
    MediaBack(()),
    MediaBack((GOOD,)),
    MediaFailed(AnswerWhatsApp(W1, "o"), "limit", "no"),
    MediaFailed(OfferWhatsApp(W1), "limit", "no"),
    MediaFailed(ApplyAnswer(W1, "a"), "bad_sdp", "no"),
    Connected(WACID),
    Accepted(),
    ConnectWithheld(),
    *(MetaRefused(action, FAULT) for action in GraphAction),
    *(MetaUnclear(action) for action in GraphAction),
    READY,
    RINGING,
    PICKED_UP,
    REJECTED,
    over(),
)


def test_the_page_shows_the_table_as_it_is() -> None:
    assert PAGE.read_text() == page(), (
        "write it anew: python -m gateway.core.call.diagram > docs/call-states.md"
    )


def wander(chance: random.Random, seen: set[tuple[object, ...]]) -> None:
    """Take one call through random events until it ends, noting its moves."""
    walk: Walk = chance.choice((ringing, dialling))()
    while walk.call.state is not State.ENDED:
        event = chance.choice(MIX)
        if isinstance(event, DeadlineKind):
            deadline = walk.call.deadline(event)
            if deadline is None:
                continue
            walk.now = max(walk.now, deadline.at)
            event = DeadlinePassed(deadline)
        walk.now += chance.choice((0, 0, 0, 20))
        before = walk.call
        try:
            walk.tell(event)
        except Refused:
            continue
        if walk.call.state is not before.state:
            seen.add((before.direction, before.state, walk.call.state, type(event)))


def test_every_move_in_the_table_happens() -> None:
    chance, seen = random.Random(1), set[tuple[object, ...]]()
    table = {(m.direction, m.source, m.target, event) for m in MOVES for event in m.events}
    for _ in range(20_000):
        wander(chance, seen)
        if seen >= table:
            break
    assert table - seen == set()
