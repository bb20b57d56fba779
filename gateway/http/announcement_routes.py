"""The account's own announcement: uploaded, played, removed."""

from aiohttp import web

from gateway.core.errors import NotFound
from gateway.http.bodies import read_capped
from gateway.http.problems import refuse
from gateway.http.routing import Ask, Route, RouteTable
from gateway.http.settings_schemas import AnnouncementView, announcement_view
from gateway.http.shapes import Nothing
from gateway.ports.announcements import BadSound, MakerDown

PATH = "/settings/calls/announcement"
UPLOAD_TIMEOUT_S = 60.0
"""A few megabytes over a slow line."""

routes = RouteTable()


@routes.serve(
    Route(
        "PUT",
        PATH,
        "settings.announcement_change",
        takes="application/octet-stream",
        out=AnnouncementView,
    )
)
async def change_announcement(ask: Ask[Nothing, Nothing]) -> AnnouncementView:
    """Let calls from now on hear this sound file before the gateway records them."""
    limits = ask.deps.limits
    upload = await read_capped(
        ask.request, limits.announcement_bytes_max, timeout_s=UPLOAD_TIMEOUT_S
    )
    try:
        made = await ask.deps.announcement_maker.make(upload)
    except BadSound as bad:
        raise refuse(422, f"announcement_{bad.code}", str(bad)) from None
    except MakerDown:
        detail = "The file could not be worked on now; try again in a moment."
        raise refuse(503, "announcement_not_made", detail) from None
    stored = await ask.deps.announcements.replace(
        ask.person.account_id,
        made,
        actor=ask.person.user_id,
        now=ask.deps.clock.wall(),
    )
    return announcement_view(stored)


@routes.serve(
    Route("GET", PATH, "settings.announcement_play", content="audio/ogg", refusals=(404,))
)
async def play_announcement(ask: Ask[Nothing, Nothing]) -> web.Response:
    """Send the announcement as both sides of a call hear it."""
    account_id, store = ask.person.account_id, ask.deps.announcements
    stored = await store.current(account_id)
    if stored is None:
        raise NotFound
    sound = await store.sound(account_id, stored.own.announcement_id)
    headers = {"Cache-Control": "private, no-store"}
    return web.Response(body=sound, content_type="audio/ogg", headers=headers)


@routes.serve(
    Route("DELETE", PATH, "settings.announcement_remove", status=204, refusals=(409,))
)
async def remove_announcement(ask: Ask[Nothing, Nothing]) -> None:
    """Take the announcement away; having none is fine."""
    await ask.deps.announcements.remove(
        ask.person.account_id, actor=ask.person.user_id, now=ask.deps.clock.wall()
    )
