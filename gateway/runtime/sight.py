"""Which calls a person may see, and how they look."""

from collections.abc import Sequence
from typing import NamedTuple

from gateway.core.call.call import Call
from gateway.core.errors import NotFound
from gateway.core.ids import CallId
from gateway.ports.accounts import Person, Role
from gateway.ports.calls import CallFilter, CallRow
from gateway.runtime.call_rows import stored_of
from gateway.runtime.call_view import CallView, seen_by, view_of, with_outcome
from gateway.runtime.live_calls import LiveCalls
from gateway.runtime.world import World


class CallPage(NamedTuple):
    """One page of calls; `next_cursor` is None on the last."""

    items: tuple[CallView, ...]
    next_cursor: str | None


class Sight:
    """Looks calls up: live ones with their actor, others in the store."""

    def __init__(self, world: World, calls: LiveCalls) -> None:
        self._world = world
        self._calls = calls
        self._books = None if world.official is None else world.official.books

    def live_calls(self, person: Person) -> Sequence[CallView]:
        """Return the live calls the person may see, oldest first."""
        actors = self._calls.of_account(person.account_id)
        seen = [actor for actor in actors if may_see(person, actor.call)]
        seen.sort(key=lambda actor: (actor.call.identity.created_at, actor.call_id))
        return [self._calls.view(actor) for actor in seen]

    async def one(self, person: Person, call_id: CallId) -> CallView:
        """Return one call. Raises `NotFound` also for what is not the person's to see."""
        actor = self._calls.actor(call_id)
        if actor is None:
            row = await self._world.calls.load(call_id)
            if row is not None:
                view, call = self.seen(row)
                if may_see(person, call):
                    [told] = await self._with_outcomes([view])
                    return told
        elif may_see(person, actor.call):
            [told] = await self._with_outcomes([self._calls.view(actor)])
            return told
        raise NotFound("no such call")

    async def to_act_on(self, person: Person, call_id: CallId) -> Call:
        """Return a call that one may see, or was once asked to take. Raises `NotFound`."""
        actor = self._calls.actor(call_id)
        call = None if actor is None else actor.call
        if call is None:
            row = await self._world.calls.load(call_id)
            call = None if row is None else stored_of(row).call
        if call is None or call.identity.account_id != person.account_id:
            raise NotFound("no such call")
        if not may_see(person, call) and person.user_id not in call.ringing.rung:
            raise NotFound("no such call")
        return call

    async def page(self, wanted: CallFilter, *, cursor: str | None, limit: int) -> CallPage:
        """List stored calls. Raises `BadInput` for a cursor not made here."""
        page = await self._world.calls.page(wanted, cursor=cursor, limit=limit)
        views = await self._with_outcomes([self.seen(row)[0] for row in page.rows])
        return CallPage(tuple(views), page.next_cursor)

    async def _with_outcomes(self, views: Sequence[CallView]) -> Sequence[CallView]:
        """Tell what became of the recordings of calls that are over."""
        over = [CallId(view.id) for view in views if view.ended_at is not None]
        if self._books is None or not over:
            return views
        outcomes = await self._books.outcomes(over)
        transcribed = await self._books.transcribed(over)
        return [
            with_outcome(
                view,
                outcomes.get(CallId(view.id)),
                has_transcript=CallId(view.id) in transcribed,
            )
            for view in views
        ]

    def seen(self, row: CallRow) -> tuple[CallView, Call]:
        """Show a stored call; the actor knows a live one better."""
        actor = self._calls.actor(row.call_id)
        if actor is not None:
            return self._calls.view(actor), actor.call
        stored = stored_of(row)
        return view_of(stored.call, stored.version), stored.call


def may_see(person: Person, call: Call) -> bool:
    """Whether a person may see a call: agents those that ring them or are theirs."""
    if call.identity.account_id != person.account_id:
        return False
    return person.role is not Role.AGENT or person.user_id in seen_by(call)
