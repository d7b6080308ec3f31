"""SDKs that are pointed at the gateway, unchanged: OpenAI's and Anthropic's, of Python and of Node."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anthropic
import openai
import pytest

from data import processes
from sdks import running, stub_models
from tracestore.server import Server

QUESTION: Any = [{"role": "user", "content": "Where is my parcel?"}]
TOOL = {
    "name": "lookup_order",
    "description": "Looks an order up.",
    "parameters": {"type": "object", "properties": {"order": {"type": "integer"}}},
}
FUNCTION: Any = {"type": "function", "function": TOOL}
LLM = {"type": "llm", "status_code": "UNSET"}

Stored = Callable[[int], list[dict[str, Any]]]


def openai_at(url: str) -> openai.OpenAI:
    return openai.OpenAI(base_url=url, api_key="none", max_retries=0)


@pytest.fixture
def oai(server: Server) -> Iterator[openai.OpenAI]:
    with openai_at(f"{server.url}/gateway/openai/v1") as client:
        yield client


@pytest.fixture
def claude(server: Server) -> Iterator[anthropic.Anthropic]:
    url = f"{server.url}/gateway/anthropic"
    with anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as client:
        yield client


def test_openais_chat(oai: openai.OpenAI, stored: Stored) -> None:
    made = oai.chat.completions.create(
        model="gpt-4o-mini", messages=QUESTION, temperature=0.5, max_tokens=50
    )
    assert made.choices[0].message.content == stub_models.ANSWER
    [span] = stored(1)
    assert LLM.items() <= span.items()
    assert span["input"] == QUESTION
    assert [(each["role"], each["content"]) for each in span["output"]] == [
        ("assistant", stub_models.ANSWER)
    ]
    assert (span["metadata"]["model"], span["metadata"]["provider"]) == ("gpt-4o-mini", "openai")
    metrics = span["metrics"]
    told = ("prompt_tokens", "completion_tokens", "tokens", "prompt_cached_tokens")
    assert [metrics[name] for name in told] == [21, 9, 30, 16]
    assert metrics["completion_reasoning_tokens"] == 4
    assert metrics["estimated_cost"] > 0
    # All that was asked stands beside, so that the call can be made again.
    assert span["attributes"]["gen_ai.request.temperature"] == 0.5
    request = span["attributes"]["input.value"]
    assert (json.loads(request) if isinstance(request, str) else request)["max_tokens"] == 50


def test_openais_chat_as_a_stream_with_a_tool(oai: openai.OpenAI, stored: Stored) -> None:
    streamed = oai.chat.completions.create(
        model="gpt-4o-mini",
        messages=QUESTION,
        tools=[FUNCTION],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(streamed)
    assert chunks[-1].usage is not None
    [span] = stored(1)
    [message] = span["output"]
    [call] = message["tool_calls"]
    assert call["function"] == {"name": "lookup_order", "arguments": stub_models.ARGUMENTS}
    assert span["metrics"]["tokens"] == 30
    assert span["metrics"]["time_to_first_token"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_openais_responses(oai: openai.OpenAI, stored: Stored, stream: bool) -> None:
    made: Any = oai.responses.create(
        model="gpt-4o-mini", input="Where?", instructions="You help.", stream=stream
    )
    if stream:
        made = next(event for event in made if event.type == "response.completed").response
    assert made.output_text == stub_models.ANSWER
    [span] = stored(1)
    assert [(each["role"], each["content"]) for each in span["input"]] == [
        ("system", "You help."),
        ("user", "Where?"),
    ]
    assert span["output"][0]["content"] == stub_models.ANSWER
    assert span["metrics"]["tokens"] == 30


def test_openais_embeddings(oai: openai.OpenAI, stored: Stored) -> None:
    made = oai.embeddings.create(model="text-embedding-3-small", input=["a", "b"])
    assert made.data[1].embedding == [0.25, -0.5, 0.75, 1.0]
    [span] = stored(1)
    assert (span["type"], span["input"]) == ("embedding", ["a", "b"])
    assert span["output"] == [[0.25, -0.5, 0.75, 1.0]] * 2
    assert span["metrics"]["prompt_tokens"] == 8


@pytest.mark.parametrize("with_tool", [False, True])
@pytest.mark.parametrize("stream", [False, True])
def test_anthropics_messages(
    claude: anthropic.Anthropic, stored: Stored, stream: bool, with_tool: bool
) -> None:
    asked: dict[str, Any] = {
        "model": "claude-of-the-test",
        "max_tokens": 100,
        "system": "You help.",
        "messages": QUESTION,
    }
    if with_tool:
        asked["tools"] = [{"name": "lookup_order", "input_schema": TOOL["parameters"]}]
    if stream:
        with claude.messages.stream(**asked) as events:
            made = events.get_final_message()
    else:
        made = claude.messages.create(**asked)
    assert made.usage.output_tokens == 9
    [span] = stored(1)
    assert LLM.items() <= span.items()
    assert [each["role"] for each in span["input"]] == ["system", "user"]
    [message] = span["output"]
    if with_tool:
        [call] = message["tool_calls"]
        assert call["function"] == {"name": "lookup_order", "arguments": stub_models.ARGUMENTS}
    else:
        assert message["content"] == stub_models.ANSWER
    assert span["metadata"]["provider"] == "anthropic"
    metrics = span["metrics"]
    told = (
        "prompt_tokens",
        "completion_tokens",
        "prompt_cached_tokens",
        "prompt_cache_creation_tokens",
    )
    assert [metrics[name] for name in told] == [42, 9, 16, 5]


def test_a_providers_refusal_is_the_sdks_own_error(
    oai: openai.OpenAI, claude: anthropic.Anthropic, stored: Stored
) -> None:
    with pytest.raises(openai.BadRequestError, match="no such model"):
        oai.chat.completions.create(model="broken", messages=QUESTION)
    with pytest.raises(anthropic.BadRequestError, match="no such model"):
        claude.messages.create(model="broken", max_tokens=5, messages=QUESTION)
    for span in stored(2):
        assert span["status_code"] == "ERROR"
        assert span["error"]["message"] == "no such model"


def test_the_gateways_own_refusals_are_the_sdks_errors(server: Server) -> None:
    for provider, why in (
        ("nosuch", "cannot find provider"),
        ("anthropic", "it is of kind anthropic"),
    ):
        with (
            openai_at(f"{server.url}/gateway/{provider}/v1") as client,
            pytest.raises(openai.NotFoundError, match=why),
        ):
            client.chat.completions.create(model="m", messages=QUESTION)
    url = f"{server.url}/gateway/openai"
    with (
        anthropic.Anthropic(base_url=url, api_key="none", max_retries=0) as claude,
        pytest.raises(anthropic.NotFoundError),
    ):
        claude.messages.create(model="m", max_tokens=5, messages=QUESTION)


NODE = """
import OpenAI from "openai";
import Anthropic from "@anthropic-ai/sdk";

const url = process.env.GATEWAY;
const openai = new OpenAI({ baseURL: `${url}/openai/v1`, apiKey: "none" });
const messages = [{ role: "user", content: "Where is my parcel?" }];
const whole = await openai.chat.completions.create({ model: "gpt-4o-mini", messages });
console.log(whole.choices[0].message.content);
let text = "";
for await (const chunk of await openai.chat.completions.create({ model: "gpt-4o-mini", messages, stream: true })) {
  text += chunk.choices[0]?.delta?.content ?? "";
}
console.log(text);
console.log((await openai.responses.create({ model: "gpt-4o-mini", input: "Where?" })).output_text);
const embedded = { model: "text-embedding-3-small", input: "a", encoding_format: "float" };
console.log((await openai.embeddings.create(embedded)).data[0].embedding.length);
const anthropic = new Anthropic({ baseURL: `${url}/anthropic`, apiKey: "none" });
const asked = { model: "claude-of-the-test", max_tokens: 100, messages };
console.log((await anthropic.messages.create(asked)).content[0].text);
console.log((await anthropic.messages.stream(asked).finalMessage()).content[0].text);
try {
  await openai.chat.completions.create({ model: "broken", messages });
} catch (error) {
  console.log(error.constructor.name);
}
"""


def test_the_sdks_of_node(server: Server, stored: Stored, tmp_path: Path) -> None:
    if not (running.NODE_MODULES / "openai").is_dir():
        pytest.skip("no SDKs of Node: make sdks")
    (tmp_path / "node_modules").symlink_to(running.NODE_MODULES)
    program = tmp_path / "program.mjs"
    program.write_text(NODE)
    done = subprocess.run(
        [running.NODE, str(program)],
        env={"GATEWAY": f"{server.url}/gateway", "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=processes.HANG_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = stub_models.ANSWER
    assert done.stdout.splitlines() == [
        answer,
        answer,
        answer,
        "4",
        answer,
        answer,
        "BadRequestError",
    ]
    found = stored(7)
    assert [span["type"] for span in found] == ["llm"] * 3 + ["embedding"] + ["llm"] * 3
    assert all(span["output"] for span in found[:-1])
