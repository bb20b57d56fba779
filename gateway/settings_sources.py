"""Where settings come from besides plain variables: `*_FILE` secrets and the TOML file."""

import difflib
import os
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import SecretStr
from pydantic_settings import BaseSettings

from gateway.core.errors import BadInput

ENV_PREFIX = "CALLGATE_"
CONFIG_VARIABLE = f"{ENV_PREFIX}CONFIG"
_FILE_SUFFIX = "_FILE"
_FILE_BYTES_MAX = 1024 * 1024
# Read by tests, benches and the demo, which share the environment with what they start.
_FOREIGN_PREFIXES = tuple(f"{ENV_PREFIX}{part}_" for part in ("TEST", "BENCH", "DEMO"))


def secret_names(shape: type[BaseSettings]) -> frozenset[str]:
    """Return the settings that hold secrets: these may also come from `*_FILE`."""
    return frozenset(
        name
        for name, field in shape.model_fields.items()
        if SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))
    )


def refuse_unknown_variables(shape: type[BaseSettings]) -> None:
    """Raise `BadInput` for a `CALLGATE_…` variable that nothing reads: a typo, mostly."""
    known = {
        CONFIG_VARIABLE,
        *(_variable(name) for name in shape.model_fields),
        *(_variable(name) + _FILE_SUFFIX for name in secret_names(shape)),
    }
    for name in sorted(os.environ):
        if name.startswith(ENV_PREFIX) and not name.startswith(_FOREIGN_PREFIXES):
            _refuse_unless_known(name, known, "the environment variable")


def of_secret_files(shape: type[BaseSettings]) -> dict[str, str]:
    """Read the settings that come as `CALLGATE_<NAME>_FILE`, without the last line break."""
    found = {}
    for name in sorted(secret_names(shape)):
        variable = _variable(name) + _FILE_SUFFIX
        path = os.environ.get(variable)
        if path:
            found[name] = _read(Path(path), variable).decode().rstrip("\r\n")
    return found


def of_toml_file(shape: type[BaseSettings]) -> dict[str, Any]:
    """Read the TOML file that `CALLGATE_CONFIG` names, if any."""
    path = os.environ.get(CONFIG_VARIABLE)
    if not path:
        return {}
    try:
        values = tomllib.loads(_read(Path(path), CONFIG_VARIABLE).decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} is not TOML: {error}") from None
    for name in values:
        _refuse_unless_known(name, shape.model_fields, f"in {path} the setting")
    return values


def _variable(name: str) -> str:
    return f"{ENV_PREFIX}{name.upper()}"


def _read(path: Path, variable: str) -> bytes:
    try:
        with path.expanduser().open("rb") as file:
            content = file.read(_FILE_BYTES_MAX + 1)
    except OSError as error:
        raise BadInput(f"{variable} names {path}: {error.strerror}") from None
    if len(content) > _FILE_BYTES_MAX:
        raise BadInput(f"{variable} names {path}, which is far too large")
    return content


def _refuse_unless_known(name: str, known: Iterable[str], what: str) -> None:
    names = sorted(known)
    if name in names:
        return
    nearest = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise BadInput(f"{what} {name} is not known{hint}")
