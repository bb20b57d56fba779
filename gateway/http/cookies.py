"""The session cookie: `__Host-` wherever the browser came by https.

Plain http is for the same machine alone: browsers keep a loopback host's cookie to it, and a
password sent in clear over a network is refused before it is looked at.
"""

from aiohttp import web

from gateway.http.peers import Peers
from gateway.http.problems import refuse

SECURE_NAME = "__Host-callgate"
LOOPBACK_NAME = "callgate"
TOKEN_CHARS_MAX = 128


def token_of(request: web.Request, peers: Peers) -> str | None:
    """Return the session token that the browser sent, if it looks like one."""
    token = request.cookies.get(_name(request, peers))
    return token if token and len(token) <= TOKEN_CHARS_MAX else None


def keep_token(
    request: web.Request, response: web.StreamResponse, peers: Peers, token: str
) -> None:
    """Hand the browser its token; it lasts until the browser closes or the session ends."""
    response.set_cookie(
        _name(request, peers),
        token,
        path="/",
        httponly=True,
        secure=peers.scheme(request) == "https",
        samesite="Strict",
    )


def drop_token(request: web.Request, response: web.StreamResponse, peers: Peers) -> None:
    """Take the token from the browser."""
    response.del_cookie(
        _name(request, peers),
        path="/",
        httponly=True,
        secure=peers.scheme(request) == "https",
        samesite="Strict",
    )


def check_is_protected(request: web.Request, peers: Peers, what: str) -> None:
    """Refuse a secret over an unprotected network; `what` says what to do instead.

    Raises `Refusal`.
    """
    if peers.scheme(request) != "https" and not peers.is_loopback_host(request):
        raise refuse(403, "insecure_origin", f"{what}: this connection is not protected.")


def _name(request: web.Request, peers: Peers) -> str:
    return SECURE_NAME if peers.scheme(request) == "https" else LOOPBACK_NAME
