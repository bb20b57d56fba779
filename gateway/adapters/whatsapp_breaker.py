"""A fuse per business number: while Graph does not answer, new calls are refused at once."""

from dataclasses import dataclass

from gateway.core.ids import PhoneNumberId


@dataclass(slots=True)
class _Fuse:
    failures: int = 0
    opened_at: float | None = None


class GraphBreaker:
    """Opens after `failures_max` unanswered requests in a row; one probe per `pause_s`.

    Time comes in as a parameter, from the monotonic clock.
    """

    def __init__(self, *, failures_max: int = 5, pause_s: float = 15.0) -> None:
        self._failures_max = failures_max
        self._pause_s = pause_s
        self._fuses: dict[PhoneNumberId, _Fuse] = {}

    def wait_s(self, number: PhoneNumberId, now: float) -> float:
        """Seconds until a request should be tried; 0 lets one through now.

        Letting one through re-arms the pause: until it is reported, nobody else probes.
        """
        fuse = self._fuses.get(number)
        if fuse is None or fuse.opened_at is None:
            return 0.0
        left = fuse.opened_at + self._pause_s - now
        if left > 0:
            return left
        fuse.opened_at = now
        return 0.0

    def answered(self, number: PhoneNumberId) -> None:
        """Graph answered, be it yes or no: close the fuse."""
        self._fuses.pop(number, None)

    def unanswered(self, number: PhoneNumberId, now: float) -> None:
        """Graph did not answer, or not usably."""
        fuse = self._fuses.setdefault(number, _Fuse())
        fuse.failures += 1
        if fuse.failures >= self._failures_max:
            fuse.opened_at = now
