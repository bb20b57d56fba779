"""How a WhatsApp user behaves: when they answer, what they say, when they hang up."""

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

SECONDS_MAX = 86_400.0
_Seconds = Annotated[float, Field(ge=0, le=SECONDS_MAX)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Speech(_Strict):
    """Says a text with a synthetic voice, over and over unless `is_looped` is off."""

    kind: Literal["speech"] = "speech"
    text: str = Field(
        default="Hello, I am calling about my order. Could you please help me?",
        min_length=1,
        max_length=500,
    )
    voice: str = Field(default="en", pattern=r"^[a-z]{2,3}(-[a-z0-9-]{1,20})?$")
    is_looped: bool = True
    pause_s: _Seconds = 1.5


class Tone(_Strict):
    """Plays a sine; `level_dbfs` is its RMS against full scale."""

    kind: Literal["tone"] = "tone"
    frequency_hz: float = Field(default=440.0, ge=50, le=7000)
    level_dbfs: float = Field(default=-20.0, ge=-80, le=-3.1)


class Echo(_Strict):
    """Says back what is heard, after a moment."""

    kind: Literal["echo"] = "echo"
    delay_s: float = Field(default=0.2, ge=0, le=5)


class Silence(_Strict):
    """Says nothing; with DTX nearly no packets are sent."""

    kind: Literal["silence"] = "silence"
    has_dtx: bool = True


class Live(_Strict):
    """A person at the phone page talks; `otherwise` is heard while they do not."""

    kind: Literal["live"] = "live"
    otherwise: Annotated[Speech | Silence, Field(discriminator="kind")] = Speech()


Says = Annotated[Speech | Tone | Echo | Silence | Live, Field(discriminator="kind")]


class Answers(StrEnum):
    """What the user does when the business calls."""

    YES = "yes"
    NEVER = "never"
    REJECTS = "rejects"


class Keypad(_Strict):
    """Presses keys during the call."""

    digits: str = Field(pattern=r"^[0-9*#A-D]{1,64}$")
    after_s: _Seconds = 1.0


class NetworkDrop(_Strict):
    """Loses the network: sends nothing and answers no check for a while."""

    after_s: _Seconds
    for_s: _Seconds


class PermissionReply(StrEnum):
    """What the user answers to a request for permission to call."""

    TEMPORARY = "temporary"
    PERMANENT = "permanent"
    REJECT = "reject"
    IGNORE = "ignore"


class Persona(_Strict):
    """The script of a user; all times count from ringing or from pick-up."""

    answers: Answers = Answers.YES
    answer_after_s: _Seconds = 2.0
    hang_up_after_s: _Seconds | None = None
    says: Says = Speech()
    keypad: Keypad | None = None
    network_drop: NetworkDrop | None = None
    permission_reply: PermissionReply = PermissionReply.TEMPORARY
    permission_reply_after_s: _Seconds = 1.0
