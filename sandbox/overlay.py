"""A voice that both sides of a call hear over everything else."""

import asyncio

import numpy as np

from sandbox.opus import FRAME_SAMPLES, Pcm


class Overlay:
    """Spoken once into each stream, frame by frame as that stream goes on."""

    def __init__(self, pcm: Pcm) -> None:
        padding = np.zeros(-len(pcm) % FRAME_SAMPLES, dtype=np.int16)
        self._frames = np.concatenate([pcm, padding]).reshape(-1, FRAME_SAMPLES)
        self._sent = 0
        self._heard = 0
        self.over = asyncio.Event()
        """Set when the business has been sent all of it."""

    def into_sent(self, pcm: Pcm) -> Pcm:
        """Mix the next frame into what the business is sent."""
        mixed = self._mixed(pcm, self._sent)
        self._sent += 1
        if self._sent >= len(self._frames):
            self.over.set()
        return mixed

    def into_heard(self, pcm: Pcm) -> Pcm:
        """Mix the next frame into what the user hears."""
        mixed = self._mixed(pcm, self._heard)
        self._heard += 1
        return mixed

    def _mixed(self, pcm: Pcm, index: int) -> Pcm:
        if index >= len(self._frames) or len(pcm) != FRAME_SAMPLES:
            return pcm
        both = pcm.astype(np.int32) + self._frames[index]
        mixed: Pcm = np.clip(both, -32_768, 32_767).astype(np.int16)
        return mixed
