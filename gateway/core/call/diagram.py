"""Draws `docs/call-states.md` from the table of moves.

`python -m gateway.core.call.diagram > docs/call-states.md` writes it anew; a test compares.
"""

import itertools
import re
import sys

from gateway.core.call.call import Outcome, State
from gateway.core.call.moves import MOVES
from gateway.core.whatsapp import Direction

_HEAD = """\
# The states of a call

Drawn from `gateway/core/call/moves.py` by `python -m gateway.core.call.diagram`; do not edit.
The machine makes no move that is not in this table.
"""
_TITLES = {
    Direction.INBOUND: "A WhatsApp user calls us",
    Direction.OUTBOUND: "We call a WhatsApp user",
}
_STARTS = {Direction.INBOUND: State.RINGING, Direction.OUTBOUND: State.DIALLING}


def page() -> str:
    """Return the whole page."""
    parts = [_HEAD, *(_drawing(direction) for direction in Direction), _events(), _outcomes()]
    return "\n".join(parts)


def _drawing(direction: Direction) -> str:
    lines = [f"## {_TITLES[direction]}", "", "```mermaid", "stateDiagram-v2"]
    lines.append(f"    [*] --> {_STARTS[direction].value}")
    lines += [
        f"    {source.value} --> {target.value}"
        for source, target in itertools.product(State, State)
        if _names(direction, source, target)
    ]
    return "\n".join([*lines, "    ended --> [*]", "```", ""])


def _events() -> str:
    lines = ["## What makes each move", "", "| direction | from | to | events |"]
    lines.append("| --- | --- | --- | --- |")
    for direction in Direction:
        for source, target in itertools.product(State, State):
            names = ", ".join(_names(direction, source, target))
            if names:
                row = (direction.value, source.value, target.value, names)
                lines.append(f"| {' | '.join(row)} |")
    return "\n".join([*lines, ""])


def _outcomes() -> str:
    lines = ["## What becomes of a call", ""]
    return "\n".join([*lines, ", ".join(f"`{outcome.value}`" for outcome in Outcome) + ".", ""])


def _names(direction: Direction, source: State, target: State) -> list[str]:
    wanted = (direction, source, target)
    found = [
        event
        for move in MOVES
        if (move.direction, move.source, move.target) == wanted
        for event in move.events
    ]
    return sorted(_words(event.__name__) for event in found)


def _words(name: str) -> str:
    parts = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name.replace("WhatsApp", "Whatsapp"))
    return parts.lower().replace("whatsapp", "WhatsApp").replace("rtp", "RTP")


if __name__ == "__main__":
    sys.stdout.write(page())
