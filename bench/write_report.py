"""Writes results/REPORT.md, its plots, and the README's table from results/*.jsonl: `python -m bench.write_report`."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path

from bench import plots
from bench.before.__main__ import EARLIER, OF_EARLIER
from bench.recorded import OURS, found, questions_of, ratio, read, systems_of
from bench.report import RESULTS, Result
from bench.targets import table as targets

ROOT = Path(__file__).resolve().parents[1]
PLOTS = RESULTS / "plots"
COMPARED = ("apm", "llm", "llm-large", "evolving", "events")
OTHERS = (
    *(
        "shred",
        "store",
        "query",
        "fixed",
        "memory",
        "boards",
        "words",
        "service",
        "inserts",
        "service-rivals",
    ),
    *("ui", "growth", "before", "nodes", "scale", "spark"),
)
ABOUT = """Each system runs in a process of its own, on all cores. Questions are asked of all in turn, so that drift
hits all alike; an answer that differs from the others' counts as none. What is asked, and how:
[the folder's page](../README.md).
"""
LOADED = (
    "rows a second",
    "CPU seconds a million rows",
    "bytes",
    "peak resident after ingest",
    "peak resident after all questions",
)
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"


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
    for metric in LOADED:
        cells = [found(results, system=s, metric=metric) for s in systems]
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
    for question in ("paths", "segments", "clients"):
        asked = found(results, question=question)
        body = [[r.workload, r.system, r.metric, cell([r]), r.unit] for r in asked]
        parts.append(rows(["", "system", "", "value", "unit"], body))
    grown = [r for r in results if r.metric in {"warm", *LOADED}]
    labels = list(dict.fromkeys(r.workload for r in grown))
    header = ["question", "system", *labels]
    parts += ["Warm, milliseconds:\n", rows(header, _grown(results, labels, ("warm",)))]
    parts += ["Ingest, bytes and memory:\n", rows(header, _grown(results, labels, LOADED))]
    failures = [r for r in results if r.metric == "cannot"]
    parts += [f"- {r.system}, {r.workload}, {r.question}: {r.note}" for r in failures]
    parts += ["", "![growth](plots/growth.svg)\n"]
    return "\n".join(parts)


def _grown(results: list[Result], labels: list[str], metrics: Collection[str]) -> list[list[str]]:
    """Returns a line for each question or metric and system: its values at all sizes."""
    body = []
    for question, metric in dict.fromkeys(
        (r.question, r.metric) for r in results if r.metric in metrics
    ):
        named = found(results, question=question, metric=metric)
        for system in dict.fromkeys(r.system for r in named):
            cells = [found(named, system=system, workload=at) for at in labels]
            title = question if metric == "warm" else f"{metric} ({named[0].unit})"
            body.append([title, system, *map(cell, cells)])
    return body


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


def before_section(results: list[Result]) -> str:
    """Returns each number of this tree beside that of an earlier commit, measured by turns."""
    [commit, *_] = [r.version for r in results if r.system == EARLIER]
    body = []
    for old in found(results, system=EARLIER):
        same = {"workload": old.workload, "question": old.question, "metric": old.metric}
        new = [r for r in found(results, **same) if r.system != EARLIER and r.unit == old.unit]
        ratios = [r for r in found(results, **same) if r.unit == OF_EARLIER]
        what = f"{old.workload}, {old.question}: {old.metric} ({old.unit})"
        body.append([what, cell([old]), cell(new), cell(ratios)])
    return rows(["", commit, "now", "of before"], body)


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
    sizes = "; ".join(found(results, question="size")[0].workload for results in compared.values())
    return f"{rows(header, body)}\nMeasured with {sizes}.\n"


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
    others = {name: read(name) for name in OTHERS}
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
    if others["before"]:
        parts += ["## Beside an earlier commit\n", before_section(others["before"])]
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
        plots.bars(PLOTS / f"{name}.svg", results)
    if others["growth"]:
        plots.growth(PLOTS / "growth.svg", others["growth"])
    (RESULTS / "REPORT.md").write_text("\n".join(parts))
    readme = ROOT / "README.md"
    text = readme.read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END)[1]
    readme.write_text(f"{before}{BEGIN}\n{readme_table(compared)}{END}{after}")


if __name__ == "__main__":
    main()
