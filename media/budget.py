"""A budget: the recording time that one account holds in this worker.

Pure; time comes as a parameter. All captures of the account draw from one budget, before they
write, in ms of recording timeline: silence counts, pauses do not. The gateway owns the total:
`grant` raises or lowers it, `refuse` says that nothing more is to be had for now.
"""

from collections.abc import Sequence

from media.capture_format import StopReason

ASK_REPEAT_S = 1.0
"""An unanswered ask is said again after so long; a message may be lost with a connection."""


class Budget:
    """Counts what was granted and what was drawn; never lets the second pass the first.

    Sums hold at any time: granted = drawn + remaining, none of them negative.
    """

    __slots__ = (
        "_answered",
        "_asked",
        "_asked_at",
        "_grant_number",
        "_low_ms",
        "budget_id",
        "drawn_ms",
        "granted_ms",
        "refusal",
    )

    def __init__(self, budget_id: str) -> None:
        self.budget_id = budget_id
        self.granted_ms = 0
        self.drawn_ms = 0
        self.refusal: StopReason | None = None
        """Why there is nothing more to be had; None after each grant that brings more."""
        self._grant_number = -1
        self._low_ms = 0
        self._asked = 0
        self._answered = 0
        self._asked_at = 0.0

    @property
    def remaining_ms(self) -> int:
        """What may still be drawn."""
        return self.granted_ms - self.drawn_ms

    @property
    def is_asking(self) -> bool:
        """Whether an ask is unanswered: captures wait instead of stopping."""
        return self._asked > self._answered

    @property
    def grant_number(self) -> int:
        """Number of the last grant that took effect; -1 before the first."""
        return self._grant_number

    @property
    def asked(self) -> int:
        """Number of the last ask; 0 before the first."""
        return self._asked

    def draw(self, wanted_ms: int) -> int:
        """Take up to `wanted_ms`; return what was there."""
        got_ms = min(max(wanted_ms, 0), self.remaining_ms)
        self.drawn_ms += got_ms
        return got_ms

    def put_back(self, ms: int) -> None:
        """Return time that was drawn and provably never reached a file."""
        assert 0 <= ms <= self.drawn_ms
        self.drawn_ms -= ms

    def grant(self, number: int, granted_ms: int, *, answers: int) -> bool:
        """Set the total that was ever granted; whether there is more to draw than before.

        `number` orders grants: one that is not above the last is a repetition and ignored.
        A total below what is drawn already becomes what is drawn: time gone cannot be
        returned. `answers` is the number of the latest ask that the gateway had seen.
        """
        if number <= self._grant_number:
            return False
        before_ms = self.remaining_ms
        self._grant_number = number
        self.granted_ms = max(granted_ms, self.drawn_ms)
        self._low_ms = self.remaining_ms // 2
        self._answered = max(self._answered, min(answers, self._asked))
        more = self.remaining_ms > before_ms
        if more:
            self.refusal = None
        return more

    def refuse(self, answers: int, reason: StopReason) -> None:
        """Nothing more is to be had; a refusal of an earlier ask than the last is ignored."""
        if answers == self._asked:
            self._answered = answers
            self.refusal = reason

    def ask(self, now: float, captures: int) -> int | None:
        """Return the number of the ask that is due now, given so many captures that draw.

        The first one is due when half of the last grant is gone, then again every
        `ASK_REPEAT_S` under the same number until it is answered.
        """
        if self.is_asking:
            if now - self._asked_at < ASK_REPEAT_S:
                return None
        elif captures == 0 or self.refusal is not None or self.remaining_ms > self._low_ms:
            return None
        else:
            self._asked += 1
        self._asked_at = now
        return self._asked


def share_out(available_ms: int, wanted_ms: Sequence[int]) -> list[int]:
    """Divide what is there among those who want it: small wishes whole, the rest evenly.

    The result never exceeds a wish, and its sum is the smaller of `available_ms` and the sum
    of all wishes.
    """
    shares = [0] * len(wanted_ms)
    left = available_ms
    by_size = sorted(range(len(wanted_ms)), key=wanted_ms.__getitem__)
    for place, index in enumerate(by_size):
        shares[index] = min(wanted_ms[index], left // (len(by_size) - place))
        left -= shares[index]
    return shares
