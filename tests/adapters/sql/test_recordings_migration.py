"""Recordings from before their life was kept get what new ones are told."""

import json

import pytest
from sqlalchemy import select, text

from gateway.adapters import sql_migrate
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_recording_schema import recordings, stored_files

pytestmark = pytest.mark.services

# 6 February 2026, 23:30 in Jakarta; still the 6th in UTC.
MADE_AT = 1_770_395_400.0
ACCOUNT, CALL, OTHER = "a" * 26, "b" * 26, "c" * 26


async def test_old_recordings_are_filled_in(database_url: str) -> None:
    database = Database(database_url)
    await sql_migrate.upgrade(database, "0010")
    await _insert_old(database)
    await sql_migrate.upgrade(database)
    async with database.reading() as connection:
        rows = (await connection.execute(select(recordings))).all()
        files = (await connection.execute(select(stored_files))).all()
    row, other = sorted(rows, key=lambda each: str(each.call_id))
    assert (row.direction, row.agent_id, row.peer_phone) == ("inbound", "agent", "6281")
    assert (row.verdict, row.cut_by_quota, row.version) == ("matched", True, 1)
    assert (row.made_day, row.purge_day) == ("2026-02-06", "2028-02-07")
    assert (other.direction, other.verdict, other.cut_by_quota) == (None, None, False)
    assert {(file.key, file.role, file.state, file.node_id) for file in files} == {
        (f"{ACCOUNT}/{CALL}.ogg", "local", "kept", "node"),
        (f"{ACCOUNT}/{CALL}.peaks", "peaks", "kept", "node"),
        (f"{ACCOUNT}/{CALL}.official.ogg", "official", "kept", "node"),
        (f"{ACCOUNT}/{OTHER}.ogg", "local", "kept", "node"),
    }
    await database.close()


async def _insert_old(database: Database) -> None:
    official = f"{ACCOUNT}/{CALL}.official.ogg"
    kept = {"file": official, "duration_ms": 5, "bytes": 7, "sha256": "1" * 64, "holds": []}
    async with database.writing() as connection:
        for statement in (
            (
                f"INSERT INTO accounts (account_id, cid, name, timezone, created_at)"
                f" VALUES ('{ACCOUNT}', 'C', 'N', 'Asia/Jakarta', 0)"
            ),
            (
                f"INSERT INTO calls (call_id, account_id, phone_number_id, direction,"
                f" state, version, owner_node, owner_epoch, agent_id, peer_phone, created_at,"
                f" snapshot)"
                f" VALUES ('{CALL}', '{ACCOUNT}', '1', 'inbound', 'ended', 1, 'n', 1, 'agent',"
                f" '6281', 0, '')"
            ),
            "INSERT INTO capture_workers (worker_id, node_id, since) VALUES ('w', 'node', 0)",
        ):
            await connection.execute(text(statement))
        await connection.execute(
            text(
                "INSERT INTO recording_cases (call_id, account_id, version, ended_at, opening,"
                " facts, verdict, is_open, files) VALUES (:call, :account, 1, 0, '{}', '{}',"
                " 'matched', :open, :files)"
            ),
            {
                "call": CALL,
                "account": ACCOUNT,
                "open": False,
                "files": json.dumps({"local": None, "official": kept}),
            },
        )
        for call_id, peaks, segments in (
            (CALL, f"{ACCOUNT}/{CALL}.peaks", [{"end_reason": "quota"}, {}]),
            (OTHER, None, []),
        ):
            await connection.execute(
                text(
                    "INSERT INTO recordings (call_id, account_id, state, file, peaks,"
                    " duration_ms, bytes, sha256, began_at, finished_at, segments) VALUES"
                    " (:call, :account, 'available', :file, :peaks, 5, 6, :digest, 1, :at,"
                    " :segments)"
                ),
                {
                    "call": call_id,
                    "account": ACCOUNT,
                    "file": f"{ACCOUNT}/{call_id}.ogg",
                    "peaks": peaks,
                    "digest": "0" * 64,
                    "at": MADE_AT,
                    "segments": json.dumps({"segments": segments}),
                },
            )
