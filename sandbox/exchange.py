"""The stand-in for Meta's side: who the users are, which numbers exist, which calls run."""

import asyncio
import contextlib
import secrets
from collections import Counter
from collections.abc import Callable, Coroutine

from sandbox.call import Call
from sandbox.call_state import CallState, CallSurroundings, new_wacid
from sandbox.config import BusinessNumber, PermissionStatus, SandboxConfig, UserSpec
from sandbox.dtls import Certificate
from sandbox.errors import GraphError
from sandbox.faults import Faults
from sandbox.media_store import MediaFile, MediaStore
from sandbox.payloads import (
    CallIdentity,
    Direction,
    Json,
    PermissionAnswer,
    announcement_payload,
    permission_payload,
    settings_payload,
)
from sandbox.personas import Answers, Live, PermissionReply, Persona
from sandbox.users import (
    WhatsAppUser,
    count_request,
    permission_answer,
    require_permission,
)
from sandbox.validation import ConnectRequest
from sandbox.webhook_sender import WebhookSender


class UnknownId(LookupError):
    """The control API was asked for a user, number or call that does not exist."""


class Exchange:
    """All state of a sandbox; each of `call_began` is called with every new call."""

    def __init__(self, config: SandboxConfig) -> None:
        self.config = config
        self.faults = Faults()
        self.webhooks = WebhookSender(config, self.faults)
        self.media = MediaStore(config.limits)
        self.numbers = {number.phone_number_id: number for number in config.numbers}
        self.users: dict[str, WhatsAppUser] = {}
        self.calls: dict[str, Call] = {}
        self.call_began: list[Callable[[Call], None]] = []
        self._around = CallSurroundings(config, Certificate.generate(), self.webhooks)
        self._tasks: set[asyncio.Task[None]] = set()
        self._settings: dict[str, Json] = {}
        self._manned: Counter[str] = Counter()
        for spec in config.users:
            self.add_user(spec)

    async def close(self) -> None:
        """End everything at once, without webhooks."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.webhooks.close()
        await asyncio.gather(*(call.close() for call in self.calls.values()))

    def wall_time(self) -> float:
        """Return the time as Meta's clock shows it."""
        return self._around.wall_time()

    # -- users and numbers -------------------------------------------------------------

    def add_user(self, spec: UserSpec) -> WhatsAppUser:
        """Add a user, or replace the one with this id."""
        if len(self.users) >= self.config.limits.users_max:
            raise ValueError("too many users")
        user = WhatsAppUser.from_spec(spec)
        self.users[user.user_id] = user
        return user

    def user(self, user_id: str) -> WhatsAppUser:
        """Find a user by user id or phone number, else `UnknownId`."""
        found = self.users.get(user_id) or self._find(user_id, user_id)
        if found is None:
            raise UnknownId("no such user")
        return found

    def number(self, phone_number_id: str | None) -> BusinessNumber:
        """Find a number of the business, the first one for None, else `UnknownId`."""
        if phone_number_id is None:
            return next(iter(self.numbers.values()))
        with contextlib.suppress(KeyError):
            return self.numbers[phone_number_id]
        raise UnknownId("no such phone number id")

    def call(self, wacid: str) -> Call:
        """Find a call, else `UnknownId`."""
        with contextlib.suppress(KeyError):
            return self.calls[wacid]
        raise UnknownId("no such call")

    def calling_settings(self, number: BusinessNumber) -> Json:
        """Return the live `calling` settings of a number."""
        return self._settings.setdefault(
            number.phone_number_id,
            {
                "status": "ENABLED",
                "call_icon_visibility": "DEFAULT",
                "callback_permission_status": "DISABLED",
                "sip": {"status": "DISABLED"},
            },
        )

    def change_settings(self, number: BusinessNumber, changes: Json) -> None:
        """Change settings and tell the business, as Meta does for its own changes too."""
        settings = self.calling_settings(number)
        settings.update(changes)
        payload = settings_payload(number, self.wall_time(), settings)
        self.webhooks.send("account_settings_update", payload)

    # -- phones ------------------------------------------------------------------------

    def open_phone(self, user: WhatsAppUser) -> None:
        """A person sits at this user's phone: their new calls wait for the person."""
        self._manned[user.user_id] += 1

    def close_phone(self, user: WhatsAppUser) -> None:
        """The person left; the user acts on their own again."""
        self._manned[user.user_id] -= 1

    def _persona(self, user: WhatsAppUser) -> Persona:
        if self._manned[user.user_id] > 0:
            return Persona(answers=Answers.NEVER, says=Live())
        return user.persona

    # -- calls -------------------------------------------------------------------------

    async def call_business(
        self,
        user_id: str,
        phone_number_id: str | None = None,
        *,
        persona: Persona | None = None,
        deeplink_payload: str | None = None,
        cta_payload: str | None = None,
    ) -> Call:
        """Let a user call the business; `persona` replaces the user's own for this call."""
        user = self.user(user_id)
        identity = CallIdentity(
            wacid=new_wacid(user.wa_id),
            direction=Direction.USER_INITIATED,
            user=user,
            number=self.number(phone_number_id),
            deeplink_payload=deeplink_payload,
            cta_payload=cta_payload,
        )
        call = self._add(identity, persona or self._persona(user))
        await call.ring_business()
        self._grant_callback(call)
        return call

    async def connect(self, number: BusinessNumber, request: ConnectRequest) -> Call:
        """Let the business call a user; raises `GraphError` as Meta would."""
        user = self.addressed_user(request.to, request.recipient)
        if not number.can_call_out:
            raise GraphError(138013)
        active = [call for call in self.calls.values() if call.state is not CallState.ENDED]
        ours = [call for call in active if call.identity.number is number]
        if len(ours) >= self.config.limits.concurrent_calls_max:
            raise GraphError(138002)
        require_permission(user.permission_for(number), self.config.limits, self.wall_time())
        if any(call.identity.user is user for call in ours):
            raise GraphError(138003, "A call with this user is already in progress")
        identity = CallIdentity(
            wacid=new_wacid(user.wa_id),
            direction=Direction.BUSINESS_INITIATED,
            user=user,
            number=number,
            biz_opaque_callback_data=request.biz_opaque_callback_data,
        )
        call = self._add(identity, self._persona(user))
        try:
            await call.ring_user(request)
        except GraphError:
            del self.calls[call.wacid]
            await call.close()
            raise
        return call

    def business_call(self, number: BusinessNumber, call_id: str) -> Call:
        """Find the call that a Graph request names; raises `GraphError` if there is none."""
        call = self.calls.get(call_id)
        if call is None or call.identity.number is not number:
            raise GraphError(100, "Invalid call_id", subcode=2494010)
        return call

    async def wait_for_calls(self, count: int, timeout_s: float) -> list[Call]:
        """Return all calls once there are `count`, else `TimeoutError`."""
        news = asyncio.Event()

        def tell(_: Call) -> None:
            news.set()

        self.call_began.append(tell)
        try:
            async with asyncio.timeout(timeout_s):
                while len(self.calls) < count:
                    await news.wait()
                    news.clear()
        finally:
            self.call_began.remove(tell)
        return list(self.calls.values())

    # -- permission --------------------------------------------------------------------

    def addressed_user(self, to: str | None, recipient: str | None) -> WhatsAppUser:
        """Find whom a Graph request means; `to` wins. Raises `GraphError` 138001 if nobody."""
        user = self._find(to, None if to else recipient)
        if user is None or not user.can_be_called:
            raise GraphError(138001)
        return user

    def permissions(self, number: BusinessNumber, user: WhatsAppUser) -> dict[str, object]:
        """Return what the business may do with a user."""
        permission = user.permission_for(number)
        return permission_answer(permission, self.config.limits, self.wall_time())

    def request_permission(self, number: BusinessNumber, user: WhatsAppUser) -> str:
        """Deliver a request for permission; the persona replies later. Returns its id."""
        count_request(user.permission_for(number), self.config.limits, self.wall_time())
        message_id = new_message_id()
        if user.persona.permission_reply is not PermissionReply.IGNORE:
            self._spawn(self._reply(number, user, message_id))
        return message_id

    async def _reply(self, number: BusinessNumber, user: WhatsAppUser, message_id: str) -> None:
        delay_s = user.persona.permission_reply_after_s
        await asyncio.sleep(self.config.timings.scaled(delay_s))
        status = {
            PermissionReply.TEMPORARY: PermissionStatus.TEMPORARY,
            PermissionReply.PERMANENT: PermissionStatus.PERMANENT,
        }.get(user.persona.permission_reply, PermissionStatus.NONE)
        self.set_permission(number, user, status, context_id=message_id)

    def set_permission(
        self,
        number: BusinessNumber,
        user: WhatsAppUser,
        status: PermissionStatus,
        *,
        context_id: str | None = None,
        is_automatic: bool = False,
    ) -> None:
        """Let a user decide, and tell the business by webhook."""
        now = self.wall_time()
        permission = user.permission_for(number)
        permission.grant(status, now)
        said = PermissionAnswer(
            is_accepted=status is not PermissionStatus.NONE,
            is_permanent=status is PermissionStatus.PERMANENT,
            expires_at=permission.expires_at,
            is_automatic=is_automatic,
            context_id=context_id,
        )
        payload = permission_payload(number, user, new_message_id(), now, said)
        self.webhooks.send("messages.call_permission_reply", payload)

    def _grant_callback(self, call: Call) -> None:
        """A user's call allows calling back for a week, where the business asked for that."""
        number, user = call.identity.number, call.identity.user
        is_wanted = self.calling_settings(number).get("callback_permission_status") == "ENABLED"
        current = user.permission_for(number).current(self.wall_time())
        if is_wanted and current is PermissionStatus.NONE:
            self.set_permission(
                number,
                user,
                PermissionStatus.TEMPORARY,
                context_id=call.wacid,
                is_automatic=True,
            )

    # -- files -------------------------------------------------------------------------

    def announce(self, call: Call, event: str, stored: MediaFile, url: str) -> None:
        """Tell the business that a recording or a transcript of a call is there."""
        content = {
            "id": stored.media_id,
            "sha256": stored.sha256,
            "mime_type": stored.mime_type,
            "url": url,
        }
        body: Json = {"call_recording": {"type": "audio", "audio": content}}
        if event == "call_transcription_available":
            body = {"call_transcript": {"document": content}}
        payload = announcement_payload(call.identity, self.wall_time(), event, body)
        self.webhooks.send(f"calls.{event}", payload, record=call.record, wacid=call.wacid)

    # -- inside ------------------------------------------------------------------------

    def _find(self, wa_id: str | None, user_id: str | None) -> WhatsAppUser | None:
        digits = wa_id.lstrip("+") if wa_id else None
        for user in self.users.values():
            if digits is not None and user.wa_id == digits:
                return user
            if user_id is not None and user_id in {user.user_id, user.parent_user_id}:
                return user
        return None

    def _add(self, identity: CallIdentity, persona: Persona) -> Call:
        call = Call(identity, persona, self._around)
        self.calls[call.wacid] = call
        self._forget_old_calls()
        for tell in list(self.call_began):
            tell(call)
        return call

    def _forget_old_calls(self) -> None:
        """Keep the newest calls, and the audio of the newest few of them."""
        limits = self.config.limits
        ended = [call for call in self.calls.values() if call.state is CallState.ENDED]
        for call in ended[: max(0, len(ended) - limits.heard_calls_kept_max)]:
            call.hearing.forget()
        for call in ended[: max(0, len(self.calls) - limits.calls_kept_max)]:
            del self.calls[call.wacid]

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def new_message_id() -> str:
    """Make a message id of Meta's shape."""
    return f"wamid.{secrets.token_urlsafe(24)}"
