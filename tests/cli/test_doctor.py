"""The doctor: every fault in plain words with what to do, and an exit code for scripts."""

import http.server
import socket
import threading
from pathlib import Path

import pytest

from tests.cli.conftest import Callgate, FakeGraph

TOKEN = "EAAG-sealed-and-never-shown"


@pytest.fixture
def configured(
    callgate: Callgate, graph: FakeGraph, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Callgate:
    """All that a healthy gateway needs."""
    monkeypatch.setenv("CALLGATE_WHATSAPP_APP_SECRET", "s")
    monkeypatch.setenv("CALLGATE_WHATSAPP_VERIFY_TOKEN", "v")
    monkeypatch.setenv("CALLGATE_PUBLIC_ORIGINS", "https://calls.example.com")
    monkeypatch.setenv("CALLGATE_MEDIA_PUBLIC_ADDRESSES", "203.0.113.10")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    monkeypatch.setenv("CALLGATE_HTTP_PORT", str(port))
    (tmp_path / "token").write_text(TOKEN)
    callgate("account", "add", "acme", "--name", "Acme")
    callgate(
        *("account", "number", "add", "acme", "--phone-number-id", "123", "--waba-id", "4"),
        *("--display", "+62", "--token-file", str(tmp_path / "token")),
    )
    return callgate


def test_a_healthy_gateway_is_ready_for_calls(configured: Callgate, graph: FakeGraph) -> None:
    shown = configured("doctor").out
    assert "ready for calls" in shown
    assert "warn" not in shown
    assert graph.asked == [("/v25.0/123?fields=id", f"Bearer {TOKEN}")]
    assert TOKEN not in shown


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (
            401,
            {"error": {"code": 190, "message": "expired"}},
            "callgate account number token 123",
        ),
        (400, {"error": {"code": 190}}, "does not accept its token"),
        (400, {"error": {"code": 100}}, "code 100"),
        (500, "no envelope", "HTTP 500"),
    ],
)
def test_what_meta_says_of_a_number_is_told(
    configured: Callgate, graph: FakeGraph, status: int, body: object, said: str
) -> None:
    graph.status, graph.body = status, body
    shown = configured("doctor", code=1).out
    assert said in shown
    assert "1 fault" in shown


def test_a_clock_that_is_off_is_told(configured: Callgate, graph: FakeGraph) -> None:
    graph.clock_off_s = 3600
    assert "differs from Meta's by +3" in configured("doctor").out


def test_graph_out_of_reach_is_told_once(
    configured: Callgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLGATE_WHATSAPP_GRAPH_URL", "http://127.0.0.1:1")
    assert configured("doctor", code=1).out.count("cannot be reached") == 1


def test_a_lost_key_is_told_with_the_way_out(
    configured: Callgate, data_dir: Path, graph: FakeGraph
) -> None:
    (data_dir / "secret.key").unlink()
    shown = configured("doctor", code=1).out
    assert "put the old key back" in shown
    assert graph.asked == []


@pytest.mark.parametrize(
    ("name", "value", "said", "code"),
    [
        ("WHATSAPP_APP_SECRET", "", "CALLGATE_WHATSAPP_APP_SECRET is not set", 1),
        (
            "DATABASE_URL",
            "postgresql://u:geheim@127.0.0.1:1/x",
            "check CALLGATE_DATABASE_URL",
            1,
        ),
        ("REDIS_URL", "redis://u:geheim@127.0.0.1:1/0", "check CALLGATE_REDIS_URL", 1),
        ("HTTP_HOST", "192.0.2.1", "CALLGATE_HTTP_HOST", 1),
        ("HTTP_HOST", "no.such.host.invalid", "CALLGATE_HTTP_HOST", 1),
        ("PUBLIC_ORIGINS", "", "microphone only over HTTPS", 0),
        ("MEDIA_PUBLIC_ADDRESSES", "", "CALLGATE_MEDIA_PUBLIC_ADDRESSES", 0),
        ("MEDIA_PORT_RANGE", "40000-40010", "firewall lets UDP through", 0),
    ],
)
def test_each_fault_names_its_setting(
    configured: Callgate,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    value: str,
    said: str,
    code: int,
) -> None:
    monkeypatch.setenv(f"CALLGATE_{name}", value)
    ran = configured("doctor", code=code)
    assert said in ran.out
    assert "geheim" not in ran.out + ran.err


def test_a_certificate_that_cannot_be_used_is_told(
    configured: Callgate, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("cert", "key"):
        (tmp_path / name).write_text("not PEM")
        monkeypatch.setenv(f"CALLGATE_TLS_{name.upper()}", str(tmp_path / name))
    assert "must name a PEM chain" in configured("doctor", code=1).out


def test_an_open_data_directory_and_a_taken_port_are_told(
    configured: Callgate, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    data_dir.chmod(0o755)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("CALLGATE_HTTP_PORT", str(taken.getsockname()[1]))
        shown = configured("doctor").out
    assert "chmod 700" in shown
    assert "in use" in shown


def test_health_asks_the_gateway_on_this_machine(
    configured: Callgate, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Alive(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if self.path == "/healthz" else 404)
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
            pass

    assert "not alive" in configured("health", code=1).err
    server = http.server.HTTPServer(("127.0.0.1", 0), Alive)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    monkeypatch.setenv("CALLGATE_HTTP_PORT", str(server.server_port))
    monkeypatch.setenv("CALLGATE_HTTP_HOST", "0.0.0.0")
    try:
        configured("health")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
