"""Prompts by the clients: rendered where they are asked for, run on the server, in the caller's trace."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry.sdk.trace import TracerProvider

from tracestore.client import AsyncClient, Client, ClientError
from tracestore.client.prompts import PromptRun
from tracestore.server import Server
from tracestore.store.catalog import documents as tables

BODY: dict[str, Any] = {
    "messages": [
        {"role": "system", "content": "Answer in one word."},
        {"role": "messages", "content": "input.history", "from": 1},
        {"role": "user", "content": [{"type": "text", "text": "{{input.question}} <&>"}]},
    ],
    "provider": "stub",
    "model": "stub",
}
INPUT: dict[str, Any] = {
    "question": "Where is my parcel?",
    "history": [{"role": "user", "content": "{{a}}"}, {"role": "assistant", "content": "{{b}}"}],
}


def test_a_prompt_is_rendered_here_as_it_is_there(client: Client) -> None:
    prompt = client.prompts.create("topic", BODY)
    messages = prompt.render(INPUT)
    assert messages == [
        {"role": "system", "content": "Answer in one word."},
        {"role": "assistant", "content": "{{b}}"},
        {"role": "user", "content": [{"type": "text", "text": "Where is my parcel? <&>"}]},
    ]
    told = client._send("POST", "/api/prompts/topic/render", json={"input": INPUT}).json()
    assert told["messages"] == messages


def test_a_label_is_what_an_application_asks_for(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tables, "MAX_VERSIONS", 3)
    first = client.prompts.create("topic", BODY)
    client.prompts.label("topic", "production", first.version)
    client.prompts.save("topic", {**BODY, "model": "stub-small"}, version=1)
    prompt = client.prompts.get("topic", label="production")
    assert (prompt.version, prompt.labels) == (1, {"production": 1})
    run = prompt.run(INPUT)
    assert (run.output, run.told["version"]) == ("parcel", 1)
    client.score((run.trace_id, run.span_id), "helpful", 1.0)
    [span] = client.sql("SELECT scores.helpful AS helpful FROM spans").rows()
    assert span["helpful"] == 1.0
    with pytest.raises(ClientError) as error:
        client.prompts.save("topic", BODY, version=1)
    assert error.value.status == 409
    for version in range(2, 8):
        client.prompts.save("topic", BODY, version=version)
    kept = [each["version"] for each in client.prompts.versions("topic")]
    assert (len(kept), kept[-1]) == (4, 1)
    assert client.prompts.get("topic", label="production").body["model"] == "stub"


def test_a_run_streams_and_tells_of_failures(client: Client) -> None:
    prompt = client.prompts.create("topic", {**BODY, "model": "stub-slow"})
    *parts, run = prompt.stream(INPUT)
    assert isinstance(run, PromptRun)
    assert "".join(map(str, parts)) == run.output == "parcel"
    with pytest.raises(ClientError, match="does not exist"):
        prompt.run(INPUT, model="nosuch")
    with pytest.raises(ClientError, match="ends in the middle"):
        list(prompt.stream(INPUT, model="stub-cut"))
    with pytest.raises(ClientError, match="no list of messages") as error:
        prompt.run({"question": "x"})
    assert error.value.status == 400


def test_runs_with_an_event_loop_are_below_the_current_span(server: Server, client: Client) -> None:
    client.prompts.create("topic", BODY)

    async def ask() -> tuple[PromptRun, list[Any]]:
        async with AsyncClient(server.url) as ours:
            prompt = await ours.prompts.get("topic")
            assert len(prompt.render(INPUT)) == 3
            run = await prompt.run(INPUT)
            return run, [part async for part in prompt.stream(INPUT)]

    tracer = TracerProvider().get_tracer("app")
    with tracer.start_as_current_span("request") as span:
        run, parts = asyncio.run(ask())
    context = span.get_span_context()
    assert run.trace_id == f"{context.trace_id:032x}"
    assert parts[-1].output == "parcel"
    told = client.sql("SELECT DISTINCT parent_span_id FROM spans").rows()
    assert told == [{"parent_span_id": f"{context.span_id:016x}"}]
