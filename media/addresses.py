"""Which addresses media may be sent to, and which of ours are offered."""

import ipaddress
from dataclasses import dataclass
from functools import lru_cache

import ifaddr

from media.settings import NetworkSettings

IpAddress = ipaddress.IPv4Address | ipaddress.IPv6Address


def host_addresses() -> tuple[str, ...]:
    """The addresses of this host except loopback and link-local ones."""
    found = []
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            text = entry.ip if isinstance(entry.ip, str) else entry.ip[0]
            address = ipaddress.ip_address(text)
            if not (address.is_loopback or address.is_link_local or address.is_unspecified):
                found.append(str(address))
    return tuple(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """Decides by address class where a packet may go; no name is ever resolved."""

    versions: frozenset[int]
    loopback: bool
    """Loopback peers are let in only when we bind loopback ourselves."""
    link_local: bool

    def allows(self, text: str) -> bool:
        """Whether packets may be sent to the literal address `text`."""
        return _allows(self, text)


@lru_cache(maxsize=4096)
def _allows(policy: AddressPolicy, text: str) -> bool:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return False
    if address.version not in policy.versions:
        return False
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return False
    if address.is_loopback:
        return policy.loopback
    if address.is_link_local:
        return policy.link_local
    # 240.0.0.0/4 holds the broadcast address; reserved IPv6 space is not routed either.
    return not (address.is_multicast or address.is_unspecified or address.is_reserved)


@dataclass(frozen=True, slots=True)
class LocalAddresses:
    """The addresses we bind and the ones we publish."""

    bound: tuple[str, ...]
    public: tuple[str, ...]

    @classmethod
    def from_settings(cls, network: NetworkSettings, host: tuple[str, ...]) -> "LocalAddresses":
        """Resolve what is configured with `host`, the addresses of this machine.

        Raises `ValueError` if nothing is left to bind.
        """
        wanted = network.bind_addresses or host
        bound: list[str] = []
        for text in wanted:
            address = ipaddress.ip_address(text)
            if address.is_unspecified:
                version = address.version
                bound += [
                    found for found in host if ipaddress.ip_address(found).version == version
                ]
            else:
                bound.append(str(address))
        if not bound:
            raise ValueError("no address to bind media sockets to; name one with --bind")
        return cls(tuple(dict.fromkeys(bound)), network.public_addresses)

    def policy(self) -> AddressPolicy:
        """The peers that can sensibly be reached from the bound addresses."""
        addresses = [ipaddress.ip_address(text) for text in self.bound]
        return AddressPolicy(
            versions=frozenset(address.version for address in addresses),
            loopback=any(address.is_loopback for address in addresses),
            link_local=any(address.is_link_local for address in addresses),
        )
