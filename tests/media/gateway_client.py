"""A gateway's end of the worker's socket, as small as the protocol allows."""

import asyncio
import itertools
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar, cast

from media import protocol
from media.protocol import Done, Failed, FromWorker, Hello, Refused, Welcome
from media.protocol_message import Message

Kind = TypeVar("Kind", bound=Message)

WAIT_S = 20.0


class GatewayClient:
    """Connects, sends commands, keeps all events."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, welcome: Welcome
    ) -> None:
        self.welcome = welcome
        self.events: list[protocol.Event] = []
        self.refused: Refused | None = None
        self.epoch = 1
        self._reader = reader
        self._writer = writer
        self._ids = itertools.count(1)
        self._prefix = f"{id(self):x}"
        self._answers: dict[str, asyncio.Future[Done | Failed]] = {}
        self._changed = asyncio.Condition()
        self._task = asyncio.create_task(self._read())

    @classmethod
    async def connect(
        cls, socket_path: Path, token: str, *, gateway_epoch: int = 1
    ) -> "GatewayClient":
        reader, writer = await asyncio.open_unix_connection(socket_path)
        await send(
            writer,
            Hello(
                protocol_version=protocol.PROTOCOL_VERSION,
                gateway_epoch=gateway_epoch,
                token=token,
            ),
        )
        welcome = await receive(reader)
        if not isinstance(welcome, Welcome):
            writer.close()
            await asyncio.gather(writer.wait_closed(), return_exceptions=True)
            raise ConnectionRefusedError(str(welcome))
        return cls(reader, writer, welcome)

    async def ask(self, command: protocol.Command) -> Done | Failed:
        """Send a command and return its answer."""
        answer: asyncio.Future[Done | Failed] = asyncio.get_running_loop().create_future()
        self._answers[command.id] = answer
        await send(self._writer, command)
        return await asyncio.wait_for(answer, WAIT_S)

    async def do(self, command: protocol.Command) -> Done:
        """Send a command that must succeed."""
        answer = await self.ask(command)
        assert isinstance(answer, Done), answer
        return answer

    async def sdp(self, command: protocol.Command) -> str:
        """Send a command that must answer with a description."""
        answer = await self.do(command)
        assert answer.sdp is not None
        return answer.sdp

    def next_id(self) -> str:
        return f"{self._prefix}-{next(self._ids)}"

    async def answer_offer(
        self, leg_id: str, kind: protocol.LegKind, offer: str, tag: str = ""
    ) -> str:
        return await self.sdp(
            protocol.AnswerOffer(
                id=self.next_id(),
                epoch=self.epoch,
                leg_id=leg_id,
                kind=kind,
                tag=tag,
                offer=offer,
            )
        )

    async def make_offer(self, leg_id: str) -> str:
        return await self.sdp(
            protocol.MakeOffer(id=self.next_id(), epoch=self.epoch, leg_id=leg_id, tag="")
        )

    async def apply_answer(self, leg_id: str, answer: str, role: str = "client") -> None:
        await self.do(
            protocol.ApplyAnswer.model_validate(
                {
                    "id": self.next_id(),
                    "epoch": self.epoch,
                    "leg_id": leg_id,
                    "answer": answer,
                    "actpass_role": role,
                }
            )
        )

    async def attach(self, whatsapp: str, agent: str) -> None:
        await self.do(
            protocol.Attach(
                id=self.next_id(),
                epoch=self.epoch,
                whatsapp_leg_id=whatsapp,
                agent_leg_id=agent,
            )
        )

    async def detach(self, whatsapp: str) -> None:
        await self.do(
            protocol.Detach(id=self.next_id(), epoch=self.epoch, whatsapp_leg_id=whatsapp)
        )

    async def start_sending(self, leg_id: str) -> None:
        await self.do(protocol.StartSending(id=self.next_id(), epoch=self.epoch, leg_id=leg_id))

    async def mute(self, whatsapp: str, *, muted: bool) -> None:
        await self.do(
            protocol.SetMute(
                id=self.next_id(), epoch=self.epoch, whatsapp_leg_id=whatsapp, muted=muted
            )
        )

    async def hold(self, whatsapp: str, *, held: bool) -> None:
        await self.do(
            protocol.SetHold(
                id=self.next_id(), epoch=self.epoch, whatsapp_leg_id=whatsapp, held=held
            )
        )

    async def close_leg(self, leg_id: str) -> None:
        await self.do(protocol.CloseLeg(id=self.next_id(), epoch=self.epoch, leg_id=leg_id))

    async def snapshot(self) -> protocol.Snapshot:
        answer = await self.do(protocol.TakeSnapshot(id=self.next_id()))
        assert answer.snapshot is not None
        return answer.snapshot

    async def wait_packets_in(self, leg_id: str, count: int) -> None:
        """Return when a leg has received exactly so many RTP packets."""
        async with asyncio.timeout(WAIT_S):
            while True:
                legs = {leg.leg_id: leg for leg in (await self.snapshot()).legs}
                if legs[leg_id].packets_in == count:
                    return
                await asyncio.sleep(0.05)

    async def wait_for(
        self,
        kind: type[Kind],
        matching: Callable[[Kind], bool] = lambda _event: True,
        *,
        timeout_s: float = WAIT_S,
    ) -> Kind:
        """The first event of that kind that matches, past or future."""

        def find() -> Kind | None:
            for event in self.events:
                if isinstance(event, kind) and matching(event):
                    return event
            return None

        async with asyncio.timeout(timeout_s), self._changed:
            await self._changed.wait_for(lambda: find() is not None)
        return cast("Kind", find())

    def of(self, kind: type[Kind]) -> list[Kind]:
        """All events of that kind so far."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait_state(
        self, leg_id: str, state: protocol.LegState, *, timeout_s: float = WAIT_S
    ) -> protocol.LegChanged:
        return await self.wait_for(
            protocol.LegChanged,
            lambda event: event.leg_id == leg_id and event.state is state,
            timeout_s=timeout_s,
        )

    def pause_reading(self) -> int:
        """Leave what the worker sends in the socket; returns the last number seen."""
        self._task.cancel()
        return self.events[-1].seq

    async def resume_reading(self) -> None:
        """Read on."""
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = asyncio.create_task(self._read())

    async def wait_ended(self) -> None:
        """Return when the worker has ended the connection."""
        await asyncio.wait_for(asyncio.shield(self._task), WAIT_S)

    async def close(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._writer.close()
        await asyncio.gather(self._writer.wait_closed(), return_exceptions=True)

    async def _read(self) -> None:
        while True:
            try:
                message = await receive(self._reader)
            except (asyncio.IncompleteReadError, ConnectionError):
                return
            if isinstance(message, Done | Failed):
                answer = self._answers.pop(message.id)
                if not answer.done():
                    answer.set_result(message)
            elif isinstance(message, Refused):
                self.refused = message
            elif not isinstance(message, Welcome):
                async with self._changed:
                    self.events.append(message)
                    self._changed.notify_all()


async def send(writer: asyncio.StreamWriter, message: Message) -> None:
    body = message.model_dump_json().encode()
    writer.write(len(body).to_bytes(4, "big") + body)
    await writer.drain()


async def receive(
    reader: asyncio.StreamReader,
) -> Welcome | Refused | Done | Failed | protocol.Event:
    length = int.from_bytes(await reader.readexactly(4), "big")
    return FromWorker.validate_json(await reader.readexactly(length))
