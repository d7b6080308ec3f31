"""What real SDKs sent, recorded on a stub model: every span has the columns that were looked through once.

The recordings lie outside of the repository; their columns are in tests/data/sdk_columns.json. A new recording without
columns there fails: look at what the failure shows, and add it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import tracestore
from data import shared
from tracestore import Store

GOLDEN: Final = json.loads((Path(__file__).parents[1] / "data" / "sdk_columns.json").read_text())
RECORDINGS: Final = shared.names("otlp/sdks/*.traces.*")
TYPES: Final = ("llm", "tool", "retriever", "embedding", "reranker", "agent")

# What the stub reported of a call: the prompt, what of it was cached, the answer, what of it was reasoned.
CHAT: Final = {"prompt": 21, "cached": 16, "completion": 9, "reasoning": 4, "tokens": 30}
ANTHROPIC: Final = {"prompt": 42, "cached": 16, "completion": 9, "tokens": 51}
EMBEDDING: Final = {"prompt": 8, "tokens": 8}
# Numbers that an application said itself, not the stub.
SAID: Final = {("langfuse", "manual")}

MOST_CHARACTERS: Final = 100
MOST_ITEMS: Final = 12

# A call by OpenAI's client that LangChain's and OpenAI's instrumentations saw, each in a trace of its own.
TWICE: Final = "otlp/sdks/dup-langchain-openai.traces.pb"
PAGE: Final = Path(__file__).parents[2] / "docs" / "guide" / "conventions.md"

COLUMNS: Final = f"""
    SELECT name, type, metadata.model AS model, metadata.provider AS provider, metadata.user_id AS "user",
           metrics.prompt_tokens AS prompt, metrics.completion_tokens AS completion, metrics.tokens AS tokens,
           metrics.prompt_cached_tokens AS cached, metrics.completion_reasoning_tokens AS reasoning,
           metrics.estimated_cost AS cost, tags, status_code AS status, error.type AS error,
           input, output
    FROM spans WHERE type IN {TYPES} ORDER BY start_ns, name, span_id"""


def columns(store: Store) -> list[dict[str, Any]]:
    """Returns the columns of a recording's spans, without those that a span has not."""
    rows = json.loads(json.dumps(store.sql(COLUMNS).rows(), default=float))
    return [
        {name: shortened(value) for name, value in row.items() if value is not None} for row in rows
    ]


def shortened(value: Any) -> Any:
    """Returns a value with long texts and lists cut, as the columns that were looked through have them."""
    if isinstance(value, dict):
        return {key: shortened(item) for key, item in value.items()}
    if isinstance(value, list):
        rest = [f"… {len(value) - MOST_ITEMS} more"] if len(value) > MOST_ITEMS else []
        return [shortened(item) for item in value[:MOST_ITEMS]] + rest
    if isinstance(value, str) and len(value) > MOST_CHARACTERS:
        return value[:MOST_CHARACTERS] + "…"
    return value


def replay(store: Store, recording: str) -> str:
    """Sends a recording to a store; returns its name."""
    path = shared.require(recording)
    content_type = "application/json" if path.suffix == ".json" else "application/x-protobuf"
    report = store.ingest_otlp(path.read_bytes(), "traces", content_type=content_type)
    assert report.rejected == []
    return path.name.split(".")[0]


@pytest.fixture(scope="module", params=RECORDINGS)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Store]]:
    folder = tmp_path_factory.mktemp("sdks")
    with tracestore.open(folder / "store", background=False) as store:
        yield replay(store, request.param), store


def test_every_span_has_its_columns(recorded: tuple[str, Store]) -> None:
    name, store = recorded
    assert columns(store) == GOLDEN[name]


def test_every_call_has_the_models_own_counts(recorded: tuple[str, Store]) -> None:
    name, store = recorded
    for row in columns(store):
        if (
            row["type"] not in {"llm", "embedding"}
            or "tokens" not in row
            or (name, row["name"]) in SAID
        ):
            continue
        truth = EMBEDDING if row["type"] == "embedding" else CHAT
        if str(row.get("model", "")).startswith("claude"):
            truth = ANTHROPIC
        counts = {key: row[key] for key in truth if key in row}
        # Some SDKs leave parts out; none that came may be another.
        assert counts == {key: truth[key] for key in counts}, row["name"]
        assert counts["tokens"] == truth["tokens"]


def test_a_call_in_two_traces_counts_once_by_the_pages_query(tmp_path: Path) -> None:
    [sql] = [
        sql
        for sql in re.findall(r"```sql\n(.*?)```", PAGE.read_text(), re.DOTALL)
        if "elsewhere" in sql
    ]
    with tracestore.open(tmp_path / "store", background=False) as store:
        replay(store, TWICE)
        rows = store.sql(sql).rows()
        assert [(row["model"], int(row["tokens"])) for row in rows] == [("gpt-4o", 60)]
