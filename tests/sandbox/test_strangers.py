"""Third parties' clients drive the sandbox: what they do at Meta must work here."""

import asyncio
import hashlib
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import pytest
from pywa.client import WhatsApp
from pywa.errors import CallPermissionNotFound
from pywa.handlers import CallConnectHandler, CallStatusHandler, CallTerminateHandler
from pywa.types.calls import (
    CallConnect,
    CallDirection,
    CallPermissions,
    CallPermissionStatus,
    CallStatus,
    CallStatusType,
    CallTerminate,
    CallTerminateStatus,
    SessionDescription,
)

from sandbox.call_state import CallState
from sandbox.config import PermissionStatus, UserSpec
from sandbox.personas import Persona, Silence
from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, PNID, TOKEN, Business
from tests.sandbox.sdp_samples import ANSWER, OFFER

HERE = Path(__file__).parent / "strangers"
TOOLCHAIN = Path(__file__).parents[2] / ".toolchain"
QUIET = UserSpec(
    user_id="US.1",
    wa_id="14085551234",
    name="Ann Sandbox",
    persona=Persona(answer_after_s=0.2, says=Silence(has_dtx=False)),
)


class ToSandbox(httpx.HTTPTransport):
    """pywa knows only Meta's host."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self._url = httpx.URL(url)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        place = {"scheme": "http", "host": self._url.host, "port": self._url.port}
        request.url = request.url.copy_with(**place)
        return super().handle_request(request)


class PywaBusiness:
    """pywa as the business: it gets the raw webhooks and keeps what it made of them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.seen: list[Any] = []
        self._session = httpx.Client(transport=ToSandbox(sandbox.graph_url))
        self.client = WhatsApp(
            phone_id=PNID,
            token=TOKEN,
            session=self._session,
            server=None,
            app_secret="sandbox-app-secret",
            verify_token="sandbox-verify-token",
        )
        for kind in (CallConnectHandler, CallStatusHandler, CallTerminateHandler):
            self.client.add_handlers(kind(lambda _client, event: self.seen.append(event)))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._session.close()

    def take(self, body: bytes, signature: str) -> None:
        assert self.client.webhook_update_validator(body, signature) is None
        assert self.client.webhook_update_handler(body)[1] == 200


@pytest.fixture
def leftovers() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


async def take_until(pywa: PywaBusiness, business: Business, count: int) -> None:
    await business.wait_for_bodies(count)
    for body, signature in business.raw:
        await asyncio.to_thread(pywa.take, body, signature)


async def test_pywa_answers_a_users_call_and_hangs_up(
    business: Business, leftovers: ExitStack
) -> None:
    async with Sandbox(business.config(users=[QUIET])) as sandbox:
        pywa = leftovers.enter_context(PywaBusiness(sandbox))
        call = await sandbox.exchange.call_business("US.1")
        await take_until(pywa, business, 1)
        (connect,) = pywa.seen
        assert isinstance(connect, CallConnect)
        assert connect.direction is CallDirection.USER_INITIATED
        assert connect.from_user.wa_id == "14085551234"
        assert connect.session is not None
        assert connect.session.sdp.startswith("v=0\r\n")
        session = SessionDescription(sdp_type="answer", sdp=ANSWER)
        assert (await asyncio.to_thread(connect.pre_accept, sdp=session)).success
        assert (await asyncio.to_thread(connect.accept, session, tracker="mine")).success
        assert call.state is CallState.ACCEPTED
        assert (await asyncio.to_thread(connect.terminate)).success
        await take_until(pywa, business, 2)
        ended = pywa.seen[-1]
        assert isinstance(ended, CallTerminate)
        assert ended.status is CallTerminateStatus.COMPLETED
        assert ended.duration is not None
        assert ended.tracker == "mine"


async def test_pywa_calls_a_user(business: Business, leftovers: ExitStack) -> None:
    async with Sandbox(business.config(users=[QUIET])) as sandbox:
        pywa = leftovers.enter_context(PywaBusiness(sandbox))
        session = SessionDescription(sdp_type="offer", sdp=OFFER)
        dialled = await asyncio.to_thread(
            pywa.client.initiate_call, "14085551234", session, tracker="key"
        )
        assert dialled.id in sandbox.exchange.calls
        await take_until(pywa, business, 3)
        statuses = [one.status for one in pywa.seen if isinstance(one, CallStatus)]
        assert set(statuses) == {CallStatusType.RINGING, CallStatusType.ACCEPTED}
        (connect,) = [one for one in pywa.seen if isinstance(one, CallConnect)]
        assert connect.direction is CallDirection.BUSINESS_INITIATED
        assert connect.session is not None
        assert connect.session.sdp_type == "answer"
        await asyncio.to_thread(pywa.client.terminate_call, dialled.id)


async def test_pywa_knows_our_refusals_and_our_permissions(
    business: Business, leftovers: ExitStack
) -> None:
    ann = ANN.model_copy(update={"permission": PermissionStatus.NONE})
    async with Sandbox(business.config(users=[ann])) as sandbox:
        pywa = leftovers.enter_context(PywaBusiness(sandbox))
        session = SessionDescription(sdp_type="offer", sdp=OFFER)
        with pytest.raises(CallPermissionNotFound):
            await asyncio.to_thread(pywa.client.initiate_call, "14085551234", session)
        answer = await asyncio.to_thread(
            pywa.client.api.get_call_permissions, PNID, "14085551234", None
        )
        found = CallPermissions.from_dict(answer)
        assert found.permission.status is CallPermissionStatus.NO_PERMISSION
        assert {action.can_perform_action for action in found.actions} == {True, False}


def install() -> Path:
    """Install the npm packages, once for each lock file."""
    lock = (HERE / "package-lock.json").read_bytes()
    target = TOOLCHAIN / f"strangers-{hashlib.sha256(lock).hexdigest()[:12]}"
    if not (target / "installed").exists():
        npm = shutil.which("npm")
        assert npm is not None, "npm is needed on the PATH"
        target.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json", ".npmrc"):
            shutil.copy(HERE / name, target / name)
        subprocess.run([npm, "ci"], cwd=target, check=True, capture_output=True, timeout=300)
        (target / "installed").touch()
    shutil.copy(HERE / "business.mjs", target / "business.mjs")
    return target


class NodeBusiness:
    """The program in strangers/business.mjs."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def hear(self, what: str) -> Any:
        """Skip to the next line about `what`."""
        assert self._process.stdout is not None
        async with asyncio.timeout(30):
            while True:
                line = await self._process.stdout.readline()
                assert line, "the program ended"
                said = json.loads(line)
                assert said["what"] != "error", said
                if said["what"] == what:
                    return said["content"]

    def dial(self, to: str) -> None:
        assert self._process.stdin is not None
        order = json.dumps({"phoneID": PNID, "to": to})
        self._process.stdin.write(f"{order}\n".encode())


@pytest.fixture
async def sandbox(business: Business) -> AsyncIterator[Sandbox]:
    async with Sandbox(business.config(users=[QUIET])) as sandbox:
        yield sandbox


@pytest.fixture
async def node(sandbox: Sandbox) -> AsyncIterator[NodeBusiness]:
    folder = await asyncio.to_thread(install)
    settings = {
        "graphUrl": sandbox.graph_url,
        "token": TOKEN,
        "appSecret": "sandbox-app-secret",
        "verifyToken": "sandbox-verify-token",
        "offer": OFFER,
        "answer": ANSWER,
    }
    process = await asyncio.create_subprocess_exec(
        *("node", str(folder / "business.mjs"), json.dumps(settings)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    business = NodeBusiness(process)
    port = await business.hear("port")
    sandbox.exchange.webhooks.url = f"http://127.0.0.1:{port}/"
    yield business
    assert process.stdin is not None
    process.stdin.close()
    assert await process.wait() == 0


@pytest.mark.timeout(360)
async def test_whatsapp_api_js_answers_a_users_call_and_hangs_up(
    sandbox: Sandbox, node: NodeBusiness
) -> None:
    assert (await sandbox.exchange.webhooks.verify())[0]
    call = await sandbox.exchange.call_business("US.1")
    assert await node.hear("connect") == {
        "direction": "USER_INITIATED",
        "sdp_type": "offer",
        "name": "Ann Sandbox",
    }
    for action in ("pre_accept", "accept", "terminate"):
        assert await node.hear(action) == {"messaging_product": "whatsapp", "success": True}
    assert await node.hear("terminated") == {
        "status": "COMPLETED",
        "duration": "number",
        "biz_opaque_callback_data": "from a stranger",
    }
    assert call.state is CallState.ENDED


@pytest.mark.timeout(360)
async def test_whatsapp_api_js_calls_a_user(sandbox: Sandbox, node: NodeBusiness) -> None:
    node.dial("14085551234")
    dialled = await node.hear("dialled")
    assert dialled["calls"][0]["id"] in sandbox.exchange.calls
    ringing = await node.hear("status")
    assert ringing == {"status": "RINGING", "biz_opaque_callback_data": "key of a stranger"}
    assert (await node.hear("connect"))["sdp_type"] == "answer"
    assert (await node.hear("status"))["status"] == "ACCEPTED"
    assert (await node.hear("terminate"))["success"] is True
    assert (await node.hear("terminated"))["duration"] == "number"
