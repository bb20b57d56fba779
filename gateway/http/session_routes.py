"""Signing in and out, and who one is."""

from dataclasses import replace

import structlog
from aiohttp import web

from gateway.core.errors import StoreDown
from gateway.http.cookies import check_is_protected, drop_token, keep_token, token_of
from gateway.http.deps import TASKS, PublicDeps
from gateway.http.problems import Problem, Refusal, refuse, retry_after
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.schemas import (
    IceServerView,
    LimitsView,
    Login,
    Me,
    MeAccount,
    MeUser,
    NumberView,
    RtcView,
    SetAvailability,
)
from gateway.http.shapes import Nothing
from gateway.ports.accounts import Account, Person
from gateway.ports.audit import AuditEntry, Deed
from gateway.ports.live import Availability

USER_AGENT_CHARS_MAX = 256

routes = RouteTable()
_log = structlog.get_logger(__name__)


@routes.serve(
    Route("POST", "/login", "session.login", body=Login, out=Me, refusals=(401, 429, 503))
)
async def login(ask: Ask[Login, Nothing]) -> web.Response:
    """Sign in: the answer sets the session cookie."""
    deps, request = ask.deps, ask.request
    check_is_protected(request, deps.peers, "Sign in over https")
    email, address = ask.body.email, deps.peers.address(request)
    now = deps.clock.wall()
    wait_s = await deps.login_limit.take(email, address, now=now)
    if wait_s > 0:
        deps.metrics.logins.labels("limited").inc()
        detail = "Too many attempts to sign in; wait a while."
        raise Refusal(Problem(429, "too_many_logins", detail, headers=retry_after(wait_s)))
    person = await deps.passwords.verify(email, ask.body.password)
    account = None if person is None else await deps.directory.account(person.account_id)
    if person is None or account is None:
        deps.metrics.logins.labels("refused").inc()
        # After the answer: else its time would tell which e-mails exist.
        request.app[TASKS].spawn(
            _note_refused(deps, email), name="refused login", on_crash=lambda: None
        )
        raise refuse(401, "wrong_password", "E-mail or password is wrong.")
    await deps.login_limit.give_back(email, address, now=now)
    token = await deps.sessions.create(
        person.user_id,
        user_agent=request.headers.get("User-Agent", "")[:USER_AGENT_CHARS_MAX],
        now=now,
        replaces=token_of(request, deps.peers),
    )
    deps.metrics.logins.labels("signed_in").inc()
    await deps.audit.record(_of_session(person, Deed.SESSION_CREATED, now))
    me = await me_of(deps, person, account)
    response = web.Response(
        text=me.model_dump_json(exclude_unset=True), content_type="application/json"
    )
    keep_token(request, response, deps.peers, token)
    return response


@routes.serve(Route("POST", "/logout", "session.logout", status=204))
async def logout(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Sign out; fine without a session too."""
    deps = ask.deps
    token = token_of(ask.request, deps.peers)
    if token is not None:
        now = deps.clock.wall()
        signed_in = await deps.sessions.look_up(token, now=now)
        await deps.sessions.revoke(token, now=now)
        if signed_in is not None:
            await deps.audit.record(_of_session(signed_in.person, Deed.SESSION_ENDED, now))
    response = web.Response(status=204)
    drop_token(ask.request, response, deps.peers)
    return response


@routes.serve(Route("GET", "/me", "me.read", out=Me))
async def me(ask: Ask[Nothing, Nothing]) -> Me:
    """Who is signed in, and what the web app must know."""
    return await me_of(ask.deps, ask.person, ask.who.account)


@routes.serve(
    Route("PUT", "/me/availability", "me.availability", body=SetAvailability, status=204)
)
async def set_availability(ask: Ask[SetAvailability, Nothing]) -> None:
    """Say whether calls may ring here."""
    await ask.deps.desk.set_availability(ask.person, Availability(ask.body.availability))


async def _note_refused(deps: PublicDeps, email: str) -> None:
    """Tell the account's admins of a wrong password for one of theirs."""
    try:
        known = await deps.people.of_email(email)
        if known is not None:
            entry = _of_session(known.person, Deed.SESSION_REFUSED, deps.clock.wall())
            await deps.audit.record(replace(entry, actor=None))
    except StoreDown:
        _log.warning("a refused login was not noted")


def _of_session(person: Person, deed: Deed, at: float) -> AuditEntry:
    return AuditEntry(person.account_id, person.user_id, deed, person.user_id, at)


async def me_of(deps: PublicDeps, person: Person, account: Account) -> Me:
    """Put together what a signed-in person's page starts with."""
    numbers = await deps.directory.numbers(account.account_id)
    here = await deps.presence.of_account(account.account_id)
    is_available = any(
        agent.user_id == person.user_id and agent.availability is Availability.AVAILABLE
        for agent in here
    )
    return Me(
        user=MeUser(
            id=person.user_id, name=person.name, email=person.email, role=person.role.value
        ),
        account=MeAccount(cid=account.cid, name=account.name, timezone=account.timezone),
        numbers=[NumberView(id=n.phone_number_id, display=n.display) for n in numbers],
        availability="available" if is_available else "away",
        rtc=RtcView(
            ice_servers=[IceServerView.model_validate(one) for one in deps.ice_servers]
        ),
        limits=LimitsView(reattach_s=deps.reattach_s),
        version=deps.version,
    )
