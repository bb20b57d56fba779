"""The Graph client against a peer that misbehaves."""

import socket

import pytest

from gateway.adapters.whatsapp_errors import read_refusal
from gateway.adapters.whatsapp_graph import GraphTimeouts
from gateway.core.errors import WhatsAppRefused, WhatsAppUnclear
from gateway.core.ids import CallId, Wacid
from gateway.core.whatsapp import Peer
from tests.adapters.whatsapp.graph_peer import (
    CONNECTED,
    NUMBER,
    OK,
    Act,
    Bench,
    breaks_off,
    date_of,
    fault,
    floods,
    resets,
    says,
    stays_silent,
    talks_nonsense,
    trickles,
    wired,
)

CALL = CallId("c" * 26)
WACID = Wacid("wacid.ABGGFjFVU2AfAgo6V")
USER = Peer(phone="14085551234", user_id="US.13491208655302741918")
SHORT = GraphTimeouts(connect_s=5, start_call_s=0.3, action_s=0.3)

HTML = says(502, raw=b"<html>Bad gateway</html>", headers={"Content-Type": "text/html"})
UNCLEAR: dict[str, Act] = {
    "reset": resets,
    "broken off": breaks_off,
    "nonsense": talks_nonsense,
    "too long": floods,
    "html": HTML,
    "500 without envelope": says(500, {}),
    "503 without envelope": says(503, raw=b"try later"),
    "200 that is no json": says(200, raw=b"OK"),
    "200 that is a list": says(200, [1]),
    "temporary by code": says(500, fault(2, "Service temporarily unavailable")),
    "temporary by flag": says(500, fault(138004, is_transient=True)),
    "success false": says(200, {"success": False}),
    "deep": says(200, raw=b"[" * 60_000),
    "redirect": says(302, {}, headers={"Location": "http://127.0.0.1:9/steal"}),
}


async def connect(bench: Bench) -> Wacid:
    return await bench.calls.connect(NUMBER, call_id=CALL, to=USER, offer="v=0\r\n")


async def accept(bench: Bench) -> None:
    await bench.calls.accept(NUMBER, call_id=CALL, wacid=WACID, answer="v=0\r\na=1\r\n")


async def terminate(bench: Bench) -> None:
    await bench.calls.terminate(NUMBER, call_id=CALL, wacid=WACID)


async def test_bodies_hold_exactly_the_documented_fields() -> None:
    async with wired() as bench:
        bench.peer.will(CONNECTED, OK)
        assert await connect(bench) == "wacid.NEW"
        await bench.calls.pre_accept(NUMBER, call_id=CALL, wacid=WACID, answer="v=0\r\n")
        await accept(bench)
        await bench.calls.reject(NUMBER, call_id=CALL, wacid=WACID)
        await terminate(bench)

        answer = {"sdp_type": "answer", "sdp": "v=0\r\n"}
        common = {"messaging_product": "whatsapp", "call_id": WACID}
        assert [seen.body for seen in bench.peer.seen] == [
            {
                "messaging_product": "whatsapp",
                "to": "14085551234",
                "recipient": "US.13491208655302741918",
                "action": "connect",
                "session": {"sdp_type": "offer", "sdp": "v=0\r\n"},
                "biz_opaque_callback_data": CALL,
            },
            {**common, "action": "pre_accept", "session": answer},
            {
                **common,
                "action": "accept",
                "session": {"sdp_type": "answer", "sdp": "v=0\r\na=1\r\n"},
                "biz_opaque_callback_data": CALL,
            },
            {**common, "action": "reject"},
            {**common, "action": "terminate"},
        ]
        for seen in bench.peer.seen:
            assert seen.path == "/v23.0/106540352242922/calls"
            assert seen.headers["authorization"] == "Bearer EAAsecret-token"
            assert seen.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (Peer(phone="1408"), {"to": "1408"}),
        (Peer(user_id="US.1"), {"recipient": "US.1"}),
    ],
)
async def test_a_user_without_phone_or_without_id_can_be_called(
    to: Peer, expected: dict[str, str]
) -> None:
    async with wired() as bench:
        bench.peer.will(CONNECTED)
        await bench.calls.connect(NUMBER, call_id=CALL, to=to, offer="v=0\r\n")
        body = bench.peer.seen[0].body
        assert {key: body[key] for key in ("to", "recipient") if key in body} == expected


@pytest.mark.parametrize("name", UNCLEAR)
async def test_an_unusable_answer_to_connect_is_unclear_and_never_repeated(name: str) -> None:
    async with wired() as bench:
        bench.peer.will(UNCLEAR[name])
        with pytest.raises(WhatsAppUnclear):
            await connect(bench)
        assert len(bench.peer.seen) == 1


@pytest.mark.parametrize("act", [stays_silent, trickles], ids=["silent", "slow body"])
async def test_a_timed_out_connect_is_unclear_and_never_repeated(act: Act) -> None:
    async with wired(timeouts=SHORT) as bench:
        bench.peer.will(act)
        with pytest.raises(WhatsAppUnclear):
            await connect(bench)
        assert len(bench.peer.seen) == 1


async def test_a_call_that_graph_took_without_naming_it_is_unclear() -> None:
    async with wired() as bench:
        bench.peer.will(says(200, {"messaging_product": "whatsapp", "calls": []}))
        with pytest.raises(WhatsAppUnclear):
            await connect(bench)


@pytest.mark.parametrize("name", UNCLEAR)
async def test_accept_is_repeated_once_with_the_identical_body(name: str) -> None:
    async with wired() as bench:
        bench.peer.will(UNCLEAR[name], OK)
        await accept(bench)
        first, second = bench.peer.seen
        assert first.body == second.body


async def test_a_timed_out_accept_that_had_its_effect_counts_as_accepted() -> None:
    async with wired(timeouts=SHORT) as bench:
        refusal = fault(100, "Accept failed: the call is already in progress")
        bench.peer.will(stays_silent, says(400, refusal))
        await accept(bench)
        assert len(bench.peer.seen) == 2


async def test_accept_gives_up_after_its_second_try() -> None:
    async with wired() as bench:
        bench.peer.will(HTML)
        with pytest.raises(WhatsAppUnclear):
            await accept(bench)
        assert len(bench.peer.seen) == 2


@pytest.mark.parametrize(
    "details", ["Call already ended", "The call has been terminated", "Call not found"]
)
async def test_an_accept_for_a_call_that_is_over_is_refused(details: str) -> None:
    async with wired() as bench:
        bench.peer.will(says(400, fault(100, details)))
        with pytest.raises(WhatsAppRefused) as caught:
            await accept(bench)
        assert caught.value.fault.details == details
        assert len(bench.peer.seen) == 1


@pytest.mark.parametrize(
    "details",
    [
        "Call already ended",
        "The call has been terminated by the user",
        "Call was already rejected",
        "Call is no longer active",
        "Call does not exist",
        "User hung up",
        "call completed: it has ended",
        "Reject already in progress",
    ],
)
@pytest.mark.parametrize("action", ["terminate", "reject"])
async def test_ending_what_has_ended_is_success(action: str, details: str) -> None:
    async with wired() as bench:
        bench.peer.will(says(400, fault(100, details)))
        await getattr(bench.calls, action)(NUMBER, call_id=CALL, wacid=WACID)
        assert len(bench.peer.seen) == 1


@pytest.mark.parametrize(
    "refusal",
    [fault(190, "Session has expired"), fault(100, "Unexpected key"), fault(10, "ended")],
)
async def test_other_refusals_of_terminate_are_told(refusal: dict[str, object]) -> None:
    async with wired() as bench:
        bench.peer.will(says(400, refusal))
        with pytest.raises(WhatsAppRefused):
            await terminate(bench)


async def test_terminate_is_tried_five_times_with_growing_jittered_pauses() -> None:
    async with wired(chance=0.5) as bench:
        bench.peer.will(HTML)
        with pytest.raises(WhatsAppUnclear):
            await terminate(bench)
        assert len(bench.peer.seen) == 5
        assert bench.clock.slept == [0.125, 0.25, 0.5, 1.0]


async def test_terminate_succeeds_as_soon_as_graph_does() -> None:
    async with wired() as bench:
        bench.peer.will(resets, HTML, says(429, fault(138005)), OK)
        await terminate(bench)
        assert len(bench.peer.seen) == 4


DOCUMENTED = [100, 190, 131009, 131044, 131055, 138000, 138001, 138003, 138006, 138007]
DOCUMENTED += [138008, 138009, 138012, 138013, 138014, 138017, 138018, 138038, 613, 4, 80007]
DOCUMENTED += [130429, 138002, 138005, 10, 200, 131030, 131042, 138004]


@pytest.mark.parametrize("status", [400, 401, 429, 500])
@pytest.mark.parametrize("code", DOCUMENTED)
async def test_each_documented_error_is_a_refusal_whatever_its_status(
    code: int, status: int
) -> None:
    async with wired() as bench:
        bench.peer.will(says(status, fault(code, "why", error_subcode=2494010)))
        with pytest.raises(WhatsAppRefused) as caught:
            await connect(bench)
        told = caught.value.fault
        assert (told.code, told.details, told.subcode) == (code, "why", 2494010)
        assert (told.http_status, told.fbtrace_id) == (status, "TRACE")
        assert told.message == f"(#{code}) no"
        assert len(bench.peer.seen) == 1


async def test_retry_after_is_handed_on_for_connect() -> None:
    async with wired() as bench:
        bench.peer.will(says(429, fault(138002), headers={"Retry-After": "37"}))
        with pytest.raises(WhatsAppRefused) as caught:
            await connect(bench)
        assert caught.value.retry_after_s == 37


async def test_retry_after_is_obeyed_up_to_its_bound() -> None:
    async with wired() as bench:
        bench.peer.will(says(429, fault(138005), headers={"Retry-After": "3"}), OK)
        await terminate(bench)
        assert bench.clock.slept == [3.0]

        bench.peer.will(says(429, fault(138005), headers={"Retry-After": "3600"}), OK)
        with pytest.raises(WhatsAppRefused) as caught:
            await terminate(bench)
        assert caught.value.retry_after_s == 3600
        assert bench.clock.slept == [3.0]


async def test_retry_after_as_a_date_counts_from_graphs_own_clock() -> None:
    async with wired() as bench:
        when = {"Date": date_of(1_000_000_000), "Retry-After": date_of(1_000_000_002)}
        bench.peer.will(says(429, fault(138005), headers=when), OK)
        await terminate(bench)
        assert bench.clock.slept == [2.0]


async def test_a_port_where_nobody_listens_is_told_apart_from_an_unclear_answer() -> None:
    async with wired() as bench:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            bench.calls._graph._root = bench.calls._graph._root.with_port(
                unused.getsockname()[1]
            )
            with pytest.raises(WhatsAppRefused) as caught:
                await connect(bench)
        assert caught.value.fault.code == 0


async def test_new_calls_are_refused_at_once_while_graph_does_not_answer() -> None:
    async with wired() as bench:
        bench.peer.will(HTML)
        for _ in range(3):
            with pytest.raises(WhatsAppUnclear):
                await connect(bench)
        with pytest.raises(WhatsAppRefused) as caught:
            await connect(bench)
        assert caught.value.fault.code == 0
        assert 0 < (caught.value.retry_after_s or 0) <= 15
        assert len(bench.peer.seen) == 3

        # A call that is up can still be ended, and its answer closes the fuse.
        bench.peer.will(OK, CONNECTED)
        await terminate(bench)
        assert await connect(bench) == "wacid.NEW"


async def test_after_the_pause_one_probe_is_let_through() -> None:
    async with wired() as bench:
        bench.peer.will(HTML)
        for _ in range(3):
            with pytest.raises(WhatsAppUnclear):
                await connect(bench)
        bench.clock.skew_s += 16
        with pytest.raises(WhatsAppUnclear):
            await connect(bench)
        with pytest.raises(WhatsAppRefused):
            await connect(bench)
        assert len(bench.peer.seen) == 4


@pytest.mark.parametrize("ahead_s", [-90, 0, 3600])
async def test_metas_clock_is_learned_from_the_date_header(ahead_s: int) -> None:
    async with wired() as bench:
        assert bench.calls.clock_offset_s() == 0
        date = {"Date": date_of(bench.clock.wall_s + ahead_s)}
        bench.peer.will(says(200, {"success": True}, headers=date))
        await terminate(bench)
        assert abs(bench.calls.clock_offset_s() - ahead_s) <= 1


async def test_one_wild_date_does_not_move_the_clock() -> None:
    async with wired() as bench:
        for at in (0, 0, 0, 5_000_000, 0):
            date = {"Date": date_of(bench.clock.wall_s + at)}
            bench.peer.will(says(200, {"success": True}, headers=date))
            await terminate(bench)
        bench.peer.will(says(200, {"success": True}, headers={"Date": "yesterday"}))
        await terminate(bench)
        assert abs(bench.calls.clock_offset_s()) <= 1


async def test_every_request_leaves_one_redacted_line() -> None:
    async with wired() as bench:
        bench.peer.will(CONNECTED, resets, OK, says(400, fault(138006, "+14085551234")))
        await connect(bench)
        await accept(bench)
        with pytest.raises(WhatsAppRefused):
            await terminate(bench)
        steps = [
            (line.step, line.fields["outcome"], line.fields["try"]) for line in bench.trace
        ]
        assert steps == [
            ("connect", "ok", 1),
            ("accept", "unclear", 1),
            ("accept", "ok", 2),
            ("terminate", "refused", 1),
        ]
        assert all(line.call_id == CALL and line.source == "graph" for line in bench.trace)
        assert bench.trace[0].fields["status"] == 200
        assert bench.trace[0].fields["fbtrace_id"] == "TRACE"
        assert bench.trace[3].fields["code"] == 138006
        told = repr(bench.trace)
        for secret in ("EAAsecret", "14085551234", "US.1349", "wacid.", "v=0", "1065403"):
            assert secret not in told


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":{"code":100,"message":null,"error_subcode":"x","error_data":null}}',
        b'{"error":{"code":100,"error_data":"plain text"}}',
        b'{"error":{"code":"100","fbtrace_id":7,"is_transient":"?"}}',
    ],
)
def test_an_odd_envelope_is_still_read(body: bytes) -> None:
    refusal = read_refusal(body, http_status=400)
    assert refusal is not None
    assert refusal.fault.code == 100
    assert refusal.is_definite
