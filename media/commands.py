"""Carries out the gateway's commands, each exactly once per id."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from typing import assert_never

import structlog

from media import protocol
from media.announcement_desk import AnnouncementDesk
from media.capture_desk import CaptureDesk
from media.endpoints import NoFreePort
from media.leg import Leg
from media.leg_access import CommandFailed, LegAccess
from media.leg_reports import LegIdentity
from media.negotiation import require_answerable
from media.protocol import CloseReason, Done, Failed, LegKind
from media.protocol_announcement import AnnouncementCommand
from media.protocol_capture import CaptureCommand
from media.sdp import BadSdp, parse_sdp
from media.switchboard import Switchboard

log = structlog.get_logger()

Answer = Done | Failed
CallCommand = (
    protocol.Attach
    | protocol.Detach
    | protocol.StartSending
    | protocol.SetMute
    | protocol.SetHold
)
LegCommand = (
    protocol.AnswerOffer
    | protocol.MakeOffer
    | protocol.ApplyAnswer
    | protocol.CloseLeg
    | CallCommand
)
DeskCommand = LegCommand | CaptureCommand | AnnouncementCommand


class CommandDesk:
    """Takes commands in any number and order; a repeated id gets the first answer again."""

    def __init__(
        self,
        switchboard: Switchboard,
        captures: CaptureDesk,
        *,
        announcements: AnnouncementDesk,
        snapshot: Callable[[], protocol.Snapshot],
        legs_max: int,
        answers_max: int,
    ) -> None:
        self._switchboard = switchboard
        self._captures = captures
        self._announcements = announcements
        self._legs = LegAccess(switchboard)
        self._snapshot = snapshot
        self._legs_max = legs_max
        self._answers_max = answers_max
        self._answers: OrderedDict[str, asyncio.Future[Answer]] = OrderedDict()

    async def carry_out(self, command: protocol.Command) -> Answer:
        """Answer one command; never raises for what a command says."""
        if isinstance(command, protocol.TakeSnapshot):
            # Reads only, and must not be remembered: it would be stale and large.
            return Done(id=command.id, snapshot=self._snapshot())
        known = self._answers.get(command.id)
        if known is not None:
            return await asyncio.shield(known)
        answer: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._answers[command.id] = answer
        while len(self._answers) > self._answers_max:
            self._answers.popitem(last=False)
        result = await self._attempt(command)
        answer.set_result(result)
        return result

    async def _attempt(self, command: DeskCommand) -> Answer:
        try:
            return await self._hand_over(command)
        except CommandFailed as failure:
            return Failed(id=command.id, code=failure.code, reason=failure.reason)
        except BadSdp as failure:
            return Failed(id=command.id, code="bad_sdp", reason=str(failure))
        except NoFreePort:
            return Failed(id=command.id, code="limit", reason="no free media port")
        except Exception:
            # The border of the process: a mistake costs one command, not all calls.
            log.exception("command failed", command=command.type)
            return Failed(id=command.id, code="internal", reason="the media worker failed")

    async def _hand_over(self, command: DeskCommand) -> Done:
        if isinstance(command, AnnouncementCommand):
            return await self._announcements.carry_out(command)
        if isinstance(command, CaptureCommand):
            return self._captures.carry_out(command)
        return Done(id=command.id, sdp=await self._execute(command))

    async def _execute(self, command: LegCommand) -> str | None:
        match command:
            case protocol.AnswerOffer():
                return self._answer_offer(command)
            case protocol.MakeOffer():
                identity = LegIdentity(command.leg_id, LegKind.WHATSAPP, command.tag)
                return self._create(identity, command.epoch).offer()
            case protocol.ApplyAnswer():
                self._apply_answer(command)
            case protocol.CloseLeg():
                await self._close(command)
            case _:
                self._change_call(command)
        return None

    def _change_call(self, command: CallCommand) -> None:
        """What is heard in a call; all of it can be repeated without harm."""
        if isinstance(command, protocol.StartSending):
            self._legs.whatsapp_leg(command.leg_id, command.epoch).start_sending()
            return
        whatsapp = self._legs.whatsapp_leg(command.whatsapp_leg_id, command.epoch)
        match command:
            case protocol.Attach():
                agent = self._legs.leg(command.agent_leg_id)
                if agent.kind is not LegKind.AGENT:
                    raise CommandFailed("conflict", "that leg is not an agent's")
                self._switchboard.join(whatsapp, agent)
            case protocol.Detach():
                self._switchboard.part(whatsapp)
            case protocol.SetMute():
                whatsapp.muted = command.muted
                self._switchboard.route(whatsapp)
            case protocol.SetHold():
                whatsapp.held = command.held
                self._switchboard.route(whatsapp)
            case _:
                assert_never(command)

    def _answer_offer(self, command: protocol.AnswerOffer) -> str:
        offer = parse_sdp(command.offer)
        require_answerable(offer, command.kind)
        identity = LegIdentity(command.leg_id, command.kind, command.tag)
        return self._create(identity, command.epoch).answer(offer)

    def _apply_answer(self, command: protocol.ApplyAnswer) -> None:
        leg = self._legs.whatsapp_leg(command.leg_id, command.epoch)
        if leg.has_answer:
            raise CommandFailed("conflict", "the leg has its answer already")
        leg.apply_answer(parse_sdp(command.answer), command.actpass_role)

    async def _close(self, command: protocol.CloseLeg) -> None:
        leg = self._switchboard.find(command.leg_id)
        if leg is not None:
            self._legs.admit(leg, command.epoch)
            await leg.close(CloseReason.COMMAND)

    def _create(self, identity: LegIdentity, epoch: int) -> Leg:
        if self._switchboard.find(identity.leg_id) is not None:
            raise CommandFailed("conflict", "a leg of that name exists")
        if len(self._switchboard) >= self._legs_max:
            raise CommandFailed("limit", "the media worker has no room for another leg")
        return self._switchboard.create(identity, epoch)
