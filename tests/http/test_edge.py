"""The outer skin: proxies, TLS, headers, health, metrics and the browser app's files."""

import asyncio
import json
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from aiohttp import ClientSession, CookieJar, TCPConnector
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from gateway.core.errors import StoreDown
from gateway.http.app import build_internal_app, build_public_app
from gateway.http.deps import Check
from gateway.http.peers import Peers
from gateway.http.security_headers import HEADERS
from gateway.http.serving import serving
from gateway.ports.accounts import Role
from tests.http.site import PASSWORD, Browser, Site, Template, browser_of, site_from

CREDENTIALS = {"email": "agent@example.com", "password": PASSWORD}
FORWARDED = {
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "calls.example.com",
    "X-Forwarded-For": "198.51.100.9, 203.0.113.7",
    "Origin": "https://calls.example.com",
}


async def test_a_trusted_proxy_tells_scheme_and_host(
    template: Template, tmp_path: Path
) -> None:
    peers = Peers.of(proxies=["127.0.0.0/8"])
    async with site_from(template, tmp_path, peers=peers) as site, browser_of(site) as browser:
        async with await browser.ask(
            "POST", "/login", json=CREDENTIALS, headers=FORWARDED
        ) as response:
            assert response.status == 200
            cookie = response.headers["Set-Cookie"]
            assert response.headers["Strict-Transport-Security"]
        assert cookie.startswith("__Host-callgate=")
        assert "Secure" in cookie
        assert "Domain" not in cookie
        token = cookie.partition("=")[2].partition(";")[0]
        for name, status in (("__Host-callgate", 200), ("callgate", 401)):
            headers = {**FORWARDED, "Cookie": f"{name}={token}"}
            async with await browser.ask("GET", "/me", headers=headers) as response:
                assert response.status == status


async def test_anybody_elses_forwarded_headers_are_ignored(
    site: Site, browser: Browser
) -> None:
    async with await browser.ask(
        "POST", "/login", json=CREDENTIALS, headers=FORWARDED
    ) as response:
        assert response.status == 403
        assert json.loads(await response.text())["code"] == "foreign_origin"
        assert "Strict-Transport-Security" not in response.headers


@pytest.mark.parametrize(
    ("forwarded", "expected"),
    [
        (["198.51.100.9"], "198.51.100.9"),
        (["10.9.9.9, 198.51.100.9"], "198.51.100.9"),
        (["198.51.100.9, 127.0.0.5"], "198.51.100.9"),
        (["6.6.6.6", "198.51.100.9"], "198.51.100.9"),
        (["2001:db8::7"], "2001:db8::7"),
        (["127.0.0.9, 127.0.0.5"], "127.0.0.9"),
        (["<script>"], "127.0.0.1"),
        ([""], "127.0.0.1"),
        ([], "127.0.0.1"),
    ],
)
async def test_the_clients_address_is_the_nearest_that_no_proxy_stands_for(
    template: Template, tmp_path: Path, forwarded: list[str], expected: str
) -> None:
    seen: list[str] = []

    class Limit:
        async def take(self, email: str, address: str, *, now: float) -> float:
            seen.append(address)
            return 9.0

        async def give_back(self, email: str, address: str, *, now: float) -> None: ...

    peers = Peers.of(proxies=["127.0.0.0/8"])
    async with (
        site_from(template, tmp_path, peers=peers, login_limit=Limit()) as site,
        ClientSession() as http,
    ):
        headers = [("X-Forwarded-For", one) for one in forwarded]
        headers.append(("Origin", site.origin))
        async with http.post(site.api("/login"), json=CREDENTIALS, headers=headers) as response:
            assert response.status == 429
            assert response.headers["Retry-After"] == "9"
    assert seen == [expected]


async def test_a_configured_origin_may_act_too(template: Template, tmp_path: Path) -> None:
    peers = Peers.of(origins=["https://desk.example.com"])
    async with site_from(template, tmp_path, peers=peers) as site, browser_of(site) as browser:
        browser.origin = "https://desk.example.com"
        await browser.sign_in(Role.AGENT)


@pytest.mark.parametrize("origin", ["desk.example.com", "https://a/b", "*", "null", "ftp://a"])
def test_what_is_no_origin_is_refused_at_the_start(origin: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        Peers.of(origins=[origin])


def certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    cert_path, key_path = folder / "cert.pem", folder / "key.pem"
    cert_path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    key_path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return cert_path, key_path


async def test_over_tls_the_cookie_is_bound_to_the_host(site: Site, tmp_path: Path) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*await asyncio.to_thread(certificate, tmp_path))
    app = build_public_app(site.deps)
    jar = CookieJar(unsafe=True)
    async with (
        serving(app, host="127.0.0.1", port=0, tls=context) as port,
        ClientSession(cookie_jar=jar, connector=TCPConnector(ssl=False)) as http,
    ):
        origin = f"https://127.0.0.1:{port}"
        url = f"{origin}/api/v1"
        headers = {"Origin": origin}
        async with http.post(f"{url}/login", json=CREDENTIALS, headers=headers) as response:
            assert response.status == 200
            assert response.headers["Set-Cookie"].startswith("__Host-callgate=")
            assert "Secure" in response.headers["Set-Cookie"]
        async with http.get(f"{url}/me") as response:
            assert response.status == 200


@pytest.mark.parametrize(
    "path", ["/", "/api/v1/me", "/api/v1/nothing", "/healthz", "/webhooks/whatsapp"]
)
async def test_every_answer_carries_the_security_headers(site: Site, path: str) -> None:
    async with ClientSession() as http, http.get(site.url(path)) as response:
        for name, value in HEADERS.items():
            assert response.headers[name] == value
        policy = response.headers["Content-Security-Policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-eval" not in policy
        assert response.headers["Server"] == "callgate"


# --- health --------------------------------------------------------------------------------


async def test_being_alive_needs_no_other_part(template: Template, tmp_path: Path) -> None:
    async def down() -> None:
        raise StoreDown("gone")

    async def hangs() -> None:
        await asyncio.Event().wait()

    async def works() -> None: ...

    checks = {"database": Check(down), "media": Check(hangs), "redis": Check(works)}
    async with site_from(template, tmp_path, checks=checks) as site, ClientSession() as http:
        async with http.get(site.url("/healthz")) as response:
            assert response.status == 200
        async with http.get(site.url("/readyz")) as response:
            assert response.status == 503
            assert await response.json() == {
                "status": "down",
                "parts": {"database": "down", "media": "down", "redis": "ok"},
            }


async def test_ready_though_degraded_without_a_part_that_calls_do_not_need(
    template: Template, tmp_path: Path
) -> None:
    async def down() -> None:
        raise OSError

    async def works() -> None: ...

    checks = {"database": Check(works), "redis": Check(down, is_needed=False)}
    async with (
        site_from(template, tmp_path, checks=checks) as site,
        ClientSession() as http,
        http.get(site.url("/readyz")) as response,
    ):
        assert response.status == 200
        assert await response.json() == {
            "status": "degraded",
            "parts": {"database": "ok", "redis": "down"},
        }


async def test_ready_when_all_parts_are(site: Site) -> None:
    async with ClientSession() as http, http.get(site.url("/readyz")) as response:
        assert response.status == 200
        assert (await response.json())["parts"] == {"database": "ok"}


@pytest.mark.parametrize("path", ["/", "/healthz", "/readyz", "/api/v1/openapi.json"])
async def test_monitors_may_ask_for_the_head_alone(site: Site, path: str) -> None:
    async with ClientSession() as http, http.head(site.url(path)) as response:
        assert response.status == 200
        assert await response.read() == b""


async def test_metrics_are_on_the_internal_port_alone(site: Site) -> None:
    async with ClientSession() as http:
        async with http.get(site.url("/api/v1/me")):
            pass
        async with http.get(site.url("/metrics")) as response:
            assert "callgate_http" not in await response.text()
        internal = build_internal_app([site.deps.metrics.registry], site.deps.checks)
        async with serving(internal, host="127.0.0.1", port=0) as port:
            async with http.get(f"http://127.0.0.1:{port}/metrics") as response:
                text = await response.text()
            assert 'callgate_http_requests_total{route="/api/v1/me",status="401"} 1.0' in text
            async with http.get(f"http://127.0.0.1:{port}/readyz") as response:
                assert response.status == 200


async def test_metrics_name_routes_and_nobodys_ids(site: Site, browser: Browser) -> None:
    await browser.sign_in(Role.AGENT)
    for call_id in ("a" * 26, "b" * 26):
        async with await browser.ask("GET", f"/calls/{call_id}") as response:
            assert response.status == 404
    labels = {
        sample.labels.get("route")
        for metric in site.deps.metrics.requests.collect()
        for sample in metric.samples
    }
    assert not any(label and ("a" * 26 in label or "b" * 26 in label) for label in labels)


# --- the browser app -----------------------------------------------------------------------


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    root = tmp_path / "dist"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text("<!doctype html><title>app</title>")
    (root / "assets" / "index-4f2a.js").write_text("export {}")
    (root / "favicon.svg").write_text("<svg/>")
    (tmp_path / "secret.txt").write_text("secret")
    (root / "link").symlink_to(tmp_path / "secret.txt")
    return root


async def fetch(site: Site, path: str) -> tuple[int, str, str]:
    async with (
        ClientSession() as http,
        http.get(site.url("") + path, allow_redirects=False) as response,
    ):
        return response.status, await response.text(), response.headers["Cache-Control"]


async def test_files_are_served_and_every_page_is_the_app(
    template: Template, tmp_path: Path, dist: Path
) -> None:
    async with site_from(template, tmp_path, web_root=dist) as site:
        for page in ("/", "/login", f"/calls/{'c' * 26}", "/index.html", "/settings/users"):
            assert await fetch(site, page) == (
                200,
                "<!doctype html><title>app</title>",
                "no-cache",
            )
        status, text, cache = await fetch(site, "/assets/index-4f2a.js")
        assert (status, text) == (200, "export {}")
        assert "immutable" in cache
        assert (await fetch(site, "/favicon.svg"))[2] == "no-cache"
        assert (await fetch(site, "/assets/gone-1234.js"))[0] == 404
        assert (await fetch(site, "/api/v2/me"))[0] == 404
        assert (await fetch(site, "/webhooks/other"))[0] == 404


@pytest.mark.parametrize(
    "path",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/assets/../../secret.txt",
        "/assets/%2e%2e%2f%2e%2e%2fsecret.txt",
        "/link",
        "//etc/passwd",
        "/assets/..%5c..%5csecret.txt",
        "/%00",
    ],
)
async def test_no_path_leads_out_of_the_build(
    template: Template, tmp_path: Path, dist: Path, path: str
) -> None:
    async with site_from(template, tmp_path, web_root=dist) as site:
        reader, writer = await asyncio.open_connection("127.0.0.1", site.port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
        answer = (await reader.read()).decode()
        writer.close()
        assert "secret" not in answer
        assert "root:" not in answer


async def test_without_a_build_the_page_says_how_to_make_one(site: Site) -> None:
    status, text, _ = await fetch(site, "/")
    assert status == 200
    assert "make web" in text
