"""STUN binding requests and answers on the wire (RFC 8489), as far as ICE needs them."""

import binascii
import hashlib
import hmac
import ipaddress
import struct
from dataclasses import dataclass

Address = tuple[str, int]

_COOKIE = 0x2112A442
_HEADER_BYTES = 20
_BINDING_REQUEST = 0x0001
_BINDING_SUCCESS = 0x0101
_BINDING_ERROR = 0x0111
_FINGERPRINT_XOR = 0x5354554E

_USERNAME = 0x0006
_MESSAGE_INTEGRITY = 0x0008
_ERROR_CODE = 0x0009
_XOR_MAPPED_ADDRESS = 0x0020
_PRIORITY = 0x0024
_USE_CANDIDATE = 0x0025
_FINGERPRINT = 0x8028
_ICE_CONTROLLED = 0x8029
_ICE_CONTROLLING = 0x802A

_FIRST_BYTE_MAX = 3
_SIGNATURE_BYTES = 20
_INTEGRITY_BYTES = 24
_FINGERPRINT_BYTES = 8


class BadStun(ValueError):
    """The datagram is no well-formed STUN binding request."""


@dataclass(frozen=True, slots=True)
class BindingRequest:
    """A connectivity check as it arrived; nothing in it is trusted before `is_signed_with`."""

    transaction_id: bytes
    username: str
    is_nominating: bool
    is_controlled: bool
    signed_part: bytes
    signature: bytes

    def is_signed_with(self, password: str) -> bool:
        """Tell whether MESSAGE-INTEGRITY was made with `password` (RFC 8489 section 14.5)."""
        return hmac.compare_digest(self.signature, _integrity(self.signed_part, password))


def is_stun(datagram: bytes) -> bool:
    """Tell STUN from DTLS and RTP by the first byte (RFC 7983 section 7)."""
    return len(datagram) >= _HEADER_BYTES and datagram[0] <= _FIRST_BYTE_MAX


def parse_binding_request(datagram: bytes) -> BindingRequest:
    """Read an ICE check; raise `BadStun` for all that is not one with all its parts."""
    if len(datagram) < _HEADER_BYTES:
        raise BadStun("shorter than a header")
    kind, length, cookie, transaction_id = struct.unpack("!HHI12s", datagram[:_HEADER_BYTES])
    if cookie != _COOKIE or length != len(datagram) - _HEADER_BYTES or length % 4:
        raise BadStun("bad header")
    if kind != _BINDING_REQUEST:
        raise BadStun("not a binding request")
    attributes = _attributes(datagram)
    if attributes.keys() & {_ICE_CONTROLLED, _ICE_CONTROLLING} == set():
        raise BadStun("no ICE role")
    for required in (_USERNAME, _MESSAGE_INTEGRITY, _FINGERPRINT):
        if required not in attributes:
            raise BadStun("an attribute is missing")
    integrity_at, signature = attributes[_MESSAGE_INTEGRITY]
    fingerprint_at, fingerprint = attributes[_FINGERPRINT]
    if (
        fingerprint != _fingerprint(datagram[:fingerprint_at])
        or len(signature) != _SIGNATURE_BYTES
    ):
        raise BadStun("bad fingerprint")
    try:
        username = attributes[_USERNAME][1].decode()
    except UnicodeDecodeError as error:
        raise BadStun("user name is not UTF-8") from error
    return BindingRequest(
        transaction_id=transaction_id,
        username=username,
        is_nominating=_USE_CANDIDATE in attributes,
        is_controlled=_ICE_CONTROLLED in attributes,
        signed_part=datagram[:integrity_at],
        signature=signature,
    )


def encode_success(transaction_id: bytes, source: Address, password: str) -> bytes:
    """Build the success answer that tells the peer its address, signed with `password`."""
    host = ipaddress.ip_address(source[0])
    pad = struct.pack("!I", _COOKIE) + transaction_id
    xored = bytes(a ^ b for a, b in zip(host.packed, pad, strict=False))
    family = 1 if host.version == 4 else 2  # noqa: PLR2004  (the Internet protocol's number)
    mapped = struct.pack("!BBH", 0, family, source[1] ^ (_COOKIE >> 16)) + xored
    return _encode(_BINDING_SUCCESS, transaction_id, _XOR_MAPPED_ADDRESS, mapped, password)


def encode_role_conflict(transaction_id: bytes, password: str) -> bytes:
    """Build the 487 answer for a peer that claims our role (RFC 8445 section 7.3.1.1)."""
    value = struct.pack("!HBB", 0, 4, 87) + b"Role Conflict"
    return _encode(_BINDING_ERROR, transaction_id, _ERROR_CODE, value, password)


def _attributes(datagram: bytes) -> dict[int, tuple[int, bytes]]:
    """Map each attribute type to where it starts and what it holds; the first one counts."""
    found: dict[int, tuple[int, bytes]] = {}
    at = _HEADER_BYTES
    while at < len(datagram):
        kind, length = struct.unpack("!HH", datagram[at : at + 4])
        value = datagram[at + 4 : at + 4 + length]
        if len(value) != length:
            raise BadStun("an attribute is cut off")
        # What follows MESSAGE-INTEGRITY is not signed, but for FINGERPRINT.
        if _MESSAGE_INTEGRITY not in found or kind == _FINGERPRINT:
            found.setdefault(kind, (at, value))
        at += 4 + length + (-length % 4)
    return found


def _encode(
    kind: int, transaction_id: bytes, attribute: int, value: bytes, password: str
) -> bytes:
    padded = value + bytes(-len(value) % 4)
    body = struct.pack("!HH", attribute, len(value)) + padded
    message = struct.pack("!HHI12s", kind, len(body), _COOKIE, transaction_id) + body
    message += struct.pack("!HH", _MESSAGE_INTEGRITY, 20) + _integrity(message, password)
    return (
        _with_length(message, _FINGERPRINT_BYTES)
        + struct.pack("!HH", _FINGERPRINT, 4)
        + _fingerprint(message)
    )


def _with_length(message: bytes, more_bytes: int) -> bytes:
    length = len(message) - _HEADER_BYTES + more_bytes
    return message[:2] + struct.pack("!H", length) + message[4:]


def _integrity(message: bytes, password: str) -> bytes:
    signed = _with_length(message, _INTEGRITY_BYTES)
    return hmac.new(password.encode(), signed, hashlib.sha1).digest()


def _fingerprint(message: bytes) -> bytes:
    checked = _with_length(message, _FINGERPRINT_BYTES)
    return struct.pack("!I", binascii.crc32(checked) ^ _FINGERPRINT_XOR)
