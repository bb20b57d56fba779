"""A call as browsers see it: exactly the fields of the REST and WebSocket contract."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

from gateway.core.call.call import Call, DeadlineKind, Problem
from gateway.core.call.ending import outcome_of
from gateway.core.ids import UserId
from gateway.core.quality import Quality
from gateway.core.recording.outcome import RecordingOutcome
from gateway.core.recording.reconcile import Verdict
from gateway.core.recording.stage import CallRecording, RecordingStage
from gateway.ports import Json
from gateway.runtime.capture_board import CaptureNow

_STATES: Mapping[Verdict, str] = {Verdict.LOST: "lost", Verdict.DELETED: "deleted"}
"""Of recordings that are not there although something was recorded."""


@dataclass(frozen=True, slots=True)
class PeerView:
    """The WhatsApp user."""

    name: str | None
    phone: str | None
    user_id: str | None
    username: str | None


@dataclass(frozen=True, slots=True)
class NumberView:
    """The business number."""

    id: str
    display: str


@dataclass(frozen=True, slots=True)
class AgentView:
    """The agent on the call."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class MetaView:
    """What Meta said."""

    code: int
    message: str
    details: str


@dataclass(frozen=True, slots=True)
class ProblemView:
    """Why a call did not go well."""

    code: str
    detail: str
    meta: MetaView | None


@dataclass(frozen=True, slots=True)
class QualityView:
    """How both sides fare; None where nothing is known yet."""

    agent: Quality | None
    whatsapp: Quality | None


@dataclass(frozen=True, slots=True)
class OutcomeView:
    """What became of both recordings of a call that is over."""

    verdict: str | None
    """None: they have not been compared yet."""
    final: bool
    record: str | None
    stored_ms: int | None
    official_ms: int | None
    local_ms: int | None
    offset_ms: int | None
    digest: str
    cut_by_quota: bool


@dataclass(frozen=True, slots=True)
class RecordingView:
    """The recording of a call whose account wants one."""

    state: str
    """Of the call's `RecordingStage`, or of its `CaptureState` while it is captured; `lost` or
    `deleted` where that became of it."""
    reason: str | None
    written_ms: int | None
    """While it is captured."""
    ends_at: str | None
    """When the minutes will be used up, once that is near."""
    duration_ms: int | None
    """Once it is kept."""
    outcome: OutcomeView | None = None
    """Once the call is over, if its recording is looked after."""


@dataclass(frozen=True, slots=True)
class CallView:
    """A call. Times are ISO 8601 UTC with milliseconds."""

    id: str
    version: int
    direction: str
    state: str
    peer: PeerView
    number: NumberView
    agent: AgentView | None
    offered_to: tuple[str, ...]
    created_at: str
    answered_at: str | None
    ended_at: str | None
    muted: bool
    held: bool
    agent_away: bool
    reattach_until: str | None
    outcome: str | None
    problem: ProblemView | None
    quality: QualityView | None
    recording: RecordingView | None
    """None: the account does not record such calls."""
    transcript: bool = False
    """What was said can be read."""

    def as_json(self) -> dict[str, Json]:
        """Return it as JSON: nothing but strings, numbers, lists and dictionaries."""
        view: dict[str, Json] = asdict(self)
        view["offered_to"] = list(self.offered_to)
        return view


def view_of(
    call: Call,
    version: int,
    quality: QualityView | None = None,
    capture: CaptureNow | None = None,
) -> CallView:
    """Show a call. `quality` and `capture` are live and not part of the call's version."""
    identity, agent = call.identity, call.agent
    away = call.deadline(DeadlineKind.AWAY) if call.is_agent_away else None
    outcome = outcome_of(call)
    peer = identity.peer
    return CallView(
        id=identity.call_id,
        version=version,
        direction=identity.direction.value,
        state=call.state.value,
        peer=PeerView(peer.name, peer.phone, peer.user_id, peer.username),
        number=NumberView(identity.phone_number_id, identity.number_display),
        agent=None if agent is None else AgentView(agent.user_id, agent.name),
        offered_to=call.offered,
        created_at=moment(identity.created_at),
        answered_at=_moment(call.answered_at),
        ended_at=_moment(call.end.at),
        muted=call.is_muted,
        held=call.is_held,
        agent_away=call.is_agent_away,
        reattach_until=None if away is None else moment(away.at),
        outcome=None if outcome is None else outcome.value,
        problem=_problem(call.end.problem),
        quality=quality,
        recording=_recording(call.recording, capture),
    )


def with_outcome(
    view: CallView, outcome: RecordingOutcome | None, *, has_transcript: bool
) -> CallView:
    """Show a call with what became of its recording, which the call itself is not told."""
    view = replace(view, transcript=has_transcript)
    if outcome is None:
        return view
    known = view.recording or RecordingView(RecordingStage.ENDED.value, None, None, None, None)
    return replace(view, recording=recording_with(known, outcome))


def recording_with(known: RecordingView, outcome: RecordingOutcome) -> RecordingView:
    """Show a recording with what became of it."""
    told = replace(known, outcome=_outcome(outcome))
    if outcome.verdict is None:
        return told
    stored_ms = outcome.stored_ms or 0
    state = _STATES.get(outcome.verdict)
    if state is None:
        state = (RecordingStage.KEPT if stored_ms else RecordingStage.EMPTY).value
    return replace(
        told, state=state, written_ms=None, ends_at=None, duration_ms=stored_ms or None
    )


def seen_by(call: Call) -> frozenset[UserId]:
    """Return the agents who may see the call: those it rings, and who has it."""
    agent = () if call.agent is None else (call.agent.user_id,)
    return frozenset((*call.offered, *agent))


def moment(at: float) -> str:
    """Write a wall-clock time."""
    text = datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _recording(recording: CallRecording, capture: CaptureNow | None) -> RecordingView | None:
    if recording.stage is RecordingStage.OFF:
        return None
    if recording.stage is RecordingStage.CAPTURING and capture is not None:
        return RecordingView(
            state=capture.state.value,
            reason=capture.reason,
            written_ms=capture.written_ms,
            ends_at=_moment(capture.ends_at),
            duration_ms=None,
        )
    reason = recording.reason
    return RecordingView(
        state=recording.stage.value,
        reason=None if reason is None else reason.value,
        written_ms=None,
        ends_at=None,
        duration_ms=recording.duration_ms,
    )


def _outcome(outcome: RecordingOutcome) -> OutcomeView:
    verdict, record = outcome.verdict, outcome.record
    return OutcomeView(
        verdict=None if verdict is None else verdict.value,
        final=outcome.is_final,
        record=None if record is None else record.value,
        stored_ms=outcome.stored_ms,
        official_ms=outcome.official_ms,
        local_ms=outcome.local_ms,
        offset_ms=outcome.offset_ms,
        digest=outcome.digest.value,
        cut_by_quota=outcome.is_cut_by_quota,
    )


def _moment(at: float | None) -> str | None:
    return None if at is None else moment(at)


def _problem(problem: Problem | None) -> ProblemView | None:
    if problem is None:
        return None
    fault = problem.fault
    meta = None if fault is None else MetaView(fault.code, fault.message, fault.details)
    return ProblemView(problem.code, problem.detail, meta)
