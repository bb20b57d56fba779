"""Where settings come from, who wins, and what is said about faults."""

import json
from pathlib import Path

import pytest

from gateway import settings_docs
from gateway.core.errors import BadInput
from gateway.settings import Settings, load, redacted
from gateway.settings_sources import secret_names

SECRET = "hunter-two-and-more"
PAGE = Path(__file__).parent.parent.parent / "docs" / "settings.md"


def use_toml(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str) -> Path:
    path = tmp_path / "callgate.toml"
    path.write_text(text)
    monkeypatch.setenv("CALLGATE_CONFIG", str(path))
    return path


def test_defaults_work_alone_except_for_meta() -> None:
    settings = load()
    assert settings.http_port == 8080
    assert settings.webhook_body_bytes_max == 4 * 1024 * 1024
    assert settings.data_path.is_absolute()
    url = settings.effective_database_url.get_secret_value()
    assert url == f"sqlite:///{settings.data_path}/callgate.db"
    assert settings.media_ports == (0, 0)
    assert settings.missing_to_serve() == ("whatsapp_app_secret", "whatsapp_verify_token")


def test_environment_beats_file_beats_toml_beats_default(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_toml(
        monkeypatch,
        tmp_path,
        'http_port = 1\nhttp_host = "toml"\nwhatsapp_app_secret = "toml"\n'
        'whatsapp_verify_token = "toml"\nredis_url = "redis://toml"',
    )
    for name in ("whatsapp_app_secret", "redis_url"):
        (tmp_path / name).write_text("from file\n")
        monkeypatch.setenv(f"CALLGATE_{name.upper()}_FILE", str(tmp_path / name))
    monkeypatch.setenv("CALLGATE_REDIS_URL", "redis://env")
    monkeypatch.setenv("CALLGATE_HTTP_PORT", "2")
    settings = load()
    assert settings.http_port == 2
    assert settings.http_host == "toml"
    assert settings.redis_url is not None
    assert settings.redis_url.get_secret_value() == "redis://env"
    assert settings.whatsapp_app_secret is not None
    assert settings.whatsapp_app_secret.get_secret_value() == "from file"
    assert settings.whatsapp_verify_token is not None
    assert settings.whatsapp_verify_token.get_secret_value() == "toml"
    assert load(http_port=3).http_port == 3


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGATE_TRUSTED_PROXIES", "")
    monkeypatch.setenv("CALLGATE_HTTP_PORT", "")
    monkeypatch.setenv("CALLGATE_SECRET_KEY_FILE", "")
    settings = load()
    assert (settings.trusted_proxies, settings.http_port) == ((), 8080)
    assert settings.secret_key is None


def test_lists_are_read_from_one_line_and_from_toml(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use_toml(
        monkeypatch,
        tmp_path,
        'public_origins = ["https://Calls.Example.com/", "http://[::1]:8080"]\n'
        '[[ice_servers]]\nurls = ["turn:turn.example.com"]\ncredential = "x"\n',
    )
    monkeypatch.setenv("CALLGATE_TRUSTED_PROXIES", "10.0.0.0/8, 192.168.1.7,fd00::/8")
    monkeypatch.setenv("CALLGATE_MEDIA_PORT_RANGE", " 40000 - 40999")
    settings = load()
    assert settings.trusted_proxies == ("10.0.0.0/8", "192.168.1.7/32", "fd00::/8")
    assert settings.public_origins == ("https://calls.example.com", "http://[::1]:8080")
    assert settings.media_ports == (40000, 40999)
    assert settings.ice_servers_for_browsers() == (
        {"urls": ["turn:turn.example.com"], "credential": "x"},
    )
    monkeypatch.setenv("CALLGATE_ICE_SERVERS", '[{"urls": ["stun:a"]}]')
    assert load().ice_servers_for_browsers() == ({"urls": ["stun:a"]},)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("HTTP_PORT", "70000", "CALLGATE_HTTP_PORT"),
        ("HTTP_PORT", "eighty", "CALLGATE_HTTP_PORT"),
        ("RING_INBOUND_MAX_S", "-1", "CALLGATE_RING_INBOUND_MAX_S"),
        ("WHATSAPP_ACTPASS_ROLE", "both", "CALLGATE_WHATSAPP_ACTPASS_ROLE"),
        ("WHATSAPP_GRAPH_VERSION", "25", "CALLGATE_WHATSAPP_GRAPH_VERSION"),
        ("WHATSAPP_GRAPH_URL", "graph.facebook.com", "CALLGATE_WHATSAPP_GRAPH_URL"),
        ("WHATSAPP_MEDIA_HOSTS", "https://x", "CALLGATE_WHATSAPP_MEDIA_HOSTS"),
        ("PUBLIC_ORIGINS", "calls.example.com", "an origin reads"),
        ("PUBLIC_ORIGINS", "https://a/path", "no path"),
        ("TRUSTED_PROXIES", "proxy", "CALLGATE_TRUSTED_PROXIES"),
        ("MEDIA_PORT_RANGE", "50000-40000", "LOW before HIGH"),
        ("MEDIA_PORT_RANGE", "80-90", "1024"),
        ("MEDIA_BIND", "eth0", "CALLGATE_MEDIA_BIND"),
        ("ICE_SERVERS", "stun:a", "ice_servers"),
        ("ICE_SERVERS", '[{"url": "stun:a"}]', "CALLGATE_ICE_SERVERS"),
        ("TLS_CERT", "/cert.pem", "tls_key"),
        ("LOG_LEVEL", "loud", "CALLGATE_LOG_LEVEL"),
        ("HTP_PORT", "1", "CALLGATE_HTTP_PORT"),
        ("WHATSAPP_APP_SECRETS", "1", "CALLGATE_WHATSAPP_APP_SECRET"),
        ("HTTP_PORT_FILE", "/x", "not known"),
        ("WHATSAPP_APP_SECRET_FILE", "/nowhere/at/all", "No such file"),
        ("CONFIG", "/nowhere/at/all", "No such file"),
    ],
)
def test_a_fault_is_named_with_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, said: str
) -> None:
    monkeypatch.setenv(f"CALLGATE_{name}", value)
    with pytest.raises(BadInput) as caught:
        load()
    assert said in str(caught.value)


def test_all_faults_are_told_at_once_and_no_value_is_repeated(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("CALLGATE_HTTP_PORT", SECRET)
    monkeypatch.setenv("CALLGATE_LOG_LEVEL", SECRET)
    with pytest.raises(BadInput) as caught:
        load()
    assert "HTTP_PORT" in str(caught.value)
    assert "LOG_LEVEL" in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("http_prot = 1", "did you mean http_port"),
        ("[http]\nport = 1", "not known"),
        ("http_port = ", "not TOML"),
        ("http_port = [1]", "HTTP_PORT"),
    ],
)
def test_faults_in_the_toml_file_are_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, text: str, said: str
) -> None:
    use_toml(monkeypatch, tmp_path, text)
    with pytest.raises(BadInput, match=said):
        load()


def test_what_is_shown_holds_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(secret_names(Settings)) >= 6
    for name in secret_names(Settings):
        monkeypatch.setenv(f"CALLGATE_{name.upper()}", f"redis://u:{SECRET}@h")
    monkeypatch.setenv(
        "CALLGATE_ICE_SERVERS", json.dumps([{"urls": ["turn:a"], "credential": SECRET}])
    )
    settings = load()
    shown = json.dumps(redacted(settings))
    assert SECRET not in shown
    assert SECRET not in repr(settings)
    assert json.loads(shown)["http_port"] == 8080


def test_the_page_of_settings_is_up_to_date() -> None:
    assert PAGE.read_text() == settings_docs.render(), (
        "docs/settings.md is stale: run python -m gateway.settings_docs"
    )


def test_every_setting_is_described_once() -> None:
    page = settings_docs.render()
    for name, field in Settings.model_fields.items():
        assert page.count(f"`CALLGATE_{name.upper()}`") == 1
        assert field.description
        prefixes = [prefix for group in settings_docs.SECTIONS.values() for prefix in group]
        assert sum(name.startswith(prefix) for prefix in prefixes) == 1
