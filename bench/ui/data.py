"""The data of the UI's budgets: a day of spans, one large trace, two runs of an eval. Fixed seeds."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tracestore.embedded import Store

PROJECT: Final = "load"
BIG_TRACE: Final = "e" * 32
BIG_TRACE_SPANS: Final = 100_000
RUNS: Final = ("one", "two")
RUN_CASES: Final = 10_000
BATCH_ROWS: Final = 20_000
DAY_NS: Final = 24 * 3600 * 1_000_000_000
STEPS: Final = (
    ("invoke_agent", "agent"),
    ("chat", "llm"),
    ("lookup", "tool"),
    ("chat", "llm"),
    ("guardrail", "guardrail"),
)


def spans(count: int, end_ns: int) -> Iterator[dict[str, Any]]:
    """Yields spans of five-step traces over a day."""
    chance = random.Random(1)
    for number in range(count // 5):
        trace_id = f"{number + 1:032x}"
        start = end_ns - DAY_NS + number * 5 * DAY_NS // count
        for step, (name, kind) in enumerate(STEPS):
            row: dict[str, Any] = {
                "trace_id": trace_id,
                "span_id": f"{number * 5 + step + 1:016x}",
                "name": name,
                "type": kind,
                "start_ns": start + step * 1_000_000,
                "duration_ns": int(chance.lognormvariate(18, 1)),
                "status_code": "ERROR" if chance.random() < 0.02 else "OK",
                "metadata": {
                    "model": ("gpt-4o", "claude")[number % 2],
                    "tier": ("free", "pro")[number % 3 == 0],
                },
                "metrics": {"tokens": chance.randint(100, 4000)},
            }
            if step:
                row["parent_span_id"] = f"{number * 5 + 1:016x}"
            yield row


def big_trace(count: int, start_ns: int) -> Iterator[dict[str, Any]]:
    """Yields one trace with many spans, ten below each."""
    for number in range(count):
        row: dict[str, Any] = {
            "trace_id": BIG_TRACE,
            "span_id": f"{number + 1:016x}",
            "name": f"step {number % 40}",
            "type": ("agent", "llm", "tool")[number % 3],
            "start_ns": start_ns + number * 1000,
            "duration_ns": 2_000_000,
        }
        if number:
            row["parent_span_id"] = f"{(number - 1) // 10 + 1:016x}"
        yield row


def cases(count: int, run: int, start_ns: int) -> Iterator[dict[str, Any]]:
    """Yields the cases of one run."""
    chance = random.Random(run)
    for number in range(count):
        yield {
            "name": "case",
            "type": "eval",
            "start_ns": start_ns + number * 1000,
            "duration_ns": 1_000_000,
            "input": {"question": f"question {number}"},
            "output": f"the answer {chance.randint(0, 9)} to question {number}",
            "scores": {"correct": float(chance.random() < 0.7)},
        }


def insert(store: Store, rows: Iterator[dict[str, Any]], experiment: str | None = None) -> None:
    """Stores rows in batches."""
    batch: list[dict[str, Any]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH_ROWS:
            store.insert("spans", batch, project=PROJECT, experiment=experiment)
            batch = []
    if batch:
        store.insert("spans", batch, project=PROJECT, experiment=experiment)


def made(folder: Path, count: int) -> int:
    """Makes the store where it is not there yet, and returns the end of its day in nanoseconds.

    Args:
        folder: of the store and of a note beside it that says what was made.
        count: spans of the day.

    Raises:
        SystemExit: where the folder holds another number of spans.
    """
    note = folder / "made.json"
    if note.exists():
        told = json.loads(note.read_text("utf-8"))
        if told["spans"] != count:
            raise SystemExit(
                f"{folder} holds {told['spans']:,} spans; got {count:,}; choose another"
            )
        return int(told["end_ns"])
    end_ns = time.time_ns()
    with Store.open(folder / "store", durability="async") as store:
        insert(store, spans(count, end_ns))
        insert(store, big_trace(BIG_TRACE_SPANS, end_ns - 1_000_000_000))
        for run, name in enumerate(RUNS):
            insert(store, cases(RUN_CASES, run, end_ns - DAY_NS), experiment=name)
        store.flush()
    note.write_text(json.dumps({"spans": count, "end_ns": end_ns}), "utf-8")
    return end_ns
