"""Calls of models: tried again while that may help, told plainly where it does not, and bounded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import httpx
import pytest

from play.conftest import providers
from tracestore.client import Client
from tracestore.demo.stub_model import StubModel
from tracestore.errors import ProviderError
from tracestore.play.providers import asking
from tracestore.play.providers.adapter import Reading
from tracestore.play.providers.anthropic_messages import AnthropicMessages
from tracestore.play.providers.asking import Answered, ModelClient
from tracestore.play.providers.calls import Gathered, ModelCall, ToolDefinition
from tracestore.play.providers.event_stream import ServerEvent, events_of
from tracestore.play.providers.openai_chat import OpenAiChat
from tracestore.play.providers.pace import Pace
from tracestore.play.providers.registry import ADAPTERS
from tracestore.server import Server

T = TypeVar("T")
ASKED = [{"role": "user", "content": "Where is my parcel?"}]
LOOK = ToolDefinition("look", "Looks.", {"type": "object"})


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(asking, "FIRST_WAIT_S", 0.0)


def with_client(
    stub: StubModel, name: str, act: Callable[[ModelClient], Awaitable[T]], **more: Any
) -> T:
    async def run() -> T:
        settings = providers(stub.url, **more)[name]
        pace = Pace(settings.concurrency, settings.requests_per_minute)
        async with httpx.AsyncClient() as http:
            return await act(ModelClient(name, settings, ADAPTERS[settings.kind], http, pace))

    return asyncio.run(run())


async def gathered(client: ModelClient, model: str, **more: Any) -> tuple[Gathered, Answered]:
    answer = Gathered()
    async for part in client.stream(ModelCall(model, ASKED, **more)):
        if isinstance(part, Answered):
            return answer, part
        answer.add(part)
    raise AssertionError("no end")


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("name", ["stub", "ant"])
@pytest.mark.parametrize(
    ("model", "tries"), [("stub", 1), ("stub-429", 2), ("stub-500", 2), ("stub-whole", 1)]
)
def test_a_call_is_tried_again_where_that_helps(
    stub: StubModel, name: str, model: str, tries: int
) -> None:
    answer, end = with_client(stub, name, lambda client: gathered(client, model))
    assert answer.text.endswith("about your parcel. Where is my parcel?")
    assert (answer.finish_reason, end.tries, end.model) == ("stop", tries, model)
    assert answer.usage is not None
    assert answer.usage.completion_tokens == 17


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("name", ["stub", "ant"])
@pytest.mark.parametrize(
    ("model", "status", "words", "calls"),
    [
        ("stub-429-always", 429, "answered 429: slow down; ask less often", 1),
        ("stub-500-always", 500, "answered 500: something broke", asking.TRIES),
        ("nosuch", 404, "'nosuch' does not exist; look at the model's name", 1),
        ("stub-cut", None, "ends in the middle", 1),
        ("stub-error", None, "overloaded", 1),
        ("", None, "no model is named; choose one", 0),
    ],
)
def test_what_a_provider_says_is_told(
    stub: StubModel, name: str, model: str, status: int | None, words: str, calls: int
) -> None:
    with pytest.raises(ProviderError) as error:
        with_client(stub, name, lambda client: gathered(client, model))
    assert words in str(error.value)
    assert (error.value.status, error.value.provider) == (status, name)
    assert stub.asked[model] == calls


def test_a_key_that_is_not_there_is_named(stub: StubModel, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PLAY_TEST_OPENAI", raising=False)
    with pytest.raises(ProviderError, match="no key in variable PLAY_TEST_OPENAI; set it"):
        with_client(stub, "stub", lambda client: gathered(client, "stub"))


@pytest.mark.usefixtures("keys")
def test_calls_at_once_are_bounded(stub: StubModel) -> None:
    async def many(client: ModelClient) -> None:
        await asyncio.gather(*(gathered(client, "stub-slow") for _ in range(12)))

    with_client(stub, "stub", many, concurrency=3)
    assert stub.asked["stub-slow"] == 12
    assert stub.most_running <= 3


@pytest.mark.usefixtures("keys")
def test_a_call_ends_in_its_time(stub: StubModel) -> None:
    stub.held.clear()
    with pytest.raises(ProviderError, match="no whole answer came"):
        with_client(stub, "stub", lambda client: gathered(client, "stub"), timeout_s=0.3)
    stub.held.set()


@pytest.mark.usefixtures("keys")
@pytest.mark.parametrize("name", ["stub", "ant"])
def test_tool_calls_come_in_parts(stub: StubModel, name: str) -> None:
    answer, _ = with_client(stub, name, lambda client: gathered(client, "stub-tools", tools=[LOOK]))
    [call] = answer.message()["tool_calls"]
    assert call["function"] == {"name": "look", "arguments": {"order": 7}}
    assert answer.finish_reason == "tool_calls"


def test_one_form_is_written_for_each_kind() -> None:
    image = {"type": "image", "url": "data:image/png;base64,AAAA"}
    look = {"id": "c1", "function": {"name": "look", "arguments": {"order": 7}}}
    messages: list[dict[str, Any]] = [
        {"role": "system", "content": "Be short."},
        {"role": "user", "content": [{"type": "text", "text": "a"}, image]},
        {"role": "assistant", "tool_calls": [look]},
        {"role": "tool", "tool_call_id": "c1", "content": {"city": "Bonn"}},
        {"role": "user", "content": "and?"},
    ]
    call = ModelCall(
        "m", messages, {"max_tokens": 5, "stop": "x", "tool_choice": "required"}, [LOOK]
    )
    openai = OpenAiChat().outgoing(call, "x.example").body
    assert openai["messages"][1]["content"][1] == {
        "type": "image_url",
        "image_url": {"url": "data:image/png;base64,AAAA"},
    }
    assert openai["messages"][2]["tool_calls"][0]["function"]["arguments"] == '{"order": 7}'
    assert openai["messages"][3]["content"] == '{"city": "Bonn"}'
    assert (openai["max_tokens"], openai["stop"]) == (5, "x")
    own = OpenAiChat().outgoing(call, "api.openai.com").body
    assert (own["max_completion_tokens"], "max_tokens" in own) == (5, False)
    anthropic = AnthropicMessages().outgoing(call, "x.example").body
    assert anthropic["system"] == "Be short."
    assert [each["role"] for each in anthropic["messages"]] == ["user", "assistant", "user"]
    assert anthropic["messages"][0]["content"][1]["source"]["media_type"] == "image/png"
    assert anthropic["messages"][1]["content"] == [
        {"type": "tool_use", "id": "c1", "name": "look", "input": {"order": 7}}
    ]
    assert [each["type"] for each in anthropic["messages"][2]["content"]] == ["tool_result", "text"]
    assert (anthropic["stop_sequences"], anthropic["tool_choice"]) == (["x"], {"type": "any"})


@pytest.mark.parametrize("adapter", [OpenAiChat(), AnthropicMessages()])
@pytest.mark.parametrize(
    "data",
    [
        "nonsense",
        "[]",
        '{"choices": 1}',
        '{"choices": [1], "usage": 3}',
        '{"type": "content_block_delta", "index": {}, "delta": 1}',
        '{"type": "message_start", "message": 1}',
        '{"error": "x"}',
        '{"choices": [{"delta": {"tool_calls": [1]}}]}',
        "[" * 10_000,
    ],
)
def test_an_event_of_another_form_is_an_error_or_nothing(adapter: Any, data: str) -> None:
    try:
        list(adapter.deltas("", data, Reading()))
    except (ValueError, AttributeError, TypeError, KeyError):
        # `asking` tells of each of them as the provider's fault.
        return


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_events_are_read_however_they_are_cut(size: int, end: str) -> None:
    lines = [": x", "event: a", "data: 1", "data: é", "", "data:2", "", "event: b", "", "data: cut"]
    data = end.join(lines).encode()

    async def read() -> list[ServerEvent]:
        async def parts() -> Any:
            for at in range(0, len(data), size):
                yield data[at : at + size]

        return [each async for each in events_of(parts())]

    assert asyncio.run(read()) == [ServerEvent("a", "1\né"), ServerEvent("", "2")]


def test_models_are_listed_where_the_endpoint_does(server: Server, client: Client) -> None:
    told = client._send("GET", "/api/providers/stub/models").json()
    assert (told["listed"], told["failure"]) == (True, None)
    assert "stub-slow" in told["models"]
    shown = httpx.get(f"{server.url}/api/providers").json()
    assert [(each["name"], each["has_key"]) for each in shown] == [("ant", True), ("stub", True)]
    assert "sk-" not in json.dumps(shown)
