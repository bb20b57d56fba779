"""The business's SDP, checked as strictly as Meta does (Integration Patterns page)."""

import re
from dataclasses import dataclass
from enum import StrEnum

from sandbox.dtls import DtlsRole
from sandbox.ice_lite import IceCredentials

SDP_CHARACTERS_MAX = 16_384
_INVALID_PARAMETER = 100
_SDP_VALIDATION = 138008
_PTIME_MS = "20"

_RTPMAP = re.compile(r"(\d{1,3}) ([A-Za-z0-9-]+)/(\d+)(?:/(\d+))?$")
_FINGERPRINT = re.compile(r"sha-256 ([0-9a-f]{2}(?::[0-9a-f]{2}){31})$", re.IGNORECASE)
_M_LINE = re.compile(r"audio (\d{1,5}) UDP/TLS/RTP/SAVPF((?: \d{1,3})+)$")
_UFRAG = re.compile(r"[A-Za-z0-9+/]{4,256}$")
_PASSWORD = re.compile(r"[A-Za-z0-9+/=]{22,256}$")


class BadBusinessSdp(ValueError):
    """The SDP breaks a rule; `code` is the error code that Meta gives for it."""

    def __init__(self, details: str, code: int = _INVALID_PARAMETER) -> None:
        super().__init__(details)
        self.code = code


class SdpType(StrEnum):
    """Whether the business begins or replies."""

    OFFER = "offer"
    ANSWER = "answer"


@dataclass(frozen=True, slots=True)
class BusinessSdp:
    """What the media session needs from the business's SDP.

    `dtls_role` is the business's role, None when it leaves the choice to us. `other_codecs`
    are payload formats beyond Opus and telephone-event, which Meta says not to send.
    """

    ice: IceCredentials
    fingerprint: str
    dtls_role: DtlsRole | None
    opus_type: int
    events_type: int | None
    mid: str
    other_codecs: tuple[str, ...]


def parse_business_sdp(sdp: str, kind: SdpType) -> BusinessSdp:
    """Check the SDP against all rules; raise `BadBusinessSdp` naming the first broken one."""
    lines = _lines(sdp)
    media_at = [at for at, line in enumerate(lines) if line.startswith("m=")]
    if len(media_at) != 1:
        raise BadBusinessSdp(f"Exactly one audio m-line is required, found {len(media_at)}")
    m_line = _M_LINE.match(lines[media_at[0]][2:])
    if m_line is None:
        raise BadBusinessSdp("The m-line must be audio over UDP/TLS/RTP/SAVPF")
    attributes = [line[2:] for line in lines if line.startswith("a=")]
    _check_flags(attributes)
    opus, events, others = _codecs(attributes, m_line[2].split())
    return BusinessSdp(
        ice=_credentials(attributes),
        fingerprint=_fingerprint(attributes),
        dtls_role=_dtls_role(attributes, kind),
        opus_type=opus,
        events_type=events,
        mid=(_values(attributes, "mid") or ["audio"])[0],
        other_codecs=others,
    )


def _lines(sdp: str) -> list[str]:
    if len(sdp) > SDP_CHARACTERS_MAX:
        raise BadBusinessSdp("The SDP is too long")
    if not sdp.startswith("v=0\r\n"):
        raise BadBusinessSdp("The SDP must begin with v=0 and have CRLF line ends (RFC 8866)")
    lines = sdp.split("\r\n")
    if lines.pop() != "":
        raise BadBusinessSdp("The last line of the SDP must end with CRLF")
    if any("\n" in line or "\r" in line for line in lines):
        raise BadBusinessSdp("Every line of the SDP must end with CRLF")
    if any(not re.match(r"[a-z]=", line) for line in lines):
        raise BadBusinessSdp("A line of the SDP is not of the form type=value")
    return lines


def _check_flags(attributes: list[str]) -> None:
    if "rtcp-mux" not in attributes:
        raise BadBusinessSdp("a=rtcp-mux is required")
    if "ice-lite" in attributes:
        raise BadBusinessSdp("a=ice-lite is not allowed: the business must be full ICE")
    if {"sendonly", "recvonly", "inactive"} & set(attributes):
        raise BadBusinessSdp("The media direction must be sendrecv")
    for name in ("ptime", "maxptime"):
        if any(value != _PTIME_MS for value in _values(attributes, name)):
            raise BadBusinessSdp(f"a={name} must be 20")


def _values(attributes: list[str], name: str) -> list[str]:
    prefix = f"{name}:"
    return [one.removeprefix(prefix) for one in attributes if one.startswith(prefix)]


def _codecs(attributes: list[str], types: list[str]) -> tuple[int, int | None, tuple[str, ...]]:
    """Return the payload types of Opus and of 8 kHz events, and the names of the rest."""
    maps = [found for value in _values(attributes, "rtpmap") if (found := _RTPMAP.match(value))]
    opus: int | None = None
    events: int | None = None
    others: list[str] = []
    for found in maps:
        if found[1] not in types:
            continue
        codec = (found[2].lower(), found[3])
        if codec == ("opus", "48000") and found[4] == "2":
            opus = int(found[1]) if opus is None else opus
        elif codec == ("telephone-event", "8000"):
            events = int(found[1])
        else:
            others.append(f"{found[2]}/{found[3]}")
    if opus is None:
        raise BadBusinessSdp("No supported codec: opus/48000/2 is required")
    return opus, events, tuple(others)


def _credentials(attributes: list[str]) -> IceCredentials:
    ufrags, passwords = _values(attributes, "ice-ufrag"), _values(attributes, "ice-pwd")
    if len(ufrags) != 1 or not _UFRAG.match(ufrags[0]):
        raise BadBusinessSdp("One valid a=ice-ufrag is required")
    if len(passwords) != 1 or not _PASSWORD.match(passwords[0]):
        raise BadBusinessSdp("One valid a=ice-pwd is required")
    return IceCredentials(ufrag=ufrags[0], password=passwords[0])


def _fingerprint(attributes: list[str]) -> str:
    found = _values(attributes, "fingerprint")
    if not found:
        raise BadBusinessSdp("No fingerprint found in SDP", _SDP_VALIDATION)
    if len(found) > 1:
        raise BadBusinessSdp(
            f"Exactly one fingerprint is required, found {len(found)}", _SDP_VALIDATION
        )
    match = _FINGERPRINT.match(found[0])
    if match is None:
        raise BadBusinessSdp("The fingerprint must be a sha-256 hash", _SDP_VALIDATION)
    return match[1].upper()


def _dtls_role(attributes: list[str], kind: SdpType) -> DtlsRole | None:
    found = _values(attributes, "setup")
    if kind is SdpType.OFFER:
        if found != ["actpass"]:
            raise BadBusinessSdp("The offer must have one a=setup:actpass")
        return None
    if found == ["active"]:
        return DtlsRole.CLIENT
    if found == ["passive"]:
        return DtlsRole.SERVER
    raise BadBusinessSdp("The answer must have one a=setup, active or passive")
