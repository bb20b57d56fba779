"""Which addresses the gateway may connect to when a stranger says where: public ones only."""

import socket
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

_NAT64 = IPv6Network("64:ff9b::/96")
_LOW_32 = 0xFFFFFFFF


class PrivateAddress(OSError):
    """A host name led to an address inside; no connection was made."""


def is_public(text: str) -> bool:
    """Whether an address is one of the internet at large, also behind its IPv6 disguises."""
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return False
    inner = _inner(address)
    return (
        address.is_global and not address.is_multicast and (inner is None or is_public(inner))
    )


def _inner(address: IPv4Address | IPv6Address) -> str | None:
    """Return the IPv4 address that an IPv6 address stands for."""
    if isinstance(address, IPv4Address):
        return None
    if address in _NAT64:
        return str(IPv4Address(int(address) & _LOW_32))
    teredo = None if address.teredo is None else address.teredo[1]
    found = address.ipv4_mapped or address.sixtofour or teredo
    return None if found is None else str(found)


def public_socket(info: tuple[Any, ...]) -> socket.socket:
    """Make the socket for a connection, or raise `PrivateAddress`: for aiohttp's connector.

    Called with the very address that will be connected to, after every look-up.
    """
    family, kind, protocol, _, address = info
    if not is_public(str(address[0])):
        raise PrivateAddress("the host leads to an address that is not public")
    return socket.socket(family, kind, protocol)
