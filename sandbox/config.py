"""Everything that can be set: addresses, secrets, numbers, users, timings, limits."""

import re
from enum import StrEnum
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sandbox.meta_sdp import SdpShape, Setup
from sandbox.personas import Persona

_Seconds = Annotated[float, Field(ge=0, le=86_400)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class BusinessNumber(_Strict):
    """A phone number of the business and the account that it belongs to."""

    phone_number_id: str = "106540352242922"
    waba_id: str = "102290129340398"
    display_phone_number: str = "16315553601"
    can_call_out: bool = Field(
        default=True, description="off for the countries where business calls are refused"
    )


class PermissionStatus(StrEnum):
    """Whether the business may call a user."""

    NONE = "no_permission"
    TEMPORARY = "temporary"
    PERMANENT = "permanent"


class Timings(_Strict):
    """Delays of webhooks, all divided by `speed`, and time-outs, which are not."""

    speed: float = Field(default=1.0, gt=0, le=1000)
    uic_connect_webhook_s: _Seconds = 0.5
    bic_ringing_webhook_s: _Seconds = 0.8
    bic_connect_webhook_s: _Seconds = 1.0
    status_webhook_s: _Seconds = 0.1
    terminate_webhook_s: _Seconds = 0.2
    media_failure_webhook_s: _Seconds = 2.0
    recording_webhook_s: _Seconds = 2.0
    uic_answer_timeout_s: _Seconds = 40.0
    bic_ring_timeout_s: _Seconds = 60.0
    media_timeout_s: _Seconds = 20.0
    media_silence_timeout_s: _Seconds = 30.0
    webhook_timeout_s: _Seconds = 20.0
    webhook_retry_delays_s: tuple[_Seconds, ...] = (1.0, 3.0, 10.0, 30.0)
    clock_skew_s: float = Field(
        default=0.0, description="added to every time stamp and Date header"
    )

    def scaled(self, delay_s: float) -> float:
        """Return a webhook delay at the configured speed."""
        return delay_s / self.speed


class Limits(_Strict):
    """Bounds: those that Meta documents, and those that keep the sandbox small."""

    concurrent_calls_max: int = Field(default=1000, ge=0)
    connected_calls_per_day_max: int = Field(default=100, ge=0)
    permission_requests_per_day_max: int = Field(default=25, ge=0)
    permission_requests_per_week_max: int = Field(default=100, ge=0)
    heard_s_max: float = Field(default=120.0, gt=0, le=3600)
    calls_kept_max: int = Field(default=1000, ge=1)
    heard_calls_kept_max: int = Field(default=50, ge=1)
    deliveries_kept_max: int = Field(default=2000, ge=1)
    users_max: int = Field(default=1000, ge=1)
    media_files_max: int = Field(default=200, ge=1)
    media_file_bytes_max: int = Field(default=16_777_216, ge=1)
    media_links_max: int = Field(default=1000, ge=1)
    media_link_s: float = Field(default=300.0, gt=0, description="how long a link is valid")
    media_kept_s: float = Field(default=604_800.0, gt=0)


class Recorder(_Strict):
    """How calls are announced and recorded."""

    channels: Literal[1, 2] = Field(default=2, description="2: business left, user right")
    announcement_after_s: _Seconds = Field(default=0.3, description="after pick-up")
    announcement_s_max: float | None = Field(
        default=None, gt=0, description="cuts the announcement short, for quick tests"
    )
    begins_after_s: _Seconds = Field(default=0.1, description="after the announcement")
    seconds_max: float = Field(default=600.0, gt=0, le=7200)


class SandboxConfig(_Strict):
    """Settings of one sandbox; every field has a default that works on one machine."""

    host: str = "127.0.0.1"
    port: int = Field(default=0, ge=0, le=65535)
    app_secret: str = "sandbox-app-secret"  # noqa: S105  (a published default for local use)
    verify_token: str = "sandbox-verify-token"  # noqa: S105  (likewise)
    access_tokens: list[str] = Field(default_factory=lambda: ["sandbox-access-token"])
    webhook_url: str | None = None
    numbers: list[BusinessNumber] = Field(
        default_factory=lambda: [BusinessNumber()], min_length=1
    )
    users: list["UserSpec"] = Field(default_factory=list)
    media_host: str = "127.0.0.1"
    graph_version_min: str = Field(default="v17.0", pattern=r"^v\d+\.\d+$")
    bic_answer_setup: Setup = Setup.PASSIVE
    sdp_shape: SdpShape = SdpShape.LIVE
    timings: Timings = Field(default_factory=Timings)
    limits: Limits = Field(default_factory=Limits)
    recorder: Recorder = Field(default_factory=Recorder)


class UserSpec(_Strict):
    """A WhatsApp user; without `wa_id` the business sees only the user id and the name."""

    user_id: str | None = Field(default=None, pattern=r"^[A-Z]{2}\.[A-Za-z0-9]{1,128}$")
    parent_user_id: str | None = None
    wa_id: str | None = Field(default=None, pattern=r"^\d{5,20}$")
    name: str | None = "Ann Sandbox"
    username: str | None = None
    can_be_called: bool = True
    permission: PermissionStatus = PermissionStatus.PERMANENT
    persona: Persona = Field(default_factory=Persona)


def version_number(version: str) -> tuple[int, int]:
    """Return a Graph version such as `v23.0` as numbers; raise ValueError for other text."""
    found = re.fullmatch(r"v(\d{1,3})\.(\d{1,3})", version)
    if found is None:
        raise ValueError("not a Graph version")
    return int(found[1]), int(found[2])


SandboxConfig.model_rebuild()
