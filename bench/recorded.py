"""What the last runs recorded, and how to find it."""

from __future__ import annotations

import json
import statistics
from collections.abc import Iterable

from bench.report import RESULTS, Result

OURS = "tracestore"


def read(name: str) -> list[Result]:
    """Returns the results of one program, none where it has not run."""
    file = RESULTS / f"{name}.jsonl"
    if not file.exists():
        return []
    return [Result(**json.loads(line)) for line in file.read_text().splitlines()]


def found(results: Iterable[Result], **wanted: str) -> list[Result]:
    """Returns the results whose fields are as wanted."""
    return [r for r in results if all(getattr(r, name) == value for name, value in wanted.items())]


def systems_of(results: list[Result]) -> list[str]:
    """Returns the systems that a workload was loaded into, in the order of the run."""
    return list(dict.fromkeys(r.system for r in found(results, question="ingest")))


def questions_of(results: list[Result]) -> list[str]:
    """Returns the questions that were asked, in order."""
    asked = (
        r.question for r in results if r.metric in {"warm", "cannot"} and r.question != "ingest"
    )
    return list(dict.fromkeys(asked))


def ratio(results: list[Result], system: str) -> float | None:
    """Returns how many times ours a system takes: the geometric mean over the questions both answer, warm."""
    ratios = []
    for question in questions_of(results):
        ours = found(results, question=question, system=OURS, metric="warm")
        theirs = found(results, question=question, system=system, metric="warm")
        if ours and theirs:
            ratios.append(theirs[0].value / ours[0].value)
    return statistics.geometric_mean(ratios) if ratios else None
