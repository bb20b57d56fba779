"""Runs a server until standard input closes: it ends with the tests, even killed ones.

Usage: reaper.py DIRECTORY STOP_SIGNAL USER COMMAND…  (USER `-`: the same)
The directory is removed at the end, unless `keep` came on standard input.
Only the standard library: it must start fast and in any environment.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys

STOP_MAX_S = 5.0


def main() -> int:
    directory, stop_signal, user, *command = sys.argv[1:]
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        user=None if user == "-" else user,
        cwd="/",
    )
    keeps = False
    while word := os.read(0, 4096):
        keeps = word == b"keep"
    with contextlib.suppress(ProcessLookupError):
        server.send_signal(signal.SIGCONT)
        server.send_signal(int(stop_signal))
    try:
        server.wait(STOP_MAX_S)
    except subprocess.TimeoutExpired:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGKILL)
        server.wait()
    if not keeps:
        shutil.rmtree(directory, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
