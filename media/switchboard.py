"""All legs of a worker, and who is joined to whom."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial

import structlog

from media.announcing import Announcing
from media.endpoints import EndpointFactory
from media.leg import Leg
from media.leg_reports import LegIdentity, Publish
from media.protocol import CloseReason, LegKind, LegSnapshot
from media.relay import Relay
from media.settings import LegSettings

log = structlog.get_logger()


class Switchboard:
    """Creates, joins and forgets legs. A WhatsApp leg has at most one agent leg."""

    def __init__(
        self,
        *,
        endpoints: EndpointFactory,
        relay: Relay,
        leg_settings: LegSettings,
        publish: Publish,
        on_silent: Callable[[str], None],
    ) -> None:
        """`on_silent` is given the name of a leg whose audio has ended."""
        self.endpoints = endpoints
        self.relay = relay
        self.leg_settings = leg_settings
        self.publish = publish
        self._on_silent = on_silent
        self._legs: dict[str, Leg] = {}

    def __len__(self) -> int:
        return len(self._legs)

    def find(self, leg_id: str) -> Leg | None:
        """The live leg of that name."""
        return self._legs.get(leg_id)

    def create(self, identity: LegIdentity, epoch: int) -> Leg:
        """Make a leg with open ports; raises `NoFreePort`."""
        leg = Leg(identity, epoch, self)
        self._legs[identity.leg_id] = leg
        return leg

    def join(self, whatsapp: Leg, agent: Leg) -> None:
        """Attach `agent` to `whatsapp`; whoever either was joined to before is parted."""
        if whatsapp.attached is agent:
            return
        self.part(whatsapp)
        self.part(agent)
        whatsapp.attached = agent
        agent.attached = whatsapp
        self.route(whatsapp)
        self._announce_to_agent(whatsapp)

    def part(self, leg: Leg) -> None:
        """Undo a join; the WhatsApp side falls to comfort with its next frame."""
        other = leg.attached
        if other is None:
            return
        leg.attached = None
        other.attached = None
        for side in (leg, other):
            if side.stream is not None:
                side.stream.relay_to(None)
                if side.kind is LegKind.AGENT:
                    side.stream.set_comfort(False)
                    side.stream.play(None)

    def route(self, whatsapp: Leg) -> None:
        """Make the streams follow what is attached, held and muted."""
        agent, held = whatsapp.attached, whatsapp.held
        if whatsapp.stream is not None:
            whatsapp.stream.set_hold(held)
        if agent is None or agent.stream is None or whatsapp.stream is None:
            return
        agent.stream.set_comfort(True)
        whatsapp.stream.relay_to(None if held else agent.stream)
        agent.stream.relay_to(None if held or whatsapp.muted else whatsapp.stream)

    def leg_connected(self, leg: Leg) -> None:
        """A leg's stream exists: join it to what it is attached to."""
        whatsapp = leg if leg.kind is LegKind.WHATSAPP else leg.attached
        if whatsapp is not None:
            self.route(whatsapp)
            self._announce_to_agent(whatsapp)
        if leg.announcing is not None and leg.stream is not None:
            leg.announcing.play_to_customer(leg.stream)

    def announce(self, whatsapp: Leg, frames: Sequence[bytes]) -> None:
        """Let both sides of a call hear `frames` once, as soon as RTP flows to WhatsApp."""
        whatsapp.announcing = Announcing(
            frames,
            on_begin=partial(self._announcement_began, whatsapp),
            on_end=whatsapp.announced,
        )
        if whatsapp.stream is not None:
            whatsapp.announcing.play_to_customer(whatsapp.stream)

    def _announcement_began(self, whatsapp: Leg) -> None:
        whatsapp.announcement_began()
        self._announce_to_agent(whatsapp)

    def _announce_to_agent(self, whatsapp: Leg) -> None:
        agent = whatsapp.attached
        if whatsapp.announcing is not None and agent is not None and agent.stream is not None:
            whatsapp.announcing.play_to_agent(agent.stream)

    def leg_silent(self, leg: Leg) -> None:
        """A leg's audio has ended: so has what records it."""
        self._on_silent(leg.leg_id)

    def leg_closed(self, leg: Leg) -> None:
        """A leg is gone: part and forget it."""
        self.part(leg)
        if self._legs.get(leg.leg_id) is leg:
            del self._legs[leg.leg_id]

    def snapshot(self) -> tuple[LegSnapshot, ...]:
        """The state of every live leg."""
        return tuple(leg.snapshot() for leg in self._legs.values())

    def housekeep(self) -> None:
        """Let every leg notice silence and send what is due."""
        now = time.monotonic()
        for leg in list(self._legs.values()):
            try:
                leg.housekeep(now)
            except Exception:
                # A mistake of ours costs this leg, not the worker.
                log.exception("leg failed", leg_id=leg.leg_id)
                leg.stop(CloseReason.INTERNAL)

    async def close_all(self, reason: CloseReason) -> None:
        """End every leg and wait for it."""
        await asyncio.gather(*(leg.close(reason) for leg in list(self._legs.values())))
