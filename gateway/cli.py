"""The command `callgate`: errors come out in one line of plain words and an exit code."""

import sys

from gateway.core.errors import CallgateError, StoreDown

EXIT_REFUSED = 1
EXIT_DATABASE_AWAY = 3
EXIT_INTERRUPTED = 130


def main() -> None:
    """Run the command line and exit with its code: 0 done, 1 refused, 2 wrong usage, 3 the
    database is away, 130 interrupted.
    """
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit code."""
    try:
        if arguments == ["health"]:
            # A container asks every few seconds: without the rest of the program it costs a
            # tenth of the processor time.
            from gateway.cli_health import health  # noqa: PLC0415

            health()
        else:
            from gateway.cli_app import app  # noqa: PLC0415

            app(args=arguments, prog_name="callgate")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        return _failed("interrupted", EXIT_INTERRUPTED)
    except StoreDown as error:
        return _failed(
            f"{error}. Start it or check CALLGATE_DATABASE_URL; `callgate doctor` tells more",
            EXIT_DATABASE_AWAY,
        )
    except CallgateError as error:
        return _failed(str(error), EXIT_REFUSED)
    return 0


def _failed(text: str, code: int) -> int:
    sys.stderr.write(f"callgate: {text}\n")
    return code
