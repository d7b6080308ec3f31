"""Providers that the API names: the server asks them at public addresses, and follows no redirect."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from data import processes
from tracestore.server import Server, ServerSettings


class Host:
    """A host on loopback that notes whether it was reached."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.reached: list[str] = []
        self.location = ""


@pytest.fixture(scope="module")
def host() -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.reached.append(self.path)
            body = json.dumps({"data": [{"id": "m"}]}).encode()
            self.send_response(302 if made.location else 200)
            if made.location:
                self.send_header("location", made.location)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Host(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("private") / "store"
    with Server(ServerSettings(data=data, port=0, grpc_port=-1)) as running:
        yield running


URLS = [
    "http://127.0.0.1:{port}", "http://localhost:{port}", "http://LOCALHOST.:{port}", "http://127.1:{port}",
    "http://2130706433:{port}", "http://0x7f000001:{port}", "http://0177.0.0.1:{port}", "http://0.0.0.0:{port}",
    "http://[::1]:{port}", "http://[::ffff:127.0.0.1]:{port}", "http://[::ffff:7f00:1]:{port}", "http://[::]:{port}",
    "http://[64:ff9b::7f00:1]:{port}", "http://[2002:7f00:1::]:{port}", "http://[fe80::1%25lo]:{port}",
    "http://169.254.169.254", "http://[fd00:ec2::254]", "http://100.100.100.200", "http://168.63.129.16",
    "http://10.0.0.1", "http://192.168.0.1", "http://172.16.0.1",
    "http://example.com@127.0.0.1:{port}", "http://127.0.0.1:{port}#@example.com", "http://127.0.0.1:{port}?x",
    "file:///etc/passwd", "gopher://127.0.0.1:{port}",
]  # fmt: skip


def models(server: Server, name: str, body: dict[str, Any]) -> Any:
    """Returns what the server says of a new provider's models, None where it does not take the provider."""
    saved = httpx.put(f"{server.url}/api/providers/{name}", json=body, timeout=processes.HANG_S)
    if saved.status_code == 422:
        return None
    assert saved.status_code == 200, saved.text
    listed = httpx.get(f"{server.url}/api/providers/{name}/models", timeout=processes.HANG_S)
    assert listed.status_code == 200, listed.text
    return listed.json()


@pytest.mark.parametrize("url", URLS)
def test_a_provider_of_the_api_is_not_asked_at_a_private_address(
    server: Server, host: Host, url: str
) -> None:
    body = {"kind": "openai", "base_url": url.format(port=host.port), "key": None}
    told = models(server, f"p{URLS.index(url)}", body)
    if told is not None:
        assert (told["listed"], told["models"]) == (False, [])
        assert "cannot ask" in told["failure"]
    assert host.reached == []


def test_a_host_that_the_settings_name_is_asked_and_its_redirects_are_not_followed(
    tmp_path: Path, host: Host
) -> None:
    settings = ServerSettings(
        data=tmp_path / "store", port=0, grpc_port=-1, outbound_private_hosts=("127.0.0.1",)
    )
    body = {"kind": "openai", "base_url": f"http://127.0.0.1:{host.port}", "key": None}
    with Server(settings) as server:
        assert models(server, "near", body)["models"] == ["m"]
        host.location = f"http://127.0.0.1:{host.port}/elsewhere"
        again = httpx.get(f"{server.url}/api/providers/near/models", timeout=processes.HANG_S)
    assert again.json()["listed"] is False
    assert "/elsewhere" not in host.reached
    host.reached.clear()
    host.location = ""
