"""The DTLS endpoint: both roles, loss, and impostors, without a network."""

import random

import pytest

from sandbox.dtls import Certificate, DtlsEndpoint, DtlsRole, DtlsState, SrtpKeys, is_dtls
from sandbox.srtp import BadSrtp, Srtp

ONE, OTHER = Certificate.generate(), Certificate.generate()


def pair(*, client_expects: str, server_expects: str) -> tuple[DtlsEndpoint, DtlsEndpoint]:
    client = DtlsEndpoint(ONE, DtlsRole.CLIENT, client_expects)
    server = DtlsEndpoint(OTHER, DtlsRole.SERVER, server_expects)
    client.start()
    return client, server


def exchange(client: DtlsEndpoint, server: DtlsEndpoint) -> None:
    """Carry datagrams to and fro until both are silent."""
    while True:
        to_server, to_client = client.take_outgoing(), server.take_outgoing()
        if not to_server and not to_client:
            return
        for datagram in to_server:
            assert is_dtls(datagram)
            assert len(datagram) <= 1200
            server.receive(datagram)
        for datagram in to_client:
            client.receive(datagram)


def test_both_sides_get_each_others_keys() -> None:
    client, server = pair(
        client_expects=OTHER.fingerprint.lower(), server_expects=ONE.fingerprint
    )
    exchange(client, server)
    assert client.state is server.state is DtlsState.CONNECTED
    assert client.keys is not None
    assert server.keys is not None
    assert client.keys.sending == server.keys.receiving
    assert client.keys.receiving == server.keys.sending
    packet = b"\x80\x6f" + bytes(10) + b"voice"
    assert Srtp(server.keys).unprotect(Srtp(client.keys).protect(packet)) == packet


def test_a_packet_of_another_call_is_not_authentic() -> None:
    keys = SrtpKeys(profile=1, sending=bytes(30), receiving=bytes(30))
    with pytest.raises(BadSrtp):
        Srtp(keys).unprotect(b"\x80\x6f" + bytes(30))
    with pytest.raises(BadSrtp):
        Srtp(keys).unprotect_rtcp(b"\x80\xc8" + bytes(40))


def test_a_replayed_packet_is_refused() -> None:
    keys = SrtpKeys(profile=1, sending=bytes(30), receiving=bytes(30))
    srtp = Srtp(keys)
    packet = srtp.protect(b"\x80\x6f" + bytes(30))
    srtp.unprotect(packet)
    with pytest.raises(BadSrtp):
        srtp.unprotect(packet)


@pytest.mark.parametrize("impostor", list(DtlsRole))
def test_a_certificate_other_than_in_the_sdp_fails(impostor: DtlsRole) -> None:
    third = Certificate.generate().fingerprint
    client, server = pair(
        client_expects=third if impostor is DtlsRole.SERVER else OTHER.fingerprint,
        server_expects=third if impostor is DtlsRole.CLIENT else ONE.fingerprint,
    )
    exchange(client, server)
    deceived = client if impostor is DtlsRole.SERVER else server
    assert deceived.state is DtlsState.FAILED
    assert deceived.keys is None
    assert deceived.failure is not None
    assert "fingerprint" in deceived.failure


def test_goodbye_closes_the_other_side() -> None:
    client, server = pair(client_expects=OTHER.fingerprint, server_expects=ONE.fingerprint)
    exchange(client, server)
    client.close()
    exchange(client, server)
    assert server.state is DtlsState.CLOSED


def test_garbage_is_survived(seed: int) -> None:
    generator = random.Random(seed)
    client, server = pair(client_expects=OTHER.fingerprint, server_expects=ONE.fingerprint)
    for _ in range(200):
        server.receive(b"\x16\xfe\xfd" + generator.randbytes(generator.randrange(200)))
    exchange(client, server)
    assert server.state in {DtlsState.CONNECTED, DtlsState.FAILED}
