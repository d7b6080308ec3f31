"""Evals of the support agent: a dataset of questions that users asked, and three prompts tried on it.

The answers are drawn from one seed, not asked of a model: the tour works offline and is the same each time.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from tracestore.client import Client
from tracestore.demo.support import PROJECT

DATASET: Final = "questions"
SECOND_NS: Final = 1_000_000_000

_CASES: Final[list[dict[str, Any]]] = json.loads(
    Path(__file__).with_name("support_cases.json").read_text("utf-8")
)

# Name, prompt, commit, how often an answer of each quality is given (wrong, half, right), tokens and seconds.
_RUNS: Final = (
    ("short-answers", "Answer in one sentence.", "4be1c02f", (2, 3, 7), 840, 1.6),
    ("name-the-dates", "Name every date that you know.", "9d03a7e1", (3, 1, 9), 1010, 1.4),
    ("ask-before-acting", "Ask before you spend money.", "c51f88b0", (1, 3, 9), 1120, 1.9),
)
_REPEATS: Final = 8
"""Cases made of each question: the same question about other orders."""


def run_support_evals(client: Client, end_ns: int) -> None:
    """Stores the dataset and the runs, over the last hours before a time."""
    client.datasets.add(DATASET, list(_rows()), project=PROJECT)
    base: str | None = None
    for number, (name, prompt, commit, odds, tokens, seconds) in enumerate(_RUNS):
        client.experiments.create(
            name,
            project=PROJECT,
            dataset=DATASET,
            dataset_version=1,
            base=base,
            git_commit=commit,
            metadata={"prompt": prompt, "model": "gpt-4o" if number != 1 else "claude-sonnet-4-5"},
        )
        start_ns = end_ns - (len(_RUNS) - number) * 3600 * SECOND_NS
        spans = _spans(number, start_ns, odds, tokens, seconds)
        client.insert("spans", spans, project=PROJECT, experiment=name)
        base = base or name


def _rows() -> Iterator[dict[str, Any]]:
    for repeat in range(_REPEATS):
        for case in _CASES:
            order = 20_000 + 77 * repeat
            yield {
                "input": {"question": case["question"].format(order=order)},
                "expected": case["expected"],
                "metadata": {"category": case["category"], "tier": ("free", "pro")[repeat % 2]},
                "tags": [case["category"]],
            }


def _spans(
    run: int, start_ns: int, odds: tuple[int, int, int], tokens: int, seconds: float
) -> Iterator[dict[str, Any]]:
    chance = random.Random(run)  # noqa: S311 - a story, not a secret
    for number, row in enumerate(_rows()):
        case = _CASES[number % len(_CASES)]
        quality = chance.choices((0, 1, 2), odds)[0]
        fails = chance.random() < 0.02
        used = int(tokens * chance.uniform(0.6, 1.5))
        trace_id, span_id = f"{chance.getrandbits(128):032x}", f"{chance.getrandbits(64):016x}"
        begun_ns = start_ns + number * SECOND_NS
        took_ns = int(seconds * chance.uniform(0.5, 1.8) * SECOND_NS)
        root: dict[str, Any] = {
            "trace_id": trace_id,
            "span_id": span_id,
            "name": "answer",
            "type": "eval",
            "start_ns": begun_ns,
            "duration_ns": took_ns,
            "service": "evals",
            "status_code": "ERROR" if fails else "OK",
            **row,
        }
        if fails:
            root["status_message"] = "the model did not answer"
            root["error"] = {"type": "TimeoutError", "message": "the model did not answer"}
        else:
            root["output"] = case["answers"][quality]
            root["scores"] = {
                "correct": (0.0, 0.5, 1.0)[quality],
                "no_promises": 0.0 if run == 1 and quality == 0 else 1.0,
            }
        yield root
        yield {
            "trace_id": trace_id,
            "span_id": f"{chance.getrandbits(64):016x}",
            "parent_span_id": span_id,
            "name": "chat gpt-4o",
            "type": "llm",
            "start_ns": begun_ns + 2_000_000,
            "duration_ns": took_ns - 4_000_000,
            "service": "evals",
            "status_code": "ERROR" if fails else "OK",
            "input": [
                {"role": "system", "content": _RUNS[run][1]},
                {"role": "user", "content": row["input"]["question"]},
            ],
            "output": [{"role": "assistant", "content": root.get("output")}],
            "metadata": {"model": "gpt-4o"},
            "metrics": {
                "tokens": used,
                "prompt_tokens": used - used // 6,
                "completion_tokens": used // 6,
                "estimated_cost": round(used * 3.6e-6, 6),
            },
        }
