"""Tools that are documents: functions in the sandbox and requests to hosts of the settings; a model calls them."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from data import processes
from play.conftest import providers
from tracestore.client import Client
from tracestore.demo.stub_model import StubModel
from tracestore.play.tools.running import MAX_ANSWER_BYTES
from tracestore.server import Server, ServerSettings

CODE = "STOCK = {7: 'Bonn'}\n\ndef lookup_order(order):\n    return {'city': STOCK[order]}\n"
SCHEMA = {
    "type": "object",
    "properties": {"order": {"type": "integer"}},
    "required": ["order"],
}
PYTHON = {
    "type": "python",
    "description": "Looks an order up.",
    "parameters": SCHEMA,
    "code": CODE,
    "function": "lookup_order",
}


def call(server: Server, method: str, path: str, status: int = 200, **more: Any) -> Any:
    answer = httpx.request(method, f"{server.url}{path}", timeout=processes.HANG_S, **more)
    assert answer.status_code == status, answer.text
    return answer.json()


def save(server: Server, name: str, body: dict[str, Any], status: int = 200) -> Any:
    return call(server, "POST", "/api/tools", status, json={"name": name, "body": body})


class Host:
    """A host that tools ask; what it answers is set."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b'{"city": "Bonn"}'
        self.answers = threading.Event()
        self.answers.set()


@pytest.fixture
def host() -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            length = int(self.headers.get("content-length") or 0)
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.asked.append((self.command, self.path, headers, self.rfile.read(length)))
            made.answers.wait()
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("content-length", str(len(made.body)))
            self.end_headers()
            with contextlib.suppress(OSError):
                self.wfile.write(made.body)

        def do_GET(self) -> None:
            self._answer()

        def do_POST(self) -> None:
            self._answer()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made = Host(server.server_port)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.answers.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server(tmp_path: Path, stub: StubModel, keys: dict[str, str], host: Host) -> Iterator[Server]:
    del keys
    settings = ServerSettings(
        data=tmp_path / "store",
        port=0,
        grpc_port=-1,
        providers=providers(stub.url),
        tool_hosts=(f"127.0.0.1:{host.port}", "api.example.com"),
        outbound_private_hosts=("127.0.0.1",),
    )
    with Server(settings) as running:
        yield running


def request_to(host: Host, **more: Any) -> dict[str, Any]:
    url = f"http://127.0.0.1:{host.port}/orders/{{order}}"
    return {"type": "http", "method": "GET", "url": url, "parameters": SCHEMA, **more}


def tried(server: Server, body: dict[str, Any], arguments: dict[str, Any]) -> Any:
    return call(server, "POST", "/api/tools/test", json={"body": body, "arguments": arguments})


def test_a_function_is_tried_saved_and_listed(server: Server) -> None:
    assert tried(server, PYTHON, {"order": 7})["value"] == {"city": "Bonn"}
    failed = tried(server, PYTHON, {"order": 8})
    assert (failed["failure"]["kind"], failed["failure"]["line"]) == ("error", 4)
    assert tried(server, PYTHON, {})["failure"]["message"] == "there is no 'order'"
    assert save(server, "lookup_order", PYTHON)["version"] == 1
    [listed] = call(server, "GET", "/api/tools")
    assert (listed["name"], listed["body"]["parameters"]) == ("lookup_order", SCHEMA)
    changed = {"version": 1, "body": {**PYTHON, "description": "Finds an order."}}
    assert call(server, "PUT", "/api/tools/lookup_order", json=changed)["version"] == 2
    assert call(server, "GET", "/api/tools/lookup_order?version=1")["body"] == {**PYTHON}
    call(server, "DELETE", "/api/tools/lookup_order?version=2")
    assert call(server, "GET", "/api/tools") == []


def test_code_is_refused_with_its_line(server: Server) -> None:
    body = {**PYTHON, "code": "def lookup_order(order):\n    import socket\n"}
    problem = save(server, "lookup_order", body, 422)
    assert problem["errors"][0]["line"] == 2


@pytest.mark.parametrize("kind", ["python", "http"])
def test_a_model_calls_a_stored_tool(server: Server, client: Client, host: Host, kind: str) -> None:
    save(server, "lookup_order", PYTHON if kind == "python" else request_to(host))
    prompt = {
        "messages": [{"role": "user", "content": "{{input}}"}],
        "provider": "stub",
        "model": "stub-tools",
        "tools": ["lookup_order"],
    }
    call(server, "POST", "/api/prompts", json={"slug": "answer", "body": prompt})
    ran = call(server, "POST", "/api/prompts/answer/run", json={"input": "Where is my parcel?"})
    assert ran["turns"] == 2
    spans = client.sql("SELECT type, name, input, output FROM spans ORDER BY start_ns").rows()
    assert [span["type"] for span in spans] == ["agent", "llm", "tool", "llm"]
    assert (spans[2]["input"], spans[2]["output"]) == ({"order": 7}, {"city": "Bonn"})
    if kind == "http":
        assert [path for _, path, _, _ in host.asked] == ["/orders/7"]


def test_a_request_carries_its_arguments(server: Server, host: Host) -> None:
    body = request_to(host, headers={"X-Shop": "bonn"})
    arguments = {"order": "a/../b?c#d", "q": "ä&b", "flag": True}
    assert tried(server, body, arguments)["value"] == {"city": "Bonn"}
    method, path, headers, _ = host.asked[0]
    assert (method, path) == ("GET", "/orders/a%2F..%2Fb%3Fc%23d?q=%C3%A4%26b&flag=true")
    assert headers["x-shop"] == "bonn"
    tried(server, {**body, "method": "POST"}, {"order": 7, "note": "late"})
    assert (host.asked[1][0], json.loads(host.asked[1][3])) == ("POST", {"note": "late"})


def test_what_a_host_answers_is_bounded_and_its_errors_are_told(server: Server, host: Host) -> None:
    body = request_to(host)
    host.status = 404
    assert "status 404" in tried(server, body, {"order": 7})["failure"]["message"]
    host.status, host.headers = 302, {"location": "http://169.254.169.254/"}
    assert "redirects" in tried(server, body, {"order": 7})["failure"]["message"]
    host.status, host.headers, host.body = 200, {}, b"x" * (MAX_ANSWER_BYTES + 1)
    assert "more than" in tried(server, body, {"order": 7})["failure"]["message"]
    host.body = b"plain words"
    assert tried(server, body, {"order": 7})["value"] == "plain words"
    host.answers.clear()
    late = tried(server, {**body, "timeout_s": 0.2}, {"order": 7})
    assert "no answer within" in late["failure"]["message"]


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("http://127.0.0.1:1/", 403),
        ("http://localhost/", 403),
        ("https://evil.example.com/", 403),
        ("https://api.example.com.evil.test/", 403),
        ("https://api.example.com@evil.test/", 403),
        ("https://{order}.example.com/", 422),
        ("https://api.example.com:{order}/", 422),
        ("http://169.254.169.254/latest/", 403),
        ("http://2130706433/", 403),
        ("http://[::ffff:127.0.0.1]/", 403),
        ("file:///etc/passwd", 422),
        ("https://api.example.com/{order}", 200),
    ],
)
def test_a_host_that_is_not_on_the_list_is_refused_when_it_is_saved(
    server: Server, url: str, status: int
) -> None:
    body = {"type": "http", "url": url, "parameters": SCHEMA}
    save(server, "asks", body, status)


@pytest.mark.parametrize(
    "headers",
    [{"Host": "a"}, {"Authorization": "Bearer x"}, {"X-A": "a\r\nHost: b"}, {"x y": "a"}, {"Cookie": "a"}],
    ids=str,
)  # fmt: skip
def test_a_header_of_the_connection_or_with_a_key_is_refused(
    server: Server, host: Host, headers: dict[str, str]
) -> None:
    save(server, "asks", request_to(host, headers=headers), 422)


def test_a_tool_of_a_host_that_was_taken_off_the_list_is_not_called(
    tmp_path: Path, server: Server, host: Host
) -> None:
    save(server, "asks", request_to(host))
    server.stop()
    settings = ServerSettings(data=tmp_path / "store", port=0, grpc_port=-1)
    with Server(settings) as again:
        body = call(again, "GET", "/api/tools/asks")["body"]
        failed = tried(again, body, {"order": 7})
        assert "not on the list" in failed["failure"]["message"]
    assert host.asked == []
