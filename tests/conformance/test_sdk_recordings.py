"""What real SDKs sent, recorded on a stub model: every span has the columns that were looked through once.

The recordings are in tests/data/sdks, their columns in tests/data/sdk_columns.json, the tokens of their traces in
tests/data/sdk_tokens.json. `python -m sdks.golden` writes both anew: look at what changed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import pytest

import tracestore
from data import recordings
from sdks import golden, stub_models
from tracestore import Store

COLUMNS: Final = json.loads(golden.COLUMNS_FILE.read_text())
TOKENS: Final = json.loads(golden.TOKENS_FILE.read_text())

# What the stub reported of a call: the prompt, what of it was cached, the answer, what of it was reasoned.
CHAT: Final = {"prompt": 21, "cached": 16, "completion": 9, "reasoning": 4, "tokens": 30}
ANTHROPIC: Final = {
    "prompt": 42,
    "cached": 16,
    "cache_written": 5,
    "completion": 9,
    "tokens": 51,
}
EMBEDDING: Final = {"prompt": 8, "tokens": 8}
# Traces whose tokens the stub did not report so: what an application said itself, and a stream of which
# OpenLLMetry counts the first token twice.
SAID: Final = {("langfuse", 15), ("anthropic-traceloop", 52)}


@pytest.fixture(scope="module", params=recordings.NAMES)
def recorded(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, Store]]:
    folder = tmp_path_factory.mktemp("sdks")
    with tracestore.open(folder / "store", background=False, estimate_costs=False) as store:
        recordings.replay(store, request.param)
        yield request.param, store


def test_every_span_has_its_columns(recorded: tuple[str, Store]) -> None:
    name, store = recorded
    assert golden.columns(store) == COLUMNS[name]


def test_every_call_has_the_models_own_counts(recorded: tuple[str, Store]) -> None:
    name, store = recorded
    for row in golden.columns(store):
        if (
            row["type"] not in {"llm", "embedding"}
            or "tokens" not in row
            or (name, row["tokens"]) in SAID
        ):
            continue
        counts = {key: row[key] for key in truth(row) if key in row}
        # Some SDKs leave parts out; none that came may be another.
        assert counts == {key: truth(row)[key] for key in counts}, row["name"]
        assert counts["tokens"] == truth(row)["tokens"]


def truth(row: dict[str, Any]) -> dict[str, int]:
    """Returns what the stub reported of a call."""
    if row["type"] == "embedding":
        return EMBEDDING
    return ANTHROPIC if str(row.get("model", "")).startswith("claude") else CHAT


def test_every_trace_has_the_tokens_of_its_calls(recorded: tuple[str, Store]) -> None:
    name, store = recorded
    found = golden.tokens(store)
    assert found == TOKENS[name]
    # Each is the sum of whole calls: nothing is told twice or in part.
    anthropic = name.startswith("anthropic")
    chat = stub_models.MESSAGES_TOKENS if anthropic else stub_models.CHAT_TOKENS
    for count in found:
        if count is not None and (name, count) not in SAID:
            assert count % chat in {
                stub_models.EMBEDDING_TOKENS * number % chat for number in range(3)
            }
