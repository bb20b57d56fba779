"""The operator's commands: what they do, say and refuse."""

import asyncio
import json
import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from gateway.adapters.secrets_key_ring import new_key
from gateway.adapters.system_clock import SystemClock
from gateway.core.ids import CallId, NodeId, PhoneNumberId, Wacid
from gateway.core.whatsapp import Direction, Peer
from gateway.foundation import Foundation, open_foundation
from gateway.ports.calls import CallRow, TraceLine
from gateway.ports.webhooks import InboxItem
from gateway.settings import load
from tests.cli.conftest import Callgate
from tests.services.postgres import PostgresServer

TOKEN = "EAAG-sealed-and-never-shown"


def with_stores(work: object) -> object:
    async def run() -> object:
        async with open_foundation(load(), SystemClock()) as stores:
            return await work(stores)  # type: ignore[operator]  # a coroutine function

    return asyncio.run(run())


@pytest.fixture
def acme(callgate: Callgate) -> str:
    callgate("account", "add", "acme", "--name", "Acme", "--timezone", "Asia/Jakarta")
    return "acme"


def add_number(callgate: Callgate, tmp_path: Path, number_id: str = "123") -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n")
    callgate(
        *("account", "number", "add", "acme", "--phone-number-id", number_id),
        *(
            "--waba-id",
            "456",
            "--display",
            "+62 21 555",
            "--token-file",
            str(tmp_path / "token"),
        ),
    )


def test_the_first_command_sets_up_a_private_directory_and_the_database(
    callgate: Callgate, acme: str, data_dir: Path
) -> None:
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700
    assert stat.S_IMODE((data_dir / "secret.key").stat().st_mode) == 0o600
    assert callgate("account", "list").out.split() == [
        *("CID", "NAME", "TIME", "ZONE"),
        *("acme", "Acme", "Asia/Jakarta"),
    ]


def test_an_account_is_shown_with_numbers_people_and_deeds_but_no_token(
    callgate: Callgate, acme: str, tmp_path: Path
) -> None:
    add_number(callgate, tmp_path)
    callgate("user", "add", "acme", "--email", "ana@example.com", "--name", "Ana", "--generate")
    shown = callgate("account", "show", "acme").out
    for part in ("Asia/Jakarta", "123", "+62 21 555", "ana@example.com", "number.added"):
        assert part in shown
    assert TOKEN not in shown
    assert "456" in callgate("account", "number", "list", "acme").out


def test_which_calls_are_recorded_is_chosen_for_an_account_or_one_number(
    callgate: Callgate, acme: str, tmp_path: Path
) -> None:
    add_number(callgate, tmp_path)
    assert callgate("account", "records", "acme").out == "acme records none calls\n"
    assert "acme records both calls" in callgate("account", "records", "acme", "both").out
    told = callgate("account", "records", "acme", "none", "--number", "123").out
    assert told.splitlines() == [
        "acme records both calls",
        "its number +62 21 555 records none calls",
    ]
    told = callgate("account", "records", "acme", "as-account", "--number", "123").out
    assert told == "acme records both calls\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("account", "add", "acme", "--name", "B"), "already"),
        (("account", "add", "b", "--name", "B", "--timezone", "Moon"), "time zone"),
        (("account", "show", "nobody"), "no account with cid 'nobody'"),
        (
            ("user", "add", "nobody", "--email", "a@b", "--name", "A", "--generate"),
            "no account",
        ),
        (("user", "add", "acme", "--email", "x", "--name", "A", "--generate"), "e-mail"),
        (("user", "password", "a@b", "--generate"), "nobody signs in"),
        (("user", "password", "a@b"), "asked for on a terminal"),
        (("user", "disable", "a@b"), "nobody signs in"),
        (("account", "number", "token", "9", "--token-file", "/nowhere"), "cannot read"),
        (("account", "number", "token", "9", "--token-env", "UNSET_VARIABLE"), "is empty"),
        (("account", "records", "nobody", "both"), "no account"),
        (("account", "records", "acme", "both", "--number", "9"), "no number"),
        (("account", "records", "acme", "as-account"), "--number"),
        (("call", "list", "nobody"), "no account"),
        (("call", "trace", "nocall"), "no call nocall"),
        (("webhook", "replay", "77"), "no webhook event 77"),
        (("db", "upgrade", "9999"), "9999"),
    ],
)
def test_a_refusal_is_one_line_and_exit_code_1(
    callgate: Callgate, acme: str, arguments: tuple[str, ...], said: str
) -> None:
    ran = callgate(*arguments, code=1)
    assert said in ran.err
    assert ran.err.startswith("callgate: ")
    assert ran.err.count("\n") == 1


@pytest.mark.parametrize("arguments", [("nonsense",), ("account",), ("call", "list"), ("-x",)])
def test_wrong_usage_is_exit_code_2(callgate: Callgate, arguments: tuple[str, ...]) -> None:
    callgate(*arguments, code=2)


def test_an_unknown_setting_is_one_line(
    callgate: Callgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLGATE_HTTP_PROT", "1")
    ran = callgate("account", "list", code=1)
    assert "did you mean CALLGATE_HTTP_PORT" in ran.err


def test_a_database_that_is_away_is_exit_code_3(
    callgate: Callgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLGATE_DATABASE_URL", "postgresql://u:geheim@127.0.0.1:1/x")
    ran = callgate("account", "list", code=3)
    assert ran.err.count("\n") == 1
    assert "geheim" not in ran.err


def test_tokens_come_from_a_file_a_variable_or_standard_input(
    callgate: Callgate, acme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_number(callgate, tmp_path)
    assert token_of("123") == TOKEN
    monkeypatch.setenv("ACME_TOKEN", "EAAG-from-variable")
    ran = callgate("account", "number", "token", "123", "--token-env", "ACME_TOKEN")
    assert token_of("123") == "EAAG-from-variable"
    assert "EAAG" not in ran.out + ran.err
    piped = subprocess.run(
        [
            *(sys.executable, "-m", "gateway"),
            *("account", "number", "token", "123", "--token-file", "-"),
        ],
        input=b"EAAG-piped\n",
        capture_output=True,
        check=True,
        env=dict(os.environ),
    )
    assert b"EAAG" not in piped.stdout + piped.stderr
    assert token_of("123") == "EAAG-piped"
    both = ("--token-env", "ACME_TOKEN", "--token-file", str(tmp_path / "token"))
    assert "not both" in callgate("account", "number", "token", "123", *both, code=1).err


def test_a_generated_password_signs_in_and_a_new_one_replaces_it(
    callgate: Callgate, acme: str, tmp_path: Path
) -> None:
    added = callgate(
        *("user", "add", "acme", "--email", "Ana@Example.com", "--name", "Ana"),
        *("--role", "supervisor", "--generate"),
    ).out
    first = re.search(r"password: (\S+)", added)
    assert first is not None
    assert signs_in("ana@example.com", first[1])
    (tmp_path / "pw").write_text("a better password\n")
    callgate("user", "password", "ana@example.com", "--password-file", str(tmp_path / "pw"))
    assert not signs_in("ana@example.com", first[1])
    assert signs_in("ana@example.com", "a better password")
    assert "supervisor" in callgate("user", "list", "acme").out
    callgate("user", "disable", "ana@example.com")
    assert "disabled" in callgate("user", "list", "acme").out
    assert not signs_in("ana@example.com", "a better password")
    callgate("user", "enable", "ana@example.com")
    assert signs_in("ana@example.com", "a better password")


def test_sessions_are_listed_and_revoked(callgate: Callgate, acme: str) -> None:
    callgate("user", "add", "acme", "--email", "a@b.c", "--name", "A", "--generate")

    async def sign_in(stores: Foundation) -> str:
        found = await stores.accounts.person("a@b.c")
        return await stores.sessions.create(
            found.person.user_id, user_agent="Firefox/150", now=SystemClock().wall()
        )

    token = with_stores(sign_in)
    shown = callgate("user", "sessions", "list", "a@b.c").out
    assert "Firefox/150" in shown
    assert str(token) not in shown
    assert "1 browser" in callgate("user", "sessions", "revoke", "a@b.c").out
    assert "Firefox" not in callgate("user", "sessions", "list", "a@b.c").out


def test_keys_are_changed_without_losing_a_token(
    callgate: Callgate,
    acme: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    data_dir: Path,
) -> None:
    add_number(callgate, tmp_path)
    old = (data_dir / "secret.key").read_text().strip()
    fresh = callgate("key", "new").out.strip()
    assert fresh != new_key()
    monkeypatch.setenv("CALLGATE_SECRET_KEY", f"{fresh},{old}")
    assert "1 token sealed" in callgate("key", "reseal").out
    monkeypatch.setenv("CALLGATE_SECRET_KEY", fresh)
    assert token_of("123") == TOKEN
    monkeypatch.setenv("CALLGATE_SECRET_KEY", "nonsense")
    assert "base64" in callgate("account", "list", code=1).err


def test_settings_are_shown_without_secrets(
    callgate: Callgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLGATE_WHATSAPP_APP_SECRET", "geheim")
    shown = callgate("config", "show").out
    assert "CALLGATE_HTTP_PORT=8080" in shown
    assert "CALLGATE_WHATSAPP_APP_SECRET=*****" in shown
    as_json = callgate("config", "show", "--json").out
    assert json.loads(as_json)["redis_url"] is None
    assert "geheim" not in shown + as_json


def test_the_database_goes_up_and_down(callgate: Callgate, data_dir: Path) -> None:
    (data_dir / "callgate.db").unlink()
    assert "(empty)" in callgate("db", "current").out
    reached = callgate("db", "upgrade").out
    assert re.search(r"at version \d{4}", reached)
    callgate("db", "downgrade", "base", "--yes")
    assert "database: (empty)" in callgate("db", "current").out


def test_a_database_of_another_version_is_left_alone(callgate: Callgate, acme: str) -> None:
    async def age(stores: Foundation) -> None:
        async with stores.database.writing() as connection:
            await connection.exec_driver_sql("UPDATE alembic_version SET version_num='0000'")

    with_stores(age)
    assert "callgate db upgrade" in callgate("account", "list", code=1).err


def test_calls_are_listed_and_their_trace_is_a_ladder(callgate: Callgate, acme: str) -> None:
    async def fill(stores: Foundation) -> None:
        account = await stores.accounts.account("acme")
        row = CallRow(
            call_id=CallId("c" * 26),
            account_id=account.account_id,
            phone_number_id=PhoneNumberId("123"),
            wacid=Wacid("wacid.SECRET"),
            direction=Direction.INBOUND,
            state="ended",
            version=1,
            owner_node=NodeId("n"),
            owner_epoch=1,
            agent_id=None,
            peer=Peer(phone="6281234567890", name="Budi"),
            created_at=1_790_000_000.0,
            answered_at=1_790_000_004.0,
            ended_at=1_790_000_016.4,
            outcome="completed",
            snapshot="{}",
        )
        await stores.calls.create(
            row,
            trace=[
                TraceLine(row.call_id, row.created_at, "webhook", "connect", {"age_ms": 80}),
                TraceLine(row.call_id, row.created_at + 0.25, "graph", "pre_accept", {"n": 2}),
                TraceLine(
                    row.call_id, row.created_at + 4.5, "machine", "talking", {"x": "a b"}
                ),
            ],
        )

    with_stores(fill)
    listed = callgate("call", "list", "acme").out
    assert "completed" in listed
    assert "12 s" in listed
    assert "Budi" not in listed
    assert "6281234567890" not in listed
    ladder = callgate("call", "trace", "c" * 26).out.splitlines()
    assert ladder[0] == (
        "inbound call cccccccccccccccccccccccccc, completed, "
        "began 2026-09-21 14:13:20 UTC, talked 12 s"
    )
    assert [line.split() for line in ladder[3:]] == [
        ["0", "+0", "webhook", "connect", "age_ms=80"],
        ["250", "+250", "graph", "pre_accept", "n=2"],
        ["4500", "+4250", "machine", "talking", 'x="a', 'b"'],
    ]
    as_json = callgate("call", "trace", "c" * 26, "--json").out.splitlines()
    assert [json.loads(line)["step"] for line in as_json] == [
        "connect",
        "pre_accept",
        "talking",
    ]
    assert callgate("call", "list", "acme", "--live").out.count("\n") == 1


def test_webhook_events_are_listed_without_contents_and_replayed(
    callgate: Callgate, acme: str
) -> None:
    item = InboxItem("k", "connect", PhoneNumberId("1"), Wacid("w"), '{"name": "Budi"}')

    async def fill(stores: Foundation) -> None:
        await stores.inbox.add([item], received_at=SystemClock().wall())
        (row,) = await stores.inbox.waiting(limit=1)
        await stores.inbox.failed(row.inbox_id, error="unreadable", retry_at=None)

    async def count_waiting(stores: Foundation) -> int:
        return len(await stores.inbox.waiting(limit=9))

    with_stores(fill)
    listed = callgate("webhook", "list", "--state", "failed").out
    assert "unreadable" in listed
    assert "Budi" not in listed
    assert callgate("webhook", "list", "--state", "done").out.count("\n") == 1
    assert with_stores(count_waiting) == 0
    callgate("webhook", "replay", "1")
    assert with_stores(count_waiting) == 1


@pytest.mark.services
def test_the_commands_work_on_postgresql_too(
    callgate: Callgate,
    postgres_server: PostgresServer,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    monkeypatch.setenv("CALLGATE_DATABASE_URL", postgres_server.url())
    try:
        callgate("account", "add", "acme", "--name", "Acme")
        add_number(callgate, tmp_path)
        callgate("user", "add", "acme", "--email", "a@b.c", "--name", "A", "--generate")
        assert "a@b.c" in callgate("account", "show", "acme").out
        assert token_of("123") == TOKEN
    finally:
        callgate("db", "downgrade", "base", "--yes")


def token_of(number_id: str) -> str:
    async def read(stores: Foundation) -> str:
        number = await stores.directory.number(PhoneNumberId(number_id))
        assert number is not None
        return number.token

    return str(with_stores(read))


def signs_in(email: str, password: str) -> bool:
    async def check(stores: Foundation) -> bool:
        return await stores.passwords.verify(email, password) is not None

    return bool(with_stores(check))


def test_a_command_loads_nothing_that_only_the_demo_or_a_migration_needs() -> None:
    names = "{'aiortc', 'alembic', 'av', 'numpy'}"
    program = f"import gateway.cli_app, sys; print(*({names} & set(sys.modules)))"
    told = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert told.stdout == "\n"


def test_the_first_command_sets_an_empty_database_up(
    callgate: Callgate, data_dir: Path
) -> None:
    (data_dir / "callgate.db").unlink()
    assert callgate("account", "list").out.split()[:1] == ["CID"]
    assert "(empty)" not in callgate("db", "current").out
