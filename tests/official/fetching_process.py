"""Fetches and reconciles one call's recording: `python -m … FOLDER GRAPH_URL CALL_ID`."""

import asyncio
import sys
from pathlib import Path

from tests.official.scene import scene


async def main() -> None:
    folder, graph_url, call_id = sys.argv[1:]
    async with scene(Path(folder), graph_url, call_id=call_id) as at:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await at.work_off()


if __name__ == "__main__":
    asyncio.run(main())
