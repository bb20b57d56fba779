"""`callgate media`: a media worker in the foreground, as a unit or container of its own."""

import os

from gateway.adapters.media_process import command_line, environment
from gateway.app_media import worker_address, worker_arguments
from gateway.cli_terminal import settings


def media() -> None:
    """Move the audio of this machine's calls until SIGTERM, Ctrl-C, or nobody needs it.

    `callgate serve` finds it on its socket, with the same settings; have it started again
    whenever it ends, and set CALLGATE_MEDIA_START_WORKER=false there.
    """
    loaded = settings()
    command = command_line(worker_address(loaded), worker_arguments(loaded))
    # In place of this process: signals and the exit status are the worker's own.
    os.execve(command[0], command, environment())  # noqa: S606 (our own program)
