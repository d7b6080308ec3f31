"""Prompts: versions and labels, rendering, runs of both kinds of providers as spans."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest

from tracestore.client import Client, ClientError
from tracestore.server import Server

PROMPT: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Answer in one word."},
        {"role": "user", "content": "{{input.question}}{{#input.notes}}\n- {{.}}{{/input.notes}}"},
    ],
    "provider": "stub",
    "model": "stub",
    "parameters": {"temperature": 0.5},
}
QUESTION = {"question": "Where is my parcel?", "notes": ["it is late"]}


def call(server: Server, method: str, path: str, **more: Any) -> Any:
    answer = httpx.request(method, f"{server.url}{path}", timeout=None, **more)
    assert answer.status_code == 200, answer.text
    return answer.json()


def created(server: Server, **more: Any) -> Any:
    body = {"slug": "topic", "body": {**PROMPT, **more}}
    return call(server, "POST", "/api/prompts", json=body)


def events(answer: httpx.Response) -> list[tuple[str, Any]]:
    found = []
    for part in answer.text.split("\n\n"):
        lines = [line for line in part.split("\n") if line and not line.startswith(":")]
        if lines:
            found.append((lines[0].removeprefix("event: "), json.loads(lines[1][6:])))
    return found


def test_a_label_moves_between_versions(server: Server) -> None:
    first = created(server)
    assert (first["version"], first["labels"]) == (1, {})
    call(server, "PUT", "/api/prompts/topic/labels/production", json={"version": 1})
    changed = {**PROMPT, "model": "stub-small"}
    saved = call(server, "PUT", "/api/prompts/topic", json={"version": 1, "body": changed})
    assert saved["version"] == 2
    told = call(server, "GET", "/api/prompts/topic/diff", params={"before": 1, "after": 2})
    assert told["changes"] == [{"path": ["model"], "before": "stub", "after": "stub-small"}]
    by_label = {"label": "production"}
    assert call(server, "GET", "/api/prompts/topic", params=by_label)["version"] == 1
    call(server, "PUT", "/api/prompts/topic/labels/production", json={"version": 2})
    assert call(server, "GET", "/api/prompts/topic", params=by_label)["version"] == 2
    versions = call(server, "GET", "/api/prompts/topic/versions")
    assert [(each["version"], each["labels"]) for each in versions] == [
        (2, ["production"]),
        (1, []),
    ]


@pytest.mark.parametrize("provider", ["stub", "ant"])
def test_a_run_is_a_span_with_the_prompt_and_what_the_call_used(
    server: Server, client: Client, provider: str
) -> None:
    created(server)
    body = {"input": QUESTION, "provider": provider}
    ran = call(server, "POST", "/api/prompts/topic/run", json=body)
    assert (ran["output"], ran["finish_reason"], ran["turns"]) == ("parcel", "stop", 1)
    usage = {name: count for name, count in ran["usage"].items() if count}
    assert usage == {"prompt_tokens": 16, "completion_tokens": 1, "tokens": 17}
    assert ran["cost"] == pytest.approx(18e-6)
    [span] = client.sql("SELECT * FROM spans").rows()
    assert (span["type"], span["trace_id"], span["span_id"]) == (
        "llm",
        ran["trace_id"],
        ran["span_id"],
    )
    assert span["metadata"]["prompt"] == {"slug": "topic", "version": 1}
    assert (span["metadata"]["model"], span["metadata"]["provider"]) == ("stub", provider)
    assert span["input"][1] == {"role": "user", "content": "Where is my parcel?\n- it is late"}
    assert span["output"] == [{"role": "assistant", "content": "parcel", "finish_reason": "stop"}]
    assert span["metrics"]["tokens"] == 17
    assert span["metrics"]["estimated_cost"] == pytest.approx(18e-6)
    assert 0 < span["metrics"]["time_to_first_token"] <= span["duration"]


@pytest.mark.parametrize("provider", ["stub", "ant"])
def test_a_run_streams_its_parts(server: Server, provider: str) -> None:
    created(server, messages=[{"role": "user", "content": "{{input}}"}], provider=provider)
    body = {"input": "a bill", "stream": True}
    with httpx.Client(timeout=None) as http:
        answer = http.post(f"{server.url}/api/prompts/topic/run", json=body)
    found = events(answer)
    text = "".join(data["text"] for name, data in found if name == "delta")
    assert text.endswith("your invoice. a bill")
    assert len(found) > 5
    assert (found[-1][0], found[-1][1]["output"]) == ("done", text)


def test_a_schema_makes_the_output_a_value(server: Server) -> None:
    schema = {"type": "object", "properties": {"topic": {"type": "string"}}}
    created(server, response_schema=schema)
    for provider in ("stub", "ant"):
        body = {"input": QUESTION, "provider": provider}
        ran = call(server, "POST", "/api/prompts/topic/run", json=body)
        assert (ran["output"], ran["finish_reason"]) == ({"topic": "parcel"}, "stop")


def test_a_run_joins_the_callers_trace(server: Server, client: Client) -> None:
    created(server)
    trace, parent = "ab" * 16, "cd" * 8
    headers = {"traceparent": f"00-{trace}-{parent}-01"}
    call(server, "POST", "/api/prompts/topic/run", json={"input": QUESTION}, headers=headers)
    [span] = client.sql("SELECT trace_id, parent_span_id FROM spans").rows()
    assert (span["trace_id"], span["parent_span_id"]) == (trace, parent)


def test_a_template_that_cannot_be_read_is_refused_when_it_is_saved(server: Server) -> None:
    body = {**PROMPT, "messages": [{"role": "user", "content": "{{#a}}"}]}
    answer = httpx.post(f"{server.url}/api/prompts", json={"slug": "bad", "body": body})
    assert answer.status_code == 400
    assert "section a does not end" in answer.json()["detail"]


def test_what_is_missing_is_told(server: Server) -> None:
    created(server)
    told = call(server, "POST", "/api/prompts/topic/render", json={"input": {}})
    assert told["missing"] == ["input.question"]
    assert told["messages"][1]["content"] == ""
    with (
        Client(server.url) as client,
        pytest.raises(ClientError, match="cannot find prompt") as error,
    ):
        client._send("POST", "/api/prompts/nosuch/render", json={})
    assert error.value.status == 404
