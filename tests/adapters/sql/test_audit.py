"""Contract of `AuditLog`, on both engines."""

from dataclasses import replace

import pytest

from gateway.adapters.sql_audit import SqlAudit
from gateway.adapters.sql_engine import Database
from gateway.adapters.sql_purge import Retention, SqlPurge
from gateway.core.errors import BadInput
from gateway.core.ids import AccountId, TokenId, UserId
from gateway.ports.audit import AuditEntry, AuditFilter, Deed
from tests.adapters.sql.conftest import Wall

pytestmark = pytest.mark.services

OURS = AccountId("account-one")
AYU = UserId("user-ayu")


def deed(at: float, **changes: object) -> AuditEntry:
    entry = AuditEntry(OURS, AYU, Deed.RECORDING_PLAYED, "call-1", at, {"ms": 3})
    return replace(entry, **changes)  # type: ignore[arg-type]  # any field


async def test_pages_hold_every_deed_once_newest_first(database: Database) -> None:
    audit = SqlAudit(database)
    # Several in one instant: the order of writing decides.
    entries = [deed(100.0 + step // 3, subject=f"call-{step}") for step in range(10)]
    for entry in entries:
        await audit.record(entry)
    await audit.record(deed(105.0, account_id=AccountId("account-two")))
    found: list[AuditEntry] = []
    cursor: str | None = None
    while True:
        page = await audit.page(AuditFilter(OURS), cursor=cursor, limit=3)
        found += [each.entry for each in page.deeds]
        cursor = page.next_cursor
        if cursor is None:
            break
        await audit.record(deed(200.0 + len(found)))  # What comes meanwhile shifts nothing.
    assert found == entries[::-1]


async def test_each_filter_leaves_what_it_names(database: Database) -> None:
    audit = SqlAudit(database)
    token = TokenId("token-1")
    played = deed(1.0)
    deleted = deed(2.0, action=Deed.RECORDING_DELETED, subject="call-2")
    by_token = deed(3.0, actor=None, token_id=token)
    for entry in (played, deleted, by_token):
        await audit.record(entry)
    for wanted, expected in (
        (AuditFilter(OURS), [by_token, deleted, played]),
        (AuditFilter(OURS, action=Deed.RECORDING_DELETED), [deleted]),
        (AuditFilter(OURS, actor=AYU), [deleted, played]),
        (AuditFilter(OURS, actor=token), [by_token]),
        (AuditFilter(OURS, subject="call-2"), [deleted]),
        (AuditFilter(OURS, since=2.0), [by_token, deleted]),
        (AuditFilter(OURS, until=2.0), [played]),
        (AuditFilter(OURS, since=2.0, until=3.0, actor=AYU), [deleted]),
        (AuditFilter(OURS, subject="\x00\ud800"), []),
        (AuditFilter(AccountId("account-two")), []),
    ):
        page = await audit.page(wanted, cursor=None, limit=50)
        assert [each.entry for each in page.deeds] == expected, wanted
        assert page.next_cursor is None


@pytest.mark.parametrize(
    "cursor", ["", "x", "AAAA", "MSAtMQ", "MHgxcDMgMTg0NDY3NDQwNzM3MDk1NTE2MTY"]
)
async def test_a_foreign_cursor_is_refused(database: Database, cursor: str) -> None:
    with pytest.raises(BadInput, match="cursor"):
        await SqlAudit(database).page(AuditFilter(OURS), cursor=cursor, limit=5)


async def test_deeds_are_forgotten_when_their_time_is_over(
    database: Database, wall: Wall
) -> None:
    audit = SqlAudit(database)
    await audit.record(deed(wall() - 101))
    await audit.record(deed(wall() - 99))
    purge = SqlPurge(database, Retention(audit_s=100.0))
    assert await purge.run(now=wall()) == 1
    assert [each.at for each in await audit.recent(OURS, limit=9)] == [wall() - 99]
