"""DTLS for one leg, without I/O: datagrams go in, datagrams and SRTP keys come out."""

import binascii
import contextlib
import datetime
import os
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from OpenSSL import SSL

from media.srtp import PROFILES, SrtpKeys

Role = Literal["client", "server"]

DATAGRAM_BYTES_MAX: Final = 1200
"""Below every path MTU in use, so that no handshake message is ever fragmented by IP."""
PLAINTEXT_BYTES_MAX: Final = 1500
RECORD_HEADER_BYTES: Final = 13
LIFETIME: Final = datetime.timedelta(days=30)
CIPHERS: Final = b":".join(
    (
        b"ECDHE-ECDSA-AES128-GCM-SHA256",
        b"ECDHE-ECDSA-CHACHA20-POLY1305",
        b"ECDHE-ECDSA-AES256-GCM-SHA384",
        # Our own certificate is always EC; a peer that is the server may have RSA.
        b"ECDHE-RSA-AES128-GCM-SHA256",
        b"ECDHE-RSA-CHACHA20-POLY1305",
    )
)


@dataclass(frozen=True, slots=True)
class Certificate:
    """A self-signed EC certificate: small enough for one datagram, as Meta recommends."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate
    fingerprint: str
    """SHA-256 as it stands in SDP: upper-case hex pairs joined by colons (RFC 8122)."""


def make_certificate() -> Certificate:
    """Create the certificate of one leg."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name(
        [x509.NameAttribute(x509.NameOID.COMMON_NAME, binascii.hexlify(os.urandom(8)).decode())]
    )
    now = datetime.datetime.now(tz=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + LIFETIME)
        .sign(key, hashes.SHA256())
    )
    return Certificate(key, certificate, fingerprint_of(certificate))


def fingerprint_of(certificate: x509.Certificate) -> str:
    """The SHA-256 fingerprint in SDP's notation."""
    return certificate.fingerprint(hashes.SHA256()).hex(":").upper()


class DtlsState(Enum):
    """Life of an endpoint; it only moves forward."""

    HANDSHAKING = auto()
    ESTABLISHED = auto()
    FAILED = auto()
    """Handshake refused by either side, or the certificate is not the announced one."""
    CLOSED = auto()
    """The peer said close_notify."""


class DtlsEndpoint:
    """One side of a DTLS association.

    After each call that takes something in, the caller sends `datagrams_to_send()`, and calls
    `handle_timeout()` when `timeout_s()` has passed without a datagram.
    """

    def __init__(self, certificate: Certificate, role: Role, remote_fingerprint: str) -> None:
        self.role: Role = role
        self.state = DtlsState.HANDSHAKING
        self._remote_fingerprint = remote_fingerprint.upper()
        self._ssl = SSL.Connection(_context(certificate), None)
        self._ssl.set_ciphertext_mtu(DATAGRAM_BYTES_MAX)
        if role == "server":
            self._ssl.set_accept_state()
        else:
            self._ssl.set_connect_state()

    def start(self) -> None:
        """Begin: the client's first flight becomes ready to send."""
        self._advance()

    def receive(self, datagram: bytes) -> list[bytes]:
        """Take one datagram of the peer; returns the application messages in it."""
        if self.state in {DtlsState.FAILED, DtlsState.CLOSED}:
            return []
        self._ssl.bio_write(datagram)
        if self.state is DtlsState.HANDSHAKING:
            self._advance()
        return self._read() if self.state is DtlsState.ESTABLISHED else []

    def send(self, message: bytes) -> None:
        """Encrypt an application message; dropped unless established."""
        if self.state is DtlsState.ESTABLISHED:
            try:
                self._ssl.send(message)
            except SSL.Error:
                self.state = DtlsState.CLOSED

    def close(self) -> None:
        """Make a close_notify ready to send."""
        if self.state is DtlsState.ESTABLISHED:
            # If the association is gone already, there is nothing left to say.
            with contextlib.suppress(SSL.Error):
                self._ssl.shutdown()
            self.state = DtlsState.CLOSED

    def timeout_s(self) -> float | None:
        """Seconds until `handle_timeout` is due; None when nothing waits for the peer."""
        timeout: float | None = self._ssl.DTLSv1_get_timeout()
        return timeout

    def handle_timeout(self) -> None:
        """Make the last flight ready to be sent again."""
        try:
            self._ssl.DTLSv1_handle_timeout()
        except SSL.Error:
            self.state = DtlsState.FAILED

    def datagrams_to_send(self) -> list[bytes]:
        """Everything that is ready, in datagrams that hold whole records."""
        pending = bytearray()
        while True:
            try:
                pending += self._ssl.bio_read(65536)
            except SSL.Error:
                break
        return _packed(bytes(pending))

    def srtp_keys(self) -> SrtpKeys | None:
        """Keys of RFC 5764 section 4.2; None if the peer agreed to no profile of ours."""
        name = self._ssl.get_selected_srtp_profile().decode()
        profile = next((known for known in PROFILES if known.name == name), None)
        if profile is None:
            return None
        key, salt = profile.key_bytes, profile.salt_bytes
        material = self._ssl.export_keying_material(b"EXTRACTOR-dtls_srtp", 2 * (key + salt))
        client = material[:key] + material[2 * key : 2 * key + salt]
        server = material[key : 2 * key] + material[2 * key + salt :]
        if self.role == "server":
            return SrtpKeys(profile, receive=client, send=server)
        return SrtpKeys(profile, receive=server, send=client)

    def _advance(self) -> None:
        try:
            self._ssl.do_handshake()
        except SSL.WantReadError:
            return
        except SSL.Error:
            self.state = DtlsState.FAILED
            return
        certificate = self._ssl.get_peer_certificate(as_cryptography=True)
        if certificate is None or fingerprint_of(certificate) != self._remote_fingerprint:
            self.state = DtlsState.FAILED
        else:
            self.state = DtlsState.ESTABLISHED

    def _read(self) -> list[bytes]:
        messages = []
        while True:
            try:
                messages.append(self._ssl.recv(PLAINTEXT_BYTES_MAX))
            except SSL.WantReadError:
                return messages
            except SSL.Error:
                # close_notify, or an association that OpenSSL has given up.
                self.state = DtlsState.CLOSED
                return messages


def _context(certificate: Certificate) -> SSL.Context:
    context = SSL.Context(SSL.DTLS_METHOD)
    context.set_options(SSL.OP_NO_TICKET)
    # Any certificate passes here; its fingerprint decides (RFC 8827 section 6.5).
    context.set_verify(
        SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, lambda *_arguments: True
    )
    context.use_certificate(certificate.certificate)
    context.use_privatekey(certificate.key)
    context.set_cipher_list(CIPHERS)
    context.set_tlsext_use_srtp(b":".join(profile.name.encode() for profile in PROFILES))
    return context


def _packed(stream: bytes) -> list[bytes]:
    """Split a stream of DTLS records into datagrams without cutting a record."""
    datagrams: list[bytes] = []
    current = b""
    while stream:
        length = RECORD_HEADER_BYTES + int.from_bytes(stream[11:13], "big")
        is_plain_header = stream[0] in range(20, 26) and len(stream) >= length
        record, stream = (
            (stream[:length], stream[length:]) if is_plain_header else (stream, b"")
        )
        if current and len(current) + len(record) > DATAGRAM_BYTES_MAX:
            datagrams.append(current)
            current = b""
        current += record
    return [*datagrams, current] if current else datagrams
