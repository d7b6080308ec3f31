"""What an eval prints: a bar while it runs, and what became of the scores."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from typing import Any, Final

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.table import Table
from rich.text import Text

from tracestore.evals.cases import CaseResult, averages, spreads, unusual
from tracestore.evals.regressions import Regression

SHOWN_CHARACTERS: Final = 160
"""Characters of an input or output in a summary; the trace has all of it."""


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """The mean of one score, and its difference from the base where there is one.

    Attributes:
        spread: how far the trials of a case lie apart, in the mean; None where cases have one trial.
        not_numbers, outside: how many values are NaN or infinite, and how many are outside of 0 to 1.
    """

    mean: float
    base: float | None = None
    difference: float | None = None
    improvements: int | None = None
    regressions: int | None = None
    spread: float | None = None
    not_numbers: int = 0
    outside: int = 0


@dataclass(slots=True)
class EvalResult:
    """The result of an eval.

    Attributes:
        project, experiment: where its spans are.
        base: the experiment it was compared with, None where there was none.
        base_reason: why it is this one.
        scores: by name, against the base.
        cases: one result a trial, in the order they ended.
        compared: the whole comparison of (base, experiment), None where there was no base.
        regressions: the cases that fell most, the worst first.
        command: lists every case that got worse.
        interrupted: whether somebody stopped it; what was done by then is here and stored.
    """

    project: str
    experiment: str
    base: str | None = None
    scores: dict[str, ScoreSummary] = field(default_factory=dict)
    cases: list[CaseResult] = field(default_factory=list)
    compared: dict[str, Any] | None = None
    interrupted: bool = False
    base_reason: str | None = None
    regressions: list[Regression] = field(default_factory=list)
    command: str | None = None

    @property
    def failed(self) -> list[CaseResult]:
        """Returns the trials whose task failed."""
        return [case for case in self.cases if case.error is not None]

    def _repr_html_(self) -> str:
        """Returns the summary as a notebook shows it."""
        return html(self)


class Bar:
    """The counts of finished and failed cases, as a line on the terminal."""

    def __init__(self, progress: Progress, name: str, total: int | None) -> None:
        self._progress = progress
        self._name = name
        self._failed = 0
        self._task = progress.add_task(name, total=total)

    def count(self, result: CaseResult) -> None:
        """Counts one case."""
        self._failed += result.error is not None
        described = f"{self._name}, {self._failed} failed" if self._failed else self._name
        self._progress.update(self._task, advance=1, description=described)


@contextmanager
def bar(name: str, total: int | None, *, shown: bool | None) -> Iterator[Bar]:
    """Gives a progress bar on stderr; `shown` None shows it on a terminal only."""
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn() if total is not None else TextColumn("{task.completed}"),
        TaskProgressColumn(),
        TimeElapsedColumn(),
    )
    hidden = not (console.is_terminal if shown is None else shown)
    with Progress(*columns, console=console, disable=hidden, transient=True) as progress:
        yield Bar(progress, name, total)


def summarize(
    results: Sequence[CaseResult], compared: Mapping[str, Any] | None
) -> dict[str, ScoreSummary]:
    """Returns each score of a run, with what a comparison of (base, run) says of it."""
    apart, odd = spreads(results), unusual(results)
    base, run = compared["experiments"] if compared is not None else ({}, {})
    against = run.get("against_baseline") or {}
    return {
        name: ScoreSummary(
            mean,
            base.get("scores", {}).get(name),
            against.get(name, {}).get("difference"),
            against.get(name, {}).get("improvements"),
            against.get(name, {}).get("regressions"),
            apart.get(name),
            *odd.get(name, (0, 0)),
        )
        for name, mean in averages(results).items()
    }


def show(console: Console, result: EvalResult) -> None:
    """Prints a run's summary."""
    for line in _head(result):
        console.print(line, highlight=False, markup=False, soft_wrap=True)
    headers, rows = _cells(result)
    table = Table()
    for name in headers:
        table.add_column(Text(name), justify="left" if name == "score" else "right")
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    for line in _notes(result):
        console.print(line, highlight=False, markup=False, soft_wrap=True)


def html(result: EvalResult) -> str:
    """Returns a run's summary for a notebook."""
    headers, rows = _cells(result)
    head = "".join(f"<th>{escape(name)}</th>" for name in headers)
    body = "".join(
        "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows
    )
    lines = [f"<div>{escape(line)}</div>" for line in _head(result)]
    lines.append(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")
    lines += [f"<div>{escape(line)}</div>" for line in _notes(result)]
    return "".join(lines)


def _head(result: EvalResult) -> Iterator[str]:
    yield f"{result.experiment}{' (interrupted)' if result.interrupted else ''}"
    if result.interrupted:
        yield "interrupted: what was done by then is stored, and no later run is compared with it"
    if result.compared is not None:
        yield f"against {result.base}: {result.base_reason}"


def _cells(result: EvalResult) -> tuple[list[str], list[list[str]]]:
    """Returns the headers and rows of the table of scores."""
    headers = ["score", "mean"]
    compared = result.compared is not None
    has_spread = any(score.spread is not None for score in result.scores.values())
    if has_spread:
        headers.append("spread")
    if compared:
        headers += ["base", "difference", "improved", "regressed"]
    rows = []
    for name, score in result.scores.items():
        cells = [name, f"{score.mean:.3f}"]
        if has_spread:
            cells.append(_number(score.spread))
        if compared:
            cells += [_number(score.base), _signed(score.difference)]
            cells += [_count(score.improvements), _count(score.regressions)]
        rows.append(cells)
    return headers, rows


def _notes(result: EvalResult) -> Iterator[str]:
    cases = len({case.case.number for case in result.cases})
    yield f"{cases} cases, {len(result.cases)} trials, {len(result.failed)} failed"
    for name, score in result.scores.items():
        if score.not_numbers:
            yield f"score {name}: {score.not_numbers} values are no numbers and in no mean"
        if score.outside:
            yield f"score {name}: {score.outside} values are outside of 0 to 1"
    if result.compared is not None:
        _, run = result.compared["experiments"]
        yield f"{run['new_cases']} new cases, {run['missing_cases']} missing"
        yield from _metrics(result.compared)
    for case in result.failed[:3]:
        yield f"case {case.case.number} failed: {case.error}"
    for name, (count, why) in _scorer_errors(result.cases).items():
        yield f"scorer {name} failed {count} times, first: {why}"
    yield from _regressions(result)


def _regressions(result: EvalResult) -> Iterator[str]:
    """Yields the cases that fell most, and the command that lists all of them."""
    if not result.regressions:
        return
    yield "worst regressions:"
    for case in result.regressions:
        falls = ", ".join(
            f"{name} {before:.2f} → {after:.2f}" for name, before, after in case.falls
        )
        yield f"  {falls}"
        for label, value in (("input", case.input), ("before", case.before), ("after", case.after)):
            yield f"    {label:<7} {_line(value)}"
        yield f"    trace   {case.link}"
    yield f"all of them: {result.command}"


def _line(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    line = " ".join(text.split())
    return line if len(line) <= SHOWN_CHARACTERS else line[: SHOWN_CHARACTERS - 1] + "…"


def _scorer_errors(results: Sequence[CaseResult]) -> dict[str, tuple[int, str]]:
    errors: dict[str, tuple[int, str]] = {}
    for result in results:
        for name, why in result.scorer_errors.items():
            count, first = errors.get(name, (0, why))
            errors[name] = (count + 1, first)
    return errors


def _metrics(compared: Mapping[str, Any]) -> Iterator[str]:
    """Yields a line for each measure that both runs have."""
    base, run = (experiment["metrics"] for experiment in compared["experiments"])
    for name, unit in (("duration", " s"), ("tokens", ""), ("cost", "")):
        if name in base and name in run:
            before, after = base[name]["mean"], run[name]["mean"]
            yield f"{name} {after:.4g}{unit} a case, {before:.4g}{unit} in the base"


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"


def _signed(value: float | None) -> str:
    return "" if value is None else f"{value:+.3f}"


def _count(value: int | None) -> str:
    return "" if value is None else str(value)
