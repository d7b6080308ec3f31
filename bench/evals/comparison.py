"""How long does comparing two experiments take, case by case and in sum?"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import tracestore
from bench.report import Result, middle

CASES: Final = 20_000
TRIALS: Final = 3
BATCH_CASES: Final = 2000


def comparison(folder: Path, rounds: int) -> Iterator[Result]:
    """Yields the seconds of the rows, of the summary, and of both listing every case."""
    with tracestore.open(folder / "compared", durability="async") as store:
        for number, run in enumerate(("base", "next")):
            for start in range(0, CASES, BATCH_CASES):
                store.insert("spans", list(spans(run, number, range(start, start + BATCH_CASES))))
        store.flush()
        store.compact(full=True)
        compare = store.experiments.compare
        works: dict[str, Callable[[], Any]] = {
            "rows": lambda: store.sql("SELECT * FROM compare('base', 'next')").arrow(),
            "summary": lambda: compare("base", "next"),
            "summary, every case": lambda: compare("base", "next", cases=CASES, contents=False),
        }
        for metric, work in works.items():
            seconds = []
            for _ in range(rounds):
                start_s = time.perf_counter()
                work()
                seconds.append(time.perf_counter() - start_s)
            value, spread = middle(seconds)
            title = f"two runs of {CASES:,} cases, {TRIALS} trials each"
            yield Result("evals", title, "tracestore", "", metric, value, "s", spread)


def spans(run: str, number: int, cases: range) -> Iterator[dict[str, Any]]:
    """Yields the spans of cases: the root, its task and a scorer, of each trial."""
    rng = random.Random(number * CASES + cases.start)
    for case in cases:
        for trial in range(TRIALS):
            identity = (number * CASES + case) * TRIALS + trial + 1
            shared = {
                "trace_id": f"{identity:032x}",
                "experiment": run,
                "start_ns": 10**18 + identity,
            }
            root_id = f"{identity:016x}"
            yield {
                **shared,
                "span_id": root_id,
                "name": "case",
                "duration_ns": 10**9,
                "input": {"question": f"What is {case}?"},
                "expected": {"answer": case},
                "output": {"answer": rng.randrange(CASES)},
                "scores": {
                    "exact": rng.randint(0, 1),
                    "near": rng.random(),
                    "tone": {"kind": rng.random() < 0.5},
                },
                "metadata": {"kind": f"k{case % 5}"},
            }
            child = {**shared, "parent_span_id": root_id, "duration_ns": 10**8}
            metrics = {
                "tokens": 10,
                "prompt_tokens": 7,
                "completion_tokens": 3,
                "estimated_cost": 0.1,
            }
            yield {
                **child,
                "span_id": f"{identity + 2**40:016x}",
                "name": "task",
                "type": "llm",
                "metrics": metrics,
            }
            yield {**child, "span_id": f"{identity + 2**41:016x}", "name": "exact", "type": "score"}
