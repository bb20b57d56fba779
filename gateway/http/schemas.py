"""Bodies, queries and answers of the browser's REST interface, as pydantic models."""

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from gateway.http.shapes import Shape

Identity = Annotated[str, StringConstraints(pattern=r"^[0-9a-z]{26}$")]
Phone = Annotated[str, StringConstraints(pattern=r"^\+?[0-9]{5,20}$")]
WhatsAppUser = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2}\.[0-9A-Za-z.]{1,132}$")]
NumberId = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,32}$")]
Sdp = Annotated[str, StringConstraints(min_length=1, max_length=32_768)]
Moment = Annotated[str, StringConstraints(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$")]
"""UTC with milliseconds."""

AvailabilityName = Literal["available", "away"]
PresenceName = Literal["offline", "available", "away", "ringing", "busy"]
DirectionName = Literal["inbound", "outbound"]
VerdictName = Literal[
    "matched",
    "trimmed_to_quota",
    "official_shorter",
    "official_longer",
    "local_only",
    "official_only",
    "corrupt",
    "declined",
    "local",
    "lost",
    "deleted",
]
RoleName = Literal["agent", "supervisor", "admin"]


class MetaView(Shape):
    """What Meta said."""

    code: int
    message: str
    details: str


class ProblemBody(Shape):
    """A refusal (RFC 9457)."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    """Stable; the web app translates it."""
    field: str = ""
    """The field that is wrong, where one is."""
    meta: MetaView | None = None
    """Present if Meta refused."""


# --- signing in ----------------------------------------------------------------------------


class Login(Shape):
    """Who wants in."""

    email: str = Field(min_length=3, max_length=254)
    password: str = Field(min_length=1, max_length=1_024, repr=False)


class MeUser(Shape):
    """The person."""

    id: str
    name: str
    email: str
    role: RoleName


class MeAccount(Shape):
    """Their account."""

    cid: str
    name: str
    timezone: str


class NumberView(Shape):
    """A business number."""

    id: str
    display: str


class IceServerView(Shape):
    """A STUN or TURN server, as RTCIceServer names its fields; empty ones are left out."""

    urls: list[str]
    username: str | None = None
    credential: str | None = Field(default=None, repr=False)


class RtcView(Shape):
    """What a browser's peer connection is made with."""

    ice_servers: list[IceServerView]


class LimitsView(Shape):
    """Bounds that the web app shows."""

    reattach_s: int


class Me(Shape):
    """Everything the web app needs to know about who is signed in."""

    user: MeUser
    account: MeAccount
    numbers: list[NumberView]
    availability: AvailabilityName
    rtc: RtcView
    limits: LimitsView
    version: str


class SetAvailability(Shape):
    """Whether calls may ring here."""

    availability: AvailabilityName


# --- calls ---------------------------------------------------------------------------------


class OpenLeg(Shape):
    """A browser's offer for its persistent leg."""

    offer: Sdp


class LegOpened(Shape):
    """Our answer to it."""

    leg_id: str
    answer: str


def _given(name: str, *, without: str | None = None) -> dict[str, JsonValue]:
    """Part of a schema: `name` is there, and the other is not or is null."""
    properties: dict[str, JsonValue] = {name: {"type": "string"}}
    if without is not None:
        properties[without] = {"type": "null"}
    return {"required": [name], "properties": properties}


class _WithLeg(Shape):
    """Takes the agent's open leg, or an offer for a fresh one; exactly one of them."""

    model_config = ConfigDict(
        json_schema_extra={
            "oneOf": [_given("leg_id", without="offer"), _given("offer", without="leg_id")]
        }
    )

    leg_id: Identity | None = None
    offer: Sdp | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "_WithLeg":
        if (self.leg_id is None) == (self.offer is None):
            raise ValueError("give either leg_id or offer")
        return self


class AttachLeg(_WithLeg):
    """Answer, or take up again, a call."""


class CallTo(Shape):
    """Whom to call; with both, the phone number wins."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [_given("phone"), _given("user_id")]})

    phone: Phone | None = None
    user_id: WhatsAppUser | None = None

    @model_validator(mode="after")
    def _somebody(self) -> "CallTo":
        if self.phone is None and self.user_id is None:
            raise ValueError("give phone or user_id")
        return self


class Dial(_WithLeg):
    """Start a call."""

    to: CallTo
    number_id: NumberId | None = None


class Decline(Shape):
    """Silence a ringing call."""

    everyone: bool = False


class SetMute(Shape):
    """Keep the agent's voice from the customer."""

    muted: bool


class SetHold(Shape):
    """Part both directions."""

    held: bool


class PeerView(Shape):
    """The WhatsApp user."""

    name: str | None = None
    phone: str | None = None
    user_id: str | None = None
    username: str | None = None


class AgentView(Shape):
    """The agent on the call."""

    id: str
    name: str


class ProblemView(Shape):
    """Why a call did not go well."""

    code: str
    detail: str
    meta: MetaView | None = None


class LegQualityView(Shape):
    """How one side fares."""

    loss: float | None
    jitter_ms: float | None
    round_trip_ms: float | None
    bars: int = Field(ge=0, le=5)


class QualityView(Shape):
    """How both sides fare."""

    agent: LegQualityView | None
    whatsapp: LegQualityView | None


class RecordingOutcomeView(Shape):
    """What became of both recordings of a call, WhatsApp's and the gateway's own."""

    verdict: VerdictName | None
    """Null: they have not been compared yet."""
    final: bool
    """The books are closed; before, a file that comes late may change the verdict."""
    record: Literal["official", "local"] | None
    """Which of the two is the record."""
    stored_ms: int | None
    """What is kept, and charged."""
    official_ms: int | None
    """The whole official file, also what was cut off and destroyed; null: it did not come."""
    local_ms: int | None
    offset_ms: int | None
    """When the official one begins, in the time of the gateway's own."""
    digest: Literal["verified", "wrong", "expired", "awaited", "not_announced", "not_expected"]
    """Whether the official file is the one that WhatsApp announced."""
    cut_by_quota: bool


class RecordingView(Shape):
    """The recording of a call whose account wants one."""

    state: Literal[
        "off",
        "holding",
        "ready",
        "announcing",
        "refused",
        "capturing",
        "recording",
        "paused",
        "stopped",
        "ended",
        "failed",
        "kept",
        "empty",
        "lost",
        "deleted",
    ]
    """`holding` and `ready` before the two talk, `refused` or `failed` if it is not recorded;
    `announcing` while both hear that they are recorded, `capturing` while that begins, then
    `recording`, `paused` or `stopped`; `ended` while its file is made, then `kept`, or
    `empty` if nothing was recorded, `lost` or `deleted`."""
    reason: str | None
    """Why it is refused, failed or stopped, for example `no_minutes` or `quota`."""
    written_ms: int | None
    ends_at: Moment | None
    """When the minutes will be used up, told once that is near."""
    duration_ms: int | None
    """Of what is kept."""
    outcome: RecordingOutcomeView | None = None
    """Once the call is over; null: its recording is not looked after, or was not yet."""


class CallView(Shape):
    """A call as its agent, a supervisor or an admin sees it."""

    id: str
    version: int
    direction: DirectionName
    state: Literal["ringing", "connecting", "dialling", "remote_ringing", "talking", "ended"]
    peer: PeerView
    number: NumberView
    agent: AgentView | None
    offered_to: list[str]
    created_at: Moment
    answered_at: Moment | None = None
    ended_at: Moment | None = None
    muted: bool
    held: bool
    agent_away: bool
    reattach_until: Moment | None = None
    outcome: (
        Literal[
            "completed",
            "missed",
            "declined",
            "rejected",
            "unanswered",
            "cancelled",
            "failed",
        ]
        | None
    )
    problem: ProblemView | None
    quality: QualityView | None
    recording: RecordingView | None
    """Null: the account does not record such calls."""
    transcript: bool = False
    """What was said can be read."""


class CallTaken(Shape):
    """The call, and our answer where an offer came."""

    call: CallView
    answer: str | None = None


class CallsQuery(Shape):
    """Which calls to list, newest first."""

    cursor: Annotated[str, StringConstraints(min_length=1, max_length=512)] | None = None
    limit: int = Field(default=50, ge=1, le=200)
    direction: DirectionName | None = None
    live: bool = False
    phone: Phone | None = None
    """Only calls with this number; with `user_id` too, calls with either."""
    user_id: WhatsAppUser | None = None
    """Only calls with the user of this id."""


class CallPage(Shape):
    """One page."""

    items: list[CallView]
    next_cursor: str | None


class TraceLineView(Shape):
    """One line of a call's trace."""

    at: Moment
    offset_ms: float
    source: str
    step: str
    fields: dict[str, JsonValue]


class TraceView(Shape):
    """The whole trace."""

    lines: list[TraceLineView]
