"""Everybody who might ask, and what each route is sent: only the policy can refuse it."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.adapters.secrets_key_ring import KeyRing
from gateway.adapters.sql_accounts import SqlAccounts
from gateway.adapters.sql_passwords import PasswordHashing
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.adapters.system_ids import random_id
from gateway.core.ids import CallId, LegId, TokenId, UserId
from gateway.core.recording.transcript import Transcript
from gateway.http import app as app_module
from gateway.http.policy import OPENS, POLICY, Who
from gateway.http.routing import PATH_PATTERNS, Route
from gateway.ports.accounts import Account, Person, Role
from gateway.ports.tokens import NewToken, Scope
from gateway.runtime.call_view import AgentView
from tests.http.fakes import a_view
from tests.http.recorded import put_for_all
from tests.http.site import CHEAP, PASSWORD, Browser, Site, browser_of

CALL = "c" * 26
LEG = "g" * 26
ROUTES = [pair for table in app_module.TABLES for pair in table.served]
OTHERS_SESSION = "0" * 64
"""No session of anybody's."""

BODIES: dict[str, Any] = {
    "settings.calls_change": {
        "version": 0,
        "records": "none",
        "mode": "local",
        "purpose": "",
        "language": "en",
        "transcription": False,
        "transcription_alone": False,
    },
    "settings.keeping_change": {
        "version": 0,
        "when_full": "auto",
        "retention_days": None,
        "encrypts": False,
    },
    "me.availability": {"availability": "away"},
    "agent_legs.open": {"offer": "v=0"},
    "calls.dial": {"to": {"phone": "628110000002"}, "leg_id": LEG},
    "calls.answer": {"leg_id": LEG},
    "calls.reattach": {"leg_id": LEG},
    "calls.decline": {},
    "calls.mute": {"muted": True},
    "calls.hold": {"held": True},
    "recordings.note": {"note": "Called back"},
    "recordings.download_many": {"ids": [CALL]},
    "recordings.delete_many": {"ids": [CALL]},
    "recordings.hold": {"why": "court case 7"},
    "customers.find": {"phone": "628990000001"},
    "customers.export": {"phone": "628990000001"},
    "customers.erase": {"phone": "628990000001", "confirm": True},
    "tokens.create": {"name": "CRM", "scopes": ["quota.read"]},
}
"""What each route is sent; one that needs a body and is not here answers 422, and fails."""
UPLOADS = {"settings.announcement_change": b"4000"}
"""What is sent where no JSON is taken."""

SIGNS_OUT = frozenset({"session.logout", "users.sessions_end", "me.sessions_end"})
"""Routes after which a browser has to sign in anew."""


@dataclass
class Asker:
    """Somebody who might ask."""

    name: str
    browser: Browser
    role: Role | None
    sees: bool
    """Whether the things that the paths name are theirs to see, roles aside."""
    scopes: frozenset[Scope] | None = None
    """Of a program that comes with a token."""
    secret: str = ""
    session_id: str = OTHERS_SESSION

    def may(self, row: str) -> bool:
        """What the table says."""
        if self.scopes is not None:
            is_open = any(row in OPENS[scope] for scope in self.scopes)
            return Who.ANONYMOUS in POLICY[row] or is_open
        who = Who.ANONYMOUS if self.role is None else Who(self.role.value)
        return who in POLICY[row]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.secret}"} if self.secret else {}


@dataclass
class Crowd:
    """A site with two accounts, things in the first of them, and everybody who might ask."""

    site: Site
    askers: list[Asker]
    names: dict[str, str]
    """What stands for each name in a path: a thing of the first account."""

    async def ask(self, asker: Asker, route: Route, **more: Any) -> tuple[int, str]:
        """Send what only the policy can refuse; return status and text."""
        path = self.path(route, asker)
        headers = {**asker.headers, **more.pop("headers", {})}
        body = more or {"json": BODIES.get(route.name)}
        if not more and route.name in UPLOADS:
            body = {"data": UPLOADS[route.name]}
        async with await asker.browser.ask(
            route.method, path, headers=headers, **body
        ) as response:
            status, text = response.status, (await response.read()).decode("utf-8", "replace")
        if route.name in SIGNS_OUT and asker.scopes is None:
            await self.sign_in(asker)
        return status, text

    def path(self, route: Route, asker: Asker) -> str:
        """The route's path, with a thing of the first account in it."""
        own = {"session_id": asker.session_id}
        return route.path.format(**(self.names | own))

    async def sign_in(self, asker: Asker) -> None:
        if asker.role is None:
            return
        await asker.browser.sign_in_as(email_of(asker.name))
        async with await asker.browser.ask("GET", "/me/sessions") as response:
            items = (await response.json())["items"]
        # Several sign in as one person; each ends its own session.
        asker.session_id = next(each["id"] for each in items if each["current"])


def email_of(name: str) -> str:
    domain = "example.com" if name in set(Role) else "crowd.example"
    return f"{name.replace(' ', '-').replace(chr(39), '')}@{domain}"


def names_in(route: Route) -> set[str]:
    """The things that a route's path or its body names."""
    named = {name for name in PATH_PATTERNS if f"{{{name}}}" in route.path}
    return named | ({"call_id"} if "ids" in BODIES.get(route.name, {}) else set())


@asynccontextmanager
async def crowd_of(site: Site) -> AsyncIterator[Crowd]:
    """Everybody at once, in browsers and with tokens of their own."""
    elsewhere = await _second_account(site)
    agent = site.people[Role.AGENT]
    own = AgentView(agent.user_id, agent.name)
    view = a_view(CALL, offered_to=(agent.user_id,), agent=own)
    site.desk.add(site.account.account_id, view)
    await SqlTranscripts(site.database).keep(
        CallId(CALL), site.account.account_id, Transcript("en", ()), now=site.clock.wall()
    )
    site.desk.legs[LegId(LEG)] = {person.user_id for person in site.people.values()}
    await put_for_all(site, CallId(CALL))
    victim = await _person(site, site.account, "victim", Role.AGENT)
    token_id, _ = await _token(site, site.account, frozenset({Scope.QUOTA_READ}))
    crowd = Crowd(
        site,
        [],
        {"call_id": CALL, "leg_id": LEG, "user_id": victim.user_id, "token_id": token_id},
    )
    async with AsyncExitStack() as stack:

        async def browser() -> Browser:
            return await stack.enter_async_context(browser_of(site))

        crowd.askers = [
            Asker("anonymous", await browser(), None, sees=True),
            Asker("agent", await browser(), Role.AGENT, sees=True),
            Asker("other agent", await browser(), Role.AGENT, sees=False),
            Asker("supervisor", await browser(), Role.SUPERVISOR, sees=True),
            Asker("admin", await browser(), Role.ADMIN, sees=True),
            Asker("other account's admin", await browser(), Role.ADMIN, sees=False),
        ]
        await _person(site, site.account, "other agent", Role.AGENT)
        await _person(site, elsewhere, "other account's admin", Role.ADMIN)
        for scope in Scope:
            acts_for = site.people[Role.ADMIN].user_id if scope is Scope.CALLS_DIAL else None
            _, secret = await _token(site, site.account, frozenset({scope}), acts_for)
            asker = Asker(f"token with {scope}", await browser(), None, sees=True)
            asker.scopes, asker.secret = frozenset({scope}), secret
            crowd.askers.append(asker)
        _, secret = await _token(site, elsewhere, frozenset(Scope) - {Scope.CALLS_DIAL})
        foreign = Asker("other account's token", await browser(), None, sees=False)
        foreign.scopes, foreign.secret = frozenset(Scope) - {Scope.CALLS_DIAL}, secret
        crowd.askers.append(foreign)
        for asker in crowd.askers:
            await crowd.sign_in(asker)
        yield crowd


async def _second_account(site: Site) -> Account:
    accounts, hashing = _accounts(site)
    try:
        return await accounts.add_account(cid="C-2", name="Elsewhere", timezone="Asia/Tokyo")
    finally:
        hashing.close()


async def _person(site: Site, account: Account, name: str, role: Role) -> Person:
    accounts, hashing = _accounts(site)
    try:
        return await accounts.add_person(
            account.account_id,
            email=email_of(name),
            name=name.title(),
            role=role,
            password=PASSWORD,
        )
    finally:
        hashing.close()


def _accounts(site: Site) -> tuple[SqlAccounts, PasswordHashing]:
    hashing = PasswordHashing(CHEAP)
    keys = KeyRing({"matrix": b"k" * 32})
    return SqlAccounts(site.database, keys, hashing, site.clock.wall, random_id), hashing


async def _token(
    site: Site, account: Account, scopes: frozenset[Scope], acts_for: UserId | None = None
) -> tuple[TokenId, str]:
    now = site.clock.wall()
    wanted = NewToken(account.account_id, "CRM", scopes, now + 3600, acts_for=acts_for)
    token, secret = await site.deps.tokens.create(wanted, now=now)
    return token.token_id, secret
