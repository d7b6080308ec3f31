"""What the gateway passes on and back, whom it refuses, and what it never shows."""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest

from data import processes
from gateway.conftest import PROVIDER_KEY, settings, spans
from sdks import stub_models
from tracestore.client import Client
from tracestore.gateway.scrubbing import KeyBytes
from tracestore.server import Server
from tracestore.store import KeyRing

Stored = Callable[[int], list[dict[str, Any]]]

CHAT: Any = {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": "Hi"}]}
MESSAGES = {**CHAT, "max_tokens": 10}
ROUTES = [
    ("/openai/v1/chat/completions", "/v1/chat/completions", CHAT),
    ("/openai/v1/responses", "/v1/responses", {"model": "m", "input": "Hi"}),
    ("/anthropic/v1/messages", "/v1/messages", MESSAGES),
]


def post(url: str, body: Any, **more: Any) -> httpx.Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"content-type": "application/json", **more.pop("headers", {})}
    return httpx.post(url, content=content, headers=headers, timeout=processes.HANG_S, **more)


class Upstream:
    """A provider whose answers are set part by part, and which keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.status = 200
        self.headers: dict[str, str] = {"content-type": "text/event-stream"}
        self.parts: list[bytes] = []
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.breaks = False
        self.url = ""


@pytest.fixture
def upstream(monkeypatch: pytest.MonkeyPatch) -> Iterator[Upstream]:
    monkeypatch.setenv("GATEWAY_TEST_KEY", PROVIDER_KEY)
    made = Upstream()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            made.asked.append((self.path, headers, body))
            self.send_response(made.status)
            for name, value in made.headers.items():
                self.send_header(name, value)
            self.send_header("transfer-encoding", "chunked")
            self.end_headers()
            with contextlib.suppress(OSError):
                for part in made.parts:
                    self.wfile.write(f"{len(part):x}\r\n".encode() + part + b"\r\n")
                    self.wfile.flush()
                    made.goes_on.wait()
                if made.breaks:
                    self.close_connection = True
                    return
                self.wfile.write(b"0\r\n\r\n")

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield made
    made.goes_on.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def beside(tmp_path: Path, upstream: Upstream) -> Iterator[Server]:
    with Server(settings(tmp_path, upstream.url)) as running:
        yield running


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("route", "direct", "body"), ROUTES, ids=[each[1] for each in ROUTES])
def test_an_answer_comes_byte_for_byte(
    server: Server, models: stub_models.Models, route: str, direct: str, body: Any, stream: bool
) -> None:
    asked = {**body, "stream": stream}
    through = post(f"{server.url}/gateway{route}", asked)
    alone = post(f"{models.url}{direct}", asked)
    assert through.status_code == 200
    # Ids count the calls of the stub.
    assert through.content == alone.content.replace(b"2", b"1") or through.content == (
        alone.content.replace(b"_2", b"_1").replace(b"-2", b"-1")
    )
    assert through.headers["content-type"] == alone.headers["content-type"]


def test_a_request_goes_on_as_it_is_but_for_its_key(beside: Server, upstream: Upstream) -> None:
    body = b'{ "model":"m",\n "messages": [], "odd": 1e2, "\\u00e4": "\\ud83d\\ude00" }'
    headers = {
        "authorization": "Bearer ts_of_ours",
        "anthropic-beta": "b",
        "openai-organization": "o",
        "x-stainless-lang": "python",
        "x-tracestore-project": "shop",
        "traceparent": f"00-{'ab' * 16}-{'cd' * 8}-01",
        "cookie": "a=b",
    }
    upstream.parts = [b"data: {}\n\n"]
    post(f"{beside.url}/gateway/openai/v1/chat/completions?a=b", body, headers=headers)
    [(path, sent, received)] = upstream.asked
    assert (path, received) == ("/v1/chat/completions?a=b", body)
    assert sent["authorization"] == f"Bearer {PROVIDER_KEY}"
    kept = {"anthropic-beta": "b", "openai-organization": "o", "x-stainless-lang": "python"}
    assert kept.items() <= sent.items()
    assert not {"cookie", "traceparent", "x-tracestore-project"} & sent.keys()
    [span] = spans(beside, 1)
    assert (span["project"], span["trace_id"], span["parent_span_id"]) == (
        "shop",
        "ab" * 16,
        "cd" * 8,
    )


def test_parts_are_passed_on_as_they_come(beside: Server, upstream: Upstream) -> None:
    upstream.goes_on.clear()
    upstream.parts = [b"data: 1\n\n", b"data: 2\n\n"]
    with httpx.stream(
        "POST",
        f"{beside.url}/gateway/openai/v1/chat/completions",
        json=CHAT,
        timeout=processes.HANG_S,
    ) as answer:
        parts = answer.iter_raw()
        # The second is not sent before the first has come through.
        assert next(parts) == b"data: 1\n\n"
        upstream.goes_on.set()
        assert b"".join(parts) == b"data: 2\n\n"


def test_a_client_that_goes_away_ends_the_call_and_its_span_says_so(
    beside: Server, upstream: Upstream
) -> None:
    upstream.goes_on.clear()
    upstream.parts = [b'data: {"choices":[{"index":0,"delta":{"content":"In"}}]}\n\n'] * 2
    with httpx.stream(
        "POST",
        f"{beside.url}/gateway/openai/v1/chat/completions",
        json=CHAT,
        timeout=processes.HANG_S,
    ) as answer:
        next(answer.iter_raw())
    # The provider still waits: the call has ended all the same.
    [span] = spans(beside, 1)
    assert (span["status_code"], span["error"]["message"]) == ("ERROR", "stopped before its end")


def test_an_answer_that_is_cut_off_ends_without_an_end(beside: Server, upstream: Upstream) -> None:
    upstream.parts = [b"data: {}\n\n"]
    upstream.breaks = True
    with pytest.raises(httpx.RemoteProtocolError):
        post(f"{beside.url}/gateway/openai/v1/chat/completions", CHAT)
    [span] = spans(beside, 1)
    assert "cut off" in span["error"]["message"]


def test_a_provider_that_is_not_there_is_told_in_its_own_form(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GATEWAY_TEST_KEY", PROVIDER_KEY)
    with Server(settings(tmp_path, "http://127.0.0.1:9")) as server:
        answer = post(f"{server.url}/gateway/openai/v1/chat/completions", CHAT)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "server_error")
        answer = post(f"{server.url}/gateway/anthropic/v1/messages", MESSAGES)
        assert (answer.status_code, answer.json()["error"]["type"]) == (503, "overloaded_error")
        [span, _] = spans(server, 2)
        assert "cannot reach provider" in span["error"]["message"]


# --- keys of ours, budgets ----------------------------------------------------------------------------


@contextlib.contextmanager
def closed(folder: Path, url: str, **more: Any) -> Iterator[tuple[Server, KeyRing]]:
    """Runs a server that asks for keys, and gives those that it has."""
    chosen = settings(folder, url, require_keys=True, **more)
    chosen.data.mkdir(exist_ok=True)
    with contextlib.closing(KeyRing(chosen.data)) as ring:
        ring.create("admin", ["admin"])
    with Server(chosen) as server:
        yield server, server.keys


def asked(server: Server, key: str | None, **headers: str) -> httpx.Response:
    given = {"authorization": f"Bearer {key}"} if key else {}
    return post(
        f"{server.url}/gateway/openai/v1/chat/completions", CHAT, headers={**given, **headers}
    )


def test_a_key_of_ours_is_asked_for_and_its_scopes_and_projects_hold(
    tmp_path: Path, models: stub_models.Models
) -> None:
    with closed(tmp_path, models.url) as (server, ring):
        _, reader = ring.create("reader", ["read"])
        _, sender = ring.create("sender", ["ingest"], ["shop"])
        _, owner = ring.create("owner", ["admin"])
        assert asked(server, None).json()["error"]["code"] == "invalid_api_key"
        assert (asked(server, None).status_code, asked(server, "ts_no_such").status_code) == (
            401,
            401,
        )
        assert asked(server, reader).status_code == 403
        assert asked(server, sender, **{"x-tracestore-project": "other"}).status_code == 403
        assert asked(server, sender).status_code == 200
        url = f"{server.url}/gateway/openai/v1"
        with (
            openai.OpenAI(base_url=url, api_key="wrong", max_retries=0) as client,
            pytest.raises(openai.AuthenticationError),
        ):
            client.chat.completions.create(**CHAT)
        by_header = post(
            f"{server.url}/gateway/anthropic/v1/messages", MESSAGES, headers={"x-api-key": sender}
        )
        assert by_header.status_code == 200
        found = spans(server, 2, owner)
        assert [each["project"] for each in found] == ["shop", "shop"]
        assert found[0]["metadata"]["gateway"] == {"key": "sender"}


def test_a_gateway_without_a_budget_is_off(tmp_path: Path, models: stub_models.Models) -> None:
    with Server(settings(tmp_path, models.url, gateway_usd_per_day=None)) as server:
        answer = asked(server, None)
        assert (answer.status_code, answer.json()["error"]["type"]) == (403, "permission_error")
        assert models.tokens == []


PRICES = {"gpt-4o-mini": {"input": 1000.0, "output": 1000.0}}
"""Dollars for a million tokens: the stub's answer of 30 tokens costs three cents."""


def test_a_budget_is_kept_by_key_and_day_also_by_many_at_once(
    tmp_path: Path, models: stub_models.Models
) -> None:
    body = {**CHAT, "max_tokens": 10}
    more = {
        "prices": PRICES,
        "gateway_usd_per_day": 0.2,
        "gateway_budgets": {"rich": 100.0, "none": 0.0},
    }
    with closed(tmp_path, models.url, **more) as (server, ring):
        keys = {name: ring.create(name, ["ingest"])[1] for name in ("poor", "rich", "none")}
        url = f"{server.url}/gateway/openai/v1/chat/completions"

        def ask(key: str) -> httpx.Response:
            return post(url, body, headers={"authorization": f"Bearer {key}"})

        with ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda _: ask(keys["poor"]), range(24)))
        taken = [each for each in answers if each.status_code == 200]
        refused = [each for each in answers if each.status_code != 200]
        # Each of them cost three cents, and no more than twenty were there.
        assert 1 <= len(taken) <= 6
        assert {each.status_code for each in refused} == {429}
        assert refused[0].json()["error"]["code"] == "insufficient_quota"
        assert refused[0].headers["x-should-retry"] == "false"
        assert len(models.tokens) == len(taken)
        assert ask(keys["none"]).status_code == 429
        assert ask(keys["rich"]).status_code == 200
    spent = len(taken)
    # What was spent is known to the next server of the day.
    with Server(settings(tmp_path, models.url, require_keys=True, **more)) as again:
        key = {"authorization": f"Bearer {keys['poor']}"}
        url = f"{again.url}/gateway/openai/v1/chat/completions"
        later = [post(url, body, headers=key).status_code for _ in range(8)]
    assert spent + later.count(200) <= 6
    assert 429 in later


def test_a_model_without_a_price_is_not_free(tmp_path: Path, models: stub_models.Models) -> None:
    with Server(settings(tmp_path, models.url, gateway_usd_per_day=0.05)) as server:
        body = {**CHAT, "model": "no-such-model", "max_tokens": 2000}
        answer = post(f"{server.url}/gateway/openai/v1/chat/completions", body)
        assert answer.status_code == 429
        assert "may cost 0.08" in answer.json()["error"]["message"]


# --- the cache ----------------------------------------------------------------------------------------


def test_identical_requests_are_answered_once_where_that_is_asked(
    server: Server, models: stub_models.Models, stored: Stored
) -> None:
    url = f"{server.url}/gateway/openai/v1/chat/completions"
    body = {**CHAT, "stream": True}
    kept = {"x-tracestore-cache": "max-age=60"}
    post(url, body)
    post(url, body)
    assert len(models.tokens) == 2
    first = post(url, body, headers=kept)
    again = post(url, body, headers=kept)
    assert len(models.tokens) == 3
    assert again.content == first.content
    assert again.headers["content-type"] == first.headers["content-type"]
    assert "x-tracestore-cache" not in first.headers
    assert again.headers["x-tracestore-cache"].startswith("hit; age=")
    # Others: another body, another spelling of it, no age, another project.
    post(url, {**body, "temperature": 1}, headers=kept)
    post(url, json.dumps(body, indent=1).encode(), headers=kept)
    post(url, body, headers={"x-tracestore-cache": "max-age=0"})
    post(url, body, headers={**kept, "x-tracestore-project": "shop"})
    assert len(models.tokens) == 7
    found = stored(8)
    assert [bool((each["metadata"].get("gateway") or {}).get("cached")) for each in found] == [
        False, False, False, True, False, False, False, False,
    ]  # fmt: skip
    assert found[3]["output"] == found[2]["output"]
    assert "estimated_cost" not in (found[3]["metrics"] or {})


def test_an_error_is_not_kept(server: Server, models: stub_models.Models, stored: Stored) -> None:
    del models
    url = f"{server.url}/gateway/openai/v1/chat/completions"
    kept = {"x-tracestore-cache": "max-age=60"}
    for _ in range(2):
        answer = post(url, {**CHAT, "model": "broken"}, headers=kept)
        assert (answer.status_code, answer.headers.get("x-tracestore-cache")) == (400, None)
    assert len(stored(2)) == 2


def test_one_keys_answers_are_not_anothers(tmp_path: Path, models: stub_models.Models) -> None:
    with closed(tmp_path, models.url) as (server, ring):
        keys = [ring.create(name, ["ingest"])[1] for name in ("a", "b")]
        for key in keys:
            answer = asked(server, key, **{"x-tracestore-cache": "max-age=60"})
            assert "x-tracestore-cache" not in answer.headers
    assert len(models.tokens) == 2


# --- what is never shown ------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 401])
def test_a_provider_that_repeats_its_key_does_not_give_it_away(
    beside: Server, upstream: Upstream, tmp_path: Path, status: int
) -> None:
    text = f'{{"error": {{"message": "wrong key {PROVIDER_KEY} for {PROVIDER_KEY}"}}}}'.encode()
    upstream.status = status
    upstream.headers = {"content-type": "application/json"}
    middle = text.index(PROVIDER_KEY.encode()) + 7
    upstream.parts = [text[:middle], text[middle:]]
    answer = post(f"{beside.url}/gateway/openai/v1/chat/completions", CHAT)
    assert PROVIDER_KEY not in answer.text
    assert len(answer.content) == len(text)
    spans(beside, 1)
    with Client(beside.url) as client:
        assert PROVIDER_KEY not in json.dumps(client.sql("SELECT * FROM spans").rows(), default=str)
    for path in (tmp_path / "store").rglob("*"):
        if path.is_file():
            assert PROVIDER_KEY.encode() not in path.read_bytes(), path.name


@pytest.mark.parametrize("size", [1, 2, 3, 7, 100])
def test_a_key_is_found_in_whatever_pieces_it_comes(size: int) -> None:
    key = "sk-abcabcd"
    texts = [b"sk-abcabcsk-abcabcd sk-abc", b"", b"sk-", key.encode() * 3, b"s" * 50, b"no key"]
    for text in texts:
        sought = KeyBytes(key)
        pieces = [text[start : start + size] for start in range(0, len(text), size)]
        passed = b"".join(sought.part(piece) for piece in pieces) + sought.rest()
        assert passed == text.replace(key.encode(), b"[key]*****")


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/gateway/openai/v1/nosuch", {}, 404),
        ("/gateway/openai/v1/chat/completions", {"content-type": "text/plain"}, 415),
        ("/gateway/openai/v1/chat/completions", {"origin": "https://evil.test"}, 403),
        ("/gateway/openai/v1/chat/completions", {"host": "evil.test"}, 421),
    ],
)
def test_what_is_refused_on_the_way_has_the_providers_form(
    server: Server, models: stub_models.Models, path: str, headers: dict[str, str], status: int
) -> None:
    answer = post(f"{server.url}{path}", CHAT, headers=headers)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert isinstance(answer.json()["error"]["message"], str)
    assert models.tokens == []


@pytest.mark.parametrize(
    "body", [b"", b"no JSON", b"[1]", b"[" * 100_000, b'{"model": 5, "messages": 7}']
)
def test_a_body_that_is_none_goes_to_the_provider_that_says_so(
    beside: Server, upstream: Upstream, body: bytes
) -> None:
    upstream.status = 400
    upstream.headers = {"content-type": "application/json"}
    upstream.parts = [b'{"error": {"message": "no"}}']
    answer = post(f"{beside.url}/gateway/openai/v1/chat/completions", body)
    assert (answer.status_code, answer.json()["error"]["message"]) == (400, "no")
    assert upstream.asked[0][2] == body
    assert spans(beside, 1)[0]["status_code"] == "ERROR"
