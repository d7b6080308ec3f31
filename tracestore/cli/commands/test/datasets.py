"""`tracestore dataset …`: versioned rows to test with."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer

from tracestore.cli.connection import reading, writing
from tracestore.cli.options import DataOption, FormatOption, KeyOption, ProjectOption, UrlOption
from tracestore.cli.printing import show, tell
from tracestore.errors import DatasetError

app = typer.Typer(
    help="Manages datasets: versioned rows to test with.",
    no_args_is_help=True,
    add_completion=False,
)

NameArgument = Annotated[str, typer.Argument(help="The dataset.")]


@app.command(name="add")
def add_rows(
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
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    project: ProjectOption = None,
) -> None:
    """Adds rows from a query or a file as a new version; a row that is there already changes nothing."""
    if (file is None) == (sql is None):
        raise typer.BadParameter("give a file or --sql, one of the two")
    with writing(data, url, key) as source:
        if sql is not None:
            report = source.datasets.add(name, sql=sql, project=project)
        else:
            report = source.datasets.add(name, _rows(file or Path()), project=project)
    counts = {
        key: _field(report, key) for key in ("added", "updated", "unchanged", "version", "rows")
    }
    tell(
        f"{name}: {counts['added']} added, {counts['updated']} updated, {counts['unchanged']} unchanged; "
        f"version {counts['version']} has {counts['rows']} rows"
    )


@app.command(name="list")
def list_datasets(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Lists datasets."""
    with reading(data, url, key) as source:
        rows = source.sql("SELECT * FROM datasets ORDER BY project, name").rows()
    show(rows, format, brief=True, empty="no dataset yet; `tracestore dataset add NAME` makes one")


@app.command(name="show")
def show_rows(
    name: NameArgument,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
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
    with reading(data, url, key) as source:
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
    show(rows, format, brief=versions)


@app.command(name="snapshot")
def name_version(
    name: NameArgument,
    snapshot: Annotated[str, typer.Argument(help="The name to give.")],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    project: ProjectOption = None,
    version: Annotated[int | None, typer.Option(help="The version; default the newest.")] = None,
) -> None:
    """Gives a version a name that stays with it."""
    with writing(data, url, key) as source:
        number = source.datasets.snapshot(name, snapshot, version=version, project=project)
    tell(f"version {number} of {name} is called {snapshot}")


@app.command(name="delete")
def delete_rows(
    name: NameArgument,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    project: ProjectOption = None,
    row: Annotated[
        list[str] | None, typer.Option("--id", help="Only this row; repeat for several.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """Deletes rows from a new version on, or the whole dataset with every version, for good."""
    with writing(data, url, key) as source:
        if row:
            report = source.datasets.delete(name, row, project=project)
            tell(f"{name}: {len(row)} deleted; version {_field(report, 'version')}")
            return
        if not yes:
            typer.confirm(f"Delete dataset {name} with every version?", abort=True)
        source.datasets.drop(name, project=project)
    tell(f"dataset {name} is deleted")


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
