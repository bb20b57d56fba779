"""What of a call's steps belongs into its chain: all that bears on its recording."""

from gateway.core.call.call import Call
from gateway.core.call.commands import Accept, Command, Commands, Connect, PlayAnnouncement
from gateway.core.call.ending import outcome_of
from gateway.core.recording.evidence import EvidenceKind, Happening
from gateway.core.recording.stage import RecordingStage

HEARD_BY = ["customer", "agent"]
"""An announcement is spoken into both directions of the call."""


def happenings(
    before: Call | None, after: Call, commands: Commands, now: float
) -> tuple[Happening, ...]:
    """Return what to chain of one step; nothing of calls that nobody wants recorded.

    `before` is None for the step that began the call.
    """
    if not _is_about_recording(before, after):
        return ()
    found: list[Happening] = []
    if before is None:
        found.append(_started(after, now))
    found += [
        Happening(EvidenceKind.ANNOUNCEMENT_ASKED, now, facts)
        for command in commands
        if not _is_repeated(before, command) and (facts := _asked(command)) is not None
    ]
    found += _of_people(before, after, now)
    found += _of_stage(before, after, now)
    outcome = outcome_of(after)
    if outcome is not None and (before is None or outcome_of(before) is None):
        found.append(Happening(EvidenceKind.CALL_ENDED, now, {"outcome": outcome.value}))
    return tuple(found)


def _is_about_recording(before: Call | None, after: Call) -> bool:
    calls = (after,) if before is None else (before, after)
    return any(call.recording.stage is not RecordingStage.OFF for call in calls)


def _started(call: Call, now: float) -> Happening:
    wish = call.terms.wish
    facts = {
        "direction": call.direction.value,
        "number": call.identity.phone_number_id,
        "records": call.terms.records.value,
        "mode": wish.mode.value,
    }
    return Happening(EvidenceKind.CALL_STARTED, now, facts)


def _asked(command: Command) -> dict[str, object] | None:
    """Return which announcement a command has spoken, and by whom."""
    match command:
        case Connect(asked=asked) | Accept(asked=asked) if asked.announcement is not None:
            announcement = asked.announcement
            return {
                "by": "whatsapp",
                "language": announcement.language,
                "about": announcement.kind.value,
                "sentence": announcement.sentence,
            }
        case PlayAnnouncement(announcement_id=announcement_id):
            return {"by": "gateway", "announcement": announcement_id}
        case _:
            return None


def _is_repeated(before: Call | None, command: Command) -> bool:
    """Our own announcement is ordered again to learn whether it is over."""
    was = None if before is None else before.recording.stage
    return isinstance(command, PlayAnnouncement) and was is RecordingStage.ANNOUNCING


def _of_people(before: Call | None, after: Call, now: float) -> list[Happening]:
    found: list[Happening] = []
    had = None if before is None or before.agent is None else before.agent.user_id
    has = None if after.agent is None else after.agent.user_id
    if has is not None and has != had:
        found.append(Happening(EvidenceKind.CALL_AGENT, now, {"agent": has}))
    if after.answered_at is not None and (before is None or before.answered_at is None):
        found.append(Happening(EvidenceKind.CALL_ANSWERED, now, {"agent": has}))
    return found


def _of_stage(before: Call | None, after: Call, now: float) -> list[Happening]:
    was = None if before is None else before.recording.stage
    stage, reason = after.recording.stage, after.recording.reason
    if stage is was:
        return []
    found: list[Happening] = []
    agent = None if after.agent is None else after.agent.user_id
    heard = {"heard_by": HEARD_BY, "agent": agent}
    if was is RecordingStage.ANNOUNCING:
        is_over = stage is RecordingStage.CAPTURING
        ended, cut = EvidenceKind.ANNOUNCEMENT_ENDED, EvidenceKind.ANNOUNCEMENT_CUT_SHORT
        found.append(Happening(ended if is_over else cut, now, heard))
    match stage:
        case RecordingStage.READY:
            found.append(Happening(EvidenceKind.MINUTES_HELD, now))
        case RecordingStage.ANNOUNCING:
            found.append(Happening(EvidenceKind.ANNOUNCEMENT_BEGAN, now, heard))
        case RecordingStage.CAPTURING:
            found.append(Happening(EvidenceKind.CAPTURE_ORDERED, now))
        case RecordingStage.REFUSED:
            facts = {"reason": None if reason is None else reason.value}
            found.append(Happening(EvidenceKind.RECORDING_REFUSED, now, facts))
        case RecordingStage.FAILED:
            facts = {"reason": None if reason is None else reason.value}
            found.append(Happening(EvidenceKind.CAPTURE_FAILED, now, facts))
        case _:
            pass
    return found
