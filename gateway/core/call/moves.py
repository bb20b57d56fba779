"""Every move between states that exists; `machine.step` makes no other.

The diagram in `docs/call-states.md` is drawn from this table.
"""

from dataclasses import dataclass

from gateway.core.call.call import State
from gateway.core.call.events import (
    Accepted,
    ActorCrashed,
    AgentAnswered,
    AgentDeclined,
    AgentLegClosed,
    ConnectWithheld,
    DeadlinePassed,
    EveryoneDeclined,
    HungUp,
    MediaBack,
    MediaFailed,
    MetaRefused,
    MetaUnclear,
    WhatsAppLegClosed,
)
from gateway.core.whatsapp import Direction, StatusChanged, Terminated

IN, OUT = Direction.INBOUND, Direction.OUTBOUND
_R, _C, _D = State.RINGING, State.CONNECTING, State.DIALLING
_RR, _T, _E = State.REMOTE_RINGING, State.TALKING, State.ENDED


@dataclass(frozen=True, slots=True)
class Move:
    """A way from one state to another, and the events that open it."""

    direction: Direction
    source: State
    target: State
    events: tuple[type, ...]


# What can end any live call.
_ALWAYS = (HungUp, Terminated, WhatsAppLegClosed, DeadlinePassed, MediaBack, ActorCrashed)

MOVES = (
    # An agent answers; a claim without a working leg is undone; `accept` returns 200.
    Move(IN, _R, _C, (AgentAnswered,)),
    Move(IN, _C, _R, (DeadlinePassed, AgentLegClosed, MediaBack)),
    Move(IN, _C, _T, (Accepted,)),
    Move(IN, _R, _E, (*_ALWAYS, AgentDeclined, EveryoneDeclined, MetaRefused, MediaFailed)),
    Move(IN, _C, _E, (*_ALWAYS, AgentLegClosed, MetaRefused, MetaUnclear, MediaFailed)),
    Move(IN, _T, _E, _ALWAYS),
    # The user's phone rings and is picked up; Meta's statuses may skip or swap.
    Move(OUT, _D, _RR, (StatusChanged,)),
    Move(OUT, _D, _T, (StatusChanged,)),
    Move(OUT, _RR, _T, (StatusChanged,)),
    Move(OUT, _D, _E, (*_ALWAYS, StatusChanged, MetaRefused, ConnectWithheld)),
    Move(OUT, _D, _E, (AgentLegClosed, MediaFailed)),
    Move(OUT, _RR, _E, (*_ALWAYS, StatusChanged, MediaFailed)),
    Move(OUT, _T, _E, (*_ALWAYS, MediaFailed)),
)

_KNOWN = {
    (move.direction, move.source, move.target, event) for move in MOVES for event in move.events
}


def is_known(direction: Direction, source: State, target: State, event: object) -> bool:
    """Whether the table has this move."""
    return (direction, source, target, type(event)) in _KNOWN
