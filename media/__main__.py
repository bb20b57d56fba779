"""Process entry: `python -m media --socket PATH --token-file PATH`."""

import gc
import logging
import sys

import structlog
import uvloop

from media.prompts import make_comfort_noise
from media.selftest import SelfTestFailed
from media.settings import parse_arguments
from media.socket_guard import SocketGuard, SocketTaken, UnsafeFile, read_token
from media.worker import serve

EXIT_REFUSED = 2

log = structlog.get_logger()


def main() -> int:
    """Run a worker until it is told to stop; returns the exit status."""
    settings = parse_arguments()
    _configure_logging()
    try:
        with SocketGuard(settings.socket_path):
            token = read_token(settings.token_path)
            comfort = make_comfort_noise()
            # What exists now lives as long as the process; the collector need not look.
            gc.collect()
            gc.freeze()
            # Its timers are finer than asyncio's, which the 2 ms ticks of the poller need.
            uvloop.run(serve(settings, token=token, comfort=comfort))
    except (SelfTestFailed, SocketTaken, UnsafeFile, ValueError) as refusal:
        log.error("media worker does not start", reason=str(refusal))  # noqa: TRY400
        return EXIT_REFUSED
    return 0


def _configure_logging() -> None:
    # The ICE library names addresses in its messages; ours never do.
    for name in ("aioice", "aiortc"):
        logging.getLogger(name).setLevel(logging.CRITICAL)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


if __name__ == "__main__":
    sys.exit(main())
