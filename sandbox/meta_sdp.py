"""Our SDP, in the shape that Meta's relays send today or in the one of its older samples."""

import secrets
import time
import uuid
from dataclasses import dataclass
from enum import StrEnum

from sandbox.ice_lite import IceCredentials


class SdpShape(StrEnum):
    """Which of Meta's two known shapes to write."""

    LIVE = "live"
    DOCUMENTED = "documented"


class Setup(StrEnum):
    """The value of `a=setup` (RFC 8842)."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"


@dataclass(frozen=True, slots=True)
class MetaMedia:
    """All that the SDP tells about our side of a call."""

    host: str
    port: int
    ice: IceCredentials
    fingerprint: str
    ssrc: int
    setup: Setup
    mid: str = "audio"
    opus_type: int = 111
    events_type: int = 126


def render_meta_sdp(media: MetaMedia, shape: SdpShape) -> str:
    """Write the SDP with CRLF line ends."""
    stream = str(uuid.uuid4())
    lines = [
        "v=0",
        f"o=- {_origin(shape)} 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        f"a=group:BUNDLE {media.mid}",
        f"a=msid-semantic: WMS {stream}",
        "a=ice-lite",
        f"m=audio {media.port} UDP/TLS/RTP/SAVPF {media.opus_type} {media.events_type}",
        f"c=IN IP4 {media.host}",
        "a=rtcp:9 IN IP4 0.0.0.0",
        *_transport(media, shape),
        f"a=mid:{media.mid}",
        *(_EXTENSIONS if shape is SdpShape.DOCUMENTED else ()),
        "a=sendrecv",
        *((f"a=msid:{stream} WhatsAppTrack1",) if shape is SdpShape.LIVE else ()),
        "a=rtcp-mux",
        *_codecs(media, shape),
        *_source(media.ssrc, stream, shape),
    ]
    return "\r\n".join(lines) + "\r\n"


_HOST = "typ host generation 0 network-cost 50"
_LIVE_PARAMETERS = (
    "maxaveragebitrate=20000;maxplaybackrate=16000;minptime=20;"
    "sprop-maxcapturerate=16000;useinbandfec=1"
)
_EXTENSIONS = (
    "a=extmap:1 urn:ietf:params:rtp-hdrext:ssrc-audio-level",
    "a=extmap:2 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time",
    "a=extmap:3 http://www.ietf.org/id/draft-holmer-rmcat-transport-wide-cc-extensions-01",
)


def _origin(shape: SdpShape) -> int:
    if shape is SdpShape.LIVE:
        return int(time.time() * 1000)
    return secrets.randbits(62)


def _transport(media: MetaMedia, shape: SdpShape) -> list[str]:
    priority = 2122260223 if shape is SdpShape.LIVE else 2113937151
    place = f"{media.host} {media.port}"
    suffix = "" if shape is SdpShape.LIVE else f" ufrag {media.ice.ufrag}"
    return [
        f"a=candidate:{secrets.randbits(31)} 1 udp {priority} {place} {_HOST}{suffix}",
        f"a=ice-ufrag:{media.ice.ufrag}",
        f"a=ice-pwd:{media.ice.password}",
        f"a=fingerprint:sha-256 {media.fingerprint}",
        f"a=setup:{media.setup}",
    ]


def _codecs(media: MetaMedia, shape: SdpShape) -> list[str]:
    opus, events = media.opus_type, media.events_type
    if shape is SdpShape.DOCUMENTED:
        return [
            f"a=rtpmap:{opus} opus/48000/2",
            f"a=rtcp-fb:{opus} transport-cc",
            f"a=fmtp:{opus} minptime=10;useinbandfec=1",
            f"a=rtpmap:{events} telephone-event/8000",
        ]
    return [
        f"a=rtpmap:{opus} opus/48000/2",
        f"a=rtcp-fb:{opus} transport-cc",
        f"a=fmtp:{opus} {_LIVE_PARAMETERS}",
        f"a=rtpmap:{events} telephone-event/8000",
        "a=maxptime:20",
        "a=ptime:20",
    ]


def _source(ssrc: int, stream: str, shape: SdpShape) -> list[str]:
    if shape is SdpShape.LIVE:
        return [f"a=ssrc:{ssrc} cname:WhatsAppAudioStream1"]
    track = f"audio#{secrets.token_urlsafe(8)}"
    return [
        f"a=ssrc:{ssrc} cname:{secrets.token_urlsafe(12)}",
        f"a=ssrc:{ssrc} msid:{stream} {track}",
        f"a=ssrc:{ssrc} mslabel:{stream}",
        f"a=ssrc:{ssrc} label:{track}",
    ]
