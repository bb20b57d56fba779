"""SRTP and SRTCP for one call (RFC 3711), by libsrtp."""

from pylibsrtp import Error, Policy, Session

from sandbox.dtls import SrtpKeys

_REPLAY_WINDOW = 1024


class BadSrtp(ValueError):
    """A packet that is not authentic, or a replayed one."""


class Srtp:
    """Both directions of a call under the keys of one DTLS handshake."""

    def __init__(self, keys: SrtpKeys) -> None:
        self._sending = Session(_policy(keys.profile, keys.sending, Policy.SSRC_ANY_OUTBOUND))
        self._receiving = Session(
            _policy(keys.profile, keys.receiving, Policy.SSRC_ANY_INBOUND)
        )

    def protect(self, packet: bytes) -> bytes:
        """Encrypt an RTP packet that is sent."""
        return bytes(self._sending.protect(packet))

    def protect_rtcp(self, packet: bytes) -> bytes:
        """Encrypt an RTCP packet that is sent."""
        return bytes(self._sending.protect_rtcp(packet))

    def unprotect(self, packet: bytes) -> bytes:
        """Decrypt an RTP packet of the peer; raise `BadSrtp` if it is not authentic."""
        try:
            return bytes(self._receiving.unprotect(packet))
        except (Error, ValueError) as error:
            raise BadSrtp(str(error)) from error

    def unprotect_rtcp(self, packet: bytes) -> bytes:
        """Decrypt an RTCP packet of the peer; raise `BadSrtp` if it is not authentic."""
        try:
            return bytes(self._receiving.unprotect_rtcp(packet))
        except (Error, ValueError) as error:
            raise BadSrtp(str(error)) from error


def _policy(profile: int, key: bytes, ssrc_type: int) -> Policy:
    policy = Policy(key=key, ssrc_type=ssrc_type, srtp_profile=profile)
    policy.window_size = _REPLAY_WINDOW
    return policy
