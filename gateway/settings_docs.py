"""Writes docs/settings.md from the model: `python -m gateway.settings_docs`."""

import json
import re
import sys
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from gateway.settings import Settings
from gateway.settings_sources import CONFIG_VARIABLE, ENV_PREFIX, secret_names

SECTIONS = {
    "Listening": (
        *("http_", "internal_", "tls_", "trusted_", "public_"),
        *("webhook_", "browser_", "shutdown_"),
    ),
    "Data": (
        "data_",
        "database_",
        "redis_",
        "secret_",
        "inbox_",
        "trace_",
        "audit_",
        "evidence_",
        "purge_",
    ),
    "WhatsApp": ("whatsapp_", "graph_"),
    "Media": ("media_", "ice_"),
    "Calls": ("ring_", "connect_", "claim_", "leg_", "reattach_"),
    "Recording minutes": ("quota_",),
    "Announcements and official recordings": ("announcement_", "official_"),
    "Recording library": ("library_",),
    "Storage of recordings": ("storage_",),
    "Signing in": ("session_", "login_", "api_", "argon2_"),
    "Logs": ("log_",),
}

_HEAD = f"""# Settings

Written from `gateway/settings.py` by `python -m gateway.settings_docs`; do not edit.

Each setting is an environment variable `{ENV_PREFIX}…`, or, in small letters without the
prefix, a key of the TOML file that `{CONFIG_VARIABLE}` names. Settings that hold a secret
(marked so) may also be the content of a file:
`{ENV_PREFIX}WHATSAPP_APP_SECRET_FILE=/run/secrets/app_secret`. The environment wins over
`…_FILE`, that over the TOML file, that over the default. An empty variable counts as not set;
an unknown one is an error. Lists are written `a, b` in the environment and as lists in TOML.
`callgate config show` prints what is in force, without secrets.
"""


def render() -> str:
    """Return the page."""
    secrets = secret_names(Settings)
    parts = [_HEAD]
    for title, prefixes in SECTIONS.items():
        parts.append(f"\n## {title}\n\n| Variable | Default | Meaning |\n| --- | --- | --- |\n")
        for name, field in Settings.model_fields.items():
            if name.startswith(prefixes):
                parts.append(_row(name, field, is_secret=name in secrets))
    return "".join(parts)


def _row(name: str, field: FieldInfo, *, is_secret: bool) -> str:
    meaning = re.sub(r"\s+", " ", field.description or "").strip()
    if get_origin(field.annotation) is not None and (choices := _choices(field.annotation)):
        meaning += f" One of {choices}."
    if is_secret:
        meaning += " *Secret.*"
    escaped = meaning.replace("|", "\\|")
    return f"| `{ENV_PREFIX}{name.upper()}` | {_default(field.default)} | {escaped} |\n"


def _choices(annotation: Any) -> str:  # noqa: ANN401 (any type expression)
    values = [each for each in get_args(annotation) if isinstance(each, str)]
    return ", ".join(f"`{each}`" for each in values)


def _default(value: Any) -> str:  # noqa: ANN401 (any setting's)
    if value in (None, (), "", PydanticUndefined):
        return ""
    if isinstance(value, tuple):
        return f"`{', '.join(value)}`"
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return f"`{value if isinstance(value, str | Path) else json.dumps(value)}`"


if __name__ == "__main__":
    page = Path(__file__).parent.parent / "docs" / "settings.md"
    page.write_text(render())
    sys.exit(0)
