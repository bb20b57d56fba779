"""Offer and answer as pure functions: what we write, and what both sides then agreed."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from typing import assert_never

from media.addresses import LocalAddresses
from media.dtls import Role
from media.protocol import LegKind
from media.sdp import BadSdp, Direction, RemoteDescription, Setup
from media.sdp_writer import (
    KEYPAD_DEFAULT,
    OPUS_DEFAULT,
    LocalCandidate,
    LocalDescription,
    answer_direction,
    write_sdp,
)

OFFER_MID = "audio"


@dataclass(frozen=True, slots=True)
class OwnSide:
    """What is ours in every description of a leg."""

    session_id: int
    ufrag: str
    password: str
    fingerprint: str
    ssrc: int
    candidates: tuple[LocalCandidate, ...]


@dataclass(frozen=True, slots=True)
class Terms:
    """What both descriptions settled."""

    remote: RemoteDescription
    role: Role
    receive_opus: int
    receive_keypad: int | None


def published_candidates(
    kind: LegKind, bound: Sequence[tuple[str, int]], addresses: LocalAddresses
) -> tuple[LocalCandidate, ...]:
    """The addresses a peer is told: toward WhatsApp the public ones alone, if configured.

    A browser may sit in the same network as we do, so it is told the local ones too.
    """
    local = [LocalCandidate(address, port) for address, port in bound]
    public: list[LocalCandidate] = []
    for address in addresses.public:
        version = ipaddress.ip_address(address).version
        for own, port in bound:
            if ipaddress.ip_address(own).version == version:
                public.append(LocalCandidate(address, port))
                break
    if not public:
        return tuple(local)
    return tuple(public) if kind is LegKind.WHATSAPP else (*public, *local)


def answer_offer(offer: RemoteDescription, own: OwnSide, kind: LegKind) -> tuple[str, Terms]:
    """Our answer and the terms it settles; raises `BadSdp` for an offer of the wrong kind."""
    if offer.channel is not None and kind is LegKind.WHATSAPP:
        raise BadSdp("a WhatsApp leg has no data channel")
    # We are the DTLS client wherever we may choose, as Meta recommends.
    role: Role = "server" if offer.setup is Setup.ACTIVE else "client"
    _require_reachable(offer)
    sdp = write_sdp(
        LocalDescription(
            session_id=own.session_id,
            ufrag=own.ufrag,
            password=own.password,
            fingerprint=own.fingerprint,
            setup=Setup.PASSIVE if role == "server" else Setup.ACTIVE,
            candidates=own.candidates,
            mid=offer.audio.mid,
            opus=offer.audio.opus,
            keypad=offer.audio.keypad,
            direction=answer_direction(offer.audio.direction),
            ssrc=own.ssrc,
            channel=offer.channel,
            audio_first=offer.audio_first,
        )
    )
    return sdp, Terms(offer, role, offer.audio.opus, offer.audio.keypad)


def make_offer(own: OwnSide) -> str:
    """Our offer toward WhatsApp."""
    return write_sdp(
        LocalDescription(
            session_id=own.session_id,
            ufrag=own.ufrag,
            password=own.password,
            fingerprint=own.fingerprint,
            setup=Setup.ACTPASS,
            candidates=own.candidates,
            mid=OFFER_MID,
            opus=OPUS_DEFAULT,
            keypad=KEYPAD_DEFAULT,
            direction=Direction.SENDRECV,
            ssrc=own.ssrc,
        )
    )


def accept_answer(answer: RemoteDescription, actpass_role: Role) -> Terms:
    """The terms that an answer to `make_offer` settles; raises `BadSdp`."""
    if answer.audio.mid != OFFER_MID:
        raise BadSdp("the answer is about another media line than the offer")
    if answer.channel is not None:
        raise BadSdp("the answer has a data channel that was not offered")
    _require_reachable(answer)
    match answer.setup:
        case Setup.ACTIVE:
            role: Role = "server"
        case Setup.PASSIVE:
            role = "client"
        case Setup.ACTPASS:
            role = actpass_role
        case _:
            assert_never(answer.setup)
    # The peer sends under the numbers of our offer, we under those of its answer.
    return Terms(answer, role, OPUS_DEFAULT, KEYPAD_DEFAULT)


def _require_reachable(remote: RemoteDescription) -> None:
    if remote.is_lite and not remote.candidates:
        raise BadSdp("an ice-lite peer without a usable candidate cannot be reached")
