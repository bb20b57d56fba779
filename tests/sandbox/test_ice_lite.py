"""The ICE-lite responder: answers what is authentic, and only that."""

import asyncio
from typing import Any

import aioice.stun as other
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.business_sdp import SdpType, parse_business_sdp
from sandbox.call_record import CallRecord
from sandbox.dtls import Certificate, DtlsRole
from sandbox.hearing import Hearing
from sandbox.ice_lite import IceCredentials, IceLite
from sandbox.media_session import MediaSession
from sandbox.stun import BadStun, parse_binding_request
from tests.sandbox.sdp_samples import ANSWER

LOCAL = IceCredentials("A" * 16, "secret/of+the/sandbox==A")
REMOTE = IceCredentials("4g1c", "qY/Bb+jQzg5ICn6X4fhJQetk")
PEER = ("127.0.0.1", 5000)
STRANGER = ("127.0.0.1", 6666)


def check(
    *,
    username: str = f"{LOCAL.ufrag}:{REMOTE.ufrag}",
    password: str = LOCAL.password,
    nominate: bool = False,
    role: str = "ICE-CONTROLLING",
) -> other.Message:
    """A check written by another implementation of STUN."""
    attributes: dict[str, Any] = {"USERNAME": username, "PRIORITY": 1845494271, role: 1}
    if nominate:
        attributes["USE-CANDIDATE"] = None
    message = other.Message(other.Method.BINDING, other.Class.REQUEST, attributes=attributes)
    message.add_message_integrity(password.encode())
    return message


def responder() -> IceLite:
    return IceLite(LOCAL, remote=REMOTE)


def test_an_authentic_check_is_answered_with_the_sources_address() -> None:
    request = check()
    reply = responder().answer(bytes(request), PEER, 0.0)
    assert reply is not None
    answer = other.parse_message(reply)
    assert answer.message_class is other.Class.RESPONSE
    assert answer.transaction_id == request.transaction_id
    assert answer.attributes["XOR-MAPPED-ADDRESS"] == PEER
    assert answer.check_message_integrity(LOCAL.password.encode())


STRANGE = {
    "another user": bytes(check(username="x:4g1c")),
    "another peer": bytes(check(username=f"{LOCAL.ufrag}:other")),
    "wrong password": bytes(check(password="wrong" * 6)),
    "no fingerprint": bytes(check())[:-8],
    "cut off": bytes(check())[:20],
    "damaged": bytes(check())[:-1] + b"\x00\x00",
    "unsigned": bytes(other.Message(other.Method.BINDING, other.Class.REQUEST)),
    "indication": bytes(other.Message(other.Method.BINDING, other.Class.INDICATION)),
}


@pytest.mark.parametrize("datagram", STRANGE.values(), ids=STRANGE.keys())
def test_a_strangers_check_gets_no_answer(datagram: bytes) -> None:
    ice = responder()
    assert ice.answer(datagram, STRANGER, 0.0) is None
    assert ice.counts.dropped == 1
    assert not ice.has_validated(STRANGER)


def test_no_check_is_answered_before_the_peer_is_known() -> None:
    ice = IceLite(LOCAL)
    assert ice.answer(bytes(check()), PEER, 0.0) is None


def test_a_controlled_peer_is_told_of_the_role_conflict() -> None:
    reply = responder().answer(bytes(check(role="ICE-CONTROLLED")), PEER, 0.0)
    assert reply is not None
    answer = other.parse_message(reply)
    assert answer.attributes["ERROR-CODE"] == (487, "Role Conflict")


def test_the_nominated_pair_is_followed() -> None:
    ice = responder()
    selected = []
    for request in (check(), check(nominate=True), check()):
        ice.answer(bytes(request), PEER, 0.0)
        selected.append(ice.selected)
    assert selected == [None, PEER, PEER]
    assert ice.counts.aggressive_nominations == 0


def test_nominating_with_the_first_check_is_noticed() -> None:
    ice = responder()
    ice.answer(bytes(check(nominate=True)), PEER, 0.0)
    assert ice.selected == PEER
    assert ice.counts.aggressive_nominations == 1


@given(st.binary(max_size=200))
def test_any_bytes_are_survived(datagram: bytes) -> None:
    assert responder().answer(datagram, STRANGER, 0.0) is None


@given(st.data())
def test_a_check_with_any_byte_changed_is_no_check(data: st.DataObject) -> None:
    datagram = bytearray(bytes(check()))
    at = data.draw(st.integers(0, len(datagram) - 1))
    datagram[at] ^= data.draw(st.integers(1, 255))
    try:
        request = parse_binding_request(bytes(datagram))
    except BadStun:
        return
    assert not request.is_signed_with(LOCAL.password)


class _Socket(asyncio.DatagramProtocol):
    def __init__(self) -> None:
        self.received: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.received.put_nowait(data)


async def test_on_the_wire_it_never_sends_unasked_and_ignores_strangers() -> None:
    record = CallRecord()
    session = MediaSession(record, Certificate.generate(), Hearing(1), allows_early_media=True)
    port = await session.open("127.0.0.1")
    remote = parse_business_sdp(ANSWER, SdpType.ANSWER)
    session.connect(remote, DtlsRole.SERVER)
    loop = asyncio.get_running_loop()
    transport, socket = await loop.create_datagram_endpoint(
        _Socket, remote_addr=("127.0.0.1", port)
    )
    local = session.transport.ice.local
    client_hello = b"\x16\xfe\xff" + bytes(100)
    for datagram in (bytes(check()), client_hello, b"\x80\x6f" + bytes(40), b"\xff" * 30, b""):
        transport.sendto(datagram)
    username = f"{local.ufrag}:{remote.ice.ufrag}"
    transport.sendto(bytes(check(username=username, password=local.password)))
    async with asyncio.timeout(20):
        answer = other.parse_message(await socket.received.get())
    assert answer.message_class is other.Class.RESPONSE
    assert socket.received.empty()
    assert session.transport.counts.sent == 1
    assert session.transport.counts.from_strangers >= 3
    transport.close()
    await session.close()
