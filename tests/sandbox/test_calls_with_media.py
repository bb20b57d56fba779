"""A plain aiortc peer as the business: tones both ways, in both directions of calling."""

import pytest

from sandbox.config import UserSpec
from sandbox.personas import Persona, Tone
from sandbox.sandbox import Sandbox
from tests.sandbox.business import Business, BusinessPeer

TONE = Persona(says=Tone(frequency_hz=440, level_dbfs=-20), answer_after_s=0.2)
ANN = UserSpec(user_id="US.1", wa_id="14085551234", persona=TONE)


def answer_session(sdp: str) -> dict[str, str]:
    return {"sdp_type": "answer", "sdp": sdp}


async def test_a_user_calls_and_both_hear_each_other(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        connect = await business.wait("calls", "connect")
        assert connect["direction"] == "USER_INITIATED"
        peer = BusinessPeer()
        sdp = await peer.answer(connect["session"]["sdp"])
        await business.act_ok("pre_accept", call_id=call.wacid, session=answer_session(sdp))
        await business.act_ok("accept", call_id=call.wacid, session=answer_session(sdp))
        await peer.heard_enough.wait()
        heard = peer.measure()
        assert abs(heard.dominant_hz - 440) < 5
        assert abs(heard.level_dbfs + 20) < 3
        heard = call.hearing.measure(call.hearing.duration_s - 0.5)
        assert abs(heard.dominant_hz - 700) < 5
        assert heard.dominant_share > 0.9
        await business.act_ok("terminate", call_id=call.wacid)
        ended = await business.wait("calls", "terminate")
        assert ended["status"] == "COMPLETED"
        assert "duration" in ended
        await peer.close()


@pytest.mark.parametrize("setup", ["active", "passive", "actpass"])
async def test_the_business_calls_and_both_hear_each_other(
    business: Business, setup: str
) -> None:
    config = business.config(users=[ANN], bic_answer_setup=setup)
    async with Sandbox(config) as sandbox:
        business.graph_url = sandbox.graph_url
        peer = BusinessPeer()
        session = {"sdp_type": "offer", "sdp": await peer.offer()}
        answer = await business.act_ok(
            "connect", to="14085551234", session=session, biz_opaque_callback_data="key-1"
        )
        call = sandbox.exchange.call(answer["calls"][0]["id"])
        connect = await business.wait("calls", "connect")
        assert connect["biz_opaque_callback_data"] == "key-1"
        sdp = connect["session"]["sdp"]
        assert f"a=setup:{setup}" in sdp
        await peer.take_answer(sdp.replace("a=setup:actpass", "a=setup:passive"))
        await business.wait("statuses", "RINGING")
        await business.wait("statuses", "ACCEPTED")
        await peer.heard_enough.wait()
        assert abs(peer.measure().dominant_hz - 440) < 5
        heard = call.hearing.measure(call.hearing.duration_s - 0.5)
        assert abs(heard.dominant_hz - 700) < 5
        call.hang_up()
        ended = await business.wait("calls", "terminate")
        assert ended["status"] == "COMPLETED"
        assert not call.record.faults
        await peer.close()
