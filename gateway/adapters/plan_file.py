"""The price list as a file: the shipped one, or the operator's own."""

from importlib import resources
from pathlib import Path

from gateway.core.errors import BadInput
from gateway.core.quota.plan import PlanBook, parse_plans

_BYTES_MAX = 1 << 20


def shipped_plans() -> str:
    """Return the text of the list that comes with the program."""
    return resources.files("gateway.core.quota").joinpath("plans.toml").read_text("utf-8")


def load_plans(path: Path | None) -> PlanBook:
    """Read a list, the shipped one if `path` is None. Raises `BadInput` naming the fault."""
    if path is None:
        return parse_plans(shipped_plans())
    try:
        with path.open("rb") as file:
            content = file.read(_BYTES_MAX + 1)
        text = content.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the plan file {path} cannot be read: {error}") from error
    if len(content) > _BYTES_MAX:
        raise BadInput(f"the plan file {path} is larger than {_BYTES_MAX:,} bytes")
    try:
        return parse_plans(text)
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from error
