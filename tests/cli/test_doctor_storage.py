"""The doctor and the object store: tried with an object, and what to do about each failure."""

import re
import ssl
from pathlib import Path

import pytest
from aiohttp import web

from gateway.cli_doctor_findings import Finding, Verdict
from gateway.cli_doctor_storage import check_object_store
from gateway.demo.certificate import make_certificate
from gateway.settings import Settings
from tests.cli.conftest import Callgate
from tests.services.object_store import (
    KEY,
    Fault,
    FaultyStore,
    ObjectServer,
    answering,
    breaking,
    silent,
)

pytestmark = [pytest.mark.services, pytest.mark.usefixtures("data_dir")]

SECRET = "never to be shown"


def settings(**given: object) -> Settings:
    return Settings(**given)  # type: ignore[arg-type]  # checked by the model


async def look(url: str, bucket: str, *, request_max_s: float = 30.0) -> Finding:
    """Look at a store; nothing of it or of the keys is in what is said."""
    [found] = await check_object_store(
        settings(
            storage_url=f"s3://{bucket}/kept",
            storage_endpoint=url,
            storage_access_key_id=KEY,
            storage_secret_access_key=SECRET,
            storage_request_max_s=request_max_s,
        )
    )
    for hidden in (SECRET, KEY, "127.0.0.1", bucket):
        assert hidden not in found.state + found.advice
    return found


@pytest.fixture
def bucket(object_server: ObjectServer) -> str:
    return object_server.fresh_bucket()


async def test_without_a_store_there_is_nothing_to_look_at() -> None:
    assert await check_object_store(settings()) == []


async def test_a_store_that_does_all_is_fine_and_nothing_stays_in_it(
    object_server: ObjectServer, bucket: str
) -> None:
    for _ in range(2):
        found = await look(object_server.url, bucket)
        assert found.verdict is Verdict.OK, found
    assert object_server.names(bucket) == []


def test_the_command_looks_at_it_and_fails_with_it(
    callgate: Callgate,
    monkeypatch: pytest.MonkeyPatch,
    object_server: ObjectServer,
    bucket: str,
) -> None:
    for name, value in (
        ("URL", f"s3://{bucket}"),
        ("ENDPOINT", object_server.url),
        ("ACCESS_KEY_ID", KEY),
        ("SECRET_ACCESS_KEY", SECRET),
    ):
        monkeypatch.setenv(f"CALLGATE_STORAGE_{name}", value)
    assert "creates, reads, lists and deletes" in callgate("doctor", code=1).out
    monkeypatch.setenv("CALLGATE_STORAGE_URL", "s3://there-is-no-such-bucket")
    ran = callgate("doctor", code=1)
    assert "make the bucket" in ran.out
    assert SECRET not in ran.out + ran.err


@pytest.mark.parametrize(
    ("status", "code", "said"),
    [
        (403, "InvalidAccessKeyId", "CALLGATE_STORAGE_ACCESS_KEY_ID"),
        (400, "ExpiredToken", "CALLGATE_STORAGE_ACCESS_KEY_ID"),
        (403, "SignatureDoesNotMatch", "set CALLGATE_STORAGE_SECRET_ACCESS_KEY"),
        (403, "AccessDenied", "s3:PutObject"),
        (403, None, "s3:PutObject"),
        (403, "RequestTimeTooSkewed", "time synchronisation"),
        (404, "NoSuchBucket", "make the bucket"),
        (301, "PermanentRedirect", "CALLGATE_STORAGE_REGION"),
        (400, "AuthorizationHeaderMalformed", "CALLGATE_STORAGE_REGION"),
        (501, "NotImplemented", "If-None-Match"),
        (507, "XMinioStorageFull", "make room"),
        (500, "InternalError", "check CALLGATE_STORAGE_URL"),
        (404, None, "what it tells is not what it has"),
        (412, "PreconditionFailed", "what it tells is not what it has"),
    ],
)
async def test_what_the_store_says_is_told_with_what_to_do(
    faulty: FaultyStore, bucket: str, status: int, code: str | None, said: str
) -> None:
    faulty.fault = answering(status, code)
    found = await look(faulty.url, bucket)
    assert found.verdict is Verdict.FAULT
    assert found.state.startswith("create: ")
    assert said in found.advice


@pytest.mark.parametrize(
    ("method", "step"), [("PUT", "create: "), ("GET", "read: "), ("POST", "delete ")]
)
async def test_the_right_that_is_missing_is_named(
    faulty: FaultyStore, bucket: str, method: str, step: str
) -> None:
    faulty.fault = answering(403, "AccessDenied", method)
    found = await look(faulty.url, bucket)
    assert found.state.startswith(step)
    assert "s3:DeleteObject" in found.advice


async def test_a_right_to_list_is_needed_too(faulty: FaultyStore, bucket: str) -> None:
    async def refuse(request: web.Request) -> web.StreamResponse | None:
        is_list = "list-type" in request.query
        return await answering(403, "AccessDenied")(request) if is_list else None

    faulty.fault = refuse
    found = await look(faulty.url, bucket)
    assert found.state.startswith("list: ")
    assert faulty.server.names(bucket) == [], "the object is gone all the same"


def deletions(outcome: str) -> Fault:
    """Answer deletions with an outcome for the object that was named."""

    async def answer(request: web.Request) -> web.StreamResponse | None:
        if request.method != "POST":
            return None
        [key] = re.findall("<Key>.*?</Key>", await request.text())
        body = f"<DeleteResult>{outcome.format(key=key)}</DeleteResult>"
        return web.Response(content_type="application/xml", text=body)

    return answer


async def test_a_deletion_that_is_refused_in_the_answer_is_told(
    faulty: FaultyStore, bucket: str
) -> None:
    faulty.fault = deletions(
        "<Error>{key}<Code>AccessDenied</Code><Message>m</Message></Error>"
    )
    found = await look(faulty.url, bucket)
    assert found.state.startswith("delete doctor/")
    assert "s3:DeleteObject" in found.advice


async def test_what_cannot_be_deleted_is_named(faulty: FaultyStore, bucket: str) -> None:
    faulty.fault = deletions("<Deleted>{key}</Deleted>")
    found = await look(faulty.url, bucket)
    [name] = faulty.server.names(bucket)
    assert found.verdict is Verdict.WARNING
    assert name.removeprefix("kept/") in found.state


async def test_a_store_that_gives_back_something_else_is_told(
    faulty: FaultyStore, bucket: str
) -> None:
    faulty.spoil = lambda request, content: (
        b"?" * len(content) if "doctor" in request.path else content
    )
    found = await look(faulty.url, bucket)
    assert found.state == "read: it gives back something else"
    assert faulty.server.names(bucket) == []


async def test_a_store_that_replaces_what_is_there_is_told(
    faulty: FaultyStore, bucket: str
) -> None:
    async def replace(request: web.Request) -> web.StreamResponse | None:
        if request.method != "PUT" or "PUT" not in faulty.seen[:-1]:
            return None
        await request.read()
        return web.Response(headers={"ETag": '"1"'})

    faulty.fault = replace
    found = await look(faulty.url, bucket)
    assert found.state == "create again: it replaced it"
    assert "If-None-Match" in found.advice


async def test_a_store_that_does_not_answer_is_given_up(
    faulty: FaultyStore, bucket: str
) -> None:
    faulty.fault = silent
    found = await look(faulty.url, bucket, request_max_s=0.5)
    assert "CALLGATE_STORAGE_REQUEST_MAX_S" in found.advice
    faulty.fault = breaking
    found = await look(faulty.url, bucket)
    assert found.verdict is Verdict.FAULT


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("http://127.0.0.1:1", "start the store"),
        ("http://no.such.host.invalid", "name server"),
    ],
)
async def test_a_store_out_of_reach_is_told(url: str, said: str) -> None:
    assert said in (await look(url, "bucket-of-nobody")).advice


async def test_https_where_plain_http_is_spoken_is_told(
    object_server: ObjectServer, bucket: str
) -> None:
    found = await look(object_server.url.replace("http:", "https:"), bucket)
    assert "begin with http://" in found.advice


async def test_a_certificate_that_nobody_vouches_for_is_told(tmp_path: Path) -> None:
    cert, key = make_certificate(tmp_path, [])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    runner = web.AppRunner(web.Application())
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
    try:
        found = await look(f"https://localhost:{runner.addresses[0][1]}", "bucket-of-nobody")
    finally:
        await runner.cleanup()
    assert "a certificate that this machine trusts" in found.advice


async def test_a_folder_with_a_name_that_cannot_be_is_told() -> None:
    [found] = await check_object_store(settings(storage_url="s3://bucket/../elsewhere"))
    assert found.verdict is Verdict.FAULT
    assert "CALLGATE_STORAGE_" in found.advice
