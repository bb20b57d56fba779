"""Logs: one JSON object per line, and nothing personal or secret in any of them."""

import io
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog

from gateway import log

Lines = Callable[[], list[dict[str, Any]]]

PERSONAL = [
    "+62 812-3456-7890",
    "+6281234567890",
    "6281234567890",
    "wacid.HBgNNjI4MTIzNDU2Nzg5MBUCABIYFDNB",
    "EAAGm0PX4ZCpsBAKZC9yQbt",
    "Bearer abc.def-ghi",
    "ana@example.com",
    "203.0.113.77",
    "2001:db8:85a3::8a2e:370:7334",
    "::ffff:203.0.113.77",
    "fe80::1ff:fe23:4567:890a",
    "a=candidate:1 1 udp 2130706431 203.0.113.77 40000 typ host",
    "candidate:1 1 udp 2130706431 198.51.100.9 40000 typ host",
    "a=ice-pwd:asd88fgpdd777uzjYhagZg",
    "postgresql://callgate:s3cr3t@db/callgate",
    "https://graph.example/v25.0/x?access_token=abc123&x=1",
    "v=0\r\no=- 1 2 IN IP4 203.0.113.77\r\ns=-\r\na=ice-pwd:qqq",
]
FRAGMENTS = [
    "81234567890",
    "812-3456",
    "HBgNN",
    "m0PX4",
    "abc.def",
    "ana@",
    "203.0.113",
    "198.51.100",
    "85a3",
    "4567:890a",
    "asd88",
    "s3cr3t",
    "abc123",
    "qqq",
]


def fail(text: str) -> None:
    raise RuntimeError(text)


@pytest.fixture
def lines() -> Iterator[Lines]:
    """Set logging up as the program does, and read what it wrote."""
    before = logging.root.handlers[:]
    level = logging.root.level
    log.set_up(level="debug", style="json")
    stream = io.StringIO()
    (handler,) = logging.root.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(stream)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logging.root.handlers[:] = before
    logging.root.setLevel(level)
    structlog.contextvars.clear_contextvars()
    structlog.reset_defaults()


def test_a_line_carries_time_level_logger_and_what_is_bound(lines: Lines) -> None:
    structlog.contextvars.bind_contextvars(call_id="call-1", account="acme", node="n-1")
    structlog.get_logger("gateway.runtime").info("the call began", ring_s=1.5, version=3)
    (line,) = lines()
    assert line.pop("at").endswith("Z")
    assert line == {
        "event": "the call began",
        "level": "info",
        "logger": "gateway.runtime",
        "call_id": "call-1",
        "account": "acme",
        "node": "n-1",
        "ring_s": 1.5,
        "version": 3,
    }


def test_libraries_log_the_same_way_and_not_too_much(lines: Lines) -> None:
    logging.getLogger("some.library").warning("lost %s of %d", "a packet", 7)
    logging.getLogger("aioice.ice").info("Check 203.0.113.77 done")
    logging.getLogger("aiohttp.access").info("GET /")
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT 1")
    (line,) = lines()
    assert (line["event"], line["logger"]) == ("lost a packet of 7", "some.library")


@pytest.mark.parametrize("personal", PERSONAL)
def test_look_alikes_are_scrubbed_wherever_they_stand(lines: Lines, personal: str) -> None:
    logger = structlog.get_logger()
    logger.warning(f"said {personal} and more")  # noqa: G004 (what the rule forbids, on purpose)
    logger.warning("static", note=personal, nested={"deep": [personal, (personal,)]})
    logger.warning("static", error=ValueError(f"bad {personal}"))
    logger.warning("static", **{f"key {personal}": 1})
    logging.getLogger("lib").error("lib %s", personal)
    try:
        fail(f"inside {personal}")
    except RuntimeError:
        logger.exception("it failed")
        logging.getLogger("lib").exception("lib failed")
    found = lines()
    assert len(found) == 7
    text = json.dumps([{key: line[key] for key in line if key != "at"} for line in found])
    assert [part for part in FRAGMENTS if part in text] == []


@pytest.mark.parametrize(
    "name",
    [
        *("phone", "from_phone", "wacid", "peer", "email", "user_id_bsuid", "client_ip"),
        *("token", "access_token", "password", "sdp", "Authorization", "cookie", "offer"),
        *("whatsapp_app_secret", "parent_user_id", "username", "remote_address"),
    ],
)
def test_fields_named_for_persons_or_secrets_never_show_their_value(
    lines: Lines, name: str
) -> None:
    logger = structlog.get_logger()
    logger.info("static", **{name: "Rumpelstilzchen"})
    logger.info("static", outer={name: {"inner": "Rumpelstilzchen"}})
    logger.info("static", **{name: 4711})
    text = json.dumps(lines())
    assert "Rumpel" not in text
    assert "4711" not in text


def test_lines_about_one_person_can_be_told_to_belong_together(lines: Lines) -> None:
    logger = structlog.get_logger()
    for phone in ("628111", "628111", "628222"):
        logger.info("static", phone=phone)
    first, second, third = (line["phone"] for line in lines())
    assert first == second != third


def test_what_operators_need_is_kept(lines: Lines) -> None:
    fields = {
        "phone_number_id": "106540352242922",
        "call_id": "aaaabbbbccccddddeeeeffff22",
        "received_at": 1_790_000_000.25,
        "took_ms": 1234567890,
        "error_kind": "TimeoutError",
        "version": 12,
        "port": 40123,
        "code": 138006,
        "ok": True,
        "none": None,
        "path": "/var/lib/callgate/media.sock",
        "version_text": "v25.0 of 1.16.0",
        "at_time": "12:34:56",
    }
    structlog.get_logger().info("static", **fields)
    (line,) = lines()
    assert {key: line[key] for key in fields} == fields


def test_a_huge_or_deep_value_is_bounded(lines: Lines) -> None:
    deep: dict[str, Any] = {}
    inner = deep
    for _ in range(100):
        inner["x"] = {}
        inner = inner["x"]
    structlog.get_logger().info("static", deep=deep, big="x" * 1_000_000, raw=b"x" * 99)
    (line,) = lines()
    assert len(json.dumps(line)) < 50_000
    assert line["raw"] == "[99 bytes]"


def test_the_console_is_scrubbed_too(capsys: pytest.CaptureFixture[str]) -> None:
    before, level = logging.root.handlers[:], logging.root.level
    log.set_up(level="info", style="console")
    try:
        structlog.get_logger().error("call from +6281234567890", token="geheim")
        try:
            fail("for ana@example.com")
        except RuntimeError:
            structlog.get_logger().exception("it failed")
    finally:
        logging.root.handlers[:] = before
        logging.root.setLevel(level)
        structlog.reset_defaults()
    shown = capsys.readouterr().err
    assert "call from [phone]" in shown
    assert "RuntimeError" in shown
    assert "geheim" not in shown
    assert "ana@" not in shown
