"""Reading peers' SDP: what is understood, and that nothing else gets through."""

import random
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from media.sdp import BadSdp, Direction, RemoteCandidate, Setup, parse_sdp
from tests.conftest import Rounds
from tests.media import sdp_samples
from tests.media.sdp_samples import (
    ALL,
    CHROME,
    FINGERPRINT,
    FIREFOX,
    OTHER_FINGERPRINT,
    SAFARI,
    WHATSAPP_ANSWER,
    WHATSAPP_OFFER,
)


def test_an_offer_of_chrome_is_understood() -> None:
    offer = parse_sdp(CHROME)
    assert (offer.audio.mid, offer.audio.opus, offer.audio.keypad) == ("0", 111, 126)
    assert offer.audio.ssrc == 1923847561
    assert offer.channel is not None
    assert (offer.channel.mid, offer.channel.sctp_port) == ("1", 5000)
    assert (offer.ufrag, offer.password) == ("aXq1", "u5vPPkVnUbLkPlwRaj8Zp0jX")
    assert offer.setup is Setup.ACTPASS
    assert not offer.is_lite


def test_tcp_and_mdns_candidates_are_left_out() -> None:
    assert parse_sdp(CHROME).candidates == (
        RemoteCandidate("1467250027", 2122260223, "192.0.2.33", 51234, "host"),
    )


def test_an_offer_of_firefox_is_understood() -> None:
    offer = parse_sdp(FIREFOX)
    assert (offer.audio.opus, offer.audio.keypad) == (109, 101)
    assert offer.fingerprint == FINGERPRINT
    assert offer.channel is not None


def test_an_offer_of_safari_without_candidates_is_understood() -> None:
    offer = parse_sdp(SAFARI)
    assert (offer.audio.opus, offer.audio.keypad) == (96, 101)
    assert offer.candidates == ()
    assert offer.channel is None


def test_an_offer_of_whatsapp_is_understood_with_its_padded_password() -> None:
    offer = parse_sdp(WHATSAPP_OFFER)
    assert offer.is_lite
    assert offer.password == "X29zIx+RGAlhVLF1/lo0oQ=="
    assert [candidate.port for candidate in offer.candidates] == [3484, 3484]
    assert offer.audio.direction is Direction.SENDRECV


def test_an_answer_of_whatsapp_with_several_ssrc_lines_has_one_ssrc() -> None:
    answer = parse_sdp(WHATSAPP_ANSWER)
    assert answer.audio.ssrc == 433528572
    assert answer.setup is Setup.ACTIVE


def test_bare_line_feeds_are_accepted() -> None:
    assert parse_sdp(CHROME.replace("\r\n", "\n")) == parse_sdp(CHROME)


def test_other_fingerprint_algorithms_beside_sha_256_are_passed_over() -> None:
    line = f"a=fingerprint:sha-256 {FINGERPRINT}\r\n"
    more = line + "a=fingerprint:sha-384 " + ":".join(["AB"] * 48) + "\r\n"
    assert parse_sdp(SAFARI.replace(line, more)).fingerprint == FINGERPRINT


def test_a_lower_case_fingerprint_is_the_same_fingerprint() -> None:
    lower = SAFARI.replace(FINGERPRINT, FINGERPRINT.lower()).replace("sha-256", "SHA-256")
    assert parse_sdp(lower).fingerprint == FINGERPRINT


@pytest.mark.parametrize(
    ("was", "becomes", "reason"),
    [
        ("v=0", "v=1", "v=0"),
        ("a=rtcp-mux\r\n", "", "rtcp-mux"),
        ("UDP/TLS/RTP/SAVPF", "RTP/AVP", "SAVPF"),
        ("a=rtpmap:111 opus/48000/2\r\n", "", "Opus"),
        ("a=rtpmap:111 opus/48000/2", "a=rtpmap:111 opus/16000/2", "Opus"),
        ("m=audio 3484", "m=audio 0", "switched off"),
        ("m=audio 3484", "m=audio 70000", "audio port"),
        ("m=audio 3484", "m=audio \uff13484", "audio port"),
        ("111 126", "111 111", "twice"),
        ("111 126", "111 999", "payload type"),
        ("a=ice-ufrag:MkBWnyZXw+wMTKqA\r\n", "", "user fragment"),
        ("a=ice-ufrag:MkBWnyZXw+wMTKqA", "a=ice-ufrag:ab", "user fragment"),
        ("a=ice-pwd:X29zIx+RGAlhVLF1/lo0oQ==", "a=ice-pwd:short", "password"),
        ("a=ice-pwd:X29zIx+RGAlhVLF1/lo0oQ==\r\n", "", "password"),
        (f"a=fingerprint:sha-256 {FINGERPRINT}\r\n", "", "no sha-256"),
        ("sha-256", "sha-1", "no sha-256"),
        (FINGERPRINT, FINGERPRINT[:-3], "fingerprint"),
        (
            f"a=fingerprint:sha-256 {FINGERPRINT}\r\n",
            f"a=fingerprint:sha-256 {FINGERPRINT}\r\na=fingerprint:sha-256 {OTHER_FINGERPRINT}\r\n",
            "two different",
        ),
        ("a=setup:actpass\r\n", "", "setup"),
        ("a=setup:actpass", "a=setup:holdconn", "setup"),
        ("a=sendrecv\r\n", "a=sendrecv\r\na=recvonly\r\n", "direction"),
        ("a=mid:audio\r\n", "", "media id"),
        ("a=mid:audio", "a=mid:au dio", "media id"),
        (" typ host", "", "candidate"),
        ("udp 2122260223", "udp -1", "priority"),
        ("198.51.100.35 3484 typ", "198.51.100.35 99999 typ", "port"),
        ("a=ssrc:3435760938", "a=ssrc:99999999999", "SSRC"),
        (
            "a=ssrc:3435760938 cname:WhatsAppAudioStream1\r\n",
            "a=ssrc:1 cname:a\r\na=ssrc:2 cname:a\r\n",
            "more than one SSRC",
        ),
        ("t=0 0", "t0 0", "letter=value"),
        ("s=-", "s=\0", "letter=value"),
    ],
)
def test_a_broken_description_is_refused_in_plain_words(
    was: str, becomes: str, reason: str
) -> None:
    assert was in WHATSAPP_OFFER
    with pytest.raises(BadSdp, match=re.escape(reason)):
        parse_sdp(WHATSAPP_OFFER.replace(was, becomes))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "v=0"),
        ("v=0\r\n", "no audio"),
        ("x" * 70000, "64 KiB"),
        ("v=0\r\n" + "é" * 40000, "64 KiB"),
        ("v=0\r\n" + "a=x\r\n" * 600, "500 lines"),
        (CHROME + CHROME[CHROME.index("m=audio") : CHROME.index("m=application")], "m=audio"),
        (SAFARI + "m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", "other than audio"),
        (SAFARI + "a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n" * 33, "32 candidates"),
        (CHROME.replace("a=group:BUNDLE 0 1", "a=group:BUNDLE 0"), "not bundled"),
        (CHROME.replace("a=ice-ufrag:aXq1", "a=ice-ufrag:other", 1), "another ICE transport"),
        (CHROME.replace("webrtc-datachannel", "5000"), "data channel"),
        ("v=0\r\n\ud800", "letter=value"),
    ],
)
def test_a_hostile_description_is_refused_in_plain_words(text: str, reason: str) -> None:
    with pytest.raises(BadSdp, match=re.escape(reason)):
        parse_sdp(text)


@pytest.mark.parametrize(
    "address", ["example.com", "1.2.3", "fe80::1%eth0", "999.1.1.1", "x.local", "1.2.3.4.5"]
)
def test_a_candidate_without_a_literal_address_is_left_out(address: str) -> None:
    line = f"a=candidate:1 1 udp 1 {address} 5 typ host\r\n"
    assert parse_sdp(SAFARI + line).candidates == ()


def test_the_same_candidate_twice_is_one() -> None:
    line = "a=candidate:1 1 udp 1 192.0.2.1 5 typ host\r\n"
    assert len(parse_sdp(SAFARI + line + line).candidates) == 1


@given(st.text(max_size=400))
def test_any_text_is_read_or_refused(text: str) -> None:
    _read_or_refuse(text)


@given(st.sampled_from(ALL), st.integers(0, 5000), st.text(max_size=20), st.integers(0, 40))
def test_any_text_put_into_a_description_is_read_or_refused(
    sample: str, position: int, text: str, cut: int
) -> None:
    position %= len(sample)
    _read_or_refuse(sample[:position] + text + sample[position + cut :])


@settings(max_examples=50)
@given(st.sampled_from(ALL), st.data())
def test_any_lines_moved_doubled_or_dropped_are_read_or_refused(
    sample: str, data: st.DataObject
) -> None:
    lines = sample.split("\r\n")
    chosen = data.draw(st.lists(st.sampled_from(lines), max_size=80))
    _read_or_refuse("\r\n".join(["v=0", *chosen]))


def test_mutated_descriptions_are_read_or_refused(rounds: Rounds, seed: int) -> None:
    chance = random.Random(seed)
    alphabet = "0123456789abcxyz=:/ +-\r\n\0.é٣"
    slowest = 0.0
    for _ in range(rounds(quick=4000, soak=1_000_000)):
        text = list(chance.choice(ALL))
        for _ in range(chance.randrange(1, 12)):
            position = chance.randrange(len(text))
            match chance.randrange(4):
                case 0:
                    text[position] = chance.choice(alphabet)
                case 1:
                    del text[position : position + chance.randrange(1, 30)]
                case 2:
                    text[position:position] = text[position : position + chance.randrange(60)]
                case _:
                    text.insert(position, chance.choice(alphabet) * chance.randrange(1, 9))
            text = text or ["v"]
        started = time.process_time()
        _read_or_refuse("".join(text))
        slowest = max(slowest, time.process_time() - started)
    print(f"slowest: {slowest * 1000:.2f} ms")  # noqa: T201


def _read_or_refuse(text: str) -> None:
    try:
        description = parse_sdp(text)
    except BadSdp as refusal:
        assert str(refusal)  # noqa: PT017  (nothing but BadSdp may come)
        return
    assert 0 <= description.audio.opus <= 127
    assert len(description.candidates) <= 32
    assert len(description.fingerprint) == len(sdp_samples.FINGERPRINT)
