"""Forgets a customer of an account: recordings, words, traces, and who it was."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from gateway.core.errors import BadInput
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.lifecycle import Deletion, Why
from gateway.core.whatsapp import Peer
from gateway.ports.audit import AuditEntry, AuditLog, Deed, Order
from gateway.ports.recording_life import RecordingLife
from gateway.ports.subjects import SubjectCall, Subjects
from gateway.runtime.codec import call_from_json, call_to_json

AT_ONCE = 100


@dataclass
class Erasure:
    """What was forgotten, and what could not be."""

    calls: int = 0
    recordings: int = 0
    webhooks: int = 0
    held: list[CallId] = field(default_factory=list)
    """A legal hold forbids it; release them and begin again."""
    not_over: list[CallId] = field(default_factory=list)
    """They go on, or their recording is being made: begin again in a while."""

    @property
    def is_complete(self) -> bool:
        """Whether nothing is left of the customer."""
        return not (self.held or self.not_over)


class SubjectErasure:
    """Each call is forgotten by itself: what was stopped is simply begun again."""

    def __init__(
        self,
        subjects: Subjects,
        life: RecordingLife,
        audit: AuditLog,
        *,
        balance_changed: Callable[[AccountId], None] = lambda _: None,
    ) -> None:
        """`balance_changed` is told whose minutes have returned."""
        self._subjects = subjects
        self._life = life
        self._audit = audit
        self._balance_changed = balance_changed

    async def erase(
        self,
        account_id: AccountId,
        peer: Peer,
        *,
        order: Order,
        progress: Callable[[int], None] = lambda _: None,
    ) -> Erasure:
        """Forget the user of a phone number or of a user id; both may be given.

        Raises `BadInput` if neither is, and `StoreDown`.
        """
        expect_somebody(peer)
        done, after = Erasure(), None
        while True:
            found = await self._subjects.calls(account_id, peer, after=after, limit=AT_ONCE)
            for call in found:
                await self._forget(account_id, call, order, done)
                progress(done.calls)
            if len(found) < AT_ONCE:
                break
            after = found[-1].call_id
        if done.recordings:
            self._balance_changed(account_id)
        if done.is_complete:
            done.webhooks += await self._subjects.forget_person(account_id, peer, order=order)
        else:
            await self._audit.record(_in_part(account_id, order, done))
        return done

    async def _forget(
        self, account_id: AccountId, call: SubjectCall, order: Order, done: Erasure
    ) -> None:
        if not call.is_over:
            done.not_over.append(call.call_id)
            return
        ended = await self._life.delete(account_id, call.call_id, why=Why.ERASURE, order=order)
        if ended.outcome is Deletion.HELD:
            done.held.append(call.call_id)
            return
        if ended.outcome is Deletion.NOT_MADE_YET:
            done.not_over.append(call.call_id)
            return
        done.recordings += ended.outcome is Deletion.DELETED
        done.webhooks += await self._subjects.forget_call(
            account_id, call.call_id, snapshot=_without_person(call.snapshot), order=order
        )
        done.calls += 1


def expect_somebody(peer: Peer) -> None:
    """Refuse a customer who is not named. Raises `BadInput`."""
    if not peer.phone and not peer.user_id:
        raise BadInput("name the customer by phone number or user id")


def _in_part(account_id: AccountId, order: Order, done: Erasure) -> AuditEntry:
    # Who it was is what must not be kept.
    return order.entry(
        account_id,
        Deed.CUSTOMER_ERASED,
        account_id,
        calls=done.calls,
        held=len(done.held),
        not_over=len(done.not_over),
    )


def _without_person(snapshot: str) -> str:
    """Take out of a call's snapshot who it was with, and from which address."""
    call = call_from_json(snapshot)
    problem = call.end.problem
    return call_to_json(
        replace(
            call,
            identity=replace(call.identity, peer=Peer()),
            wacid=None,
            whatsapp=replace(call.whatsapp, local_sdp=None, remote_sdp=None),
            end=replace(
                call.end, problem=None if problem is None else replace(problem, fault=None)
            ),
        )
    )
