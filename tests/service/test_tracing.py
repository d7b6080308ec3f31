"""`init` and `traced`: the same function in the application and in an eval, its calls spans that are cases."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

import tracestore
from tracestore.server import Server, ServerSettings
from tracestore.tracing import TracingError

SPANS = (
    "SELECT name, type, input, output, status_code, error.message AS message, parent_span_id IS NULL AS is_top, "
    "metadata.version AS version FROM spans ORDER BY start_ns"
)


@dataclasses.dataclass
class Order:
    number: int


class Shop:
    @tracestore.traced(type="tool", metadata={"version": 2})
    def find(self, number: int) -> Order:
        return Order(number)


@tracestore.traced
def answer(question: str) -> str:
    Shop().find(7)
    return question.upper()


@tracestore.traced(name="asked", type="chain")
async def ask(question: str, *, tone: str = "kind") -> dict[str, Any]:
    await asyncio.sleep(0)
    return {"text": answer(question), "tone": tone}


@tracestore.traced(type="llm")
def stream(prompt: str) -> Iterator[str]:
    yield from (prompt, "!", "?")


@tracestore.traced
async def pages(count: int) -> AsyncIterator[int]:
    for number in range(count):
        yield number


@tracestore.traced(input=False, output=False)
def secret(password: str) -> str:
    raise ValueError("no such user [x]" if password else "empty")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("tracing") / "store"
    with Server(ServerSettings(data=folder, port=0, grpc_port=-1)) as running:
        yield running


def told(server: Server, project: str) -> list[dict[str, Any]]:
    with tracestore.Client(server.url) as client:
        answer = client.sql(SPANS.replace("FROM spans", f"FROM project_logs('{project}')"))
        return answer.rows()


def test_calls_are_spans_with_input_and_output(server: Server) -> None:
    with tracestore.init("app", url=server.url):
        asyncio.run(ask("why", tone="dry"))
        assert "".join(stream("go")) == "go!?"

        async def read() -> list[int]:
            return [page async for page in pages(3)]

        assert asyncio.run(read()) == [0, 1, 2]
        with pytest.raises(ValueError, match="no such user"):
            secret("hunter2")
    rows = told(server, "app")
    assert [
        (row["name"], row["type"], row["input"], row["output"], row["is_top"]) for row in rows
    ] == [
        (
            "asked",
            "chain",
            {"question": "why", "tone": "dry"},
            {"text": "WHY", "tone": "dry"},
            True,
        ),
        ("answer", "function", "why", "WHY", False),
        ("Shop.find", "tool", 7, {"number": 7}, False),
        ("stream", "llm", "go", "go!?", True),
        ("pages", "function", 3, [0, 1, 2], True),
        ("secret", "function", None, None, True),
    ]
    assert (rows[-1]["status_code"], rows[-1]["message"]) == ("ERROR", "no such user [x]")
    assert rows[2]["version"] == 2


def test_logged_calls_are_the_rows_of_an_eval(server: Server) -> None:
    with tracestore.init("loop", url=server.url):
        for question in ("one", "two"):
            answer(question)
    with tracestore.Client(server.url) as client:
        sql = "SELECT trace_id, span_id, input, output FROM project_logs('loop') WHERE name = 'answer'"
        client.datasets.add("questions", sql=sql, project="loop")
        result = tracestore.Eval(
            "loop",
            data=tracestore.dataset("questions"),
            task=answer,
            scores=[lambda output, expected: output == expected],
            url=server.url,
            summary=False,
        )
        assert [case.output for case in sorted(result.cases, key=lambda case: case.case.input)] == [
            "ONE",
            "TWO",
        ]
        assert next(iter(result.scores.values())).mean == 1
        below = client.sql(
            f"SELECT count(*) AS n FROM experiment('{result.experiment}', 'loop') "
            "WHERE name = 'answer' AND type = 'function'"
        )
        assert below.rows() == [{"n": 2}]


def test_a_second_call_sends_spans_elsewhere_alone(server: Server) -> None:
    with tracestore.init("first", url=server.url):
        answer("a")
        with tracestore.init("second", url=server.url):
            answer("b")
    answer("nowhere")
    assert [row["input"] for row in told(server, "first") if row["name"] == "answer"] == ["a"]
    assert [row["input"] for row in told(server, "second") if row["name"] == "answer"] == ["b"]


def test_an_instrumentation_that_is_not_installed_is_named_with_those_that_are() -> None:
    with pytest.raises(TracingError, match=r"cannot instrument nosuch.*installed: .*pip install"):
        tracestore.init(instrument=["nosuch"])


def test_an_installed_instrumentation_is_turned_on_in_one_line(server: Server) -> None:
    pytest.importorskip("openinference.instrumentation.openai")
    from openinference.instrumentation.openai import OpenAIInstrumentor

    with tracestore.init("ai", url=server.url, instrument=["openai"]):
        try:
            assert OpenAIInstrumentor().is_instrumented_by_opentelemetry
        finally:
            OpenAIInstrumentor().uninstrument()


def test_nothing_is_kept_of_calls_where_nobody_asked_for_tracing(tmp_path: Path) -> None:
    del tmp_path
    assert answer("plain") == "PLAIN"
    assert answer.__name__ == "answer"
    assert asyncio.iscoroutinefunction(ask)
