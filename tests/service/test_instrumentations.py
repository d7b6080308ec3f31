"""Real instrumentation packages, offline: what they report lands in the columns where users look for it."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tracestore.server import Server

# Warnings that the packages' own code raises, and that is not ours to change.
pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore:Instrumentation format versions"),
]

REPLY = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1_700_000_000,
    "model": "gpt-4o-2024-08-06",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "Your parcel is in Bonn."},
        }
    ],
    "usage": {"prompt_tokens": 21, "completion_tokens": 7, "total_tokens": 28},
}
QUESTION = "Where is my late parcel?"


class _Model(BaseHTTPRequestHandler):
    """A model server that answers every chat request with the same reply."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["content-length"]))
        body = json.dumps(REPLY).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing."""


@pytest.fixture(scope="module")
def model_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Model)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/v1"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def provider(server: Server) -> Iterator[TracerProvider]:
    made = TracerProvider(resource=Resource.create({"service.name": "support"}))
    exporter = OTLPSpanExporter(endpoint=f"{server.url}/v1/traces")
    made.add_span_processor(SimpleSpanProcessor(exporter))
    yield made
    made.shutdown()


def ask(model_url: str) -> None:
    openai = pytest.importorskip("openai")
    with openai.OpenAI(base_url=model_url, api_key="none", max_retries=0) as client:
        client.chat.completions.create(
            model="gpt-4o",
            messages=[
                {"role": "system", "content": "You help customers."},
                {"role": "user", "content": QUESTION},
            ],
        )


def rows(http: httpx.Client, sql: str) -> list[dict[str, Any]]:
    answer = http.post("/api/query", json={"sql": sql}).json()
    names = [column["name"] for column in answer["columns"]]
    return [dict(zip(names, row, strict=True)) for row in answer["rows"]]


MODEL_CALLS = """
    SELECT type, input, output, metadata.model AS model,
           metrics.prompt_tokens AS prompt, metrics.completion_tokens AS completion, metrics.tokens AS tokens
    FROM spans WHERE type = 'llm'"""


def openinference() -> Any:
    return pytest.importorskip("openinference.instrumentation.openai").OpenAIInstrumentor()


def openllmetry() -> Any:
    return pytest.importorskip("opentelemetry.instrumentation.openai").OpenAIInstrumentor()


@pytest.mark.parametrize("make", [openinference, openllmetry])
def test_a_call_of_the_openai_client(
    http: httpx.Client, provider: TracerProvider, model_url: str, make: Callable[[], Any]
) -> None:
    instrumentor = make()
    instrumentor.instrument(tracer_provider=provider)
    try:
        ask(model_url)
    finally:
        instrumentor.uninstrument()
    [call] = rows(http, MODEL_CALLS)
    assert QUESTION in json.dumps(call["input"])
    assert isinstance(call["input"], list)
    assert [message["role"] for message in call["input"]] == ["system", "user"]
    assert "in Bonn" in json.dumps(call["output"])
    assert isinstance(call["output"], list)
    assert call["model"].startswith("gpt-4o")
    assert (call["prompt"], call["completion"], call["tokens"]) == (21, 7, 28)
    assert rows(http, "SELECT tokens FROM traces") == [{"tokens": 28}]


@pytest.mark.parametrize("version", [2, 5, 6])
def test_an_agent_of_pydantic_ai(
    http: httpx.Client, provider: TracerProvider, version: int
) -> None:
    pydantic_ai = pytest.importorskip("pydantic_ai")
    models = pytest.importorskip("pydantic_ai.models.test")
    instrumented = pytest.importorskip("pydantic_ai.models.instrumented")
    capabilities = pytest.importorskip("pydantic_ai.capabilities")
    settings = instrumented.InstrumentationSettings(tracer_provider=provider, version=version)
    agent = pydantic_ai.Agent(
        models.TestModel(),
        name="support",
        instructions="You help customers.",
        capabilities=[capabilities.Instrumentation(settings=settings)],
    )

    @agent.tool_plain  # type: ignore[untyped-decorator]
    def lookup_order(order: int) -> str:
        """Returns where an order is."""
        return f"order {order} is in Bonn"

    asyncio.run(agent.run(QUESTION))
    found = rows(http, "SELECT type, count(*) AS n FROM spans WHERE type IS NOT NULL GROUP BY 1")
    kinds = {row["type"]: row["n"] for row in found}
    assert kinds == {"agent": 1, "llm": 2, "tool": 1}
    calls = rows(http, MODEL_CALLS)
    assert all(QUESTION in json.dumps(call["input"]) for call in calls)
    assert all(call["output"] for call in calls)
    [tool] = rows(http, "SELECT input, output FROM spans WHERE type = 'tool'")
    assert tool == {"input": {"order": 0}, "output": "order 0 is in Bonn"}
    [agent_row] = rows(
        http,
        "SELECT output, metrics.prompt_tokens AS own, metadata.model AS model FROM spans WHERE type = 'agent'",
    )
    assert "in Bonn" in json.dumps(agent_row["output"])
    # The agent's sum is not added to what its calls report.
    assert agent_row["own"] is None
    total = sum(call["tokens"] for call in calls)
    assert rows(http, "SELECT tokens FROM traces") == [{"tokens": total}]
