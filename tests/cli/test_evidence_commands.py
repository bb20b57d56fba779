"""`callgate evidence …` and `callgate recording evidence|verify`."""

import asyncio
from pathlib import Path

import pytest

from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId, NodeId, PhoneNumberId
from gateway.core.recording.evidence import Happening
from gateway.core.whatsapp import Direction, Peer
from gateway.foundation import Foundation, open_foundation
from gateway.ports.calls import CallRow
from gateway.settings import load
from tests.cli.conftest import Callgate

CALL = CallId("c" * 26)


@pytest.fixture
def call(callgate: Callgate) -> CallId:
    """A recorded call of an account."""
    callgate("account", "add", "acme", "--name", "Acme", "--timezone", "Asia/Jakarta")

    async def work(stores: Foundation) -> None:
        account = await stores.accounts.account("acme")
        row = CallRow(
            call_id=CALL,
            account_id=account.account_id,
            phone_number_id=PhoneNumberId("1"),
            wacid=None,
            direction=Direction.INBOUND,
            state="ended",
            version=1,
            owner_node=NodeId("n"),
            owner_epoch=1,
            agent_id=None,
            peer=Peer(phone="628111222333"),
            created_at=1_790_000_000.0,
            answered_at=None,
            ended_at=1_790_000_060.0,
            outcome="completed",
            snapshot="{}",
        )
        await stores.calls.create(row, evidence=[Happening("call.started", 1_790_000_000.0)])

    async def run() -> None:
        async with open_foundation(load(), SystemClock()) as stores:
            await work(stores)

    asyncio.run(run())
    return CALL


def test_evidence_is_written_and_checked_without_anything_else(
    callgate: Callgate, call: CallId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "evidence.tar"
    assert "1 call signed" in callgate("evidence", "seal").out
    callgate("recording", "evidence", call, "-o", str(file))
    shown = callgate("evidence", "key").out
    key_id = shown.split()[1].rstrip(",")
    assert "BEGIN PUBLIC KEY" in shown
    assert "PRIVATE" not in shown
    # Elsewhere: no settings, no database.
    monkeypatch.setenv("CALLGATE_DATA_DIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("CALLGATE_DATABASE_URL", "nonsense")
    ran = callgate("recording", "verify", str(file), "--key", key_id)
    assert f"sound: call {call}" in ran.out
    assert "events: 1, 1 of them below daily roots" in ran.out
    assert not (tmp_path / "elsewhere").exists()
    assert "Compare" in callgate("recording", "verify", str(file)).out


def test_a_flipped_bit_or_a_key_that_is_not_trusted_fails(
    callgate: Callgate, call: CallId, tmp_path: Path
) -> None:
    file = tmp_path / "evidence.tar"
    callgate("recording", "evidence", call, "-o", str(file))
    ran = callgate("recording", "verify", str(file), "--key", "0" * 16, code=1)
    assert "not trusted" in ran.err
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)
    assert "NOT sound" in callgate("recording", "verify", str(file), code=1).err


def test_what_cannot_be_is_refused_in_words(
    callgate: Callgate, call: CallId, tmp_path: Path
) -> None:
    file = tmp_path / "there"
    file.write_text("x")
    ran = callgate("recording", "evidence", call, "-o", str(file), code=1)
    assert "there already" in ran.err
    fresh = tmp_path / "fresh"
    assert (
        "no such call"
        in callgate("recording", "evidence", "z" * 26, "-o", str(fresh), code=1).err
    )
    nowhere = str(tmp_path / "none" / "x")
    assert "cannot write" in callgate("recording", "evidence", call, "-o", nowhere, code=1).err
    assert "NOT sound" in callgate("recording", "verify", str(file), code=1).err
    assert "cannot read" in callgate("recording", "verify", nowhere, code=1).err


def test_a_new_key_signs_from_now_on_and_moves_with_the_ring(callgate: Callgate) -> None:
    callgate("evidence", "key")
    shown = callgate("evidence", "key", "--renew").out
    assert shown.count("BEGIN PUBLIC KEY") == 2
    callgate("key", "reseal")
    assert callgate("evidence", "key").out == shown
