"""Recordings as somebody else makes them: a conversation, heard and encoded a second time."""

import io
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from media.assemble import assemble
from media.ogg import OggWriter, PageFlag, lacing
from media.ogg_opus import OpusHead, encode_tags
from sandbox.speech import synthesise
from tests.media_capture.audio import AGENT, CUSTOMER, RATE, CaptureMaker, Samples, encode

Floats = npt.NDArray[np.float64]
FRAME = 960
PAGE = 20
LINES = (
    ("en", "Good morning, thank you for calling. How may I help you today?"),
    ("en-us+f3", "Hello! My parcel has not arrived, and I have waited for eight days."),
    ("en", "I am sorry to hear that. Could you tell me the number of your order, please?"),
    ("en-us+f3", "Yes, one moment. It is four, seven, one, nine, zero, three."),
    ("en", "Thank you. It left our warehouse on Monday and should be with you tomorrow."),
    ("en-us+f3", "That is good news. Is there any way to follow it on its way?"),
    ("en", "Certainly: I will send you a message with the address of the page."),
    ("en-us+f3", "Wonderful. Thank you very much, and have a nice day."),
)


def conversation(seed: int, *, noise: float = 60.0) -> tuple[Floats, Floats]:
    """Agent and customer taking turns for about 40 s, each with a noise of their own."""
    random = np.random.default_rng(seed)
    sides: tuple[list[Floats], list[Floats]] = ([], [])
    for turn, (voice, text) in enumerate(LINES):
        spoken = synthesise(text, voice).astype(float)
        gap = np.zeros(int(RATE * random.uniform(0.2, 1.2)))
        sides[turn % 2].append(np.concatenate((spoken, gap)))
        sides[1 - turn % 2].append(np.zeros(len(spoken) + len(gap)))
    both = [np.concatenate(parts) for parts in sides]
    hum = [random.standard_normal(len(both[0])) * noise for _ in both]
    return both[0] + hum[0], both[1] + hum[1]


def lossy(pcm: Floats, share: float, seed: int) -> Floats:
    """Let some frames fall silent, as on a line that loses packets."""
    random = np.random.default_rng(seed)
    heard = pcm[: len(pcm) // FRAME * FRAME].copy().reshape(-1, FRAME)
    heard[random.random(len(heard)) < share] = 0
    return heard.reshape(-1)


def own_file(directory: Path, agent: Floats, customer: Floats, *, loss: float = 0.0) -> Path:
    """The recording that a capture of both becomes."""
    random = np.random.default_rng(9)
    maker = CaptureMaker()
    duration_ms = len(agent) * 1000 // RATE
    for kind, pcm in ((AGENT, agent), (CUSTOMER, customer)):
        packets: list[bytes | None] = [*encode(_samples(pcm))]
        maker.side(kind, [None if random.random() < loss else each for each in packets])
    out = directory / "ours.ogg"
    assemble([maker.write(directory, duration_ms)], out)
    return out


def official_file(path: Path, sides: Sequence[Floats], *, channels: int = 1) -> Path:
    """The same as another recorder writes it: all sides mixed, or one in each channel."""
    length = min(len(side) for side in sides)
    heard = np.stack([side[:length] for side in sides])
    if channels == 1:
        heard = heard.sum(axis=0, keepdims=True)
    packets = _encode(heard)
    path.write_bytes(ogg(packets, OpusHead(channels, 312), samples=length))
    return path


def ogg(
    packets: Sequence[bytes], head: OpusHead, *, samples: int, packet_samples: int = FRAME
) -> bytes:
    """An Ogg Opus file of packets of one length in which `samples` play."""
    target = io.BytesIO()
    writer = OggWriter(target, 7)
    for header, flags in ((head.encode(), PageFlag.FIRST), (encode_tags("x"), PageFlag(0))):
        writer.write_page([header], lacing(len(header)), 0, flags)
    for index in range(0, len(packets), PAGE):
        part = packets[index : index + PAGE]
        is_last = index + PAGE >= len(packets)
        granule = (index + len(part)) * packet_samples
        table = b"".join(lacing(len(each)) for each in part)
        writer.write_page(
            part,
            table,
            min(granule, head.pre_skip + samples) if is_last else granule,
            PageFlag.LAST if is_last else PageFlag(0),
        )
    return target.getvalue()


def _encode(heard: Floats) -> list[bytes]:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    channels = len(heard)
    encoder.sample_rate = RATE
    encoder.layout = "stereo" if channels > 1 else "mono"
    encoder.format = av.AudioFormat("s16")
    encoder.bit_rate = 24_000 * channels
    encoder.open()
    padded = np.pad(heard, ((0, 0), (0, 2 * FRAME - heard.shape[1] % FRAME)))
    packets: list[bytes] = []
    for index in range(padded.shape[1] // FRAME):
        part = _samples(padded[:, index * FRAME : (index + 1) * FRAME])
        frame = av.AudioFrame.from_ndarray(
            part.T.reshape(1, -1), format="s16", layout=encoder.layout.name
        )
        frame.sample_rate = RATE
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def _samples(pcm: Floats) -> Samples:
    return np.ascontiguousarray(np.clip(pcm, -32_768, 32_767)).astype(np.int16)
