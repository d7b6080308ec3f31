"""Requests that the server sends for users reach public hosts, and those that its settings name; nothing else.

A table of URLs, one of addresses, and real connections: names that lead to private addresses, redirects, a name whose
address changes between two looks.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from data import processes
from tracestore.errors import OutboundRefusedError
from tracestore.outbound import clients
from tracestore.outbound.addresses import is_public
from tracestore.outbound.fence import Fence

V4_PRIVATE = [
    "0.0.0.0", "0.1.2.3", "10.0.0.1", "10.255.255.255", "100.64.0.1", "100.100.100.200", "127.0.0.1", "127.255.255.254",
    "169.254.0.1", "169.254.169.254", "169.254.170.2", "172.16.0.1", "172.31.255.255", "192.0.0.192", "192.0.2.1",
    "192.88.99.1", "192.168.0.1", "192.168.255.255", "198.18.0.1", "198.51.100.7", "203.0.113.9", "224.0.0.1",
    "239.255.255.250", "240.0.0.1", "255.255.255.255", "168.63.129.16",
]  # fmt: skip
V4_PUBLIC = ["1.1.1.1", "8.8.8.8", "9.9.9.9", "172.15.255.255", "172.32.0.1", "100.63.255.255", "100.128.0.1",
             "192.167.255.255", "11.0.0.1", "198.17.0.1", "198.20.0.1", "223.255.255.255"]  # fmt: skip


def forms_of(v4: str) -> list[str]:
    """Returns the addresses of the newer kind that lead to one of the older kind."""
    number = int(ipaddress.IPv4Address(v4))
    high, low = number >> 16, number & 0xFFFF
    flipped = number ^ 0xFFFFFFFF
    return [
        f"::ffff:{v4}",
        f"::ffff:{high:x}:{low:x}",
        f"::{high:x}:{low:x}",
        f"::ffff:0:{high:x}:{low:x}",
        f"64:ff9b::{high:x}:{low:x}",
        f"64:ff9b:1::{high:x}:{low:x}",
        f"2002:{high:x}:{low:x}::1",
        f"2001:0:{high:x}:{low:x}:0:0:f7f7:f7f7",
        f"2001:0:808:808:0:0:{flipped >> 16:x}:{flipped & 0xFFFF:x}",
        f"2606:4700::5efe:{high:x}:{low:x}",
        f"2606:4700::200:5efe:{high:x}:{low:x}",
    ]


V6_PRIVATE = ["::", "::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1",
              "100::1", "5f00::1", "3fff::1"]  # fmt: skip
V6_PUBLIC = ["2606:4700:4700::1111", "2001:4860:4860::8888", "2a00:1450::1"]


@pytest.mark.parametrize("text", V4_PRIVATE)
def test_no_form_of_a_private_address_is_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))
    for form in forms_of(text):
        assert not is_public(ipaddress.ip_address(form)), form


@pytest.mark.parametrize("text", V6_PRIVATE)
def test_private_addresses_of_the_newer_kind_are_not_public(text: str) -> None:
    assert not is_public(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", V4_PUBLIC + V6_PUBLIC)
def test_public_addresses_are(text: str) -> None:
    assert is_public(ipaddress.ip_address(text))
    if "." in text:
        assert is_public(ipaddress.ip_address(f"64:ff9b::{text}"))


REFUSED_URLS = [
    *(f"http://{text}/" for text in V4_PRIVATE),
    *(f"http://[{text}]/" for text in V6_PRIVATE),
    *(f"http://[{form}]/" for text in ("127.0.0.1", "169.254.169.254", "10.0.0.1") for form in forms_of(text)),
    # Other ways to write 127.0.0.1 and 169.254.169.254.
    "http://2130706433/", "http://0x7f000001/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://017700000001/",
    "http://127.1/", "http://127.0.1/", "http://0/", "http://2852039166/", "http://0xa9fea9fe/", "http://169.254.43518/",
    "http://127.0.0.1./", "http://127.0.0.1.:80/", "http://127.000.000.001/", "http://1.2.3.4.5/", "http://1.2.3.256/",
    "http://0x/", "http://host.0x7f/", "http://host.1/",
    # Other letters, encoded ones, zones.
    "http://１２７.0.0.1/", "http://127。0。0。1/", "http://①②⑦.0.0.1/", "http://ⓛocalhost/", "http://%31%32%37.0.0.1/",
    "http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1%251]/", "http://[::1]%00.example.com/",
    "http://[::ffff:127.0.0.1%251]/", "http://[1.2.3.4]/", "http://[v1.fe80]/", "http://[]/", "http://[::1/",
    # What different readers read differently.
    "http://example.com@127.0.0.1/", "http://127.0.0.1@example.com/", "http://user:pass@example.com/", "http://@example.com/",
    "http://example.com\\@127.0.0.1/", "http://example.com\\.127.0.0.1/", "http://127.0.0.1\\.example.com/",
    "http://127.0.0.1 /", "http://exa mple.com/", "http://example.com\t/", "http://example.com\n/", "\thttp://example.com/",
    "http://example.com\r\nHost: 127.0.0.1/", "http://example.com\0/", "http:///127.0.0.1/", "http:/127.0.0.1", "http:127.0.0.1",
    "//example.com/", "http://", "http://:80/", "http://./", "http://../", "http://-a.com/", "http://a..b/",
    "http://" + "a" * 64 + ".com/", "http://" + "a." * 150 + "com/", "http://example.com/" + "a" * 5000,
    # Other ways than HTTP, and other ports than there are.
    "file:///etc/passwd", "ftp://example.com/", "gopher://example.com/", "dict://example.com:11211/", "data:text/plain,x",
    "jar:http://example.com!/", "unix:///var/run/docker.sock", "http+unix://%2Fvar%2Frun%2Fdocker.sock/", "ws://example.com/",
    "http://example.com:0/", "http://example.com:99999/", "http://example.com:-1/", "http://example.com:80:80/",
    "http://example.com:８０/", "javascript:alert(1)", "",
]  # fmt: skip


@pytest.mark.parametrize("url", REFUSED_URLS, ids=repr)
def test_a_url_is_refused_before_anything_is_looked_up(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", looked_up(None))
    with pytest.raises(OutboundRefusedError, match="cannot ask"):
        Fence().target(url)


@pytest.fixture(scope="module")
def fenced() -> Iterator[httpx.Client]:
    with clients.client(Fence(), timeout_s=processes.HANG_S) as http:
        yield http


@pytest.mark.parametrize("url", REFUSED_URLS, ids=repr)
def test_a_url_leads_nowhere_whatever_a_client_makes_of_it(
    url: str, fenced: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def resolve(host: Any, *_: Any, **__: Any) -> list[Any]:
        # A client may read a URL that we refuse as one of this name.
        assert host in {b"example.com", "example.com"}
        raise socket.gaierror

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    with pytest.raises((OutboundRefusedError, httpx.HTTPError, httpx.InvalidURL)):
        fenced.get(url)


@pytest.mark.parametrize(
    "url",
    ["https://example.com/a?b=c", "http://EXAMPLE.com:8080", "http://1.1.1.1/", "http://[2606:4700:4700::1111]:443/",
     "https://xn--bcher-kva.example/", "http://a-b.example.com./"],
)  # fmt: skip
def test_a_public_url_is_taken(url: str) -> None:
    assert Fence().target(url).port in {80, 443, 8080}


HOSTS = ["api.example.com", "*.shop.example", "1.1.1.1", "other.example:8443"]


@pytest.mark.parametrize(
    ("url", "taken"),
    [
        ("https://api.example.com/x", True),
        ("https://API.EXAMPLE.COM./x", True),
        ("https://api.example.com:8443/x", True),
        ("https://example.com/", False),
        ("https://evil-api.example.com/", False),
        ("https://api.example.com.evil.test/", False),
        ("https://a.shop.example/", True),
        ("https://a.b.shop.example/", True),
        ("https://shop.example/", False),
        ("https://notshop.example/", False),
        ("http://1.1.1.1/", True),
        ("http://1.0.0.1/", False),
        ("https://other.example:8443/", True),
        ("https://other.example/", False),
    ],
)
def test_a_list_of_hosts_is_kept_to(url: str, taken: bool) -> None:
    fence = Fence(HOSTS)
    if taken:
        fence.target(url)
    else:
        with pytest.raises(OutboundRefusedError, match="not on the list"):
            fence.target(url)


# --- real connections ---------------------------------------------------------------------------------


def looked_up(answers: dict[str, list[str]] | None) -> Callable[..., list[Any]]:
    """Returns a resolver of names; None for one that must not be asked."""

    def resolve(host: Any, port: Any, *_: Any, **__: Any) -> list[Any]:
        assert answers is not None, f"{host} was looked up"
        name = host.decode() if isinstance(host, bytes) else host
        found = answers.get(name)
        if found is None:
            # What connects asks with the address itself.
            ipaddress.ip_address(name)
            found = [name]
        kinds = {4: socket.AF_INET, 6: socket.AF_INET6}
        return [
            (kinds[ipaddress.ip_address(text).version], socket.SOCK_STREAM, 6, "", (text, port))
            for text in found
        ]

    return resolve


@contextlib.contextmanager
def listening(answer: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[int, list[str]]]:
    """Runs a server on loopback; gives its port and the Host of each request that reached it."""
    reached: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            reached.append(self.headers["host"])
            answer(self)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_port, reached
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def plain_answer(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("content-length", "2")
    handler.end_headers()
    handler.wfile.write(b"ok")


def asked(fence: Fence, url: str, *, is_async: bool) -> httpx.Response:
    if not is_async:
        with clients.client(fence, timeout_s=processes.HANG_S) as http:
            return http.get(url)

    async def ask() -> httpx.Response:
        async with clients.async_client(fence, timeout=processes.HANG_S) as http:
            return await http.get(url)

    return asyncio.run(ask())


NAMES = {
    "loop.test": ["127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "mapped.test": ["::ffff:127.0.0.1"],
    "both.test": ["1.1.1.1", "127.0.0.1"],
    "private.test": ["10.1.2.3"],
    "six.test": ["::1"],
    "none.test": [],
}


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize("name", NAMES)
def test_a_name_of_a_private_address_is_refused(
    name: str, is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(plain_answer) as (port, reached):
        monkeypatch.setattr(socket, "getaddrinfo", looked_up(NAMES))
        with pytest.raises(OutboundRefusedError):
            asked(Fence(), f"http://{name}:{port}/", is_async=is_async)
        assert reached == []


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
@pytest.mark.parametrize(
    "private", [["loop.test"], ["127.0.0.0/8"], ["127.0.0.1"], ["*.test"]], ids=str
)
def test_settings_may_name_it(
    private: list[str], is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    with listening(plain_answer) as (port, reached):
        monkeypatch.setattr(socket, "getaddrinfo", looked_up(NAMES))
        answer = asked(Fence(private=private), f"http://loop.test:{port}/", is_async=is_async)
        assert answer.text == "ok"
        assert reached == [f"loop.test:{port}"]


def test_a_named_host_does_not_open_a_clouds_metadata(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", looked_up(NAMES))
    with pytest.raises(OutboundRefusedError):
        asked(Fence(private=["metadata.test"]), "http://metadata.test/", is_async=False)


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_name_is_looked_up_once(is_async: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second look may give another address: the connection is made to the one that was judged."""
    looks: list[str] = []

    def resolve(host: Any, port: Any, *rest: Any, **more: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        if name == "turns.test":
            looks.append(name)
            first = "127.0.0.1" if len(looks) == 1 else "169.254.169.254"
            return looked_up({"turns.test": [first]})(host, port)
        return looked_up({})(host, port, *rest, **more)

    with listening(plain_answer) as (port, reached):
        monkeypatch.setattr(socket, "getaddrinfo", resolve)
        fence = Fence(private=["127.0.0.1"])
        assert asked(fence, f"http://turns.test:{port}/", is_async=is_async).text == "ok"
        assert looks == ["turns.test"]
        assert reached == [f"turns.test:{port}"]


@pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])
def test_a_redirect_is_an_answer_and_not_followed(is_async: bool) -> None:
    def redirect(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(302)
        handler.send_header("location", "http://169.254.169.254/latest/meta-data/")
        handler.send_header("content-length", "0")
        handler.end_headers()

    with listening(redirect) as (port, reached):
        answer = asked(Fence(private=["127.0.0.1"]), f"http://127.0.0.1:{port}/", is_async=is_async)
        assert answer.status_code == 302
        assert len(reached) == 1


def test_a_proxy_of_the_environment_is_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    with listening(plain_answer) as (proxy, through), listening(plain_answer) as (port, reached):
        monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{proxy}")
        monkeypatch.setenv("ALL_PROXY", f"http://127.0.0.1:{proxy}")
        fence = Fence(private=["127.0.0.1"])
        assert asked(fence, f"http://127.0.0.1:{port}/", is_async=False).text == "ok"
        assert (len(through), len(reached)) == (0, 1)
