"""What a media worker is started with."""

import pytest

from gateway.app_media import worker_arguments
from gateway.settings import load
from media.settings import parse_arguments


def test_the_worker_gets_what_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGATE_MEDIA_BIND", "127.0.0.1, ::1")
    monkeypatch.setenv("CALLGATE_MEDIA_PUBLIC_ADDRESSES", "203.0.113.10")
    monkeypatch.setenv("CALLGATE_MEDIA_PORT_RANGE", "40000-40999")
    monkeypatch.setenv("CALLGATE_MEDIA_ALONE_MAX_S", "2.5")
    where = ["--socket", "worker.sock", "--token-file", "worker.token"]
    worker = parse_arguments([*where, *worker_arguments(load())])
    assert worker.gateway_timeout_s == 2.5
    assert worker.network.bind_addresses == ("127.0.0.1", "::1")
    assert worker.network.public_addresses == ("203.0.113.10",)
    assert (worker.network.port_min, worker.network.port_max) == (40000, 40999)


def test_defaults_are_the_worker_s_own() -> None:
    settings = load()
    where = ["--socket", "worker.sock", "--token-file", "worker.token"]
    captures = ["--captures", str(settings.captures_path)]
    started = parse_arguments([*where, *worker_arguments(settings)])
    assert started == parse_arguments([*where, *captures])
