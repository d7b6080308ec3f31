"""`tracestore delete`: rows that a condition selects, gone for good."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import Annotated, Final

import typer

from tracestore.cli.bars import err
from tracestore.cli.connection import writing
from tracestore.cli.options import DataOption, KeyOption, UrlOption
from tracestore.cli.printing import fields_of, show, tell


class Table(StrEnum):
    """The tables whose rows may be deleted by a condition."""

    SPANS = "spans"
    LOGS = "logs"


PREVIEW: Final = {
    "spans": "SELECT project, count(*) AS spans, count(DISTINCT trace_id) AS traces, "
    "min(start_time) AS first, max(start_time) AS last FROM spans WHERE {} GROUP BY ALL ORDER BY ALL",
    "logs": "SELECT project, count(*) AS logs, min(time) AS first, max(time) AS last FROM logs "
    "WHERE {} GROUP BY ALL ORDER BY ALL",
}


def delete(
    where: Annotated[
        str, typer.Option("--where", help="A condition of SQL: \"metadata.user_id = 'u1'\".")
    ],
    data: DataOption = None,
    url: UrlOption = None,
    key: KeyOption = None,
    table: Annotated[
        list[Table] | None,
        typer.Option("--table", help="spans or logs; repeat for both; default spans."),
    ] = None,
    project: Annotated[
        str | None, typer.Option(help="Of this project alone; default of all.")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Says what would go, and deletes nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Does not ask.")] = False,
) -> None:
    """Deletes the rows that a condition of SQL selects, for good; first says how many they are.

    While a server runs on the folder, it deletes them. Once the command ends they are in no answer and in no
    segment any more. Rows that were copied into datasets stay there: `tracestore dataset delete`.
    """
    tables = list(dict.fromkeys(str(each) for each in table or [Table.SPANS]))
    with writing(data, url, key, create=False) as source:
        total = 0
        for name in tables:
            # Alone it is one condition, which the store makes sure of before any other text stands beside it.
            rows = fields_of(
                source.delete(where=where, tables=(name,), project=project, dry_run=True)
            )
            if rows["rows"]:
                owner = "" if project is None else " AND project = $project"
                sql = PREVIEW[name].format(f"({where}\n){owner}")
                found = source.sql(sql, None if project is None else {"project": project}).rows()
                show(found, brief=True)
            total += rows["rows"]
        if dry_run or not total:
            tell(f"{total:,} rows match; nothing was deleted")
            return
        if not yes:
            if not sys.stdin.isatty():
                raise typer.BadParameter("nobody can be asked here; give --yes or --dry-run")
            typer.confirm(f"Delete these {total:,} rows for good?", abort=True, err=True)
        with err.status("rewriting segments"):
            report = fields_of(source.delete(where=where, tables=tables, project=project))
    tell(
        f"deleted {report['rows']:,} rows; {report['segments']:,} segments were rewritten without them"
    )
    for fault in report["faults"]:
        tell(f"fault: {fault} cannot be read and may hold such rows; see `tracestore check`")
    if report["faults"]:
        raise typer.Exit(1)
