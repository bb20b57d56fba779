"""The part of the settings that says where recordings are kept."""

from typing import Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    PositiveFloat,
    PositiveInt,
    SecretStr,
    model_validator,
)

from gateway.settings_types import BaseUrl


class StorageSettings(BaseModel):
    """Settings of the storage; a part of `Settings`."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    storage_url: str | None = Field(None, pattern=r"^s3://")
    """`s3://bucket/folder`: an S3-compatible store that recordings move to, shared by all
    gateways; default: they stay in `data_dir`."""
    storage_endpoint: BaseUrl | None = None
    """Where that store listens; default: Amazon's, by region."""
    storage_region: str = Field("us-east-1", pattern=r"^[a-z0-9-]{1,32}$")
    """Region of the store."""
    storage_access_key_id: SecretStr | None = None
    """Key of the store; default: what the machine's environment gives."""
    storage_secret_access_key: SecretStr | None = None
    """Secret of that key."""
    storage_after_s: PositiveFloat = 900.0
    """A recording moves so long after it was made: by then it has mostly been compared."""
    storage_moves_max: PositiveInt = 2
    """Recordings moved at the same time."""
    storage_jobs_max: PositiveInt = 200
    """Moves ordered at once; the next ones follow a minute later."""
    storage_request_max_s: PositiveFloat = 60.0
    """One request to the store."""
    storage_retries_max: int = Field(2, ge=0, le=10)
    """Repetitions of one request before it is tried much later."""
    storage_check_every_s: PositiveFloat = 30 * 24 * 3600.0
    """Between two readings of a file to see whether it is still what it was."""
    storage_checks_max: PositiveInt = 200
    """Files read for that in one hour or so (`purge_every_s`)."""

    @model_validator(mode="after")
    def _check_storage(self) -> Self:
        if (self.storage_access_key_id is None) != (self.storage_secret_access_key is None):
            raise ValueError(
                "storage_access_key_id and storage_secret_access_key are given both or neither"
            )
        return self
