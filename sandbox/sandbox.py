"""The whole sandbox: one HTTP server for Graph API, control API and phone page."""

from types import TracebackType
from typing import Self

from aiohttp import web

from sandbox.config import SandboxConfig
from sandbox.control_api import ControlApi
from sandbox.exchange import Exchange
from sandbox.graph_api import GraphApi
from sandbox.graph_gate import GraphGate
from sandbox.graph_media import GraphMedia
from sandbox.official import OfficialRecordings
from sandbox.phone import PhonePage

_SHUTDOWN_S = 1.0


class Sandbox:
    """A running stand-in for Meta.

    `async with Sandbox(config) as sandbox:` serves until the block ends. `exchange` is the
    in-process API: users, calls, faults, webhooks.
    """

    def __init__(self, config: SandboxConfig | None = None) -> None:
        self.config = config or SandboxConfig()
        self.exchange = Exchange(self.config)
        self._gate = GraphGate(self.config, self.exchange.faults)
        self._media = GraphMedia(self.exchange.media, self._gate)
        self._official = OfficialRecordings(self.exchange, self._media.link)
        self._phone = PhonePage(self.exchange)
        self._runner: web.AppRunner | None = None
        self._port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=self.config.limits.media_file_bytes_max)
        app.add_routes(GraphApi(self.exchange, self._gate).routes())
        app.add_routes(self._media.routes())
        app.add_routes(ControlApi(self.exchange, self._media).routes())
        app.add_routes(self._phone.routes())
        self._runner = web.AppRunner(app, shutdown_timeout=_SHUTDOWN_S, access_log=None)
        await self.exchange.webhooks.open()
        await self._runner.setup()
        site = web.TCPSite(self._runner, self.config.host, self.config.port)
        await site.start()
        self._port = self._runner.addresses[0][1]
        self._media.base_url = self.graph_url
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._phone.close()
        await self._official.close()
        await self.exchange.close()
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def graph_url(self) -> str:
        """The base URL to use in place of https://graph.facebook.com."""
        return f"http://{self.config.host}:{self._port}"

    @property
    def control_url(self) -> str:
        """The base URL of the control API."""
        return f"{self.graph_url}/sandbox"

    @property
    def phone_url(self) -> str:
        """The address of the phone page."""
        return f"{self.graph_url}/phone"
