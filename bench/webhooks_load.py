"""The load of `bench.webhooks`: signed deliveries at a fixed rate, as a process of its own.

Open loop: each request has its time whether or not earlier ones were answered, and latency
counts from that time, so that a stall is seen by all the requests it delays. Prints one JSON
object.
"""

import asyncio
import hashlib
import hmac
import json
import os
import sys
import time
from collections import Counter

from aiohttp import ClientError, ClientSession, ClientTimeout, TCPConnector

APP_SECRET = "bench-app-secret"  # noqa: S105 - of a server that lives for seconds
NUMBER_ID = "106540352242922"
PATH = "/webhooks/whatsapp"
RUN = os.getpid()
"""Part of every id, so that no two runs send the same event."""
CONNECT_EVERY = 50
"""One delivery in so many starts a call: four a second at 200 requests a second."""
TERMINATE_AFTER = 25
"""So many deliveries later it ends."""
OFFER = "\r\n".join(
    (
        "v=0",
        "o=- 1790000000000 2 IN IP4 127.0.0.1",
        "s=-",
        "t=0 0",
        "a=group:BUNDLE audio",
        "a=ice-lite",
        "m=audio 9 UDP/TLS/RTP/SAVPF 111 126",
        "c=IN IP4 127.0.0.1",
        "a=candidate:1 1 udp 2113937151 127.0.0.1 9 typ host",
        "a=ice-ufrag:abcdefghijklmnop",
        "a=ice-pwd:abcdefghijklmnopqrstuvwx",
        "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
        "a=setup:actpass",
        "a=mid:audio",
        "a=sendrecv",
        "a=rtcp-mux",
        "a=rtpmap:111 opus/48000/2",
        "a=fmtp:111 maxaveragebitrate=20000;maxplaybackrate=16000;useinbandfec=1",
        "a=rtpmap:126 telephone-event/8000",
        "a=ptime:20",
        "",
    )
)


def delivery(number: int) -> bytes:
    """The nth delivery: mostly receipts of messages, some calls that come and go."""
    now = str(int(time.time()))
    if number % CONNECT_EVERY == 0:
        return calls_body(
            {
                "id": f"wacid.{RUN}.{number}",
                "from": "628110000002",
                "event": "connect",
                "timestamp": now,
                "direction": "USER_INITIATED",
                "session": {"sdp_type": "offer", "sdp": OFFER},
            }
        )
    if number % CONNECT_EVERY == TERMINATE_AFTER:
        return calls_body(
            {
                "id": f"wacid.{RUN}.{number - TERMINATE_AFTER}",
                "event": "terminate",
                "timestamp": now,
                "direction": "USER_INITIATED",
                "status": "COMPLETED",
            }
        )
    status = {"id": f"wamid.{RUN}.{number}", "status": "delivered", "timestamp": now}
    return body_of("messages", {"statuses": [status]})


def calls_body(call: dict[str, object]) -> bytes:
    """A delivery about one call."""
    return body_of("calls", {"calls": [call]})


def body_of(field: str, value: dict[str, object]) -> bytes:
    """A delivery with one change."""
    metadata = {"display_phone_number": "62210", "phone_number_id": NUMBER_ID}
    change = {
        "field": field,
        "value": {"messaging_product": "whatsapp", "metadata": metadata, **value},
    }
    entry = {"id": "102290129340398", "changes": [change]}
    return json.dumps({"object": "whatsapp_business_account", "entry": [entry]}).encode()


class Load:
    """Sends and remembers."""

    def __init__(self, http: ClientSession, url: str) -> None:
        self._http = http
        self._url = url
        self.latencies_ms: list[float] = []
        self.outcomes: Counter[str] = Counter()

    async def send(self, number: int, due: float) -> None:
        """Send one delivery, Meta-like: 20 s of patience."""
        body = delivery(number)
        digest = hmac.new(APP_SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "X-Hub-Signature-256": f"sha256={digest}",
            "Content-Type": "application/json",
        }
        try:
            async with self._http.post(self._url, data=body, headers=headers) as response:
                await response.read()
                self.outcomes[str(response.status)] += 1
        except (ClientError, TimeoutError) as error:
            self.outcomes[type(error).__name__] += 1
        self.latencies_ms.append((time.perf_counter() - due) * 1000)


async def run(port: int, rate: float, seconds: float) -> dict[str, object]:
    """Send `rate` deliveries a second for `seconds`."""
    connector = TCPConnector(limit=500)
    async with ClientSession(connector=connector, timeout=ClientTimeout(total=20)) as http:
        load = Load(http, f"http://127.0.0.1:{port}{PATH}")
        start = time.perf_counter() + 0.2
        tasks = []
        for number in range(int(rate * seconds)):
            due = start + number / rate
            pause = due - time.perf_counter()
            if pause > 0:
                await asyncio.sleep(pause)
            tasks.append(asyncio.create_task(load.send(number, due)))
        await asyncio.gather(*tasks)
    latencies = sorted(load.latencies_ms)
    return {
        "sent": len(latencies),
        "outcomes": dict(load.outcomes),
        **{
            f"p{percent:g}_ms": round(latencies[int((len(latencies) - 1) * percent / 100)], 2)
            for percent in (50, 90, 99, 99.9)
        },
        "max_ms": round(latencies[-1], 2),
    }


if __name__ == "__main__":
    print(
        json.dumps(asyncio.run(run(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]))))
    )
