"""Rows of a library as years of calls would leave them, put there in bulk."""

import math
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Table, insert, text

from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_official_schema import transcripts
from gateway.adapters.sql_recording_schema import recordings, stored_files
from gateway.adapters.sql_schema import accounts, calls, numbers, users
from gateway.core.ids import AccountId, UserId
from gateway.core.whatsapp import Peer

ACCOUNT = AccountId("a" * 26)
NUMBER = "100000000000001"
BEGAN = 1_730_000_000.0
TWO_YEARS_S = 2 * 365 * 86_400
AGENTS = 120
CUSTOMERS = 20_000
AT_ONCE = 2_000
"""Rows of one transaction."""
RARE_WORD = "Chargeback"

_VERDICTS = {
    "matched": 700,
    "local_only": 150,
    None: 100,
    "official_shorter": 30,
    "trimmed_to_quota": 15,
    "official_longer": 4,
    "corrupt": 1,
}
_NOTES = ("Sent a refund", "Calls back on Monday", "Wants an invoice", "Señor Núñez, order 12")


Row = dict[str, Any]


@dataclass(slots=True)
class Shelf:
    """What lies in the library; oldest first."""

    began_at: list[float] = field(default_factory=list)
    call_ids: list[str] = field(default_factory=list)

    def since_newest(self, count: int) -> float:
        """Return from when on there are so many."""
        return self.began_at[-count]


def agent_id(number: int) -> UserId:
    """Name an agent; the lower the number, the more calls."""
    return UserId(f"agent{number:021}")


def customer(number: int) -> Peer:
    """Return a customer; the lower the number, the more calls."""
    return Peer(phone=f"62811{number:08}", user_id=f"ID.{number:016}")


def _skewed(chance: random.Random, count: int) -> int:
    """Choose a number below `count`, low ones oftener."""
    return int(count * chance.random() ** 3)


async def fill(database: Database, count: int, *, sha256: str, size: int, files: int) -> Shelf:
    """Make the account and its recordings, the newest `files` of them with a kept file."""
    await _people(database)
    shelf = Shelf()
    batch: dict[str, tuple[Table, list[Row]]] = {}
    for index, row in enumerate(_rows(count, sha256, size), 1):
        shelf.began_at.append(row["began_at"])
        shelf.call_ids.append(row["call_id"])
        new: list[tuple[Table, Row]] = [(recordings, row), (calls, _call(row))]
        if index > count - files:
            new.append((stored_files, _file(row)))
        if row["verdict"] == "matched" and index % 4 == 0:
            new.append((transcripts, _transcript(row)))
        for table, each in new:
            batch.setdefault(table.name, (table, []))[1].append(each)
        if index % AT_ONCE == 0 or index == count:
            async with database.writing() as connection:
                for table, values in batch.values():
                    await connection.execute(insert(table), values)
            batch.clear()
    if not database.is_sqlite:
        # As autovacuum would, a minute later.
        async with database.writing() as connection:
            await connection.execute(text("ANALYZE"))
    return shelf


async def _people(database: Database) -> None:
    async with database.writing() as connection:
        await connection.execute(
            insert(accounts).values(
                account_id=ACCOUNT, cid="bench", name="bench", timezone="UTC", created_at=0.0
            )
        )
        await connection.execute(
            insert(numbers).values(
                phone_number_id=NUMBER,
                account_id=ACCOUNT,
                waba_id="1",
                display="+62 811 0000 0000",
                token_key_id="k",  # noqa: S106 (no password)
                token_sealed=b"",
                created_at=0.0,
            )
        )
        people = [
            {
                "user_id": agent_id(number),
                "account_id": ACCOUNT,
                "email": f"agent{number}@example.com",
                "name": f"Agent {number}",
                "role": "agent",
                "password_hash": "",
                "created_at": 0.0,
            }
            for number in range(AGENTS)
        ]
        await connection.execute(insert(users), people)


def _rows(count: int, sha256: str, size: int) -> Iterator[Row]:
    chance = random.Random(1)
    step = TWO_YEARS_S / count
    for index in range(count):
        peer = customer(_skewed(chance, CUSTOMERS))
        call_id = f"{chance.getrandbits(128):026x}"[-26:]
        began_at = BEGAN + step * (index + chance.random() * 0.9)
        duration_ms = min(int(math.exp(chance.gauss(math.log(150), 1)) * 1000), 14_400_000)
        [verdict] = chance.choices(list(_VERDICTS), list(_VERDICTS.values()))
        note = chance.choice(_NOTES) if chance.random() < 0.05 else None
        if index % (count // 3) == count // 6:
            note = f"{RARE_WORD} of order {index}"
        is_held = chance.random() < 0.001
        yield {
            "call_id": call_id,
            "account_id": ACCOUNT,
            "state": "available",
            "file": f"{ACCOUNT}/{call_id}.ogg",
            "duration_ms": duration_ms,
            "bytes": size,
            "sha256": sha256,
            "began_at": began_at,
            "finished_at": began_at + duration_ms / 1000,
            "segments": {"segments": [{"begin_ms": 0, "length_ms": duration_ms}]},
            "direction": "inbound" if chance.random() < 0.7 else "outbound",
            "agent_id": agent_id(_skewed(chance, AGENTS)),
            "peer_phone": peer.phone,
            "peer_user_id": peer.user_id,
            "verdict": verdict,
            "cut_by_quota": verdict == "trimmed_to_quota" or chance.random() < 0.002,
            "note": note,
            "note_folded": None if note is None else note.casefold(),
            "made_day": "2025-01-01",
            "purge_day": "2027-01-01",
            "held_at": began_at if is_held else None,
            "held_why": "a dispute" if is_held else None,
        }


def _call(row: Row) -> Row:
    return {
        "call_id": row["call_id"],
        "account_id": ACCOUNT,
        "phone_number_id": NUMBER,
        "wacid": f"wacid.{row['call_id']}",
        "direction": row["direction"],
        "state": "ended",
        "version": 9,
        "owner_node": "bench",
        "owner_epoch": 1,
        "agent_id": row["agent_id"],
        "peer_phone": row["peer_phone"],
        "peer_user_id": row["peer_user_id"],
        "peer_name": f"Customer {row['peer_phone'][-5:]}",
        "created_at": row["began_at"] - 8,
        "answered_at": row["began_at"],
        "ended_at": row["finished_at"],
        "outcome": "completed",
        "snapshot": '{"history": "' + "x" * 600 + '"}',
    }


def _file(row: Row) -> Row:
    return {
        "key": row["file"],
        "account_id": ACCOUNT,
        "call_id": row["call_id"],
        "role": "local",
        "state": "kept",
        "place": "folder",
        "node_id": "bench",
        "bytes": row["bytes"],
        "sha256": row["sha256"],
        "made_at": row["finished_at"],
    }


def _transcript(row: Row) -> Row:
    return {
        "call_id": row["call_id"],
        "account_id": ACCOUNT,
        "language": "id",
        "content": {"passages": [{"at_ms": 0, "text": "halo " * 60}]},
        "stored_at": row["finished_at"],
    }
