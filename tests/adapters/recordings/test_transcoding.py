"""Other formats of recordings, made in processes that are bounded and never left behind."""

import asyncio
import io
import wave
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import pytest

from gateway.adapters.audio_transcoding import AudioTranscoding, TranscodeBounds
from gateway.core.errors import StoreDown
from gateway.ports.library import AudioKind, Busy, NotTranscoded
from tests.media_capture.foreign import conversation, own_file

pytestmark = pytest.mark.timeout(120)

CHUNK = 16_384


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return own_file(tmp_path_factory.mktemp("own"), *conversation(5)).read_bytes()


async def chunks(
    content: bytes, *, error: Exception | None = None, pause_s: float = 0.0
) -> AsyncIterator[bytes]:
    for place in range(0, len(content), CHUNK):
        await asyncio.sleep(pause_s)
        yield content[place : place + CHUNK]
    if error is not None:
        raise error


async def whole(pieces: AsyncIterator[bytes]) -> bytes:
    return b"".join([piece async for piece in pieces])


async def made(making: AbstractAsyncContextManager[AsyncIterator[bytes]]) -> bytes:
    async with making as out:
        return await whole(out)


async def test_a_recording_becomes_wav_of_its_length(recording: bytes) -> None:
    transcoding = AudioTranscoding()
    async with transcoding.transcode(chunks(recording), AudioKind.WAV, length_ms=2_500) as out:
        content = await whole(out)
    with wave.open(io.BytesIO(content)) as read:
        assert (read.getnframes(), read.getnchannels()) == (2_500 * 48, 2)


async def test_more_than_allowed_at_once_are_told_to_come_again(recording: bytes) -> None:
    transcoding = AudioTranscoding(TranscodeBounds(at_once_max=1))
    async with transcoding.transcode(chunks(recording), AudioKind.MP3, length_ms=2_000) as out:
        with pytest.raises(Busy) as caught:
            await transcoding.transcode(
                chunks(recording), AudioKind.WAV, length_ms=1
            ).__aenter__()
        assert caught.value.retry_after_s > 0
        await whole(out)
    async with transcoding.transcode(chunks(recording), AudioKind.WAV, length_ms=100) as out:
        assert len(await whole(out)) == 44 + 100 * 48 * 4


async def test_what_is_no_recording_fails_before_anything_is_sent() -> None:
    transcoding = AudioTranscoding()
    with pytest.raises(NotTranscoded, match=r"\w"):
        await transcoding.transcode(
            chunks(b"no audio"), AudioKind.WAV, length_ms=1_000
        ).__aenter__()


async def test_a_source_that_fails_in_the_middle_is_no_good_end(recording: bytes) -> None:
    transcoding = AudioTranscoding()
    source = chunks(recording[: 3 * CHUNK], error=StoreDown("away"))
    making = transcoding.transcode(source, AudioKind.WAV, length_ms=3_600_000)
    with pytest.raises((StoreDown, NotTranscoded)):
        await made(making)


async def test_leaving_early_ends_the_process(recording: bytes) -> None:
    transcoding = AudioTranscoding(TranscodeBounds(at_once_max=1))
    for _ in range(2):
        async with transcoding.transcode(
            chunks(recording), AudioKind.WAV, length_ms=3_600_000
        ) as out:
            await anext(out)


async def test_a_source_that_says_nothing_is_given_up(recording: bytes) -> None:
    transcoding = AudioTranscoding(TranscodeBounds(first_max_s=0.05))
    with pytest.raises(NotTranscoded, match="too long"):
        await transcoding.transcode(
            chunks(recording, pause_s=60.0), AudioKind.WAV, length_ms=1_000
        ).__aenter__()


async def test_a_whole_that_takes_too_long_is_given_up(recording: bytes) -> None:
    transcoding = AudioTranscoding(TranscodeBounds(whole_max_s=0.05))
    making = transcoding.transcode(chunks(recording), AudioKind.WAV, length_ms=20_000_000)
    with pytest.raises(NotTranscoded, match="too long"):
        await made(making)
