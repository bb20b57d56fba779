"""What becomes of a call's two recordings, whatever Meta sends or fails to send."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from gateway.adapters.official_files import OfficialFiles
from gateway.adapters.sql_recording_life import SqlRecordingLife
from gateway.core.recording.intervals import Intervals
from gateway.core.recording.lifecycle import Life, Why
from gateway.core.recording.reconcile import Verdict
from gateway.core.recording.retention import TRASH_S
from gateway.core.whatsapp import FileKind
from gateway.ports.audit import Order
from gateway.ports.cases import KeptFile
from sandbox.faults import FaultKind, FaultSpec
from sandbox.sandbox import Sandbox
from tests.official.conftest import Recordings, digest
from tests.official.scene import DELAY_MS, Scene, length_ms, scene

pytestmark = pytest.mark.timeout(120)
OGG = "audio/ogg; codecs=opus"


async def tell(at: Scene, sandbox: Sandbox, content: bytes, sha256: str | None = None) -> None:
    """Meta has a file, and says so."""
    stored = sandbox.exchange.media.put(content, OGG)
    url = sandbox._media.link(stored.media_id)
    await at.announce(stored.media_id, sha256 or digest(content), url)


async def ended(at: Scene, verdict: Verdict, stored_ms: int, entries: Sequence[str]) -> None:
    """All is as it should be, and stays so when it is looked at again at the very end."""
    for _ in range(2):
        case = await at.case()
        assert case.conclusion is not None
        assert case.conclusion.verdict is verdict
        assert abs(case.conclusion.stored_ms - stored_ms) <= 20
        assert await at.charged_ms() == case.conclusion.stored_ms
        kinds = [entry.split()[0] for entry in await at.entries()]
        assert kinds == list(entries)
        found = await at.recordings.find(at.call_id)
        if case.conclusion.record is None:
            assert found is None
        else:
            assert found is not None
            played = at.folder / found.assembled.file
            assert abs(length_ms(played) - case.conclusion.stored_ms) <= 20
            assert found.assembled.duration_ms == case.conclusion.stored_ms
        at.clock.ahead_s = 9 * 86_400.0
        await at.reconciler.sweep()


@pytest.mark.parametrize(("channels", "files"), [(2, ["official"]), (1, ["call", "official"])])
async def test_a_recording_that_agrees_becomes_the_record(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox, channels: int, files: list[str]
) -> None:
    async with scene(tmp_path, sandbox.graph_url) as at:
        await at.record_ours(recordings.ours)
        await tell(at, sandbox, recordings.stereo if channels == 2 else recordings.mono)
        await at.work_off()
        await ended(at, Verdict.MATCHED, 20_000, ["settle"])
        names = {"call": "call.ogg", "official": "call.official.ogg"}
        assert at.files() == sorted(names[each] for each in files)
        [measured] = await at.cases.announcement_times((await at.case()).opening.announcement)  # type: ignore[arg-type]
        assert abs(measured - (DELAY_MS - 300)) <= 20


async def test_the_quota_cut_holds_for_metas_file_too(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox
) -> None:
    async with scene(tmp_path, sandbox.graph_url, capacity_ms=10_000) as at:
        await at.record_ours(recordings.ours_cut, stopped_by_quota=True)
        await tell(at, sandbox, recordings.stereo)
        await at.work_off()
        await ended(at, Verdict.TRIMMED_TO_QUOTA, 10_000, ["settle"])
        assert at.files() == ["call.official.ogg"]
        [kept] = at.folder.rglob("*.official.ogg")
        assert length_ms(kept) == 10_000


async def test_a_file_that_was_given_up_before_it_was_noted_is_made_once_more(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    cut, cuts = OfficialFiles.cut_fetched, []

    async def cut_and_sleep(
        files: OfficialFiles, fd: int, key: str, keep: Intervals
    ) -> KeptFile:
        made = await cut(files, fd, key, keep)
        cuts.append(key)
        if len(cuts) == 1:
            at.clock.ahead_s += 2 * 86_400.0
            await at.sweep()
            assert not (at.folder / key).exists(), "it was taken for left over"
        return made

    monkeypatch.setattr(OfficialFiles, "cut_fetched", cut_and_sleep)
    async with scene(tmp_path, sandbox.graph_url) as at:
        await at.record_ours(recordings.ours)
        await tell(at, sandbox, recordings.stereo)
        await at.work_off()
        assert len(cuts) == 2
        await ended(at, Verdict.MATCHED, 20_000, ["settle"])
        assert at.files() == ["call.official.ogg"]


async def test_a_recording_that_was_cut_short_stands_beside_ours(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox
) -> None:
    async with scene(tmp_path, sandbox.graph_url) as at:
        await at.record_ours(recordings.ours)
        await tell(at, sandbox, recordings.short)
        await at.work_off()
        await ended(at, Verdict.OFFICIAL_SHORTER, 20_000, ["settle"])
        assert at.files() == ["call.official.ogg", "call.ogg"]


@pytest.mark.parametrize("free_ms", [3_600_000, 4_000])
async def test_what_our_capture_lost_is_kept_as_far_as_minutes_are_free(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox, free_ms: int
) -> None:
    async with scene(tmp_path, sandbox.graph_url, capacity_ms=10_000 + free_ms) as at:
        await at.record_ours(recordings.ours_cut)
        await tell(at, sandbox, recordings.stereo)
        await at.work_off()
        stored = min(20_300, 10_000 + free_ms)
        await ended(at, Verdict.OFFICIAL_LONGER, stored, ["settle", "correction"])


async def test_a_lost_capture_is_made_up_for_by_metas_recording(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox
) -> None:
    async with scene(tmp_path, sandbox.graph_url) as at:
        await at.record_ours(None)
        await tell(at, sandbox, recordings.stereo)
        await at.work_off()
        await ended(at, Verdict.OFFICIAL_ONLY, 20_300, ["settle"])


async def test_a_recording_that_comes_before_ours_is_ready_waits_for_it(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox
) -> None:
    async with scene(tmp_path, sandbox.graph_url) as at:
        await tell(at, sandbox, recordings.stereo)
        await at.work_off(rounds=1)
        assert at.troubles == ["our own recording is being made"]
        assert (await at.case()).conclusion is None
        assert at.files() == []
        at.clock.ahead_s = 60.0
        await at.record_ours(recordings.ours)
        await at.work_off()
        await ended(at, Verdict.MATCHED, 20_000, ["settle"])


FAULTS = [
    FaultSpec(kind=FaultKind.GRAPH_SERVER_ERROR, match="download"),
    FaultSpec(kind=FaultKind.GRAPH_HTML, match="download"),
    FaultSpec(kind=FaultKind.GRAPH_RATE_LIMITED, match="download"),
    FaultSpec(kind=FaultKind.GRAPH_EXPIRED_TOKEN, match="download"),
    FaultSpec(kind=FaultKind.GRAPH_NOT_FOUND, match="download", times=2),
    FaultSpec(kind=FaultKind.GRAPH_RESET, match="download"),
    FaultSpec(kind=FaultKind.GRAPH_TIME_OUT, match="download", seconds=5),
    FaultSpec(kind=FaultKind.GRAPH_SLOW_BODY, match="download", seconds=2),
    FaultSpec(kind=FaultKind.GRAPH_TRUNCATED, match="download"),
    FaultSpec(kind=FaultKind.GRAPH_ENDLESS, match="download"),
    FaultSpec(kind=FaultKind.GRAPH_REDIRECT, match="download"),
    FaultSpec(kind=FaultKind.GRAPH_REDIRECT, match="download", to="https://files.example/x"),
    FaultSpec(kind=FaultKind.GRAPH_TRUNCATED, match="download", times=6),
]


@pytest.mark.parametrize("fault", FAULTS, ids=lambda each: f"{each.kind} {each.to[:12]}")
async def test_no_fault_of_metas_loses_a_recording_or_charges_it_twice(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox, fault: FaultSpec
) -> None:
    async with scene(tmp_path, sandbox.graph_url) as at:
        await at.record_ours(recordings.ours)
        sandbox.exchange.faults.add(fault)
        for _ in range(2):
            await tell(at, sandbox, recordings.stereo)
        await at.work_off()
        assert sandbox.exchange.faults.all()[0].fired
        await ended(at, Verdict.MATCHED, 20_000, ["settle"])


async def test_a_foreign_host_is_told_nothing_and_the_media_id_still_helps(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox
) -> None:
    seen: list[str] = []

    async def listen(request: web.Request) -> web.Response:
        seen.append(request.headers.get("Authorization", ""))
        return web.Response(body=recordings.stereo)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", listen)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    foreign = f"http://127.0.0.1:{runner.addresses[0][1]}/file"
    try:
        async with scene(tmp_path, sandbox.graph_url) as at:
            await at.record_ours(recordings.ours)
            stored = sandbox.exchange.media.put(recordings.stereo, OGG)
            await at.announce(stored.media_id, digest(recordings.stereo), foreign)
            redirect = FaultSpec(kind=FaultKind.GRAPH_REDIRECT, match="download", to=foreign)
            sandbox.exchange.faults.add(redirect)
            await at.work_off()
            assert [each.partition(":")[0] for each in at.troubles] == ["foreign_host"] * 2
            await ended(at, Verdict.MATCHED, 20_000, ["settle"])
    finally:
        await runner.cleanup()
    assert seen == []


async def test_a_digest_that_stays_wrong_keeps_ours_until_the_right_file_comes(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox
) -> None:
    async with scene(tmp_path, sandbox.graph_url) as at:
        await at.record_ours(recordings.ours)
        await tell(at, sandbox, recordings.stereo, digest(b"something else"))
        await at.work_off(rounds=6)
        await ended(at, Verdict.CORRUPT, 20_000, ["settle"])
    async with scene(tmp_path / "again", sandbox.graph_url) as at:
        await at.record_ours(recordings.ours)
        await tell(at, sandbox, recordings.stereo, digest(b"something else"))
        await at.work_off(rounds=6)
        at.clock.ahead_s = 0.0
        await tell(at, sandbox, recordings.stereo)
        await at.work_off(rounds=2)
        await ended(at, Verdict.MATCHED, 20_000, ["settle"])


@pytest.mark.parametrize("content", [b"", b"\x89PNG\r\n", b"OggS" + bytes(200)])
async def test_a_file_that_is_no_recording_is_corrupt_for_good(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox, content: bytes
) -> None:
    async with scene(tmp_path, sandbox.graph_url) as at:
        await at.record_ours(recordings.ours)
        await tell(at, sandbox, content)
        await at.work_off()
        await ended(at, Verdict.CORRUPT, 20_000, ["settle"])
        assert at.files() == ["call.ogg"]


async def test_nothing_comes(tmp_path: Path, recordings: Recordings, sandbox: Sandbox) -> None:
    async with scene(tmp_path, sandbox.graph_url) as at:
        await at.record_ours(recordings.ours)
        assert (await at.case()).conclusion is None
        at.clock.ahead_s = 16 * 60.0
        await at.reconciler.sweep()
        await ended(at, Verdict.LOCAL_ONLY, 20_000, ["settle"])
        case = await at.case()
        assert case.conclusion is not None
        assert case.conclusion.is_final


async def test_what_was_deleted_is_not_fetched(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox
) -> None:
    async with scene(tmp_path, sandbox.graph_url) as at:
        await at.record_ours(recordings.ours)
        life = SqlRecordingLife(at.database)
        order = Order(at.clock.wall())
        await life.delete(at.account_id, at.call_id, why=Why.HAND, order=order)
        await at.reconciler.settle(at.call_id)
        await tell(at, sandbox, recordings.stereo)
        await at.work_off()
        assert at.troubles == ["the books of its call are closed"]
        case = await at.case()
        assert case.conclusion is not None
        assert case.conclusion.verdict is Verdict.DELETED
        found = await life.find(at.account_id, at.call_id)
        assert (found.state, found.gone_after) == (Life.TRASHED, order.at + TRASH_S)
        assert at.files() == ["call.ogg"], "its bytes go when the deletion said"
        assert await at.charged_ms() == 0


async def test_of_a_transcript_only_what_is_kept_is_kept(
    tmp_path: Path, recordings: Recordings, sandbox: Sandbox
) -> None:
    document: dict[str, Any] = {
        "transcript": {
            "language": "en",
            "segments": [
                {"speaker": "Business", "start": 1.0, "end": 2.0, "text": "Good morning"},
                {"speaker": "Customer", "start": 15.0, "end": 16.0, "text": "Good bye"},
            ],
        }
    }
    content = json.dumps(document).encode()
    async with scene(tmp_path, sandbox.graph_url, capacity_ms=10_000) as at:
        stored = sandbox.exchange.media.put(content, "application/json")
        kind = FileKind.TRANSCRIPT
        await at.announce(stored.media_id, digest(content), None, kind=kind)
        await at.work_off(rounds=1)
        assert at.troubles == ["its recording is being compared"]
        at.clock.ahead_s = 0.0
        await at.record_ours(recordings.ours_cut, stopped_by_quota=True)
        await tell(at, sandbox, recordings.stereo)
        await at.work_off()
        kept = await at.transcripts.find(at.call_id)
        assert kept is not None
        assert kept.text == "business: Good morning"
