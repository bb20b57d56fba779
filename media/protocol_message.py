"""What the messages of the worker's socket share."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class Message(BaseModel):
    """Strict shape, immutable."""

    model_config = ConfigDict(frozen=True, extra="forbid")


FailureCode = Literal[
    "bad_sdp",
    "no_such_leg",
    "no_such_budget",
    "no_such_capture",
    "captures_off",
    "no_such_announcement",
    "bad_announcement",
    "conflict",
    "stale_epoch",
    "limit",
    "internal",
]
"""`captures_off`: the worker was started without a directory for captures."""
