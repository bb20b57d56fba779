"""Who asks, and whether the policy lets them: the browser's cookie, or a program's token.

A token in `Authorization` is nothing that another site's page could make a browser send, so
the Origin rule is for cookies alone.
"""

from aiohttp import web

from gateway.http import policy
from gateway.http.cookies import check_is_protected, token_of
from gateway.http.deps import DEPS, RATES
from gateway.http.problems import Problem, Refusal, refuse, retry_after
from gateway.http.routing import Caller
from gateway.ports.sessions import SignedIn
from gateway.ports.tokens import TokenCaller

SECRET_CHARS_MAX = 128
NOT_YOURS = "Your role may not do this."


async def admit(request: web.Request, row: str, *, changes_state: bool) -> Caller | None:
    """Return who asks, or None where the policy lets everybody in.

    Raises `Refusal`: 401 without a live session or token, 403 if the role or the token's
    scopes do not suffice or another site's page sends it, 429 for a token that asks too often.
    """
    if policy.allows(row, None):
        if changes_state:
            request.app[DEPS].peers.check_origin(request)
        return None
    if "Authorization" in request.headers:
        return await _admit_token(request, row)
    if changes_state:
        request.app[DEPS].peers.check_origin(request)
    return await _admit_session(request, row)


async def _admit_session(request: web.Request, row: str) -> SignedIn:
    deps = request.app[DEPS]
    token = token_of(request, deps.peers)
    now = deps.clock.wall()
    signed_in = await deps.sessions.look_up(token, now=now) if token else None
    if token is None or signed_in is None:
        raise refuse(401, "not_signed_in", "Sign in first.")
    if not policy.allows(row, signed_in.person.role):
        raise refuse(403, "forbidden", NOT_YOURS)
    await deps.sessions.touch(token, now=now)
    return signed_in


async def _admit_token(request: web.Request, row: str) -> TokenCaller:
    deps = request.app[DEPS]
    check_is_protected(request, deps.peers, "Send tokens over https")
    secret = _secret_of(request)
    now = deps.clock.wall()
    caller = await deps.tokens.look_up(secret, now=now) if secret else None
    if caller is None:
        detail = "This token is unknown, expired or revoked."
        headers = {"WWW-Authenticate": "Bearer"}
        raise Refusal(Problem(401, "bad_token", detail, headers=headers))
    wait_s = request.app[RATES].take(caller.token.token_id, deps.clock.monotonic())
    if wait_s > 0:
        detail = "This token asks too often; wait a while."
        raise Refusal(Problem(429, "rate_limited", detail, headers=retry_after(wait_s)))
    if not policy.opens(row, caller.token, caller.person.role):
        raise refuse(403, "forbidden", "This token's scopes do not open this.")
    await deps.tokens.note_use(caller.token, now=now)
    return caller


def _secret_of(request: web.Request) -> str | None:
    told = request.headers.getall("Authorization")
    kind, _, secret = told[0].strip().partition(" ")
    secret = secret.strip()
    if len(told) != 1 or kind.lower() != "bearer" or len(secret) > SECRET_CHARS_MAX:
        return None
    return secret or None
