"""Writes results/REPORT.md, its plots, and the README's table from results/*.jsonl: `python -m bench.write_report`."""

from __future__ import annotations

import importlib
import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from bench.report import RESULTS, Result
from bench.targets import table as targets

ROOT = Path(__file__).resolve().parents[1]
OURS = "tracestore"
COMPARED = ("apm", "llm", "evolving", "events")
ABOUT = """Each system runs in a process of its own, on all cores. Questions are asked of all in turn, so that drift
hits all alike; an answer that differs from the others' counts as none. What is asked, and how:
[the folder's page](../README.md).
"""
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
COLORS = {OURS: "#d9480f", "hand-typed parquet": "#495057"}


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


def number(value: float) -> str:
    """Returns a number with three digits that count."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(results: list[Result]) -> str:
    """Returns a value and its spread, or that there is none."""
    if not results:
        return "-"
    result = results[0]
    if result.metric == "cannot":
        return "cannot"
    spread = f" ± {number(result.spread)}" if result.spread else ""
    return f"{number(result.value)}{spread}"


def rows(header: list[str], body: list[list[str]]) -> str:
    """Returns a Markdown table."""
    lines = ["| " + " | ".join(header) + " |", "|" + "---|" * len(header)]
    lines += ["| " + " | ".join(each) + " |" for each in body]
    return "\n".join(lines) + "\n"


def ratio(results: list[Result], system: str) -> float | None:
    """Returns how many times ours a system takes: the geometric mean over the questions both answer, warm."""
    ratios = []
    for question in questions_of(results):
        ours = found(results, question=question, system=OURS, metric="warm")
        theirs = found(results, question=question, system=system, metric="warm")
        if ours and theirs:
            ratios.append(theirs[0].value / ours[0].value)
    return statistics.geometric_mean(ratios) if ratios else None


def workload_section(name: str, results: list[Result]) -> str:
    """Returns one workload's tables."""
    systems = systems_of(results)
    label = found(results, question="size")[0].workload
    raw = found(results, system="rows as JSON")[0].value
    parts = [f"## {label}, {number(raw)} MB of JSON\n"]
    body = []
    for question in questions_of(results):
        answers = [
            [*found(results, question=question, system=s, metric="warm"),
             *found(results, question=question, system=s, metric="cannot")]
            for s in systems
        ]  # fmt: skip
        body.append([question, *map(cell, answers)])
    means = [ratio(results, system) for system in systems]
    body.append(["geometric mean, of ours", *("-" if m is None else f"{m:.2f}x" for m in means)])
    parts.append("Warm, milliseconds (median ± distance between the quartiles):\n")
    parts.append(rows(["question", *systems], body))
    body = [
        [question, *(cell(found(results, question=question, system=s, metric="cold")) for s in systems)]
        for question in questions_of(results)
    ]  # fmt: skip
    parts.append("Cold, milliseconds: opened anew, files out of the page cache:\n")
    parts.append(rows(["question", *systems], body))
    parts.append("Ingest, bytes and memory:\n")
    body = []
    for question, metric in (
        ("ingest", "rows a second"),
        ("ingest", "CPU seconds a million rows"),
        ("size", "bytes"),
        ("memory", "peak resident after ingest"),
        ("memory", "peak resident after all questions"),
    ):
        cells = [found(results, question=question, system=s, metric=metric) for s in systems]
        unit = next((each[0].unit for each in cells if each), "")
        body.append([f"{metric} ({unit})", *map(cell, cells)])
    parts.append(rows(["", *systems], body))
    failures = {(r.system, r.note): None for r in results if r.metric == "cannot"}
    if failures:
        parts.append("Cannot:\n")
        for system, why in failures:
            asked = [r.question for r in found(results, system=system, note=why, metric="cannot")]
            parts.append(f"- {system}, {', '.join(asked)}: {why}")
        parts.append("")
    parts.append(f"![{name}](plots/{name}.svg)\n")
    return "\n".join(parts)


def growth_section(results: list[Result]) -> str:
    """Returns how cost grows."""
    parts = ["## Growth\n"]
    for question in ("paths", "clients"):
        asked = found(results, question=question)
        body = [[r.workload, r.system, r.metric, cell([r]), r.unit] for r in asked]
        parts.append(rows(["", "system", "", "value", "unit"], body))
    grown = [r for r in results if r.metric == "warm"]
    labels = list(dict.fromkeys(r.workload for r in grown))
    body = []
    for question in dict.fromkeys(r.question for r in grown):
        for system in dict.fromkeys(r.system for r in grown):
            cells = [found(grown, question=question, system=system, workload=at) for at in labels]
            body.append([question, system, *map(cell, cells)])
    parts.append("Warm, milliseconds:\n")
    parts.append(rows(["question", "system", *labels], body))
    return "\n".join(parts)


def service_section(results: list[Result]) -> str:
    """Returns what servers take of the same OTLP from two senders."""
    systems = list(dict.fromkeys(r.system for r in results if r.system))
    metrics = list(dict.fromkeys(r.metric for r in results if r.system and r.unit))
    body = [
        [f"{metric} ({found(results, metric=metric)[0].unit})"]
        + [cell(found(results, metric=metric, system=system)) for system in systems]
        for metric in metrics
    ]
    return rows(["", *systems], body)


def plot(name: str, results: list[Result]) -> None:
    """Draws the warm times of a workload's questions, one bar a system."""
    matplotlib: Any = importlib.import_module("matplotlib")
    matplotlib.use("svg")
    matplotlib.rcParams["svg.hashsalt"] = "tracestore"  # the same file for the same numbers
    pyplot: Any = importlib.import_module("matplotlib.pyplot")
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
    (RESULTS / "plots").mkdir(exist_ok=True)
    figure.savefig(RESULTS / "plots" / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    pyplot.close(figure)


def readme_table(compared: dict[str, list[Result]]) -> str:
    """Returns the README's table: each system against ours, over the questions both answer."""
    systems = list(dict.fromkeys(s for results in compared.values() for s in systems_of(results)))
    body = []
    for system in systems:
        if system == OURS:
            continue
        line = [system]
        for results in compared.values():
            mean = ratio(results, system)
            line.append("-" if mean is None else f"{mean:.1f}x")
        for question, metric in (("size", "bytes"), ("ingest", "rows a second")):
            line.append(_spread_of_ratios(compared.values(), system, question, metric))
        body.append(line)
    header = [
        "against tracestore's",
        *(f"time, {name}" for name in compared),
        "bytes",
        "rows a second",
    ]
    return rows(header, body)


def _spread_of_ratios(
    compared: Iterable[list[Result]], system: str, question: str, metric: str
) -> str:
    ratios = []
    for results in compared:
        ours = found(results, system=OURS, question=question, metric=metric)
        theirs = found(results, system=system, question=question, metric=metric)
        if ours and theirs:
            ratios.append(theirs[0].value / ours[0].value)
    return f"{min(ratios):.2f}-{max(ratios):.2f}x" if ratios else "-"


def main() -> None:
    """Writes everything."""
    compared = {name: results for name in COMPARED if (results := read(name))}
    others = {
        name: read(name)
        for name in ("shred", "store", "query", "service", "service-rivals", "growth")
    }
    parts = [
        "# Side by side\n",
        "Written by `python -m bench.write_report` from the JSON lines beside it.\n",
        ABOUT,
        "## What was wanted\n",
        targets({**compared, **others}),
        (RESULTS.parent / "limits.md").read_text(),
        *(workload_section(name, results) for name, results in compared.items()),
    ]
    if others["growth"]:
        parts.append(growth_section(others["growth"]))
    parts += ["## The service\n", service_section([*others["service"], *others["service-rivals"]])]
    settings = {r.system: f"- {r.system} ({r.version}): {r.note}" for results in compared.values()
                for r in found(results, question="settings")}  # fmt: skip
    parts += ["## Settings\n", *settings.values(), "", "## Runs\n"]
    parts += [
        f"- {name}: {r.note}"
        for name, results in {**compared, **others}.items()
        for r in found(results, question="machine")
    ]
    parts.append("")
    for name, results in compared.items():
        plot(name, results)
    (RESULTS / "REPORT.md").write_text("\n".join(parts))
    readme = ROOT / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{readme_table(compared)}{END}{after}")


if __name__ == "__main__":
    main()
