"""The runtime as those know it who are made before it: until it is there nobody is told."""

from gateway.core.ids import AccountId, UserId
from gateway.runtime.call_runtime import CallRuntime


class RuntimeLater:
    """Its methods fit the callbacks of Redis and the media worker."""

    def __init__(self) -> None:
        self._runtime: CallRuntime | None = None

    def is_there(self, runtime: CallRuntime, *, media_up: bool, redis_up: bool) -> None:
        """Pass everything on to the runtime from now on, first how the links do."""
        self._runtime = runtime
        runtime.media_link_changed(media_up)
        runtime.redis_link_changed(redis_up)

    def media_link_changed(self, is_up: bool) -> None:
        """The media worker came or went."""
        if self._runtime is not None:
            self._runtime.media_link_changed(is_up)

    def redis_link_changed(self, is_up: bool) -> None:
        """Redis came or went."""
        if self._runtime is not None:
            self._runtime.redis_link_changed(is_up)

    def presence_changed(self, account_id: AccountId, _user_id: UserId) -> None:
        """Somebody came, went or chose, on any node."""
        if self._runtime is not None:
            self._runtime.presence_changed(account_id)

    def live_count(self) -> int:
        """Calls driven here now."""
        return 0 if self._runtime is None else self._runtime.live_count
