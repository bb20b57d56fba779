"""What the Graph API refuses, with Meta's code and the reason."""

from typing import Any

import pytest

from sandbox.business_sdp import BadBusinessSdp, SdpType, parse_business_sdp
from sandbox.config import BusinessNumber, Limits, PermissionStatus
from sandbox.sandbox import Sandbox
from tests.sandbox.business import ANN, PNID, Business, offer_session
from tests.sandbox.sdp_samples import ANSWER, FINGERPRINT, OFFER

CONNECT: dict[str, Any] = {
    "messaging_product": "whatsapp",
    "to": "14085551234",
    "action": "connect",
    "session": {"sdp_type": "offer", "sdp": OFFER},
}
RECORDING = {"status": "ENABLED", "purpose": "quality", "announcement_language": "en_US"}


def broken(sdp: str, old: str, new: str) -> str:
    assert old in sdp
    return sdp.replace(old, new)


@pytest.mark.parametrize(
    ("old", "new", "code", "reason"),
    [
        (FINGERPRINT, "a=x", 138008, "No fingerprint"),
        (FINGERPRINT, FINGERPRINT + "\r\na=fingerprint:sha-384 00:11", 138008, "found 2"),
        ("sha-256", "sha-1", 138008, "sha-256"),
        (":1F\r\n", "\r\n", 138008, "sha-256"),
        ("\r\n", "\n", 100, "CRLF"),
        ("s=-\r\n", "s=-\n", 100, "CRLF"),
        ("a=ptime:20\r\n", "a=ptime:20", 100, "CRLF"),
        ("v=0\r\n", "", 100, "v=0"),
        ("a=rtcp-mux\r\n", "", 100, "rtcp-mux"),
        ("a=ice-ufrag:4g1c\r\n", "", 100, "ice-ufrag"),
        ("a=ice-pwd:qY", "a=ice-pwd:!", 100, "ice-pwd"),
        ("a=ice-ufrag", "a=ice-lite\r\na=ice-ufrag", 100, "ice-lite"),
        ("opus/48000/2", "PCMU/8000", 100, "opus"),
        ("opus/48000/2", "opus/48000/1", 100, "opus"),
        ("a=sendrecv", "a=recvonly", 100, "sendrecv"),
        ("a=ptime:20", "a=ptime:60", 100, "ptime"),
        ("m=audio", "m=video", 100, "m-line"),
        ("SAVPF", "AVP", 100, "m-line"),
        ("a=mid:audio", "m=audio 9 UDP/TLS/RTP/SAVPF 111", 100, "found 2"),
        ("a=setup:actpass", "a=setup:active", 100, "actpass"),
        ("a=setup:actpass\r\n", "", 100, "actpass"),
        ("s=-", "no equals sign", 100, "type=value"),
        ("s=-", "s=" + "x" * 20_000, 100, "too long"),
    ],
)
def test_an_offer_that_breaks_a_rule_is_refused(
    old: str, new: str, code: int, reason: str
) -> None:
    with pytest.raises(BadBusinessSdp, match=reason) as refusal:
        parse_business_sdp(broken(OFFER, old, new), SdpType.OFFER)
    assert refusal.value.code == code


@pytest.mark.parametrize("setup", ["actpass", "holdconn"])
def test_an_answer_must_choose_its_role(setup: str) -> None:
    with pytest.raises(BadBusinessSdp, match="active or passive"):
        parse_business_sdp(broken(ANSWER, "setup:active", f"setup:{setup}"), SdpType.ANSWER)


def test_what_meta_was_seen_to_take_is_taken() -> None:
    sdp = broken(ANSWER, "sha-256", "SHA-256")
    sdp = broken(sdp, " 126\r\n", "\r\n")
    assert parse_business_sdp(sdp, SdpType.ANSWER).events_type is None


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"messaging_product": None}, 100),
        ({"messaging_product": "facebook"}, 100),
        ({"action": None}, 100),
        ({"action": "media_update"}, 100),
        ({"to": None}, 100),
        ({"to": 14085551234}, 100),
        ({"session": None}, 100),
        ({"session": "v=0"}, 100),
        ({"session": {"sdp_type": "answer", "sdp": OFFER}}, 100),
        ({"session": {"sdp_type": "offer"}}, 100),
        ({"session": {"sdp_type": "offer", "sdp": OFFER, "more": 1}}, 100),
        ({"surprise": "x"}, 100),
        ({"connection": {"webrtc": {"sdp": "{}"}}}, 100),
        ({"biz_opaque_callback_data": "x" * 513}, 100),
        ({"recording": True}, 100),
        ({"recording": RECORDING | {"status": "ON"}}, 100),
        ({"recording": {"status": "ENABLED", "announcement_language": "en"}}, 100),
        ({"recording": {"status": "ENABLED", "purpose": "quality"}}, 100),
        ({"recording": RECORDING | {"purpose": ""}}, 100),
        ({"recording": RECORDING | {"purpose": "x" * 251}}, 100),
        ({"recording": RECORDING | {"announcement_language": "id_ID"}}, 100),
        ({"transcription": RECORDING | {"announcement_language": "xx"}}, 100),
        ({"recording": RECORDING | {"volume": 3}}, 100),
        ({"to": "19995550000"}, 138001),
        ({"session": {"sdp_type": "offer", "sdp": broken(OFFER, FINGERPRINT, "a=x")}}, 138008),
    ],
)
async def test_a_bad_connect_is_refused_and_leaves_no_call(
    business: Business, change: dict[str, Any], code: int
) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        body = {key: value for key, value in (CONNECT | change).items() if value is not None}
        status, answer = await business.post(f"/v23.0/{PNID}/calls", body)
        assert status == 400
        assert answer["error"]["code"] == code
        assert answer["error"]["type"] == "OAuthException"
        assert answer["error"]["fbtrace_id"]
        assert not sandbox.exchange.calls


async def test_recording_and_transcription_are_taken_when_well_formed(
    business: Business,
) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        transcription = {"status": "DISABLED"}
        answer = await business.act_ok(
            "connect",
            recipient="US.1",
            session=offer_session(OFFER),
            recording=RECORDING | {"purpose": "x" * 250},
            transcription=transcription,
        )
        call = sandbox.exchange.call(answer["calls"][0]["id"])
        assert call.recording is not None
        assert call.recording.announcement_language == "en_US"
        assert call.transcription is None


async def test_a_body_that_is_no_json_object_is_refused(business: Business) -> None:
    async with Sandbox(business.config()) as sandbox:
        business.graph_url = sandbox.graph_url
        bodies: list[object] = [[], "text", None, 5]
        for body in bodies:
            status, answer = await business.post(f"/v23.0/{PNID}/calls", body)
            assert (status, answer["error"]["code"]) == (400, 100)


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", "Basic c2FuZGJveA=="])
async def test_without_a_valid_token_nothing_goes(business: Business, header: str) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        status, answer = await business.post(
            f"/v23.0/{PNID}/calls", CONNECT, headers={"Authorization": header}
        )
        assert (status, answer["error"]["code"]) == (401, 190)


async def test_every_configured_token_is_valid(business: Business) -> None:
    config = business.config(users=[ANN], access_tokens=["first", "second"])
    async with Sandbox(config) as sandbox:
        business.graph_url = sandbox.graph_url
        for token in ("first", "second"):
            status, _ = await business.post(
                f"/v23.0/{PNID}/calls",
                CONNECT | {"to": "1"},
                headers={"Authorization": f"Bearer {token}"},
            )
            assert status == 400


async def test_unknown_numbers_and_old_versions_are_refused(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        status, answer = await business.post("/v23.0/999/calls", CONNECT)
        assert (status, answer["error"]["code"]) == (400, 100)
        assert answer["error"]["error_subcode"] == 33
        status, answer = await business.post(f"/v16.0/{PNID}/calls", CONNECT)
        assert (status, answer["error"]["code"]) == (400, 2635)


async def test_permission_decides_whether_the_business_may_call(business: Business) -> None:
    ann = ANN.model_copy(update={"permission": PermissionStatus.NONE})
    async with Sandbox(business.config(users=[ann])) as sandbox:
        business.graph_url = sandbox.graph_url
        status, answer = await business.post(f"/v23.0/{PNID}/calls", CONNECT)
        assert (status, answer["error"]["code"]) == (401, 138006)
        number = sandbox.exchange.number(None)
        user = sandbox.exchange.user("US.1")
        sandbox.exchange.set_permission(number, user, PermissionStatus.TEMPORARY)
        status, _ = await business.post(f"/v23.0/{PNID}/calls", CONNECT)
        assert status == 200


async def test_a_second_call_with_the_same_user_is_a_duplicate(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        assert (await business.post(f"/v23.0/{PNID}/calls", CONNECT))[0] == 200
        status, answer = await business.post(f"/v23.0/{PNID}/calls", CONNECT)
        assert (status, answer["error"]["code"]) == (400, 138003)


@pytest.mark.parametrize(
    ("fields", "status", "code"),
    [
        ({"limits": Limits(concurrent_calls_max=0)}, 429, 138002),
        ({"limits": Limits(connected_calls_per_day_max=0)}, 400, 138012),
        ({"numbers": [BusinessNumber(can_call_out=False)]}, 400, 138013),
    ],
)
async def test_limits_are_told_with_their_own_codes(
    business: Business, fields: dict[str, Any], status: int, code: int
) -> None:
    async with Sandbox(business.config(users=[ANN], **fields)) as sandbox:
        business.graph_url = sandbox.graph_url
        found, answer = await business.post(f"/v23.0/{PNID}/calls", CONNECT)
        assert (found, answer["error"]["code"]) == (status, code)


async def test_a_number_without_calling_refuses_calls(business: Business) -> None:
    async with Sandbox(business.config(users=[ANN])) as sandbox:
        business.graph_url = sandbox.graph_url
        body = {"calling": {"status": "DISABLED"}}
        assert (await business.post(f"/v23.0/{PNID}/settings", body))[0] == 200
        status, answer = await business.post(f"/v23.0/{PNID}/calls", CONNECT)
        assert (status, answer["error"]["code"]) == (401, 138000)
