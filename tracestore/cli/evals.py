"""`tracestore dataset …` and `tracestore eval`: rows to test with, and files that test."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tracestore.cli.terminal import (
    DEFAULT_DATA,
    DataOption,
    FormatOption,
    ProjectOption,
    UrlOption,
    err,
    opened,
    show,
)
from tracestore.errors import DatasetError
from tracestore.evals import EvalResult, running_on

dataset_app = typer.Typer(
    help="Manages datasets: versioned rows to test with.", no_args_is_help=True
)

INTERRUPTED = 130
"""The status that a shell gives a program which Ctrl-C ended."""

NameArgument = Annotated[str, typer.Argument(help="The dataset.")]


@dataset_app.command(name="add")
def dataset_add(
    name: NameArgument,
    file: Annotated[
        Path | None, typer.Argument(help="A .jsonl file of rows, instead of --sql.")
    ] = None,
    sql: Annotated[
        str | None,
        typer.Option(
            "--sql", help="A query with the columns input, expected (or output), trace_id, span_id…"
        ),
    ] = None,
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    project: ProjectOption = None,
) -> None:
    """Adds rows from a query or a file as a new version; a row that is there already changes nothing."""
    if (file is None) == (sql is None):
        raise typer.BadParameter("give a file or --sql, one of the two")
    with opened(data, url) as source:
        if sql is not None:
            report = source.datasets.add(name, sql=sql, project=project)
        else:
            report = source.datasets.add(name, _rows(file or Path()), project=project)
    counts = {
        key: _field(report, key) for key in ("added", "updated", "unchanged", "version", "rows")
    }
    err.print(
        f"{name}: {counts['added']} added, {counts['updated']} updated, {counts['unchanged']} unchanged; "
        f"version {counts['version']} has {counts['rows']} rows"
    )


@dataset_app.command(name="list")
def dataset_list(
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Lists datasets."""
    with opened(data, url) as source:
        rows = source.sql("SELECT * FROM datasets ORDER BY project, name").rows()
    show(rows, format)


@dataset_app.command(name="show")
def dataset_show(
    name: NameArgument,
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    project: ProjectOption = None,
    version: Annotated[
        str | None, typer.Option(help="A version's number, or a snapshot's name.")
    ] = None,
    versions: Annotated[
        bool, typer.Option("--versions", help="The versions, instead of rows.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, help="Rows shown at most.")] = 20,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Shows rows of a dataset in the order they were added, or its versions."""
    with opened(data, url) as source:
        if versions:
            rows = source.sql(
                "SELECT * EXCLUDE (project, name) FROM dataset_versions "
                "WHERE name = $name AND project = $project ORDER BY version",
                {"name": name, "project": project or "default"},
            ).rows()
        else:
            number_or_name = int(version) if version is not None and version.isdigit() else version
            all_rows = source.datasets.rows(name, number_or_name, project=project)
            rows = [row for row, _ in zip(all_rows, range(limit), strict=False)]
    show(rows, format)


@dataset_app.command(name="snapshot")
def dataset_snapshot(
    name: NameArgument,
    snapshot: Annotated[str, typer.Argument(help="The name to give.")],
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    project: ProjectOption = None,
    version: Annotated[int | None, typer.Option(help="The version; default the newest.")] = None,
) -> None:
    """Gives a version a name that stays with it."""
    with opened(data, url) as source:
        number = source.datasets.snapshot(name, snapshot, version=version, project=project)
    err.print(f"version {number} of {name} is called {snapshot}")


@dataset_app.command(name="delete")
def dataset_delete(
    name: NameArgument,
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    project: ProjectOption = None,
    row: Annotated[
        list[str] | None, typer.Option("--id", help="Only this row; repeat for several.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Deletes rows from a new version on, or the whole dataset with every version, for good."""
    with opened(data, url) as source:
        if row:
            report = source.datasets.delete(name, row, project=project)
            err.print(f"{name}: {len(row)} deleted; version {_field(report, 'version')}")
            return
        if not yes:
            typer.confirm(f"Delete dataset {name} with every version?", abort=True)
        source.datasets.drop(name, project=project)
    err.print(f"dataset {name} is deleted")


def eval_files(
    files: Annotated[list[Path], typer.Argument(help="Python files that call Eval.", exists=True)],
    data: DataOption = DEFAULT_DATA,
    url: UrlOption = None,
    fail_under: Annotated[
        list[str] | None,
        typer.Option(help="A score and its least mean, e.g. factuality=0.8; repeat for several."),
    ] = None,
    concurrency: Annotated[
        int | None, typer.Option(min=1, help="Cases under way at once, whatever the files say.")
    ] = None,
) -> None:
    """Runs files of evals; status 1 where a score is below its bound, 130 where Ctrl-C ended it."""
    bounds = [_bound(bound) for bound in fail_under or ()]
    with opened(data, url) as source, running_on(source, concurrency=concurrency) as around:
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
    for line in below:
        err.print(f"[red]failed:[/red] {line}", highlight=False)
    if below:
        raise typer.Exit(1)


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


def _field(report: Any, name: str) -> Any:
    """Returns a field of a report, of a store or of a server."""
    return report[name] if isinstance(report, dict) else getattr(report, name)


def _rows(file: Path) -> Iterator[dict[str, Any]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines):
            if line.strip():
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise DatasetError(
                        f"cannot read {file}, line {number + 1}: {error}; want one JSON object a line"
                    ) from None
                yield row
