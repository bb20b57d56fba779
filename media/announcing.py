"""One announcement on its way to both sides of a call, in step with each other."""

from collections.abc import Callable, Sequence

from media.prompts import Prompt
from media.relay import MediaStream


class Announcing:
    """Belongs to a WhatsApp leg for its life; the agent's side follows the customer's."""

    def __init__(
        self,
        frames: Sequence[bytes],
        *,
        on_begin: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        """`on_begin` comes with the customer's first frame, `on_end` after the last one."""
        self._prompt = Prompt(frames, on_begin=on_begin, on_end=on_end)
        self._stream: MediaStream | None = None

    @property
    def is_over(self) -> bool:
        """Whether the customer has been sent all of it."""
        return self._prompt.is_over

    def play_to_customer(self, stream: MediaStream) -> None:
        """Begin as soon as RTP may flow; asking again changes nothing."""
        if self._stream is None:
            self._stream = stream
            stream.play(self._prompt)

    def play_to_agent(self, stream: MediaStream) -> None:
        """Let an agent hear what the customer hears from here on."""
        if self._prompt.is_playing:
            stream.play(self._prompt.rest())
