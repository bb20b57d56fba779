"""Whom a call from a user rings. First version: every free agent of the account."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.core.ids import UserId


@dataclass(frozen=True, slots=True)
class Candidate:
    """An agent who is here, and what keeps them from being rung."""

    user_id: UserId
    is_available: bool
    """What the agent chose."""
    is_busy: bool
    """In a call, or about to be."""


def free_agents(candidates: Iterable[Candidate]) -> tuple[UserId, ...]:
    """Return who could take a call now, in a stable order and each once."""
    return tuple(
        sorted({c.user_id for c in candidates if c.is_available and not c.is_busy}),
    )


def offered_to(
    free: Sequence[UserId], *, declined: Sequence[UserId], failed: Sequence[UserId]
) -> tuple[UserId, ...]:
    """Return whom one call rings: the free, less those who declined it.

    Who answered without a working leg (`failed`) is rung again only if nobody else is left:
    another agent will do better, but a lone agent deserves a second try.
    """
    willing = tuple(user for user in free if user not in declined)
    others = tuple(user for user in willing if user not in failed)
    return others or willing
