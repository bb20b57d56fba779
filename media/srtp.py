"""SRTP in place: libsrtp works on one shared buffer, without a copy per packet."""

from dataclasses import dataclass
from typing import Any, Final

from pylibsrtp import Policy, Session
from pylibsrtp._binding import ffi, lib

BUFFER_BYTES: Final = 2048
REPLAY_WINDOW: Final = 1024

ERROR_AUTHENTICATION: Final = 7
ERROR_REPLAY: Final = frozenset({9, 10})
"""`srtp_err_status_replay_fail` and `srtp_err_status_replay_old` of libsrtp."""


@dataclass(frozen=True, slots=True)
class SrtpProfile:
    """A protection profile of RFC 5764 section 4.1.2 or RFC 7714 section 14.2."""

    name: str
    libsrtp_profile: int
    key_bytes: int
    salt_bytes: int


PROFILES: Final = (
    SrtpProfile("SRTP_AEAD_AES_256_GCM", Policy.SRTP_PROFILE_AEAD_AES_256_GCM, 32, 12),
    SrtpProfile("SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    SrtpProfile("SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)
"""In our order of preference."""


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Master key and salt per direction, as derived by RFC 5764 section 4.2."""

    profile: SrtpProfile
    receive: bytes
    send: bytes


class PacketBuffer:
    """The one buffer in which every packet of the process is received, rewritten and sent.

    Media runs on one thread and each packet is finished before the next is read. The payload
    of the packet in hand lies at `start:end`.
    """

    __slots__ = ("bytes_address", "end", "length", "start", "view")

    def __init__(self) -> None:
        self.bytes_address: Any = ffi.new("unsigned char[]", BUFFER_BYTES)
        self.view = memoryview(ffi.buffer(self.bytes_address)).cast("B")
        self.length: Any = ffi.new("int *")
        self.start = 0
        self.end = 0


class SrtpContext:
    """One direction of a leg: unprotects or protects packets that lie in a `PacketBuffer`."""

    __slots__ = ("_buffer", "_session", "context")

    def __init__(self, buffer: PacketBuffer, keys: SrtpKeys, *, receiving: bool) -> None:
        policy = Policy(
            key=keys.receive if receiving else keys.send,
            ssrc_type=Policy.SSRC_ANY_INBOUND if receiving else Policy.SSRC_ANY_OUTBOUND,
            srtp_profile=keys.profile.libsrtp_profile,
        )
        # A repeated sequence number would repeat a cipher nonce: libsrtp refuses it.
        policy.allow_repeat_tx = False
        policy.window_size = REPLAY_WINDOW
        self._session = Session(policy)
        self._buffer = buffer
        self.context: Any = self._session._srtp[0]  # noqa: SLF001  (see selftest)

    def forget(self, ssrc: int) -> None:
        """Drop the state of a peer's SSRC."""
        self._session.remove_stream(ssrc)

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Protect a compound RTCP packet; raises `pylibsrtp.Error`."""
        return bytes(self._session.protect_rtcp(packet))

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Verify and decrypt a compound RTCP packet; raises `pylibsrtp.Error`."""
        return bytes(self._session.unprotect_rtcp(packet))


srtp_protect: Final[Any] = lib.srtp_protect
"""`srtp_protect(context, address, length)`: 0, or libsrtp's error number."""
srtp_unprotect: Final[Any] = lib.srtp_unprotect
