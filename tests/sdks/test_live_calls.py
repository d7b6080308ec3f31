"""SDKs that are installed (`make sdks`), against a stub of the models: their calls have the columns of all others.

Each program beside this file runs as a user would, and sends to a server. What is stored is held against what the stub
answered, and against the columns of the program's recording.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest

from data import processes
from sdks import running, stub_models
from tracestore.server import Server, ServerSettings

PAGE: Final = Path(__file__).parents[2] / "docs" / "guide" / "conventions.md"

SYSTEM: Final = "You help customers."
QUESTION: Final = "Where is my late parcel?"
CALL: Final = {"name": "lookup_order", "arguments": stub_models.ARGUMENTS}

# Tokens that an SDK counts beside those of its calls: OpenLLMetry adds the first event of a stream.
MORE: Final = {"anthropic_traceloop": 1}

CALLS: Final = """
    SELECT input, output, metadata.model AS model, metrics.prompt_tokens AS prompt,
        metrics.completion_tokens AS completion, metrics.prompt_cached_tokens AS cached
    FROM spans
    ANTI JOIN (SELECT * FROM repeated_calls WHERE tokens) AS again
    ON spans.project = again.project AND spans.trace_id = again.trace_id AND spans.span_id = again.span_id
    WHERE type = 'llm' AND status_code <> 'ERROR' ORDER BY start_ns"""
TOOLS: Final = "SELECT input, output FROM spans WHERE type = 'tool'"
FAILED: Final = "SELECT count(*) AS calls FROM spans WHERE type = 'llm' AND status_code = 'ERROR' AND error IS NULL"


@pytest.fixture(scope="module", params=running.NAMES)
def program(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, httpx.Client, stub_models.Models]]:
    reason = running.missing(request.param)
    if reason is not None:
        pytest.skip(reason)
    folder = tmp_path_factory.mktemp("sdk")
    settings = ServerSettings(data=folder / "store", port=0, grpc_port=0)
    with Server(settings) as server, stub_models.serving() as models:
        running.run(request.param, models, server.url, folder)
        with httpx.Client(base_url=server.url, timeout=processes.HANG_S) as http:
            yield request.param, http, models


Program = tuple[str, httpx.Client, stub_models.Models]


def rows(http: httpx.Client, sql: str) -> list[dict[str, Any]]:
    answer = http.post("/api/query", json={"sql": sql})
    assert answer.status_code == 200, answer.text
    names = [column["name"] for column in answer.json()["columns"]]
    return [dict(zip(names, row, strict=True)) for row in answer.json()["rows"]]


def test_its_tokens_count_once(program: Program) -> None:
    name, http, models = program
    wanted = sum(models.tokens) + MORE.get(name, 0)
    [summed] = rows(http, "SELECT sum(tokens)::BIGINT AS tokens FROM traces")
    assert summed["tokens"] == wanted
    [query] = [
        block
        for block in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if "repeated_calls" in block
    ]
    assert sum(int(row["tokens"] or 0) for row in rows(http, query)) == wanted


def test_its_calls_are_all_there(program: Program) -> None:
    _, http, models = program
    calls = rows(http, CALLS)
    assert len(calls) == len(
        [used for used in models.tokens if used != stub_models.EMBEDDING_TOKENS]
    )
    for call in calls:
        assert call["model"]
        assert call["prompt"] in {21, 42}
        assert call["completion"] in {9, 10}


def test_its_messages_have_the_one_form(program: Program) -> None:
    _, http, _ = program
    for call in rows(http, CALLS):
        said = [(message["role"], message.get("content")) for message in call["input"]]
        assert said[:2] == [("system", SYSTEM), ("user", QUESTION)]
        answer = call["output"][-1]
        assert answer["role"] == "assistant"
        if "tool_calls" in answer:
            [asked] = answer["tool_calls"]
            assert asked["function"] == CALL
        else:
            assert answer["content"] == stub_models.ANSWER


def test_its_tools_have_values(program: Program) -> None:
    _, http, _ = program
    for tool in rows(http, TOOLS):
        if "input_str" in tool["input"]:
            continue  # OpenLLMetry sends the arguments of LangChain's tools as the text of a dict of Python
        assert stub_models.ARGUMENTS["order"] in (
            tool["input"].get("order"),
            *tool["input"].get("args", ()),
        )
        assert tool["output"] == {"city": "Bonn"}


def test_its_failed_calls_say_why(program: Program) -> None:
    _, http, _ = program
    assert rows(http, FAILED) == [{"calls": 0}]
