"""Synthetic speech: espeak-ng from its wheel, through ctypes."""

import ctypes
import threading
from functools import lru_cache

import espeakng_loader
import numpy as np

from sandbox.opus import SAMPLE_RATE_HZ, Pcm

_SYNCHRONOUS = 2
_CHARACTERS_UTF8 = 1
_POSITION_CHARACTER = 1
_CACHED_TEXTS_MAX = 32
_PEAK = 12_000

_Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.c_void_p
)


class SpeechUnavailable(RuntimeError):
    """The espeak-ng library or one of its voices could not be loaded."""


class _Espeak:
    """The library is one global state without locks of its own; so is this wrapper."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._library: ctypes.CDLL | None = None
        self._rate_hz = 0
        self._parts: list[np.ndarray[tuple[int], np.dtype[np.int16]]] = []
        self._callback = _Callback(self._collect)

    def say(self, text: str, voice: str) -> tuple[Pcm, int]:
        with self._lock:
            library = self._library or self._load()
            self._parts.clear()
            if library.espeak_SetVoiceByName(voice.encode()) != 0:
                raise SpeechUnavailable(f"espeak-ng has no voice {voice!r}")
            encoded = text.encode()
            failed = library.espeak_Synth(
                encoded,
                len(encoded) + 1,
                0,
                _POSITION_CHARACTER,
                0,
                _CHARACTERS_UTF8,
                None,
                None,
            )
            if failed or not self._parts:
                raise SpeechUnavailable("espeak-ng made no sound")
            return np.concatenate(self._parts), self._rate_hz

    def _load(self) -> ctypes.CDLL:
        try:
            library = ctypes.CDLL(espeakng_loader.get_library_path())
        except OSError as error:
            raise SpeechUnavailable("the espeak-ng library cannot be loaded") from error
        path = str(espeakng_loader.get_data_path()).encode()
        self._rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, path, 0)
        if self._rate_hz <= 0:
            raise SpeechUnavailable("espeak-ng did not start")
        library.espeak_SetSynthCallback(self._callback)
        self._library = library
        return library

    def _collect(self, samples: "ctypes._Pointer[ctypes.c_short]", count: int, _: int) -> int:
        if count > 0:
            self._parts.append(np.ctypeslib.as_array(samples, (count,)).astype(np.int16))
        return 0


_espeak = _Espeak()


@lru_cache(maxsize=_CACHED_TEXTS_MAX)
def synthesise(text: str, voice: str) -> Pcm:
    """Return the spoken text as 48 kHz mono; takes tens of ms, so call it in a thread."""
    pcm, rate_hz = _espeak.say(text, voice)
    length = len(pcm) * SAMPLE_RATE_HZ // rate_hz
    resampled = np.interp(
        np.arange(length) * rate_hz / SAMPLE_RATE_HZ, np.arange(len(pcm)), pcm.astype(float)
    )
    loudest = max(1.0, float(np.abs(resampled).max()))
    spoken: Pcm = (resampled * (_PEAK / loudest)).astype(np.int16)
    return spoken
