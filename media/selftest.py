"""Checks at start-up that the libraries still have the private parts that we lean on.

Their versions are pinned; should another one be installed all the same, the worker says
so in one sentence instead of failing in the middle of a call.
"""

import asyncio
from collections import Counter
from collections.abc import Iterable

from aioice.ice import CandidatePair, Connection, StunProtocol
from aiortc import RTCDataChannelParameters
from aiortc.rtcdatachannel import RTCDataChannel

from media.data_channel import DataChannelKeeper
from media.dtls import DtlsEndpoint, DtlsState, make_certificate
from media.rtp import HEADER, HEADER_BYTES
from media.srtp import PacketBuffer, SrtpContext, SrtpKeys, srtp_protect, srtp_unprotect

CONNECTION_PARTS = (
    "_check_list",
    "_local_candidates",
    "_local_candidates_end",
    "_local_candidates_start",
    "_nominated",
    "_protocols",
    "_valid_username",
    "check_complete",
    "check_state",
    "request_received",
)
STUN_PARTS = ("connection_lost", "connection_made", "receiver", "transactions")
PAIR_STATES = ("FAILED", "SUCCEEDED")
FLIGHTS_MAX = 10
PAYLOAD = b"self-test payload"
ASSOCIATION_S = 5.0


class SelfTestFailed(Exception):
    """A library does not do what the worker needs; the text names it."""


async def run_selftest() -> None:
    """Check every library once; raises `SelfTestFailed`. Takes some milliseconds."""
    _check_ice()
    keys = _check_dtls()
    _check_srtp(*keys)
    await _check_data_channel()


def _check_ice() -> None:
    connection = Connection(ice_controlling=True)
    _require("aioice.Connection", connection, CONNECTION_PARTS)
    _require("aioice StunProtocol", StunProtocol(connection), STUN_PARTS)
    _require("aioice CandidatePair.State", CandidatePair.State, PAIR_STATES)


def _require(owner: str, thing: object, names: Iterable[str]) -> None:
    missing = [name for name in names if not hasattr(thing, name)]
    if missing:
        raise SelfTestFailed(f"{owner} of this version lacks {', '.join(missing)}")


def _check_dtls() -> tuple[SrtpKeys, SrtpKeys]:
    ours, theirs = make_certificate(), make_certificate()
    client = DtlsEndpoint(ours, "client", theirs.fingerprint)
    server = DtlsEndpoint(theirs, "server", ours.fingerprint)
    client.start()
    for _ in range(FLIGHTS_MAX):
        for datagram in client.datagrams_to_send():
            server.receive(datagram)
        for datagram in server.datagrams_to_send():
            client.receive(datagram)
    keys = None
    if client.state is DtlsState.ESTABLISHED and server.state is DtlsState.ESTABLISHED:
        keys = client.srtp_keys(), server.srtp_keys()
    if keys is None or keys[0] is None or keys[1] is None or keys[0].send != keys[1].receive:
        raise SelfTestFailed("OpenSSL of this version cannot agree on SRTP keys over DTLS")
    return keys[0], keys[1]


def _check_srtp(ours: SrtpKeys, theirs: SrtpKeys) -> None:
    buffer = PacketBuffer()
    sender = SrtpContext(buffer, ours, receiving=False)
    receiver = SrtpContext(buffer, theirs, receiving=True)
    HEADER.pack_into(buffer.view, 0, 0x80, 111, 1, 2, 3)
    plain_bytes = HEADER_BYTES + len(PAYLOAD)
    buffer.view[HEADER_BYTES:plain_bytes] = PAYLOAD
    buffer.length[0] = plain_bytes
    protected = srtp_protect(sender.context, buffer.bytes_address, buffer.length)
    changed = bytes(buffer.view[HEADER_BYTES:plain_bytes])
    unprotected = srtp_unprotect(receiver.context, buffer.bytes_address, buffer.length)
    restored = bytes(buffer.view[HEADER_BYTES : buffer.length[0]])
    if protected or unprotected or changed == PAYLOAD or restored != PAYLOAD:
        raise SelfTestFailed("pylibsrtp of this version does not work in place")


async def _check_data_channel() -> None:
    """Let two associations meet and one open a channel at the other."""
    drops: Counter[str] = Counter()

    def to_left(message: bytes) -> None:
        left.receive(message)

    def to_right(message: bytes) -> None:
        right.receive(message)

    left = DataChannelKeeper("client", send=to_right, drops=drops)
    right = DataChannelKeeper("server", send=to_left, drops=drops)
    opened = asyncio.Event()
    left.start(5000)
    right.start(5000)
    try:
        right.association.once("datachannel", lambda _channel: opened.set())
        RTCDataChannel(left.association, RTCDataChannelParameters(label="self-test"))
        async with asyncio.timeout(ASSOCIATION_S):
            await opened.wait()
    except (TimeoutError, AttributeError, TypeError) as failure:
        raise SelfTestFailed("aiortc of this version cannot open a data channel") from failure
    finally:
        await left.close()
        await right.close()
