"""`callgate recording reconcile` and `callgate recording verify CALL_ID… | --all`."""

import asyncio
import csv
import io
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId
from gateway.core.quota.charge import Stamp
from gateway.core.recording.facts import LocalCopy, Mode
from gateway.core.recording.intervals import Interval
from gateway.core.recording.reconcile import Conclusion, Verdict
from gateway.core.recording.report import REPORT_COLUMNS
from gateway.foundation import open_foundation
from gateway.ports.cases import Opening
from gateway.settings import load
from tests.cli.conftest import CALL, CID, OTHER, Callgate, Record

NOON = datetime(2026, 3, 10, 12, tzinfo=ZoneInfo("Asia/Jakarta")).timestamp()


async def _lose(call_id: CallId) -> None:
    """A call whose recordings are both lost."""
    async with open_foundation(load(), SystemClock()) as stores:
        account_id = (await stores.accounts.account(CID)).account_id
        await stores.cases.open(Opening(call_id, account_id, Mode.LOCAL, NOON))
        await stores.cases.tell(call_id, LocalCopy((Interval(0, 61_500),)), now=NOON)
        case = await stores.cases.load(call_id)
        assert case is not None
        lost = replace(case, conclusion=Conclusion(Verdict.LOST, None, 0))
        assert await stores.cases.conclude(lost, look_at=None, stamp=Stamp(NOON))


def test_kept_files_are_read_again_and_found_sound(callgate: Callgate, record: Record) -> None:
    record()
    out = callgate("recording", "verify", CALL).out
    assert f"{CALL}  local" in out
    assert out.endswith("files: 1 (1 sound)\n")
    record(OTHER)
    assert "files: 2 (2 sound)" in callgate("recording", "verify", "--all").out
    assert "files: 2 (2 sound)" in callgate("recording", "verify", CALL, OTHER).out


@pytest.mark.parametrize(("harm", "finding"), [("flip", "DAMAGED"), ("unlink", "MISSING")])
def test_a_file_that_is_not_what_was_stored_is_named(
    callgate: Callgate, record: Record, harm: str, finding: str
) -> None:
    path: Path = record()
    record(OTHER)
    if harm == "flip":
        content = bytearray(path.read_bytes())
        content[500] ^= 1
        path.write_bytes(content)
    else:
        path.unlink()
    for what in (["--all"], [CALL, OTHER]):
        out = callgate("recording", "verify", *what, code=1).out
        [line] = [line for line in out.splitlines() if line.startswith(CALL)]
        assert line.endswith(finding)
        assert f"1 {finding}" in out
        assert "1 sound" in out


def test_what_cannot_be_verified_is_said(callgate: Callgate, record: Record) -> None:
    record()
    err = callgate("recording", "verify", "z" * 26, code=1).err
    assert "no recording" in err
    assert "--all" in callgate("recording", "verify", code=1).err
    assert "--all" in callgate("recording", "verify", CALL, "--all", code=1).err
    assert "--key" in callgate("recording", "verify", CALL, "--key", "k", code=1).err
    assert "files: 0" in _empty(callgate)


def _empty(callgate: Callgate) -> str:
    callgate("recording", "delete", CID, CALL, "--yes")
    return callgate("recording", "verify", "--all").out


def test_days_are_added_up_for_every_account_or_one(callgate: Callgate, record: Record) -> None:
    record()
    asyncio.run(_lose(CALL))
    callgate("account", "add", "C-2", "--name", "Other", "--timezone", "UTC")
    days = ("--from", "2026-03-10", "--to", "2026-03-10")
    out = callgate("recording", "reconcile", *days).out
    assert f"{CID}, days in Asia/Jakarta" in out
    assert "C-2, days in UTC" in out
    assert "2026-03-10  1" in out
    assert "lost 1" in out
    assert "1:01.500" in out
    only = callgate("recording", "reconcile", "--account", "C-2", *days).out
    assert CID not in only


def test_the_report_is_csv_where_that_is_wanted(callgate: Callgate, record: Record) -> None:
    record()
    asyncio.run(_lose(CALL))
    out = callgate("recording", "reconcile", "--csv", "--to", "2026-03-20").out
    header, line = csv.reader(io.StringIO(out))
    assert tuple(header) == ("cid", *REPORT_COLUMNS)
    cells = dict(zip(header, line, strict=True))
    assert (cells["cid"], cells["day"], cells["lost"]) == (CID, "2026-03-10", "1")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--from", "yesterday"], "YYYY-MM-DD"),
        (["--from", "2026-03-10", "--to", "2026-03-09"], "366 days"),
        (["--from", "2020-01-01", "--to", "2026-03-09"], "366 days"),
        (["--account", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_reported_is_said(
    callgate: Callgate, record: Record, words: list[str], told: str
) -> None:
    record()
    assert told in callgate("recording", "reconcile", *words, code=1).err
