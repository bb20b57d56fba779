"""From a typed route to an aiohttp handler: origin, session, policy, shapes, then the work."""

import time
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from gateway.core.errors import CallgateError
from gateway.http import policy
from gateway.http.bodies import parse_query, read_body
from gateway.http.callers import admit
from gateway.http.deps import DEPS, TASKS
from gateway.http.problems import (
    Problem,
    Refusal,
    internal,
    problem_of_error,
    problem_of_status,
)
from gateway.http.routing import (
    API_PREFIX,
    PATH_PATTERNS,
    Ask,
    Handler,
    Route,
    RouteTable,
)

AiohttpHandler = Callable[[web.Request], Awaitable[web.StreamResponse]]


def mount(app: web.Application, tables: Sequence[RouteTable]) -> None:
    """Add typed routes to an application; each must have its row in the policy table."""
    policy.check([route.name for table in tables for route, _ in table.served])
    for table in tables:
        for route, handler in table.served:
            path = API_PREFIX + aiohttp_path(route.path)
            for method in (route.method, "HEAD") if route.answers_head else (route.method,):
                app.router.add_route(method, path, as_aiohttp(route, handler))


def aiohttp_path(path: str) -> str:
    """Let ids of our shape through and nothing else: any other thing is not found."""
    for name, pattern in PATH_PATTERNS.items():
        path = path.replace(f"{{{name}}}", f"{{{name}:{pattern}}}")
    return path


def as_aiohttp(route: Route, handler: Handler) -> AiohttpHandler:
    """Wrap a typed handler."""

    async def serve(request: web.Request) -> web.StreamResponse:
        deps = request.app[DEPS]
        signed_in = await admit(request, route.name, changes_state=route.changes_state)
        query = parse_query(request.query, route.query)
        body = (
            await read_body(request, route.body, deps.limits.body_bytes_max)
            if route.takes is None
            else route.body()
        )
        out = await handler(Ask(request, signed_in, body, query))
        if isinstance(out, web.StreamResponse):
            return out
        if out is None:
            return web.Response(status=route.status)
        text = out.model_dump_json(exclude_unset=True)
        return web.Response(status=route.status, text=text, content_type="application/json")

    return serve


@web.middleware
async def answer_with_problems(
    request: web.Request, handler: AiohttpHandler
) -> web.StreamResponse:
    """Turn every refusal into problem+json, and count every answer."""
    started = time.perf_counter()
    try:
        response = await handler(request)
    except Refusal as refusal:
        response = refusal.problem.as_response()
    except CallgateError as error:
        response = problem_of_error(error).as_response()
    except web.HTTPException as error:
        response = problem_of_status(error).as_response()
    except (web.RequestPayloadError, ConnectionResetError):
        response = Problem(400, "bad_value", "The body broke off.").as_response()
    except Exception as error:  # noqa: BLE001 - the edge: reported, and answered with 500
        request.app[TASKS].report(f"request {_route_of(request)}", error)
        response = internal().as_response()
    metrics = request.app[DEPS].metrics
    route = _route_of(request)
    metrics.requests.labels(route, str(response.status)).inc()
    metrics.request_s.labels(route).observe(time.perf_counter() - started)
    return response


def _route_of(request: web.Request) -> str:
    """The route's pattern: a bounded set of names, without anybody's ids."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else "none"
