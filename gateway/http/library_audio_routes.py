"""The sound of recordings: played in ranges, downloaded one by one, converted, or packed."""

from contextlib import aclosing

from aiohttp import web

from gateway.core.errors import StoreDown
from gateway.core.recording.file_names import file_stem
from gateway.http.archives import send_archive
from gateway.http.byte_ranges import NotSatisfiable, Part, wanted_part
from gateway.http.library_faults import faults_told
from gateway.http.library_schemas import RecordingIds
from gateway.http.problems import Problem, Refusal
from gateway.http.routing import Ask, Header, Route, RouteTable
from gateway.http.shapes import Nothing
from gateway.http.streaming import attachment, headers_only, stream
from gateway.ports.audit import Deed
from gateway.ports.library import AudioKind, Shelved

OGG = "audio/ogg"
TYPES = {AudioKind.WAV: "audio/wav", AudioKind.MP3: "audio/mpeg"}
RANGE = Header("Range", "One range of bytes; several are answered with the whole.", "^.*$")
IF_RANGE = Header("If-Range", "The range counts only for this `ETag`.", "^.*$")

routes = RouteTable()


@routes.serve(
    Route(
        "GET",
        "/recordings/{call_id}/audio",
        "recordings.play",
        content=OGG,
        also=(206,),
        refusals=(416, 500),
        headers=(RANGE, IF_RANGE),
        answers_head=True,
    )
)
async def play(ask: Ask[Nothing, Nothing]) -> web.StreamResponse:
    """Play a recording: Ogg Opus, the agent on the left; any range of bytes."""
    row = await ask.deps.library.available(ask.person, ask.call_id)
    return await _send(ask, row, {"Content-Disposition": "inline"}, is_play=True)


@routes.serve(
    Route(
        "GET",
        "/recordings/{call_id}/download",
        "recordings.download",
        content=OGG,
        also=(206,),
        refusals=(416, 500),
        headers=(RANGE, IF_RANGE),
        answers_head=True,
    )
)
async def download(ask: Ask[Nothing, Nothing]) -> web.StreamResponse:
    """Download a recording under a telling name."""
    row = await ask.deps.library.available(ask.person, ask.call_id)
    name = attachment(f"{_stem(ask, row)}.ogg")
    return await _send(ask, row, {"Content-Disposition": name}, is_play=False)


@routes.serve(
    Route(
        "GET",
        "/recordings/{call_id}/audio.wav",
        "recordings.download_wav",
        content=TYPES[AudioKind.WAV],
        refusals=(409, 500),
    )
)
async def download_wav(ask: Ask[Nothing, Nothing]) -> web.StreamResponse:
    """Download a recording as WAV, made while it is sent."""
    return await _converted(ask, AudioKind.WAV)


@routes.serve(
    Route(
        "GET",
        "/recordings/{call_id}/audio.mp3",
        "recordings.download_mp3",
        content=TYPES[AudioKind.MP3],
        refusals=(409, 500),
    )
)
async def download_mp3(ask: Ask[Nothing, Nothing]) -> web.StreamResponse:
    """Download a recording as MP3, made while it is sent."""
    return await _converted(ask, AudioKind.MP3)


@routes.serve(
    Route(
        "POST",
        "/recordings/download",
        "recordings.download_many",
        body=RecordingIds,
        content="application/zip",
        refusals=(404, 409),
    )
)
async def download_many(ask: Ask[RecordingIds, Nothing]) -> web.StreamResponse:
    """Download many recordings as one ZIP archive with a manifest of their digests."""
    library, zone = ask.deps.library, ask.who.account.timezone
    rows = await library.several(ask.person, ask.body.call_ids)
    library.check_fits(rows)
    with faults_told(), library.exporting():
        for row in rows:
            await ask.note(Deed.RECORDING_DOWNLOADED, row.call_id, format="zip")
        return await send_archive(ask, library.packed(rows, zone), "recordings")


async def _send(
    ask: Ask[Nothing, Nothing], row: Shelved, headers: dict[str, str], *, is_play: bool
) -> web.StreamResponse:
    """Send the file or the part that is asked for; a play is noted once for its many parts."""
    request, etag = ask.request, f'"{row.sha256}"'
    with faults_told():
        content = await ask.deps.library.audio(row)
        sent = {**headers, "Content-Type": OGG, "Accept-Ranges": "bytes", "ETag": etag}
        if request.method == "HEAD":
            return await headers_only(request, headers=sent, length=content.size)
        part = _part(request, content.size, etag)
        if is_play:
            await _note_play(ask, row)
        else:
            await ask.note(Deed.RECORDING_DOWNLOADED, row.call_id, format="ogg")
        whole = Part(0, content.size)
        if part is not None:
            sent["Content-Range"] = f"bytes {part.begin}-{part.end - 1}/{content.size}"
        wanted = part or whole
        async with aclosing(ask.deps.library.part(content, wanted.begin, wanted.end)) as chunks:
            return await stream(
                request,
                chunks,
                headers=sent,
                stall_max_s=ask.deps.limits.reader_stall_max_s,
                status=200 if part is None else 206,
                length=wanted.length,
            )


def _part(request: web.Request, size: int, etag: str) -> Part | None:
    try:
        return wanted_part(request, size, etag)
    except NotSatisfiable:
        raise Refusal(
            Problem(
                416,
                "bad_range",
                f"The recording has {size} bytes; ask for some of them.",
                headers={"Content-Range": f"bytes */{size}"},
            )
        ) from None


async def _note_play(ask: Ask[Nothing, Nothing], row: Shelved) -> None:
    library, actor = ask.deps.library, ask.person.user_id
    if not library.is_new_play(actor, row.call_id):
        return
    try:
        await ask.note(Deed.RECORDING_PLAYED, row.call_id)
    except StoreDown:
        library.forget_play(actor, row.call_id)
        raise


async def _converted(ask: Ask[Nothing, Nothing], kind: AudioKind) -> web.StreamResponse:
    library = ask.deps.library
    row = await library.available(ask.person, ask.call_id)
    with faults_told():
        async with library.converted(row, kind) as pieces:
            await ask.note(Deed.RECORDING_DOWNLOADED, row.call_id, format=kind.value)
            return await stream(
                ask.request,
                pieces,
                headers={
                    "Content-Type": TYPES[kind],
                    "Content-Disposition": attachment(f"{_stem(ask, row)}.{kind.value}"),
                },
                stall_max_s=ask.deps.limits.reader_stall_max_s,
            )


def _stem(ask: Ask[Nothing, Nothing], row: Shelved) -> str:
    return file_stem(row.call_id, row.began_at, ask.who.account.timezone, row.peer.name or "")
