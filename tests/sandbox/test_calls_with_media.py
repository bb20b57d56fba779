"""A plain aiortc peer as the business: tones both ways, in both directions of calling."""

import pytest

from sandbox.call import Call
from sandbox.meta_sdp import SdpShape
from sandbox.personas import Answers, Persona
from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, TONE, Business, BusinessPeer, answer_session


def assert_both_tones(peer: BusinessPeer, call: Call) -> None:
    """The peer hears the user's 440 Hz at -20 dB, the user the peer's 700 Hz at -18 dB.

    The peer's sine has -15.3 dB; aiortc's way to stereo takes 3 dB from it.
    """
    at_business = peer.measure()
    assert abs(at_business.dominant_hz - 440) < 5
    assert at_business.dominant_share > 0.9
    assert abs(at_business.level_dbfs + 20) < 3
    at_user = call.hearing.measure(call.hearing.duration_s - 1.0)
    assert abs(at_user.dominant_hz - 700) < 5
    assert at_user.dominant_share > 0.9
    assert abs(at_user.level_dbfs + 18.3) < 2


@pytest.mark.parametrize("shape", list(SdpShape))
async def test_a_user_calls_and_both_hear_each_other(
    business: Business, shape: SdpShape
) -> None:
    async with Sandbox(business.config(users=[ANN], sdp_shape=shape)) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        connect = await business.wait("calls", "connect")
        assert connect["direction"] == "USER_INITIATED"
        peer = business.peer()
        sdp = await peer.answer(connect["session"]["sdp"])
        await business.act_ok("pre_accept", call_id=call.wacid, session=answer_session(sdp))
        await business.act_ok("accept", call_id=call.wacid, session=answer_session(sdp))
        await peer.heard_enough.wait()
        assert_both_tones(peer, call)
        await business.act_ok("terminate", call_id=call.wacid)
        ended = await business.wait("calls", "terminate")
        assert ended["status"] == "COMPLETED"
        assert isinstance(ended["duration"], int)
        assert int(ended["end_time"]) - int(ended["start_time"]) == ended["duration"]
        assert not call.record.faults


@pytest.mark.parametrize("setup", ["active", "passive", "actpass"])
async def test_the_business_calls_and_both_hear_each_other(
    business: Business, setup: str
) -> None:
    config = business.config(users=[ANN], bic_answer_setup=setup)
    async with Sandbox(config) as sandbox:
        business.graph_url = sandbox.graph_url
        peer = business.peer()
        call = await business.dial(sandbox, peer, biz_opaque_callback_data="key-1")
        connect = await business.wait("calls", "connect")
        assert connect["biz_opaque_callback_data"] == "key-1"
        sdp = connect["session"]["sdp"]
        assert f"a=setup:{setup}" in sdp
        await peer.take_answer(sdp.replace("a=setup:actpass", "a=setup:passive"))
        ringing = await business.wait("statuses", "RINGING")
        assert ringing["biz_opaque_callback_data"] == "key-1"
        await business.wait("statuses", "ACCEPTED")
        await peer.heard_enough.wait()
        assert_both_tones(peer, call)
        call.hang_up()
        ended = await business.wait("calls", "terminate")
        assert ended["status"] == "COMPLETED"
        assert ended["biz_opaque_callback_data"] == "key-1"
        assert not call.record.faults


async def test_an_actpass_answer_left_to_the_business_makes_the_sandbox_start_at_last(
    business: Business,
) -> None:
    config = business.config(users=[ANN], bic_answer_setup="actpass")
    async with Sandbox(config) as sandbox:
        business.graph_url = sandbox.graph_url
        peer = business.peer()
        call = await business.dial(sandbox, peer)
        connect = await business.wait("calls", "connect")
        await peer.take_answer(connect["session"]["sdp"].replace(":actpass", ":active"))
        started = await call.record.wait_for("dtls.connected", 20)
        assert started.detail["role"] == "client"


async def test_the_user_hears_nothing_that_was_said_before_pick_up(business: Business) -> None:
    # A user who answers by the clock may do so before a busy machine has built the path.
    patient = ANN.model_copy(update={"persona": Persona(answers=Answers.NEVER, says=TONE.says)})
    async with Sandbox(business.config(users=[patient])) as sandbox:
        business.graph_url = sandbox.graph_url
        peer = business.peer()
        call = await business.dial(sandbox, peer)
        connect = await business.wait("calls", "connect")
        await peer.take_answer(connect["session"]["sdp"])
        await call.record.wait_for("rtp.first_received", 20)
        call.answer()
        picked_up = await call.record.wait_for("call.accepted", 20)
        await call.record.wait_for("rtp.first_heard", 20)
        course = [moment.event for moment in call.record.timeline]
        assert course.index("rtp.first_received") < course.index("call.accepted")
        assert call.hearing.first_at_ms is not None
        assert call.hearing.first_at_ms >= picked_up.at_ms
        assert not call.record.faults
