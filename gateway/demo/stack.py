"""The whole system on this machine: a stand-in for WhatsApp, a gateway, people who sign in.

`callgate demo` shows it to a person, its check and the end-to-end tests drive it.
"""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId, PhoneNumberId
from gateway.demo.headless_agent import HeadlessAgent
from gateway.demo.minutes import OWNED_MS, ask_official, sell_minutes
from gateway.demo.processes import Child, end_listener
from gateway.demo.sandbox_control import SandboxControl
from gateway.foundation import open_foundation
from gateway.ports.accounts import Number, Role
from gateway.settings import Settings
from gateway.settings_sources import ENV_PREFIX

CID = "demo"
NUMBER = PhoneNumberId("106540352242922")
WABA_ID = "102290129340398"
NUMBER_SHOWN = "+1 631 555 3601"
CUSTOMER_ID, CUSTOMER_PHONE = "US.customer", "14085551234"
_TOKEN_BYTES = 16
# Loopback for the sandbox's audio, the rest for a browser that sees the pages through ssh.
_MEDIA_BIND = "127.0.0.1, 0.0.0.0"
# The stack ends its worker itself; this is for one that was killed.
_WORKER_ALONE_S = 30


@dataclass(frozen=True, slots=True)
class Login:
    """Somebody who may sign in."""

    name: str
    email: str
    password: str = field(repr=False)
    role: Role


PEOPLE = (
    ("Ana", "ana@demo.example", Role.AGENT),
    ("Budi", "budi@demo.example", Role.AGENT),
    ("Sari", "sari@demo.example", Role.SUPERVISOR),
)


@dataclass(frozen=True, slots=True)
class StackOptions:
    """How a stack differs from the plain one."""

    http_host: str = "127.0.0.1"
    http_port: int = 0
    sandbox_port: int = 0
    certificate: tuple[Path, Path] | None = None
    """Certificate and key to serve HTTPS with; the sandbox trusts this certificate."""
    settings: Mapping[str, str] = field(default_factory=dict)
    """Further settings of the gateway, by their names without the prefix, in small letters."""
    sandbox: Mapping[str, object] = field(default_factory=dict)
    """Further settings of the sandbox (`SandboxConfig`)."""
    people: Sequence[tuple[str, str, Role]] = PEOPLE
    """Who may sign in: name, e-mail and role."""


class Stack:
    """Use as an async context manager; `folder` holds data and logs, and stays.

    Raises `ChildFailed` if a part does not come up.
    """

    def __init__(self, folder: Path, options: StackOptions | None = None) -> None:
        self.folder = folder
        self.people: list[Login] = []
        self.gateway_url = ""
        self.phone_url = ""
        self._options = options or StackOptions()
        self._gateway: Child | None = None
        self._sandbox: Child | None = None
        self._port = self._options.http_port
        self._sandbox_port = self._options.sandbox_port
        self._graph_url = ""
        self._control_url = ""
        self._secrets = {
            name: secrets.token_urlsafe(_TOKEN_BYTES)
            for name in ("app_secret", "verify_token", "access_token")
        }

    @property
    def gateway_log(self) -> Path:
        """What the gateway has written."""
        return self.folder / "gateway.log"

    @property
    def gateway_pid(self) -> int:
        """The gateway's process."""
        assert self._gateway is not None, "the gateway runs"
        return self._gateway.pid

    @property
    def media_socket(self) -> Path:
        """Where the media worker listens."""
        return self._settings().media_socket

    @property
    def valkey_socket(self) -> Path:
        """Where the gateway's own Valkey server listens."""
        return self._settings().redis_directory / "valkey.sock"

    @property
    def app_secret(self) -> str:
        """What signs the webhooks."""
        return self._secrets["app_secret"]

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            stack.push_async_callback(self._stop_sandbox)
            await self._start_sandbox(self._options.sandbox)
            self.sandbox = await stack.enter_async_context(SandboxControl(self._control_url))
            for name, email, role in self._options.people:
                self.people.append(
                    Login(name, email, secrets.token_urlsafe(_TOKEN_BYTES), role)
                )
            await self._make_account()
            stack.push_async_callback(self._end_what_outlives)
            stack.push_async_callback(self.stop_gateway)
            await self.start_gateway()
            await self.sandbox.send_webhooks_to(self.webhook_url)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    @property
    def webhook_url(self) -> str:
        """Where the gateway takes webhooks."""
        return f"{self.gateway_url}/webhooks/whatsapp"

    def agent(self, place: int = 0, *, tone_hz: float = 440.0) -> HeadlessAgent:
        """Return a headless agent who is the person at `place`; enter it to sign in."""
        person = self.people[place]
        return HeadlessAgent(self.gateway_url, person.email, person.password, tone_hz=tone_hz)

    async def sell_minutes(self, *, leave_ms: int = OWNED_MS) -> None:
        """Have the account record all its calls, with so much time left."""
        await sell_minutes(self._settings(), CID, leave_ms=leave_ms)

    async def ask_official(self) -> None:
        """Have WhatsApp announce and record the account's calls, too."""
        await ask_official(self._settings(), CID)

    async def record_of(self, call_id: str) -> Path:
        """Return the file that is a call's recording now. Raises `KeyError`."""
        async with open_foundation(self._settings(), SystemClock()) as stores:
            found = await stores.recordings.find(CallId(call_id))
        if found is None:
            raise KeyError(f"no recording of {call_id}")
        return self._settings().recordings_path / found.assembled.file

    def recording_of(self, call_id: str) -> Path:
        """Return the file of a call's recording. Raises `KeyError` if there is none."""
        for path in self._settings().recordings_path.rglob(f"{call_id}.ogg"):
            return path
        raise KeyError(f"no recording of {call_id}")

    async def start_gateway(self) -> None:
        """Start the gateway, on the port it had before if it ran before."""
        self._gateway = await Child.start(
            ("-m", "gateway", "serve"),
            environment=_environment(self._settings_given()),
            log=self.gateway_log,
        )
        *_, self.gateway_url = self._gateway.first_line.split()
        self._port = int(self.gateway_url.rpartition(":")[2])
        if self._options.http_host != "127.0.0.1":
            scheme = self.gateway_url.partition(":")[0]
            self.gateway_url = f"{scheme}://127.0.0.1:{self._port}"

    async def stop_gateway(self) -> None:
        """Stop the gateway as an operator does; its media worker goes on."""
        if self._gateway is not None:
            await self._gateway.terminate()

    async def kill_gateway(self) -> None:
        """End the gateway as a crash does."""
        assert self._gateway is not None, "the gateway runs"
        await self._gateway.kill()

    async def gateway_ended(self) -> int:
        """Wait until the gateway is over, whoever ended it; its exit code."""
        assert self._gateway is not None, "the gateway runs"
        return await self._gateway.ended()

    async def replace_sandbox(self, **settings: object) -> None:
        """End the sandbox and put one with other settings (`SandboxConfig`) in its place.

        It knows nothing of what the earlier one saw.
        """
        await self._stop_sandbox()
        await self._start_sandbox(dict(self._options.sandbox) | settings)
        await self.sandbox.send_webhooks_to(self.webhook_url)

    async def _start_sandbox(self, settings: Mapping[str, object]) -> None:
        config = self.folder / "sandbox.json"
        fields: dict[str, object] = {
            "app_secret": self._secrets["app_secret"],
            "verify_token": self._secrets["verify_token"],
            "access_tokens": [self._secrets["access_token"]],
            "users": [
                {"user_id": CUSTOMER_ID, "wa_id": CUSTOMER_PHONE, "name": "Demo Customer"}
            ],
        }
        config.touch(mode=0o600)
        config.write_text(json.dumps(fields | dict(settings) | {"port": self._sandbox_port}))
        self._sandbox = await Child.start(
            ("-m", "sandbox", "--config", str(config)),
            environment=self._sandbox_environment(),
            log=self.folder / "sandbox.log",
        )
        where = json.loads(self._sandbox.first_line)
        self._graph_url, self.phone_url = where["graph_url"], where["phone_url"]
        self._control_url = where["control_url"]
        self._sandbox_port = int(self._graph_url.rpartition(":")[2])

    async def _stop_sandbox(self) -> None:
        if self._sandbox is not None:
            await self._sandbox.terminate()

    def _sandbox_environment(self) -> dict[str, str]:
        environment = _environment({})
        if self._options.certificate is not None:
            environment["SSL_CERT_FILE"] = str(self._options.certificate[0])
        return environment

    async def _make_account(self) -> None:
        async with open_foundation(self._settings(), SystemClock()) as stores:
            await stores.migrate()
            account = await stores.accounts.add_account(
                cid=CID, name="Demo Company", timezone="Asia/Jakarta"
            )
            await stores.accounts.add_number(
                Number(
                    NUMBER,
                    account.account_id,
                    WABA_ID,
                    NUMBER_SHOWN,
                    self._secrets["access_token"],
                )
            )
            for person in self.people:
                await stores.accounts.add_person(
                    account.account_id,
                    email=person.email,
                    name=person.name,
                    role=person.role,
                    password=person.password,
                )

    async def _end_what_outlives(self) -> None:
        await end_listener(self.media_socket)
        await end_listener(self.valkey_socket)

    def _settings_given(self) -> dict[str, str]:
        given = {
            "data_dir": str(self.folder / "data"),
            "http_host": self._options.http_host,
            "http_port": str(self._port),
            "media_bind": _MEDIA_BIND,
            "media_alone_max_s": str(_WORKER_ALONE_S),
            "whatsapp_graph_url": self._graph_url,
            "whatsapp_app_secret": self._secrets["app_secret"],
            "whatsapp_verify_token": self._secrets["verify_token"],
        }
        if self._options.certificate is not None:
            given["tls_cert"], given["tls_key"] = map(str, self._options.certificate)
        return given | dict(self._options.settings)

    def _settings(self) -> Settings:
        return Settings(**self._settings_given())  # type: ignore[arg-type]  # the model checks


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Return this process's environment with these settings and none of its own."""
    kept = {name: value for name, value in os.environ.items() if not _is_setting(name)}
    return kept | {f"{ENV_PREFIX}{name.upper()}": value for name, value in settings.items()}


def forget_own_settings() -> None:
    """Drop this process's settings: the demo is no part of a real gateway."""
    for name in [name for name in os.environ if _is_setting(name)]:
        del os.environ[name]


def _is_setting(name: str) -> bool:
    return name.startswith(ENV_PREFIX)
