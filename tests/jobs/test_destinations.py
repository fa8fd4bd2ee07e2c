"""No spelling of an address that is not public is connected to, nor a name that leads to one."""

from __future__ import annotations

import asyncio
import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import httpcore2
import pytest

from app.jobs.destinations import Destinations, is_public
from app.jobs.posting import Answer, Poster, Resolver
from app.store.delivery_queue import Outcome
from app.store.webhooks import InvalidWebhook
from tests.receiving import numeric, receiving, status

PUBLIC = "93.184.215.14"
NAMES = {
    "rebind.example.com": "127.0.0.1",
    "metadata.example.com": "169.254.169.254",
    "mixed.example.com": f"{PUBLIC} 10.0.0.1",
    "six.example.com": "::1",
    "mapped.example.com": "::ffff:10.0.0.1",
    "nat64.example.com": "64:ff9b::a9fe:a9fe",
    "sixtofour.example.com": "2002:7f00:1::",
    "teredo.example.com": "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "zoned.example.com": "fe80::1%eth0",
    "127.0.0.1.example.com": "127.0.0.1",
    "xn--bcher-kva.example.com": "192.168.1.1",
    "good.example.com": PUBLIC,
}
HOSTS = [
    "127.0.0.1",
    "127.1",
    "127.0.1",
    "127.0.0.1.",
    "2130706433",
    "2130706433.",
    "0x7f000001",
    "0X7F.0.0.1",
    "0x7f.1",
    "017700000001",
    "0177.0.0.1",
    "0177.1",
    "127.000.000.001",
    "127.0.0.0x1",
    "0",
    "0.0.0.0",  # noqa: S104 - to be refused
    "10.0.0.1",
    "10.1",
    "172.16.0.1",
    "192.168.0.1",
    "192.168.257",
    "3232235521",
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "100.64.0.1",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.88.99.1",
    "198.18.0.1",
    "203.0.113.7",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "127。0。0。1",
    "127%2e0.0.1",
    "%31%32%37.0.0.1",
    "localhost",
    "LOCALHOST",
    "localhost.",
    "localhost..",
    "localhost。",
    "LocalHost.",
    "ｌｏｃａｌｈｏｓｔ",
    "a.localhost",
    "metadata.google.internal",
    "printer.local",
    "router.home.arpa",
    "intranet",
    "[::1]",
    "[::]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::ffff:127.0.0.1]",
    "[::FFFF:7f00:1]",
    "[0:0:0:0:0:ffff:10.0.0.1]",
    "[::127.0.0.1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::a9fe:a9fe]",
    "[64:ff9b:1::10.0.0.1]",
    "[2002:7f00:1::]",
    "[2002:a9fe:a9fe::1]",
    "[2001::1]",
    "[fe80::1]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[fc00::1]",
    "[fd00:ec2::254]",
    "[ff02::1]",
    "[2001:db8::1]",
    "[100::1]",
    "[3fff::1]",
    *(name for name in NAMES if name != "good.example.com"),
    "bücher.example.com",
    "REBIND.example.com.",
]
URLS = [
    *(f"https://{host}/" for host in HOSTS),
    "http://good.example.com/",
    "ftp://good.example.com/",
    "file:///etc/passwd",
    "//good.example.com/",
    "good.example.com",
    "https:good.example.com",
    "https:///good.example.com/",
    "https://",
    "https://user@good.example.com/",
    "https://user:password@good.example.com/",
    "https://good.example.com@127.0.0.1/",
    "https://good.example.com:22/",
    "https://good.example.com:0/",
    "https://good.example.com:80/",
    "https://good.example.com:99999/",
    "https://good.example.com:x/",
    "https://good.example.com\\@127.0.0.1/",
    "https://127.0.0.1\\.good.example.com/",
    "https://good.example.com/#x",
    "https://127.0.0.1:443#@good.example.com/",
    "https://good.example.com /",
    "https://good.example.com/\r\nX: y",
    "https://loc\talhost/",
    " https://good.example.com/",
    "https://good..example.com/",
    "https://good.example.com../",
    "https://-good.example.com/",
    "https://good_.example.com/",
    "https://good.example.com/ü",
    "https://[::1/",
    f"https://{'a.' * 200}com/",
    f"https://good.example.com/{'a' * 2_000}",
]


async def look_up(host: str, port: int) -> Sequence[str]:
    """What a resolver of the system finds, which takes addresses in many spellings."""
    if host in NAMES:
        return NAMES[host].split()
    return [socket.inet_ntoa(socket.inet_aton(host))]


def post(poster: Poster, url: str) -> Answer:
    return asyncio.run(poster.post(url, {}, b"{}"))


@pytest.fixture
def connected(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that a connection is tried to; none comes about."""
    found: list[str] = []

    async def connect(_: object, host: str, *args: object) -> None:
        found.append(host)
        raise httpcore2.ConnectError

    monkeypatch.setattr(httpcore2.AnyIOBackend, "connect_tcp", connect)
    return found


@pytest.mark.parametrize("url", URLS)
def test_none_of_these_is_connected_to(url: str, connected: list[str]) -> None:
    assert post(Poster(Destinations(()), look_up), url) == Answer(Outcome.ADDRESS_REFUSED)
    assert connected == []


@pytest.mark.parametrize("host", [host for host in HOSTS if not host.lower().strip(".").endswith(".example.com")])
def test_what_is_no_public_name_is_refused_when_it_is_registered(host: str) -> None:
    with pytest.raises(InvalidWebhook) as refused:
        Destinations(()).of(f"https://{host}/canary")
    assert "canary" not in str(refused.value)


@pytest.mark.parametrize(
    ("url", "form"),
    [
        ("HTTPS://Good.Example.COM", "https://good.example.com/"),
        ("https://good.example.com.:443/a?b=c", "https://good.example.com/a?b=c"),
        ("https://good.example.com:8443/", "https://good.example.com:8443/"),
        ("https://bücher.example/", "https://xn--bcher-kva.example/"),
        (f"https://{PUBLIC}/", f"https://{PUBLIC}/"),
        ("https://[2606:4700::1111]/", "https://[2606:4700::1111]/"),
    ],
)
def test_what_is_public_is_taken_in_one_form(url: str, form: str) -> None:
    assert Destinations(()).of(url).url == form
    assert Destinations(()).of(form).url == form


@pytest.mark.parametrize("address", [PUBLIC, "2606:4700::1111", "64:ff9b::5db8:d70e"])
def test_public_addresses(address: str) -> None:
    assert is_public(address)


def test_the_address_that_was_judged_is_connected_to_and_looked_up_once(connected: list[str]) -> None:
    answers = [[PUBLIC, "2606:4700::1111"], ["127.0.0.1"]]

    async def rebinding(host: str, port: int) -> Sequence[str]:
        return answers.pop(0)

    poster = Poster(Destinations(()), rebinding)
    assert post(poster, "https://good.example.com/").outcome is Outcome.UNREACHABLE
    assert connected == [PUBLIC, "2606:4700::1111"]
    assert post(poster, "https://good.example.com/").outcome is Outcome.ADDRESS_REFUSED
    assert len(connected) == 2
    assert answers == []


def test_a_redirect_to_a_private_address_is_not_followed() -> None:
    with receiving() as inside, receiving(status(307, Location=inside.url)) as outside:
        answer = post(Poster(Destinations([outside.host]), numeric), outside.url)
        assert answer == Answer(Outcome.REDIRECTED, 307)
        assert len(outside.got) == 1
        assert inside.got == []


def test_what_the_operator_names_may_be_private_and_no_other_port_of_it() -> None:
    with receiving() as named, receiving() as other:
        poster = Poster(Destinations([named.host]), numeric)
        assert post(poster, named.url).outcome is Outcome.DELIVERED
        assert post(poster, other.url).outcome is Outcome.ADDRESS_REFUSED
        assert other.got == []


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "::1", "2130706433", "0x7f.1", "0177.1"])
def test_what_the_system_finds_is_judged(host: str) -> None:
    """Also where a form that means a private address were let pass."""

    async def found() -> Sequence[str]:
        resolver = Resolver()
        try:
            return await resolver(host, 443)
        finally:
            resolver.close()

    addresses = asyncio.run(found())
    assert addresses
    assert not any(map(is_public, addresses))


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("tls") / "both.pem"
    made = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    named = ["-days", "2", "-subj", "/CN=x", "-addext", "subjectAltName=DNS:hooks.example.com"]
    subprocess.run([*made, *named, "-keyout", file, "-out", file], check=True, capture_output=True)
    return file


def _serving(certificate: Path, use: Callable[[int, list[str | None]], Any]) -> None:
    asked: list[str | None] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    context.sni_callback = lambda _socket, name, _context: asked.append(name)
    with receiving() as server:
        server.socket = context.wrap_socket(server.socket, server_side=True)
        use(server.server_port, asked)


def test_tls_has_the_name_and_not_the_address(certificate: Path) -> None:
    async def here(host: str, port: int) -> Sequence[str]:
        return ["127.0.0.1"]

    def use(port: int, asked: list[str | None]) -> None:
        allowed = Destinations([f"hooks.example.com:{port}", f"other.example.com:{port}"])
        trusting = Poster(allowed, here, ssl.create_default_context(cafile=str(certificate)))
        assert post(trusting, f"https://hooks.example.com:{port}/").outcome is Outcome.DELIVERED
        assert asked == ["hooks.example.com"]
        assert post(trusting, f"https://other.example.com:{port}/").outcome is Outcome.NOT_TRUSTED
        assert post(Poster(allowed, here), f"https://hooks.example.com:{port}/").outcome is Outcome.NOT_TRUSTED

    _serving(certificate, use)


def test_an_answer_without_end_is_not_read() -> None:
    stop = threading.Event()

    def endless(handler: Any) -> None:
        handler.send_response(200)
        handler.end_headers()
        while not stop.is_set():
            handler.wfile.write(b"x" * 65_536)

    def endless_header(handler: Any) -> None:
        while not stop.is_set():
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 65_536)

    with receiving(endless, endless_header) as server:
        poster = Poster(Destinations([server.host]), numeric)
        assert post(poster, server.url) == Answer(Outcome.DELIVERED, 200)
        assert post(poster, server.url) == Answer(Outcome.UNREACHABLE)
        stop.set()


def test_who_does_not_answer_in_time_is_left() -> None:
    stop = threading.Event()

    def dripping(handler: Any) -> None:
        while not stop.wait(0.02):
            handler.wfile.write(b"HTTP/1.1 100 Continue\r\n\r\n")

    with receiving(lambda _: stop.wait(10) and None, dripping) as server:
        poster = Poster(Destinations([server.host]), numeric)
        for _ in range(2):
            answer = asyncio.run(poster.post(server.url, {}, b"{}", 0.3))
            assert answer == Answer(Outcome.TIMED_OUT)
        stop.set()


def test_nobody_there() -> None:
    with receiving() as server:
        url, host = server.url, server.host
    assert post(Poster(Destinations([host]), numeric), url) == Answer(Outcome.UNREACHABLE)
