"""Orders to the stand-in for WhatsApp, over its control interface (docs/sandbox.md)."""

from typing import Any, Self

import aiohttp

Report = dict[str, Any]
"""What the sandbox says about a call."""


class SandboxRefused(Exception):
    """The sandbox answered with an error; the message holds its words."""


class SandboxControl:
    """Use as an async context manager."""

    def __init__(self, control_url: str) -> None:
        self._url = control_url

    async def __aenter__(self) -> Self:
        self._http = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=120))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.close()

    async def ask(
        self, method: str, path: str, body: object = None, **query: str | float
    ) -> Report:
        """Do one request below `/sandbox`. Raises `SandboxRefused`."""
        async with self._http.request(
            method, f"{self._url}{path}", json=body, params=query
        ) as answer:
            if answer.status >= 400:  # noqa: PLR2004 - where HTTP's errors begin
                raise SandboxRefused(f"{method} {path}: {answer.status} {await answer.text()}")
            return await answer.json() if answer.status != 204 else {}  # noqa: PLR2004

    async def send_webhooks_to(self, url: str) -> None:
        """Have webhooks delivered to `url` and check its verification handshake."""
        await self.ask("PUT", "/webhook", {"url": url})
        outcome = await self.ask("POST", "/webhook/verify")
        if not outcome["is_verified"]:
            raise SandboxRefused(f"the webhook endpoint failed verification: {outcome}")

    async def behave(self, user_id: str, **persona: object) -> None:
        """Set how a user takes and places calls from now on."""
        await self.ask("PUT", f"/users/{user_id}/persona", persona)

    async def call_business(self, user_id: str, **persona: object) -> Report:
        """Have a user call the business; the report holds the call's `wacid`."""
        body: dict[str, object] = {"user_id": user_id}
        if persona:
            body["persona"] = persona
        return await self.ask("POST", "/calls", body)

    async def calls(self, *, count: int = 0, timeout_s: float = 30.0) -> list[Report]:
        """Return all calls, oldest first, once there are at least `count`."""
        answer = await self.ask("GET", "/calls", wait_for_count=count, timeout_s=timeout_s)
        found: list[Report] = answer["calls"]
        return found

    async def report(self, wacid: str) -> Report:
        """Return what happened in a call so far."""
        return await self.ask("GET", f"/calls/{wacid}")

    async def wait_for(self, wacid: str, event: str, *, timeout_s: float = 30.0) -> Report:
        """Return the report once `event` is in the call's timeline."""
        return await self.ask("GET", f"/calls/{wacid}", wait_for=event, timeout_s=timeout_s)

    async def hang_up(self, wacid: str) -> None:
        """Have the user end a call."""
        await self.ask("POST", f"/calls/{wacid}/hang_up")

    async def heard(self, wacid: str, *, from_s: float = 0.0) -> Report:
        """Measure what the user has heard since `from_s` after the pick-up."""
        return await self.ask("GET", f"/calls/{wacid}/heard", from_s=from_s)


def at_ms(report: Report, event: str) -> float:
    """Return when `event` came, in ms since the call began. Raises `KeyError`."""
    for entry in report["timeline"]:
        if entry["event"] == event:
            return float(entry["at_ms"])
    raise KeyError(f"{event} is not in the timeline of the call")
