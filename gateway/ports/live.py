"""Presence of agents and news to browsers."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from gateway.core.ids import AccountId, NodeId, UserId
from gateway.ports import Json


class Availability(StrEnum):
    """What an agent chose; ringing and busy follow from calls."""

    AVAILABLE = "available"
    AWAY = "away"


@dataclass(frozen=True, slots=True)
class AgentPresence:
    """An agent with at least one live browser connection on some node."""

    user_id: UserId
    account_id: AccountId
    node_id: NodeId
    availability: Availability


class Presence(Protocol):
    """Who is here. This node's agents are known without Redis; the others' through it."""

    async def enter(self, account_id: AccountId, user_id: UserId) -> None:
        """A browser connection of the person opened on this node."""

    async def leave(self, account_id: AccountId, user_id: UserId) -> None:
        """A browser connection closed; the last one makes the person offline."""

    async def choose(
        self, account_id: AccountId, user_id: UserId, availability: Availability
    ) -> None:
        """Set what the agent chose; kept while one of their connections lives."""

    async def of_account(self, account_id: AccountId) -> Sequence[AgentPresence]:
        """Return who is here now, on all nodes as far as they are known."""


@dataclass(frozen=True, slots=True)
class LiveEvent:
    """Something browsers should know."""

    account_id: AccountId
    kind: str
    """call | presence | notice | quality"""
    body: dict[str, Json]
    audience: tuple[UserId, ...] | None = None
    """Only these people, besides supervisors and admins; None: everybody of the account."""
    is_personal: bool = False
    """Meant for the audience alone: supervisors and admins are not told besides."""
    is_local: bool = False
    """About this node alone: browsers on other nodes are not told."""


class LiveBus(Protocol):
    """News to browsers on all nodes. Never blocks and never fails a call: what cannot be
    told to other nodes is counted; this node's browsers are always told.
    """

    def publish(self, event: LiveEvent) -> None:
        """Tell everybody."""

    def subscribe(
        self, account_id: AccountId
    ) -> AbstractAsyncContextManager[AsyncIterator[LiveEvent]]:
        """Receive an account's news; a slow reader's stream ends instead of growing."""
