"""Who may do what: one table that every route names, row by row.

A route without a row does not start (`check`), a row without a route fails a test. What of an
account's calls a person sees is the call desk's rule; here stands only who may ask at all.
API tokens open what their scopes name and nothing else: a new row is closed to them.
"""

from collections.abc import Collection, Mapping
from enum import StrEnum

from gateway.ports.accounts import Role
from gateway.ports.tokens import ApiToken, Scope


class Who(StrEnum):
    """Someone a row speaks of: the roles, and whoever has not signed in."""

    ANONYMOUS = "anonymous"
    AGENT = Role.AGENT.value
    SUPERVISOR = Role.SUPERVISOR.value
    ADMIN = Role.ADMIN.value


EVERYBODY = frozenset(Who)
STAFF = EVERYBODY - {Who.ANONYMOUS}
LEADS = frozenset({Who.SUPERVISOR, Who.ADMIN})
ADMINS = frozenset({Who.ADMIN})

POLICY: Mapping[str, frozenset[Who]] = {
    "session.login": EVERYBODY,
    "session.logout": EVERYBODY,
    "me.read": STAFF,
    "me.availability": STAFF,
    "me.sessions_list": STAFF,
    "me.sessions_end": STAFF,
    "me.sessions_end_others": STAFF,
    "users.list": ADMINS,
    "users.sessions_list": ADMINS,
    "users.sessions_end": ADMINS,
    "tokens.list": ADMINS,
    "tokens.create": ADMINS,
    "tokens.revoke": ADMINS,
    "audit.list": ADMINS,
    "agent_legs.open": STAFF,
    "agent_legs.close": STAFF,
    "calls.dial": STAFF,
    "calls.list": STAFF,
    "calls.read": STAFF,
    "calls.trace": STAFF,
    "calls.transcript": STAFF,
    "calls.answer": STAFF,
    "calls.decline": STAFF,
    "calls.decline_for_everyone": LEADS,
    "calls.hangup": STAFF,
    "calls.mute": STAFF,
    "calls.hold": STAFF,
    "calls.reattach": STAFF,
    "recordings.evidence": LEADS,
    "recordings.open": LEADS,
    "recordings.reconciliation": LEADS,
    "recordings.reconciliation_csv": LEADS,
    "recordings.list": STAFF,
    "recordings.read": STAFF,
    "recordings.note": STAFF,
    "recordings.play": STAFF,
    "recordings.peaks": STAFF,
    "recordings.download": LEADS,
    "recordings.download_wav": LEADS,
    "recordings.download_mp3": LEADS,
    "recordings.download_many": LEADS,
    "recordings.export": LEADS,
    "recordings.delete": LEADS,
    "recordings.delete_many": LEADS,
    "recordings.hold": ADMINS,
    "recordings.release": ADMINS,
    "customers.find": ADMINS,
    "customers.export": ADMINS,
    "customers.erase": ADMINS,
    "quota.read": LEADS,
    "quota.usage": LEADS,
    "quota.ledger": LEADS,
    "settings.calls_read": LEADS,
    "settings.calls_change": ADMINS,
    "settings.keeping_read": LEADS,
    "settings.keeping_forecast": LEADS,
    "settings.keeping_change": ADMINS,
    "settings.announcement_change": ADMINS,
    "settings.announcement_play": LEADS,
    "settings.announcement_remove": ADMINS,
    "events.watch": STAFF,
    "openapi.read": EVERYBODY,
    # Signed or answered by rules of their own.
    "webhooks.handshake": EVERYBODY,
    "webhooks.deliver": EVERYBODY,
    "health.live": EVERYBODY,
    "health.ready": EVERYBODY,
    "web.read": EVERYBODY,
}

FINER = frozenset({"calls.decline_for_everyone"})
"""Rows that a handler asks for, besides the route's own."""

OPENS: Mapping[Scope, frozenset[str]] = {
    Scope.CALLS_READ: frozenset({"calls.list", "calls.read"}),
    Scope.CALLS_DIAL: frozenset({"calls.dial", "calls.hangup"}),
    Scope.RECORDINGS_READ: frozenset(
        {
            "recordings.list",
            "recordings.read",
            "recordings.play",
            "recordings.peaks",
            "recordings.open",
            "recordings.reconciliation",
            "calls.transcript",
        }
    ),
    Scope.RECORDINGS_DOWNLOAD: frozenset(
        {
            "recordings.download",
            "recordings.download_wav",
            "recordings.download_mp3",
            "recordings.download_many",
            "recordings.export",
            "recordings.evidence",
            "recordings.reconciliation_csv",
        }
    ),
    Scope.RECORDINGS_DELETE: frozenset({"recordings.delete", "recordings.delete_many"}),
    Scope.QUOTA_READ: frozenset({"quota.read", "quota.usage", "quota.ledger"}),
    Scope.SETTINGS_READ: frozenset(
        {"settings.calls_read", "settings.keeping_read", "settings.keeping_forecast"}
    ),
    Scope.AUDIT_READ: frozenset({"audit.list"}),
}
"""The rows that each scope of an API token opens."""


def allows(row: str, role: Role | None) -> bool:
    """Whether a person of this role (None: not signed in) may do what the row names."""
    return (Who.ANONYMOUS if role is None else Who(role.value)) in POLICY[row]


def opens(row: str, token: ApiToken, role: Role) -> bool:
    """Whether a token may do what the row names; acting for a person, no more than they."""
    if not any(row in OPENS[scope] for scope in token.scopes):
        return False
    return token.acts_for is None or allows(row, role)


def check(names: Collection[str]) -> None:
    """Refuse to start with a route that the table does not know. Raises `LookupError`."""
    unknown = sorted(set(names) - POLICY.keys())
    if unknown:
        raise LookupError(f"routes without a policy: {', '.join(unknown)}")
