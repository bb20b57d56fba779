"""The one place that acts on a call's behalf. What fails comes back as an event."""

import asyncio
from typing import assert_never

import structlog

from gateway.core.call import problems
from gateway.core.call.call import Call
from gateway.core.call.commands import (
    Accept,
    AnswerWhatsApp,
    ApplyAnswer,
    Attach,
    CloseLeg,
    Command,
    Connect,
    Detach,
    GraphAction,
    GraphCommand,
    HoldMinutes,
    MediaCommand,
    OfferWhatsApp,
    OpenCase,
    PlayAnnouncement,
    PreAccept,
    Reject,
    ReleaseMinutes,
    SetHold,
    SetMute,
    StartCapture,
    StartSending,
    StopCapture,
    TellAgent,
    Terminate,
)
from gateway.core.call.events import (
    Accepted,
    AnnouncementOver,
    Connected,
    Event,
    MediaFailed,
    MetaRefused,
    MetaUnclear,
    WhatsAppLegMade,
)
from gateway.core.call.media_facts import BAD_SDP
from gateway.core.errors import (
    BadSdp,
    MediaAway,
    MediaRefused,
    MetaFault,
    StoreDown,
    WhatsAppRefused,
    WhatsAppUnclear,
)
from gateway.core.ids import AccountId, PhoneNumberId
from gateway.ports.accounts import Number
from gateway.ports.live import LiveEvent
from gateway.ports.media import LegTag
from gateway.runtime.announcer import Announcer
from gateway.runtime.call_recorder import CallRecorder
from gateway.runtime.notices import Notice, Notices
from gateway.runtime.world import NodeLife, World

_log = structlog.get_logger(__name__)

END_PAUSES_S = (2.0, 5.0, 15.0)
"""Pauses before an unclear `reject` or `terminate` is tried again, besides the adapter's own.

Meta bills until it is told; it ends a call without media by itself after 30 s.
"""
TOKEN_INVALID = 190
"""Meta's code for an access token that is invalid or has expired."""
NUMBER_WAIT_S = 1.0
"""How long the store may take to tell a number's present token."""
NUMBER_PAUSES_S = (0.5, 1.0, 2.0)
"""Pauses before the store is asked again for a number that was never used in this life."""


class CarryOut:
    """Carries out one command at a time for any call."""

    def __init__(
        self, world: World, life: NodeLife, notices: Notices, recorder: CallRecorder
    ) -> None:
        self._world = world
        self._recorder = recorder
        self._announcer = Announcer(world)
        self._epoch = life.epoch
        self._notices = notices
        self._numbers: dict[PhoneNumberId, Number] = {}
        self._refused_tokens: dict[PhoneNumberId, Number] = {}

    async def __call__(self, call: Call, command: Command) -> Event | None:
        """Act, and return what the machine has to know about how it went."""
        match command:
            case Connect() | PreAccept() | Accept() | Reject() | Terminate():
                return await self._ask_meta(call, command)
            case HoldMinutes() | ReleaseMinutes() | StartCapture() | StopCapture() | OpenCase():
                return await self._recorder.carry_out(call, command)
            case TellAgent():
                self._tell(call, command)
                return None
            case _:
                return await self._order_media(call, command)

    # --- media ---------------------------------------------------------------------------

    async def _order_media(self, call: Call, command: MediaCommand) -> Event | None:
        try:
            return await self._tell_media(call, command)
        except BadSdp as error:
            return MediaFailed(command, BAD_SDP, str(error))
        except MediaRefused as error:
            return MediaFailed(command, error.code, str(error))
        except MediaAway as error:
            return MediaFailed(command, problems.MEDIA_AWAY.code, str(error))

    async def _tell_media(self, call: Call, command: MediaCommand) -> Event | None:
        match command:
            case AnswerWhatsApp(leg_id, offer):
                sdp = await self._world.media.answer_whatsapp(
                    leg_id, _tag(call), epoch=self._epoch, offer=offer
                )
                return WhatsAppLegMade(leg_id, sdp)
            case OfferWhatsApp(leg_id):
                sdp = await self._world.media.offer_whatsapp(
                    leg_id, _tag(call), epoch=self._epoch
                )
                return WhatsAppLegMade(leg_id, sdp)
            case PlayAnnouncement(leg_id):
                is_over = await self._announcer.play(call, command, epoch=self._epoch)
                return AnnouncementOver(leg_id) if is_over else None
            case _:
                await self._set_media(command)
                return None

    async def _set_media(
        self,
        command: ApplyAnswer | Attach | Detach | StartSending | SetMute | SetHold | CloseLeg,
    ) -> None:
        media, epoch = self._world.media, self._epoch
        match command:
            case ApplyAnswer(leg_id, answer):
                await media.apply_answer(leg_id, epoch=epoch, answer=answer)
            case Attach(whatsapp_leg, agent_leg):
                await media.attach(whatsapp_leg, agent_leg, epoch=epoch)
            case Detach(whatsapp_leg):
                await media.detach(whatsapp_leg, epoch=epoch)
            case StartSending(leg_id):
                await media.start_sending(leg_id, epoch=epoch)
            case SetMute(leg_id, muted):
                await media.set_mute(leg_id, epoch=epoch, muted=muted)
            case SetHold(leg_id, held):
                await media.set_hold(leg_id, epoch=epoch, held=held)
            case CloseLeg(leg_id):
                await media.close_leg(leg_id, epoch=epoch)
            case _:
                assert_never(command)

    # --- Meta ----------------------------------------------------------------------------

    async def _ask_meta(self, call: Call, command: GraphCommand) -> Event | None:
        number = await self._number(call.identity.phone_number_id)
        if number is None:
            return _without_number(command)
        match command:
            case Connect():
                return await self._connect(number, call, command)
            case PreAccept() | Accept():
                return await self._answer(number, call, command)
            case Reject() | Terminate():
                await self._end(number, call, command)
                return None
            case _:
                assert_never(command)

    async def _connect(self, number: Number, call: Call, command: Connect) -> Event:
        try:
            wacid = await self._world.whatsapp.connect(
                number,
                call_id=call.call_id,
                to=call.identity.peer,
                offer=command.offer,
                asked=command.asked,
            )
        except WhatsAppRefused as refusal:
            self._token_was_refused(number, refusal)
            return MetaRefused(GraphAction.CONNECT, refusal.fault)
        except WhatsAppUnclear:
            return MetaUnclear(GraphAction.CONNECT)
        self._token_was_taken(number)
        return Connected(wacid)

    async def _answer(
        self, number: Number, call: Call, command: PreAccept | Accept
    ) -> Event | None:
        api, is_accept = self._world.whatsapp, isinstance(command, Accept)
        action = GraphAction.ACCEPT if is_accept else GraphAction.PRE_ACCEPT
        call_id, wacid, answer = call.call_id, command.wacid, command.answer
        try:
            if isinstance(command, Accept):
                await api.accept(
                    number, call_id=call_id, wacid=wacid, answer=answer, asked=command.asked
                )
            else:
                await api.pre_accept(number, call_id=call_id, wacid=wacid, answer=answer)
        except WhatsAppRefused as refusal:
            self._token_was_refused(number, refusal)
            return MetaRefused(action, refusal.fault)
        except WhatsAppUnclear:
            return MetaUnclear(action)
        self._token_was_taken(number)
        return Accepted() if is_accept else None

    async def _end(self, number: Number, call: Call, command: Reject | Terminate) -> None:
        api = self._world.whatsapp
        send = api.reject if isinstance(command, Reject) else api.terminate
        for pause_s in (*END_PAUSES_S, None):
            try:
                await send(number, call_id=call.call_id, wacid=command.wacid)
            except WhatsAppRefused as refusal:
                self._token_was_refused(number, refusal)
                _log.warning("Meta refused to end a call", call_id=call.call_id)
            except WhatsAppUnclear:
                if pause_s is not None:
                    await self._world.clock.sleep(pause_s)
                    continue
                _log.warning("Meta could not be told of a call's end", call_id=call.call_id)
            return

    async def _number(self, phone_number_id: PhoneNumberId) -> Number | None:
        """Return the number with its present token; the last known one if the store is down."""
        for pause_s in (*NUMBER_PAUSES_S, None):
            try:
                async with asyncio.timeout(NUMBER_WAIT_S):
                    number = await self._world.directory.number(phone_number_id)
            except (StoreDown, TimeoutError):
                number = self._numbers.get(phone_number_id)
                if number is None and pause_s is not None:
                    await self._world.clock.sleep(pause_s)
                    continue
            if number is not None:
                self._numbers[phone_number_id] = number
            return number
        return None

    def _token_was_refused(self, number: Number, refusal: WhatsAppRefused) -> None:
        """Tell the account that Meta no longer takes the number's token."""
        if refusal.fault.code == TOKEN_INVALID:
            self._refused_tokens[number.phone_number_id] = number
            self._tell_of_tokens(number.account_id)

    def _token_was_taken(self, number: Number) -> None:
        if self._refused_tokens.pop(number.phone_number_id, None) is not None:
            self._tell_of_tokens(number.account_id)

    def _tell_of_tokens(self, account_id: AccountId) -> None:
        """One notice for all numbers of an account; it goes with the last of them."""
        refused = [n for n in self._refused_tokens.values() if n.account_id == account_id]
        if refused:
            numbers = ", ".join(number.display for number in refused)
            detail = f"WhatsApp does not accept the access token of {numbers}."
            self._notices.down("token_invalid", detail, account_id=account_id)
        else:
            back = Notice("token_back", "WhatsApp accepts the access token again.")
            self._notices.up("token_invalid", back, account_id=account_id)

    # --- people --------------------------------------------------------------------------

    def _tell(self, call: Call, command: TellAgent) -> None:
        self._world.bus.publish(
            LiveEvent(
                call.identity.account_id,
                "notice",
                {"code": command.code, "detail": command.detail},
                audience=(command.user_id,),
                is_personal=True,
            )
        )


def _tag(call: Call) -> LegTag:
    return LegTag(call_id=call.call_id, account_id=call.identity.account_id)


def _without_number(command: GraphCommand) -> Event | None:
    """Without the number's token nothing can be asked; for Meta it was as if we were silent."""
    fault = MetaFault(TOKEN_INVALID, "the business number is not configured here")
    match command:
        case Connect():
            return MetaRefused(GraphAction.CONNECT, fault)
        case PreAccept():
            return MetaRefused(GraphAction.PRE_ACCEPT, fault)
        case Accept():
            return MetaRefused(GraphAction.ACCEPT, fault)
        case Reject() | Terminate():
            return None
        case _:
            assert_never(command)
