"""A server that answers as OpenAI's and Anthropic's endpoints do: always the same, at no cost, with no account.

What it does follows from the model's name, so that each way in which a provider may fail can be asked for (`MODELS`).
`python -m tracestore.demo.stub_model --port 8099` serves it.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

from tracestore.demo.stub_answers import Reply, anthropic_events, openai_events, reply_to

MODELS: Final = (
    "stub",  # answers
    "stub-small",  # answers worse
    "stub-slow",  # waits between words
    "stub-429",  # refuses a call once and asks to wait
    "stub-429-always",
    "stub-500",  # fails once at each call
    "stub-500-always",
    "stub-401",  # refuses the key, and repeats it
    "stub-cut",  # ends in the middle
    "stub-tools",  # calls the first tool before it answers
    "stub-loop",  # calls it for ever
    "stub-whole",  # does not stream
    "stub-error",  # tells of an error in the middle
    "stub-echo",  # repeats the request's headers and body
    "gpt-4o",  # answer as `stub` does: so a call that an agent made can be tried again
    "gpt-4o-mini",
    "claude-sonnet-4-5",
)

CREATED: Final = 1_700_000_000

SLOW_S: Final = 0.05
"""Seconds between two words of a slow model."""


@dataclass(slots=True)
class StubModel:
    """The stub while it runs.

    Attributes:
        url: where it listens, without a path.
        asked: calls so far, by model.
        held: while it is cleared, answers wait before their last word: a test holds calls under way so.
        running: calls under way, and the most that were at once.
    """

    url: str
    asked: Counter[str] = field(default_factory=Counter)
    held: threading.Event = field(default_factory=threading.Event)
    running: int = 0
    most_running: int = 0
    _seen: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def is_first(self, call: str) -> bool:
        """Returns whether a call comes for the first time."""
        with self._lock:
            first = call not in self._seen
            self._seen.add(call)
            return first

    @contextlib.contextmanager
    def under_way(self, model: str) -> Iterator[None]:
        """Counts a call."""
        with self._lock:
            self.asked[model] += 1
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        try:
            yield
        finally:
            with self._lock:
                self.running -= 1


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client of the stub."""

    protocol_version = "HTTP/1.1"
    stub: StubModel

    def do_GET(self) -> None:
        """Lists the models."""
        if not self.path.endswith("/models"):
            self._refuse(404, "no such route")
            return
        data = [{"id": name, "object": "model", "created": CREATED} for name in MODELS]
        self._send(200, {"object": "list", "data": data})

    def do_POST(self) -> None:
        """Answers a call."""
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        is_chat = self.path.endswith("/chat/completions")
        if not is_chat and not self.path.endswith("/messages"):
            self._refuse(404, "no such route")
            return
        model = str(body.get("model"))
        with self.stub.under_way(model):
            if not self._fails(model, body):
                shown = (
                    {"headers": dict(self.headers), "body": body} if model == "stub-echo" else None
                )
                reply = reply_to(body, model, shown)
                self._answer(body, model, reply, is_chat=is_chat)

    def _fails(self, model: str, body: Mapping[str, Any]) -> bool:
        """Refuses a call where its model is to; returns whether it did."""
        first = self.stub.is_first(json.dumps(body, sort_keys=True))
        if model == "stub-429-always" or (model == "stub-429" and first):
            wait = "0" if model == "stub-429" else "600"
            self._refuse(429, "slow down", "rate_limit_error", {"Retry-After": wait})
        elif model == "stub-500-always" or (model == "stub-500" and first):
            self._refuse(500, "something broke", "api_error")
        elif model == "stub-401":
            key = self.headers.get("authorization") or self.headers.get("x-api-key")
            self._refuse(401, f"no such key: {key}", "authentication_error")
        elif model not in MODELS:
            self._refuse(404, f"the model {model!r} does not exist", "not_found_error")
        else:
            return False
        return True

    def _answer(self, body: Mapping[str, Any], model: str, reply: Reply, *, is_chat: bool) -> None:
        events = openai_events(model, reply) if is_chat else anthropic_events(model, reply)
        if model == "stub-whole" or not body.get("stream"):
            self._send(200, events.whole())
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        lines = list(events.lines())
        middle = max(1, len(lines) // 2)
        for number, line in enumerate(lines):
            if number == middle:
                self.stub.held.wait()
                if model == "stub-cut":
                    self.close_connection = True
                    return
            if model == "stub-slow":
                time.sleep(SLOW_S)
            fails = number == middle and model == "stub-error"
            self._chunk(events.error("overloaded") if fails else line)
        self._chunk(b"")

    def _chunk(self, data: bytes) -> None:
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")
            self.wfile.flush()

    def _refuse(
        self,
        status: int,
        message: str,
        kind: str = "invalid_request_error",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        error = {"type": kind, "message": message, "code": None}
        self._send(status, {"type": "error", "error": error}, headers)

    def _send(
        self, status: int, document: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        for name, value in {"content-type": "application/json", **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says nothing of a client that went away."""


@contextlib.contextmanager
def serving(port: int = 0) -> Iterator[StubModel]:
    """Serves the stub on loopback in a thread until the block is left."""
    stub = StubModel("")
    stub.held.set()
    server = _Server(("127.0.0.1", port), type("Handler", (_Handler,), {"stub": stub}))
    stub.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, name="stub model", daemon=True)
    thread.start()
    try:
        yield stub
    finally:
        stub.held.set()
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    """Serves the stub until it is interrupted."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, default=8099)
    with serving(parser.parse_args().port) as stub, contextlib.suppress(KeyboardInterrupt):
        print(f"{stub.url}/v1 (openai), {stub.url} (anthropic)", flush=True)  # noqa: T201
        threading.Event().wait()


if __name__ == "__main__":
    main()
