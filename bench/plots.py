"""The report's plots: how long questions take, and how that grows."""

from __future__ import annotations

import importlib
import statistics
from pathlib import Path
from typing import Any

from bench.recorded import OURS, found, questions_of, systems_of
from bench.report import Result

COLORS = {OURS: "#d9480f", "hand-typed parquet": "#495057"}


def bars(file: Path, results: list[Result]) -> None:
    """Draws the warm times of a workload's questions, one bar a system."""
    pyplot = _pyplot()
    systems, questions = systems_of(results), questions_of(results)
    figure, axes = pyplot.subplots(figsize=(11, 4))
    width = 0.8 / len(systems)
    for place, system in enumerate(systems):
        values = [found(results, question=q, system=system, metric="warm") for q in questions]
        at = [i + place * width for i, each in enumerate(values) if each]
        heights = [each[0].value for each in values if each]
        axes.bar(at, heights, width, label=system, color=COLORS.get(system))
    axes.set_yscale("log")
    axes.set_ylabel("milliseconds, warm")
    axes.set_xticks([i + 0.4 for i in range(len(questions))])
    axes.set_xticklabels([question.split()[0] for question in questions])
    axes.legend(fontsize="x-small", ncol=4, loc="upper center", bbox_to_anchor=(0.5, 1.2))
    _save(pyplot, figure, file)


def growth(file: Path, results: list[Result]) -> None:
    """Draws the geometric mean of the warm times of all questions over the rows, one line a system."""
    pyplot = _pyplot()
    warm = found(results, metric="warm")
    labels = list(dict.fromkeys(r.workload for r in warm))
    rows = {label: int(label.split(",", 1)[1].split()[0].replace(",", "")) for label in labels}
    figure, axes = pyplot.subplots(figsize=(7, 4))
    for system in dict.fromkeys(r.system for r in warm):
        times = {label: found(warm, system=system, workload=label) for label in labels}
        means = {
            rows[label]: statistics.geometric_mean(r.value for r in each)
            for label, each in times.items()
            if each
        }
        axes.plot(
            list(means), list(means.values()), marker="o", label=system, color=COLORS.get(system)
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("rows")
    axes.set_ylabel("milliseconds, warm, mean of all questions")
    axes.legend(fontsize="small")
    _save(pyplot, figure, file)


def _pyplot() -> Any:
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "tracestore"  # the same file for the same numbers
    return importlib.import_module("matplotlib.pyplot")


def _save(pyplot: Any, figure: Any, file: Path) -> None:
    file.parent.mkdir(exist_ok=True)
    figure.savefig(file, bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)
