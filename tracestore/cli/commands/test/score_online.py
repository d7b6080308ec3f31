"""`tracestore score-online`: scorers that run on a share of production spans."""

from __future__ import annotations

import runpy
import sys
import threading
from pathlib import Path
from typing import Annotated, Any

import typer

from tracestore.cli.commands.test.evals import INTERRUPTED
from tracestore.cli.connection import writing
from tracestore.cli.options import DataOption, KeyOption, UrlOption
from tracestore.cli.printing import tell
from tracestore.evals.online import DEFAULT_SQL, OnlinePlan, OnlineReport, OnlineScoring
from tracestore.scorers import Scorer


def score_online(
    file: Annotated[
        Path | None,
        typer.Argument(
            help="A Python file with a list `scores` of scorers, as Eval takes them.", exists=True
        ),
    ] = None,
    named: Annotated[
        list[str] | None,
        typer.Option(
            "--scorer", help="The name of a scorer that the server has; repeat for several."
        ),
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Whose scorers the names mean; default `default`.")
    ] = None,
    sql: Annotated[
        str,
        typer.Option(
            help="The spans: project, trace_id, span_id, and what the scorers declare (input, output, …)."
        ),
    ] = DEFAULT_SQL,
    sample: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="The share of the spans that are scored.")
    ] = 0.05,
    every_s: Annotated[
        float, typer.Option("--every", min=0.1, help="Seconds from one pass to the next.")
    ] = 30.0,
    once: Annotated[bool, typer.Option("--once", help="Makes one pass and ends.")] = False,
    max_spans: Annotated[
        int | None,
        typer.Option(min=1, help="Ends once scorers were asked about that many spans."),
    ] = None,
    max_cost: Annotated[
        float | None,
        typer.Option(
            min=0.0, help="Ends once scorers say that they have cost that much, as metadata.cost."
        ),
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Spans that are scored at once.")] = 4,
    timeout_s: Annotated[
        float, typer.Option("--timeout", min=0.1, help="Seconds that one scorer may take.")
    ] = 60.0,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Scores a share of the spans that a query gives, as they come, until Ctrl-C or a bound."""
    scorers = [*(_scorers(file) if file is not None else ()), *(named or ())]
    if not scorers:
        raise typer.BadParameter("give a FILE with scorers, or --scorer NAME", param_hint="FILE")
    plan = OnlinePlan(scorers, sql, sample, concurrency, timeout_s, max_spans, max_cost, project)
    with writing(data, url, key, create=False) as target:
        scoring = OnlineScoring(target, plan)
        try:
            scoring.run_once()
            while not once and scoring.report.bound is None:
                _tell(scoring.report)
                threading.Event().wait(every_s)
                scoring.run_once()
        except KeyboardInterrupt:
            raise typer.Exit(INTERRUPTED) from None
        finally:
            _tell(scoring.report)


def _tell(report: OnlineReport) -> None:
    cost = f", cost {report.cost:g}" if report.cost else ""
    ended = f"; ended at the bound of {report.bound}" if report.bound is not None else ""
    tell(
        f"scored {report.scored} spans of {report.seen} seen; {report.failed} calls of scorers failed{cost}{ended}"
    )
    for name, error in report.errors.items():
        tell(f"scorer {name}: {error}")


def _scorers(file: Path) -> list[Scorer]:
    # Imports of a file find its neighbours, as when Python runs it.
    sys.path.insert(0, str(file.resolve().parent))
    try:
        found: Any = runpy.run_path(str(file)).get("scores")
    finally:
        sys.path.remove(str(file.resolve().parent))
    if not isinstance(found, list | tuple) or not found or not all(map(callable, found)):
        raise typer.BadParameter(f"{file} has no list `scores` of scorers", param_hint="FILE")
    return list(found)
