"""An account's minutes as browsers see them: exactly the fields of the REST contract."""

from gateway.core.quota.live import LiveQuota
from gateway.ports import Json
from gateway.runtime.call_view import moment


def body_of(quota: LiveQuota) -> dict[str, Json]:
    """Return a picture as JSON; all amounts in ms."""
    shown = quota.shown
    return {
        "at": moment(quota.at),
        "version": quota.version,
        "capacity_ms": shown.capacity_ms,
        "used_ms": shown.used_ms,
        "reserved_ms": shown.reserved_ms,
        "free_ms": shown.free_ms,
        "overdrawn_ms": shown.overdrawn_ms,
        "suspense_ms": quota.suspense_ms,
        "level": quota.level,
        "empty_at": None if quota.empty_at is None else moment(quota.empty_at),
        "captures": [
            {
                "call_id": capture.call_id,
                "written_ms": capture.written_ms,
                "stopped": capture.is_stopped,
            }
            for capture in quota.captures
        ],
    }
