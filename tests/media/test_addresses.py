"""Which addresses media may go to."""

import ipaddress

import pytest

from media.addresses import LocalAddresses, host_addresses
from media.settings import NetworkSettings

PUBLIC = LocalAddresses(bound=("203.0.113.5", "2001:db8::5"), public=()).policy()
LOOPBACK = LocalAddresses(bound=("127.0.0.1",), public=()).policy()


@pytest.mark.parametrize("address", ["198.51.100.1", "10.1.2.3", "2001:db8::9", "fd00::1"])
def test_ordinary_addresses_are_allowed(address: str) -> None:
    assert PUBLIC.allows(address)


@pytest.mark.parametrize(
    "address",
    [
        "224.0.0.251",
        "239.1.2.3",
        "ff02::1",
        "0.0.0.0",
        "::",
        "255.255.255.255",
        "240.0.0.1",
        "127.0.0.1",
        "::1",
        "169.254.169.254",
        "fe80::1",
        "::ffff:198.51.100.1",
        "example.com",
        "",
    ],
)
def test_forbidden_classes_and_names_are_refused(address: str) -> None:
    assert not PUBLIC.allows(address)


def test_loopback_is_allowed_only_to_who_binds_it() -> None:
    assert LOOPBACK.allows("127.0.0.1")
    assert not LOOPBACK.allows("::1")


def test_an_unspecified_bind_address_means_all_of_that_family() -> None:
    host = ("203.0.113.5", "2001:db8::5", "10.0.0.5")
    settings = NetworkSettings(bind_addresses=("0.0.0.0",))
    assert LocalAddresses.from_settings(settings, host).bound == ("203.0.113.5", "10.0.0.5")


def test_without_a_bind_address_all_of_the_host_are_bound() -> None:
    host = ("203.0.113.5", "2001:db8::5")
    assert LocalAddresses.from_settings(NetworkSettings(), host).bound == host


def test_nothing_to_bind_is_an_error() -> None:
    settings = NetworkSettings(bind_addresses=("::",))
    with pytest.raises(ValueError, match="--bind"):
        LocalAddresses.from_settings(settings, ("203.0.113.5",))


def test_the_hosts_own_addresses_are_neither_loopback_nor_link_local() -> None:
    for text in host_addresses():
        address = ipaddress.ip_address(text)
        assert not address.is_loopback
        assert not address.is_link_local
