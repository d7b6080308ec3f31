"""Rows that tests write, and the states in which a store can hold them: the same rows, the same answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import tracestore
from tracestore import Store

START_NS = 1_790_000_000_000_000_000
DAY_NS = 86_400 * 10**9

EVERY_WORD: dict[str, Any] = {"min_words_rows": 1, "max_words_share": 1000.0}
"""Settings by which every segment has a words sidecar, however small it is."""

EVERY_ITEM: dict[str, Any] = {"max_item_columns_share": 1000.0}
"""Settings by which every list of objects has an item column for each key that is a text."""

STATES = ("memtable", "one segment", "many segments", "compacted")
_PIECES = {"memtable": 1, "one segment": 1, "many segments": 12, "compacted": 12}


def span(number: int, **more: Any) -> dict[str, Any]:
    """Returns a span whose ids and time follow from its number."""
    return {
        "trace_id": f"{number // 4 + 1:032x}",
        "span_id": f"{number + 1:016x}",
        "name": f"op-{number % 7}",
        "start_ns": START_NS + number * 1_000_000,
        "duration_ns": 1000 + number,
        "attributes": {"number": number, "model": f"m{number % 3}"},
        **more,
    }


def log(number: int, **more: Any) -> dict[str, Any]:
    """Returns a log record whose time follows from its number."""
    return {"time_ns": START_NS + number * 1_000_000, "body": f"line {number}", **more}


def ndjson(rows: Iterable[dict[str, Any]]) -> bytes:
    """Returns rows as NDJSON."""
    return "\n".join(json.dumps(row, ensure_ascii=False) for row in rows).encode()


def in_state(store: Store, state: str, writes: Sequence[Callable[[], object]]) -> Store:
    """Makes each write, and flushes and merges so that the rows are in a state of `STATES`."""
    assert state in STATES, state
    for write in writes:
        write()
        if state in {"many segments", "compacted"}:
            store.flush()
    if state == "one segment":
        store.flush()
    if state == "compacted":
        store.compact(full=True)
    return store


def build(
    folder: Path,
    state: str,
    rows: dict[str, list[dict[str, Any]]],
    pieces: int | None = None,
) -> Store:
    """Returns a store that holds the rows in a state; many segments are at least `pieces`."""
    store = tracestore.open(
        folder, background=False, durability="async", **EVERY_WORD, **EVERY_ITEM
    )
    count = _PIECES[state] if pieces is None or _PIECES[state] == 1 else pieces
    writes: list[Callable[[], object]] = []
    for table, all_rows in rows.items():
        size = -(-len(all_rows) // count)
        for start in range(0, len(all_rows), size):
            body = ndjson(all_rows[start : start + size])
            writes.append(lambda table=table, body=body: store.insert(table, body))  # type: ignore[misc]
    return in_state(store, state, writes)
