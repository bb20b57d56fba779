"""WhatsApp users, and whether the business may call them (User Call Permissions page)."""

import secrets
import time
from dataclasses import dataclass, field

from sandbox.config import BusinessNumber, Limits, PermissionStatus, UserSpec
from sandbox.errors import GraphError
from sandbox.personas import Persona

TEMPORARY_S = 168 * 3600
_DAY_S = 86_400
_WEEK_S = 7 * _DAY_S


@dataclass(slots=True)
class Permission:
    """What one business number may do with one user."""

    status: PermissionStatus
    expires_at: float | None = None
    requested_at: list[float] = field(default_factory=list)
    connected_at: list[float] = field(default_factory=list)

    def current(self, now: float) -> PermissionStatus:
        """Return the status, a temporary one only until it has run out."""
        if self.expires_at is not None and now >= self.expires_at:
            self.grant(PermissionStatus.NONE, now)
        return self.status

    def grant(self, status: PermissionStatus, now: float) -> None:
        """Set the status; a temporary one lasts 168 hours."""
        self.status = status
        self.expires_at = now + TEMPORARY_S if status is PermissionStatus.TEMPORARY else None

    def connected(self, now: float) -> None:
        """Count a connected call, which also resets the limit of requests."""
        self.requested_at.clear()
        self.connected_at = [at for at in self.connected_at if now - at < _DAY_S] + [now]

    def requests_within(self, seconds: float, now: float) -> int:
        """Count the requests of the last `seconds`."""
        return sum(now - at < seconds for at in self.requested_at)


@dataclass(slots=True)
class WhatsAppUser:
    """A person with WhatsApp; known to the business by `user_id`, perhaps also by number."""

    user_id: str
    parent_user_id: str | None
    wa_id: str | None
    name: str | None
    username: str | None
    can_be_called: bool
    first_permission: PermissionStatus
    persona: Persona
    _permissions: dict[str, Permission] = field(default_factory=dict)

    @classmethod
    def from_spec(cls, spec: UserSpec) -> "WhatsAppUser":
        """Make a user, with a random id of Meta's shape if none is given."""
        return cls(
            user_id=spec.user_id or f"US.{secrets.randbelow(10**20):020d}",
            parent_user_id=spec.parent_user_id,
            wa_id=spec.wa_id,
            name=spec.name,
            username=spec.username,
            can_be_called=spec.can_be_called,
            first_permission=spec.permission,
            persona=spec.persona,
        )

    def permission_for(self, number: BusinessNumber) -> Permission:
        """Return the permission of a business number, made on first use."""
        found = self._permissions.get(number.phone_number_id)
        if found is None:
            found = Permission(PermissionStatus.NONE)
            found.grant(self.first_permission, time.time())
            self._permissions[number.phone_number_id] = found
        return found

    def grant_all(self, status: PermissionStatus) -> None:
        """Set the permission of every business number, now and to come."""
        self.first_permission = status
        for permission in self._permissions.values():
            permission.grant(status, time.time())


def require_permission(permission: Permission, limits: Limits, now: float) -> None:
    """Raise what Meta answers to a call that this permission does not cover."""
    if permission.current(now) is PermissionStatus.NONE:
        raise GraphError(138006)
    recent = [at for at in permission.connected_at if now - at < _DAY_S]
    if len(recent) >= limits.connected_calls_per_day_max:
        next_at = int(recent[0] + _DAY_S) if recent else int(now + _DAY_S)
        raise GraphError(138012, f"Next call is allowed at {next_at}")


def count_request(permission: Permission, limits: Limits, now: float) -> None:
    """Count a permission request, or raise what Meta answers to one too many."""
    if permission.current(now) is PermissionStatus.PERMANENT:
        raise GraphError(138017)
    if (
        permission.requests_within(_DAY_S, now) >= limits.permission_requests_per_day_max
        or permission.requests_within(_WEEK_S, now) >= limits.permission_requests_per_week_max
    ):
        raise GraphError(138009, f"Next request is allowed at {int(now + _DAY_S)}")
    permission.requested_at.append(now)


def permission_answer(permission: Permission, limits: Limits, now: float) -> dict[str, object]:
    """Return the body of `GET /{phone_number_id}/call_permissions`."""
    status = permission.current(now)
    shown: dict[str, object] = {"status": status}
    if permission.expires_at is not None:
        shown["expiration_time"] = int(permission.expires_at)
    day, week = (
        permission.requests_within(_DAY_S, now),
        permission.requests_within(_WEEK_S, now),
    )
    calls = sum(now - at < _DAY_S for at in permission.connected_at)
    may_ask = (
        status is not PermissionStatus.PERMANENT
        and day < limits.permission_requests_per_day_max
        and week < limits.permission_requests_per_week_max
    )
    may_call = (
        status is not PermissionStatus.NONE and calls < limits.connected_calls_per_day_max
    )
    return {
        "messaging_product": "whatsapp",
        "permission": shown,
        "actions": [
            {
                "action_name": "send_call_permission_request",
                "can_perform_action": may_ask,
                "limits": [
                    _limit("PT24H", limits.permission_requests_per_day_max, day),
                    _limit("P7D", limits.permission_requests_per_week_max, week),
                ],
            },
            {
                "action_name": "start_call",
                "can_perform_action": may_call,
                "limits": [_limit("PT24H", limits.connected_calls_per_day_max, calls)],
            },
        ],
    }


def _limit(period: str, allowed: int, used: int) -> dict[str, object]:
    return {"time_period": period, "max_allowed": allowed, "current_usage": used}
