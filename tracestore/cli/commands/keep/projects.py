"""`tracestore projects …`: what there is, how long it is kept, what it is sorted by, and the end of it."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Annotated, Any, Final

import typer

from tracestore.cli.bars import err
from tracestore.cli.connection import reading, writing
from tracestore.cli.options import DataOption, FormatOption, KeyOption, UrlOption, WideOption
from tracestore.cli.printing import fields_of, note, show, tell

app = typer.Typer(
    help="Lists projects; changes their settings; deletes them.",
    no_args_is_help=True,
    add_completion=False,
)

LISTED: Final = """
    SELECT coalesce(projects.name, kept.project) AS name, projects.retention_days,
           projects.cluster_by, coalesce(kept.spans, 0) AS spans, coalesce(kept.traces, 0) AS traces,
           kept.first, kept.last
    FROM projects FULL JOIN (
        SELECT project, count(*) AS spans, count(DISTINCT trace_id) AS traces,
               min(start_time) AS first, max(start_time) AS last
        FROM spans GROUP BY project
    ) AS kept ON kept.project = projects.name
    ORDER BY 1"""

SUGGESTED: Final = """
    SELECT "table", "column", sum(queries)::BIGINT AS queries, round(sum(share), 3) AS share FROM asked_columns
    WHERE project IS NULL OR project = $project
    GROUP BY "table", "column" ORDER BY queries DESC, "column" LIMIT 10"""

NameArgument = Annotated[str, typer.Argument(help="The project.")]


@app.command(name="list")
def list_projects(
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
    wide: WideOption = False,
) -> None:
    """Lists projects with their retention, spans and times."""
    with reading(data, url, key) as source:
        answer = source.sql(LISTED)
        rows = answer.rows()
    if format == "table":
        show(
            [_for_people(row) for row in rows],
            columns=["name", "kept", "clustered by", "spans", "traces", "days"],
            wide=wide,
            brief=True,
        )
        return
    show(rows, format, columns=answer.names)


def _for_people(row: Mapping[str, Any]) -> dict[str, Any]:
    kept_days = row["retention_days"]
    kept = "for ever" if kept_days is None else f"{kept_days} days"
    days = None if row["first"] is None else f"{row['first']:%Y-%m-%d} to {row['last']:%Y-%m-%d}"
    clustered_by = ", ".join(row["cluster_by"] or ()) or None
    return {**row, "kept": kept, "clustered by": clustered_by, "days": days}


@app.command()
def retention(
    name: NameArgument,
    days: Annotated[
        int | None, typer.Option(min=1, help="Days after which spans and logs expire.")
    ] = None,
    forever: Annotated[bool, typer.Option("--forever", help="Keeps all of them.")] = False,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Sets how long the spans and logs of a project are kept, by their own times."""
    if (days is None) is not forever:
        raise typer.BadParameter("give --days or --forever, one of the two")
    with writing(data, url, key) as source:
        source.set_retention(name, days)
    kept = "for ever" if days is None else f"for {days} days"
    tell(f"spans and logs of {name} are kept {kept}; datasets are kept for ever")


@app.command(name="set")
def set_project(
    name: NameArgument,
    cluster_by: Annotated[
        str | None,
        typer.Option(
            help="Columns and paths that are compared most, joined by commas: service,attributes.http.route."
        ),
    ] = None,
    by_time: Annotated[bool, typer.Option("--by-time", help="Sorts by time alone again.")] = False,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
) -> None:
    """Sets what the rows of a project's new segments are sorted by before time."""
    if (cluster_by is None) is not by_time:
        raise typer.BadParameter("give --cluster-by or --by-time, one of the two")
    columns = [] if cluster_by is None else [each.strip() for each in cluster_by.split(",")]
    with writing(data, url, key) as source:
        source.set_cluster_by(name, columns or None)
    order = f"by {', '.join(columns)}, then by time" if columns else "by time"
    tell(f"new segments of {name} are sorted {order}; merges sort older ones as they meet them")


@app.command()
def suggest(
    name: NameArgument = "default",
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    format: FormatOption = "table",  # noqa: A002 - the option's name
) -> None:
    """Lists the columns that queries of a project compared with one value most often, and the share of queries."""
    with reading(data, url, key) as source:
        answer = source.sql(SUGGESTED, {"project": name})
        rows = answer.rows()
    if format != "table":
        show(rows, format, columns=answer.names)
        return
    if not rows:
        note(f"no query of {name} has compared a column with one value yet")
        return
    show([{**row, "share": f"{row['share']:.0%}"} for row in rows], columns=answer.names)
    columns = ",".join(row["column"] for row in rows[:2])
    # Paths are data: what a terminal or a shell would act on is not offered to be typed.
    if columns.isprintable():
        command = f"tracestore projects set {shlex.quote(name)} --cluster-by {shlex.quote(columns)}"
        note(f"to sort new segments so: {command}")


@app.command()
def delete(
    name: NameArgument,
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    yes: Annotated[bool, typer.Option("--yes", help="Does not ask.")] = False,
) -> None:
    """Deletes every row of a project for good, its datasets included."""
    with writing(data, url, key, create=False) as source:
        if name not in [row["name"] for row in source.sql(LISTED).rows()]:
            raise typer.BadParameter(f"no project {name!r}; see `tracestore projects list`")
        if not yes:
            typer.confirm(f"Delete all of project {name} for good?", abort=True, err=True)
        with err.status("deleting"):
            report = fields_of(source.delete(project=name))
    tell(f"deleted {report['rows']:,} rows of {name} from {report['segments']:,} segments")
