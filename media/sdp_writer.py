"""Writes our own SDP: one fixed profile, so that no leg ever needs transcoding."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from media.sdp import AUDIO_PROTOCOL, Direction, RemoteData, Setup

OPUS_DEFAULT: Final = 111
KEYPAD_DEFAULT: Final = 126
SCTP_PORT: Final = 5000
DATA_BYTES_MAX: Final = 65536
# Mono, in-band FEC, no DTX, wideband: what WhatsApp's own apps speak.
OPUS_PROFILE: Final = (
    "maxplaybackrate=16000;sprop-maxcapturerate=16000;stereo=0;sprop-stereo=0;"
    "minptime=20;useinbandfec=1;usedtx=0"
)
PRIORITY_HOST: Final = 126 << 24
PRIORITY_COMPONENT: Final = 255
SESSION_VERSION: Final = 2

_MIRRORED: Final = {
    Direction.SENDRECV: Direction.SENDRECV,
    Direction.SENDONLY: Direction.RECVONLY,
    Direction.RECVONLY: Direction.SENDONLY,
    Direction.INACTIVE: Direction.INACTIVE,
}


@dataclass(frozen=True, slots=True)
class LocalCandidate:
    """An address of ours as the peer is told it."""

    address: str
    port: int


@dataclass(frozen=True, slots=True)
class LocalDescription:
    """Everything that our side of a leg says in its SDP."""

    session_id: int
    ufrag: str
    password: str
    fingerprint: str
    setup: Setup
    candidates: tuple[LocalCandidate, ...]
    mid: str
    opus: int
    keypad: int | None
    direction: Direction
    ssrc: int
    channel: RemoteData | None = None
    audio_first: bool = True


def answer_direction(offered: Direction) -> Direction:
    """The direction that takes all that was offered (RFC 3264 section 6.1)."""
    return _MIRRORED[offered]


def write_sdp(local: LocalDescription) -> str:
    """The description as text with CRLF line ends."""
    audio = list(_audio_lines(local))
    channel = list(_channel_lines(local, local.channel)) if local.channel else []
    mids = [local.mid, local.channel.mid] if local.channel else [local.mid]
    if not local.audio_first:
        mids.reverse()
    body = [*audio, *channel] if local.audio_first else [*channel, *audio]
    session = [
        "v=0",
        f"o=- {local.session_id} {SESSION_VERSION} IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {' '.join(mids)}",
        "a=msid-semantic: WMS callgate",
    ]
    return "\r\n".join([*session, *body, ""])


def _audio_lines(local: LocalDescription) -> Iterable[str]:
    formats = f"{local.opus}" if local.keypad is None else f"{local.opus} {local.keypad}"
    default = local.candidates[0]
    yield f"m=audio {default.port} {AUDIO_PROTOCOL} {formats}"
    yield _connection_line(default.address)
    yield "a=rtcp:9 IN IP4 0.0.0.0"
    yield from _transport_lines(local)
    yield f"a=mid:{local.mid}"
    yield f"a={local.direction}"
    yield "a=msid:callgate audio"
    yield "a=rtcp-mux"
    yield f"a=rtpmap:{local.opus} opus/48000/2"
    yield f"a=fmtp:{local.opus} {OPUS_PROFILE}"
    if local.keypad is not None:
        yield f"a=rtpmap:{local.keypad} telephone-event/8000"
        yield f"a=fmtp:{local.keypad} 0-15"
    yield "a=ptime:20"
    yield "a=maxptime:20"
    yield f"a=ssrc:{local.ssrc} cname:callgate"


def _channel_lines(local: LocalDescription, channel: RemoteData) -> Iterable[str]:
    default = local.candidates[0]
    yield f"m=application {default.port} {channel.protocol} webrtc-datachannel"
    yield _connection_line(default.address)
    yield from _transport_lines(local)
    yield f"a=mid:{channel.mid}"
    yield f"a=sctp-port:{SCTP_PORT}"
    yield f"a=max-message-size:{DATA_BYTES_MAX}"


def _transport_lines(local: LocalDescription) -> Iterable[str]:
    for rank, candidate in enumerate(local.candidates):
        priority = PRIORITY_HOST + ((65535 - rank) << 8) + PRIORITY_COMPONENT
        yield (
            f"a=candidate:{rank + 1} 1 udp {priority} {candidate.address} {candidate.port}"
            " typ host"
        )
    yield "a=end-of-candidates"
    yield f"a=ice-ufrag:{local.ufrag}"
    yield f"a=ice-pwd:{local.password}"
    yield f"a=fingerprint:sha-256 {local.fingerprint}"
    yield f"a=setup:{local.setup}"


def _connection_line(address: str) -> str:
    return f"c=IN IP{6 if ':' in address else 4} {address}"
