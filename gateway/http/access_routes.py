"""Where people are signed in, and who they are."""

from gateway.core.errors import NotFound
from gateway.core.ids import UserId
from gateway.http.access_schemas import (
    SessionList,
    SessionsEnded,
    SessionView,
    UserList,
    UserView,
)
from gateway.http.cookies import token_of
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.ports.accounts import ListedPerson
from gateway.ports.audit import Deed
from gateway.ports.sessions import Session
from gateway.runtime.call_view import moment

routes = RouteTable()


@routes.serve(Route("GET", "/me/sessions", "me.sessions_list", out=SessionList))
async def list_own_sessions(ask: Ask[Nothing, Nothing]) -> SessionList:
    """Show in which browsers one is signed in."""
    return await _sessions(ask, ask.person.user_id)


@routes.serve(Route("DELETE", "/me/sessions/{session_id}", "me.sessions_end", status=204))
async def end_own_session(ask: Ask[Nothing, Nothing]) -> None:
    """Sign out of another browser, or of this one."""
    session_id = ask.request.match_info["session_id"]
    now, mine = ask.deps.clock.wall(), ask.person.user_id
    known = {each.session_id for each in await ask.deps.sessions.of_person(mine, now=now)}
    if session_id not in known:
        raise NotFound("no such session")
    await ask.note(Deed.SESSIONS_REVOKED, mine, which="one")
    await ask.deps.sessions.revoke_one(mine, session_id, now=now)


@routes.serve(Route("DELETE", "/me/sessions", "me.sessions_end_others", out=SessionsEnded))
async def end_other_sessions(ask: Ask[Nothing, Nothing]) -> SessionsEnded:
    """Sign out everywhere but here."""
    await ask.note(Deed.SESSIONS_REVOKED, ask.person.user_id, which="others")
    count = await ask.deps.sessions.revoke_all(
        ask.person.user_id,
        now=ask.deps.clock.wall(),
        keep=token_of(ask.request, ask.deps.peers),
    )
    return SessionsEnded(count=count)


@routes.serve(Route("GET", "/users", "users.list", out=UserList))
async def list_users(ask: Ask[Nothing, Nothing]) -> UserList:
    """Show the account's people."""
    people = await ask.deps.people.people(ask.person.account_id)
    return UserList(items=[_user(each) for each in people])


@routes.serve(Route("GET", "/users/{user_id}/sessions", "users.sessions_list", out=SessionList))
async def list_sessions_of(ask: Ask[Nothing, Nothing]) -> SessionList:
    """Show where a person of the account is signed in."""
    return await _sessions(ask, await _of_account(ask))


@routes.serve(
    Route("DELETE", "/users/{user_id}/sessions", "users.sessions_end", out=SessionsEnded)
)
async def end_sessions_of(ask: Ask[Nothing, Nothing]) -> SessionsEnded:
    """Sign a person of the account out everywhere."""
    user_id = await _of_account(ask)
    await ask.note(Deed.SESSIONS_REVOKED, user_id, which="all")
    count = await ask.deps.sessions.revoke_all(user_id, now=ask.deps.clock.wall())
    return SessionsEnded(count=count)


async def _of_account(ask: Ask[Nothing, Nothing]) -> UserId:
    """Return whom the path names. Raises `NotFound` for people of other accounts too."""
    people = await ask.deps.people.people(ask.person.account_id)
    if ask.user_id not in {each.person.user_id for each in people}:
        raise NotFound("no such person")
    return ask.user_id


async def _sessions(ask: Ask[Nothing, Nothing], user_id: UserId) -> SessionList:
    found = await ask.deps.sessions.of_person(user_id, now=ask.deps.clock.wall())
    current = ask.session.session_id
    return SessionList(items=[_session(each, current) for each in found])


def _session(session: Session, current: str) -> SessionView:
    return SessionView(
        id=session.session_id,
        created_at=moment(session.created_at),
        last_seen_at=moment(session.last_seen_at),
        expires_at=moment(session.expires_at),
        browser=session.user_agent,
        current=session.session_id == current,
    )


def _user(listed: ListedPerson) -> UserView:
    person = listed.person
    return UserView(
        id=person.user_id,
        name=person.name,
        email=person.email,
        role=person.role.value,
        disabled=listed.is_disabled,
    )
