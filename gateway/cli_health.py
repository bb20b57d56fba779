"""`callgate health`: is the gateway on this machine alive? Light, for it is asked often."""

import http.client
import ssl
import sys

from gateway.settings import Settings, load

_ANSWER_MAX_S = 4.0
_ANYWHERE = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (compared, not bound)


def health() -> None:
    """Exit with 0 if the gateway on this machine says it is alive (for health checks)."""
    if not is_alive(load()):
        sys.stderr.write("callgate: not alive\n")
        raise SystemExit(1)


def is_alive(settings: Settings) -> bool:
    """Ask `/healthz` where the settings say it is."""
    host = _ANYWHERE.get(settings.http_host, settings.http_host)
    asked: http.client.HTTPConnection
    if settings.tls_cert is None:
        asked = http.client.HTTPConnection(host, settings.http_port, timeout=_ANSWER_MAX_S)
    else:
        # Our own certificate on our own machine: its name is the public one.
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        asked = http.client.HTTPSConnection(
            host, settings.http_port, timeout=_ANSWER_MAX_S, context=context
        )
    try:
        asked.request("GET", "/healthz")
        return asked.getresponse().status == http.client.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        asked.close()
