"""What an agent's arguments can do over MCP: every text of every tool, found by the tools' own schemas."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

import tracestore
from data import processes
from security.conftest import spans_of
from security.hostile import TEXTS
from tracestore.doors.outlines import MAX_ANSWER_CHARACTERS
from tracestore.server import Server, ServerSettings
from tracestore.store import KeyRing

NOTES_CHARACTERS = 4000
"""Of the lines behind an answer, and of a refusal."""

VALID: dict[str, Any] = {
    "sql": "SELECT name FROM spans",
    "name": "set",
    "trace_id": f"{1:031x}a",
    "span_id": f"{1:015x}a",
    "experiments": ["run of A", "run of A"],
    "tags": ["x"],
}
"""What an argument may be where it is not the one that is tried."""


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, str]]:
    """Gives a server of projects A and B, and a key that may do anything to A."""
    folder = tmp_path_factory.mktemp("mcp") / "store"
    tracestore.open(folder, background=False).close()
    ring = KeyRing(folder)
    key = ring.create("agent", ("read", "ingest"), ("A",))[1]
    ring.close()
    with Server(ServerSettings(data=folder, port=0, grpc_port=-1, require_keys=True)) as server:
        for project in "AB":
            server.store.insert("spans", spans_of(project), project=project)
        yield server, key


def talk(keyed: tuple[Server, str], say: Any) -> Any:
    server, key = keyed

    async def talking() -> Any:
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(headers=headers, timeout=processes.HANG_S) as http:
            transport = streamable_http_client(f"{server.url}/mcp", http_client=http)
            async with Client(transport) as client:
                return await say(client)

    return asyncio.run(talking())


async def answer(client: Any, tool: str, arguments: dict[str, Any]) -> str:
    try:
        result = await client.call_tool(tool, arguments)
    except MCPError as error:
        return str(error)
    return "".join(part.text for part in result.content)


def texts_of(schema: dict[str, Any]) -> list[str]:
    """Returns the arguments of a tool that a text can be given for, in a list or alone."""
    return [
        name
        for name, told in schema["properties"].items()
        if '"type": "string"' in str(told).replace("'", '"')
    ]


def test_no_text_of_any_argument_reaches_another_project(keyed: tuple[Server, str]) -> None:
    async def ask(client: Any) -> int:
        tried = 0
        for tool in (await client.list_tools()).tools:
            required = {name: VALID.get(name) for name in tool.input_schema.get("required", ())}
            for name in texts_of(tool.input_schema):
                for text in TEXTS:
                    for given in (text, [text]):
                        said = await answer(client, tool.name, {**required, name: given})
                        assert "secret-of-B" not in said, (tool.name, name, text)
                        assert len(said) < MAX_ANSWER_CHARACTERS + NOTES_CHARACTERS + 2 * len(text)
                        tried += 1
        return tried

    assert talk(keyed, ask) > 1000
    server, _ = keyed
    assert server.store.sql("SELECT count(*) AS n FROM spans WHERE project = 'B'").rows() == [
        {"n": 40}
    ]


@pytest.mark.parametrize(
    ("tool", "arguments"),
    [
        ("query", {"sql": "SELECT * FROM spans WHERE project = 'B'"}),
        ("query", {"sql": "SELECT path FROM paths"}),
        ("get_trace", {"trace_id": f"{1:031x}b"}),
        ("get_span", {"trace_id": f"{1:031x}b", "span_id": f"{1:015x}b"}),
        ("feedback", {"trace_id": f"{1:031x}b", "span_id": f"{1:015x}b", "tags": ["mine"]}),
        ("compare", {"experiments": ["run of B", "run of B"]}),
        ("compare", {"experiments": ["run of B", "run of B"], "project": "B"}),
        ("schema", {"like": "only_"}),
    ],
)
def test_what_is_of_another_project_is_not_there(
    keyed: tuple[Server, str], tool: str, arguments: dict[str, Any]
) -> None:
    said = talk(keyed, lambda client: answer(client, tool, arguments))
    assert "secret-of-B" not in said and "only_B" not in said
    server, _ = keyed
    rows = server.store.sql(
        "SELECT count(*) AS n FROM spans WHERE list_contains(tags, 'mine')"
    ).rows()
    assert rows == [{"n": 0}]


@pytest.mark.parametrize(
    "arguments",
    [
        {"sql": "SELECT '" + "x" * 60_000 + "'"},
        {"sql": "SELECT 1", "max_rows": 10**9},
        {"sql": "SELECT 1", "max_cell": -1},
        {"sql": ["SELECT 1"]},
        {"sql": {"a": {"b": [[[[]]]]}}},
        {},
    ],
)
def test_arguments_beyond_their_bounds_are_refused(
    keyed: tuple[Server, str], arguments: dict[str, Any]
) -> None:
    said = talk(keyed, lambda client: answer(client, "query", arguments))
    assert "alid" in said and len(said) < 100_000


def test_an_answer_of_long_cells_stays_within_its_bound(keyed: tuple[Server, str]) -> None:
    sql = "SELECT repeat('x', 1000000) AS a, repeat('y', 1000000) AS b FROM range(200)"
    said = talk(
        keyed,
        lambda client: answer(client, "query", {"sql": sql, "max_rows": 200, "max_cell": 4000}),
    )
    assert len(said) < MAX_ANSWER_CHARACTERS + NOTES_CHARACTERS
    assert "left out" in said
