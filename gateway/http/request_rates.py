"""How often programs may ask: a bucket for each token, in this process."""

from dataclasses import dataclass

WINDOW_S = 60.0
BUCKETS_MAX = 10_000


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class RequestRates:
    """Lets each asker make a minute's requests at once, and then as many as flow back.

    Only known tokens get a bucket, so strangers cannot fill it; full buckets are forgotten.
    """

    def __init__(self, requests_max: int) -> None:
        """`requests_max` may be made in a minute."""
        self._size = float(requests_max)
        self._buckets: dict[str, _Bucket] = {}

    def take(self, who: str, now: float) -> float:
        """Count a request; return 0 if it may be made, else the seconds to wait.

        `now` is monotonic seconds.
        """
        bucket = self._buckets.get(who)
        if bucket is None:
            self._make_room(now)
            bucket = self._buckets[who] = _Bucket(self._size, now)
        self._refill(bucket, now)
        if bucket.left < 1:
            return (1 - bucket.left) * WINDOW_S / self._size
        bucket.left -= 1
        return 0.0

    def _refill(self, bucket: _Bucket, now: float) -> None:
        gained = max(0.0, now - bucket.at) * self._size / WINDOW_S
        bucket.left = min(self._size, bucket.left + gained)
        bucket.at = now

    def _make_room(self, now: float) -> None:
        if len(self._buckets) < BUCKETS_MAX:
            return
        for who, bucket in list(self._buckets.items()):
            if now - bucket.at >= WINDOW_S:
                del self._buckets[who]
        while len(self._buckets) >= BUCKETS_MAX:
            del self._buckets[next(iter(self._buckets))]
