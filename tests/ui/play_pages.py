"""A server whose one provider is the stub of the models, and plays of it as a browser sees them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Page, expect

from data.processes import HANG_S
from tracestore.demo.stub_model import StubModel
from tracestore.play.providers.settings import ProviderSettings
from tracestore.server import ServerSettings

OpenPage = Callable[..., Page]

QUESTIONS = (
    ("Where is my parcel?", "parcel"),
    ("I want my money back", "refund"),
    ("Invoice me again, please", "invoice"),
)
ASK = [
    {"role": "system", "content": "Name the topic in one word."},
    {"role": "user", "content": "{{input.question}}"},
]


def settings_of(data: Path, stub: StubModel, port: int = 0) -> ServerSettings:
    """Returns the settings of a server whose one provider is the stub."""
    return ServerSettings(
        data=data,
        port=port,
        grpc_port=-1,
        providers={"stub": ProviderSettings(kind="openai", base_url=f"{stub.url}/v1")},
        prices={"stub": {"input": 1.0, "output": 2.0}},
    )


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


def new_play(url: str, **body: Any) -> str:
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
    name = f"Topics {time.time_ns()}"
    made = asked(url, "POST", "/api/play", {"name": name, "body": play})
    return f"{url}/p/shop/play/{made['document_id']}"


def asked(url: str, method: str, path: str, body: Any = None) -> Any:
    """Returns what a server answers."""
    answer = httpx.request(
        method, url + path, json=body, params={"project": "shop"}, timeout=HANG_S
    )
    assert answer.is_success, answer.text
    return answer.json()


def cells(page: Page) -> Any:
    return page.get_by_role("gridcell")


def saved(page: Page) -> None:
    """Waits until the server has what was typed."""
    expect(page.locator("[data-saved]")).to_be_visible()
