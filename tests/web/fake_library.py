"""Recordings and minutes of the fake gateway: kept in a list, deleted and held at once."""

import io
import math
import wave
from collections.abc import Callable
from typing import Any

from aiohttp import web

from gateway.http.after_call_schemas import TranscriptView
from gateway.http.library_schemas import (
    Deleted,
    PeaksView,
    RecordingDetail,
    RecordingItem,
    RecordingPage,
)
from gateway.http.quota_schemas import LedgerView, QuotaView, UsageView
from tests.web.fake_gateway import BODY, FakeGateway, Json, problem, stamp
from tests.web.shapes import shaped

API = "/api/v1"
PAGE = 25
MINUTE_MS = 60_000
CAPACITY_MS = 1_400 * MINUTE_MS
HELD = {"at": "2026-05-02T02:00:00.000Z", "by": "u3", "why": "Court case 7"}


class FakeLibrary:
    """One account's recordings, newest first, by the id of their call."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway
        self.recordings: dict[str, Json] = {}
        self.transcripts: dict[str, Json] = {}
        self.lines: list[Json] = []
        """Of the ledger."""

    def put(self, call_id: str, **facts: Any) -> Json:
        """Keep a recording of a call that is over."""
        call = self.gateway.calls[call_id]
        call["recording"] = {
            "state": "kept",
            "reason": None,
            "written_ms": None,
            "ends_at": None,
            "duration_ms": facts.get("duration_ms", 42_000),
        }
        self.recordings[call_id] = {
            "id": call_id, "version": 1, "state": "available",
            "began_at": call["answered_at"] or call["created_at"],
            "duration_ms": 42_000, "bytes": 130_000, "direction": call["direction"],
            "agent": call["agent"], "number": call["number"]["display"],
            "peer": call["peer"], "verdict": "matched", "cut_by_quota": False, "note": None,
            "has_transcript": False, "hold": None, "purge_day": "2028-05-05", "ending": None,
            **facts,
        }  # fmt: skip
        return self.recordings[call_id]

    def routes(self) -> list[web.RouteDef]:
        one = f"{API}/recordings/{{id}}"
        return [
            web.get(f"{API}/recordings", self.list),
            web.post(f"{API}/recordings/delete", self.delete),
            web.get(one, self.read),
            web.patch(one, self.note),
            web.get(f"{one}/peaks", self.peaks),
            web.get(f"{one}/audio", self.audio),
            web.put(f"{one}/hold", self.hold),
            web.delete(f"{one}/hold", self.hold),
            web.get(f"{API}/calls/{{id}}/transcript", self.transcript),
            web.get(f"{API}/quota/usage", self.usage),
            web.get(f"{API}/quota/ledger", self.ledger),
        ]

    async def list(self, request: web.Request) -> web.Response:
        wanted = filters_of(request.query)
        items = [
            item
            for item in sorted(
                self.recordings.values(), key=lambda each: each["began_at"], reverse=True
            )
            if all(wants(item) for wants in wanted)
        ]
        start = int(request.query.get("cursor", 0))
        end = start + int(request.query.get("limit", PAGE))
        page = {
            "items": items[start:end],
            "next_cursor": str(end) if end < len(items) else None,
        }
        return shaped(RecordingPage, page)

    async def read(self, request: web.Request) -> web.Response:
        item = self.recordings.get(request.match_info["id"])
        if item is None:
            return problem("not_found", 404)
        whole = {
            "begins_ms": 0,
            "duration_ms": item["duration_ms"],
            "end_reason": "quota" if item["cut_by_quota"] else None,
            "pauses": [],
        }
        more = {"sha256": "0" * 64, "made_day": "2026-05-04", "segments": [whole], "events": []}
        return shaped(RecordingDetail, item | more)

    async def delete(self, request: web.Request) -> web.Response:
        ids = request[BODY]["ids"]
        for call_id in ids:
            item = self.recordings[call_id]
            item["state"] = "trashed"
            item["ending"] = {
                "at": stamp(),
                "gone_after": stamp(),
                "by": "u3",
                "why": "hand",
                "gone_at": None,
            }
            self.gateway.calls[call_id]["recording"]["state"] = "deleted"
        returned = sum(self.recordings[call_id]["duration_ms"] for call_id in ids)
        self.give_back(returned)
        done = {"ids": ids, "returned_ms": returned, "gone_after": stamp()}
        return shaped(Deleted, done)

    def give_back(self, ms: int) -> None:
        """Let minutes be free again."""
        quota = self.gateway.quota
        if quota is not None:
            changed = {"used_ms": quota["used_ms"] - ms, "free_ms": quota["free_ms"] + ms}
            self.gateway.quota = quota | changed | {"version": quota["version"] + 1}

    async def note(self, request: web.Request) -> web.Response:
        item = self.recordings[request.match_info["id"]]
        item |= {"note": request[BODY]["note"], "version": item["version"] + 1}
        return shaped(RecordingItem, item)

    async def hold(self, request: web.Request) -> web.Response:
        item = self.recordings[request.match_info["id"]]
        is_held = request.method == "PUT"
        item["hold"] = {**HELD, "why": request[BODY]["why"]} if is_held else None
        return shaped(RecordingItem, item)

    async def peaks(self, request: web.Request) -> web.Response:
        item = self.recordings.get(request.match_info["id"])
        if item is None:
            return problem("not_found", 404)
        count = item["duration_ms"] // 100
        drawn = {
            "per_second": 10,
            "full": 255,
            "agent": [talking(step, 0) for step in range(count)],
            "customer": [talking(step, 1) for step in range(count)],
            "mixed": [],
        }
        return shaped(PeaksView, drawn)

    async def transcript(self, request: web.Request) -> web.Response:
        words = self.transcripts.get(request.match_info["id"])
        return problem("not_found", 404) if words is None else shaped(TranscriptView, words)

    async def audio(self, request: web.Request) -> web.Response:
        item = self.recordings.get(request.match_info["id"])
        if item is None:
            return problem("not_found", 404)
        return ranged(request, a_hum(item["duration_ms"] / 1000))

    async def usage(self, _request: web.Request) -> web.Response:
        days = [
            {
                "day": f"2026-05-{day:02}",
                "recorded_ms": day * 7 * MINUTE_MS,
                "returned_ms": (day % 3) * MINUTE_MS,
                "calls": day * 3,
            }
            for day in range(1, 5)
        ]
        shown = {"timezone": "Asia/Jakarta", "since": "2026-04-04", "until": "2026-05-04"}
        return shaped(UsageView, {**shown, "days": days})

    async def ledger(self, _request: web.Request) -> web.Response:
        return shaped(LedgerView, {"items": self.lines, "next_cursor": None})


def a_quota(**facts: Any) -> Json:
    """Minutes, most of them used."""
    used = facts.get("used_ms", 1_142 * MINUTE_MS + 17_000)
    reserved = 30_000
    picture = {
        "at": stamp(),
        "version": 7,
        "capacity_ms": CAPACITY_MS,
        "used_ms": used,
        "reserved_ms": reserved,
        "free_ms": CAPACITY_MS - used - reserved,
        "overdrawn_ms": 0,
        "suspense_ms": 0,
        "level": 80,
        "empty_at": None,
        "captures": [],
        **facts,
    }
    return QuotaView.model_validate(picture).model_dump(mode="json")


def a_line(kind: str, amount_ms: int, call_id: str | None = None, **facts: Any) -> Json:
    """An entry of the ledger."""
    return {
        "at": "2026-05-04T03:12:00.000Z",
        "kind": kind,
        "amount_ms": amount_ms,
        "call_id": call_id,
        "actor_id": None,
        "note": "",
        "capacity_ms": CAPACITY_MS,
        "used_ms": 1_142 * MINUTE_MS,
        **facts,
    }


Wants = Callable[[Json], bool]


def filters_of(query: Any) -> list[Wants]:
    """What of the real list's filters the tests use."""
    state = query.get("state", "available")
    wanted: list[Wants] = [lambda item: item["state"] == state]
    if "direction" in query:
        wanted.append(lambda item: item["direction"] == query["direction"])
    if query.get("held") == "true":
        wanted.append(lambda item: item["hold"] is not None)
    if "note" in query:
        wanted.append(lambda item: query["note"].lower() in (item["note"] or "").lower())
    if "phone" in query:
        wanted.append(lambda item: item["peer"].get("phone") == query["phone"])
    return wanted


def talking(step: int, side: int) -> int:
    """Two people who take turns."""
    is_turn = (step // 40) % 2 == side
    return round(20 + is_turn * 190 * abs(math.sin(step / 3) * math.cos(step / 17)))


def a_hum(seconds: float) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8_000)
        file.writeframes(b"\x80" * round(8_000 * seconds))
    return out.getvalue()


def ranged(request: web.Request, content: bytes) -> web.Response:
    """Answer as the real gateway does, in part where a part was asked for."""
    asked = request.http_range
    begin = asked.start or 0
    end = min(len(content), asked.stop or len(content))
    headers = {"Accept-Ranges": "bytes"}
    if "Range" in request.headers:
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{len(content)}"
    return web.Response(
        status=206 if "Range" in request.headers else 200,
        body=content[begin:end],
        content_type="audio/wav",
        headers=headers,
    )
