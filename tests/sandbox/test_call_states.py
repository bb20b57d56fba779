"""Which action is possible when, and which webhook tells of it."""

from sandbox.config import Timings
from sandbox.personas import Answers, Persona, Silence
from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, Business, answer_session, offer_session
from tests.sandbox.sdp_samples import ANSWER, OFFER


async def test_the_accepted_sdp_must_be_the_pre_accepted_one(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        await business.act_ok("pre_accept", call_id=call.wacid, session=answer_session(ANSWER))
        await business.act_ok("pre_accept", call_id=call.wacid, session=answer_session(ANSWER))
        other = answer_session(ANSWER.replace("o=- 36", "o=- 37"))
        for action in ("pre_accept", "accept"):
            status, answer = await business.act(action, call_id=call.wacid, session=other)
            assert (status, answer["error"]["code"]) == (400, 100)
        await business.act_ok("accept", call_id=call.wacid, session=answer_session(ANSWER))


async def test_an_accepted_call_cannot_be_accepted_or_rejected_again(
    business: Business,
) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        session = answer_session(ANSWER)
        await business.act_ok(
            "accept", call_id=call.wacid, session=session, biz_opaque_callback_data="mine"
        )
        status, answer = await business.act("accept", call_id=call.wacid, session=session)
        assert status == 400
        assert "already in progress" in answer["error"]["error_data"]["details"]
        assert (await business.act("reject", call_id=call.wacid))[0] == 400
        await business.act_ok("terminate", call_id=call.wacid)
        ended = await business.wait("calls", "terminate")
        assert ended["biz_opaque_callback_data"] == "mine"
        status, answer = await business.act("terminate", call_id=call.wacid)
        assert status == 400
        assert "already ended" in answer["error"]["error_data"]["details"]


async def test_a_rejected_call_ends_without_having_been_picked_up(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        call = await sandbox.exchange.call_business("US.1")
        await business.act_ok("reject", call_id=call.wacid)
        ended = await business.wait("calls", "terminate")
        assert ended["status"] == "COMPLETED"
        assert "start_time" not in ended
        assert "duration" not in ended
        status, _ = await business.act(
            "accept", call_id=call.wacid, session=answer_session(ANSWER)
        )
        assert status == 400


async def test_a_user_who_gives_up_while_ringing_leaves_a_terminate(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        call = await sandbox.exchange.call_business("US.1")
        call.hang_up()
        assert "start_time" not in await business.wait("calls", "terminate")


async def test_a_user_call_that_nobody_answers_ends_by_itself(business: Business) -> None:
    timings = Timings(speed=20, uic_answer_timeout_s=0.3)
    async with Sandbox(business.config(users=[ANN], timings=timings)) as sandbox:
        call = await sandbox.exchange.call_business("US.1")
        assert "start_time" not in await business.wait("calls", "terminate")
        assert call.outcome is not None
        assert call.outcome.reason == "not_answered"


async def test_actions_for_user_calls_are_refused_on_business_calls(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        answer = await business.act_ok(
            "connect", to="+14085551234", session=offer_session(OFFER)
        )
        wacid = answer["calls"][0]["id"]
        session = answer_session(ANSWER)
        assert (await business.act("accept", call_id=wacid, session=session))[0] == 400
        assert (await business.act("pre_accept", call_id=wacid, session=session))[0] == 400
        assert (await business.act("reject", call_id=wacid))[0] == 400
        await business.act_ok("terminate", call_id=wacid)


async def test_unknown_call_ids_are_refused(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        status, answer = await business.act("terminate", call_id="wacid.nobody")
        assert (status, answer["error"]["code"]) == (400, 100)


async def test_a_user_who_rejects_sends_rejected_and_terminate(business: Business) -> None:
    persona = Persona(answers=Answers.REJECTS, answer_after_s=0.05)
    ann = ANN.model_copy(update={"persona": persona})
    async with Sandbox(business.config(users=[ann])) as sandbox:
        business.graph_url = sandbox.graph_url
        await business.act_ok("connect", to="14085551234", session=offer_session(OFFER))
        await business.wait("statuses", "REJECTED")
        assert "start_time" not in await business.wait("calls", "terminate")


async def test_a_user_who_never_answers_rings_until_the_time_out(business: Business) -> None:
    ann = ANN.model_copy(update={"persona": Persona(answers=Answers.NEVER, says=Silence())})
    timings = Timings(speed=20, bic_ring_timeout_s=0.4)
    async with Sandbox(business.config(users=[ann], timings=timings)) as sandbox:
        business.graph_url = sandbox.graph_url
        await business.act_ok("connect", to="14085551234", session=offer_session(OFFER))
        await business.wait("statuses", "RINGING")
        assert "start_time" not in await business.wait("calls", "terminate")


async def test_a_user_without_a_number_is_known_by_id_alone(business: Business) -> None:
    ann = ANN.model_copy(
        update={"wa_id": None, "username": "ann", "parent_user_id": "US.ENT.2"}
    )
    async with Sandbox(business.config(users=[ann])) as sandbox:
        business.graph_url = sandbox.graph_url
        await sandbox.exchange.call_business("US.1", deeplink_payload="from-poster")
        connect = await business.wait("calls", "connect")
        assert "from" not in connect
        assert connect["from_user_id"] == "US.1"
        assert connect["from_parent_user_id"] == "US.ENT.2"
        assert connect["deeplink_payload"] == "from-poster"
        contact = connect["_value"]["contacts"][0]
        assert "wa_id" not in contact
        assert contact["profile"] == {"name": "Ann Sandbox", "username": "ann"}
