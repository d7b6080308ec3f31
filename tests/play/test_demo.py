"""The tour's stub closes the loop with no account: a better prompt scores better, any call of its day runs again."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data import processes
from tracestore.client import Client
from tracestore.demo.stub_model import StubModel
from tracestore.demo.support import PROJECT, support_day
from tracestore.demo.support_play import SLUG, save_play, stub_providers
from tracestore.server import Server, ServerSettings


@pytest.fixture
def client(tmp_path: Path, stub: StubModel) -> Iterator[Client]:
    settings = ServerSettings(
        data=tmp_path / "store", port=0, grpc_port=-1, providers=stub_providers(stub.url)
    )
    with Server(settings) as server, Client(server.url) as made:
        yield made


def test_a_better_prompt_scores_better_and_is_promoted(client: Client) -> None:
    play, wrong = save_play(client)
    [span] = client.sql(
        "SELECT scores.right_topic AS right, metadata.prompt.version AS version "
        "FROM spans WHERE trace_id = $id",
        {"id": wrong},
    ).rows()
    assert span == {"right": 0.0, "version": 1}
    cells = client.plays.cells(play, project=PROJECT)
    right: dict[str, list[float]] = {"v1": [], "v2": []}
    for cell in cells:
        right[cell["column"]].append(cell["scores"]["exact_match"])
    assert sum(right["v1"]) == 12
    assert sum(right["v2"]) == 24
    moved = client.prompts.label(SLUG, "production", 2, project=PROJECT)
    assert moved.labels == {"production": 2}
    kept = client.plays.keep(play, "v2", "topics by words", project=PROJECT)
    assert kept == "topics by words"


def test_any_call_of_the_day_opens_and_runs(client: Client) -> None:
    client.insert("spans", support_day(1_790_000_000_000_000_000), project=PROJECT)
    calls = client.sql(
        "SELECT DISTINCT ON (metadata.model) trace_id, span_id FROM spans "
        "WHERE type = 'llm' ORDER BY metadata.model, start_ns"
    ).rows()
    assert len(calls) == 3
    fields = ("messages", "template", "provider", "model", "parameters", "tools")
    for number, ids in enumerate(calls):
        query = {"project": PROJECT}
        opened = client._send("POST", "/api/play/from-span", params=query, json=ids).json()
        body = {
            "rows": {"source": "span", **ids},
            "columns": {"a": {name: opened[name] for name in fields}},
        }
        play = client.plays.create(f"again {number}", body, project=PROJECT)
        run = client.plays.run(play["document_id"], "all", project=PROJECT)
        assert (run["done"], run["failed"]) == (1, 0)


def test_the_guides_program_prints_what_it_says(client: Client) -> None:
    page = Path(__file__).resolve().parents[2] / "docs" / "guide" / "play.md"
    text = page.read_text(encoding="utf-8")
    [(code, output)] = re.findall(r"```python\n(.*?)```\s*```text\n(.*?)```", text, re.DOTALL)
    environment = {**os.environ, "TRACESTORE_URL": client.url, "TRACESTORE_API_KEY": ""}
    done = processes.run([sys.executable, "-c", code], env=environment)
    assert (done.returncode, done.stdout) == (0, output), done.stderr
