"""Puts the evidence of one call together: what is kept, what happened, and the signatures."""

import asyncio
import dataclasses
import hashlib
import os
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from gateway.core.errors import NotFound
from gateway.core.ids import AccountId, CallId
from gateway.core.recording.evidence import (
    Link,
    canonical,
    moment,
    read_chain,
    read_statement,
)
from gateway.core.recording.evidence_package import (
    CALL,
    EVENTS,
    FILES,
    KEYS,
    MANIFEST,
    README,
    ROOTS,
    SIGNATURE,
    Packed,
    event_text,
    heard,
    manifest_text,
    packed,
    proof_text,
)
from gateway.core.recording.evidence_readme import TEXT
from gateway.core.recording.files import FileRole, FileState
from gateway.core.recording.plain_tar import END, header_of, padding_of, size_in_archive
from gateway.ports.accounts import Account, Directory
from gateway.ports.calls import CallRow, CallStore
from gateway.ports.cases import Case, Cases, Transcripts
from gateway.ports.clock import Clock
from gateway.ports.evidence import EvidenceBook, SignedRoot
from gateway.ports.storage import Contents, StoredFile, StoredFiles

PIECE_BYTES = 256 * 1024
TRANSCRIPT = "transcript.json"
PACKED_ROLES = frozenset({FileRole.LOCAL, FileRole.OFFICIAL})


@dataclass(frozen=True, slots=True)
class EvidenceSources:
    """Where everything is."""

    book: EvidenceBook
    calls: CallStore
    cases: Cases
    contents: Contents
    directory: Directory
    files: StoredFiles
    transcripts: Transcripts


@dataclass(frozen=True, slots=True)
class _Held:
    """A recording that is open for reading."""

    packed: Packed
    stored: StoredFile
    fd: int


@dataclass(frozen=True, slots=True)
class Package:
    """A package that is ready to be sent; only inside the context that made it."""

    name: str
    size: int
    _small: tuple[tuple[Packed, bytes], ...]
    _held: tuple[_Held, ...]

    async def stream(self) -> AsyncGenerator[bytes]:
        """Yield the archive, piece by piece."""
        for file, content in self._small:
            yield header_of(file.name, file.size) + content + padding_of(file.size)
        for held in self._held:
            yield header_of(held.packed.name, held.packed.size)
            async for piece in _pieces(held.fd, held.packed.size):
                yield piece
            yield padding_of(held.packed.size)
        yield END


class EvidenceDesk:
    """One per process."""

    def __init__(self, sources: EvidenceSources, clock: Clock, *, at_once_max: int) -> None:
        """No more than `at_once_max` packages are made at the same time; others wait."""
        self._from = sources
        self._clock = clock
        self._slots = asyncio.Semaphore(at_once_max)

    async def expect(self, account: Account, call_id: CallId) -> None:
        """Raise `NotFound` unless something is known of a call in the account."""
        await self._known(account, call_id)

    @asynccontextmanager
    async def package(self, account: Account, call_id: CallId) -> AsyncIterator[Package]:
        """Make the package of a call and keep its files at hand.

        Raises `NotFound` for what is not known in the account, `EvidenceBroken` if its chain
        was damaged in the database, `StoreDown`, `SecretUnreadable`, and what reading files
        raises.
        """
        async with self._slots, AsyncExitStack() as stack:
            row, lines = await self._known(account, call_id)
            held = await self._hold(stack, account.account_id, call_id)
            small = await self._small(account, call_id, row, lines, held)
            files = [each for each, _ in small] + [each.packed for each in held]
            size = sum(size_in_archive(each.size) for each in files) + len(END)
            yield Package(f"evidence-{call_id}.tar", size, tuple(small), held)

    async def _known(
        self, account: Account, call_id: CallId
    ) -> tuple[CallRow | None, Sequence[str]]:
        row = await self._from.calls.load(call_id)
        lines = await self._from.book.chain(account.account_id, call_id)
        if row is not None and row.account_id != account.account_id:
            row = None
        if row is None and not lines:
            raise NotFound("nothing is known of this call")
        return row, lines

    async def _hold(
        self, stack: AsyncExitStack, account_id: AccountId, call_id: CallId
    ) -> tuple[_Held, ...]:
        held: list[_Held] = []
        for stored in await self._from.files.of_call(call_id):
            is_wanted = stored.state is FileState.KEPT and stored.role in PACKED_ROLES
            if not is_wanted or stored.account_id != account_id:
                continue
            same = sum(each.stored.role is stored.role for each in held)
            name = f"{FILES}{stored.role}{f'-{same + 1}' if same else ''}.ogg"
            file = await stack.enter_async_context(self._from.contents.hold(stored.key))
            held.append(_Held(await _digested(name, file.fd), stored, file.fd))
        return tuple(held)

    async def _small(
        self,
        account: Account,
        call_id: CallId,
        row: CallRow | None,
        lines: Sequence[str],
        held: Sequence[_Held],
    ) -> list[tuple[Packed, bytes]]:
        now = self._clock.wall()
        signer = await self._from.book.signer(now=now)
        contents = [(README, TEXT.encode())]
        keys = await self._from.book.public_keys()
        contents += [(f"{KEYS}{key.key_id}.pem", key.pem.encode()) for key in keys]
        contents.append((EVENTS, event_text(lines).encode()))
        for root in await self._from.book.roots_of(call_id):
            contents += _root_files(root)
        contents += await self._for_people(call_id, row, lines, held)
        listed = [(packed(name, content), content) for name, content in contents]
        link = read_chain(lines, call_id)[1][-1] if lines else Link()
        manifest = manifest_text(
            call=call_id,
            made_at=moment(now),
            key_id=signer.key_id,
            link=link,
            files=[*(each for each, _ in listed), *(each.packed for each in held)],
            account={"cid": account.cid, "name": account.name},
        ).encode()
        signature = signer.sign(manifest)
        signed = [
            (packed(MANIFEST, manifest), manifest),
            (packed(SIGNATURE, signature), signature),
        ]
        return [listed[0], *signed, *listed[1:]]

    async def _for_people(
        self,
        call_id: CallId,
        row: CallRow | None,
        lines: Sequence[str],
        held: Sequence[_Held],
    ) -> list[tuple[str, bytes]]:
        events, _ = read_chain(lines, call_id)
        case = await self._from.cases.load(call_id)
        tree = {
            "call": call_id,
            **({} if row is None else await self._call(row)),
            "announcements": heard(events),
            "verdict": _verdict(case),
            "recordings": [_recording(each) for each in held],
        }
        found = [(CALL, canonical(tree).encode())]
        transcript = await self._from.transcripts.find(call_id)
        if transcript is not None:
            text = canonical(dataclasses.asdict(transcript))
            found.append((TRANSCRIPT, text.encode()))
        return found

    async def _call(self, row: CallRow) -> dict[str, Any]:
        agent_id = row.agent_id
        agent = None if agent_id is None else await self._from.directory.person(agent_id)
        return {
            "direction": row.direction.value,
            "number": row.phone_number_id,
            "customer": {
                "phone": row.peer.phone,
                "user_id": row.peer.user_id,
                "name": row.peer.name,
            },
            "agent": {"id": agent_id, "name": None if agent is None else agent.name},
            "created_at": moment(row.created_at),
            "answered_at": None if row.answered_at is None else moment(row.answered_at),
            "ended_at": None if row.ended_at is None else moment(row.ended_at),
            "outcome": row.outcome,
        }


def _verdict(case: Case | None) -> dict[str, Any] | None:
    if case is None or case.conclusion is None:
        return None
    conclusion = case.conclusion
    return {
        "verdict": conclusion.verdict.value,
        "record": None if conclusion.record is None else conclusion.record.value,
        "stored_ms": conclusion.stored_ms,
        "is_final": conclusion.is_final,
    }


def _recording(held: _Held) -> dict[str, Any]:
    return {
        "file": held.packed.name,
        "is": held.stored.role.value,
        "sha256": held.packed.sha256,
        "sha256_when_kept": held.stored.sha256,
        "kept_since": moment(held.stored.made_at),
    }


def _root_files(root: SignedRoot) -> list[tuple[str, bytes]]:
    stem = f"{ROOTS}{read_statement(root.statement).number:06d}"
    return [
        (f"{stem}.json", root.statement.encode()),
        (f"{stem}.sig", root.signature),
        (f"{stem}.proof.json", proof_text(root.leaf, root.proof).encode()),
    ]


async def _digested(name: str, fd: int) -> Packed:
    """Read a file once, to know what will be sent."""
    size = os.fstat(fd).st_size
    digest = hashlib.sha256()
    async for piece in _pieces(fd, size):
        digest.update(piece)
    return Packed(name, size, digest.hexdigest())


async def _pieces(fd: int, size: int) -> AsyncIterator[bytes]:
    at = 0
    while at < size:
        piece = await asyncio.to_thread(os.pread, fd, min(PIECE_BYTES, size - at), at)
        if not piece:
            raise OSError("a file became shorter while it was read")
        at += len(piece)
        yield piece
