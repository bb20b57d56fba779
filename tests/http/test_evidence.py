"""Evidence over REST."""

import io
import json

from gateway.adapters.ed25519_keys import Ed25519Signatures
from gateway.adapters.sql_evidence_book import SqlEvidenceBook
from gateway.core.ids import CallId
from gateway.core.recording.evidence import Happening
from gateway.core.recording.evidence_package import check_package
from gateway.ports.accounts import Role
from tests.http.site import KEYS, Browser, Site

CALL = CallId("c" * 26)


async def test_a_lead_downloads_evidence_that_is_sound_and_the_chain_says_so(
    site: Site, browser: Browser
) -> None:
    book = SqlEvidenceBook(site.database, KEYS)
    await book.record(site.account.account_id, CALL, [Happening("verdict", 1.0)])
    await browser.sign_in(Role.SUPERVISOR)
    for downloads in (1, 2):
        async with await browser.ask("GET", f"/recordings/{CALL}/evidence") as response:
            assert response.status == 200
            assert response.content_type == "application/x-tar"
            named = response.headers["Content-Disposition"]
            assert named == f'attachment; filename="evidence-{CALL}.tar"'
            content = await response.read()
            assert len(content) == response.content_length
        report = check_package(io.BytesIO(content), Ed25519Signatures())
        assert (report.call, report.events) == (CALL, 1 + downloads)
    last = json.loads((await book.chain(site.account.account_id, CALL))[-1])
    assert last["kind"] == "evidence.downloaded"
    assert last["facts"]["actor"] == site.people[Role.SUPERVISOR].user_id


async def test_what_is_unknown_is_not_found_and_leaves_no_trace(
    site: Site, browser: Browser
) -> None:
    await browser.sign_in(Role.ADMIN)
    for path in (f"/recordings/{CALL}/evidence", "/recordings/..%2f..%2fetc/evidence"):
        async with await browser.ask("GET", path) as response:
            assert response.status == 404
    async with await browser.ask("GET", f"/audit?subject={CALL}") as response:
        assert (await response.json())["items"] == []


async def test_evidence_that_was_damaged_in_the_database_is_not_handed_out(
    site: Site, browser: Browser
) -> None:
    book = SqlEvidenceBook(site.database, KEYS)
    await book.record(site.account.account_id, CALL, [Happening("verdict", 1.0)])
    async with site.database.writing() as connection:
        await connection.exec_driver_sql("UPDATE evidence_events SET line = line || ' '")
    await browser.sign_in(Role.ADMIN)
    async with await browser.ask("GET", f"/recordings/{CALL}/evidence") as response:
        assert response.status == 409
        assert json.loads(await response.text())["code"] == "evidence_damaged"
