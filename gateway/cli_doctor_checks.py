"""The doctor's looks at this machine: settings, disk, database, Redis, worker, ports."""

import asyncio
import errno
import shutil
import socket
import ssl
import stat
from datetime import UTC, datetime

from cryptography import x509
from redis.asyncio import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from gateway.adapters import sql_migrate
from gateway.adapters.valkey_binary import find_server
from gateway.cli_doctor_findings import Finding, fault, warning, well
from gateway.core.errors import BadInput, StoreDown
from gateway.foundation import Foundation
from gateway.settings import Settings

_DISK_FREE_LEAST = 1 << 30
_CERTIFICATE_DAYS_LEAST = 14
_PORTS_TRIED = 20
_ASK_MAX_S = 3.0


def check_settings(settings: Settings) -> list[Finding]:
    """What is needed to serve, and what browsers need."""
    findings = [
        fault(
            "settings",
            f"CALLGATE_{name.upper()} is not set",
            "take it from Meta's App Dashboard (app secret: Settings, Basic; the verify token "
            "is yours to choose)",
        )
        for name in settings.missing_to_serve()
    ]
    is_https = settings.tls_cert is not None or any(
        origin.startswith("https://") for origin in settings.public_origins
    )
    if not is_https:
        findings.append(
            warning(
                "https",
                "the softphone is not reachable over HTTPS",
                "browsers give a page the microphone only over HTTPS, or on this machine: set "
                "CALLGATE_TLS_CERT and _KEY, or put a proxy in front and set "
                "CALLGATE_PUBLIC_ORIGINS and CALLGATE_TRUSTED_PROXIES",
            )
        )
    if not settings.media_public_addresses:
        findings.append(
            warning(
                "media address",
                "CALLGATE_MEDIA_PUBLIC_ADDRESSES is not set",
                "set it to the address at which the internet reaches this machine, unless an "
                "interface of it has that address",
            )
        )
    return findings or [well("settings", "complete")]


def check_data_directory(settings: Settings) -> list[Finding]:
    """Writable, private, with room."""
    path = settings.data_path
    probe = path / ".doctor"
    try:
        probe.write_bytes(b"x")
        probe.unlink()
        mode = stat.S_IMODE(path.stat().st_mode)
        free = shutil.disk_usage(path).free
    except OSError as error:
        return [fault("data directory", f"{path}: {error.strerror}", "make it writable for us")]
    findings = []
    if mode & 0o077:
        findings.append(
            warning("data directory", "open to other users", f"run chmod 700 {path}")
        )
    if free < _DISK_FREE_LEAST:
        findings.append(
            fault("disk", f"{free >> 20} MiB free", "make room: 1 GiB is the least")
        )
    return findings or [well("data directory", f"{path}, {free >> 30} GiB free")]


async def check_database(stores: Foundation) -> list[Finding]:
    """Reachable, and of our version."""
    kind = "SQLite" if stores.database.is_sqlite else "PostgreSQL"
    began = asyncio.get_running_loop().time()
    try:
        revision = await sql_migrate.current(stores.database)
    except StoreDown as error:
        return [
            fault("database", f"{kind}: {error}", "start it, or check CALLGATE_DATABASE_URL")
        ]
    took_ms = (asyncio.get_running_loop().time() - began) * 1000
    if revision != sql_migrate.newest():
        return [
            warning(
                "database",
                f"{kind} at version {revision or '(empty)'}, needed {sql_migrate.newest()}",
                "run callgate db upgrade (callgate serve does so itself)",
            )
        ]
    return [well("database", f"{kind}, version {revision}, answers in {took_ms:.0f} ms")]


async def check_redis(settings: Settings) -> list[Finding]:
    """A server of the settings answers; or our own runs, or could."""
    if settings.redis_url is not None:
        if await _answers(settings.redis_url.get_secret_value()):
            return [well("redis", "answers")]
        return [
            fault(
                "redis",
                "does not answer",
                "start it, check CALLGATE_REDIS_URL, or unset that: the gateway then runs a "
                "server of its own",
            )
        ]
    own = settings.redis_directory / "valkey.sock"
    if own.exists() and await _answers(f"unix://{own}"):
        return [well("redis", "our own server runs")]
    try:
        program = await asyncio.to_thread(find_server)
    except BadInput as error:
        return [fault("redis", "no server program", str(error))]
    return [well("redis", f"callgate serve starts {program.name} itself")]


async def _answers(url: str) -> bool:
    client: Redis = Redis.from_url(
        url,
        socket_timeout=_ASK_MAX_S,
        socket_connect_timeout=_ASK_MAX_S,
        retry=Retry(NoBackoff(), 0),
    )
    try:
        await client.echo("callgate")
    except (RedisError, OSError, ValueError):
        return False
    else:
        return True
    finally:
        await client.aclose()


async def check_media_worker(settings: Settings) -> list[Finding]:
    """Whether a worker listens on its socket, if somebody else has to start it."""
    path = settings.media_socket
    missing = (
        well("media worker", "not running; callgate serve starts one")
        if settings.media_start_worker
        else fault("media worker", "not running", "start `callgate media`")
    )
    try:
        async with asyncio.timeout(_ASK_MAX_S):
            _, writer = await asyncio.open_unix_connection(path)
    except (OSError, TimeoutError):
        return [missing]
    writer.close()
    return [well("media worker", "runs")]


def check_ports(settings: Settings) -> list[Finding]:
    """Whether we may listen where the settings say."""
    findings = [_check_http_port(settings)]
    low, high = settings.media_ports
    if low:
        findings.append(_check_media_ports(low, high))
    return findings


def _check_http_port(settings: Settings) -> Finding:
    what = f"port {settings.http_port}"
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            settings.http_host, settings.http_port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return warning(
                what,
                "in use",
                "fine if that is this gateway; else stop the other or set CALLGATE_HTTP_PORT",
            )
        return fault(
            what,
            f"cannot be listened on: {error.strerror}",
            "check CALLGATE_HTTP_HOST and _PORT; ports below 1024 need a privilege",
        )
    return well(what, "free")


def _check_media_ports(low: int, high: int) -> Finding:
    what = f"ports {low}-{high}"
    taken = 0
    tried = range(low, min(high, low + _PORTS_TRIED - 1) + 1)
    for port in tried:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(("0.0.0.0", port))  # noqa: S104 (only to see whether it is free)
            except OSError:
                taken += 1
    if taken == len(tried):
        return warning(what, "the first are all taken", "fine in calls; else choose others")
    return well(what, "free; see that the firewall lets UDP through")


def check_certificate(settings: Settings) -> list[Finding]:
    """Whether the certificate can be used, and for how long."""
    if settings.tls_cert is None or settings.tls_key is None:
        return []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(settings.tls_cert, settings.tls_key, password=_no_password)
        until = _not_after(settings)
    except (OSError, ssl.SSLError, ValueError) as error:
        return [
            fault(
                "certificate",
                f"cannot be used ({type(error).__name__})",
                "CALLGATE_TLS_CERT must name a PEM chain, CALLGATE_TLS_KEY its key",
            )
        ]
    days = (until - datetime.now(UTC)).days
    if days < _CERTIFICATE_DAYS_LEAST:
        return [fault("certificate", f"expires in {days} days", "renew it")]
    return [well("certificate", f"valid for {days} days")]


def _no_password() -> str:
    # Asked for an encrypted key; without this the terminal would be asked, and wait.
    raise ValueError("the key is encrypted")


def _not_after(settings: Settings) -> datetime:
    assert settings.tls_cert is not None
    certificate = x509.load_pem_x509_certificate(settings.tls_cert.read_bytes())
    return certificate.not_valid_after_utc
