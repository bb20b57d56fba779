"""What WhatsApp does with a call to be recorded: announces, records, tells of the file."""

import asyncio
from collections.abc import Callable, Coroutine

from sandbox.announcements import announcement
from sandbox.call import Call
from sandbox.exchange import Exchange
from sandbox.faults import FaultKind, FaultSpec
from sandbox.media_store import MediaFile
from sandbox.opus import SAMPLE_RATE_HZ, Pcm
from sandbox.overlay import Overlay
from sandbox.personas import Live, Speech
from sandbox.recorder import CallRecorder, encode_ogg
from sandbox.speech import synthesise
from sandbox.transcripts import Voice, transcript_json

RECORDING_EVENT = "call_recording_available"
TRANSCRIPT_EVENT = "call_transcription_available"
OGG_TYPE = "audio/ogg; codecs=opus"
JSON_TYPE = "application/json"
_WRONG_DIGEST = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
_PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(200)
_CALL_S_MAX = 86_400.0


class OfficialRecordings:
    """Follows every call that asks for a recording or a transcript; `link` makes its URLs."""

    def __init__(self, exchange: Exchange, link: Callable[[str], str]) -> None:
        self._exchange = exchange
        self._config = exchange.config
        self._link = link
        self._tasks: set[asyncio.Task[None]] = set()
        exchange.call_began.append(self._began)

    async def close(self) -> None:
        """Forget all calls."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _began(self, call: Call) -> None:
        def noted() -> None:
            if call.record.timeline[-1].event == "call.accepted":
                call.record.listeners.remove(noted)
                if call.recording is not None or call.transcription is not None:
                    self._spawn(call, self._follow(call))

        call.record.listeners.append(noted)

    async def _follow(self, call: Call) -> None:
        """Announce, record, and tell of what was made; nothing if the call ends before that."""
        over = asyncio.ensure_future(call.record.wait_for("call.ended", _CALL_S_MAX))
        announced = asyncio.ensure_future(self._announce(call))
        try:
            await asyncio.wait({over, announced}, return_when=asyncio.FIRST_COMPLETED)
            if over.done():
                call.record.note("recording.declined")
                return
            announced.result()
            recorder = CallRecorder(self._config.recorder.seconds_max)
            call.media.recorder = recorder
            call.record.note("recording.began")
            await over
            call.media.recorder = None
        finally:
            for task in (over, announced):
                task.cancel()
        recorder.stop(self._lost_s())
        call.record.note("recording.ended", duration_s=round(recorder.duration_s, 3))
        await self._make_files(call, recorder)

    async def _announce(self, call: Call) -> None:
        said = announcement(call.recording, call.transcription)
        assert said is not None
        settings = self._config.recorder
        pcm = await asyncio.to_thread(synthesise, *said)
        if settings.announcement_s_max is not None:
            pcm = pcm[: int(settings.announcement_s_max * SAMPLE_RATE_HZ)]
        await asyncio.sleep(settings.announcement_after_s)
        overlay = Overlay(pcm)
        call.media.overlay = overlay
        call.record.note("announcement.began", text=said[0])
        await overlay.over.wait()
        call.record.note("announcement.ended")
        await asyncio.sleep(settings.begins_after_s)

    def _lost_s(self) -> float:
        """How much of the end the recorder loses today."""
        fault = self._exchange.faults.take("recording_cut", "recording")
        return 0.0 if fault is None else fault.seconds

    async def _make_files(self, call: Call, recorder: CallRecorder) -> None:
        business, user = recorder.voices()
        if call.recording is not None:
            channels = self._config.recorder.channels
            content = await asyncio.to_thread(encode_ogg, business, user, channels)
            await self._deliver(call, RECORDING_EVENT, content, OGG_TYPE)
        if call.transcription is not None:
            voices = _voices(call, business, user)
            now = self._exchange.wall_time()
            content = await asyncio.to_thread(transcript_json, voices, now)
            await self._deliver(call, TRANSCRIPT_EVENT, content, JSON_TYPE)

    async def _deliver(self, call: Call, event: str, content: bytes, mime_type: str) -> None:
        """Store a file and tell of it, or do what was ordered to go wrong."""
        name = "recording" if event == RECORDING_EVENT else "transcript"
        fault = self._exchange.faults.take("recording_file", name)
        kind = None if fault is None else fault.kind
        if kind is FaultKind.RECORDING_FILE_MISSING:
            call.record.note(f"{name}.withheld")
            return
        if kind is FaultKind.RECORDING_FILE_WRONG_TYPE:
            content, mime_type = _PICTURE, "image/png"
        elif kind is FaultKind.RECORDING_FILE_EMPTY:
            content = b""
        timings = self._config.timings
        await asyncio.sleep(timings.scaled(timings.recording_webhook_s))
        stored = self._exchange.media.put(content, mime_type)
        url = self._link(stored.media_id)
        if fault is not None:
            stored, url = _astray(stored, url, fault)
        self._exchange.announce(call, event, stored, url)

    def _spawn(self, call: Call, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)

        def finished(done: asyncio.Task[None]) -> None:
            self._tasks.discard(done)
            if not done.cancelled() and (error := done.exception()) is not None:
                call.record.note("sandbox.failure", reason=repr(error))

        task.add_done_callback(finished)


def _astray(stored: MediaFile, url: str, fault: FaultSpec) -> tuple[MediaFile, str]:
    """Tell of a file what is not so."""
    match fault.kind:
        case FaultKind.RECORDING_FILE_WRONG_DIGEST:
            return stored.told_as(_WRONG_DIGEST), url
        case FaultKind.RECORDING_FILE_FOREIGN_HOST:
            return stored, f"{fault.to}?mid={stored.media_id}"
        case _:
            return stored, url


def _voices(call: Call, business: Pcm, user: Pcm) -> list[Voice]:
    says = call.persona.says
    spoken = says.otherwise if isinstance(says, Live) else says
    text = spoken.text if isinstance(spoken, Speech) else ""
    return [Voice("Business", 0, business, ""), Voice("Customer", 1, user, text)]
