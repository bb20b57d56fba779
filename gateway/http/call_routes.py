"""Agent legs and calls."""

from gateway.core.ids import LegId, PhoneNumberId
from gateway.core.whatsapp import Direction, Peer
from gateway.http import policy
from gateway.http.call_views import trace_views
from gateway.http.problems import refuse
from gateway.http.routing import Ask, Header, Route, RouteTable
from gateway.http.schemas import (
    AttachLeg,
    CallPage,
    CallsQuery,
    CallTaken,
    CallTo,
    CallView,
    Decline,
    Dial,
    LegOpened,
    OpenLeg,
    SetHold,
    SetMute,
    TraceView,
)
from gateway.http.shapes import Nothing
from gateway.runtime import call_view
from gateway.runtime.call_desk import Joined, LegChoice

IDEMPOTENCY_KEY = Header(
    "Idempotency-Key",
    "A repeated request with the same key starts no second call (24 h).",
    "^[!-~]{1,200}$",
)

routes = RouteTable()


@routes.serve(
    Route("POST", "/agent-legs", "agent_legs.open", body=OpenLeg, out=LegOpened, status=201)
)
async def open_leg(ask: Ask[OpenLeg, Nothing]) -> LegOpened:
    """Open the agent's audio connection, to be kept up between calls."""
    opened = await ask.deps.desk.open_agent_leg(ask.person, ask.body.offer)
    return LegOpened(leg_id=opened.leg_id, answer=opened.answer)


@routes.serve(Route("DELETE", "/agent-legs/{leg_id}", "agent_legs.close", status=204))
async def close_leg(ask: Ask[Nothing, Nothing]) -> None:
    """Close it."""
    await ask.deps.desk.close_agent_leg(ask.person, ask.leg_id)


@routes.serve(
    Route(
        "POST",
        "/calls",
        "calls.dial",
        body=Dial,
        out=CallTaken,
        status=201,
        refusals=(404, 409, 429),
        headers=(IDEMPOTENCY_KEY,),
    )
)
async def dial(ask: Ask[Dial, Nothing]) -> CallTaken:
    """Call a WhatsApp user."""
    body = ask.body
    taken = await ask.deps.desk.dial(
        ask.person,
        _peer_of(body.to),
        _leg_of(body),
        number_id=PhoneNumberId(body.number_id) if body.number_id else None,
        idempotency_key=_idempotency_key(ask),
    )
    return _taken(taken)


@routes.serve(Route("GET", "/calls", "calls.list", query=CallsQuery, out=CallPage))
async def list_calls(ask: Ask[Nothing, CallsQuery]) -> CallPage:
    """List calls, newest first."""
    query = ask.query
    page = await ask.deps.desk.page(
        ask.person,
        cursor=query.cursor,
        limit=query.limit,
        direction=Direction(query.direction) if query.direction else None,
        live_only=query.live,
        peer=_peer_of(query) if query.phone or query.user_id else None,
    )
    items = [_shown(view) for view in page.items]
    return CallPage(items=items, next_cursor=page.next_cursor)


@routes.serve(Route("GET", "/calls/{call_id}", "calls.read", out=CallView))
async def read_call(ask: Ask[Nothing, Nothing]) -> CallView:
    """Show one call."""
    return _shown(await ask.deps.desk.one(ask.person, ask.call_id))


@routes.serve(Route("GET", "/calls/{call_id}/trace", "calls.trace", out=TraceView))
async def read_trace(ask: Ask[Nothing, Nothing]) -> TraceView:
    """Show everything that happened in a call, step by step."""
    lines = await ask.deps.desk.trace(ask.person, ask.call_id)
    return TraceView(lines=trace_views(lines))


@routes.serve(
    Route(
        "POST",
        "/calls/{call_id}/answer",
        "calls.answer",
        body=AttachLeg,
        out=CallTaken,
        refusals=(409, 429),
    )
)
async def answer(ask: Ask[AttachLeg, Nothing]) -> CallTaken:
    """Take a ringing call; of several who try, one gets it."""
    leg = _leg_of(ask.body)
    return _taken(await ask.deps.desk.answer(ask.person, ask.call_id, leg))


@routes.serve(
    Route(
        "POST",
        "/calls/{call_id}/reattach",
        "calls.reattach",
        body=AttachLeg,
        out=CallTaken,
        refusals=(409,),
    )
)
async def reattach(ask: Ask[AttachLeg, Nothing]) -> CallTaken:
    """Come back to an own call after a reload or a change of network."""
    leg = _leg_of(ask.body)
    return _taken(await ask.deps.desk.reattach(ask.person, ask.call_id, leg))


@routes.serve(
    Route(
        "POST",
        "/calls/{call_id}/decline",
        "calls.decline",
        body=Decline,
        status=204,
        refusals=(409, 429),
    )
)
async def decline(ask: Ask[Decline, Nothing]) -> None:
    """Silence a ringing call for oneself or, as a supervisor, reject it for everyone."""
    everyone = ask.body.everyone
    if everyone and not policy.allows("calls.decline_for_everyone", ask.person.role):
        raise refuse(403, "forbidden", "Only supervisors reject a call for everyone.")
    await ask.deps.desk.decline(ask.person, ask.call_id, everyone=everyone)


@routes.serve(
    Route("POST", "/calls/{call_id}/hangup", "calls.hangup", status=204, refusals=(409, 429))
)
async def hang_up(ask: Ask[Nothing, Nothing]) -> None:
    """End a call."""
    await ask.deps.desk.hang_up(ask.person, ask.call_id)


@routes.serve(
    Route(
        "POST",
        "/calls/{call_id}/mute",
        "calls.mute",
        body=SetMute,
        status=204,
        refusals=(409,),
    )
)
async def mute(ask: Ask[SetMute, Nothing]) -> None:
    """Keep one's voice from the customer, or let it through again."""
    await ask.deps.desk.mute(ask.person, ask.call_id, muted=ask.body.muted)


@routes.serve(
    Route(
        "POST",
        "/calls/{call_id}/hold",
        "calls.hold",
        body=SetHold,
        status=204,
        refusals=(409,),
    )
)
async def hold(ask: Ask[SetHold, Nothing]) -> None:
    """Put the customer on hold, or take them back."""
    await ask.deps.desk.hold(ask.person, ask.call_id, held=ask.body.held)


def _peer_of(given: CallTo | CallsQuery) -> Peer:
    phone = None if given.phone is None else given.phone.removeprefix("+")
    return Peer(phone=phone, user_id=given.user_id)


def _leg_of(body: AttachLeg | Dial) -> LegChoice:
    return LegChoice(leg_id=LegId(body.leg_id) if body.leg_id else None, offer=body.offer)


def _taken(taken: Joined) -> CallTaken:
    call = _shown(taken.call)
    if taken.answer is None:
        return CallTaken(call=call)
    return CallTaken(call=call, answer=taken.answer)


def _shown(view: call_view.CallView) -> CallView:
    return CallView.model_validate(view.as_json())


def _idempotency_key(ask: Ask[Dial, Nothing]) -> str | None:
    key = ask.request.headers.get(IDEMPOTENCY_KEY.name)
    if key is not None and not IDEMPOTENCY_KEY.fits(key):
        detail = "Idempotency-Key must be 1 to 200 visible ASCII characters."
        raise refuse(422, "bad_value", detail, field=IDEMPOTENCY_KEY.name)
    return key
