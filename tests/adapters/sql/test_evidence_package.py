"""A package stands for itself: sound as made, broken by one bit or one missing event."""

import asyncio
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.adapters import sql_migrate
from gateway.adapters.ed25519_keys import Ed25519Signatures
from gateway.adapters.secrets_key_ring import KeyRing, new_key
from gateway.adapters.sql_calls import SqlCalls
from gateway.adapters.sql_cases import SqlCases
from gateway.adapters.sql_directory import SqlDirectory
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_evidence_book import SqlEvidenceBook
from gateway.adapters.sql_recordings import SqlRecordings
from gateway.adapters.sql_stored_files import SqlStoredFiles
from gateway.adapters.sql_transcripts import SqlTranscripts
from gateway.core.errors import NotFound
from gateway.core.ids import AccountId, CallId
from gateway.core.quota.charge import Recorded, Stamp
from gateway.core.recording.evidence import EvidenceBroken, Happening
from gateway.core.recording.evidence_package import Report, check_package
from gateway.core.recording.plain_tar import END, header_of, padding_of
from gateway.core.recording.transcript import Passage, Transcript
from gateway.ports.accounts import Account
from gateway.ports.recordings import Assembled, Recording
from gateway.ports.storage import PlainFile
from gateway.runtime.evidence_desk import EvidenceDesk, EvidenceSources
from tests.adapters.sql.conftest import Wall
from tests.adapters.sql.rows import NODE, a_call, an_account

pytestmark = pytest.mark.services

AUDIO = b"OggS" + bytes(range(256)) * 40
DAY = 24 * 3600.0


class StillClock:
    """A clock that stands."""

    def __init__(self, wall: Wall) -> None:
        self._wall = wall

    def wall(self) -> float:
        return self._wall()

    def monotonic(self) -> float:
        return self._wall()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(0)


class Folder:
    """Files of a folder, as the vault gives them."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[PlainFile]:
        with (self.path / key).open("rb") as file:
            yield PlainFile(file.fileno())


@dataclass
class Room:
    """A recorded call in a database, and a desk that packs its evidence."""

    desk: EvidenceDesk
    book: SqlEvidenceBook
    database: Database
    account: Account
    call_id: CallId
    folder: Path
    wall: Wall

    async def pack(self) -> bytes:
        async with self.desk.package(self.account, self.call_id) as package:
            content = b"".join([piece async for piece in package.stream()])
            assert len(content) == package.size
            return content


def check(content: bytes, trusted: frozenset[str] | None = None) -> Report:
    return check_package(io.BytesIO(content), Ed25519Signatures(), trusted=trusted)


@pytest.fixture
async def room(database: Database, wall: Wall, tmp_path: Path) -> Room:
    return await make_room(database, wall, tmp_path)


async def make_room(database: Database, wall: Wall, tmp_path: Path) -> Room:
    keys = KeyRing.parse(new_key())
    account = await an_account(database, wall)
    calls, book = SqlCalls(database, wall), SqlEvidenceBook(database, keys)
    row = a_call(account.account_id, ended_at=wall(), outcome="completed")
    asked = {"by": "whatsapp", "language": "en", "sentence": "This call is recorded"}
    heard = {"heard_by": ["customer", "agent"], "agent": "ani"}
    await calls.create(
        row,
        evidence=[
            Happening("call.started", wall()),
            Happening("announcement.asked", wall(), asked),
            Happening("announcement.began", wall() + 1, heard),
            Happening("announcement.ended", wall() + 7, heard),
        ],
    )
    await book.seal_day(now=wall() + DAY)
    key = f"{account.account_id}/{row.call_id}.ogg"
    (tmp_path / account.account_id).mkdir()
    (tmp_path / key).write_bytes(AUDIO)
    await SqlRecordings(database, NODE).keep(
        Recording(row.call_id, account.account_id, _assembled(key, wall), wall()),
        Recorded(60_000),
        Stamp(wall()),
    )
    transcript = Transcript("en", (Passage("customer", 0, 10, "Selamat \u2026"),))
    transcripts = SqlTranscripts(database)
    await transcripts.keep(row.call_id, account.account_id, transcript, now=wall())
    sources = EvidenceSources(
        book=book,
        calls=calls,
        cases=SqlCases(database),
        contents=Folder(tmp_path),
        directory=SqlDirectory(database, keys),
        files=SqlStoredFiles(database, NODE),
        transcripts=transcripts,
    )
    desk = EvidenceDesk(sources, StillClock(wall), at_once_max=2)
    return Room(desk, book, database, account, row.call_id, tmp_path, wall)


def _assembled(key: str, wall: Wall) -> Assembled:
    return Assembled(
        file=key,
        peaks=None,
        duration_ms=60_000,
        bytes=len(AUDIO),
        sha256=hashlib.sha256(AUDIO).hexdigest(),
        began_at=wall() + 7,
        segments=({"begins_ms": 0, "reason": "call_ended", "gain": 0.5},),
    )


# --- sound -----------------------------------------------------------------------------------


async def test_a_package_is_sound_and_tells_what_it_holds(room: Room) -> None:
    content = await room.pack()
    report = check(content)
    assert (report.call, report.events, report.signed_events) == (room.call_id, 5, 4)
    assert [each.name for each in report.recordings] == ["files/local.ogg"]
    (key,) = await room.book.public_keys()
    assert report.key_id == key.key_id
    assert report.warnings == ("1 events are not below a daily root yet",)
    assert check(content, frozenset({key.key_id})) == report


async def test_any_tar_opens_it_and_people_can_read_who_heard_what_when(
    room: Room, tmp_path: Path
) -> None:
    with tarfile.open(fileobj=io.BytesIO(await room.pack())) as archive:
        names = archive.getnames()
        call = json.loads(_read(archive, "call.json"))
        assert _read(archive, "files/local.ogg") == AUDIO
    assert names[:3] == ["README.txt", "manifest.json", "manifest.sig"]
    assert "transcript.json" in names
    (announcement,) = call["announcements"]
    assert announcement["heard_by"] == ["customer", "agent"]
    assert announcement["sentence"] == "This call is recorded"
    assert announcement["whole"] is True
    assert announcement["began_at"] < announcement["ended_at"]
    assert call["customer"]["phone"] == "628111222333"


def _read(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    assert file is not None
    return file.read()


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
async def test_standard_tools_check_it_as_its_readme_says(room: Room, tmp_path: Path) -> None:
    folder = tmp_path / "unpacked"
    with tarfile.open(fileobj=io.BytesIO(await room.pack())) as archive:
        archive.extractall(folder, filter="data")
    key = next((folder / "keys").iterdir()).relative_to(folder)
    root = next((folder / "roots").glob("*.sig")).with_suffix("").relative_to(folder)

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(command, cwd=folder, capture_output=True, check=False, text=True)

    def is_signed(name: str, signature: str) -> bool:
        words = f"openssl pkeyutl -verify -pubin -inkey {key} -rawin -in {name}"
        return run(*words.split(), "-sigfile", signature).returncode == 0

    assert await asyncio.to_thread(is_signed, "manifest.json", "manifest.sig")
    assert await asyncio.to_thread(is_signed, f"{root}.json", f"{root}.sig")
    assert not await asyncio.to_thread(is_signed, "call.json", "manifest.sig")
    loop = 'while IFS= read -r line; do printf "%s" "$line" | sha256sum; done < events.jsonl'
    shown = (await asyncio.to_thread(run, "sh", "-c", loop)).stdout
    digests = [line.split()[0] for line in shown.splitlines()]
    lines = (folder / "events.jsonl").read_text().splitlines()
    assert [json.loads(line)["previous"] for line in lines[1:]] == digests[:-1]
    assert json.loads((folder / "manifest.json").read_text())["head"] == digests[-1]


async def test_what_was_signed_with_an_older_key_stays_sound(room: Room) -> None:
    before = await room.pack()
    old = check(before).key_id
    new = (await room.book.renew_key(now=room.wall())).key_id
    report = check(await room.pack())
    assert report.key_id == new != old
    assert check(before).key_id == old
    with pytest.raises(EvidenceBroken, match="not trusted"):
        check(before, frozenset({new}))


async def test_a_deleted_recordings_evidence_is_the_chain_alone(room: Room) -> None:
    async with room.database.writing() as connection:
        await connection.exec_driver_sql("UPDATE stored_files SET state = 'gone'")
    report = check(await room.pack())
    assert report.recordings == ()
    assert report.events == 5


async def test_nothing_is_packed_of_what_is_another_accounts_or_never_was(room: Room) -> None:
    other = replace(room.account, account_id=AccountId("b" * 26))
    for account, call_id in ((other, room.call_id), (room.account, CallId("z" * 26))):
        with pytest.raises(NotFound):
            async with room.desk.package(account, call_id):
                pass


# --- broken ----------------------------------------------------------------------------------


async def test_a_recording_that_was_exchanged_on_disk_is_noticed(room: Room) -> None:
    (room.folder / room.account.account_id / f"{room.call_id}.ogg").write_bytes(AUDIO[:-1])
    with pytest.raises(EvidenceBroken, match="not the file that the events speak of"):
        check(await room.pack())


async def test_a_chain_that_was_changed_in_the_database_is_not_packed(room: Room) -> None:
    async with room.database.writing() as connection:
        await connection.exec_driver_sql(
            "UPDATE evidence_events SET line = replace(line, 'agent', 'AGENT') WHERE seq = 3"
        )
    with pytest.raises(EvidenceBroken):
        await room.pack()


async def test_a_chain_cut_at_its_end_in_the_database_is_noticed_by_the_daily_root(
    room: Room,
) -> None:
    """The signature is new and right; the root of the day knows better."""
    async with room.database.writing() as connection:
        await connection.exec_driver_sql("DELETE FROM evidence_events WHERE seq >= 4")
    with pytest.raises(EvidenceBroken, match="a daily root names"):
        check(await room.pack())


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A package, made once for all that try to break it."""
    folder = tmp_path_factory.mktemp("sound")

    async def make() -> bytes:
        database = Database(f"sqlite:///{folder / 'callgate.db'}")
        try:
            await sql_migrate.upgrade(database)
            return await (await make_room(database, Wall(), folder)).pack()
        finally:
            await database.close()

    return asyncio.run(make())


@given(st.data())
def test_one_flipped_bit_anywhere_breaks_it(sound: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(sound) - 1))
    bit = data.draw(st.integers(0, 7))
    broken = bytearray(sound)
    broken[at] ^= 1 << bit
    with pytest.raises(EvidenceBroken):
        check(bytes(broken))


@given(st.data())
def test_a_package_that_is_cut_or_added_to_is_broken(sound: bytes, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(sound) - 1))
    for broken in (sound[:at], sound + sound[at:], sound[:at] + b"\0" + sound[at:]):
        if broken != sound:
            with pytest.raises(EvidenceBroken):
                check(broken)


def files_of(content: bytes) -> dict[str, bytes]:
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        return {name: _read(archive, name) for name in archive.getnames()}


def packed_again(files: dict[str, bytes]) -> bytes:
    parts = (
        header_of(name, len(each)) + each + padding_of(len(each))
        for name, each in files.items()
    )
    return b"".join(parts) + END


def test_packing_again_what_was_read_gives_the_same(sound: bytes) -> None:
    assert packed_again(files_of(sound)) == sound


def test_a_missing_event_breaks_it_wherever_it_stood(sound: bytes) -> None:
    files = files_of(sound)
    lines = files["events.jsonl"].splitlines(keepends=True)
    assert len(lines) == 5
    for place in range(len(lines)):
        less = {**files, "events.jsonl": b"".join(lines[:place] + lines[place + 1 :])}
        with pytest.raises(EvidenceBroken):
            check(packed_again(less))


def test_a_missing_added_or_exchanged_file_breaks_it(sound: bytes) -> None:
    files = files_of(sound)
    for name in files:
        with pytest.raises(EvidenceBroken):
            check(packed_again({k: v for k, v in files.items() if k != name}))
        with pytest.raises(EvidenceBroken):
            check(packed_again({**files, name: files[name] + b"x"}))
    with pytest.raises(EvidenceBroken):
        check(packed_again({**files, "files/more.ogg": b"x"}))
    with pytest.raises(EvidenceBroken):
        check(packed_again(dict(reversed(files.items()))))


@pytest.mark.parametrize("content", [b"", b"x", b"\0" * 512, b"\0" * 1024, b"PK\x03\x04" * 200])
def test_what_is_no_package_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(EvidenceBroken):
        check(content)
