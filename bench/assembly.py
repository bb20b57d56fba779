"""How fast captures become a stereo file, against decoding and encoding by PyAV.

    python -m bench.assembly [--minutes 60]

Both work on the same capture in the same run; processor time counts. The last line is JSON.
"""

import argparse
import json
import sys
import tempfile
import time
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

from media.assemble import assemble
from media.assemble_peaks import read_peaks
from media.capture_format import (
    Header,
    Kind,
    StopReason,
    clock_record,
    encode_header,
    end_record,
    packet_record,
    record_seed,
)

RATE = 48_000
FRAME = 960
PHRASE_S = 20


def phrase(seed: int) -> list[bytes]:
    """Some seconds of noise that rises and falls like speech, as packets of 20 ms."""
    random = np.random.default_rng(seed)
    count = PHRASE_S * RATE
    corners = np.arange(0, count + 9_600, 4_800)
    loud = np.interp(np.arange(count), corners, random.random(len(corners)))
    pcm = np.convolve(random.standard_normal(count), np.hanning(24), "same") * loud * 2_000
    encoder = _encoder("mono", 32_000)
    packets: list[bytes] = []
    for index in range(count // FRAME):
        part = pcm[None, index * FRAME : (index + 1) * FRAME].astype(np.int16)
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate = RATE
        packets += [bytes(packet) for packet in encoder.encode(frame)]
    return packets


def _encoder(layout: str, bit_rate: int) -> av.AudioCodecContext:
    encoder = av.CodecContext.create("libopus", "w")
    assert isinstance(encoder, av.AudioCodecContext)
    encoder.sample_rate, encoder.layout = RATE, layout
    encoder.format = av.AudioFormat("s16")
    encoder.bit_rate = bit_rate
    encoder.time_base = Fraction(1, RATE)
    encoder.open()
    return encoder


def write_capture(path: Path, minutes: int) -> None:
    """Write a capture with 2 % loss and some jitter on the customer's side."""
    random = np.random.default_rng(1)
    head = encode_header(
        Header(capture_id="bench", segment=0, started_unix_ms=0, offset_ms=0, blob="")
    )
    seed = record_seed(head)
    agent, customer = phrase(1), phrase(2)
    frames = minutes * 3_000
    lost = random.random(frames) < 0.02
    records = [head]
    for number in range(frames):
        at, timestamp = number * 20, number * FRAME
        spoken = number % len(agent)
        add = records.append
        add(packet_record(Kind.AGENT, at, timestamp, number & 0xFFFF, agent[spoken], seed=seed))
        if not lost[number]:
            payload = customer[spoken]
            add(
                packet_record(Kind.CUSTOMER, at, timestamp, number & 0xFFFF, payload, seed=seed)
            )
        if number % 8 == 0:
            records.append(clock_record(at, seed=seed))
    records.append(end_record(frames * 20, StopReason.COMMAND, seed=seed))
    path.write_bytes(b"".join(records))


def transcode(source: Path, target: Path, seconds: int) -> None:
    """The rival: decode both sides, encode them as one stereo stream, by PyAV."""
    with av.open(str(source)) as container, av.open(str(target), "w", format="ogg") as out:
        stream = out.add_stream("libopus", rate=RATE, layout="stereo")
        stream.bit_rate = 64_000
        for frame in container.decode(audio=0):
            if frame.time is not None and frame.time >= seconds:
                break
            stereo: npt.NDArray[np.float32] = frame.to_ndarray().astype(np.float32, copy=False)
            joined = av.AudioFrame.from_ndarray(
                np.ascontiguousarray(stereo.T).reshape(1, -1), format="flt", layout="stereo"
            )
            joined.sample_rate = RATE
            out.mux(stream.encode(joined))
        out.mux(stream.encode(None))


def main() -> int:
    """Measure, print."""
    parser = argparse.ArgumentParser(prog="bench.assembly", description=__doc__)
    parser.add_argument("--minutes", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--rival-seconds", type=int, default=60)
    asked = parser.parse_args()
    seconds = asked.minutes * 60
    with tempfile.TemporaryDirectory() as folder:
        capture, out = Path(folder) / "bench.000.capture", Path(folder) / "bench.ogg"
        write_capture(capture, asked.minutes)
        spent: list[float] = []
        for _ in range(asked.rounds):
            began = time.process_time()
            assemble([capture], out)
            spent.append(time.process_time() - began)
        best = min(spent)
        began = time.process_time()
        read_peaks(out)
        peaks_s = time.process_time() - began
        began = time.process_time()
        transcode(out, Path(folder) / "rival.ogg", asked.rival_seconds)
        file_bytes = out.stat().st_size
        rival_s = (time.process_time() - began) / asked.rival_seconds
    result = {
        "bench": "assembly",
        "call_minutes": asked.minutes,
        "times_real_time": round(seconds / best),
        "ms_per_call_second": round(best * 1000 / seconds, 3),
        "peaks_times_real_time": round(seconds / peaks_s),
        "rival": "PyAV decode + encode stereo",
        "rival_times_real_time": round(1 / rival_s),
        "times_faster": round(seconds / best * rival_s, 1),
        "bytes_per_minute": round(file_bytes / asked.minutes),
        "goal_times_real_time": 2_000,
        "goal_met": seconds / best >= 2_000,
    }
    for name, value in result.items():
        print(f"{name:24} {value}")
    print(json.dumps(result))
    return 0


if __name__ == "__main__":
    sys.exit(main())
