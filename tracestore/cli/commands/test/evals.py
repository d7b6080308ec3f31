"""`tracestore eval`: files that test."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer

from tracestore.cli.connection import writing
from tracestore.cli.options import DataOption, KeyOption, UrlOption
from tracestore.cli.printing import tell
from tracestore.evals import EvalResult, running_on

INTERRUPTED = 130
"""The status that a shell gives a program which Ctrl-C ended."""


def eval_files(
    files: Annotated[list[Path], typer.Argument(help="Python files that call Eval.", exists=True)],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(help="A score and its least mean, e.g. factuality=0.8; repeat for several."),
    ] = None,
    max_failures: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Trials whose task or scorer may fail; default 0 where --fail-under is given, else any.",
        ),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Cases under way at once, whatever the files say.")
    ] = None,
) -> None:
    """Runs files of evals; status 1 where a bound is not kept, 130 where Ctrl-C ended it."""
    bounds = [_bound(bound) for bound in fail_under or ()]
    with writing(data, url, key) as source, running_on(source, concurrency=concurrency) as around:
        for file in files:
            _run_file(file)
            if any(result.interrupted for result in around.results):
                raise typer.Exit(INTERRUPTED)
    if not around.results:
        raise typer.BadParameter("no file called Eval")
    below = [
        f"{result.experiment}: {name} is {_mean(result, name)}; want {least:g} or more"
        for result in around.results
        for name, least in bounds
        if name in result.scores and result.scores[name].mean < least
    ]
    scored = {name for result in around.results for name in result.scores}
    below += [f"no eval has a score {name}" for name, _ in bounds if name not in scored]
    most = 0 if max_failures is None and bounds else max_failures
    if most is not None:
        below += [line for result in around.results for line in _too_many_failures(result, most)]
    for line in below:
        tell(f"failed: {line}")
    if below:
        raise typer.Exit(1)


def _too_many_failures(result: EvalResult, most: int) -> Iterator[str]:
    """Yields what is wrong where more trials failed than may: a case without a score is no case that passed."""
    tasks = len(result.failed)
    scorers = sum(bool(case.scorer_errors) for case in result.cases)
    if tasks + scorers > most:
        yield (
            f"{result.experiment}: {tasks} of {len(result.cases)} trials failed, and scorers failed in {scorers}; "
            f"want {most} or fewer (--max-failures)"
        )


def _run_file(file: Path) -> None:
    # Imports of a file find its neighbours, as when Python runs it.
    sys.path.insert(0, str(file.resolve().parent))
    try:
        runpy.run_path(str(file), run_name="__main__")
    finally:
        sys.path.remove(str(file.resolve().parent))


def _bound(text: str) -> tuple[str, float]:
    name, _, least = text.rpartition("=")
    try:
        return name.strip() or text, float(least)
    except ValueError:
        raise typer.BadParameter(
            f"unexpected bound {text!r}; want a score and a number: factuality=0.8",
            param_hint="--fail-under",
        ) from None


def _mean(result: EvalResult, name: str) -> str:
    return f"{result.scores[name].mean:.3f}"
