"""Shapes of single settings: lists in one line, port ranges, networks, origins."""

import ipaddress
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, SecretStr
from pydantic_settings import NoDecode

from gateway.ports import Json

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

PORT_LEAST = 1024
PORT_MOST = 65535


class IceServer(BaseModel):
    """A STUN or TURN server for browsers, as RTCIceServer names its fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    urls: tuple[str, ...]
    username: str | None = None
    credential: SecretStr | None = None

    def for_browsers(self) -> dict[str, Json]:
        """Return it as RTCPeerConnection takes it, the credential included."""
        shown: dict[str, Json] = {"urls": list(self.urls)}
        if self.username is not None:
            shown["username"] = self.username
        if self.credential is not None:
            shown["credential"] = self.credential.get_secret_value()
        return shown


def _split(value: object) -> object:
    """Take `a, b` from the environment as well as a list from TOML."""
    if isinstance(value, str):
        return tuple(part for part in (each.strip() for each in value.split(",")) if part)
    return value


def _network(text: str) -> str:
    return str(ipaddress.ip_network(text, strict=False))


def _address(text: str) -> str:
    return str(ipaddress.ip_address(text))


def _origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("an origin reads https://host or https://host:port")
    if parts.path.strip("/") or parts.query or parts.fragment or parts.username:
        raise ValueError("an origin has no path, query or user")
    port = "" if parts.port is None else f":{parts.port}"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return f"{parts.scheme}://{host}{port}"


def _base_url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query:
        raise ValueError("a base URL reads https://host or https://host/path")
    return text.rstrip("/")


def _host(text: str) -> str:
    if "/" in text or ":" in text or not text.strip("."):
        raise ValueError("a host name, without scheme, port or path")
    return text.lower().rstrip(".")


def _port_range(text: str) -> str:
    if not text:
        return text
    low, dash, high = (part.strip() for part in text.partition("-"))
    if not (dash and low.isascii() and low.isdecimal() and high.isascii() and high.isdecimal()):
        raise ValueError("a port range reads LOW-HIGH, for example 40000-40999")
    if not PORT_LEAST <= int(low) <= int(high) <= PORT_MOST:
        raise ValueError(f"ports lie between {PORT_LEAST} and {PORT_MOST}, LOW before HIGH")
    return f"{int(low)}-{int(high)}"


Networks = Annotated[
    tuple[Annotated[str, AfterValidator(_network)], ...], NoDecode, BeforeValidator(_split)
]
Addresses = Annotated[
    tuple[Annotated[str, AfterValidator(_address)], ...], NoDecode, BeforeValidator(_split)
]
Origins = Annotated[
    tuple[Annotated[str, AfterValidator(_origin)], ...], NoDecode, BeforeValidator(_split)
]
Hosts = Annotated[
    tuple[Annotated[str, AfterValidator(_host)], ...], NoDecode, BeforeValidator(_split)
]
BaseUrl = Annotated[str, AfterValidator(_base_url)]
PortRange = Annotated[str, AfterValidator(_port_range)]
