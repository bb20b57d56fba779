"""Commands about recording: twice, out of turn, without sense, or to a worker that has none."""

import os
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from media import protocol
from media import protocol_capture as recording
from media.protocol import Done, Failed
from media.settings import CaptureSettings, WorkerSettings
from tests.media.gateway_client import GatewayClient
from tests.media.raw_peer import RawPeer
from tests.media.recording import Books, files
from tests.media.sdp_samples import WHATSAPP_OFFER
from tests.media.test_calls import join_agent, join_customer
from tests.media.worker_process import WorkerProcess, running_worker, serving

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    directory = tmp_path_factory.mktemp("recording") / "captures"
    with running_worker("--captures", str(directory)) as process:
        yield process


async def refusal(gateway: GatewayClient, command: protocol.Command) -> str:
    answer = await gateway.ask(command)
    assert isinstance(answer, Failed), answer
    assert answer.reason
    return answer.code


async def test_a_command_that_comes_twice_has_one_effect(gateway: GatewayClient) -> None:
    books = Books(gateway)
    await books.open(1_000)
    async with RawPeer() as customer:
        await join_customer(gateway, customer)
        order = books.start_order()
        first = await gateway.do(order)
        again = order.model_copy(update={"id": gateway.next_id()})
        assert (await gateway.do(again)).capture is not None
        assert await gateway.do(order) == first
        assert len((await gateway.snapshot()).captures) == 1
        grant = recording.GrantBudget(
            id=secrets.token_hex(8), budget_id="b", number=1, granted_ms=90_000, answers=0
        )
        granted = await gateway.do(grant)
        older = grant.model_copy(update={"id": secrets.token_hex(8), "granted_ms": 5})
        assert (await gateway.do(older)).budget is not None
        assert await gateway.do(grant) == granted
        (budget,) = (await gateway.snapshot()).budgets
        assert budget.granted_ms == 90_000
        stop = recording.StopCapture(id=gateway.next_id(), epoch=1, capture_id="call")
        await gateway.do(stop)
        await books.over()
        repeated = stop.model_copy(update={"id": gateway.next_id()})
        assert (await gateway.do(repeated)).capture is None
    await books.close()


async def test_an_older_owner_of_a_call_can_neither_start_nor_stop_its_capture(
    gateway: GatewayClient,
) -> None:
    books = Books(gateway)
    await books.open()
    async with RawPeer() as customer:
        gateway.epoch = 5
        await join_customer(gateway, customer)
        stale = books.start_order().model_copy(update={"epoch": 4})
        assert await refusal(gateway, stale) == "stale_epoch"
        await books.start()
        for kind in (recording.PauseCapture, recording.ResumeCapture, recording.StopCapture):
            command = kind(id=gateway.next_id(), epoch=4, capture_id="call")
            assert await refusal(gateway, command) == "stale_epoch"
        gateway.epoch = 6
        await books.pause()
        assert (await gateway.snapshot()).legs[0].epoch == 6
        await books.stop()
    await books.close()


async def test_commands_that_make_no_sense_are_refused_by_name(
    gateway: GatewayClient,
) -> None:
    books = Books(gateway)
    async with RawPeer() as agent, RawPeer() as customer:
        await join_agent(gateway, agent)
        await join_customer(gateway, customer)
        assert await refusal(gateway, books.start_order()) == "no_such_budget"
        await books.open()
        cases: list[tuple[protocol.Command, str]] = [
            (books.start_order("call", "none"), "no_such_leg"),
            (books.start_order("call", "agent"), "conflict"),
            (
                recording.PauseCapture(id=gateway.next_id(), epoch=1, capture_id="none"),
                "no_such_capture",
            ),
            (
                recording.ResumeCapture(id=gateway.next_id(), epoch=1, capture_id="none"),
                "no_such_capture",
            ),
            (
                recording.GrantBudget(
                    id=gateway.next_id(), budget_id="x", number=1, granted_ms=1
                ),
                "no_such_budget",
            ),
            (recording.CloseBudget(id=gateway.next_id(), budget_id="x"), "no_such_budget"),
        ]
        for command, code in cases:
            assert await refusal(gateway, command) == code
        await books.start()
        closing = recording.CloseBudget(id=gateway.next_id(), budget_id="b")
        assert await refusal(gateway, closing) == "conflict"
        assert await refusal(gateway, books.start_order("second")) == "conflict"
        await books.stop()
        # The first has ended, so the leg may be recorded by another.
        await books.start("second")
        assert await refusal(gateway, books.start_order("second", "agent")) == "conflict"
        await books.stop("second")
    await books.close()


async def test_a_second_capture_of_a_leg_is_no_part_of_the_first(
    gateway: GatewayClient, worker: WorkerProcess
) -> None:
    books = Books(gateway)
    await books.open()
    async with RawPeer() as customer:
        await join_customer(gateway, customer)
        directory = Path(gateway.welcome.captures_directory or "")
        await books.start("one")
        await customer.talk(15, b"\x48one")
        await books.stop("one")
        await books.start("two")
        await customer.talk(15, b"\x48two")
        await books.stop("two")
        held = {each.header.capture_id: each.content for each in files(directory)}
    assert b"\x48one" in held["one"]
    assert b"\x48two" not in held["one"]
    assert b"\x48two" in held["two"]
    assert b"\x48one" not in held["two"]
    await books.close()


async def test_budgets_are_bounded(tmp_path: Path) -> None:
    settings = WorkerSettings(
        Path(), Path(), captures_path=tmp_path / "c", capture=CaptureSettings(budgets_max=1)
    )
    async with serving(settings) as here:
        gateway = await here.connect()
        await Books(gateway).open()
        more = recording.OpenBudget(id="more", budget_id="more", granted_ms=1)
        assert await refusal(gateway, more) == "limit"
        await gateway.close()


async def test_a_worker_without_a_directory_takes_no_recordings() -> None:
    with running_worker() as worker:
        gateway = await worker.connect()
        assert gateway.welcome.captures_directory is None
        books = Books(gateway)
        assert await refusal(gateway, books.start_order()) == "captures_off"
        opening = recording.OpenBudget(id="1", budget_id="b", granted_ms=1)
        assert await refusal(gateway, opening) == "captures_off"
        answer = await gateway.ask(protocol.TakeSnapshot(id="2"))
        assert isinstance(answer, Done)
        await gateway.close()


def refused_start(directory: Path, captures: Path) -> str:
    result = subprocess.run(
        [
            *(sys.executable, "-m", "media", "--bind", "127.0.0.1"),
            *("--socket", str(directory / "media.sock")),
            *("--token-file", str(directory / "token")),
            *("--captures", str(captures)),
        ],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
    )
    assert result.returncode == 2, result.stderr
    assert "Traceback" not in result.stderr
    return result.stderr


def test_a_capture_directory_that_others_can_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    captures = tmp_path / "captures"
    captures.mkdir()
    captures.chmod(0o777)
    assert "writable by us alone" in refused_start(tmp_path, captures)


def test_a_capture_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    captures = tmp_path / "captures"
    captures.write_bytes(os.urandom(3))
    assert "cannot be made" in refused_start(tmp_path, captures)


def test_a_snapshot_of_a_full_worker_fits_into_one_message() -> None:
    settings = WorkerSettings(Path(), Path())
    leg = protocol.LegSnapshot(
        leg_id="l" * 40,
        kind=protocol.LegKind.WHATSAPP,
        tag="t" * 300,
        epoch=10**9,
        state=protocol.LegState.CONNECTED,
        sending=True,
        attached_to="l" * 40,
        held=False,
        muted=False,
        received_rtp=True,
        local_sdp=WHATSAPP_OFFER,
        packets_in=10**9,
        packets_out=10**9,
    )
    capture = recording.CaptureSnapshot(
        capture_id="c" * 64,
        budget_id="b" * 128,
        whatsapp_leg_id="l" * 40,
        state=recording.CaptureState.RECORDING,
        segment=999_999,
        written_ms=10**9,
        stop_reason=None,
    )
    budget = recording.BudgetSnapshot(
        budget_id="b" * 128,
        granted_ms=10**9,
        drawn_ms=10**9,
        grant_number=10**6,
        asked=10**6,
        is_asking=True,
    )
    snapshot = protocol.Snapshot(
        last_seq=10**12,
        legs=(leg,) * settings.legs_max,
        captures=(capture,) * settings.legs_max,
        budgets=(budget,) * settings.capture.budgets_max,
    )
    assert len(snapshot.model_dump_json()) < protocol.FRAME_BYTES_MAX
