"""Who is really asking: scheme, host and address behind trusted proxies; the Origin rule."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from aiohttp import web

from gateway.http.problems import refuse

IpNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
FORWARDED_MAX = 32


@dataclass(frozen=True, slots=True)
class Peers:
    """Rules about the other end of a connection."""

    trusted_proxies: tuple[IpNetwork, ...] = ()
    """Whose `X-Forwarded-*` headers are believed; nobody's by default."""
    allowed_origins: frozenset[str] = frozenset()
    """Origins besides the request's own that may change state (scheme://host[:port])."""

    @classmethod
    def of(cls, *, proxies: Sequence[str] = (), origins: Sequence[str] = ()) -> "Peers":
        """Build from settings. Raises `ValueError` for what is no network or no origin."""
        for origin in origins:
            parts = urlsplit(origin)
            if (
                parts.scheme not in {"http", "https"}
                or origin != f"{parts.scheme}://{parts.netloc}"
            ):
                raise ValueError(f"{origin!r} is not an origin like https://calls.example.com")
        return cls(
            tuple(ipaddress.ip_network(proxy) for proxy in proxies),
            frozenset(origin.lower() for origin in origins),
        )

    def scheme(self, request: web.Request) -> str:
        """`https` if the browser came by it, to us or to a trusted proxy."""
        if self._is_proxied(request):
            told = _last(request, "X-Forwarded-Proto").lower()
            if told in {"http", "https"}:
                return told
        return "https" if _has_tls(request) else "http"

    def host(self, request: web.Request) -> str:
        """Return host and port as the browser wrote them."""
        forwarded = _last(request, "X-Forwarded-Host") if self._is_proxied(request) else ""
        return (forwarded or request.headers.get("Host", "")).lower()

    def origin(self, request: web.Request) -> str:
        """Return the request's own origin."""
        return f"{self.scheme(request)}://{self.host(request)}"

    def address(self, request: web.Request) -> str:
        """Return the client's address: the nearest one that no trusted proxy stands for."""
        nearest = request.remote or ""
        if not self._is_trusted(nearest):
            return nearest
        chain = ",".join(request.headers.getall("X-Forwarded-For", [])).split(",")
        for hop in reversed(chain[-FORWARDED_MAX:]):
            address = hop.strip()
            if not _is_address(address):
                return nearest
            nearest = address
            if not self._is_trusted(address):
                return address
        return nearest

    def is_loopback_host(self, request: web.Request) -> bool:
        """Whether the browser asked for this very machine (a secure context without TLS)."""
        try:
            name = urlsplit(f"//{self.host(request)}").hostname or ""
        except ValueError:
            return False
        if name == "localhost" or name.endswith(".localhost"):
            return True
        return _is_address(name) and ipaddress.ip_address(name).is_loopback

    def check_origin(self, request: web.Request) -> None:
        """Refuse what another site's page sends (RFC 6454). Raises `Refusal`."""
        told = request.headers.getall("Origin", [])
        if len(told) == 1:
            origin = told[0].lower()
            if origin == self.origin(request) or origin in self.allowed_origins:
                return
        raise refuse(403, "foreign_origin", "This request did not come from our own page.")

    def _is_proxied(self, request: web.Request) -> bool:
        return self._is_trusted(request.remote or "")

    def _is_trusted(self, address: str) -> bool:
        if not self.trusted_proxies or not _is_address(address):
            return False
        parsed = ipaddress.ip_address(address)
        if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped:
            parsed = parsed.ipv4_mapped
        return any(parsed in network for network in self.trusted_proxies)


def _last(request: web.Request, name: str) -> str:
    """Return the value that the nearest proxy wrote."""
    values = request.headers.getall(name, [])
    return values[-1].rpartition(",")[2].strip() if values else ""


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _has_tls(request: web.Request) -> bool:
    return request.transport is not None and (
        request.transport.get_extra_info("sslcontext") is not None
    )
