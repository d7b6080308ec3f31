"""Conversations read as people know them, whichever SDK reported them: messages, tools, images, audio, documents."""

from __future__ import annotations

import base64
import io
import re
import wave
from collections.abc import Callable, Iterator
from typing import Any, Final

import httpx
import pytest
from playwright.sync_api import Page, expect

from data import recordings
from tracestore.client import Client
from tracestore.server import Server, ServerSettings

OpenPage = Callable[..., Page]

PNG: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAACAAAAAgCAIAAAD8GO2jAAAAKElEQVR42u3NMQ0AAAgDsGlGGgqngoOkSf8ms7cEAoFAIBAIBALBl6Di6ZA9"
    "fZTMOAAAAABJRU5ErkJggg=="
)
WITHOUT_CALLS: Final = {
    "apm",
    "crewai-openinference",
    "google-adk",
    "js-openai-otel",
    "otel-openai-v2-experimental",
    "phoenix",
}
"""Recordings of servers, and of calls that hold no messages."""

CALL: Final = """
    SELECT trace_id, span_id, output[0].content::VARCHAR AS said FROM spans
    WHERE project = $project AND type = 'llm' AND input[0].role IS NOT NULL AND output[0].role IS NOT NULL
    ORDER BY input::VARCHAR LIKE '%tool_call_id%' DESC, start_ns LIMIT 1"""
"""A model call of a project, one that was told a tool's result where there is any."""


def tone() -> str:
    """Returns a tenth of a second of silence as a WAV file."""
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(1)
        file.setframerate(8000)
        file.writeframes(bytes([128]) * 800)
    return base64.b64encode(held.getvalue()).decode()


def everything() -> list[dict[str, Any]]:
    """Returns a trace whose spans hold every kind of part."""
    call = {"id": "call_1", "function": {"name": "lookup_order", "arguments": {"order": 7}}}
    failed = {"id": "call_2", "function": {"name": "track_parcel", "arguments": {"order": 7}}}
    question = [
        {"type": "text", "text": "What is on this picture, and on this tape?"},
        {"type": "image", "url": f"data:image/png;base64,{PNG}"},
        {"type": "input_audio", "input_audio": {"format": "wav", "data": tone()}},
    ]
    messages = [
        {"role": "system", "content": "You help customers. " * 40},
        {"role": "user", "content": question},
        {"role": "assistant", "reasoning": "I should look.", "tool_calls": [call, failed]},
        {"role": "tool", "tool_call_id": "call_2", "content": {"error": "no answer"}},
        {"role": "tool", "tool_call_id": "call_1", "content": {"city": "Bonn"}},
        {"role": "assistant", "content": "It is in **Bonn**.\n\n1. first\n2. second"},
        {"role": "user", "content": "As JSON, please."},
    ]
    documents = [
        {"content": "Parcels take three days.", "metadata": {"source": "kb/delays"}, "score": 0.91},
        {"content": "Refunds take five.", "metadata": {"source": "kb/refunds"}, "score": 0.44},
    ]
    return [
        {"name": "chat", "type": "llm", "input": messages, "output": {"city": "Bonn"}},
        {"name": "search", "type": "retriever", "input": "late parcel", "output": documents},
        {"name": "complete", "type": "llm", "input": "Say hello", "output": "Hello there."},
    ]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    data = tmp_path_factory.mktemp("conversations") / "store"
    settings = ServerSettings(data=data, port=0, grpc_port=-1, durability="async")
    with Server(settings) as running:
        yield running


def open_span(page: Page, client: Client, name: str, url: str) -> None:
    [span] = client.sql(
        "SELECT trace_id, span_id FROM spans WHERE name = $name AND project = 'shop'",
        {"name": name},
    ).rows()
    page.goto(f"{url}/p/shop/trace/{span['trace_id']}?span={span['span_id']}")


def test_every_kind_of_part_is_shown_as_what_it_is(server: Server, open_page: OpenPage) -> None:
    with Client(server.url) as client:
        client.insert("spans", everything(), project="shop")
        page = open_page(f"{server.url}/p/shop/traces")
        open_span(page, client, "chat", server.url)
        chat = page.get_by_role("tabpanel")
        expect(chat.get_by_role("heading", name="system")).to_be_visible()
        expect(chat.get_by_role("button", name=re.compile("characters"))).to_be_visible()
        picture = chat.locator("img.picture")
        expect(picture).to_be_visible()
        assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") == 32
        expect(chat.locator("audio[controls]")).to_have_count(1)
        expect(chat.locator("details.reasoning")).to_contain_text("I should look.")
        looked, tracked = chat.locator(".card").nth(0), chat.locator(".card").nth(1)
        expect(looked).to_contain_text("Bonn")
        expect(tracked).to_contain_text("no answer")
        expect(tracked).to_have_class(re.compile("failed"))
        expect(chat.locator("strong")).to_have_text("Bonn")
        expect(chat.get_by_role("listitem")).to_have_count(2)
        expect(chat.locator(".card.plain").last).to_contain_text("city: Bonn")
        open_span(page, client, "search", server.url)
        expect(chat.locator(".document")).to_have_count(2)
        expect(chat.locator(".document").first).to_contain_text("kb/delays")
        expect(chat.locator(".document").first).to_contain_text("0.91")
        open_span(page, client, "complete", server.url)
        expect(chat.get_by_role("heading", name="user")).to_be_visible()
        expect(chat.get_by_role("heading", name="assistant")).to_be_visible()
        expect(chat).to_contain_text("Hello there.")


@pytest.mark.parametrize("name", recordings.NAMES)
def test_what_an_sdk_sent_reads_as_a_conversation(
    server: Server, open_page: OpenPage, name: str
) -> None:
    send(server.url, name)
    with Client(server.url) as client:
        calls: Any = client.sql(CALL, {"project": name}).rows()
    assert calls or name in WITHOUT_CALLS
    for call in calls:
        page = open_page(f"{server.url}/p/{name}/trace/{call['trace_id']}?span={call['span_id']}")
        chat = page.get_by_role("tabpanel")
        expect(chat.locator(".conversation .msg").first).to_be_visible()
        # A payload that is read as no conversation stands below a heading of its own.
        expect(chat.get_by_role("heading", name="input", exact=True)).to_have_count(0)
        # A result whose call is shown stands in the call's card.
        expect(chat.get_by_role("heading", name="tool result")).to_have_count(0)


def send(url: str, name: str) -> None:
    """Sends a recording to a project of its own: its log records first, since they may come first."""
    for signal in ("logs", "traces"):
        found = recordings.body(name, signal)
        if found is not None:
            headers = {"Content-Type": found[1], "x-tracestore-project": name}
            httpx.post(f"{url}/v1/{signal}", content=found[0], headers=headers).raise_for_status()
