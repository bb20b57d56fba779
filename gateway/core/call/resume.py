"""What to do after a restart with a command that was decided but not known to be done."""

from enum import StrEnum
from typing import assert_never

from gateway.core.call.bridge import may_send
from gateway.core.call.call import Call, LegStage, Signalling
from gateway.core.call.commands import (
    Accept,
    AnswerWhatsApp,
    ApplyAnswer,
    Attach,
    CloseLeg,
    Command,
    Connect,
    Detach,
    GraphCommand,
    HoldMinutes,
    MediaCommand,
    MinutesCommand,
    OfferWhatsApp,
    OpenCase,
    PlayAnnouncement,
    PreAccept,
    Reject,
    ReleaseMinutes,
    SetHold,
    SetMute,
    StartCapture,
    StartSending,
    StopCapture,
    TellAgent,
    Terminate,
)
from gateway.core.call.recording import is_announcing_ourselves, is_undecided
from gateway.core.recording.stage import RecordingStage


class Resumption(StrEnum):
    """The three ways out."""

    REPEAT = "repeat"
    """Repeating has no second effect."""
    DROP = "drop"
    """The call has moved on."""
    UNCLEAR = "unclear"
    """Never repeated; whether it had its effect must come out otherwise."""


def resumption(call: Call, command: Command) -> Resumption:
    """Judge one pending command against the call as it was committed last."""
    match command:
        case Connect():
            is_open = call.signalling is Signalling.CONNECT_SENT
            return Resumption.UNCLEAR if is_open else Resumption.DROP
        case PreAccept() | Accept() | Reject() | Terminate():
            return _repeat_if(_is_request_open(call, command))
        case TellAgent():
            return Resumption.DROP
        case HoldMinutes() | ReleaseMinutes() | StartCapture() | StopCapture() | OpenCase():
            return _repeat_if(_is_recording_open(call, command))
        case _:
            return _repeat_if(_is_order_open(call, command))


def _repeat_if(is_open: bool) -> Resumption:
    return Resumption.REPEAT if is_open else Resumption.DROP


def _is_request_open(call: Call, command: GraphCommand) -> bool:
    match command:
        case PreAccept():
            return not call.is_ended and call.signalling is Signalling.PRE_ACCEPTED
        case Accept():
            return not call.is_ended and call.signalling is Signalling.ACCEPTING
        case Reject() | Terminate():
            return not call.end.is_over_at_meta
        case Connect():
            return False
        case _:
            assert_never(command)


def _is_recording_open(call: Call, command: MinutesCommand) -> bool:
    match command:
        case HoldMinutes():
            return not call.is_ended and is_undecided(call)
        case StartCapture(leg_id):
            is_due = call.recording.stage is RecordingStage.CAPTURING
            return not call.is_ended and is_due and leg_id == call.whatsapp.leg_id
        case ReleaseMinutes() | StopCapture() | OpenCase():
            return True
        case _:
            assert_never(command)


def _is_order_open(call: Call, command: MediaCommand) -> bool:  # noqa: PLR0911 - a table
    """Whether the order still fits; legs are compared by name, as both may be replaced."""
    leg = call.whatsapp
    agent_leg = None if call.agent is None else call.agent.leg
    match command:
        case AnswerWhatsApp(leg_id=leg_id) | OfferWhatsApp(leg_id=leg_id):
            return leg_id == leg.leg_id and leg.stage is LegStage.ORDERED
        case ApplyAnswer(leg_id=leg_id):
            return leg_id == leg.leg_id and leg.stage is LegStage.MADE
        case Attach(agent_leg=leg_id):
            return may_send(call) and agent_leg is not None and agent_leg.leg_id == leg_id
        case Detach():
            return may_send(call) and agent_leg is None
        case StartSending():
            return may_send(call)
        case SetMute(muted=muted):
            return not call.is_ended and call.is_muted == muted
        case SetHold(held=held):
            return not call.is_ended and call.is_held == held
        case PlayAnnouncement(leg_id=leg_id):
            return is_announcing_ourselves(call) and leg_id == leg.leg_id
        case CloseLeg():
            return True
        case _:
            assert_never(command)
