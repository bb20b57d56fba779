"""What we write on a leg or a capture, so that a restarted gateway knows whose it is."""

import json

from gateway.core.ids import AccountId, CallId, UserId
from gateway.ports.media import LegTag


def tag_text(tag: LegTag) -> str:
    """Write a tag as the worker keeps it for us."""
    keys = {"call": tag.call_id, "user": tag.user_id, "account": tag.account_id}
    return json.dumps({key: value for key, value in keys.items() if value is not None})


def read_tag(text: str) -> LegTag:
    """Read a tag; one that is not ours is empty."""
    try:
        keys = json.loads(text)
    except (ValueError, RecursionError):
        keys = None
    if not isinstance(keys, dict):
        return LegTag()
    call, user, account = (keys.get(key) for key in ("call", "user", "account"))
    return LegTag(
        call_id=CallId(call) if isinstance(call, str) else None,
        user_id=UserId(user) if isinstance(user, str) else None,
        account_id=AccountId(account) if isinstance(account, str) else None,
    )
