"""Port `Clock`: the machine's own clocks. The only place that reads them for the runtime."""

import asyncio
import time

from typing_extensions import override

from gateway.ports.clock import Clock


class SystemClock(Clock):
    """Real time."""

    @override
    def monotonic(self) -> float:
        return time.monotonic()

    @override
    def wall(self) -> float:
        return time.time()

    @override
    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)
