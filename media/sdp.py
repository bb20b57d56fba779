"""Reads a peer's SDP into our own model; anything unusual or hostile is one `BadSdp`.

Nothing of a peer's text is ever passed on: answers are written from the model alone.
"""

import ipaddress
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

SDP_BYTES_MAX: Final = 64 * 1024
LINES_MAX: Final = 500
CANDIDATES_MAX: Final = 32
MEDIA_FIELDS_MIN: Final = 4
CANDIDATE_FIELDS_MIN: Final = 8
RTCP_CLASH: Final = range(64, 96)
"""Payload types that cannot be told from RTCP (RFC 5761 section 4)."""
AUDIO_PROTOCOL: Final = "UDP/TLS/RTP/SAVPF"
DATA_PROTOCOLS: Final = frozenset({"UDP/DTLS/SCTP", "DTLS/SCTP"})

_NUMBER = re.compile(r"[0-9]{1,10}")
_UFRAG = re.compile(r"[A-Za-z0-9+/=_-]{4,256}")
# RFC 8839 forbids "=" in ice-pwd, but Meta pads its base64 with it.
_PASSWORD = re.compile(r"[A-Za-z0-9+/=_-]{22,256}")
_TOKEN = re.compile(r"[!#$%&'*+.^_`{|}~A-Za-z0-9-]{1,64}")
_SHA256 = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){31}")


class BadSdp(ValueError):
    """A description that cannot be served; the text says why in plain words."""


class Setup(StrEnum):
    """DTLS role as signalled (RFC 8842)."""

    ACTIVE = "active"
    PASSIVE = "passive"
    ACTPASS = "actpass"


class Direction(StrEnum):
    """Direction of audio, seen from who wrote the description."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class RemoteCandidate:
    """A UDP candidate with a literal address."""

    foundation: str
    priority: int
    address: str
    port: int
    kind: str


@dataclass(frozen=True, slots=True)
class RemoteAudio:
    """The audio m-line."""

    mid: str
    opus: int
    """Payload type of opus/48000/2."""
    keypad: int | None
    """Payload type of telephone-event/8000, if there is one."""
    direction: Direction
    ssrc: int | None


@dataclass(frozen=True, slots=True)
class RemoteData:
    """The data channel m-line."""

    mid: str
    sctp_port: int
    protocol: str


@dataclass(frozen=True, slots=True)
class RemoteDescription:
    """What we know of a peer from its SDP."""

    audio: RemoteAudio
    channel: RemoteData | None
    audio_first: bool
    ufrag: str
    password: str
    fingerprint: str
    """SHA-256, upper case."""
    setup: Setup
    is_lite: bool
    candidates: tuple[RemoteCandidate, ...]


@dataclass(slots=True)
class _Section:
    """The lines of the session or of one m-line, as attribute lists."""

    media: list[str]
    attributes: dict[str, list[str]]

    def all(self, name: str) -> list[str]:
        return self.attributes.get(name, [])

    def has(self, name: str) -> bool:
        return name in self.attributes

    def one(self, name: str, fallback: "_Section | None" = None) -> str | None:
        values = self.all(name)
        if len(set(values)) > 1:
            raise BadSdp(f"a={name} is given more than once with different values")
        if values:
            return values[0]
        return fallback.one(name) if fallback is not None else None


def parse_sdp(text: str) -> RemoteDescription:
    """Read an offer or answer; raises `BadSdp` and nothing else."""
    session, sections = _split(text)
    audio: _Section | None = None
    channel: _Section | None = None
    for section in sections:
        kind = section.media[0]
        if kind == "audio" and audio is None:
            audio = section
        elif kind == "application" and channel is None:
            channel = section
        elif kind in {"audio", "application"}:
            raise BadSdp(f"there is more than one m={kind} line")
        else:
            raise BadSdp("there is a media line other than audio and data channel")
    if audio is None:
        raise BadSdp("there is no audio line")
    # The first m-line carries the transport of all (RFC 9143 section 7.2).
    carrier = sections[0]
    if channel is not None:
        _require_bundle(session, audio, channel)
    return RemoteDescription(
        audio=_read_audio(audio),
        channel=None if channel is None else _read_channel(channel),
        audio_first=carrier is audio,
        ufrag=_matching(_UFRAG, carrier.one("ice-ufrag", session), "ICE user fragment"),
        password=_matching(_PASSWORD, carrier.one("ice-pwd", session), "ICE password"),
        fingerprint=_read_fingerprint(session, carrier),
        setup=_read_setup(carrier.one("setup", session)),
        is_lite=session.has("ice-lite") or carrier.has("ice-lite"),
        candidates=tuple(_read_candidates(session, carrier)),
    )


def _split(text: str) -> tuple[_Section, list[_Section]]:
    if len(text) > SDP_BYTES_MAX or len(text.encode(errors="replace")) > SDP_BYTES_MAX:
        raise BadSdp("the description is longer than 64 KiB")
    lines = text.replace("\r\n", "\n").split("\n")
    if lines and not lines[-1]:
        lines.pop()
    if len(lines) > LINES_MAX:
        raise BadSdp("the description has more than 500 lines")
    if not lines or lines[0] != "v=0":
        raise BadSdp("the description does not begin with v=0")
    session = _Section([], {})
    sections: list[_Section] = []
    for line in lines:
        if line[1:2] != "=" or "\0" in line or "\r" in line:
            raise BadSdp("a line is not of the form letter=value")
        current = sections[-1] if sections else session
        if line[0] == "m":
            fields = line[2:].split(" ")
            if len(fields) < MEDIA_FIELDS_MIN:
                raise BadSdp("a media line is incomplete")
            sections.append(_Section(fields, {}))
        elif line[0] == "a":
            name, _, value = line[2:].partition(":")
            current.attributes.setdefault(name, []).append(value)
    return session, sections


def _read_audio(section: _Section) -> RemoteAudio:
    _, port, protocol, *formats = section.media
    if protocol != AUDIO_PROTOCOL:
        raise BadSdp(f"the audio line is not {AUDIO_PROTOCOL}")
    if _number(port, 65535, "the audio port") == 0 and not section.has("bundle-only"):
        raise BadSdp("the audio line is switched off (port 0)")
    if not section.has("rtcp-mux"):
        raise BadSdp("RTP and RTCP are not multiplexed (a=rtcp-mux is missing)")
    payload_types = [_number(text, 127, "a payload type") for text in formats]
    if len(set(payload_types)) != len(payload_types):
        raise BadSdp("a payload type is listed twice")
    mapped = _read_mappings(section, frozenset(payload_types))
    opus = next((pt for pt in payload_types if mapped.get(pt) == "opus/48000/2"), None)
    if opus is None:
        raise BadSdp("Opus at 48000 Hz is not among the codecs")
    return RemoteAudio(
        mid=_matching(_TOKEN, section.one("mid"), "media id"),
        opus=opus,
        keypad=next(
            (pt for pt in payload_types if mapped.get(pt) == "telephone-event/8000"), None
        ),
        direction=_read_direction(section),
        ssrc=_read_ssrc(section),
    )


def _read_mappings(section: _Section, payload_types: frozenset[int]) -> dict[int, str]:
    mapped: dict[int, str] = {}
    for value in section.all("rtpmap"):
        number, _, encoding = value.partition(" ")
        payload_type = _number(number, 127, "a payload type")
        if payload_type not in payload_types:
            continue
        if payload_type in mapped:
            raise BadSdp("a payload type is mapped twice")
        name = encoding.strip().lower()
        mapped[payload_type] = name.removesuffix("/1") if "event" in name else name
    if any(payload_type in RTCP_CLASH for payload_type in mapped):
        raise BadSdp("a payload type would look like RTCP")
    return mapped


def _read_direction(section: _Section) -> Direction:
    found = [direction for direction in Direction if section.has(direction)]
    if len(found) > 1:
        raise BadSdp("the audio line has more than one direction")
    return found[0] if found else Direction.SENDRECV


def _read_ssrc(section: _Section) -> int | None:
    found: set[int] = set()
    for value in section.all("ssrc"):
        found.add(_number(value.partition(" ")[0], 0xFFFFFFFF, "an SSRC"))
    if len(found) > 1:
        raise BadSdp("the audio line has more than one SSRC")
    return found.pop() if found else None


def _require_bundle(session: _Section, audio: _Section, channel: _Section) -> None:
    """One transport must carry both m-lines; a second one is not served."""
    grouped = [value.split(" ") for value in session.all("group")]
    bundled = [mids[1:] for mids in grouped if mids[0] == "BUNDLE"]
    wanted = {audio.one("mid"), channel.one("mid")}
    if len(wanted) == 1 or not any(wanted <= set(mids) for mids in bundled):
        raise BadSdp("the data channel is not bundled with the audio")
    for name in ("ice-ufrag", "ice-pwd"):
        found = {audio.one(name, session), channel.one(name, session)} - {None}
        if len(found) > 1:
            raise BadSdp("the data channel has another ICE transport than the audio")


def _read_channel(section: _Section) -> RemoteData:
    _, port, protocol, *formats = section.media
    if protocol not in DATA_PROTOCOLS or formats != ["webrtc-datachannel"]:
        raise BadSdp("the data line is not a WebRTC data channel")
    _number(port, 65535, "the data port")
    sctp_port = section.one("sctp-port")
    return RemoteData(
        mid=_matching(_TOKEN, section.one("mid"), "media id"),
        sctp_port=5000 if sctp_port is None else _number(sctp_port, 65535, "the SCTP port"),
        protocol=protocol,
    )


def _read_fingerprint(session: _Section, carrier: _Section) -> str:
    found: set[str] = set()
    for value in carrier.all("fingerprint") or session.all("fingerprint"):
        algorithm, _, digest = value.partition(" ")
        if algorithm.lower() == "sha-256":
            found.add(_matching(_SHA256, digest.strip(), "sha-256 fingerprint").upper())
    if not found:
        raise BadSdp("there is no sha-256 fingerprint")
    if len(found) > 1:
        raise BadSdp("there are two different sha-256 fingerprints")
    return found.pop()


def _read_setup(value: str | None) -> Setup:
    try:
        return Setup(value or "")
    except ValueError:
        raise BadSdp("a=setup is missing or is not active, passive or actpass") from None


def _read_candidates(session: _Section, carrier: _Section) -> Iterator[RemoteCandidate]:
    values = session.all("candidate") + carrier.all("candidate")
    if len(values) > CANDIDATES_MAX:
        raise BadSdp(f"there are more than {CANDIDATES_MAX} candidates")
    seen: set[tuple[str, int]] = set()
    for value in values:
        candidate = _read_candidate(value)
        if candidate is not None and (candidate.address, candidate.port) not in seen:
            seen.add((candidate.address, candidate.port))
            yield candidate


def _read_candidate(value: str) -> RemoteCandidate | None:
    """One candidate (RFC 8839 section 5.1); None for those that we never use."""
    fields = value.split()
    if len(fields) < CANDIDATE_FIELDS_MIN or fields[6] != "typ":
        raise BadSdp("a candidate is incomplete")
    foundation, component, transport, priority, address, port, _, kind = fields[:8]
    number = _number(port, 65535, "a candidate's port")
    rank = _number(priority, 0xFFFFFFFF, "a candidate's priority")
    if _number(component, 256, "a candidate's component") != 1 or transport.lower() != "udp":
        return None
    if kind not in {"host", "srflx", "prflx", "relay"} or number == 0:
        return None
    try:
        literal = str(ipaddress.ip_address(address))
    except ValueError:
        # A name: an mDNS one of a browser without microphone permission. Such a peer
        # reaches us and becomes peer-reflexive; we resolve nothing.
        return None
    if "%" in literal:
        return None
    used = "srflx" if kind == "prflx" else kind
    return RemoteCandidate(foundation[:32], rank, literal, number, used)


def _number(text: str, highest: int, what: str) -> int:
    if _NUMBER.fullmatch(text) is None or int(text) > highest:
        raise BadSdp(f"{what} is not a number up to {highest}")
    return int(text)


def _matching(pattern: re.Pattern[str], value: str | None, what: str) -> str:
    if value is None:
        raise BadSdp(f"there is no {what}")
    if pattern.fullmatch(value) is None:
        raise BadSdp(f"the {what} is not well formed")
    return value
