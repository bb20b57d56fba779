"""DTLS-SRTP over memory buffers (RFC 5764): a handshake in either role, then SRTP keys."""

import datetime
import secrets
from dataclasses import dataclass
from enum import StrEnum

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL
from pylibsrtp import Policy

_RECORD_HEADER_BYTES = 13
_DATAGRAM_BYTES_MAX = 1200
_READ_BYTES = 65536
_DTLS_1_2 = 0xFEFD
_CIPHERS = b"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-CHACHA20-POLY1305"


class DtlsRole(StrEnum):
    """Who sends the ClientHello."""

    CLIENT = "client"
    SERVER = "server"


class DtlsState(StrEnum):
    """How far the handshake is; it only moves forward."""

    HANDSHAKE = "handshake"
    CONNECTED = "connected"
    FAILED = "failed"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed ECDSA certificate: small enough for a handshake without fragments."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def generate(cls) -> "Certificate":
        """Make a fresh P-256 certificate valid from yesterday for thirty days."""
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "WhatsApp")])
        now = datetime.datetime.now(datetime.UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(int.from_bytes(secrets.token_bytes(16)) | 1)
            .not_valid_before(now - datetime.timedelta(days=1))
            .not_valid_after(now + datetime.timedelta(days=30))
        )
        return cls(key=key, certificate=builder.sign(key, hashes.SHA256()))

    @property
    def fingerprint(self) -> str:
        """The SHA-256 fingerprint as SDP writes it."""
        return fingerprint_of(self.certificate)


@dataclass(frozen=True, slots=True)
class SrtpKeys:
    """Keying material of both directions for one libsrtp profile."""

    profile: int
    sending: bytes
    receiving: bytes


@dataclass(frozen=True, slots=True)
class _Profile:
    name: bytes
    libsrtp: int
    key_bytes: int
    salt_bytes: int


_PROFILES = (
    _Profile(b"SRTP_AEAD_AES_128_GCM", Policy.SRTP_PROFILE_AEAD_AES_128_GCM, 16, 12),
    _Profile(b"SRTP_AES128_CM_SHA1_80", Policy.SRTP_PROFILE_AES128_CM_SHA1_80, 16, 14),
)


def fingerprint_of(certificate: x509.Certificate) -> str:
    """Return the SHA-256 fingerprint in upper-case pairs, as in `a=fingerprint`."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


def is_dtls(datagram: bytes) -> bool:
    """Tell DTLS from STUN and RTP by the first byte (RFC 7983 section 7)."""
    return len(datagram) >= _RECORD_HEADER_BYTES and 20 <= datagram[0] <= 63  # noqa: PLR2004


class DtlsEndpoint:
    """One side of a handshake without a socket.

    The caller passes datagrams to `receive`, sends all of `take_outgoing`, and calls
    `retransmit` when `timeout_s` has passed without news.
    """

    def __init__(
        self, certificate: Certificate, role: DtlsRole, remote_fingerprint: str
    ) -> None:
        self.state = DtlsState.HANDSHAKE
        self.role = role
        self.keys: SrtpKeys | None = None
        self.failure: str | None = None
        self._remote_fingerprint = remote_fingerprint.upper()
        self._connection = SSL.Connection(_context(certificate))
        if role is DtlsRole.SERVER:
            self._connection.set_accept_state()
        else:
            self._connection.set_connect_state()
        self._connection.set_ciphertext_mtu(_DATAGRAM_BYTES_MAX)

    def start(self) -> None:
        """Begin: the client's first flight is then ready to be taken."""
        self._advance()

    def receive(self, datagram: bytes) -> None:
        """Feed one datagram of the peer."""
        if self.state is DtlsState.HANDSHAKE:
            self._connection.bio_write(datagram)
            self._advance()
        elif self.state is DtlsState.CONNECTED:
            self._connection.bio_write(datagram)
            self._drain()

    def timeout_s(self) -> float | None:
        """Seconds until the last flight should be repeated, or None."""
        if self.state is not DtlsState.HANDSHAKE:
            return None
        return self._connection.DTLSv1_get_timeout()

    def retransmit(self) -> None:
        """Repeat the last flight if its time has come."""
        if self.state is DtlsState.HANDSHAKE:
            self._connection.DTLSv1_handle_timeout()

    def close(self) -> None:
        """Say goodbye with a close_notify alert, which is then ready to be taken."""
        if self.state is DtlsState.CONNECTED:
            try:
                self._connection.shutdown()
            except SSL.Error as error:
                self.failure = str(error)
        if self.state in {DtlsState.CONNECTED, DtlsState.HANDSHAKE}:
            self.state = DtlsState.CLOSED

    def take_outgoing(self) -> list[bytes]:
        """Return the datagrams to send now, whole records each, and forget them."""
        try:
            stream = self._connection.bio_read(_READ_BYTES)
        except SSL.WantReadError:
            return []
        return _datagrams(stream)

    def _advance(self) -> None:
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self._fail(str(error))
            return
        self._finish()

    def _drain(self) -> None:
        """Read what follows the handshake: repeated flights, and the peer's close_notify."""
        try:
            self._connection.recv(_READ_BYTES)
        except SSL.ZeroReturnError:
            self.state = DtlsState.CLOSED
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self._fail(str(error))

    def _finish(self) -> None:
        certificate = self._connection.get_peer_certificate(as_cryptography=True)
        if certificate is None or fingerprint_of(certificate) != self._remote_fingerprint:
            self._fail("the certificate does not match the fingerprint in the SDP")
            return
        chosen = self._connection.get_selected_srtp_profile()
        profile = next((one for one in _PROFILES if one.name == chosen), None)
        if profile is None:
            self._fail("no SRTP profile in common")
            return
        self.keys = self._export(profile)
        self.state = DtlsState.CONNECTED

    def _export(self, profile: _Profile) -> SrtpKeys:
        """Split the exported block as RFC 5764 section 4.2 orders it."""
        key, salt = profile.key_bytes, profile.salt_bytes
        block = self._connection.export_keying_material(
            b"EXTRACTOR-dtls_srtp", 2 * (key + salt)
        )
        client = block[:key] + block[2 * key : 2 * key + salt]
        server = block[key : 2 * key] + block[2 * key + salt :]
        if self.role is DtlsRole.CLIENT:
            return SrtpKeys(profile.libsrtp, sending=client, receiving=server)
        return SrtpKeys(profile.libsrtp, sending=server, receiving=client)

    def _fail(self, reason: str) -> None:
        self.failure = reason
        self.state = DtlsState.FAILED


def _context(certificate: Certificate) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_TICKET | SSL.OP_NO_QUERY_MTU)
    # Version 1.3 has other record headers, which `_datagrams` cannot cut.
    context.set_max_proto_version(_DTLS_1_2)
    # The fingerprint in the SDP is the trust anchor, so any certificate passes here.
    context.set_verify(
        SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_arguments: True
    )
    context.use_certificate(certificate.certificate)
    context.use_privatekey(certificate.key)
    context.set_cipher_list(_CIPHERS)
    context.set_tlsext_use_srtp(b":".join(profile.name for profile in _PROFILES))
    return context


def _datagrams(stream: bytes) -> list[bytes]:
    """Cut OpenSSL's byte stream at record boundaries into datagrams of a safe size."""
    found: list[bytes] = []
    current = b""
    at = 0
    while at + _RECORD_HEADER_BYTES <= len(stream):
        body_bytes = int.from_bytes(stream[at + 11 : at + 13])
        record = stream[at : at + _RECORD_HEADER_BYTES + body_bytes]
        if current and len(current) + len(record) > _DATAGRAM_BYTES_MAX:
            found.append(current)
            current = b""
        current += record
        at += len(record)
    if current:
        found.append(current)
    return found
