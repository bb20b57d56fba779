"""What admins and supervisors do besides: keeping, data requests, access, reconciliation."""

import asyncio
import io
import zipfile
from typing import Any

from aiohttp import web

from gateway.http.access_schemas import (
    AuditView,
    SessionList,
    TokenList,
    UserList,
)
from gateway.http.after_call_schemas import OpenPage, ReportView
from gateway.http.customer_schemas import CustomerErased, CustomerFound
from gateway.http.keeping_schemas import ForecastView, KeepingView
from tests.web.fake_gateway import BODY, FakeGateway, Json, problem
from tests.web.shapes import shaped

API = "/api/v1"
NOTHING = {"recordings": 0, "returned_ms": 0, "bytes": 0, "held": 0}
NOBODY = {
    "names": [], "calls": 0, "recordings": 0, "bytes": 0, "held": 0, "not_over": 0,
    "first_at": None, "last_at": None, "fits": True,
}  # fmt: skip


class FakeOffice:
    """Answers are what the test puts here; what was asked for is kept."""

    def __init__(self, gateway: FakeGateway) -> None:
        self.gateway = gateway
        self.keeping: Json = {
            "version": 3,
            "when_full": "auto",
            "retention_days": None,
            "encrypts": False,
            "retention_days_max": 36_600,
        }
        self.days: list[Json] = []
        """What goes under the rules in force."""
        self.if_days: dict[str, list[Json]] = {}
        """What would go, by the days that are asked about."""
        self.kept: Json = NOTHING
        self.customers: dict[str, Json] = {}
        """What is kept of a customer, by phone number or user id."""
        self.erased: list[Json] = []
        self.export_gate = asyncio.Event()
        """Cleared: an export stops half-way until it is set."""
        self.export_gate.set()
        self.tokens: list[Json] = []
        self.deeds: list[Json] = []
        self.sessions: list[Json] = []
        self.open: list[Json] = []
        self.report: list[Json] = []

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get(f"{API}/settings/keeping", self.read_keeping),
            web.put(f"{API}/settings/keeping", self.change_keeping),
            web.get(f"{API}/settings/keeping/forecast", self.forecast),
            web.post(f"{API}/customers/find", self.find),
            web.post(f"{API}/customers/export", self.export),
            web.post(f"{API}/customers/erase", self.erase),
            web.get(f"{API}/users", self.users),
            web.get(f"{API}/tokens", self.list_tokens),
            web.get(f"{API}/audit", self.audit),
            web.get(f"{API}/me/sessions", self.own_sessions),
            web.get(f"{API}/recordings/open", self.open_recordings),
            web.get(f"{API}/recordings/reconciliation", self.reconciliation),
        ]

    async def read_keeping(self, _request: web.Request) -> web.Response:
        return shaped(KeepingView, self.keeping)

    async def change_keeping(self, request: web.Request) -> web.Response:
        change = request[BODY]
        if change["version"] != self.keeping["version"]:
            return problem("settings_changed", 409)
        self.keeping |= change | {"version": change["version"] + 1}
        self.days = self.if_days.get(str(change["retention_days"]), self.days)
        return shaped(KeepingView, self.keeping)

    async def forecast(self, request: web.Request) -> web.Response:
        asked = request.query.get("if_days")
        days = self.days if asked is None else self.if_days.get(asked, [])
        today = "2026-05-04"
        told = {
            "today": today,
            "until": "2026-06-03",
            "retention_days": self.keeping["retention_days"],
            "kept": self.kept,
            "at_once": added(day for day in days if day["on"] == today),
            "going": added(days),
            "days": days,
        }
        return shaped(ForecastView, told)

    async def find(self, request: web.Request) -> web.Response:
        return shaped(CustomerFound, self.customers.get(named(request[BODY]), NOBODY))

    async def export(self, request: web.Request) -> web.StreamResponse:
        content = an_archive()
        response = web.StreamResponse(headers={"Content-Type": "application/zip"})
        await response.prepare(request)
        await response.write(content[:20])
        await self.export_gate.wait()
        await response.write(content[20:])
        await response.write_eof()
        return response

    async def erase(self, request: web.Request) -> web.Response:
        body = request[BODY]
        self.erased.append(body)
        found = self.customers.get(named(body), NOBODY)
        stays = [f"{place:026}" for place in range(found["held"])]
        self.customers[named(body)] = NOBODY | {
            "calls": len(stays),
            "recordings": len(stays),
            "held": len(stays),
            "names": found["names"] if stays else [],
        }
        done = {
            "complete": not stays,
            "calls": found["calls"] - len(stays),
            "recordings": found["recordings"] - len(stays),
            "webhooks": 0,
            "held": stays,
            "not_over": [],
        }
        return shaped(CustomerErased, done)

    async def users(self, _request: web.Request) -> web.Response:
        people = [{**person, "disabled": False} for person in self.gateway.people.values()]
        return shaped(UserList, {"items": people})

    async def list_tokens(self, _request: web.Request) -> web.Response:
        return shaped(TokenList, {"items": self.tokens, "days_max": 730})

    async def audit(self, _request: web.Request) -> web.Response:
        return shaped(AuditView, {"items": self.deeds, "next_cursor": None})

    async def own_sessions(self, _request: web.Request) -> web.Response:
        return shaped(SessionList, {"items": self.sessions})

    async def open_recordings(self, _request: web.Request) -> web.Response:
        return shaped(OpenPage, {"items": self.open, "next_cursor": None})

    async def reconciliation(self, _request: web.Request) -> web.Response:
        span = {"timezone": "Asia/Jakarta", "since": "2026-04-04", "until": "2026-05-04"}
        return shaped(ReportView, {**span, "days": self.report})


def going_on(on: str, recordings: int, *, held: int = 0) -> Json:
    """What goes on a day: recordings of a minute each."""
    return {
        "on": on,
        "recordings": recordings,
        "returned_ms": recordings * 60_000,
        "bytes": recordings * 180_000,
        "held": held,
    }


def added(days: Any) -> Json:
    total = dict(NOTHING)
    for day in days:
        for name in total:
            total[name] += day[name]
    return total


def named(body: Json) -> str:
    return str(body.get("phone") or body.get("user_id"))


def an_archive() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("calls.csv", "call_id\n")
        archive.writestr("manifest.csv", "file\n")
    return out.getvalue()
