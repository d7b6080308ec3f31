"""Prompts tried on real rows by keys alone: answers stream in, nothing typed is lost, and two people see each other."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect

from tracestore.client import Client
from tracestore.demo import stub_model
from tracestore.demo.stub_model import StubModel
from tracestore.play.providers.settings import ProviderSettings
from tracestore.server import Server, ServerSettings

OpenPage = Callable[..., Page]

QUESTIONS = (
    ("Where is my parcel?", "parcel"),
    ("I want my money back", "refund"),
    ("Please send the invoice again", "invoice"),
)
ASK = [
    {"role": "system", "content": "Name the topic in one word."},
    {"role": "user", "content": "{{input.question}}"},
]


@pytest.fixture(scope="module")
def stub() -> Iterator[StubModel]:
    with stub_model.serving() as running:
        yield running


def settings_of(data: Path, stub: StubModel, port: int = 0) -> ServerSettings:
    """Returns the settings of a server whose one provider is the stub."""
    return ServerSettings(
        data=data,
        port=port,
        grpc_port=-1,
        providers={"stub": ProviderSettings(kind="openai", base_url=f"{stub.url}/v1")},
        prices={"stub": {"input": 1.0, "output": 2.0}},
    )


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, stub: StubModel) -> Iterator[Server]:
    with Server(settings_of(tmp_path_factory.mktemp("play") / "store", stub)) as running:
        with Client(running.url) as client:
            rows = [{"input": {"question": each}, "expected": topic} for each, topic in QUESTIONS]
            client.datasets.add("topics", rows, project="shop")
            client.insert("spans", [failed_call()], project="shop")
        yield running


def failed_call() -> dict[str, Any]:
    """Returns a call of a model whose answer was wrong."""
    return {
        "trace_id": "ab" * 16,
        "span_id": "cd" * 8,
        "name": "chat stub-small",
        "type": "llm",
        "start_ns": time.time_ns() - 10**9,
        "duration_ns": 10**8,
        "status_code": "ERROR",
        "status_message": "the wrong team was asked",
        "input": [
            {"role": "system", "content": "Name the topic in one word."},
            {"role": "user", "content": "Hello there, where is my parcel?"},
        ],
        "output": {"role": "assistant", "content": "other"},
        "metadata": {"model": "stub-small", "provider": "stub"},
    }


def new_play(server: Server, **body: Any) -> str:
    """Makes a play of the dataset with a column of each model; returns its address."""
    models = body.pop("models", ["stub"])
    columns = {
        f"c{number}": {
            "name": model,
            "messages": ASK,
            "template": "mustache",
            "provider": "stub",
            "model": model,
        }
        for number, model in enumerate(models)
    }
    rows = body.pop("rows", {"source": "dataset", "dataset": "topics", "limit": 200})
    play = {"rows": rows, "columns": columns, "order": list(columns), **body}
    made = asked(server, "POST", "/api/play", {"name": "Topics", "body": play})
    return f"{server.url}/p/shop/play/{made['document_id']}"


def asked(server: Server, method: str, path: str, body: Any = None) -> Any:
    """Returns what the server answers."""
    answer = httpx.request(
        method, server.url + path, json=body, params={"project": "shop"}, timeout=60
    )
    assert answer.is_success, answer.text
    return answer.json()


def cells(page: Page) -> Any:
    return page.get_by_role("gridcell")


def saved(page: Page) -> None:
    """Waits until the server has what was typed."""
    expect(page.locator("[data-saved]")).to_be_visible()


def test_an_answer_streams_into_its_cell(
    server: Server, stub: StubModel, open_page: OpenPage
) -> None:
    page = open_page(f"{server.url}/p/shop/traces")
    page.keyboard.press("g")
    page.keyboard.press("p")
    expect(page.get_by_role("heading", name="Play")).to_be_visible()
    page.keyboard.press("a")
    expect(page.get_by_role("grid")).to_contain_text("What can you do for me?")
    page.keyboard.press("p")
    page.get_by_label("Model", exact=True).fill("stub-slow")
    saved(page)
    stub.held.clear()
    try:
        page.keyboard.press("Control+Enter")
        expect(cells(page).first).to_contain_text("Thank you for")
        expect(page.locator(".foot")).to_contain_text("0 of 1 cell done")
    finally:
        stub.held.set()
    expect(cells(page).first).to_contain_text("about your other. What can you do for me?")
    expect(page.locator(".foot")).to_contain_text("1 of 1 cell done")
    page.reload()
    expect(cells(page).first).to_contain_text("about your other. What can you do for me?")


def test_a_team_goes_from_a_failing_trace_to_a_promoted_prompt_by_keys(
    server: Server, open_page: OpenPage
) -> None:
    page = open_page(f"{server.url}/p/shop/trace/{'ab' * 16}")
    expect(page.get_by_role("complementary")).to_contain_text("the wrong team was asked")
    page.keyboard.press("o")
    expect(page).to_have_url(re.compile("/play/.*panel=prompt"))
    expect(page.get_by_label("Text of message 1, system")).to_have_value(
        "Name the topic in one word."
    )
    expect(page.get_by_label("Model", exact=True)).to_have_value("stub-small")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    expect(cells(page).first).to_contain_text("other")
    # Another model, beside the first.
    page.keyboard.press("n")
    page.get_by_label("Model", exact=True).press("Control+a")
    page.keyboard.type("stub")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Enter")
    expect(cells(page).nth(1)).to_contain_text("parcel")
    expect(page.locator(".foot")).to_contain_text("1 of 1 cell done")
    # What was wrong becomes a case.
    page.keyboard.press("h")
    page.keyboard.press("d")
    page.keyboard.type("mistakes")
    page.keyboard.press("Tab")
    page.keyboard.type("parcel")
    page.get_by_role("button", name="Add", exact=True).press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    # The better column becomes the prompt of production.
    page.keyboard.press("l")
    page.keyboard.press("P")
    page.get_by_label("Prompt", exact=True).press("Control+a")
    page.keyboard.type("topic")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("columnheader").nth(2)).to_contain_text("topic v1")
    expect(page.get_by_role("columnheader").nth(2)).to_contain_text("production")
    prompt = asked(server, "GET", "/api/prompts/topic")
    assert prompt["labels"] == {"production": 1}
    assert prompt["body"]["model"] == "stub"
    sql = "SELECT expected, metadata.wrong_output AS wrong FROM dataset('mistakes')"
    found = asked(server, "POST", "/api/query", {"sql": sql, "project": "shop"})
    assert found["rows"] == [["parcel", "other"]]
