"""The baseline: a relay that does nothing but receive a datagram and send it on.

What it costs and delays is the floor of this machine: sockets, wake-ups, the generator.
"""

import asyncio
import json
import select
import socket
import sys
import threading

BUFFER_BYTES = 2048


class EmptyRelay:
    """Pairs of UDP sockets; each learns its peer from the first datagram."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._sockets: dict[str, socket.socket] = {}
        self._by_fileno: dict[int, tuple[socket.socket, str, str]] = {}
        self._peers: dict[str, tuple[str, int]] = {}

    def open(self, leg: str) -> int:
        """The port that serves `leg`."""
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        sock.bind(("127.0.0.1", 0))
        number = leg.lstrip("agentw")
        other = ("wa" if leg.startswith("agent") else "agent") + number
        self._sockets[leg] = sock
        self._by_fileno[sock.fileno()] = (sock, leg, other)
        self._poll.register(sock.fileno(), select.EPOLLIN)
        return int(sock.getsockname()[1])

    def run(self) -> None:
        """Forward for ever."""
        view = memoryview(bytearray(BUFFER_BYTES))
        while True:
            for fileno, _ in self._poll.poll():
                sock, leg, other = self._by_fileno[fileno]
                size, source = sock.recvfrom_into(view)
                self._peers[leg] = source
                if other in self._peers:
                    self._sockets[other].sendto(view[:size], self._peers[other])


async def main() -> None:
    """Open ports as the parent asks; a thread forwards."""
    relay = EmptyRelay()
    threading.Thread(target=relay.run, daemon=True).start()
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while line := await reader.readline():
        leg = json.loads(line)["leg"]
        sys.stdout.write(json.dumps({"leg": leg, "answer": str(relay.open(leg))}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    asyncio.run(main())
