"""What is stored of each recording: `python -P -m sdks.golden` (with PYTHONPATH=tests) writes it anew.

Look at the difference before it is committed: the tests hold every later version to it.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path
from typing import Any, Final

import tracestore
from data import recordings
from tracestore import Store

COLUMNS_FILE: Final = Path(__file__).parents[1] / "data" / "sdk_columns.json"
TOKENS_FILE: Final = Path(__file__).parents[1] / "data" / "sdk_tokens.json"

TYPES: Final = ("llm", "tool", "retriever", "embedding", "reranker", "agent")
MOST_CHARACTERS: Final = 100
MOST_ITEMS: Final = 12

COLUMNS: Final = f"""
    SELECT name, type, nullif(project, 'default') AS project, metadata.model AS model,
           metadata.provider AS provider, metadata.user_id AS "user", metadata.session_id AS session,
           metrics.prompt_tokens AS prompt, metrics.completion_tokens AS completion, metrics.tokens AS tokens,
           metrics.prompt_cached_tokens AS cached, metrics.prompt_cache_creation_tokens AS cache_written,
           metrics.completion_reasoning_tokens AS reasoning, metrics.estimated_cost AS cost,
           metrics.time_to_first_token AS first_token, tags, status_code AS status,
           error.type AS error, error.message AS message, input, output
    FROM spans WHERE type IN {TYPES} ORDER BY start_ns, name, span_id"""

TOKENS: Final = "SELECT tokens::BIGINT AS tokens FROM traces ORDER BY start_ns, trace_id"


def columns(store: Store) -> list[dict[str, Any]]:
    """Returns the columns of a recording's spans, without those that a span has not."""
    rows = json.loads(json.dumps(store.sql(COLUMNS).rows(), default=float))
    return [
        {name: shortened(value) for name, value in row.items() if value is not None} for row in rows
    ]


def tokens(store: Store) -> list[int | None]:
    """Returns the tokens of a recording's traces, in their order."""
    return [row["tokens"] for row in store.sql(TOKENS).rows()]


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


def main() -> None:
    """Replays every recording and writes both files."""
    rows: dict[str, list[dict[str, Any]]] = {}
    sums: dict[str, list[int | None]] = {}
    for name in recordings.NAMES:
        with (
            tempfile.TemporaryDirectory() as folder,
            tracestore.open(
                Path(folder) / "store", background=False, estimate_costs=False
            ) as store,
        ):
            recordings.replay(store, name)
            rows[name], sums[name] = columns(store), tokens(store)
    COLUMNS_FILE.write_text(_lines({name: _list(found) for name, found in rows.items()}))
    TOKENS_FILE.write_text(_lines({name: json.dumps(found) for name, found in sums.items()}))


def _list(rows: list[dict[str, Any]]) -> str:
    """Returns rows as JSON, one a line, so that a difference shows spans."""
    if not rows:
        return "[]"
    lines = ",\n  ".join(json.dumps(row, ensure_ascii=False) for row in rows)
    return f"[\n  {lines}\n]"


def _lines(values: dict[str, str]) -> str:
    return "{\n" + ",\n".join(f'"{name}": {text}' for name, text in values.items()) + "\n}\n"


if __name__ == "__main__":
    main()
