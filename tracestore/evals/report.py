"""What an eval prints: a bar while it runs, and what became of the scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

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

from tracestore.evals.cases import CaseResult


@dataclass(frozen=True, slots=True)
class ScoreSummary:
    """The mean of one score, and its difference from the base where there is one."""

    mean: float
    base: float | None = None
    difference: float | None = None
    improvements: int | None = None
    regressions: int | None = None


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
    scores: Mapping[str, float], compared: Mapping[str, Any] | None
) -> dict[str, ScoreSummary]:
    """Returns each score of a run, with what a comparison of (base, run) says of it."""
    if compared is None:
        return {name: ScoreSummary(mean) for name, mean in scores.items()}
    base, run = compared["experiments"]
    against = run["against_baseline"]
    return {
        name: ScoreSummary(
            mean,
            base["scores"].get(name),
            against.get(name, {}).get("difference"),
            against.get(name, {}).get("improvements"),
            against.get(name, {}).get("regressions"),
        )
        for name, mean in scores.items()
    }


def show(
    console: Console,
    experiment: str,
    base: str | None,
    scores: Mapping[str, ScoreSummary],
    results: Sequence[CaseResult],
    compared: Mapping[str, Any] | None,
) -> None:
    """Prints a run's summary."""
    failed = [result for result in results if result.error is not None]
    against = f" against {base}" if compared is not None else ""
    table = Table(title=f"{experiment}{against}", title_justify="left")
    table.add_column("score")
    table.add_column("mean", justify="right")
    if compared is not None:
        for name in ("base", "difference", "improved", "regressed"):
            table.add_column(name, justify="right")
    for name, score in scores.items():
        cells = [name, f"{score.mean:.3f}"]
        if compared is not None:
            cells += [_number(score.base), _signed(score.difference)]
            cells += [_count(score.improvements), _count(score.regressions)]
        table.add_row(*cells)
    console.print(table)
    cases = len({result.case.number for result in results})
    console.print(f"{cases} cases, {len(results)} trials, {len(failed)} failed", highlight=False)
    if compared is not None:
        _, run = compared["experiments"]
        console.print(
            f"{run['new_cases']} new cases, {run['missing_cases']} missing", highlight=False
        )
        for line in _metrics(compared):
            console.print(line, highlight=False)
    for result in failed[:3]:
        console.print(
            f"case {result.case.number} failed: {result.error}", highlight=False, markup=False
        )
    for name, (count, why) in _scorer_errors(results).items():
        text = f"scorer {name} failed {count} times, first: {why}"
        console.print(text, highlight=False, markup=False)


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
