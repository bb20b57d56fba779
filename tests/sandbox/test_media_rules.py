"""Meta's media rules at work in whole calls."""

from typing import Any

from sandbox.call_record import MediaFault
from sandbox.config import Timings
from sandbox.opus import SILENCE, OpusEncoder
from sandbox.rtp import RtpPacket
from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, Business, BusinessPeer, answer_session, eventually


def send_raw(peer: BusinessPeer, packet: RtpPacket) -> Any:
    """Protect and send a packet of our own making beside aiortc's sender."""
    return peer.connection.getTransceivers()[0].sender.transport._send_rtp(packet.encode())


def silent_packet(number: int, *, ssrc: int = 77, payload_type: int = 111) -> RtpPacket:
    payload = OpusEncoder().encode(SILENCE)
    return RtpPacket(payload_type, 100 + number, 960 * number, ssrc, payload)


async def test_a_business_without_media_loses_the_call(business: Business) -> None:
    timings = Timings(speed=20, media_timeout_s=0.5)
    async with Sandbox(business.config(users=[ANN], timings=timings)) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        peer = business.peer(with_track=False)
        await business.pick_up(peer)
        ended = await business.wait("calls", "terminate")
        assert ended["status"] == "FAILED"
        assert ended["_value"]["errors"][0]["code"] == 138021
        assert "start_time" in ended
        assert MediaFault.MEDIA_TIMEOUT in call.record.faults
        status, _ = await business.act("terminate", call_id=call.wacid)
        assert status == 400


async def test_media_that_stops_ends_the_call_later(business: Business) -> None:
    timings = Timings(speed=20, media_silence_timeout_s=0.6)
    async with Sandbox(business.config(users=[ANN], timings=timings)) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        peer = business.peer()
        await business.pick_up(peer)
        await call.record.wait_for("rtp.first_heard", 20)
        await peer.connection.close()
        ended = await business.wait("calls", "terminate")
        assert ended["status"] == "FAILED"


async def test_media_before_accept_is_a_fault_and_is_not_heard(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        connect = await business.wait("calls", "connect")
        peer = business.peer()
        sdp = await peer.answer(connect["session"]["sdp"])
        await business.act_ok("pre_accept", call_id=call.wacid, session=answer_session(sdp))
        await call.record.wait_for(f"fault.{MediaFault.MEDIA_BEFORE_ACCEPT}", 20)
        assert call.hearing.duration_s == 0
        assert call.record.faults.keys() == {MediaFault.MEDIA_BEFORE_ACCEPT}


async def test_a_prepared_call_without_early_media_has_no_fault(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        connect = await business.wait("calls", "connect")
        peer = business.peer(with_track=False)
        sdp = await peer.answer(connect["session"]["sdp"])
        await business.act_ok("pre_accept", call_id=call.wacid, session=answer_session(sdp))
        await call.record.wait_for("dtls.connected", 20)
        await business.act_ok("accept", call_id=call.wacid, session=answer_session(sdp))
        assert not peer.heard_enough.is_set()
        await peer.heard_enough.wait()
        for number in range(3):
            await send_raw(peer, silent_packet(number))
        await call.record.wait_for("rtp.first_heard", 20)
        assert not call.record.faults


async def test_a_second_stream_and_a_strange_payload_type_are_counted(
    business: Business,
) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        peer = business.peer(with_track=False)
        await business.pick_up(peer)
        await call.record.wait_for("dtls.connected", 20)
        await peer.heard_enough.wait()
        await send_raw(peer, silent_packet(0))
        await send_raw(peer, silent_packet(1, payload_type=0))
        await send_raw(peer, silent_packet(2, ssrc=78))
        await call.record.wait_for(f"fault.{MediaFault.SECOND_SSRC}", 20)
        assert call.record.faults.keys() == {
            MediaFault.WRONG_PAYLOAD_TYPE,
            MediaFault.SECOND_SSRC,
        }


async def test_a_certificate_that_differs_from_the_sdp_is_refused(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        connect = await business.wait("calls", "connect")
        peer = business.peer()
        sdp = await peer.answer(connect["session"]["sdp"])
        at = sdp.index("sha-256 ") + len("sha-256 ")
        forged = sdp[:at] + ("00" if sdp[at : at + 2] != "00" else "11") + sdp[at + 2 :]
        await business.act_ok("accept", call_id=call.wacid, session=answer_session(forged))
        await call.record.wait_for(f"fault.{MediaFault.DTLS_FAILED}", 20)
        assert not call.media.transport.is_connected


async def test_our_reports_tell_the_round_trip(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        peer = business.peer()
        await business.pick_up(peer)
        await eventually(lambda: call.media.round_trip_ms is not None)
        assert (call.media.round_trip_ms or 0) < 5000
        stats = await peer.connection.getStats()
        remote = [one for one in stats.values() if one.type == "remote-inbound-rtp"]
        assert remote
        assert remote[0].packetsLost == 0
