"""The gateway's commands, from the messages to the files."""

from pathlib import Path

import pytest
from pydantic import TypeAdapter, ValidationError

from media.capture_book import CaptureConflict
from media.capture_commands import BudgetCommand, carry_out_on_budget, carry_out_on_call
from media.capture_format import StopReason
from media.protocol_capture import (
    CaptureCommand,
    CaptureState,
    CloseBudget,
    GrantBudget,
    OpenBudget,
    PauseCapture,
    RefuseBudget,
    ResumeCapture,
    StartCapture,
    StopCapture,
)
from tests.media_capture.rig import Rig, rig

START = StartCapture(
    id="2", epoch=1, whatsapp_leg_id="leg", capture_id="call", budget_id="b", blob="blob"
)


def on_call(
    up: Rig, command: StartCapture | PauseCapture | ResumeCapture | StopCapture
) -> CaptureState | None:
    found = carry_out_on_call(up.captures, command, now=up.now, unix_ms=1)
    return None if found is None else found.state


def test_a_call_is_captured_from_first_to_last_command(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        budget = OpenBudget(id="1", budget_id="b", granted_ms=5_000)
        assert carry_out_on_budget(up.captures, budget, up.now).granted_ms == 5_000
        assert on_call(up, START) is CaptureState.RECORDING
        up.taps["call"] = up.captures.tap("call")
        up.run(2)
        target = {"id": "3", "epoch": 1, "capture_id": "call"}
        assert on_call(up, PauseCapture.model_validate(target)) is CaptureState.PAUSED
        up.run(1)
        assert on_call(up, ResumeCapture.model_validate(target)) is CaptureState.RECORDING
        up.run(1)
        close = CloseBudget(id="9", budget_id="b")
        with pytest.raises(CaptureConflict, match="still draw"):
            carry_out_on_budget(up.captures, close, up.now)
        assert on_call(up, StopCapture.model_validate(target)) is CaptureState.ENDING
        up.tick()
        up.flush()
        assert on_call(up, StopCapture.model_validate(target)) is None
        assert carry_out_on_budget(up.captures, close, up.now).drawn_ms == 3_000
        (file,) = up.files()
    assert (file.duration_ms, file.end_reason) == (3_000, StopReason.COMMAND)
    assert file.header.blob == "blob"


def test_grants_and_refusals_reach_the_budget(tmp_path: Path) -> None:
    with rig(tmp_path) as up:
        carry_out_on_budget(
            up.captures, OpenBudget(id="1", budget_id="b", granted_ms=0), up.now
        )
        grant = GrantBudget(id="2", budget_id="b", number=1, granted_ms=400, answers=0)
        assert carry_out_on_budget(up.captures, grant, up.now).granted_ms == 400
        on_call(up, START)
        refusal = RefuseBudget(
            id="3", budget_id="b", answers=0, reason=StopReason.BUDGET_CLOSED
        )
        carry_out_on_budget(up.captures, refusal, up.now)
        up.run(1)
        (file,) = up.finish()
    assert (file.duration_ms, file.end_reason) == (400, StopReason.BUDGET_CLOSED)


@pytest.mark.parametrize(
    "command",
    [
        PauseCapture(id="1", epoch=1, capture_id="none"),
        ResumeCapture(id="1", epoch=1, capture_id="none"),
        START,
    ],
)
def test_what_is_unknown_is_a_conflict(
    tmp_path: Path, command: StartCapture | PauseCapture | ResumeCapture
) -> None:
    with rig(tmp_path) as up, pytest.raises(CaptureConflict, match="no such"):
        on_call(up, command)


def test_an_unknown_budget_is_a_conflict(tmp_path: Path) -> None:
    commands: list[BudgetCommand] = [
        GrantBudget(id="1", budget_id="x", number=1, granted_ms=1),
        RefuseBudget(id="1", budget_id="x", answers=1),
        CloseBudget(id="1", budget_id="x"),
    ]
    with rig(tmp_path) as up:
        for command in commands:
            with pytest.raises(CaptureConflict, match="no such budget"):
                carry_out_on_budget(up.captures, command, up.now)


@pytest.mark.parametrize(
    "fields",
    [
        {"type": "open_budget", "id": "1", "budget_id": "b", "granted_ms": -1},
        {"type": "open_budget", "id": "1", "budget_id": "b", "granted_ms": 10**15},
        {"type": "grant_budget", "id": "1", "budget_id": "b", "number": 0, "granted_ms": 1},
        {
            "type": "refuse_budget",
            "id": "1",
            "budget_id": "b",
            "answers": 1,
            "reason": "command",
        },
        START.model_dump() | {"capture_id": "../escape"},
        START.model_dump() | {"capture_id": "a" * 65},
        START.model_dump() | {"first_segment": -1},
    ],
)
def test_absurd_commands_do_not_pass_the_border(fields: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter[CaptureCommand](CaptureCommand).validate_python(fields)
