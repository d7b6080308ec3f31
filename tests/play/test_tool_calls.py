"""A model's tool calls: carried out where the tool is stored, each a span, within a bound; else they are the answer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from play.plays import Play, typed
from tracestore.client import Client
from tracestore.server import Server

CODE = '''
def look(order: int) -> dict:
    """Looks an order up."""
    return {"city": "Bonn", "order": order}
'''
BODY: dict[str, Any] = {
    "messages": [{"role": "user", "content": "{{input.question}}"}],
    "provider": "stub",
    "model": "stub-tools",
}


@pytest.fixture
def tool(client: Client) -> str:
    client.tools.put("look", {"type": "python", "code": CODE, "function": "look"})
    return "look"


@pytest.mark.parametrize("provider", ["stub", "ant"])
def test_a_stored_tool_is_called_and_the_model_told(
    server: Server, client: Client, tool: str, provider: str
) -> None:
    del server
    prompt = client.prompts.create("topic", {**BODY, "provider": provider, "tools": [tool]})
    run = prompt.run({"question": "Where is my parcel?"})
    assert run.told["turns"] == 2
    assert "Bonn" in run.output
    roles = [each["role"] for each in run.told["messages"]]
    assert roles == ["assistant", "tool", "assistant"]
    spans = client.sql("SELECT * FROM spans ORDER BY start_ns, is_root DESC").rows()
    assert [(each["type"], each["name"]) for each in spans] == [
        ("agent", "topic"),
        ("llm", "chat stub-tools"),
        ("tool", "look"),
        ("llm", "chat stub-tools"),
    ]
    assert {each["parent_span_id"] for each in spans[1:]} == {run.span_id}
    assert (spans[2]["input"], spans[2]["output"]) == (
        {"order": 7},
        {"city": "Bonn", "order": 7},
    )
    assert spans[3]["input"][-1]["content"] == {"city": "Bonn", "order": 7}


def test_a_model_that_calls_for_ever_is_stopped(client: Client, tool: str) -> None:
    body = {**BODY, "model": "stub-loop", "tools": [tool], "max_turns": 3}
    client.prompts.create("topic", body)
    answer = httpx.post(
        f"{client.url}/api/prompts/topic/run", json={"input": {"question": "x"}}, timeout=None
    )
    assert answer.status_code == 502
    assert "still calls tools after 3 turns" in answer.json()["detail"]
    counts = client.sql("SELECT type, count(*) AS n FROM spans GROUP BY ALL ORDER BY ALL").rows()
    assert counts == [{"type": "agent", "n": 1}, {"type": "llm", "n": 3}, {"type": "tool", "n": 3}]


def test_a_call_of_a_tool_that_the_prompt_defines_is_the_answer(client: Client) -> None:
    tools = [{"name": "other", "description": "", "parameters": {"type": "object"}}]
    prompt = client.prompts.create("topic", {**BODY, "tools": tools})
    run = prompt.run({"question": "x"})
    [call] = run.output["tool_calls"]
    assert call["function"] == {"name": "other", "arguments": {"order": 7}}
    assert run.told["finish_reason"] == "tool_calls"


def test_a_tool_of_a_cell_is_below_its_case(server: Server, client: Client, tool: str) -> None:
    play = Play(server.url, {"rows": typed("parcel?"), "columns": {"a": {**BODY, "tools": [tool]}}})
    assert play.run_to_end()["done"] == 1
    cell = play.cells()["a", "r0"]
    assert cell["turns"] == 2
    tree = client.sql(
        "SELECT s.type, p.type AS above FROM spans s JOIN spans p "
        "ON p.span_id = s.parent_span_id ORDER BY ALL"
    ).rows()
    assert tree == [
        {"type": "agent", "above": "eval"},
        {"type": "llm", "above": "agent"},
        {"type": "llm", "above": "agent"},
        {"type": "tool", "above": "agent"},
    ]
