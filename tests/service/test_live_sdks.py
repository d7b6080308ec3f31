"""SDKs that are installed, against a stub of the models: their calls have the columns of all others."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tracestore.server import Server

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
]

CHAT: Final = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "gpt-4o",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Your parcel is in Bonn."},
        }
    ],
    "usage": {
        "prompt_tokens": 21,
        "completion_tokens": 9,
        "total_tokens": 30,
        "prompt_tokens_details": {"cached_tokens": 16},
        "completion_tokens_details": {"reasoning_tokens": 4},
    },
}
MESSAGE: Final = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "Your parcel is in Bonn."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 21,
        "output_tokens": 9,
        "cache_read_input_tokens": 16,
        "cache_creation_input_tokens": 5,
    },
}
QUESTION: Final = "Where is my late parcel?"
SYSTEM: Final = "You help customers."
ASKED: Final = [{"role": "system", "content": SYSTEM}, {"role": "user", "content": QUESTION}]


class _Models(BaseHTTPRequestHandler):
    """A server that answers as OpenAI's and Anthropic's do."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(MESSAGE if self.path.endswith("/messages") else CHAT).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def models_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Models)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def provider(server: Server) -> Iterator[TracerProvider]:
    made = TracerProvider()
    made.add_span_processor(
        SimpleSpanProcessor(OTLPSpanExporter(endpoint=f"{server.url}/v1/traces"))
    )
    yield made
    made.shutdown()


def calls(http: httpx.Client) -> list[dict[str, Any]]:
    sql = """
        SELECT input, output, metadata.model AS model, metrics.prompt_tokens AS prompt,
               metrics.completion_tokens AS completion, metrics.prompt_cached_tokens AS cached
        FROM spans WHERE type = 'llm' AND input IS NOT NULL ORDER BY start_ns"""
    answer = http.post("/api/query", json={"sql": sql}).json()
    names = [column["name"] for column in answer["columns"]]
    return [dict(zip(names, row, strict=True)) for row in answer["rows"]]


def said(call: dict[str, Any]) -> tuple[list[tuple[str, Any]], tuple[str, Any]]:
    """Returns who said what of a call."""
    asked = [(message["role"], message["content"]) for message in call["input"]]
    answer = call["output"][-1]
    return asked, (answer["role"], answer["content"])


WANTED: Final = (
    [("system", SYSTEM), ("user", QUESTION)],
    ("assistant", "Your parcel is in Bonn."),
)


def test_anthropic(http: httpx.Client, provider: TracerProvider, models_url: str) -> None:
    anthropic = pytest.importorskip("anthropic")
    package = pytest.importorskip("openinference.instrumentation.anthropic")
    instrumentor = package.AnthropicInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        with anthropic.Anthropic(base_url=models_url, api_key="none", max_retries=0) as client:
            client.messages.create(
                model="claude-sonnet-4-5",
                max_tokens=100,
                system=SYSTEM,
                messages=[{"role": "user", "content": QUESTION}],
            )
    finally:
        instrumentor.uninstrument()
    [call] = calls(http)
    assert said(call) == WANTED
    assert call["model"] == "claude-sonnet-4-5"
    assert (call["prompt"], call["completion"], call["cached"]) == (42, 9, 16)


def test_openai_with_content_in_logs(
    server: Server,
    http: httpx.Client,
    provider: TracerProvider,
    models_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    openai = pytest.importorskip("openai")
    package = pytest.importorskip("opentelemetry.instrumentation.openai_v2")
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.http._log_exporter")
    logs = pytest.importorskip("opentelemetry.sdk._logs")
    export = pytest.importorskip("opentelemetry.sdk._logs.export")
    monkeypatch.setenv("OTEL_INSTRUMENTATION_GENAI_CAPTURE_MESSAGE_CONTENT", "true")
    records = logs.LoggerProvider()
    records.add_log_record_processor(
        export.SimpleLogRecordProcessor(exporter.OTLPLogExporter(endpoint=f"{server.url}/v1/logs"))
    )
    instrumentor = package.OpenAIInstrumentor()
    instrumentor.instrument(tracer_provider=provider, logger_provider=records)
    try:
        with openai.OpenAI(base_url=f"{models_url}/v1", api_key="none", max_retries=0) as client:
            client.chat.completions.create(model="gpt-4o", messages=ASKED)
    finally:
        instrumentor.uninstrument()
        records.shutdown()
    [call] = calls(http)
    assert said(call) == WANTED
    assert (call["prompt"], call["completion"], call["cached"]) == (21, 9, 16)


def test_agents_of_openai(http: httpx.Client, provider: TracerProvider, models_url: str) -> None:
    agents = pytest.importorskip("agents")
    openai = pytest.importorskip("openai")
    package = pytest.importorskip("openinference.instrumentation.openai_agents")
    instrumentor = package.OpenAIAgentsInstrumentor()
    instrumentor.instrument(tracer_provider=provider)
    try:
        client = openai.AsyncOpenAI(base_url=f"{models_url}/v1", api_key="none", max_retries=0)
        model = agents.OpenAIChatCompletionsModel(model="gpt-4o", openai_client=client)
        agent = agents.Agent(name="support", instructions=SYSTEM, model=model)
        result = agents.Runner.run_sync(agent, QUESTION)
        assert result.final_output == "Your parcel is in Bonn."
    finally:
        instrumentor.uninstrument()
    [call] = calls(http)
    assert said(call) == WANTED
    assert (call["prompt"], call["completion"]) == (21, 9)
