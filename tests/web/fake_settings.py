"""Call settings of the fake gateway: kept as they are sent, barely checked."""

import io
import wave
from typing import Any

from aiohttp import web

from tests.web.fake_gateway import BODY, FakeGateway, problem, stamp

PATH = "/api/v1/settings/calls"
LANGUAGES = [
    {
        "code": code,
        "recording": f"Recorded ({code}) for:",
        "recording_and_transcription": f"Recorded and transcribed ({code}) for:",
    }
    for code in ("en", "en_GB", "es", "hi")
]


def silence() -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8_000)
        file.writeframes(bytes(8_000))
    return out.getvalue()


class FakeSettings:
    """One account's settings; `uploads` are the files that came."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway
        self.uploads: list[bytes] = []
        self.refuse_upload: str | None = None
        self.kept: dict[str, Any] = {
            "version": 0,
            "records": "none",
            "mode": "official",
            "purpose": "",
            "language": "en",
            "transcription": False,
            "transcription_alone": False,
            "spoken": None,
            "announcement": None,
            "announcement_max_s": 60.0,
            "announcement_bytes_max": 1024 * 1024,
            "purpose_chars_max": 250,
            "languages": LANGUAGES,
        }

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(PATH, self.read),
            web.put(PATH, self.change),
            web.get(f"{PATH}/announcement", self.play),
            web.put(f"{PATH}/announcement", self.upload),
            web.delete(f"{PATH}/announcement", self.remove),
        ]

    async def read(self, _request: web.Request) -> web.Response:
        return web.json_response(self.kept)

    async def change(self, request: web.Request) -> web.Response:
        change = request[BODY]
        if change["version"] != self.kept["version"]:
            return problem("settings_changed", 409)
        self.kept |= change | {"version": change["version"] + 1}
        return web.json_response(self.kept)

    async def play(self, _request: web.Request) -> web.Response:
        return web.Response(body=silence(), content_type="audio/wav")

    async def upload(self, request: web.Request) -> web.Response:
        if self.refuse_upload is not None:
            return problem(self.refuse_upload, 422)
        self.uploads.append(await request.read())
        self.kept["announcement"] = {
            "id": f"{len(self.uploads)}",
            "duration_ms": 4_000,
            "uploaded_at": stamp(),
        }
        return web.json_response(self.kept["announcement"])

    async def remove(self, _request: web.Request) -> web.Response:
        self.kept["announcement"] = None
        return web.Response(status=204)
