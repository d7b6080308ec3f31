"""`tracestore experiments` and `tracestore compare`: named runs, and how one differs from another."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final

import typer

from tracestore.cli.cells import padded, text_of, width_of
from tracestore.cli.connection import reading
from tracestore.cli.options import (
    DataOption,
    Format,
    FormatOption,
    KeyOption,
    UrlOption,
    VerticalOption,
    WideOption,
)
from tracestore.cli.printing import note, say, show, terminal_width

ProjectFilter = Annotated[str | None, typer.Option(help="Those of this project alone.")]

SHOWN_WIDTH: Final = 100
"""Places of a line of the list of cases where output goes elsewhere than to a terminal; `tracestore trace ID` shows the
rest of an input or output."""

LEAST_WIDTH: Final = 40
"""Places of such a line in a narrow terminal, which wraps it."""

Row = Mapping[str, Any]

LISTED: Final = """
    SELECT project, name, coalesce(json_extract_string(metadata, '$.eval.state'), 'done') AS state, case_count AS cases,
           error_count AS errors, coalesce(created, start_time) AS created, dataset, dataset_version AS version, base
    FROM experiments WHERE $project IS NULL OR project = $project
    ORDER BY coalesce(created, start_time) DESC, name LIMIT $most"""


def experiments(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    project: ProjectFilter = None,
    limit: Annotated[int, typer.Option(min=1, help="Experiments at most.")] = 50,
    format: FormatOption = "table",  # noqa: A002 - the option's name
    wide: WideOption = False,
    vertical: VerticalOption = False,
) -> None:
    """Lists experiments, newest first."""
    with reading(data, url, key) as source:
        answer = source.sql(LISTED, {"project": project, "most": limit})
        rows = answer.rows()
    show(
        rows,
        format,
        columns=answer.names,
        wide=wide,
        vertical=vertical,
        brief=True,
        empty="no experiment yet; `tracestore eval FILE` runs one",
    )


def compare(
    names: Annotated[list[str], typer.Argument(metavar="BASE OTHER…", help="The experiments.")],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    project: ProjectFilter = None,
    case_key: Annotated[
        str | None,
        typer.Option(help="The path whose value makes two cases the same; default their inputs."),
    ] = None,
    group_by: Annotated[
        str | None, typer.Option(help="A path whose values part the scores: metadata.category.")
    ] = None,
    cases: Annotated[int, typer.Option(min=0, help="Cases listed at most, the worst first.")] = 5,
    format: Annotated[  # noqa: A002 - the option's name
        Format, typer.Option("--format", help="json is all of it; ndjson and csv are the scores.")
    ] = "table",
) -> None:
    """Compares experiments with the first of them: scores, then the cases that got worse."""
    if len(names) < 2:
        raise typer.BadParameter("give two experiments or more")
    with reading(data, url, key) as source:
        compared = source.experiments.compare(
            *names, project=project, key=case_key, group_by=group_by, cases=cases
        )
        worse = list(_fallen(compared))
        told = _told(source, [case for case, _, _ in worse])
    if format == "json":
        sys.stdout.write(json.dumps(compared, indent=2, ensure_ascii=False, default=str) + "\n")
        return
    rows = list(_scores(compared))
    if format != "table":
        show(rows, format)
        return
    # The short word lets a table with long names of experiments keep its last column.
    show([{"change" if name == "difference" else name: row[name] for name in row} for row in rows])
    for warning in compared["warnings"]:
        note(warning)
    for case, other, falls in worse:
        before, after = case["experiments"][names[0]], case["experiments"][other]
        say("")
        say(f"{', '.join(falls)}   {other}")
        for head, run, field in (
            ("  input   ", after, "input"),
            ("  before  ", before, "output"),
            ("  after   ", after, "output"),
        ):
            say(_shortened(head + _text(told, run, field)))
        say(f"  traces  {before['trace_id']} → {after['trace_id']}")


def _scores(compared: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yields a row for each group, experiment and score."""
    groups = [
        {"group": None, "experiments": compared["experiments"]},
        *(compared.get("groups") or ()),
    ]
    for group in groups:
        for experiment in group["experiments"]:
            against = experiment.get("against_baseline") or {}
            for score, mean in experiment["scores"].items():
                change = against.get(score, {})
                row = {
                    "group": group["group"],
                    "experiment": experiment["name"],
                    "cases": experiment["cases"],
                    "errors": experiment["errors"],
                    "score": score,
                    "mean": round(mean, 4),
                    "difference": _rounded(change.get("difference")),
                    "better": change.get("improvements"),
                    "worse": change.get("regressions"),
                }
                if not compared.get("groups"):
                    del row["group"]
                yield row


def _fallen(compared: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], str, list[str]]]:
    """Yields the cases that got worse, with the experiment in which they did, and the scores that fell."""
    for case in compared["cases"]:
        base = case["experiments"].get(compared["baseline"])
        for name, run in case["experiments"].items():
            falls = [
                f"{score} {base['scores'][score]:.2f} → {run['scores'][score]:.2f}"
                for score, change in (run.get("difference") or {}).items()
                if base is not None and change < 0
            ]
            if falls:
                yield case, name, falls


def _told(source: Any, cases: Sequence[Mapping[str, Any]]) -> dict[tuple[str, str], Row]:
    """Returns the inputs and outputs of cases, by trace and span."""
    runs = [run for case in cases for run in case["experiments"].values()]
    if not runs:
        return {}
    answer = source.sql(
        "SELECT trace_id, span_id, input, output FROM spans WHERE trace_id IN $traces",
        {"traces": [run["trace_id"] for run in runs]},
    )
    return {(row["trace_id"], row["span_id"]): row for row in answer.rows()}


def _text(told: Mapping[tuple[str, str], Row], run: Row, field: str) -> str:
    """Returns a span's input or output in one line."""
    return " ".join(text_of(told.get((run["trace_id"], run["span_id"]), {}).get(field)).split())


def _shortened(line: str) -> str:
    width = max(LEAST_WIDTH, terminal_width() or SHOWN_WIDTH)
    return line if width_of(line) <= width else padded(line, width).rstrip()


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
