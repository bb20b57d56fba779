"""`python -m sandbox`: serve until told to stop; prints one JSON line when ready."""

import argparse
import asyncio
import json
import signal
import sys
from pathlib import Path

from sandbox.config import SandboxConfig
from sandbox.sandbox import Sandbox


def main() -> None:
    """Read the settings from a file and flags, then serve."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--config", type=Path, help="JSON file with any field of SandboxConfig")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--webhook-url")
    parser.add_argument("--app-secret")
    parser.add_argument("--verify-token")
    parser.add_argument("--access-token", action="append", dest="access_tokens")
    parser.add_argument("--media-host")
    parser.add_argument("--bic-answer-setup", choices=["active", "passive", "actpass"])
    flags = vars(parser.parse_args())
    path: Path | None = flags.pop("config")
    try:
        fields = json.loads(path.read_text()) if path else {}
        fields |= {name: value for name, value in flags.items() if value is not None}
        config = SandboxConfig.model_validate(fields)
    except (OSError, ValueError) as error:
        parser.error(f"bad settings: {error}")
    try:
        asyncio.run(_serve(config))
    except OSError as error:
        parser.exit(1, f"sandbox: cannot serve: {error}\n")


async def _serve(config: SandboxConfig) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopped.set)
    async with Sandbox(config) as sandbox:
        ready = {
            "graph_url": sandbox.graph_url,
            "control_url": sandbox.control_url,
            "phone_url": sandbox.phone_url,
        }
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        await stopped.wait()


if __name__ == "__main__":
    main()
