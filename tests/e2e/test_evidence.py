"""The evidence of a real call that WhatsApp announced and recorded."""

import asyncio
import io
import sys

import pytest

from gateway.adapters.ed25519_keys import Ed25519Signatures
from gateway.core.recording.evidence_package import check_package
from tests.e2e.conftest import OpenStack
from tests.e2e.talks import take_call
from tests.e2e.test_official_recording import SPEECH, ask_meta, talked, verdict
from tests.e2e.test_recording import recording

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]


async def test_a_recorded_call_proves_who_heard_what_and_what_was_kept(
    open_stack: OpenStack,
) -> None:
    async with recording(open_stack, 3_600_000) as room:
        await ask_meta(room)
        talk = await take_call(room.stack, room.agent, says=SPEECH)
        await talked(room, talk, 6.0)
        conclusion = await verdict(room, talk)
        file = room.stack.folder / "evidence.tar"
        packing = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "gateway", "recording", "evidence", talk.call_id),
            *("-o", str(file)),
            env={"CALLGATE_DATA_DIR": str(room.stack.folder / "data")},
        )
        assert await packing.wait() == 0
        report = check_package(io.BytesIO(file.read_bytes()), Ed25519Signatures())
        assert report.call == talk.call_id
        assert report.verdict == conclusion["verdict"]
        assert report.recordings
        content = file.read_bytes().decode("latin-1")
        for kind in (
            "call.started",
            "minutes.held",
            "announcement.asked",
            "announcement.began",
            "announcement.ended",
            "capture.went",
            "capture.stopped",
            "recording.made",
            "official.announced",
            "official.verified",
            "verdict",
        ):
            assert f'"kind":"{kind}"' in content, kind
