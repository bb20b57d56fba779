"""Rows that the store tests begin with."""

import itertools
from collections.abc import Callable
from dataclasses import replace

from gateway.adapters.secrets_key_ring import KeyRing, new_key
from gateway.adapters.sql_accounts import SqlAccounts
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_passwords import HashCost, PasswordHashing
from gateway.core.ids import AccountId, CallId, CommandId, NodeId, PhoneNumberId, UserId, Wacid
from gateway.core.whatsapp import Direction, Peer
from gateway.ports.accounts import Account
from gateway.ports.calls import CallRow, PendingCommand, TraceLine
from gateway.ports.webhooks import InboxItem

CHEAP = HashCost(memory_kib=64, passes=1, lanes=1)
NUMBER = PhoneNumberId("106540352242922")
NODE = NodeId("node-a")

_serial = itertools.count(1)


def fresh_id() -> str:
    return f"{next(_serial):026d}"


def accounts_of(
    database: Database,
    wall: Callable[[], float],
    hashing: PasswordHashing,
    keys: KeyRing | None = None,
) -> SqlAccounts:
    return SqlAccounts(database, keys or KeyRing.parse(new_key()), hashing, wall, fresh_id)


async def an_account(database: Database, wall: Callable[[], float]) -> Account:
    hashing = PasswordHashing(CHEAP)
    try:
        return await accounts_of(database, wall, hashing).add_account(
            cid=f"C-{fresh_id()}", name="Toko Maju", timezone="Asia/Jakarta"
        )
    finally:
        hashing.close()


def a_call(account_id: AccountId, **changes: object) -> CallRow:
    row = CallRow(
        call_id=CallId(fresh_id()),
        account_id=account_id,
        phone_number_id=NUMBER,
        wacid=Wacid(f"wacid.{fresh_id()}"),
        direction=Direction.INBOUND,
        state="ringing",
        version=1,
        owner_node=NODE,
        owner_epoch=1,
        agent_id=None,
        peer=Peer(phone="628111222333", name="Budi"),
        created_at=1_790_000_000.125,
        answered_at=None,
        ended_at=None,
        outcome=None,
        snapshot='{"state":"ringing"}',
    )
    return replace(row, **changes)  # type: ignore[arg-type]  # any field of the row


def next_step(row: CallRow, **changes: object) -> CallRow:
    return replace(row, version=row.version + 1, **changes)  # type: ignore[arg-type]


def a_command(call: CallRow, kind: str = "accept") -> PendingCommand:
    return PendingCommand(CommandId(fresh_id()), call.call_id, kind, '{"sdp":"…"}')


def a_line(call: CallRow, at: float, step: str) -> TraceLine:
    return TraceLine(call.call_id, at, "machine", step, {"ms": 3})


def an_item(key: str, **changes: object) -> InboxItem:
    item = InboxItem(
        dedup_key=key,
        kind="connect",
        phone_number_id=NUMBER,
        wacid=Wacid("wacid.A"),
        payload='{"field":"calls"}',
    )
    return replace(item, **changes)  # type: ignore[arg-type]  # any field of the item


AGENT = UserId("agent-one")
