"""What we offer and answer, and the terms that follow."""

import re

import pytest

from media.addresses import LocalAddresses
from media.dtls import Role
from media.negotiation import (
    OwnSide,
    accept_answer,
    answer_offer,
    make_offer,
    published_candidates,
)
from media.protocol import LegKind
from media.sdp import BadSdp, Direction, Setup, parse_sdp
from media.sdp_writer import LocalCandidate
from tests.media.sdp_samples import (
    CHROME,
    FINGERPRINT,
    FIREFOX,
    SAFARI,
    WHATSAPP_ANSWER,
    WHATSAPP_OFFER,
)

OWN = OwnSide(
    session_id=77,
    ufrag="ownfrag1",
    password="ownpassword0123456789abc",
    fingerprint=FINGERPRINT,
    ssrc=4242,
    candidates=(LocalCandidate("203.0.113.5", 40000), LocalCandidate("2001:db8::5", 40002)),
)


@pytest.mark.parametrize(
    ("offer", "kind"),
    [
        (CHROME, LegKind.AGENT),
        (FIREFOX, LegKind.AGENT),
        (SAFARI, LegKind.AGENT),
        (WHATSAPP_OFFER, LegKind.WHATSAPP),
    ],
)
def test_an_answer_repeats_the_numbers_and_names_of_the_offer(
    offer: str, kind: LegKind
) -> None:
    offered = parse_sdp(offer)
    text, terms = answer_offer(offered, OWN, kind)
    answered = parse_sdp(text)
    assert answered.audio.mid == offered.audio.mid
    assert answered.audio.opus == offered.audio.opus
    assert answered.audio.keypad == offered.audio.keypad
    assert (answered.channel is None) == (offered.channel is None)
    assert answered.setup is Setup.ACTIVE
    assert terms.role == "client"


def test_what_whatsapp_gets_is_opus_and_keypad_alone() -> None:
    text, _ = answer_offer(parse_sdp(WHATSAPP_OFFER), OWN, LegKind.WHATSAPP)
    assert "\r\nm=audio 40000 UDP/TLS/RTP/SAVPF 111 126\r\n" in text
    assert text.count("a=fingerprint:") == 1
    assert f"a=fingerprint:sha-256 {FINGERPRINT}\r\n" in text
    assert set(re.findall(r"a=ssrc:(\d+)", text)) == {"4242"}
    assert re.findall(r"a=rtpmap:\d+ (\S+)", text) == ["opus/48000/2", "telephone-event/8000"]
    assert "a=ptime:20\r\n" in text
    assert "a=maxptime:20\r\n" in text
    assert "ice-lite" not in text
    assert "trickle" not in text
    assert "a=group:BUNDLE audio\r\n" in text
    assert text.endswith("\r\n")
    assert "\n" not in text.replace("\r\n", "")


def test_every_leg_gets_the_one_opus_profile() -> None:
    for offer, kind in ((CHROME, LegKind.AGENT), (WHATSAPP_OFFER, LegKind.WHATSAPP)):
        text, _ = answer_offer(parse_sdp(offer), OWN, kind)
        profile = re.search(r"a=fmtp:111 (\S+)", text)
        assert profile is not None
        assert {
            "stereo=0",
            "useinbandfec=1",
            "usedtx=0",
            "maxplaybackrate=16000",
        } <= set(profile.group(1).split(";"))


def test_nothing_of_the_offers_text_is_passed_on() -> None:
    text, _ = answer_offer(parse_sdp(CHROME), OWN, LegKind.AGENT)
    for piece in ("extmap", "3b2f9c1e", "red/48000", "192.0.2.33", "aXq1", "cname:Qw2"):
        assert piece not in text


def test_an_active_peer_makes_us_the_dtls_server() -> None:
    offered = parse_sdp(SAFARI.replace("setup:actpass", "setup:active"))
    text, terms = answer_offer(offered, OWN, LegKind.AGENT)
    assert parse_sdp(text).setup is Setup.PASSIVE
    assert terms.role == "server"


@pytest.mark.parametrize(
    ("offered", "answered"),
    [
        ("sendrecv", Direction.SENDRECV),
        ("recvonly", Direction.SENDONLY),
        ("sendonly", Direction.RECVONLY),
        ("inactive", Direction.INACTIVE),
    ],
)
def test_the_direction_is_mirrored(offered: str, answered: Direction) -> None:
    offer = SAFARI.replace("a=sendrecv", f"a={offered}")
    text, _ = answer_offer(parse_sdp(offer), OWN, LegKind.AGENT)
    assert parse_sdp(text).audio.direction is answered


def test_the_order_of_the_media_lines_is_kept() -> None:
    audio, channel = CHROME.index("m=audio"), CHROME.index("m=application")
    turned = CHROME[:audio] + CHROME[channel:] + CHROME[audio:channel]
    text, _ = answer_offer(parse_sdp(turned), OWN, LegKind.AGENT)
    assert text.index("m=application") < text.index("m=audio")
    assert "a=group:BUNDLE 1 0\r\n" in text


def test_our_offer_leaves_the_dtls_role_open() -> None:
    offer = parse_sdp(make_offer(OWN))
    assert offer.setup is Setup.ACTPASS
    assert (offer.audio.opus, offer.audio.keypad) == (111, 126)
    assert [candidate.address for candidate in offer.candidates] == [
        "203.0.113.5",
        "2001:db8::5",
    ]


@pytest.mark.parametrize(
    ("setup", "actpass_role", "role"),
    [
        ("active", "client", "server"),
        ("passive", "client", "client"),
        ("passive", "server", "client"),
        ("actpass", "client", "client"),
        ("actpass", "server", "server"),
    ],
)
def test_the_answers_setup_decides_our_dtls_role(
    setup: str, actpass_role: Role, role: Role
) -> None:
    answer = parse_sdp(WHATSAPP_ANSWER.replace("setup:active", f"setup:{setup}"))
    assert accept_answer(answer, actpass_role).role == role


def test_an_answer_to_something_else_is_refused() -> None:
    with pytest.raises(BadSdp, match="another media line"):
        accept_answer(
            parse_sdp(
                WHATSAPP_ANSWER.replace("a=mid:audio", "a=mid:0").replace(
                    "BUNDLE audio", "BUNDLE 0"
                )
            ),
            "client",
        )
    with pytest.raises(BadSdp, match="not offered"):
        accept_answer(
            parse_sdp(
                CHROME.replace("a=mid:0\r\n", "a=mid:audio\r\n").replace(
                    "BUNDLE 0 1", "BUNDLE audio 1"
                )
            ),
            "client",
        )


def test_a_lite_peer_that_cannot_be_reached_is_refused() -> None:
    unreachable = re.sub(r"a=candidate.*\r\n", "", WHATSAPP_OFFER)
    with pytest.raises(BadSdp, match="cannot be reached"):
        answer_offer(parse_sdp(unreachable), OWN, LegKind.WHATSAPP)


def test_a_data_channel_is_for_agents_only() -> None:
    with pytest.raises(BadSdp, match="no data channel"):
        answer_offer(parse_sdp(CHROME), OWN, LegKind.WHATSAPP)


def test_whatsapp_is_told_the_public_addresses_alone_and_a_browser_all() -> None:
    addresses = LocalAddresses(
        bound=("10.0.0.7", "fd00::7"), public=("203.0.113.9", "2001:db8::9")
    )
    bound = [("10.0.0.7", 5000), ("fd00::7", 5002)]
    public = (LocalCandidate("203.0.113.9", 5000), LocalCandidate("2001:db8::9", 5002))
    local = (LocalCandidate("10.0.0.7", 5000), LocalCandidate("fd00::7", 5002))
    assert published_candidates(LegKind.WHATSAPP, bound, addresses) == public
    assert published_candidates(LegKind.AGENT, bound, addresses) == (*public, *local)


def test_without_public_addresses_the_bound_ones_are_told() -> None:
    addresses = LocalAddresses(bound=("10.0.0.7",), public=())
    for kind in LegKind:
        assert published_candidates(kind, [("10.0.0.7", 5000)], addresses) == (
            LocalCandidate("10.0.0.7", 5000),
        )
