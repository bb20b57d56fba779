"""`callgate recording …` about the life of recordings, as an operator types."""

import asyncio
import json
import zipfile
from pathlib import Path

import pytest

from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId
from gateway.core.whatsapp import Peer
from gateway.foundation import open_foundation
from gateway.settings import load
from tests.adapters.sql.rows import a_call
from tests.cli.conftest import CALL, CID, OTHER, Callgate, Record


def test_a_scrub_tells_what_it_read_and_that_all_is_right(
    callgate: Callgate, record: Record
) -> None:
    record()
    assert "1 files read, 1,000 bytes" in callgate("recording", "scrub").out
    told = json.loads(callgate("recording", "scrub", "--json").out)
    assert told["is_clean"]
    assert told["checked"] == 1


def test_a_scrub_names_what_is_damaged_and_ends_with_1(
    callgate: Callgate, record: Record
) -> None:
    path = record()
    path.write_bytes(b"another")
    ran = callgate("recording", "scrub", code=1)
    assert f"{CALL}.ogg: damaged" in ran.out
    path.unlink()
    assert f"{CALL}.ogg: missing" in callgate("recording", "scrub", code=1).out


def test_a_dry_run_tells_what_goes_when_and_nothing_goes(
    callgate: Callgate, record: Record
) -> None:
    record(age_s=730 * 86_400)
    record(OTHER)
    out = callgate("recording", "retention", "--dry-run", "--days", "10").out
    [header, row] = out.splitlines()
    assert header.split() == ["customer", "on", "recordings", "minutes", "bytes", "held"]
    assert row.split()[2:] == ["1", "0.0", "1,000", "0"], "it was never charged"
    assert "2" in callgate("recording", "retention", "--dry-run", "--days", "800").out


def test_retention_lets_go_what_is_over_and_its_bytes(
    callgate: Callgate, record: Record
) -> None:
    path, kept = record(age_s=735 * 86_400), record(OTHER)
    out = callgate("recording", "retention").out
    assert out == "1 recordings were over; 1 files are gone\n"
    assert not path.exists()
    assert kept.exists()
    assert callgate("recording", "retention").out.startswith("0 recordings")
    assert "leave out" in callgate("recording", "retention", CID, code=1).err


def test_what_is_held_cannot_be_deleted_until_it_is_released(
    callgate: Callgate, record: Record
) -> None:
    record()
    callgate("recording", "hold", CID, CALL, "--reason", "case 7")
    ran = callgate("recording", "delete", CID, CALL, "--yes", code=1)
    assert "held: release it first" in ran.out
    callgate("recording", "release", CID, CALL)
    assert f"{CALL}: deleted" in callgate("recording", "delete", CID, CALL, "--yes").out
    assert "deleted before" in callgate("recording", "delete", CID, CALL, "--yes").out


def test_unknown_recordings_are_told(callgate: Callgate, record: Record) -> None:
    ran = callgate("recording", "delete", CID, "nonsense", "--yes", code=1)
    assert "nonsense: unknown" in ran.out
    assert (
        "no such recording"
        in callgate("recording", "hold", CID, "nonsense", "--reason", "x", code=1).err
    )


def test_rules_are_shown_and_changed(callgate: Callgate, record: Record) -> None:
    assert "for two years" in callgate("recording", "rules", CID).out
    words = callgate(
        *("recording", "rules", CID, "--days", "30", "--when-full", "rotate"),
        *("--encrypt", "--yes"),
    ).out
    assert words == (
        "recordings are kept for 30 days; the oldest make room when minutes run out; "
        "files are sealed\n"
    )
    assert callgate("recording", "rules", CID).out == words
    assert "for two years" in callgate("recording", "rules", CID, "--days", "0", "--yes").out


@pytest.mark.parametrize("days", ["-1", "-730", "40000"])
def test_a_retention_that_makes_no_sense_is_refused(
    callgate: Callgate, record: Record, days: str
) -> None:
    ran = callgate("recording", "rules", CID, "--days", days, "--yes", code=1)
    assert "1 to 36,600 days" in ran.err


def test_a_customer_is_forgotten(callgate: Callgate, record: Record) -> None:
    out = callgate("recording", "erase", CID, "--phone", "+628123", "--yes").out
    assert out == "0 calls forgotten, 0 recordings deleted\n"
    assert "phone number or user id" in callgate("recording", "erase", CID, "--yes", code=1).err


def test_a_customer_is_exported_with_all_that_is_kept(
    callgate: Callgate, record: Record, tmp_path: Path
) -> None:
    path, output = record(), tmp_path / "budi.zip"
    asyncio.run(_called(CALL))
    ran = callgate("recording", "export", CID, "--phone", "+628123", "-o", str(output))
    assert f"{output}: 1 calls, 1 recordings, " in ran.out
    assert output.stat().st_mode & 0o077 == 0
    archive = zipfile.ZipFile(output)
    assert archive.testzip() is None
    [name] = [name for name in archive.namelist() if name.startswith("recordings/")]
    assert archive.read(name) == path.read_bytes()
    assert asyncio.run(_deeds()) == ["recording.downloaded", "customer.exported"]


def test_an_export_writes_over_nothing_and_leaves_nothing_unfinished(
    callgate: Callgate, record: Record, tmp_path: Path
) -> None:
    output = tmp_path / "budi.zip"
    output.write_text("mine")
    arguments = ("recording", "export", CID, "--phone", "628123", "-o")
    assert "is there already" in callgate(*arguments, str(output), code=1).err
    assert output.read_text() == "mine"
    nowhere = tmp_path / "nowhere" / "budi.zip"
    assert "cannot write" in callgate(*arguments, str(nowhere), code=1).err
    unnamed = callgate("recording", "export", CID, "-o", str(tmp_path / "a.zip"), code=1)
    assert "phone number or user id" in unnamed.err
    unknown = ("recording", "export", "C-9", "--phone", "628123", "-o")
    callgate(*unknown, str(tmp_path / "a.zip"), code=1)
    assert [each.name for each in tmp_path.iterdir() if each.name != "data"] == ["budi.zip"]


async def _called(call_id: CallId) -> None:
    async with open_foundation(load(), SystemClock()) as stores:
        account_id = (await stores.accounts.account(CID)).account_id
        await stores.calls.create(
            a_call(account_id, call_id=call_id, peer=Peer(phone="628123", name="Budi"))
        )


async def _deeds() -> list[str]:
    async with open_foundation(load(), SystemClock()) as stores:
        account_id = (await stores.accounts.account(CID)).account_id
        recent = await stores.audit.recent(account_id, limit=2)
        return [entry.action for entry in recent]
