"""What waits for one call, in order and bounded."""

import asyncio
from dataclasses import dataclass

from gateway.core.call.call import Call
from gateway.core.call.events import Event
from gateway.core.errors import CallgateError
from gateway.core.ids import CommandId, InboxId


class ActorGone(CallgateError):
    """The actor retired, lost its call or does not keep up; look the call up again."""


@dataclass(frozen=True, slots=True)
class Letter:
    """An event, the end of a command, both, or neither (a nudge)."""

    event: Event | None = None
    inbox_id: InboxId | None = None
    finishes: CommandId | None = None
    reply: "asyncio.Future[Call] | None" = None

    def answer(self, answer: Call | Exception) -> None:
        """Tell the sender, if one still waits."""
        if self.reply is None or self.reply.done():
            return
        if isinstance(answer, Exception):
            self.reply.set_exception(answer)
        else:
            self.reply.set_result(answer)


class Mailbox:
    """Letters from outside are bounded; the call's own are bounded by what it has under way."""

    def __init__(self, letters_max: int) -> None:
        self._letters: asyncio.Queue[Letter] = asyncio.Queue()
        self._letters_max = letters_max

    def put(self, letter: Letter) -> None:
        """Take a letter from outside. Raises `ActorGone` when too many wait."""
        if self._letters.qsize() >= self._letters_max:
            raise ActorGone("the call does not keep up with its events")
        self._letters.put_nowait(letter)

    def put_own(self, letter: Letter) -> None:
        """Take a letter of the call's own making."""
        self._letters.put_nowait(letter)

    async def take(self) -> Letter:
        """Wait for the next letter."""
        return await self._letters.get()

    @property
    def is_empty(self) -> bool:
        """Whether nothing waits."""
        return self._letters.empty()

    def refuse_all(self) -> None:
        """Tell everybody who waits that nobody reads any more."""
        while not self._letters.empty():
            self._letters.get_nowait().answer(ActorGone("the call's actor is gone"))
